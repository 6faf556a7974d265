"""How one new float32 token on a CPU reads a view in place, by the loops that Numba compiles.

The same numbers as `kvlib.attention`, but nothing is put in order, gathered or unpacked first.
"""

from weakref import WeakKeyDictionary

import numpy as np
import torch

from ...attention import ContiguousView
from ...cache.paged import PagedView
from ...cache.quantized import QuantizedView
from . import reading, storing
from .memory import Packed, Paged, Plain

FEW = 8  # rows for which one pass of these loops beats PyTorch's several
_NONE = torch.zeros(0, 0, 0, 0)  # no residual
_arrays = WeakKeyDictionary()  # of each `Codes`: its codes, scales and zeros as NumPy's


def attention(q, view):
    """`kvlib.attention.attention` for one new token of each sequence; None where these loops cannot serve."""
    memory = _memory(view)
    if memory is None or q.shape[2] != 1 or q.requires_grad or int(view.last.min()) < 1:
        return None
    rows, first, last = q.squeeze(2).contiguous().numpy(), view.first.numpy(), view.last.numpy()
    out = reading.attend(rows, memory, view.shape[1], first, last, torch.get_num_threads())
    return torch.from_numpy(out).unsqueeze(2)


def token(qkv, n_heads, cos, sin, view):
    """One new token of each sequence: rotated to its position, stored where the view says, and answered.

    qkv       [B, 1, H + 2 H_kv, D]: queries, keys and values as one projection gives them
    cos, sin  the tokens' angles, as `kvlib.decoder.rotary_tables` makes them
    Returns [B, H × D], or None where only the cache's own `write` can store the token.
    """
    memory = _memory(view) if view.storable else None
    if memory is None or _by_channel(memory):
        return None
    D = qkv.shape[3]
    heads, angles = (n_heads, view.shape[1]), (cos.view(-1, D).numpy(), sin.view(-1, D).numpy())
    first, last = view.first.numpy(), view.last.numpy()
    threads = torch.get_num_threads()
    return torch.from_numpy(
        reading.attend_token(qkv.flatten(1).numpy(), heads, *angles, memory, first, last, threads)
    )


def rms_norm(x, weight, eps):
    """`torch.nn.functional.rms_norm` of a few rows x [rows, hidden]."""
    return torch.from_numpy(storing.rms_norm(x.numpy(), weight.numpy(), eps))


def silu_mul(gate_up):
    """silu(gate) × up of a few rows [rows, 2 ffn]: [rows, ffn]."""
    return torch.from_numpy(storing.silu_mul(gate_up.numpy()))


def step(decoder, tokens, cache) -> None:
    """Nothing: on a CPU there are no launches to save by capturing a step."""


def prepare(view, in_place) -> None:
    """Compile now what a new token of such a view needs, so that no step waits for it.

    in_place  whether `token` will store it; no token has been appended yet, so the view names no slots
    """
    rms_norm(torch.zeros(1, 1), torch.zeros(1), 1e-5)
    silu_mul(torch.zeros(1, 2))
    if (memory := _memory(view)) is not None:
        reading.prepare(memory, in_place and not _by_channel(memory), torch.get_num_threads())


def _by_channel(memory):
    """Whether tokens are packed a whole group at a time, which only the cache does."""
    return isinstance(memory, Packed) and memory.by_channel


def _memory(view):
    """The view's memory as the loops read it, or None if it is not plain float32 or codes for it."""
    if isinstance(view, QuantizedView):
        if view.k.dtype != torch.float32:
            return None
        residual = view.residual or (_NONE, _NONE)
        return Packed(
            *_codes(view.k), *_codes(view.v), *(x.numpy() for x in residual),
            view.packed, view.k.bits, view.k.group, view.k.by_channel,
        )  # fmt: skip
    for x in (view.k, view.v):
        if x.dtype != torch.float32 or not x.is_contiguous() or x.requires_grad:
            return None
    if isinstance(view, ContiguousView):
        return Plain(view.k.numpy(), view.v.numpy(), view.sinks)
    if isinstance(view, PagedView):
        return Paged(view.k.numpy(), view.v.numpy(), view.table.numpy(), view.block_size)
    return None


def _codes(codes):
    """Codes, and the bits of the float16 scales and zeros, which Numba does not know."""
    if codes not in _arrays:
        halves = (x.view(torch.int16).numpy().view(np.uint16) for x in (codes.scale, codes.zero))
        _arrays[codes] = codes.codes.numpy(), *halves
    return _arrays[codes]


def compiled() -> list[int]:
    """How many ways each entry point has been compiled so far."""
    entries = reading._attend, reading._attend_token, reading._attend_parallel
    return [
        len(function.signatures) for function in (*entries, storing.place, storing.rms_norm, storing.silu_mul)
    ]
