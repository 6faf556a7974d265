"""kvlib: the bytes of a KV cache, how they are stored, and a real model to check them on.

What is not needed at once is imported when it is first used, so `import kvlib` stays quick
and never brings torch.
"""

from importlib import import_module

from .configs import UnsupportedConfig, config, layout, models, parameters
from .layouts import CacheLayout, ContextWarning, LayerKV, kv_bytes
from .needs import require
from .units import GB, MB, TB, GiB, KiB, MiB, TiB, dtype, fmt, fmt_seconds, kB

__version__ = "0.1.0"

_LAZY = {
    "GPU": "hardware",
    "GPUS": "hardware",
    "gpu": "hardware",
    "Budget": "budget",
    "engine": "engines",
    "BlockPool": "blocks",
    "BlockTable": "blocks",
    "OutOfBlocks": "blocks",
    "load_smollm2": "smollm2",
    "check": "checks",
}

__all__ = [
    "CacheLayout", "ContextWarning", "LayerKV", "UnsupportedConfig", "config", "kv_bytes", "layout", "models",
    "parameters", "dtype", "fmt", "fmt_seconds",
    "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", *_LAZY,
]  # fmt: skip


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'kvlib' has no attribute {name!r}")
    if name == "load_smollm2":
        require("torch", "kvlib.load_smollm2")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
