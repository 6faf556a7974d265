"""Faster ways to read a cache, which give the numbers that `kvlib.attention` gives.

A module of kernels has `attention(q, view)` and `token(qkv, n_heads, cos, sin, view)`, which answer
None where they cannot serve, and `rms_norm`, `silu_mul`, `prepare`. The core finds one by
`kernels_for` and knows no other name here.
"""

from functools import cache

import torch


def kernels_for(device, dtype):
    """The kernels for float32 on a CPU, where Numba is installed; None elsewhere."""
    if dtype != torch.float32 or device.type != "cpu":
        return None
    return None


@cache
def _cpu():
    try:
        from . import cpu
    except ImportError:
        return None
    return cpu
