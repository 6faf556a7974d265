"""How one new token on a GPU reads a view in place, by the kernels that Triton compiles.

The same numbers as `kvlib.attention`, but nothing is put in order, gathered or unpacked first.
"""

import math
import os
from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl

from ...attention import ContiguousView
from ...cache.paged import PagedView
from ...cache.quantized import QuantizedView
from . import reading, storing
from .graph import Captured

FEW = math.inf  # rows that `rms_norm` and `silu_mul` take: any number
PARTS = 64  # a context is split into no more
PROGRAMS = 4  # for each of the GPU's processors, so that while one waits for memory others have it
GATE_WIDTH = 1024
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DOTS = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


@dataclass
class Memory:
    """A view as the kernels take it."""

    first: torch.Tensor
    last: torch.Tensor
    table: torch.Tensor | None
    tensors: tuple  # k … v_waiting
    places: tuple  # slots, sinks, width, size
    B: int
    n_kv_heads: int
    constants: dict


def attention(q, view):
    """`kvlib.attention.attention` for one new token of each sequence; None where they cannot serve."""
    memory = _memory(view)
    if memory is None or q.shape[2] != 1 or q.requires_grad:
        return None
    return _attend(q.squeeze(2).contiguous(), memory).unsqueeze(2)


def token(qkv, n_heads, cos, sin, view):
    """One new token of each sequence: rotated to its position, stored where the view says, and answered.

    qkv       [B, 1, H + 2 H_kv, D]: queries, keys and values as one projection gives them
    cos, sin  the tokens' angles, as `kvlib.decoder.rotary_tables` makes them
    Returns [B, H × D], or None where only the cache's own `write` can store the token.
    """
    memory = _memory(view) if view.storable else None
    if memory is None:
        return None
    D = qkv.shape[3]
    queries = qkv.new_empty(memory.B, n_heads, D)
    cos, sin = cos.reshape(-1, D), sin.reshape(-1, D)
    _launch(
        storing.store, (memory.B, qkv.shape[2]), qkv.contiguous(), cos, sin, memory.last, memory.table,
        *memory.tensors, queries, *memory.places, n_heads, memory.n_kv_heads, len(cos), **memory.constants,
    )  # fmt: skip
    return _attend(queries, memory).flatten(1)


def rms_norm(x, weight, eps):
    """`torch.nn.functional.rms_norm` of rows x [rows, hidden]."""
    x, hidden = x.contiguous(), x.shape[1]
    out = torch.empty_like(x)
    width = triton.next_power_of_2(hidden)
    warps = 4 if width <= 4096 else 8
    _launch(storing.norm, (len(x),), x, weight, out, hidden, eps, WIDTH=width, num_warps=warps)
    return out


def silu_mul(gate_up):
    """silu(gate) × up of rows [rows, 2 ffn]: [rows, ffn]."""
    gate_up, rows, ffn = gate_up.contiguous(), len(gate_up), gate_up.shape[1] // 2
    out = gate_up.new_empty(rows, ffn)
    _launch(storing.gate, (rows, triton.cdiv(ffn, GATE_WIDTH)), gate_up, out, ffn, WIDTH=GATE_WIDTH)
    return out


def prepare(view, in_place) -> None:
    """Nothing: Triton compiles a kernel when it is first called, for a graph while it is captured."""


def step(decoder, tokens, cache):
    """`decoder.step` of one token, captured when this cache first takes one, and replayed since.

    None where it cannot be: a cache that stores or reads in a way of its own may need the host in each step.
    """
    key = decoder, cache.padded
    if not cache.storable:
        return None
    if key not in cache.captured:
        if any(_memory(cache.view(layer)) is None for layer in range(len(cache.layers))):
            return None
        cache.captured[key] = Captured(decoder, tokens, cache)
    return cache.captured[key](tokens, cache)


