"""Questions of chapter 09, any model.

counts     what a published config keeps of a token, and of a context where layers have windows
sizes      the size of a state beside attention, and of one cache in two engines
readers    a function that reads a config layer by layer
kept       a function that counts what layers keep
published  numbers that others published, to be audited and explained
"""

from . import counts, kept, published, readers, sizes

__all__ = ["counts", "kept", "published", "readers", "sizes"]
