"""Packed codes in compiled loops: read to numbers, and made of them. What they mean: `kvlib.cache.quantized`.

Numba knows no float16, so scales and zeros come as their bits.
"""

import numpy as np

from .compiling import exact, jit


@jit
def unpack(codes, first, n, bits, out):
    """The codes of n tokens as numbers; the first code of a byte is in its lowest bits."""
    for j in range(n):
        packed, row = codes[first + j], out[j]
        if bits == 8:
            for i in range(len(packed)):
                row[i] = packed[i]
        elif bits == 4:
            for i in range(len(packed)):
                row[2 * i] = packed[i] & 15
                row[2 * i + 1] = packed[i] >> 4
        else:
            for i in range(len(packed)):
                row[4 * i] = packed[i] & 3
                row[4 * i + 1] = packed[i] >> 2 & 3
                row[4 * i + 2] = packed[i] >> 4 & 3
                row[4 * i + 3] = packed[i] >> 6


@jit
def half(bits):
    """The number that a float16's bits stand for: shifted into a float32, whose exponent starts 112 lower."""
    x = np.uint32(bits)
    shifted = np.uint32((x & 0x8000) << 16 | (x & 0x7FFF) << 13)
    if x & 0x7C00 == 0x7C00:
        return np.uint32(shifted | 0x7F800000).view(np.float32)  # infinite, or no number
    return shifted.view(np.float32) * np.float32(2.0**112)


@jit
def rescale_tokens(scale, zero, first, n, group, out):
    """Codes × scale + zero, where a group lies within a token."""
    for j in range(n):
        for g in range(scale.shape[1]):
            a, b = half(scale[first + j, g]), half(zero[first + j, g])
            part = out[j, g * group : (g + 1) * group]
            for i in range(group):
                part[i] = part[i] * a + b


@jit
def rescale_channels(scale, zero, first, n, group, out):
    """Codes × scale + zero, where a group is one channel over `group` tokens."""
    for j in range(n):
        a, b, row = scale[(first + j) // group], zero[(first + j) // group], out[j]
        for d in range(len(a)):
            row[d] = row[d] * half(a[d]) + half(b[d])


@exact
def quantize(x, bits, group, packed, scale, zero):
    """Codes, and the float16 bits of scale and zero, of x [D] in groups of neighbours.

    To the last bit what `kvlib.cache.quantized.quantize` makes.
    """
    most, per_byte = np.float32(2**bits - 1), 8 // bits
    for g in range(len(scale)):
        part, total = x[g * group : (g + 1) * group], np.float32(0)
        low = high = part[0]
        for y in part:
            low, high, total = min(low, y), max(high, y), total + y
        if np.isnan(total):
            low = high = total  # a comparison would lose it
        zero[g] = to_half(low)
        least = half(zero[g])
        step = (high - least) / most
        scale[g] = to_half(np.float32(2.0**-14) if step < np.float32(2.0**-14) else step)
        step = half(scale[g])
        for i in range(group // per_byte):
            byte = 0
            for n in range(per_byte):
                code = round_even((part[i * per_byte + n] - least) / step)
                byte |= np.int64(min(max(code, np.float32(0)), most)) << (n * bits)
            packed[g * (group // per_byte) + i] = byte


@exact
def round_even(x):
    """The nearest whole number, of two the even one, for |x| < 2**22: float32 holds no fractions at 2**23."""
    return (x + np.float32(1.5 * 2**23)) - np.float32(1.5 * 2**23)


@exact
def to_half(x):
    """The bits of the float16 nearest to a float32."""
    bits = np.float32(x).view(np.uint32)
    sign, size = (bits >> 16) & 0x8000, bits & 0x7FFFFFFF
    if size > 0x7F800000:
        return np.uint16(sign | 0x7E00)  # nan
    if size >= 0x477FF000:
        return np.uint16(sign | 0x7C00)  # rounds to infinity
    if size < 0x38800000:  # below float16's least normal number, steps of 2**-24
        return np.uint16(sign | np.int64(round_even(abs(x) * np.float32(2.0**24))))
    return np.uint16(sign | (((size + 0xFFF + ((size >> 13) & 1)) >> 13) - (112 << 10)))
