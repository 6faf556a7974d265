"""A stream of requests served from a memory, step by step; nothing here holds keys or values."""

from .memories import Held
from .simulation import ALLOCATIONS, Frame, Run, simulate
from .stream import Request, requests

__all__ = ["ALLOCATIONS", "Frame", "Held", "Request", "Run", "requests", "simulate"]
