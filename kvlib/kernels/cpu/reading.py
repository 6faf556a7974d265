"""One new token's attention on a CPU, read where the keys and values lie.

PyTorch's products for so few query rows reach about half the speed of memory, and blocks or packed
codes must first be gathered or unpacked for them. These loops, which Numba compiles, read every
byte once, in place. They keep a running softmax, tile by tile (FlashAttention, arXiv 2205.14135);
a long sequence is split among threads and merged (flash-decoding). All sums are float32.

Letters as everywhere; besides, the G query heads that share a KV head are padded to R rows, a
multiple of four, and D to W, a multiple of LANES. Scores are in powers of two, not of e.
"""

import math
from functools import cache

import numpy as np
from numba import njit, prange, set_num_threads, typeof
from numba.core import config

from .compiling import FLAGS, jit, sources
from .lanes import LANES
from .storing import place, store_tokens
from .tiles import TILE, extra, walk

ALONE = 2**18  # bytes below which waking a second thread costs more than it saves


def attend(q, memory, n_kv_heads, start, stop, threads=1):
    """What one new token of each sequence reads.

    q            [B, H, D], float32
    memory       Plain, Paged or Packed
    start, stop  [B], int64: sequence b sees its tokens at positions start[b] … stop[b] - 1, at least
                 one, and the first `sinks` of Plain memory, none twice
    Returns [B, H, D].
    """
    parts = _parts(len(q) * n_kv_heads, q.shape[2], start, stop, threads)
    if parts == 0:
        return _attend(q, memory, n_kv_heads, start, stop, 1)
    return _attend_parallel(q, memory, n_kv_heads, start, stop, parts)


def attend_token(qkv, heads, cos, sin, memory, start, stop, threads=1):
    """One new token of each sequence, at position stop[b] - 1: rotated, stored, and what it reads.

    qkv       [B, (H + 2 H_kv) × D], float32: queries, keys and values as one projection gives them
    heads     H, H_kv
    cos, sin  [1 or B, D], as `kvlib.decoder.rotary_tables` makes them
    memory    Plain, Paged or Packed, not by_channel
    Returns [B, H × D]. For start, stop see `attend`; to store without reading, `place`.
    """
    parts = _parts(len(qkv) * heads[1], cos.shape[1], start, stop, threads)
    if parts == 0:
        return _attend_token(qkv, heads, cos, sin, memory, start, stop)
    q = place(qkv, heads, cos, sin, memory, stop - 1)
    return _attend_parallel(q, memory, heads[1], start, stop, parts).reshape(len(q), -1)


def prepare(memory, direct, threads=1):
    """Compile now what a token read from such memory will need, so that no step waits for it.

    direct  whether `attend_token` will be called, and not `attend`
    """
    row, index = np.zeros((1, 1), np.float32), np.zeros(1, np.int64)
    q = np.zeros((1, 1, 1), np.float32)
    token, read = (row, (1, 1), row, row, memory), (q, memory, 1, index, index, 1)
    needed = [(_attend_token, (*token, index, index))] if direct else [(_attend, read)]
    if threads > 1 and _wakes_quickly():
        needed.append((_attend_parallel, read))
        needed += [(place, (*token, index))] if direct else []
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


@jit
def state(q, n_kv_heads, parts):
    """For each task (a sequence, a KV head, a part): sums of values, largest scores, sums of weights.

    Of a vector of the last two, lanes i, i + 4, … belong to row i of four.
    """
    B, H, D = q.shape
    tasks, fours = B * n_kv_heads * parts, (H // n_kv_heads + 3) // 4
    acc = np.zeros((tasks, 4 * fours, (D + LANES - 1) // LANES * LANES), np.float32)
    top = np.full((tasks, fours, LANES), np.float32(-np.inf))
    return acc, top, np.zeros((tasks, fours, LANES), np.float32)


@jit
def run(task, q, memory, n_kv_heads, start, stop, parts, acc, top, total):
    """One task: a part of one sequence's tokens, read by the G query heads of one KV head."""
    b, h, part = task // (n_kv_heads * parts), task // parts % n_kv_heads, task % parts
    G, D = q.shape[1] // n_kv_heads, q.shape[2]
    scale = np.float32(1 / (math.sqrt(D) * math.log(2)))
    rows = np.zeros(acc.shape, np.float32)
    for g in range(G):
        for d in range(D):
            rows[g, d] = q[b, h * G + g, d] * scale
    seen = stop[b] - start[b] + extra(memory, start[b])
    tiles = (seen + TILE - 1) // TILE
    at, end = tiles * part // parts * TILE, min(tiles * (part + 1) // parts * TILE, seen)
    weights = np.empty((len(top), 4 * TILE), np.float32)
    walk(rows, memory, b, h, start[b], at, end, weights, acc, top, total)


@jit
def merge(q, n_kv_heads, parts, acc, top, total):
    """The parts of each head as one: each weighs by its sum of weights, from one largest score."""
    B, H, D = q.shape
    G = H // n_kv_heads
    out = np.zeros((B, H, D), np.float32)
    share = np.empty(parts, np.float32)
    for b in range(B):
        for head in range(H):
            task, g = (b * n_kv_heads + head // G) * parts, head % G
            largest, weights = np.float32(-np.inf), np.float32(0)
            for part in range(parts):
                largest = max(largest, top[task + part, g // 4, g % 4])
            for part in range(parts):
                share[part] = np.exp2(top[task + part, g // 4, g % 4] - largest)
                for i in range(g % 4, LANES, 4):
                    weights += total[task + part, g // 4, i] * share[part]
            for part in range(parts):
                for d in range(D):
                    out[b, head, d] += acc[task + part, g, d] * (share[part] / weights)
    return out


@jit
def one_by_one(q, memory, n_kv_heads, start, stop, parts):
    """Every task in turn, and what they read together."""
    acc, top, total = state(q, n_kv_heads, parts)
    for task in range(len(top)):
        run(task, q, memory, n_kv_heads, start, stop, parts, acc[task], top[task], total[task])
    return merge(q, n_kv_heads, parts, acc, top, total)


def _entries(sources):
    """The entry points, whose compiled code is kept on disk.

    None encloses another: a compiled function has another name in every process, and what encloses it
    would never be found again.
    """

    @njit(cache=True, **FLAGS)
    def attend_here(q, memory, n_kv_heads, start, stop, parts):
        assert sources >= 0
        return one_by_one(q, memory, n_kv_heads, start, stop, parts)

    @njit(cache=True, **FLAGS)
    def attend_token_here(qkv, heads, cos, sin, memory, start, stop):
        assert sources >= 0
        q = store_tokens(qkv, heads, cos, sin, memory, stop - 1)
        return one_by_one(q, memory, heads[1], start, stop, 1).reshape(len(q), -1)

    @njit(cache=True, parallel=True, **FLAGS)
    def attend_parallel(q, memory, n_kv_heads, start, stop, parts):
        assert sources >= 0
        acc, top, total = state(q, n_kv_heads, parts)
        for task in prange(len(top)):
            run(task, q, memory, n_kv_heads, start, stop, parts, acc[task], top[task], total[task])
        return merge(q, n_kv_heads, parts, acc, top, total)

    return attend_here, attend_token_here, attend_parallel


_attend, _attend_token, _attend_parallel = _entries(sources())
