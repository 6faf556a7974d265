"""Where a layer's keys and values lie, as `kvlib.kernels.cpu` reads them in place. Arrays of NumPy."""

from typing import NamedTuple

import numpy as np


class Plain(NamedTuple):
    """Keys and values [B, H_kv, slots, D], float32; token t of a sequence lies in slot t."""

    k: np.ndarray
    v: np.ndarray


class Paged(NamedTuple):
    """Keys and values [H_kv, slots, D] of one pool; token t of sequence b is in block table[b, t // size]."""

    k: np.ndarray
    v: np.ndarray
    table: np.ndarray  # [B, blocks], int64
    size: int  # tokens in a block


class Packed(NamedTuple):
    """Codes [B, H_kv, slots, D × bits / 8], the float16 bits of their scales and zeros, and tokens that wait.

    Scales are [B, H_kv, slots, D / group], or of keys if by_channel [B, H_kv, slots / group, D].
    """

    k: np.ndarray
    k_scale: np.ndarray
    k_zero: np.ndarray
    v: np.ndarray
    v_scale: np.ndarray
    v_zero: np.ndarray
    k_waiting: np.ndarray  # [B, H_kv, group or 0, D], float32
    v_waiting: np.ndarray
    packed: int  # tokens kept as codes; the later ones wait
    bits: int
    group: int
    by_channel: bool
