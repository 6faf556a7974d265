"""Numbers as 8, 4 or 2 bit codes, a scale and a zero point for each group.

Codes are packed into real bytes, 8 / bits to a byte; scale and zero are float16. A group
of n numbers takes n × bits / 8 + 4 bytes, which is what `kvlib.units.dtype("int4-g32")` says.
"""

import numpy as np
import torch

from ..kernels.cpu.memory import Packed
from .storage import CacheFull, zeros

BITS = {"int8": 8, "int4": 4, "int2": 2}

# The least step: float16's least normal number, so that a group of equal numbers divides by something.
LEAST_STEP = 2.0**-14


def quantize(x, bits, dim):
    """Codes (uint8, one a number), scale and zero (float16) of groups that lie along `dim`.

    x ≈ codes × scale + zero, off by at most `error_bound(scale, zero, bits)`.
    """
    low, high = x.float().aminmax(dim=dim, keepdim=True)
    zero = low.half()
    scale = ((high - zero.float()) / (2**bits - 1)).clamp(min=LEAST_STEP).half()
    codes = ((x.float() - zero.float()) / scale.float()).round_().clamp_(0, 2**bits - 1)
    return codes.to(torch.uint8), scale, zero


def dequantize(codes, scale, zero, dtype=torch.float32):
    """The numbers that codes, scale and zero stand for, in `dtype`."""
    return torch.addcmul(zero.to(dtype), codes.to(dtype), scale.to(dtype))


def error_bound(scale, zero, bits):
    """The most by which a number and its code's value can differ.

    Half a step, and what rounding to float16 (one part in 2**11) moves the two ends of
    the range: the zero itself, and the scale times the largest code.
    """
    step, zero = scale.float(), zero.float().abs()
    return step / 2 + (zero + step * (2**bits - 1)) * 2.0**-11


def pack(codes, bits):
    """Codes [..., n] as bytes [..., n × bits / 8], the first code in the lowest bits."""
    if bits == 8:
        return codes
    per_byte = 8 // bits
    codes = codes.unflatten(-1, (-1, per_byte))
    packed = codes[..., 0].clone()
    for i in range(1, per_byte):
        packed |= codes[..., i] << (i * bits)
    return packed


def unpack(packed, bits):
    """The codes that `pack` packed."""
    if bits == 8:
        return packed
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
    return ((packed[..., None] >> shifts) & (2**bits - 1)).flatten(-2)


