"""A CacheLayout as the scripts read it: its equal layers together, or layer by layer.

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


def strip(layout: CacheLayout) -> dict:
    """A layout as layer_race.js reads it: its different layers, and which of them each layer is.

    `of` has a character for each layer: its place in `kinds`, counted from "0". `shares` has the layer
    that each shared layer reads, `ends` the tokens the model was made for or None. A kind has the fields
    of a group of widgets.groups, and its look's; to travel light, without k and v where they are heads × dim,
    and without what is 0 or None. A page that runs kvlib itself hands this to the figure with the event
    "kv-layout", as layer_race.js says. Raises ValueError where there are compressed entries.
    """
    kinds, of = [], ""
    for layer in layout.layers:
        fields = {
            "heads": layer.n_kv_heads,
            "dim": layer.head_dim,
            "k": key_numbers(layer),
            "v": layer.v_elements,
            "window": layer.window,
            "state": layer.state_bytes,
            "cross": layer.cross_elements,
        }
        usual = {"k": layer.k_elements, "v": layer.k_elements, "window": None}
        kind = {"kind": layer.kind} | {n: x for n, x in fields.items() if x != usual.get(n, 0)}
        if kind not in kinds:
            kinds.append(kind)
        of += chr(ord("0") + kinds.index(kind))
    shares = {i: x.shares_with for i, x in enumerate(layout.layers) if x.shares_with is not None}
    return {"kinds": kinds, "of": of, "shares": shares, "ends": layout.max_context}


def work_facts(work: Arithmetic) -> dict:
    """An Arithmetic as `arithmetic` of maths.js reads it."""
    return {"weights": work.weights, "output": work.output, "attention": [*work.attention.items()]}
