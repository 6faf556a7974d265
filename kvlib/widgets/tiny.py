"""The tiny language model of the damaged cache: what its file holds, and its weights as numbers.

`python -m tools.tiny_model` trains it and writes tiny.json:

    about       where it comes from: command, seed, steps, versions, text and licence
    shape       layers, hidden, n_heads, n_kv_heads, head_dim, ffn, rope_theta, eps, max_context
    vocabulary  its words, in one string; the first is the stop token
    scales      of each matrix in the order of `matrices`, a number that float16 holds
    codes       of each matrix, row by row: a letter for each weight, "a" the least
    levels      codes of one matrix; its weights are (code − (levels − 1) / 2) × scale
    stories     what the figure can show: prompt, end as the undamaged model writes it, facts
    measured    what each damage costs, over many held-out stories
"""

import json
from functools import lru_cache
from pathlib import Path

from ..layouts import CacheLayout

FILE = Path(__file__).parent / "tiny.json"


@lru_cache
def tiny() -> dict:
    """The file's content."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def tiny_layout(data: dict) -> CacheLayout:
    """What the model's cache keeps of each token."""
    shape = data["shape"]
    return CacheLayout.uniform(
        n_layers=shape["layers"], n_kv_heads=shape["n_kv_heads"], head_dim=shape["head_dim"],
        n_heads=shape["n_heads"], name="tiny", max_context=shape["max_context"],
    )  # fmt: skip


def matrices(shape: dict, words: int) -> list[tuple[str, int, int]]:
    """(name, rows, columns) of every matrix in the order of its codes; `words` is the vocabulary's size.

    Names and shapes are those of `kvlib.decoder.Layer`, a layer after the other, the embedding last. The
    norms have no weights: the matrix after each would take them in.
    """
    hidden, D = shape["hidden"], shape["head_dim"]
    layer = [
        ("qkv", hidden, (shape["n_heads"] + 2 * shape["n_kv_heads"]) * D),
        ("out", shape["n_heads"] * D, hidden),
        ("gate_up", hidden, 2 * shape["ffn"]),
        ("down", shape["ffn"], hidden),
    ]
    return [*layer * shape["layers"], ("embedding", hidden, words)]


def unpacked(data: dict) -> list[tuple[str, int, int, list[float]]]:
    """(name, rows, columns, weights) of every matrix; each weight is exact in float32."""
    first, middle, at, found = ord("a"), (data["levels"] - 1) // 2, 0, []
    shapes = matrices(data["shape"], len(data["vocabulary"].split()))
    for (name, rows, columns), scale in zip(shapes, data["scales"], strict=True):
        codes = data["codes"][at : at + rows * columns]
        found.append((name, rows, columns, [(ord(c) - first - middle) * scale for c in codes]))
        at += rows * columns
    if at != len(data["codes"]):
        raise ValueError(f"codes must be {at:,}, one for each weight, not {len(data['codes']):,}")
    return found
