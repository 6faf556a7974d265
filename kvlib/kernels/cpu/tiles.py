"""The loops over tiles of tokens: scores, a running softmax, and the weighted sum of the values.

Of each tile both products handle four rows at once, so that what is loaded is used several times,
and ask for memory AHEAD of what they read: the processor's own prefetching starts anew at every
change between keys and values, and reading then waits for computing. On an AMD EPYC (Zen 4)
that alone took attention from 60 to 95 % of the speed of a copy (one thread, head_dim 128).
"""

import numpy as np
from numba.extending import overload

from .codes import rescale_channels, rescale_tokens, unpack
from .compiling import exp2, jit
from .lanes import (
    LANES,
    LINE,
    lane,
    larger,
    largest_of_row,
    load,
    multiply_add,
    outer,
    prefetch,
    splat,
    store,
    totals,
)  # fmt: skip
from .memory import Packed, Paged, Plain

TILE = 64  # tokens between two corrections of the running softmax
STEP = LANES // 4  # tokens whose scores with four rows are one vector
AHEAD = 2048  # numbers: less comes too late, more leaves the caches before it is used


# Which tokens, and where they lie. Compiled code takes the function for its kind of memory.


def extra(memory, start):
    """Tokens seen besides those from position `start` on."""
    raise NotImplementedError


@overload(extra)
def _extra(memory, start):
    if memory.instance_class is Plain:
        return lambda memory, start: min(memory.sinks, start)
    return lambda memory, start: 0


def stretch(memory, b, start, at, most):
    """The slot of the at-th token that sequence b sees, and how many follow it in memory, up to most."""
    raise NotImplementedError


@overload(stretch)
def _stretch(memory, b, start, at, most):
    return {Plain: _stretch_plain, Paged: _stretch_paged, Packed: _stretch_packed}[memory.instance_class]


def _stretch_plain(memory, b, start, at, most):
    slots, sinks = memory.k.shape[2], memory.sinks
    before = min(sinks, start)
    t = at if at < before else start + at - before
    if t < sinks:
        return t, min(most, sinks - t)
    slot = sinks + (t - sinks) % (slots - sinks)
    return slot, min(most, slots - slot)


def _stretch_paged(memory, b, start, at, most):
    table, size, t = memory.table[b], memory.size, start + at
    block = t // size
    slot, n, more = table[block] * size + t % size, size - t % size, 1
    while n < most and table[block + more] == table[block] + more:
        n, more = n + size, more + 1  # neighbouring blocks are one stretch of memory
    return slot, min(most, n)


def _stretch_packed(memory, b, start, at, most):
    t = start + at
    if memory.by_channel:
        if t >= memory.packed:
            return t - memory.packed, most
        return t, min(most, memory.packed - t)
    slot = t % memory.k.shape[2]
    return slot, min(most, memory.k.shape[2] - slot)


def walk(rows, memory, b, h, start, at, end, weights, acc, top, total):
    """Take the tokens at … end - 1 of those that sequence b sees in KV head h into acc, top and total."""
    raise NotImplementedError


@overload(walk)
def _walk(rows, memory, b, h, start, at, end, weights, acc, top, total):
    return {Plain: _walk_plain, Paged: _walk_paged, Packed: _walk_packed}[memory.instance_class]


def _walk_plain(rows, memory, b, h, start, at, end, weights, acc, top, total):
    walk_rows(rows, memory, memory.k[b, h], memory.v[b, h], b, start, at, end, weights, acc, top, total)


def _walk_paged(rows, memory, b, h, start, at, end, weights, acc, top, total):
    walk_rows(rows, memory, memory.k[h], memory.v[h], b, start, at, end, weights, acc, top, total)


@jit
def walk_rows(rows, memory, k, v, b, start, at, end, weights, acc, top, total):
    D, W = k.shape[1], rows.shape[1]
    if at >= end:
        return
    ahead = (AHEAD + D - 1) // D
    k_tile = np.zeros((TILE if D < W else 0, W), np.float32)
    v_tile = np.zeros_like(k_tile)
    slot, n = stretch(memory, b, start, at, min(TILE, end - at))
    while at < end:
        at += n
        following, more = slot, n
        if at < end:
            following, more = stretch(memory, b, start, at, min(TILE, end - at))
        if D < W:  # vectors would reach over the rows' ends
            k_tile[:n, :D], v_tile[:n, :D] = k[slot : slot + n], v[slot : slot + n]
            fold(rows, k_tile, v_tile, 0, n, 0, 0, weights, acc, top, total)
        else:
            fold(rows, k, v, slot, n, following, min(ahead, n), weights, acc, top, total)
        slot, n = following, more


def _walk_packed(rows, memory, b, h, start, at, end, weights, acc, top, total):
    bits, group = memory.bits, memory.group
    k, v = np.zeros((TILE, rows.shape[1]), np.float32), np.zeros((TILE, rows.shape[1]), np.float32)
    D = memory.k.shape[3] * 8 // bits
    k_scale, k_zero, v_scale, v_zero = (
        memory.k_scale[b, h], memory.k_zero[b, h], memory.v_scale[b, h], memory.v_zero[b, h]
    )  # fmt: skip
    while at < end:
        slot, n = stretch(memory, b, start, at, min(TILE, end - at))
        if memory.by_channel and start + at >= memory.packed:
            k[:n, :D] = memory.k_residual[b, h, slot : slot + n]
            v[:n, :D] = memory.v_residual[b, h, slot : slot + n]
        else:
            unpack(memory.k[b, h], slot, n, bits, k)
            if memory.by_channel:
                rescale_channels(k_scale, k_zero, slot, n, group, k)
            else:
                rescale_tokens(k_scale, k_zero, slot, n, group, k)
            unpack(memory.v[b, h], slot, n, bits, v)
            rescale_tokens(v_scale, v_zero, slot, n, group, v)
        fold(rows, k, v, 0, n, 0, 0, weights, acc, top, total)
        at += n


