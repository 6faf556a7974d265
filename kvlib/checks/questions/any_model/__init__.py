"""Questions of chapter 09, any model.

counts     what a published config keeps of a token, and of a context where layers have windows
sizes      the size of a state beside attention, and of one cache in two engines
readers    functions that read a config and count its layers
published  numbers that others published, to be audited and explained
"""

from . import counts, published, readers, sizes

__all__ = ["counts", "published", "readers", "sizes"]