def _attend(q, memory):
    """What the queries q [B, H, D] read: [B, H, D]."""
    B, H, D = q.shape
    W, pairs = memory.constants["W"], B * memory.n_kv_heads
    packed = memory.constants["BITS"] > 0
    tile = tiles(H // memory.n_kv_heads, W, q.dtype, packed, _tensor_cores(q.device))
    parts = min(PARTS, triton.cdiv(PROGRAMS * _processors(q.device), pairs))
    # Each apart, not slices of one: a kernel is compiled anew for an address that 16 does not divide.
    tops, totals = (q.new_empty(B * H, parts, dtype=torch.float32) for _ in range(2))
    accs, out = q.new_empty(B * H, parts, D, dtype=torch.float32), torch.empty_like(q)
    _launch(
        reading.decode, (pairs, parts, triton.cdiv(tile["G"], tile["R"])), q, memory.first, memory.last,
        memory.table, *memory.tensors, tops, totals, accs, *memory.places, memory.n_kv_heads,
        **memory.constants, **tile,
    )  # fmt: skip
    _launch(
        reading.merge, (B * H,), tops, totals, accs, out, parts, D=D, W=W, PARTS=PARTS,
        num_warps=4 if W <= 128 else 8,
    )  # fmt: skip
    return out


def tiles(G, W, dtype, packed, tensor_cores) -> dict:
    """How many query heads and tokens a program of `reading.decode` takes at a time, and how it multiplies.

    A product of matrices wants 16 rows at least. Where a GPU has no instructions for one (fp32; 16 bits too
    before compute capability 8, for Triton) padding costs as much as true rows do, yet less than to add up
    each row's products across threads. But a single row is best multiplied number by number, and so is what
    would not fit registers and shared memory. Chosen, for want of a GPU, by what the compiled loop takes: its
    instructions, and what tests/compiled.py prints.
    """
    R = triton.next_power_of_2(G)
    if dtype.itemsize == 2 and tensor_cores:
        R = min(max(R, 16), 4096 // W)
        return dict(G=G, R=R, T=32 if W <= 128 else 16, DOT=tl.float32 if INTERPRETED else DOTS[dtype])
    if G > 1 and (W <= 128 or dtype.itemsize == 2 and not packed):
        return dict(G=G, R=16, T=16, DOT=tl.float32, num_warps=8 if packed or W > 128 else 4)
    R = min(R, 4)
    return dict(G=G, R=R, T=min(32, 2048 // (R * W)), DOT=None)


def _memory(view) -> Memory | None:
    """The view's memory as the kernels read it, or None if they cannot."""
    B, n_kv_heads, D = view.shape
    W = max(16, triton.next_power_of_2(D))
    constants = dict(D=D, W=W, PAGED=False, BITS=0, GROUP=1, BY_CHANNEL=False)
    table, width, size = None, 0, 1
    if isinstance(view, QuantizedView):
        k, v = view.k, view.v
        if k.group & (k.group - 1) or k.group * k.bits % 8:
            return None
        tensors = k.codes, v.codes, k.scale, k.zero, v.scale, v.zero, *(view.residual or (None, None))
        constants |= dict(BITS=k.bits, GROUP=k.group, BY_CHANNEL=k.by_channel)
    elif isinstance(view, (ContiguousView, PagedView)):
        if view.k.dtype.itemsize == 1:
            return None  # fp8: GPUs before compute capability 8.9 cannot load it so
        tensors = view.k, view.v, *[None] * 6
        if isinstance(view, PagedView):
            constants["PAGED"], table = True, view.table
            width, size = table.shape[1], view.block_size
    else:
        return None
    if any(x is not None and (not x.is_contiguous() or x.requires_grad) for x in tensors):
        return None
    places = tensors[0].shape[-2], view.sinks, width, size
    return Memory(view.first, view.last, table, tensors, places, B, n_kv_heads, constants)


def _launch(kernel, grid, *arguments, **constants):
    """Every kernel starts here. They know no strides, so a tensor with gaps would be read wrong."""
    assert all(x.is_contiguous() for x in arguments if isinstance(x, torch.Tensor))
    with torch.cuda.device_of(arguments[0]):
        kernel[grid](*arguments, **constants)


@cache
def _processors(device) -> int:
    return 2 if INTERPRETED else torch.cuda.get_device_properties(device).multi_processor_count


@cache
def _tensor_cores(device) -> bool:
    return not INTERPRETED and torch.cuda.get_device_capability(device) >= (8, 0)
