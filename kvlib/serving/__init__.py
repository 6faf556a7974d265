"""A stream of requests served from a memory, step by step; a prefix cache. Nothing holds keys or values."""

from .memories import Held
from .prefix_cache import PrefixCache
from .simulation import ALLOCATIONS, Frame, Run, simulate
from .stream import Request, requests

__all__ = ["ALLOCATIONS", "Frame", "Held", "PrefixCache", "Request", "Run", "requests", "simulate"]
