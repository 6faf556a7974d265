"""Attention of one new token a sequence in Triton, read where the keys and values lie.

decode  a program for each sequence, KV head and part of the context: the G query heads that share the
        KV head read that part once and keep a running softmax (FlashAttention, arXiv 2205.14135)
merge   the parts of each head as one (flash-decoding)

Letters as everywhere; W is D padded to a power of two, R the query heads that a program serves, T the
tokens that it reads at a time.
"""

import triton
import triton.language as tl

from .codes import load

# Whole numbers that must not be compiled in, or each batch and capacity would compile anew.
CHANGING = [
    "slots", "sinks", "width", "size", "n_heads", "n_kv_heads", "turns", "parts", "hidden", "ffn"
]  # fmt: skip


@triton.jit
def slot_of(position, b, table, slots, sinks, width, size, PAGED: tl.constexpr):
    """In which slot the token at a position of sequence b lies: by its block table, or behind the sinks.

    `kvlib.attention.ContiguousView` and `kvlib.cache.paged.PagedView` say how.
    """
    if PAGED:
        return tl.load(table + b * width + position // size).to(tl.int32) * size + position % size
    else:
        return tl.where(position < sinks, position, sinks + (position - sinks) % (slots - sinks))


@triton.jit
def product(a, b, DOT: tl.constexpr):
    """a [R, W] by b [T, W], summed over W: [R, T]. DOT: the type of the matrix instructions, or None."""
    if DOT is None:
        return tl.sum(a[:, None, :].to(tl.float32) * b[None, :, :].to(tl.float32), 2)
    else:
        return tl.dot(a.to(DOT), tl.trans(b.to(DOT)), input_precision="ieee")


@triton.jit
def absorb(q, k, v, seen, scale, top, total, acc, DOT: tl.constexpr):
    """A running softmax of queries q [R, W], with some more keys and values [T, W], of which `seen` count.

    top, total  [R]: the largest score so far, in powers of two, and the sum of weights from it
    acc         [R, W]: the sum of values by those weights
    """
    scores = tl.where(seen[None, :], product(q, k, DOT) * scale, float("-inf"))
    larger = tl.maximum(top, tl.max(scores, 1), propagate_nan=tl.PropagateNan.ALL)
    base = tl.where(larger == float("-inf"), 0.0, larger)  # where nothing was seen yet
    shrink, weights = tl.exp2(top - base), tl.exp2(scores - base[:, None])
    if DOT is None:
        more = tl.sum(weights[:, :, None] * v[None, :, :].to(tl.float32), 1)
    else:
        more = tl.dot(weights.to(DOT), v.to(DOT), input_precision="ieee")
    return larger, total * shrink + tl.sum(weights, 1), acc * shrink[:, None] + more


@triton.jit(do_not_specialize=CHANGING)
def decode(q, first, last, table, k, v, k_scale, k_zero, v_scale, v_zero, k_waiting, v_waiting,
           tops, totals, accs, slots, sinks, width, size, n_kv_heads,
           G: tl.constexpr, D: tl.constexpr, W: tl.constexpr, R: tl.constexpr, T: tl.constexpr,
           DOT: tl.constexpr, PAGED: tl.constexpr, BITS: tl.constexpr, GROUP: tl.constexpr,
           BY_CHANNEL: tl.constexpr):  # fmt: skip
    """What the new tokens read, in parts: tops, totals [B × H, parts] and accs [B × H, parts, D], float32.

    q            [B, H, D]
    first, last  [B]: as a `View` has them
    table        [B, width], of blocks of `size` tokens, if PAGED
    k … v_zero   the memory of a view; scales and zeros if BITS
    k_waiting    [B, H_kv, GROUP, D], and v_waiting, if BY_CHANNEL
    Grid: B × H_kv, parts, blocks of R of the G query heads.
    """
    pair, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    b = pair // n_kv_heads
    # Positions in 32 bits: a GPU divides 64 by a long routine. Addresses are in 64.
    start, stop = tl.load(first + b).to(tl.int32), tl.load(last + b).to(tl.int32)
    g, d = tl.program_id(2) * R + tl.arange(0, R), tl.arange(0, W)
    head, there = pair * G + g, (g < G)[:, None] & (d < D)[None, :]
    queries = tl.load(q + head[:, None] * D + d[None, :], mask=there, other=0)
    scale = 1.4426950408889634 / tl.sqrt(tl.full([], D, tl.float32))
    top, total = tl.full([R], float("-inf"), tl.float32), tl.zeros([R], tl.float32)
    acc = tl.zeros([R, W], tl.float32)

    # The i-th token to read is a sink, or one from `start` on. By channel a tile begins with a group, so
    # reading begins there, and what comes before `start` is not seen.
    extra = tl.minimum(sinks, start)
    aligned: tl.constexpr = T if T > GROUP else GROUP
    before = start % aligned if BY_CHANNEL else start * 0
    end = stop // GROUP * GROUP if BY_CHANNEL else stop  # what lies in k and v; the rest is waiting
    count = end - start + extra + before
    tiles = tl.cdiv(tl.maximum(count, 0), T)
    each = tl.cdiv(tiles, parts)
    memory = (pair % n_kv_heads if PAGED else pair).to(tl.int64) * slots
    for tile in range(part * each, tl.minimum((part + 1) * each, tiles)):
        i = tile * T + tl.arange(0, T)
        position = tl.where(i < extra, i, start - extra - before + i)
        position = tl.minimum(position, end - 1)  # behind the end, the last token again: it is not seen
        row = memory + slot_of(position, b, table, slots, sinks, width, size, PAGED)
        keys = load(k, k_scale, k_zero, row, D, T, W, BITS, GROUP, BY_CHANNEL)
        values = load(v, v_scale, v_zero, row, D, T, W, BITS, GROUP, False)
        seen = (i >= before) & (i < count)
        top, total, acc = absorb(queries, keys, values, seen, scale, top, total, acc, DOT)
    if BY_CHANNEL:
        if part == parts - 1:
            for tile in range(tl.cdiv(stop - end, T)):
                i = tile * T + tl.arange(0, T)
                row = pair.to(tl.int64) * GROUP + tl.minimum(i, stop - end - 1)
                keys = load(k_waiting, None, None, row, D, T, W, 0, GROUP, False)
                values = load(v_waiting, None, None, row, D, T, W, 0, GROUP, False)
                seen = (end + i >= start) & (end + i < stop)
                top, total, acc = absorb(queries, keys, values, seen, scale, top, total, acc, DOT)

    at = head * parts + part
    tl.store(tops + at, top, mask=g < G)
    tl.store(totals + at, total, mask=g < G)
    tl.store(accs + at[:, None] * D + d[None, :], acc, mask=there)


@triton.jit(do_not_specialize=CHANGING)
def merge(tops, totals, accs, out, parts, D: tl.constexpr, W: tl.constexpr, PARTS: tl.constexpr):
    """The parts that `decode` left, as one: out [B, H, D]. A sequence that sees nothing reads zeros.

    Grid: B × H. PARTS is a power of two, at least `parts`.
    """
    head, part, d = tl.program_id(0), tl.arange(0, PARTS), tl.arange(0, W)
    at, there = head * parts + part, part < parts
    top = tl.load(tops + at, mask=there, other=float("-inf"))
    largest = tl.max(top, 0)
    share = tl.exp2(top - tl.where(largest == float("-inf"), 0.0, largest))
    total = tl.sum(share * tl.load(totals + at, mask=there, other=0.0), 0)
    inside = there[:, None] & (d < D)[None, :]
    acc = tl.load(accs + at[:, None] * D + d[None, :], mask=inside, other=0.0)
    read = tl.sum(acc * share[:, None], 0) / tl.where(total == 0, 1.0, total)
    tl.store(out + head * D + d, read, mask=d < D)
