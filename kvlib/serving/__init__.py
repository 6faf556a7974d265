"""A stream of requests served from a memory, step by step; nothing here holds keys or values."""

from .batching import Arrival, Costs, Timeline, arrivals, serve
from .memories import Held
from .prefix_cache import Admitted, PrefixCache
from .simulation import ALLOCATIONS, Frame, Run, simulate
from .stream import Request, requests

__all__ = [
    "ALLOCATIONS", "Admitted", "Arrival", "Costs", "Frame", "Held", "PrefixCache", "Request", "Run", "Timeline",
    "arrivals", "requests", "serve", "simulate",
]  # fmt: skip
