"""The layout against transformers, byte for byte: models of real shape on the meta device.

    make oracle     every published config, at full depth: the table architectures x contexts
    make test       one config of each architecture, a few layers deep

Contexts are 1, 9 and, where a layer has a window W, W - 1, W and W + 1; two sequences at a time.
Where transformers keeps something else than an ideal cache (W - 1 tokens of a window, Falcon's
keys copied to every query head), the policy `engine("transformers")` says so, and it is that policy
which is held to zero bytes of difference here. States are the layout's own.
"""

import warnings

import pytest

from kvlib.configs import layout
from kvlib.engines import engine
from kvlib.layouts import ContextWarning

from . import oracle
from .depth import FULL
from .mutants import bases

CASES = oracle.published() if FULL else bases()
SOURCE = {"whisper": 1500, "t5": 7}


def contexts(of) -> list[int]:
    windows = {layer.window for layer in of.layers if layer.window}
    windows |= {one.every for layer in of.layers for one in layer.compressed}
    around = {window + step for window in windows for step in (-1, 0, 1)}
    # Griffin's recurrence is a Python loop over tokens: one context beyond its window is slow enough.
    return sorted({1, 9} | ({max(around)} if of.architecture == "recurrent_gemma" else around))


def computed(of, context, batch, source_len) -> oracle.Kept:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ContextWarning)
        source_len = source_len if of.needs_source_len else None
        parts = engine("transformers").breakdown(of, context, batch, "bf16", source_len)
        return oracle.Kept(parts.tokens, parts.state, parts.cross)


@pytest.fixture(scope="module")
def table():
    """Rows of the table, printed at the end: what was compared, and by how many bytes it differs."""
    rows = []
    yield rows
    print(f"\n{'architecture':20} {'model':40} differences at contexts, batch 2")
    for model_type, name, found in sorted(rows):
        shown = "  ".join(f"{context}: {difference}" for context, difference in found)
        print(f"{model_type:20} {name:40} {shown}")
    print(
        f"{len({row[0] for row in rows})} architectures, {sum(len(row[2]) for row in rows)} caches compared"
    )


@pytest.mark.parametrize("name", CASES)
def test_layout_is_what_transformers_keeps(name, table):
    config = CASES[name]
    of, model = layout(config), oracle.model(config)
    source_len = SOURCE.get(config["model_type"], 0)
    found = []
    for batch in (2, 1):
        for context in contexts(of) if batch == 2 else [9]:
            kept, mine = oracle.kept(model, context, batch), computed(of, context, batch, source_len)
            difference = sum(
                abs(a - b) for a, b in zip(vars(kept).values(), vars(mine).values(), strict=True)
            )
            if batch == 2:
                found.append((context, difference))
            assert mine == kept, f"context {context}, batch {batch}"
    table.append((config["model_type"], name, found))


def test_forty_architectures_are_compared():
    assert len({config["model_type"] for config in CASES.values()}) >= 40


def test_a_whole_window_is_kept_while_generating():
    """One token at a time, past the window: the cache never holds more than W - 1 tokens."""
    import torch
    import transformers

    config = bases()["mistral"]
    of, model = layout(config), oracle.model(config)
    cache = transformers.DynamicCache(config=model.config)
    for context in range(1, 2 * of.layers[0].window):
        ids = torch.zeros(1, 1, dtype=torch.long, device="meta")
        with torch.no_grad():
            model(input_ids=ids, past_key_values=cache, use_cache=True)
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        assert held == engine("transformers").bytes(of, context)
