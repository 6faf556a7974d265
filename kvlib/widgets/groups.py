"""A CacheLayout as maths.js reads it: its equal layers together.

A group is {"layers", "k", "v", "window", "state", "cross"}: how many layers, the numbers in a token's
keys and in its values, the window or None, the fixed bytes of a sequence, and the numbers kept of each
token of a source sequence.
"""

from collections import Counter

from ..budget import Arithmetic
from ..layouts import CacheLayout, LayerKV


def key_numbers(layer: LayerKV) -> int:
    """Numbers in a token's key, an indexer's among them. ValueError where there are compressed entries."""
    if layer.compressed:
        raise ValueError("the figures do not show compressed entries; `kvlib size` counts them")
    return layer.k_elements + layer.indexer


def groups(layout: CacheLayout) -> list[dict]:
    """The layers as they keep: `layoutBytes` of these is `layout.bytes`."""
    names = ("k", "v", "window", "state", "cross")
    kept = Counter(
        (key_numbers(layer), layer.v_elements, layer.window, layer.state_bytes, layer.cross_elements)
        for layer in layout.layers
    )
    return [{"layers": n, **dict(zip(names, key, strict=True))} for key, n in kept.items()]


def read_groups(layout: CacheLayout) -> list[dict]:
    """The layers as a decode step reads them: `layoutBytes` of these is `layout.bytes_read`."""
    return groups(layout.as_read())


def work_facts(work: Arithmetic) -> dict:
    """An Arithmetic as `arithmetic` of maths.js reads it."""
    return {"weights": work.weights, "output": work.output, "attention": [*work.attention.items()]}
