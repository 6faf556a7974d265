"""Keys and values as packed codes, each group of numbers with its scale and zero point."""

from dataclasses import dataclass

import torch

from ..attention import View
from ..units import dtype as as_dtype, unknown, whole_number
from .codes import BITS, Codes
from .contiguous import ContiguousCache, lost_in_ring


@dataclass(kw_only=True, eq=False)
class QuantizedView(View):
    """Codes of keys and values, in the slots that a `ContiguousView` would name.

    residual  keys and values [B, H_kv, group, D] of the newest tokens, in full precision until
              their group is whole; () where every token is packed at once
    """

    k: Codes
    v: Codes
    length: int
    residual: tuple[torch.Tensor, ...] = ()
    pad: torch.Tensor | None = None

    @property
    def shape(self):
        B, H_kv, _, width = self.k.codes.shape
        return B, H_kv, width * 8 // self.k.bits

    @property
    def packed(self) -> int:
        """Tokens kept as codes, of those that have not left a ring."""
        held = min(self.length, self.k.codes.shape[2])
        return held if not self.residual else self.length // self.k.group * self.k.group

    def gather(self):
        k, v = self.k.read(self.packed), self.v.read(self.packed)
        if self.residual:
            n = self.length - self.packed
            return tuple(
                torch.cat([x, r[:, :, :n]], dim=2) for x, r in zip((k, v), self.residual, strict=True)
            )
        oldest = self.length % self.packed if self.length > self.packed else 0
        return (k.roll(-oldest, dims=2), v.roll(-oldest, dims=2)) if oldest else (k, v)

    def padding(self, S):
        return None if self.pad is None else (self.pad - (self.length - S)).clamp(min=0)


class QuantizedRows:
    """One layer's keys and values as packed codes, in the order of their tokens or in a ring.

    Values always have their groups within a token. Keys too, or along each channel
    (KIVI, arXiv 2402.02750: a few channels of the keys are far larger than the rest). A
    channel's group needs `group` tokens; until they are there, the newest tokens stay in
    full precision, keys and values both: KIVI's residual.
    """

    sinks = 0

    def __init__(self, kv, slots, *, bits, group, by_channel, batch, dtype, device):
        self.window, self.group = kv.window, group
        slots = -(-slots // group) * group if by_channel else slots
        shape, like = (batch, kv.n_kv_heads, slots, kv.head_dim), dict(dtype=dtype, device=device)
        self.k = Codes(*shape, bits=bits, group=group, by_channel=by_channel, **like)
        self.v = Codes(*shape, bits=bits, group=group, by_channel=False, **like)
        self.residual: tuple[torch.Tensor, ...] = ()
        if by_channel:
            self.residual = tuple(torch.zeros(batch, kv.n_kv_heads, group, kv.head_dim, **like) for _ in "kv")

    def write(self, slots, k, v) -> None:
        """Pack keys and values [B, H_kv, T, D] into slots [T]."""
        self.k.write(slots, k)
        self.v.write(slots, v)

    def append(self, length, k, v) -> None:
        """Store the tokens after `length` others: whole groups packed, the rest as they are."""
        packed = length // self.group * self.group
        pair = [
            torch.cat([r[:, :, : length - packed], x.to(r.dtype)], dim=2)
            for r, x in zip(self.residual, (k, v), strict=True)
        ]
        whole = pair[0].shape[2] // self.group * self.group
        if whole:
            slots = torch.arange(packed, packed + whole, device=k.device)
            self.write(slots, *(x[:, :, :whole] for x in pair))
        for r, x in zip(self.residual, pair, strict=True):
            r[:, :, : x.shape[2] - whole] = x[:, :, whole:]

    def rounded(self, k, v):
        """Keys and values as they will be read once they are stored."""
        return self.k.rounded(k), self.v.rounded(v)

    def view(self, length, **common) -> QuantizedView:
        return QuantizedView(
            k=self.k, v=self.v, length=length, residual=self.residual, window=self.window, **common
        )

    def held_bytes(self, length) -> int:
        packed = self.view(length, first=None, last=None, new=0).packed
        rest = length - packed if self.residual else 0
        return (
            self.k.nbytes(packed) + self.v.nbytes(packed) + sum(r[:, :, :rest].nbytes for r in self.residual)
        )

    def lost(self, length, cropped) -> str | None:
        """Why the first `cropped` of `length` tokens can't be had again; None: they can."""
        packed = length // self.group * self.group
        if self.residual and cropped < packed and cropped % self.group:
            return f"token {cropped} lies within a packed group of {self.group}"
        return lost_in_ring(self.window, self.sinks, length, cropped)

    @property
    def reserved_bytes(self) -> int:
        slots = self.k.codes.shape[2]
        return self.k.nbytes(slots) + self.v.nbytes(slots) + sum(r.nbytes for r in self.residual)


class QuantizedCache(ContiguousCache):
    """Codes of 8, 4 or 2 bits in groups of `group`, each with its scale and zero point.

    codes   int8, int4 or int2
    keys    "token": a group lies within one token's keys; "channel": along one channel,
            over `group` tokens (KIVI). Values always have theirs within a token. A sliding
            layer is a ring of codes, which takes tokens one by one and so needs "token".
    """

    kind = "quantized"
    in_place = True

    def __init__(self, layout, *, codes="int8", group=32, keys="token", **rest):
        if codes not in BITS:
            raise unknown("codes", codes, BITS)
        if keys not in ("token", "channel"):
            raise unknown("keys", keys, ("token", "channel"))
        self.codes, self.group, self.keys = codes, whole_number("group", group), keys
        self.packed_dtype = as_dtype(f"{codes}-g{self.group}")
        super().__init__(layout, **rest)

    def storage(self, kv):
        by_channel = self.keys == "channel"
        if kv.window is not None and by_channel:
            raise ValueError('keys must be "token" for a layout with sliding layers, not "channel"')
        if kv.head_dim % self.group:
            raise ValueError(f"group must divide head_dim {kv.head_dim}, not be {self.group}")
        codes = dict(bits=BITS[self.codes], group=self.group, by_channel=by_channel)
        return QuantizedRows(kv, kv.window or self.capacity, **codes, **self._like())

    def write(self, layer, k, v):
        if self.keys == "token":
            return super().write(layer, k, v)
        self.check_new(layer, k, v)
        self.wrote(layer)
        self.layers[layer].append(self.length - self.new, k, v)

    def predict(self, context):
        if self.keys == "token":
            return self.layout.bytes(context, self.batch, self.packed_dtype)
        rest = context % self.group
        packed = self.layout.bytes_per_token(self.packed_dtype) * (context - rest)
        return self.batch * (packed + self.layout.bytes_per_token(self.dtype_name) * rest)
