"""A stream of requests served from a memory, step by step; nothing here holds keys or values."""

from .trace import POLICIES, Frame, Held, Request, Run, requests, simulate

__all__ = ["POLICIES", "Frame", "Held", "Request", "Run", "requests", "simulate"]
