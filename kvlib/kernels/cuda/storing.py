"""A new token in Triton: rotated and stored, and the small sums around it, each in one pass."""

import triton
import triton.language as tl

from .codes import save
from .reading import CHANGING, slot_of


@triton.jit(do_not_specialize=CHANGING)
def store(qkv, cos, sin, last, table, k, v, k_scale, k_zero, v_scale, v_zero, k_waiting, v_waiting, queries,
          slots, sinks, width, size, n_heads, n_kv_heads, turns,
          D: tl.constexpr, W: tl.constexpr, PAGED: tl.constexpr, BITS: tl.constexpr, GROUP: tl.constexpr,
          BY_CHANNEL: tl.constexpr):  # fmt: skip
    """Store each sequence's new token, and leave its rotated queries in queries [B, H, D].

    qkv       [B, H + 2 H_kv, D]
    cos, sin  [turns, D]: one turn for all sequences, or one for each
    The rest as in `reading.decode`. Grid: B, H + 2 H_kv.
    """
    b, head, d = tl.program_id(0), tl.program_id(1), tl.arange(0, W)
    position = tl.load(last + b).to(tl.int32) - 1
    x = qkv + (b * (n_heads + 2 * n_kv_heads) + head) * D
    numbers = tl.load(x + d, mask=d < D, other=0)
    if head < n_heads + n_kv_heads:  # a query or a key: turned as `kvlib.decoder.rotate` does
        other = tl.load(x + (d + D // 2) % D, mask=d < D, other=0).to(tl.float32)
        at = tl.where(turns > 1, b, 0) * D + d
        c = tl.load(cos + at, mask=d < D, other=0).to(tl.float32)
        s = tl.load(sin + at, mask=d < D, other=0).to(tl.float32)
        numbers = (numbers.to(tl.float32) * c + other * s).to(numbers.dtype)
    h = (head - n_heads) % n_kv_heads
    pair = (b * n_kv_heads + h).to(tl.int64)
    if head < n_heads:
        tl.store(queries + (b * n_heads + head) * D + d, numbers, mask=d < D)
    elif BY_CHANNEL:
        if head < n_heads + n_kv_heads:
            wait(numbers, position, pair, slots, k_waiting, k, k_scale, k_zero, D, W, BITS, GROUP, True)
        else:
            wait(numbers, position, pair, slots, v_waiting, v, v_scale, v_zero, D, W, BITS, GROUP, False)
    else:
        memory = (h if PAGED else pair).to(tl.int64) * slots
        slot = slot_of(position, b, table, slots, sinks, width, size, PAGED)
        row = memory + slot + tl.arange(0, 1)
        if head < n_heads + n_kv_heads:
            save(numbers[None, :], k, k_scale, k_zero, row, 1, D, W, BITS, GROUP, False)
        else:
            save(numbers[None, :], v, v_scale, v_zero, row, 1, D, W, BITS, GROUP, False)


@triton.jit
def wait(x, position, pair, slots, waiting, memory, scale, zero, D: tl.constexpr, W: tl.constexpr,
         BITS: tl.constexpr, GROUP: tl.constexpr, BY_CHANNEL: tl.constexpr):  # fmt: skip
    """A token's key (or value) x [W] joins those that wait; with the last of a group, all are packed."""
    d, t = tl.arange(0, W), tl.arange(0, GROUP)
    tl.store(waiting + (pair * GROUP + position % GROUP) * D + d, x, mask=d < D)
    if position % GROUP == GROUP - 1:
        there = (t < GROUP - 1)[:, None] & (d < D)[None, :]
        group = tl.load(waiting + (pair * GROUP + t)[:, None] * D + d[None, :], mask=there, other=0)
        group = tl.where((t == GROUP - 1)[:, None], x[None, :].to(group.dtype), group)
        row = pair * slots + position + 1 - GROUP + t
        save(group, memory, scale, zero, row, GROUP, D, W, BITS, GROUP, BY_CHANNEL)


@triton.jit(do_not_specialize=CHANGING)
def norm(x, weight, out, hidden, eps, WIDTH: tl.constexpr):
    """x [rows, hidden] over its root mean square, times weight [hidden]. Grid: rows."""
    i = tl.arange(0, WIDTH)
    row, there = tl.program_id(0).to(tl.int64) * hidden, i < hidden
    numbers = tl.load(x + row + i, mask=there, other=0).to(tl.float32)
    numbers *= tl.rsqrt(tl.sum(numbers * numbers, 0) / hidden + eps)
    tl.store(out + row + i, numbers * tl.load(weight + i, mask=there, other=0), mask=there)


@triton.jit(do_not_specialize=CHANGING)
def gate(x, out, ffn, WIDTH: tl.constexpr):
    """silu(gate) × up [rows, ffn] of gate and up side by side, [rows, 2 ffn]. Grid: rows, blocks of WIDTH."""
    i, row = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH), tl.program_id(0).to(tl.int64)
    there = i < ffn
    a = tl.load(x + row * 2 * ffn + i, mask=there, other=0).to(tl.float32)
    up = tl.load(x + row * 2 * ffn + ffn + i, mask=there, other=0).to(tl.float32)
    tl.store(out + row * ffn + i, a * tl.sigmoid(a) * up, mask=there)
