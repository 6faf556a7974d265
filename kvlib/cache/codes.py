"""Numbers as 8, 4 or 2 bit codes, with a scale and a zero point for each group of them.

Codes are packed into real bytes, 8 / bits to a byte; scale and zero are float16. A group
of n numbers takes n × bits / 8 + 4 bytes, which is what `kvlib.units.dtype("int4-g32")` says.
"""

import torch

from .base import zeros

BITS = {"int8": 8, "int4": 4, "int2": 2}

# The least step: float16's least normal number, so that a group of equal numbers divides by something.
LEAST_STEP = 2.0**-14


def quantize(x, bits, dim):
    """Codes (uint8, one for each number), scale and zero (float16) of groups that lie along `dim`.

    x ≈ codes × scale + zero, off by half a step and what rounding to float16 moves its two ends.
    """
    low, high = x.float().aminmax(dim=dim, keepdim=True)
    zero = low.half()
    scale = ((high - zero.float()) / (2**bits - 1)).clamp(min=LEAST_STEP).half()
    codes = ((x.float() - zero.float()) / scale.float()).round_().clamp_(0, 2**bits - 1)
    return codes.to(torch.uint8), scale, zero


def dequantize(codes, scale, zero, dtype=torch.float32):
    """The numbers that codes, scale and zero stand for, in `dtype`."""
    return torch.addcmul(zero.to(dtype), codes.to(dtype), scale.to(dtype))


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


class Codes:
    """Keys (or values) [B, H_kv, slots, D] kept as packed codes with scales and zeros.

    by_channel=False  a group is `group` neighbouring numbers of one token
    by_channel=True   a group is one channel over `group` neighbouring tokens
    """

    def __init__(self, batch, n_kv_heads, slots, head_dim, *, bits, group, by_channel, dtype, device):
        self.bits, self.group, self.by_channel, self.dtype = bits, group, by_channel, dtype
        shape = batch, n_kv_heads, slots
        scales = (*shape[:2], slots // group, head_dim) if by_channel else (*shape, head_dim // group)
        self.codes = zeros(*shape, head_dim * bits // 8, dtype=torch.uint8, device=device)
        self.scale, self.zero = (zeros(*scales, dtype=torch.float16, device=device) for _ in range(2))

    def write(self, slots, x) -> None:
        """Pack x [B, H_kv, T, D] into slots [T]; if by_channel, whole groups of neighbouring tokens."""
        codes, scale, zero = self._quantize(x)
        self.codes.index_copy_(2, slots, pack(codes.view(x.shape), self.bits))
        places = slots[:: self.group] // self.group if self.by_channel else slots
        for memory, new in ((self.scale, scale), (self.zero, zero)):
            memory.index_copy_(2, places, new.squeeze(self._dim))

    def read(self, end):
        """The first `end` slots, dequantized: [B, H_kv, end, D]."""
        groups = end // self.group if self.by_channel else end
        codes = unpack(self.codes[:, :, :end], self.bits)
        scale, zero = (x[:, :, :groups].unsqueeze(self._dim) for x in (self.scale, self.zero))
        return dequantize(self._grouped(codes), scale, zero, self.dtype).view(codes.shape)

    def rounded(self, x):
        """x [B, H_kv, T, D] as it will be read once it is written."""
        codes, scale, zero = self._quantize(x)
        return dequantize(codes, scale, zero, self.dtype).view(x.shape)

    def nbytes(self, end) -> int:
        """Bytes of the first `end` slots: codes, scales and zeros."""
        groups = end // self.group if self.by_channel else end
        return self.codes[:, :, :end].nbytes + 2 * self.scale[:, :, :groups].nbytes

    @property
    def _dim(self):  # along which a group lies, in `_grouped`
        return 3 if self.by_channel else 4

    def _grouped(self, x):  # [B, H_kv, groups, group, D] or [B, H_kv, T, groups, group]
        return x.unflatten(self._dim - 1, (-1, self.group))

    def _quantize(self, x):
        return quantize(self._grouped(x), self.bits, self._dim)
