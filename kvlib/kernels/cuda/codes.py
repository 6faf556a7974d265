"""Packed codes in Triton: read to numbers, and made of them. What they mean: `kvlib.cache.codes`.

T tokens at once. W is head_dim D padded to a power of two.
"""

import triton
import triton.language as tl


@triton.jit
def grouped(x, T: tl.constexpr, W: tl.constexpr, GROUP: tl.constexpr, BY_CHANNEL: tl.constexpr):
    """Numbers [T, W] with their groups apart: along axis 1 if by channel, else along axis 2."""
    if BY_CHANNEL:
        near: tl.constexpr = T if T < GROUP else GROUP  # tokens of one group that are here
        return x.reshape(T // near, near, W)
    else:
        return x.reshape(T, W // GROUP, GROUP)


@triton.jit
def scale_of(row, D: tl.constexpr, T: tl.constexpr, W: tl.constexpr, GROUP: tl.constexpr,
             BY_CHANNEL: tl.constexpr):  # fmt: skip
    """Where the scales (and zeros) of the groups of `grouped` lie, and which of those are there.

    row  [T]: where the tokens lie. By channel they are neighbours: whole groups, or part of one.
    """
    if BY_CHANNEL:
        near: tl.constexpr = T if T < GROUP else GROUP
        group, d = tl.min(row, 0) // GROUP + tl.arange(0, T // near), tl.arange(0, W)
        return group[:, None] * D + d[None, :], (d < D)[None, :]
    else:
        group = tl.arange(0, W // GROUP)
        return row[:, None] * (D // GROUP) + group[None, :], (group < D // GROUP)[None, :]


@triton.jit
def load(x, scale, zero, row, D: tl.constexpr, T: tl.constexpr, W: tl.constexpr, BITS: tl.constexpr,
         GROUP: tl.constexpr, BY_CHANNEL: tl.constexpr):  # fmt: skip
    """Keys (or values) [T, W] of the tokens at row [T]. BITS 0: they lie there as they are."""
    if BITS == 0:
        d = tl.arange(0, W)[None, :]
        return tl.load(x + row[:, None] * D + d, mask=d < D, other=0)
    else:
        per_byte: tl.constexpr = 8 // BITS
        i = tl.arange(0, W // per_byte)[None, :]
        codes = tl.load(x + row[:, None] * (D // per_byte) + i, mask=i < D // per_byte, other=0).to(tl.int32)
        if BITS == 4:
            codes = tl.interleave(codes & 15, codes >> 4)
        if BITS == 2:
            even, odd = tl.interleave(codes & 3, codes >> 4 & 3), tl.interleave(codes >> 2 & 3, codes >> 6)
            codes = tl.interleave(even, odd)
        # A GPU converts whole numbers slowly. As the first bits after the point a code makes the float32
        # 1 + code / 2**BITS at once, and scale and zero are made to fit that.
        numbers = (codes << (23 - BITS) | 0x3F800000).to(tl.float32, bitcast=True)
        along: tl.constexpr = 1 if BY_CHANNEL else 2
        at, there = scale_of(row, D, T, W, GROUP, BY_CHANNEL)
        steps = tl.load(scale + at, mask=there, other=0).to(tl.float32) * 2**BITS
        zeros = tl.load(zero + at, mask=there, other=0).to(tl.float32) - steps
        steps, zeros = tl.expand_dims(steps, along), tl.expand_dims(zeros, along)
        return (grouped(numbers, T, W, GROUP, BY_CHANNEL) * steps + zeros).reshape(T, W)


@triton.jit
def save(x, memory, scale, zero, row, T: tl.constexpr, D: tl.constexpr, W: tl.constexpr, BITS: tl.constexpr,
         GROUP: tl.constexpr, BY_CHANNEL: tl.constexpr):  # fmt: skip
    """Put keys (or values) x [T, W] where the tokens at row [T] lie; by channel, whole groups.

    To the last bit what `kvlib.cache.codes.quantize` makes of them.
    """
    if BITS == 0:
        d = tl.arange(0, W)[None, :]
        tl.store(memory + row[:, None] * D + d, x, mask=d < D)
    else:
        per_byte: tl.constexpr = 8 // BITS
        most: tl.constexpr = 2.0**BITS - 1
        along: tl.constexpr = 1 if BY_CHANNEL else 2
        x = grouped(x.to(tl.float32), T, W, GROUP, BY_CHANNEL)
        lost = tl.sum(x * 0, along)  # nan if one of them is, or is infinite: a comparison may lose it
        zeros = (tl.min(x, along) + lost).to(tl.float16)
        high = tl.max(x, along)
        steps = tl.div_rn(high - zeros.to(tl.float32), tl.full(high.shape, most, tl.float32))
        steps = tl.where(steps < 2.0**-14, 2.0**-14, steps).to(tl.float16)
        at, there = scale_of(row, D, T, W, GROUP, BY_CHANNEL)
        tl.store(scale + at, steps, mask=there)
        tl.store(zero + at, zeros, mask=there)
        x = x - tl.expand_dims(zeros.to(tl.float32), along)
        x = tl.div_rn(x, tl.broadcast_to(tl.expand_dims(steps.to(tl.float32), along), x.shape))
        # At 1.5 × 2**23 float32 holds no fractions: a sum is rounded there, of two as near to the even one.
        x = (tl.minimum(tl.maximum(x, 0.0), most) + 12582912.0) - 12582912.0
        codes = x.to(tl.int32).reshape(T, W // per_byte, per_byte)
        packed = tl.sum(codes << (tl.arange(0, per_byte) * BITS)[None, None, :], 2)
        i = tl.arange(0, W // per_byte)[None, :]
        tl.store(memory + row[:, None] * (D // per_byte) + i, packed.to(tl.uint8), mask=i < D // per_byte)
