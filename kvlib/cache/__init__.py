"""Caches of keys and values, one short class for each kind, all read in one way: by a view.

    cache.append(T)                               room for T new tokens, in all layers
    cache.write(layer, k, v)                      their keys and values [B, H_kv, T, D]
    out = attention(q, cache.view(layer))         what their queries q [B, H, T, D] read
    cache.observe(layer, q)                       for caches that evict by attention

All memory is set aside when a cache is made (`reserved_bytes`); adding a token writes
that token and moves no other. `nbytes` is what the tokens held take, and the layout
predicts it to the byte (`predicted_bytes`).
"""

from ..units import unknown
from .base import Cache, CacheFull, torch_dtype
from .contiguous import ContiguousCache, SlidingCache
from .evicting import H2OCache, SnapKVCache
from .fp8 import Fp8Cache
from .paged import PagedCache
from .quantized import QuantizedCache

__all__ = [
    "Cache", "CacheFull", "ContiguousCache", "Fp8Cache", "H2OCache", "PagedCache", "QuantizedCache",
    "SlidingCache", "SnapKVCache", "make_cache", "torch_dtype",
]  # fmt: skip

CLASSES = ContiguousCache, SlidingCache, QuantizedCache, Fp8Cache, PagedCache, H2OCache, SnapKVCache
KINDS = {c.kind: c for c in CLASSES}


def make_cache(kind, layout, **options) -> Cache:
    """A cache of the kind called `kind`: contiguous, sliding, quantized, fp8, paged, h2o or snapkv.

    `options` go to its class. Raises ValueError for an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("cache", kind, KINDS)
    return KINDS[kind](layout, **options)
