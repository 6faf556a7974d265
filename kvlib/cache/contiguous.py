"""Keys and values in one piece for each layer, or in a ring of the last tokens."""

import torch

from ..attention import ContiguousView
from ..units import whole_number
from .base import Cache, zeros


class Rows:
    """One layer's keys and values, [B, H_kv, slots, D] each, in the order of their tokens.

    With a window they lie in a ring behind the first `sinks` tokens, which stay: the newest token
    takes the oldest's place.
    """

    def __init__(self, kv, slots, window=None, sinks=0, *, batch, dtype, device):
        shape = batch, kv.n_kv_heads, slots, kv.head_dim
        self.k, self.v = (zeros(*shape, dtype=dtype, device=device) for _ in "kv")
        self.window, self.sinks = window, sinks

    def write(self, slots, k, v) -> None:
        """Store keys and values [B, H_kv, T, D] in slots [T]."""
        self.k.index_copy_(2, slots, k.to(self.k.dtype))
        self.v.index_copy_(2, slots, v.to(self.v.dtype))

    def rounded(self, k, v):
        """Keys and values as they will be read once they are stored."""
        return k.to(self.k.dtype), v.to(self.v.dtype)

    def view(self, length, **common) -> ContiguousView:
        return ContiguousView(
            k=self.k, v=self.v, length=length, window=self.window, sinks=self.sinks, **common
        )

    def held_bytes(self, length) -> int:
        held = min(length, self.k.shape[2])
        return self.k[:, :, :held].nbytes + self.v[:, :, :held].nbytes

    def lost(self, length, cropped) -> str | None:
        """Why the first `cropped` of `length` tokens can't be had again; None: they can."""
        return lost_in_ring(self.window, self.sinks, length, cropped)

    @property
    def reserved_bytes(self) -> int:
        return self.k.nbytes + self.v.nbytes


def lost_in_ring(window, sinks, length, cropped) -> str | None:
    """`Rows.lost` of a ring: once it is full, each new token takes the place of one that is needed again."""
    if window is None or cropped == length or length <= window + sinks:
        return None
    return f"the ring of {window} tokens has overwritten what would be seen again"


class ContiguousCache(Cache):
    """Room for `capacity` tokens in one piece for each layer; a sliding layer of the model is a ring."""

    kind = "contiguous"
    in_place = True

    def storage(self, kv):
        return Rows(kv, kv.window or self.capacity, kv.window, **self._like())

    def write(self, layer, k, v):
        self.check_new(layer, k, v)
        self.wrote(layer)
        store = self.layers[layer]
        self._step.pop("passing", None)
        if store.window is None or self.new == 1:
            store.write(self.once(self.slots, store.window, store.sinks), k, v)
            return
        # The first of the new tokens still see what the last of them overwrite.
        past = self._view(store, self.length - self.new).gather()
        k_seen, v_seen = (torch.cat(pair, dim=2) for pair in zip(past, store.rounded(k, v), strict=True))
        pad = self._view(store, self.length).padding(k_seen.shape[2])
        self._step["passing"] = layer, ContiguousView.of(k_seen, v_seen, store.window, store.sinks, pad)
        stay = self.once(self._staying, store.window, store.sinks)
        slots = self.once(self.slots, store.window, store.sinks)
        store.write(slots[stay], k[:, :, stay], v[:, :, stay])

    def view(self, layer):
        written, view = self._step.get("passing", (None, None))
        if layer == written:
            return view  # of this step: with the tokens that its last ones have overwritten
        return self._view(self.layers[layer], self.length, layer in self._written)

    def _view(self, store, length, written=True):
        first, last = self.once(self.span, store.window)
        # Of several new tokens in a ring, the first may have lost what they saw.
        new = self.new if store.window is None else min(self.new, 1)
        return store.view(
            length, pad=self.pad, first=first, last=last, new=new, storable=self.storable, written=written
        )

    def _staying(self, window, sinks):
        """Which of the T new tokens a ring still holds once all are stored: the last, and sinks."""
        sinks = min(max(sinks - (self.length - self.new), 0), self.new)
        last = torch.arange(max(self.new - window, sinks), self.new)
        return torch.cat([torch.arange(sinks), last]).to(self.device)

    def slots(self, window, sinks):
        """[T]: where the new tokens lie in every layer with this window and these sinks."""
        positions = self.positions()[0]  # every sequence's, padding counted
        if window is None:
            return positions
        return torch.where(positions < sinks, positions, sinks + (positions - sinks) % window)


class SlidingCache(ContiguousCache):
    """The last `window` tokens of every layer, and the first `sinks` tokens for good."""

    kind = "sliding"

    def __init__(self, layout, *, window, sinks=0, **rest):
        self.window, self.sinks = whole_number("window", window), whole_number("sinks", sinks, least=0)
        super().__init__(layout, **rest)

    def storage(self, kv):
        window = min(self.window, kv.window or self.window)
        return Rows(kv, self.sinks + window, window, self.sinks, **self._like())

    def predict(self, context):
        per_token = {kv: kv.bytes_per_token(self.dtype_name) for kv in self.layout.layers}
        return self.batch * sum(
            min(context, store.window + store.sinks) * per_token[kv]
            for store, kv in zip(self.layers, self.layout.layers, strict=True)
        )
