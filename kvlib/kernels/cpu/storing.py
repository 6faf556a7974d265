"""A new token on a CPU: rotated and stored, and the small sums around it, each in one pass."""

import math

import numpy as np
from numba import njit
from numba.extending import overload

from .codes import quantize
from .compiling import FLAGS, exp, jit, sources
from .lanes import LANES, larger, load, splat, store, where_less
from .memory import Packed, Paged, Plain


@jit
def store_tokens(qkv, heads, cos, sin, memory, position):
    """`place`, for compiled code."""
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
            put(memory, b, h, position[b], k, x[n_heads + n_kv_heads + h])
    return q


@jit
def rotate(x, cos, sin, out):
    """`kvlib.decoder.rotate` for one head, x and out [D]."""
    half = len(x) // 2
    for i in range(half):
        out[i] = x[i] * cos[i] + x[half + i] * sin[i]
        out[half + i] = x[half + i] * cos[half + i] + x[i] * sin[half + i]


def put(memory, b, h, t, k, v):
    """Write key and value [D] of sequence b and KV head h to the slot of position t."""
    raise NotImplementedError  # compiled code takes the one for its memory


@overload(put)
def _put(memory, b, h, t, k, v):
    return {Plain: _put_plain, Paged: _put_paged, Packed: _put_packed}[memory.instance_class]


def _put_plain(memory, b, h, t, k, v):
    sinks = memory.sinks
    slot = t if t < sinks else sinks + (t - sinks) % (memory.k.shape[2] - sinks)
    memory.k[b, h, slot, :], memory.v[b, h, slot, :] = k, v


def _put_paged(memory, b, h, t, k, v):
    slot = memory.table[b, t // memory.size] * memory.size + t % memory.size
    memory.k[h, slot, :], memory.v[h, slot, :] = k, v


def _put_packed(memory, b, h, t, k, v):
    bits, group, slot = memory.bits, memory.group, t % memory.k.shape[2]
    quantize(k, bits, group, memory.k[b, h, slot], memory.k_scale[b, h, slot], memory.k_zero[b, h, slot])
    quantize(v, bits, group, memory.v[b, h, slot], memory.v_scale[b, h, slot], memory.v_zero[b, h, slot])


@jit
def silu(x):
    """x / (1 + e**-x) of a vector; the power is taken of -|x|, and so never overflows."""
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    power = exp(zero - larger(x, zero - x))
    return x * where_less(x, zero, power, one) / (one + power)


def _entries(sources):
    """The entry points, whose compiled code is kept on disk."""

    @njit(cache=True, **FLAGS)
    def place(qkv, heads, cos, sin, memory, position):
        """Store each sequence's new token and return its rotated queries [B, H, D].

        qkv       [B, (H + 2 H_kv) × D], float32: queries, keys and values as one projection gives them
        heads     H, H_kv
        cos, sin  [1 or B, D]: the turn that each sequence's token takes
        memory    Plain, Paged or Packed, not by_channel
        position  [B], int64: which token of its sequence it is; memory says in which slot that lies
        """
        assert sources >= 0
        return store_tokens(qkv, heads, cos, sin, memory, position)

    @njit(cache=True, **FLAGS)
    def rms_norm(x, weight, eps):
        """x [B, hidden] over its root mean square, times weight [hidden]: one pass, not PyTorch's six."""
        assert sources >= 0
        out = np.empty_like(x)
        for b in range(len(x)):
            squares = np.float32(0)
            for i in range(x.shape[1]):
                squares += x[b, i] * x[b, i]
            scale = np.float32(1 / math.sqrt(squares / x.shape[1] + eps))
            for i in range(x.shape[1]):
                out[b, i] = x[b, i] * scale * weight[i]
        return out

    @njit(cache=True, **FLAGS)
    def silu_mul(gate_up):
        """silu(gate) × up [B, ffn] of gate and up side by side, [B, 2 × ffn], float32."""
        assert sources >= 0
        ffn = gate_up.shape[1] // 2
        out = np.empty((len(gate_up), ffn), np.float32)
        for b in range(len(gate_up)):
            if ffn < LANES:
                for i in range(ffn):
                    gate = gate_up[b, i]
                    out[b, i] = gate / (np.float32(1) + np.float32(math.exp(-gate))) * gate_up[b, ffn + i]
            for i in range(0, ffn if ffn >= LANES else 0, LANES):
                i = min(i, ffn - LANES)  # the last vector may take some numbers again
                store(out, b, i, silu(load(gate_up, b, i)) * load(gate_up, b, ffn + i))
        return out

    return place, rms_norm, silu_mul


place, rms_norm, silu_mul = _entries(sources())
