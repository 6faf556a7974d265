"""The interactive figures: one class per figure, each with its script in `static/`.

They compute in the page. With a kernel their values are shared with Python, in both directions;
without one they work by themselves.
`from kvlib.widgets import BudgetWidget` loads that figure alone.
"""

from importlib import import_module

_FIGURES = {
    "DecodeTheatre": "decode_theatre",
    "FormulaBox": "formula_box",
    "SharingHeads": "sharing_heads",
    "Paging": "paging",
    "BudgetWidget": "budget",
    "CheaperCaches": "cheaper_caches",
    "LayerRace": "layer_race",
    "Damage": "damage",
    "ByteRiver": "river",
    "PrefixCache": "prefix_cache",
    "RealKey": "realkey",
    "Batching": "batching",
}

__all__ = [*_FIGURES]


def __getattr__(name):
    if name not in _FIGURES:
        raise AttributeError(f"module 'kvlib.widgets' has no attribute {name!r}")
    return getattr(import_module(f".{_FIGURES[name]}", __name__), name)
