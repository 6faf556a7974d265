"""Caches of keys and values, one short class a kind, under one invariant:

`update(layer, k, v)` stores the new tokens' keys and values and returns those to attend
to, oldest first, the new ones last. So attention knows nothing of how they are kept.

    k, v      [B, H_kv, T, D]   T new tokens
    returned  [B, H_kv, S, D]   S tokens to attend to

All memory is set aside when a cache is made (`reserved_bytes`); adding a token writes
that token and moves no other. `nbytes` is what the tokens held take, and the layout
predicts it to the byte (`predicted_bytes`).
"""

import torch

from .attention import attention
from .layout import CacheLayout
from .quantise import BITS, QuantisedLayer
from .storage import ContiguousLayer, RingLayer, torch_dtype
from .units import count, dtype as as_dtype, unknown


class Cache:
    """What every kind shares: a storage a layer, and the layout it was made from.

    layout    what each layer keeps of a token; full and sliding attention
    batch     B, sequences
    capacity  tokens a sequence can hold; a sliding layer needs only its window
    dtype     of the keys and values given and returned: fp32, bf16 or fp16
    pad       [B]: tokens at the front of each sequence that only fill up a batch of prompts
              of different length; set it before the first update (None: there are none)
    """

    kind = "abstract"

    def __init__(self, layout: CacheLayout, *, batch=1, capacity=2048, dtype="fp32", device="cpu"):
        self.layout, self.pad = layout, None
        self.batch, self.capacity = count("batch", batch), count("capacity", capacity)
        self.dtype, self.device = torch_dtype(dtype), torch.device(device)
        for i, kv in enumerate(layout.layers):
            if kv.kind not in ("full", "sliding") or kv.v_elements != kv.k_elements:
                raise ValueError(
                    f"layout: layer {i} is {kv.kind!r}; real caches hold full and sliding attention"
                )
        self.layers = [self.storage(kv) for kv in layout.layers]

    def storage(self, kv):
        """The storage for one `LayerKV`."""
        raise NotImplementedError

    def _room(self):
        return dict(batch=self.batch, dtype=self.dtype, device=self.device)

    def update(self, layer: int, k, v):
        """Store new keys and values; return those to attend to. Raises CacheFull (a ValueError)."""
        return self.layers[layer].update(k, v)

    def attend(self, layer: int, q, k, v):
        """What the new tokens' queries q [B, H, T, D] read: update, then attention."""
        k, v = self.update(layer, k, v)
        store = self.layers[layer]
        return attention(q, k, v, store.window, store.sinks, self.padding(layer, k.shape[2]))

    def padding(self, layer: int, S: int):
        """[B]: how many of the S keys that `update` returned are padding, or None."""
        if self.pad is None:
            return None
        if self.layers[layer].sinks:
            raise ValueError(
                "sinks need prompts of one length: padding would be kept for good in their place"
            )
        return (self.pad - (self.layers[layer].length - S)).clamp(min=0)

    @property
    def length(self) -> int:
        """Tokens that have passed in each sequence (padding included), held or not."""
        return self.layers[0].length

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held, every layer's."""
        return sum(store.nbytes for store in self.layers)

    @property
    def reserved_bytes(self) -> int:
        """Bytes set aside, held or not."""
        return sum(store.reserved_bytes for store in self.layers)

    @property
    def predicted_bytes(self) -> int:
        """What the layout says `nbytes` must be at this length."""
        return self.predict(self.length) if self.length else 0

    def predict(self, context: int) -> int:
        """What the layout says `nbytes` is once `context` tokens have passed."""
        return self.layout.bytes(context, self.batch, self._dtype_name())

    def _dtype_name(self):
        return str(self.dtype).removeprefix("torch.")


class ContiguousCache(Cache):
    """Room for `capacity` tokens in one piece a layer; a sliding layer of the model is a ring."""

    kind = "contiguous"

    def storage(self, kv):
        if kv.window is not None:
            return RingLayer(kv.n_kv_heads, kv.head_dim, window=kv.window, **self._room())
        return ContiguousLayer(kv.n_kv_heads, kv.head_dim, capacity=self.capacity, **self._room())


class SlidingCache(Cache):
    """The last `window` tokens of every layer, and the first `sinks` tokens for good."""

    kind = "sliding"

    def __init__(self, layout, *, window, sinks=0, **rest):
        self.window, self.sinks = count("window", window), count("sinks", sinks, least=0)
        super().__init__(layout, **rest)

    def storage(self, kv):
        window = min(self.window, kv.window or self.window)
        return RingLayer(kv.n_kv_heads, kv.head_dim, window=window, sinks=self.sinks, **self._room())

    def predict(self, context):
        per_token = {kv: kv.bytes_per_token(self._dtype_name()) for kv in self.layout.layers}
        return self.batch * sum(
            min(context, store.window + store.sinks) * per_token[kv]
            for store, kv in zip(self.layers, self.layout.layers, strict=True)
        )


class QuantisedCache(Cache):
    """Codes of 8, 4 or 2 bits in groups of `group`, each with its scale and zero point.

    codes   int8, int4 or int2
    keys    "token": a group lies within one token's keys; "channel": along one channel,
            over `group` tokens (KIVI). Values always have theirs within a token.
    """

    kind = "quantised"

    def __init__(self, layout, *, codes="int8", group=32, keys="token", **rest):
        if codes not in BITS:
            raise unknown("codes", codes, BITS)
        if keys not in ("token", "channel"):
            raise unknown("keys", keys, ("token", "channel"))
        self.codes, self.group, self.keys = codes, count("group", group), keys
        self.packed_dtype = as_dtype(f"{codes}-g{self.group}")
        super().__init__(layout, **rest)

    def storage(self, kv):
        if kv.window is not None:
            raise ValueError("layout: a quantised cache holds full attention layers, not sliding ones")
        if kv.head_dim % self.group:
            raise ValueError(f"group must divide head_dim {kv.head_dim}, not be {self.group}")
        room = dict(bits=BITS[self.codes], group=self.group, channel=self.keys == "channel", **self._room())
        return QuantisedLayer(kv.n_kv_heads, kv.head_dim, capacity=self.capacity, **room)

    def predict(self, context):
        waiting = context % self.group if self.keys == "channel" else 0
        packed = self.layout.bytes_per_token(self.packed_dtype) * (context - waiting)
        return self.batch * (packed + self.layout.bytes_per_token(self._dtype_name()) * waiting)


def _kinds():
    from .paged import PagedCache

    return {c.kind: c for c in (ContiguousCache, SlidingCache, QuantisedCache, PagedCache)}


def make_cache(kind, layout, **options) -> Cache:
    """A cache of the kind called `kind`: contiguous, sliding, quantised or paged.

    `options` go to its class. Raises ValueError for an unknown kind.
    """
    kinds = _kinds()
    if kind not in kinds:
        raise unknown("cache", kind, kinds)
    return kinds[kind](layout, **options)