class PackedTensor:
    """Keys (or values) [B, H_kv, capacity, D] kept as packed codes with scales and zeros.

    channel=False  a group is `group` neighbouring numbers of one token
    channel=True   a group is one channel over `group` neighbouring tokens
    """

    def __init__(self, batch, n_kv_heads, capacity, head_dim, *, bits, group, channel, dtype, device):
        self.bits, self.group, self.channel, self.dtype = bits, group, channel, dtype
        shape = batch, n_kv_heads, capacity
        scales = (*shape[:2], capacity // group, head_dim) if channel else (*shape, head_dim // group)
        self.codes = zeros(*shape, head_dim * bits // 8, dtype=torch.uint8, device=device)
        self.scale, self.zero = (zeros(*scales, dtype=torch.float16, device=device) for _ in range(2))

    def write(self, start, x):
        """Pack x [B, H_kv, T, D] as tokens start … start + T; whole groups of tokens if channel."""
        end = start + x.shape[2]
        codes, scale, zero = quantize(self._grouped(x), self.bits, dim=3 if self.channel else 4)
        self.codes[:, :, start:end] = pack(codes.view(x.shape), self.bits)
        groups = self._groups(start, end)
        self.scale[:, :, groups], self.zero[:, :, groups] = self._flat(scale), self._flat(zero)

    def rounded(self, x):
        """x [B, H_kv, T, D] as it would be read after it was written."""
        codes, scale, zero = quantize(self._grouped(x), self.bits, dim=3 if self.channel else 4)
        return dequantize(codes, scale, zero, self.dtype).view(x.shape)

    def read(self, end):
        """The first `end` tokens, dequantized: [B, H_kv, end, D]."""
        groups = self._groups(0, end)
        codes = unpack(self.codes[:, :, :end], self.bits)
        scale, zero = (self._spread(x[:, :, groups]) for x in (self.scale, self.zero))
        return dequantize(self._grouped(codes), scale, zero, self.dtype).view(codes.shape)

    def arrays(self):
        """Codes, and the bits of the float16 scales and zeros, which Numba does not know, as NumPy's."""
        scale, zero = (x.view(torch.int16).numpy().view(np.uint16) for x in (self.scale, self.zero))
        return self.codes.numpy(), scale, zero

    def nbytes(self, end) -> int:
        """Bytes of the first `end` tokens: codes, scales and zeros."""
        groups = self._groups(0, end)
        return self.codes[:, :, :end].nbytes + 2 * self.scale[:, :, groups].nbytes

    @property
    def reserved_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes + self.zero.nbytes

    def _groups(self, start, end):
        return slice(start // self.group, end // self.group) if self.channel else slice(start, end)

    def _grouped(self, x):  # [B, H_kv, groups, group, D] or [B, H_kv, T, groups, group]
        return x.unflatten(2 if self.channel else 3, (-1, self.group))

    def _flat(self, scale):
        return scale.squeeze(3) if self.channel else scale.squeeze(4)

    def _spread(self, scale):
        return scale.unsqueeze(3) if self.channel else scale.unsqueeze(4)


class QuantizedLayer:
    """A layer's keys and values as packed codes.

    Values always have their groups within a token. Keys too, or along each channel
    (KIVI, arXiv 2402.02750: a few channels of the keys are far larger than the rest). A
    channel's group needs `group` tokens; until they are there, the newest tokens wait
    in full precision, keys and values both.
    """

    window, sinks = None, 0

    def __init__(self, n_kv_heads, head_dim, *, bits, group, channel, batch, capacity, dtype, device):
        self.channel, self.group, self.capacity, self.length = channel, group, capacity, 0
        self.packed = 0  # tokens kept as codes; the others wait
        capacity = -(-capacity // group) * group if channel else capacity
        rest = dict(bits=bits, group=group, dtype=dtype, device=device)
        self.k = PackedTensor(batch, n_kv_heads, capacity, head_dim, channel=channel, **rest)
        self.v = PackedTensor(batch, n_kv_heads, capacity, head_dim, channel=False, **rest)
        waiting = group if channel else 0
        self.k_waiting = torch.zeros(batch, n_kv_heads, waiting, head_dim, dtype=dtype, device=device)
        self.v_waiting = torch.zeros_like(self.k_waiting)
        self.claims = not channel  # a channel's codes are made for a whole group of tokens
        self._memory = None

    def store(self, k, v):
        """Pack the new tokens' keys and values [B, H_kv, T, D], or let them wait for their group."""
        end = self.length + k.shape[2]
        if end > self.capacity:
            raise CacheFull(end, self.capacity)
        step = self.group if self.channel else 1
        packed = end // step * step  # tokens kept as codes from now on
        if self.channel:
            n = self.length - self.packed
            k = torch.cat([self.k_waiting[:, :, :n], k], dim=2)
            v = torch.cat([self.v_waiting[:, :, :n], v], dim=2)
        fresh = packed - self.packed
        if fresh:
            self.k.write(self.packed, k[:, :, :fresh])
            self.v.write(self.packed, v[:, :, :fresh])
        self.packed, self.length = packed, end
        if self.channel:
            self.k_waiting[:, :, : end - packed] = k[:, :, fresh:]
            self.v_waiting[:, :, : end - packed] = v[:, :, fresh:]

    def update(self, k, v):
        """`store`, and what is held."""
        self.store(k, v)
        return self.held()

    def held(self):
        """Keys and values held, dequantized, oldest first."""
        k, v = self.k.read(self.packed), self.v.read(self.packed)
        n = self.length - self.packed
        if n:
            k = torch.cat([k, self.k_waiting[:, :, :n]], dim=2)
            v = torch.cat([v, self.v_waiting[:, :, :n]], dim=2)
        return k, v

    def source(self):
        """The memory as `kvlib.kernels.cpu` reads it, and how many tokens have passed."""
        if self._memory is None:
            waiting = self.k_waiting.numpy(), self.v_waiting.numpy()
            self._memory = *self.k.arrays(), *self.v.arrays(), *waiting
        return Packed(*self._memory, self.packed, self.k.bits, self.group, self.channel), self.length

    def claim(self) -> int:
        """The slot of one more token, now counted as held; its writer fills it."""
        if self.length == self.capacity:
            raise CacheFull(self.length + 1, self.capacity)
        self.length += 1
        self.packed += 1
        return self.length - 1

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held: codes, scales and zeros, and those that wait."""
        n = self.length - self.packed
        waiting = self.k_waiting[:, :, :n].nbytes + self.v_waiting[:, :, :n].nbytes
        return self.k.nbytes(self.packed) + self.v.nbytes(self.packed) + waiting

    @property
    def reserved_bytes(self) -> int:
        waiting = self.k_waiting.nbytes + self.v_waiting.nbytes
        return self.k.reserved_bytes + self.v.reserved_bytes + waiting


class QuantizedRing(QuantizedLayer):
    """The last `window` tokens as packed codes in a ring, each token's groups within it."""

    def __init__(self, n_kv_heads, head_dim, *, window, **rest):
        super().__init__(n_kv_heads, head_dim, channel=False, capacity=window, **rest)
        self.window = window

    def store(self, k, v):
        T = k.shape[2]
        t = max(0, T - self.window)  # what came before would be overwritten at once
        while t < T:  # to the end of the ring, and on from its beginning
            slot = (self.length + t) % self.window
            n = min(T - t, self.window - slot)
            self.k.write(slot, k[:, :, t : t + n])
            self.v.write(slot, v[:, :, t : t + n])
            t += n
        self.length += T
        self.packed = min(self.length, self.window)

    def update(self, k, v):
        if k.shape[2] == 1:
            return super().update(k, v)
        # The first of the new tokens still see what the last of them overwrite.
        seen = self.held()
        self.store(k, v)
        return tuple(
            torch.cat([past, packed.rounded(new)], dim=2)
            for past, packed, new in zip(seen, (self.k, self.v), (k, v), strict=True)
        )

    def claim(self):
        self.length += 1
        self.packed = min(self.length, self.window)
        return (self.length - 1) % self.window

    def held(self):
        k, v = self.k.read(self.packed), self.v.read(self.packed)
        turn = self.length % self.window if self.length > self.window else 0  # the oldest token's place
        return k.roll(-turn, dims=2), v.roll(-turn, dims=2)

    def source(self):
        return super().source()[0], self.length

    @property
    def nbytes(self) -> int:
        return self.k.nbytes(self.packed) + self.v.nbytes(self.packed)
