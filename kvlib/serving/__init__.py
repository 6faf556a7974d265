"""A stream of requests served from a memory, step by step; a prefix cache. Nothing holds keys or values."""

from .memories import Copied, Held
from .prefix_cache import PrefixCache
from .simulation import ALLOCATIONS, Frame, Preempted, Run, simulate
from .stream import Request, requests

__all__ = [
    "ALLOCATIONS", "Copied", "Frame", "Held", "Preempted", "PrefixCache", "Request", "Run", "requests", "simulate",
]  # fmt: skip
