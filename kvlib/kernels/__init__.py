"""Faster ways to read a cache, which give the numbers that `kvlib.attention` gives.

A module of kernels has `attention(q, view)`, `token(qkv, n_heads, cos, sin, view)` and
`step(decoder, tokens, cache)`, which answer None where they cannot serve, and `rms_norm`, `silu_mul` for
up to `FEW` rows, and `prepare`. The core finds one by `kernels_for` and knows no other name here.
"""

from functools import cache
from importlib import import_module

import torch


def kernels_for(device, dtype):
    """The kernels for float32 on a CPU, if Numba is installed, and for a GPU, if Triton is; else None."""
    if device.type == "cpu" and dtype == torch.float32:
        return _module("cpu", "numba")
    if device.type == "cuda" and dtype in (torch.float32, torch.float16, torch.bfloat16):
        return _module("cuda", "triton")
    return None


@cache
def _module(name, needs):
    try:
        return import_module(f".{name}.views", __name__)  # only when asked for: these take a second
    except ModuleNotFoundError as error:
        if error.name != needs:
            raise
        return None
