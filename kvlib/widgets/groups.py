"""A CacheLayout as maths.js reads it: its equal layers together.

A group is {"layers", "k", "v", "window", "state"}: how many layers, the numbers in a token's keys
and in its values, the window or None, the fixed bytes a sequence.
"""

from ..layouts import CacheLayout


def _grouped(layers) -> list[dict]:
    groups = {}
    for source, layer in layers:
        key = (source.k_elements, source.v_elements, source.window, layer.state_bytes)
        groups[key] = groups.get(key, 0) + 1
    return [
        dict(zip(("layers", "k", "v", "window", "state"), (n, *key), strict=True))
        for key, n in groups.items()
    ]


def groups(layout: CacheLayout) -> list[dict]:
    """The layers as they keep: `layoutBytes` of these is `layout.bytes`."""
    return _grouped((layer, layer) for layer in layout.layers)


def read_groups(layout: CacheLayout) -> list[dict]:
    """The layers as a decode step reads them: a shared layer reads the one it shares with."""
    return _grouped(
        (layer if layer.shares_with is None else layout.layers[layer.shares_with], layer)
        for layer in layout.layers
    )
