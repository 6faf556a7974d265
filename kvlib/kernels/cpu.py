"""One new token's attention on a CPU, read where the keys and values lie.

PyTorch's products for so few query rows reach about half the speed of memory, and blocks or packed
codes must first be gathered or unpacked for them. These loops, which Numba compiles, read every
byte once, in place. They keep a running softmax, tile by tile (FlashAttention, arXiv 2205.14135);
a long sequence is split among threads and merged (flash-decoding). All sums are float32.

Letters as everywhere: G query heads share a KV head, and are padded to a multiple of four rows.
All in one file, for Numba keeps what it compiled until the file of the function changes, whatever
becomes of those that it calls.
"""

import math
from functools import cache

import numpy as np
from numba import njit, prange, set_num_threads, typeof
from numba.core import config
from numba.extending import overload

from .memory import Packed, Paged, Plain

TILE = 64  # tokens between two corrections of the running softmax
ALONE = 2**18  # bytes below which waking a second thread costs more than it saves

# Sums may be reordered, which is what lets them be vectorised; nan and inf stay what they are.
FLAGS = dict(fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy", cache=True)
jit = njit(**FLAGS)
# Said, not left out: a function compiled for the sake of another would take over the other's.
exact = njit(**FLAGS | dict(fastmath=False))


def attend(q, source, n_kv_heads, start, stop, threads=1):
    """What one new token of each sequence reads.

    q            [B, H, D], float32
    source       Plain, Paged or Packed memory
    start, stop  [B], int64: sequence b sees its tokens start[b] … stop[b] - 1, at least one
    Returns [B, H, D].
    """
    parts = _parts(len(q) * n_kv_heads, q.shape[2], start, stop, threads)
    if parts == 0:
        return _attend(q, source, n_kv_heads, start, stop, 1)
    return _attend_parallel(q, source, n_kv_heads, start, stop, parts)


def attend_token(qkv, heads, cos, sin, source, slots, start, stop, threads=1):
    """One new token of each sequence: turn it to its position, store it, and read what it sees.

    qkv       [B, (H + 2 H_kv) × D]: queries, keys and values as one projection gives them
    heads     H, H_kv
    cos, sin  [1 or B, D], as `kvlib.decoder.rotary_tables` makes them
    source    memory, not Packed by_channel; the token of sequence b goes to slots[b]
    Returns [B, H × D]. For start, stop see `attend`.
    """
    parts = _parts(len(qkv) * heads[1], cos.shape[1], start, stop, threads)
    if parts == 0:
        return _attend_token(qkv, heads, cos, sin, source, slots, start, stop)
    q = place(qkv, heads, cos, sin, source, slots)
    return _attend_parallel(q, source, heads[1], start, stop, parts).reshape(len(q), -1)


def prepare(source, direct, threads=1):
    """Compile now what a token read from such memory will need, so that no step waits for it.

    direct  whether `attend_token` will be called, and not `attend`
    """
    row, index = np.zeros((1, 1), np.float32), np.zeros(1, np.int64)
    q = np.zeros((1, 1, 1), np.float32)
    token, read = (row, (1, 1), row, row, source, index), (q, source, 1, index, index, 1)
    needed = [(_attend_token, (*token, index, index))] if direct else [(_attend, read)]
    if threads > 1 and _wakes_quickly():
        needed.append((_attend_parallel, read))
        needed += [(place, token)] if direct else []
    for function, arguments in needed:
        function.compile(tuple(map(typeof, arguments)))


def _parts(pairs, D, start, stop, threads):
    """Into how many parts each sequence and KV head is split for these threads; 0 means to use just one."""
    if threads == 1:
        return 0
    tokens = max((stop - start).tolist())
    if 8 * pairs * tokens * D < ALONE or not _wakes_quickly():
        return 0
    set_num_threads(min(threads, config.NUMBA_NUM_THREADS))
    # Enough pieces that no thread waits for another's.
    return 1 if pairs % threads == 0 else min(threads, -(-tokens // TILE))


@cache
def _wakes_quickly():
    """Without OpenMP, Numba's threads sleep between calls, and wake too slowly to be of use here."""
    try:
        from numba.np.ufunc import omppool  # noqa: F401
    except ImportError:
        return False
    return True


# The same twice, for Numba's cache tells functions apart by their names and not by how they are compiled.


@jit
def _attend(q, source, n_kv_heads, start, stop, parts):
    acc, top, total = state(q, n_kv_heads, parts)
    for task in range(len(top)):
        run(task, q, source, n_kv_heads, start, stop, parts, acc[task], top[task], total[task])
    return merge(q, n_kv_heads, parts, acc, top, total)


@jit
def _attend_token(qkv, heads, cos, sin, source, slots, start, stop):
    q = place(qkv, heads, cos, sin, source, slots)
    return _attend(q, source, heads[1], start, stop, 1).reshape(len(q), -1)


@njit(parallel=True, **FLAGS)
def _attend_parallel(q, source, n_kv_heads, start, stop, parts):
    acc, top, total = state(q, n_kv_heads, parts)
    for task in prange(len(top)):
        run(task, q, source, n_kv_heads, start, stop, parts, acc[task], top[task], total[task])
    return merge(q, n_kv_heads, parts, acc, top, total)


@jit
def state(q, n_kv_heads, parts):
    """For each task (a sequence, a KV head, a part): sum of values, largest score, sum of weights."""
    B, H, D = q.shape
    tasks, rows = B * n_kv_heads * parts, (H // n_kv_heads + 3) // 4 * 4
    top = np.full((tasks, rows), np.float32(-np.inf))
    return np.zeros((tasks, rows, D), np.float32), top, np.zeros((tasks, rows), np.float32)


@jit
def run(task, q, source, n_kv_heads, start, stop, parts, acc, top, total):
    """One task: a part of one sequence's tokens, read by the G query heads of one KV head."""
    b, h, part = task // (n_kv_heads * parts), task // parts % n_kv_heads, task % parts
    G, D = q.shape[1] // n_kv_heads, q.shape[2]
    rows = np.zeros(acc.shape, np.float32)
    for g in range(G):
        for d in range(D):
            rows[g, d] = q[b, h * G + g, d] * np.float32(1 / math.sqrt(D))
    tiles = (stop[b] - start[b] + TILE - 1) // TILE
    first = start[b] + tiles * part // parts * TILE
    last = min(start[b] + tiles * (part + 1) // parts * TILE, stop[b])
    walk(rows, source, b, h, first, last, np.zeros((len(acc), TILE), np.float32), acc, top, total)


@jit
def merge(q, n_kv_heads, parts, acc, top, total):
    """The parts of each head as one: each weighs by its sum of weights, from one largest score."""
    B, H, D = q.shape
    G = H // n_kv_heads
    out = np.zeros((B, H, D), np.float32)
    for b in range(B):
        for head in range(H):
            task, g = (b * n_kv_heads + head // G) * parts, head % G
            largest = np.float32(-np.inf)
            for part in range(parts):
                largest = max(largest, top[task + part, g])
            weights = np.float32(0)
            for part in range(parts):
                weights += total[task + part, g] * math.exp(top[task + part, g] - largest)
            for part in range(parts):
                share = math.exp(top[task + part, g] - largest) / weights
                for d in range(D):
                    out[b, head, d] += acc[task + part, g, d] * share
    return out


@jit
def place(qkv, heads, cos, sin, source, slots):
    """Store each sequence's keys, turned to its position, and values; return its turned queries [B, H, D]."""
    n_heads, n_kv_heads = heads
    B, D = len(qkv), cos.shape[1]
    q, k = np.empty((B, n_heads, D), np.float32), np.empty(D, np.float32)
    for b in range(B):
        at = b if len(cos) > 1 else 0
        x = qkv[b].reshape(-1, D)
        for h in range(n_heads):
            rotate(x[h], cos[at], sin[at], q[b, h])
        for h in range(n_kv_heads):
            rotate(x[n_heads + h], cos[at], sin[at], k)
            put(source, b, h, slots[b], k, x[n_heads + n_kv_heads + h])
    return q


@jit
def rotate(x, cos, sin, out):
    """`kvlib.decoder.rotate` for one head, x and out [D]."""
    half = len(x) // 2
    for i in range(half):
        out[i] = x[i] * cos[i] + x[half + i] * sin[i]
        out[half + i] = x[half + i] * cos[half + i] + x[i] * sin[half + i]


def put(source, b, h, slot, k, v):
    """Write key and value [D] of sequence b and KV head h to a slot."""
    raise NotImplementedError  # compiled code takes the one for its source


@overload(put)
def _put(source, b, h, slot, k, v):
    return {Plain: _put_plain, Paged: _put_paged, Packed: _put_packed}[source.instance_class]


def _put_plain(source, b, h, slot, k, v):
    source.k[b, h, slot, :], source.v[b, h, slot, :] = k, v


def _put_paged(source, b, h, slot, k, v):
    source.k[h, slot, :], source.v[h, slot, :] = k, v


def _put_packed(source, b, h, slot, k, v):
    bits, group = source.bits, source.group
    quantize(k, bits, group, source.k[b, h, slot], source.k_scale[b, h, slot], source.k_zero[b, h, slot])
    quantize(v, bits, group, source.v[b, h, slot], source.v_scale[b, h, slot], source.v_zero[b, h, slot])


@jit
def rms_norm(x, weight, eps):
    """x [B, hidden] over its root mean square, times weight [hidden]: one pass where PyTorch takes six."""
    out = np.empty_like(x)
    for b in range(len(x)):
        squares = np.float32(0)
        for i in range(x.shape[1]):
            squares += x[b, i] * x[b, i]
        scale = np.float32(1 / math.sqrt(squares / x.shape[1] + eps))
        for i in range(x.shape[1]):
            out[b, i] = x[b, i] * scale * weight[i]
    return out


def walk(rows, source, b, h, at, end, weights, acc, top, total):
    """Fold the tokens at … end - 1 of sequence b and KV head h into acc, top and total, tile by tile."""
    raise NotImplementedError  # compiled code takes the one for its source


@overload(walk)
def _walk(rows, source, b, h, at, end, weights, acc, top, total):
    return {Plain: _walk_plain, Paged: _walk_paged, Packed: _walk_packed}[source.instance_class]


def _walk_plain(rows, source, b, h, at, end, weights, acc, top, total):
    k, v = source.k[b, h], source.v[b, h]
    while at < end:
        n = min(TILE, end - at)
        fold(rows, k, v, at, n, weights, acc, top, total)
        at += n


def _walk_paged(rows, source, b, h, at, end, weights, acc, top, total):
    k, v, table, size = source.k[h], source.v[h], source.table[b], source.size
    while at < end:
        block = at // size
        slot, n, more = table[block] * size + at % size, size - at % size, 1
        while n < TILE and at + n < end and table[block + more] == table[block] + more:
            n, more = n + size, more + 1  # neighbouring blocks are one stretch of memory
        n = min(n, TILE, end - at)
        fold(rows, k, v, slot, n, weights, acc, top, total)
        at += n


def _walk_packed(rows, source, b, h, at, end, weights, acc, top, total):
    D, packed, bits, group = rows.shape[1], source.packed, source.bits, source.group
    k, v = np.empty((TILE, D), np.float32), np.empty((TILE, D), np.float32)
    k_scale, k_zero, v_scale, v_zero = (
        source.k_scale[b, h], source.k_zero[b, h], source.v_scale[b, h], source.v_zero[b, h]
    )  # fmt: skip
    while at < end:
        if at < packed:
            n = min(TILE, end - at, packed - at)
            unpack(source.k[b, h], at, n, bits, k)
            if source.by_channel:
                rescale_channels(k_scale, k_zero, at, n, group, k)
            else:
                rescale_tokens(k_scale, k_zero, at, n, group, k)
            unpack(source.v[b, h], at, n, bits, v)
            rescale_tokens(v_scale, v_zero, at, n, group, v)
            fold(rows, k, v, 0, n, weights, acc, top, total)
        else:
            n = min(TILE, end - at)
            k_waiting, v_waiting = source.k_waiting[b, h], source.v_waiting[b, h]
            fold(rows, k_waiting, v_waiting, at - packed, n, weights, acc, top, total)
        at += n


@jit
def fold(rows, k, v, first, n, weights, acc, top, total):
    """Take n ≤ TILE more tokens into the running softmax: rows first … of k and v [slots, D]."""
    scores(rows, k, first, n, weights)
    soften(weights, n, acc, top, total)
    weigh(weights, v, first, n, acc)


# Both products handle two tokens and four rows at once, so that what is loaded is used several times.


@jit
def scores(rows, k, first, n, s):
    """s[g, j] = rows[g] · k[first + j]."""
    for g in range(0, len(rows), 4):
        q0, q1, q2, q3 = rows[g], rows[g + 1], rows[g + 2], rows[g + 3]
        for j in range(0, n, 2):
            x, y = k[first + j], k[first + (j + 1 if j + 1 < n else j)]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
            for d in range(rows.shape[1]):
                a0 += q0[d] * x[d]
                a1 += q1[d] * x[d]
                a2 += q2[d] * x[d]
                a3 += q3[d] * x[d]
                b0 += q0[d] * y[d]
                b1 += q1[d] * y[d]
                b2 += q2[d] * y[d]
                b3 += q3[d] * y[d]
            s[g, j], s[g + 1, j], s[g + 2, j], s[g + 3, j] = a0, a1, a2, a3
            s[g, j + 1], s[g + 1, j + 1], s[g + 2, j + 1], s[g + 3, j + 1] = b0, b1, b2, b3


@jit
def soften(s, n, acc, top, total):
    """Scores to weights exp(score - top), with top the largest so far; what came before is scaled to it."""
    for g in range(len(s)):
        largest = top[g]
        for j in range(n):
            largest = max(largest, s[g, j])
        before = np.float32(math.exp(top[g] - largest))
        added = np.float32(0)
        for j in range(n):
            s[g, j] = exp(s[g, j] - largest)
            added += s[g, j]
        if n % 2:
            s[g, n] = 0  # `weigh` takes two at a time
        top[g], total[g] = largest, total[g] * before + added
        if before != 1:
            for d in range(acc.shape[1]):
                acc[g, d] *= before


@jit
def exp(x):
    """e to the x for x ≤ 0, within 2e-7: 2**n e**z with |z| ≤ ln 2 / 2, which the compiler can vectorise."""
    if x < np.float32(-87):  # the least normal number; nan stays nan
        x = np.float32(-87)
    x *= np.float32(1.4426950408889634)
    n = math.floor(x + np.float32(0.5))
    z = (x - n) * np.float32(0.6931471805599453)
    y = np.float32(1) + z * np.float32(1 / 7)
    for i in (6, 5, 4, 3, 2, 1):
        y = np.float32(1) + z * np.float32(1 / i) * y
    return y * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@jit
def weigh(s, v, first, n, acc):
    """acc[g] += sum over j of s[g, j] v[first + j]."""
    for g in range(0, len(s), 4):
        a, b, c, e = acc[g], acc[g + 1], acc[g + 2], acc[g + 3]
        for j in range(0, n, 2):
            x, y = v[first + j], v[first + (j + 1 if j + 1 < n else j)]
            p0, p1, p2, p3 = s[g, j], s[g + 1, j], s[g + 2, j], s[g + 3, j]
            r0, r1, r2, r3 = s[g, j + 1], s[g + 1, j + 1], s[g + 2, j + 1], s[g + 3, j + 1]
            for d in range(acc.shape[1]):
                a[d] += p0 * x[d] + r0 * y[d]
                b[d] += p1 * x[d] + r1 * y[d]
                c[d] += p2 * x[d] + r2 * y[d]
                e[d] += p3 * x[d] + r3 * y[d]


# Packed codes. Numba knows no float16, so scales and zeros come as their bits.


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
        for d in range(len(row)):
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
