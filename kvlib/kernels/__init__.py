"""Faster ways to read a cache, which give the numbers that `kvlib.attention` gives.

A module of kernels has `attention(q, view)` and `token(qkv, n_heads, cos, sin, view)`, which answer
None where they cannot serve, and `rms_norm`, `silu_mul`, `prepare`. The core finds one by
`kernels_for` and knows no other name here.
"""

from functools import cache
from importlib import import_module

import torch


def kernels_for(device, dtype):
    """The kernels for float32 on a CPU, where Numba is installed; None elsewhere."""
    if dtype != torch.float32 or device.type != "cpu":
        return None
    return _cpu()


@cache
def _cpu():
    try:
        return import_module(".cpu.views", __name__)  # only when asked for: Numba takes a second
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        return None
