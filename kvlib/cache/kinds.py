"""Three kinds of cache that differ only in the storage of a layer, and in what it takes."""

from ..units import dtype as as_dtype, unknown, whole_number
from .base import Cache
from .quantized import BITS, QuantizedLayer, QuantizedRing
from .storage import ContiguousLayer, RingLayer


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
        self.window, self.sinks = whole_number("window", window), whole_number("sinks", sinks, least=0)
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


class QuantizedCache(Cache):
    """Codes of 8, 4 or 2 bits in groups of `group`, each with its scale and zero point.

    codes   int8, int4 or int2
    keys    "token": a group lies within one token's keys; "channel": along one channel,
            over `group` tokens (KIVI). Values always have theirs within a token. A sliding
            layer is a ring of codes, which takes tokens one by one and so needs "token".
    """

    kind = "quantized"

    def __init__(self, layout, *, codes="int8", group=32, keys="token", **rest):
        if codes not in BITS:
            raise unknown("codes", codes, BITS)
        if keys not in ("token", "channel"):
            raise unknown("keys", keys, ("token", "channel"))
        self.codes, self.group, self.keys = codes, whole_number("group", group), keys
        self.packed_dtype = as_dtype(f"{codes}-g{self.group}")
        super().__init__(layout, **rest)

    def storage(self, kv):
        if kv.window is not None and self.keys == "channel":
            raise ValueError('keys must be "token" for a layout with sliding layers, not "channel"')
        if kv.head_dim % self.group:
            raise ValueError(f"group must divide head_dim {kv.head_dim}, not be {self.group}")
        room = dict(bits=BITS[self.codes], group=self.group, **self._room())
        if kv.window is not None:
            return QuantizedRing(kv.n_kv_heads, kv.head_dim, window=kv.window, **room)
        channel = self.keys == "channel"
        return QuantizedLayer(kv.n_kv_heads, kv.head_dim, channel=channel, capacity=self.capacity, **room)

    def predict(self, context):
        if self.keys == "token":
            return self.layout.bytes(context, self.batch, self.packed_dtype)
        waiting = context % self.group
        packed = self.layout.bytes_per_token(self.packed_dtype) * (context - waiting)
        return self.batch * (packed + self.layout.bytes_per_token(self._dtype_name()) * waiting)
