"""A stream of requests served from a memory, step by step; nothing here holds keys or values."""

from .memories import Copied, Held
from .simulation import ALLOCATIONS, Frame, Preempted, Run, simulate
from .stream import Request, requests

__all__ = ["ALLOCATIONS", "Copied", "Frame", "Held", "Preempted", "Request", "Run", "requests", "simulate"]
