"""Where a layer's keys and values lie, as `kvlib.kernels.cpu` reads them in place. Arrays of NumPy.

Every token has its position, counted from the first that its sequence was given; memory says in
which slot the token of a position lies. All arrays are C-contiguous.
"""

from typing import NamedTuple

import numpy as np


class Plain(NamedTuple):
    """Keys and values [B, H_kv, slots, D], float32: the first `sinks` tokens, then a ring of the rest.

    Token t lies in slot t if t < sinks, else in slot sinks + (t - sinks) % (slots - sinks). With
    sinks = 0 and a slot for every token, that is slot t: memory in one piece.
    """

    k: np.ndarray
    v: np.ndarray
    sinks: int = 0


class Paged(NamedTuple):
    """Keys and values [H_kv, slots, D], float32, of one pool.

    Token t of sequence b lies in slot table[b, t // size] × size + t % size.
    """

    k: np.ndarray
    v: np.ndarray
    table: np.ndarray  # [B, blocks], int64
    size: int  # tokens in a block


class Packed(NamedTuple):
    """Codes [B, H_kv, slots, D × bits / 8], the float16 bits of their scales and zeros, and the residual.

    Scales are [B, H_kv, slots, D / group]; token t lies in slot t % slots. If by_channel, those of
    the keys are [B, H_kv, slots / group, D]; then there is a slot for every token, and tokens from
    `packed` on are kept in full precision: token t in k_residual[:, :, t - packed].
    """

    k: np.ndarray
    k_scale: np.ndarray
    k_zero: np.ndarray
    v: np.ndarray
    v_scale: np.ndarray
    v_zero: np.ndarray
    k_residual: np.ndarray  # [B, H_kv, group or 0, D], float32
    v_residual: np.ndarray
    packed: int  # by_channel: tokens kept as codes
    bits: int
    group: int
    by_channel: bool
