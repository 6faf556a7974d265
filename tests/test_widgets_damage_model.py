"""The tiny model in JavaScript: the page's model says what kvlib's decoder says, undamaged and damaged."""

import json

import pytest
import torch

from kvlib.measure.tiny import load_tiny, written
from kvlib.widgets import Damage
from kvlib.widgets.base import STATIC
from kvlib.widgets.huffman import coded
from kvlib.widgets.tiny import tiny

from .browser import chromium, page  # noqa: F401

DAMAGES = [
    {},
    *({"bits": bits} for bits in (8, 4, 2)),
    *({"window": window, "sinks": sinks} for window in (64, 48, 32, 16) for sinks in (0, 4)),
    {"rotation": False},
    {"dropped": [17]},
    {"dropped": [4, 17, 30, 75, 80]},  # of the prompt, and of what is being written
    {"bits": 4, "window": 48, "sinks": 1, "dropped": [2, 60]},
    {"bits": 2, "rotation": False, "window": 32},
    {"bits": 8, "dropped": [*range(4, 40)], "sinks": 4},
]
WRITTEN = 51


def exact_model():
    """The decoder in float64, with a rotary table as exact: rounding errors then move no code."""
    model = load_tiny(dtype=torch.float64)
    decoder, D = model.decoder, model.decoder.head_dim
    frequencies = tiny()["shape"]["rope_theta"] ** -(torch.arange(0, D, 2, dtype=torch.float64) / D)
    angles = torch.outer(torch.arange(decoder.max_context, dtype=torch.float64), frequencies)[:, None]
    decoder.cos = torch.cat((angles.cos(), angles.cos()), -1)
    decoder.sin = torch.cat((-angles.sin(), angles.sin()), -1)
    return model


@pytest.fixture
def js(page):  # noqa: F811
    """js(code, argument): a function body in which the script's own functions can be called."""
    page.goto("about:blank")
    for name in ("maths.js", "damage.model.js"):
        page.add_script_tag(content=(STATIC / name).read_text(encoding="utf-8"))
    return lambda code, argument: json.loads(
        page.evaluate(f"text => {{ const given = JSON.parse(text); {code} }}", json.dumps(argument))
    )


RUN = """
    const model = tinyModel(given.data), out = [];
    for (const [prompt, damage] of given.runs) {
        const all = { bits: 16, window: null, sinks: 0, rotation: true, ...damage };
        const start = prefill(model, prompt, { ...all, dropped: new Set(damage.dropped) });
        const steps = [...written(start, given.count)], lists = (rows) => rows.map((row) => [...row]);
        out.push({
            tokens: steps.map((step) => step.token), logits: lists(steps.map((step) => step.logits)),
            k: start.cache.k.map(lists), v: start.cache.v.map(lists),
        });
    }
    return JSON.stringify(out);
"""


def runs(js, damages, stories):
    """What the page's model writes: each damage over each story."""
    ids = {word: i for i, word in enumerate(tiny()["vocabulary"].split())}
    asked = [[ids[word] for word in tiny()["stories"][i]["prompt"].split()] for i in stories]
    pairs = [(prompt, damage) for damage in damages for prompt in asked]
    return zip(pairs, js(RUN, {"data": Damage().data, "runs": pairs, "count": WRITTEN}), strict=True)


def stored(said, memory):
    """A layer's keys or values in the page's cache, [H_kv, tokens, D], and those in kvlib's."""
    rows = torch.tensor(said, dtype=memory.dtype)
    return rows.unflatten(1, (2, 16)).transpose(0, 1), memory[0, :, : len(rows)]


def test_tokens_codes_and_logits_are_the_decoder_s_in_float64(js):
    """Every key and value in the cache to the last bit, so every code, scale and zero; logits to 1e-9."""
    model, differs = exact_model(), set()
    for (prompt, damage), said in runs(js, DAMAGES, (0, 1)):
        tokens, logits, cache = written(model, [prompt], WRITTEN, **damage)
        assert said["tokens"] == tokens[0].tolist(), damage
        torch.testing.assert_close(
            torch.tensor(said["logits"], dtype=torch.float64), logits[0], rtol=0, atol=1e-9, msg=str(damage)
        )
        for i, store in enumerate(cache.layers):
            for name in "kv":
                page_s, kvlib_s = stored(said[name][i], getattr(store, name))
                assert torch.equal(page_s, kvlib_s), (damage, i, name)
        differs.add(tuple(said["tokens"]))
    assert len(differs) > len(DAMAGES)  # damages do different things


def test_tokens_are_the_decoder_s_in_float32(js):
    """The decoder as anyone loads it. A rounding error can move a code there; logits agree within 0.05."""
    model = load_tiny()
    for (prompt, damage), said in runs(js, DAMAGES, (0, 3, 5)):
        tokens, logits, _ = written(model, [prompt], WRITTEN, **damage)
        assert said["tokens"] == tokens[0].tolist(), damage
        page_s = torch.tensor(said["logits"])
        torch.testing.assert_close(page_s, logits[0], rtol=0, atol=0.05, msg=str(damage))


def test_the_weights_arrive_as_they_were_coded(js):
    texts = [tiny()["codes"], "ab", "aab", "abcdefgh" * 3, "a" * 60 + "b" * 13 + "cdde"]
    assert js("return JSON.stringify(given.map(uncoded));", [coded(text) for text in texts]) == texts
    letters = len(coded(texts[0])["data"]) * 6 / 8  # bytes
    assert letters < 0.38 * len(texts[0])  # of which plain letters of four bits would take half
    with pytest.raises(ValueError, match="text must have at least two letters, not 1"):
        coded("aaa")
