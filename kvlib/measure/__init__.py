"""What a real cache takes, in time and memory, beside what kvlib predicts.

`kvlib measure` runs what is here; chapters call the functions by name. Nothing imports
torch before it is called.
"""

from importlib import import_module

_LAZY = {
    "attention_against_copy": "attention",
    "copy_bandwidth": "timing",
    "timed": "timing",
}

__all__ = [*_LAZY]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'kvlib.measure' has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