@jit
def fold(rows, k, v, first, n, following, ahead, weights, acc, top, total):
    """Take n ≤ TILE more tokens into the running softmax: rows first … of k and v [slots, W].

    following  the row where the next tile begins, asked for up to `ahead` ≤ n tokens before it is read
    """
    scores(rows, k, first, n, following, ahead, weights)
    soften(weights, n, acc, top, total)
    weigh(weights, v, first, n, following, ahead, acc)


@jit
def ask(x, first, n, following, ahead, j):
    """Ask for the row `ahead` of the j-th of a tile's n."""
    if ahead > 0:
        row = first + j + ahead if j + ahead < n else following + j + ahead - n
        for d in range(0, x.shape[1], LINE):
            prefetch(x, row, d)


@jit
def four(x, row, d):
    """Column d … of four rows."""
    return load(x, row, d), load(x, row + 1, d), load(x, row + 2, d), load(x, row + 3, d)


@jit
def none():
    zero = splat(np.float32(0))
    return zero, zero, zero, zero, zero, zero, zero, zero


if LANES == 16:

    @jit
    def step(x, first, j, n, d):
        """Column d … of STEP tokens from the j-th on, the last of n in place of any beyond it."""
        a, b, c = min(j + 1, n - 1), min(j + 2, n - 1), min(j + 3, n - 1)
        return load(x, first + j, d), load(x, first + a, d), load(x, first + b, d), load(x, first + c, d)

    @jit
    def no_sums():
        return none() + none()

else:

    @jit
    def step(x, first, j, n, d):
        """Column d … of STEP tokens from the j-th on, the last of n in place of any beyond it."""
        return load(x, first + j, d), load(x, first + min(j + 1, n - 1), d)

    no_sums = none


@jit
def scores(rows, k, first, n, following, ahead, s):
    """s[g // 4, 4 j + g % 4] = rows[g] · k[first + j]."""
    for j in range(0, n, STEP):
        for i in range(j, min(j + STEP, n)):
            ask(k, first, n, following, ahead, i)
        for g in range(0, len(rows), 4):
            sums = no_sums()
            for d in range(0, rows.shape[1], LANES):
                sums = outer(step(k, first, j, n, d), four(rows, g, d), sums)
            store(s, g // 4, 4 * j, totals(sums))


@jit
def soften(s, n, acc, top, total):
    """Scores to weights 2**(score - top), with top the largest so far; what came before is scaled to it."""
    for f in range(len(s)):
        s[f, 4 * n : (n + STEP - 1) // STEP * LANES] = -np.inf
        was = load(top, f, 0)
        largest = was
        for j in range(0, 4 * n, LANES):
            largest = larger(load(s, f, j), largest)
        largest = largest_of_row(largest)
        added = splat(np.float32(0))
        for j in range(0, 4 * n, LANES):
            weights = exp2(load(s, f, j) - largest)
            store(s, f, j, weights)
            added = added + weights
        before = exp2(was - largest)
        store(top, f, 0, largest)
        store(total, f, 0, multiply_add(load(total, f, 0), before, added))
        for g in range(4):
            if lane(before, g) != 1:
                for d in range(0, acc.shape[1], LANES):
                    store(acc, 4 * f + g, d, load(acc, 4 * f + g, d) * splat(lane(before, g)))


@jit
def weigh(s, v, first, n, following, ahead, acc):
    """acc[g] += sum over j of s[g // 4, 4 j + g % 4] v[first + j].

    The sums of two columns of vectors stay in registers over the whole tile; D may leave one column over.
    """
    W = acc.shape[1]
    for g in range(0, len(acc), 4):
        s_row = s[g // 4]
        for d in range(0, W - LANES, 2 * LANES):
            sums = four(acc, g, d) + four(acc, g, d + LANES)
            for j in range(n):
                if g == 0 and d == 0:
                    ask(v, first, n, following, ahead, j)
                values = load(v, first + j, d), load(v, first + j, d + LANES)
                sums = outer(values, weights_of(s_row, j), sums)
            keep(acc, g, d, sums[:4])
            keep(acc, g, d + LANES, sums[4:])
        if W % (2 * LANES):
            d = W - LANES
            sums = four(acc, g, d)
            for j in range(n):
                if g == 0 and d == 0:
                    ask(v, first, n, following, ahead, j)
                sums = outer((load(v, first + j, d),), weights_of(s_row, j), sums)
            keep(acc, g, d, sums)


@jit
def weights_of(s, j):
    """The weights of the j-th token for four rows."""
    return splat(s[4 * j]), splat(s[4 * j + 1]), splat(s[4 * j + 2]), splat(s[4 * j + 3])


@jit
def keep(x, row, d, columns):
    """Write column d … of four rows."""
    store(x, row, d, columns[0])
    store(x, row + 1, d, columns[1])
    store(x, row + 2, d, columns[2])
    store(x, row + 3, d, columns[3])
