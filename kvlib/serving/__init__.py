"""A stream of requests served from a memory, step by step; a prefix cache. Nothing holds keys or values."""

from .batching import Arrival, Costs, Step, Timeline, arrivals, serve
from .memories import Copied, Held
from .prefix_cache import PrefixCache
from .simulation import ALLOCATIONS, Frame, Preempted, Run, simulate
from .stream import Request, requests

__all__ = [
    "ALLOCATIONS", "Arrival", "Copied", "Costs", "Frame", "Held", "Preempted", "PrefixCache", "Request",
    "Run", "Step", "Timeline", "arrivals", "requests", "serve", "simulate",
]  # fmt: skip
