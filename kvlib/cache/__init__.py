"""Caches of keys and values, one short class a kind, under one invariant:

`update(layer, k, v)` stores the new tokens' keys and values and returns those to attend
to, oldest first, the new ones last. So attention knows nothing of how they are kept. One new
float32 token on a CPU is quicker to serve: it reads the memory where it lies (`kvlib.kernels`),
with the same result.

    k, v      [B, H_kv, T, D]   T new tokens
    returned  [B, H_kv, S, D]   S tokens to attend to

All memory is set aside when a cache is made (`reserved_bytes`); adding a token writes
that token and moves no other. `nbytes` is what the tokens held take, and the layout
predicts it to the byte (`predicted_bytes`).
"""

from ..units import unknown
from .base import Cache
from .kinds import ContiguousCache, QuantizedCache, SlidingCache
from .paged import PagedCache
from .storage import CacheFull, torch_dtype

__all__ = [
    "Cache", "CacheFull", "ContiguousCache", "PagedCache", "QuantizedCache", "SlidingCache", "make_cache",
    "torch_dtype",
]  # fmt: skip

KINDS = {c.kind: c for c in (ContiguousCache, SlidingCache, QuantizedCache, PagedCache)}


def make_cache(kind, layout, **options) -> Cache:
    """A cache of the kind called `kind`: contiguous, sliding, quantized or paged.

    `options` go to its class. Raises ValueError for an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("cache", kind, KINDS)
    return KINDS[kind](layout, **options)
