"""The tiny model in JavaScript: the page's model says what kvlib's decoder says, undamaged and damaged."""

import json
import random

import pytest
import torch

from kvlib.cache.codes import quantize
from kvlib.measure.tiny import load_tiny, written
from kvlib.widgets.base import STATIC
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
    page.add_script_tag(content=(STATIC / "damage.model.js").read_text(encoding="utf-8"))
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
    return zip(pairs, js(RUN, {"data": tiny(), "runs": pairs, "count": WRITTEN}), strict=True)


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


def some_group(rng):
    kind = rng.randrange(5)
    if kind == 0:  # codes that fall between two
        step = 2.0 ** rng.randrange(-6, 3)
        return [rng.randrange(-30, 31) * step / 2 for _ in range(16)]
    if kind == 1:
        return [rng.choice([0.0, 1.5, -3e-7])] * 16
    size = 10 ** rng.uniform(-6, 3)
    return [rng.gauss(0, 1) * size + (40 * size if kind == 2 and i == 3 else 0) for i in range(16)]


def test_codes_scales_and_zeros_are_kvlib_s(js):
    rng = random.Random(1)
    points = [[some_group(rng), bits] for _ in range(3000) for bits in (8, 4, 2)]
    said = js(
        """return JSON.stringify(given.map(([numbers, bits]) => {
            const { codes, scale, zero } = quantize(Float64Array.from(numbers), bits);
            return [codes, scale, zero];
        }));""",
        points,
    )
    for bits in (8, 4, 2):
        mine = [(numbers, one) for (numbers, b), one in zip(points, said, strict=True) if b == bits]
        x = torch.tensor([numbers for numbers, _ in mine], dtype=torch.float64)
        codes, scale, zero = quantize(x, bits, -1)
        assert codes.tolist() == [one[0] for _, one in mine]
        assert scale.double().flatten().tolist() == [one[1] for _, one in mine]
        assert zero.double().flatten().tolist() == [one[2] for _, one in mine]


def test_half_is_torch_s_float16(js):
    rng = random.Random(2)
    points = [rng.choice([-1, 1]) * 2 ** rng.uniform(-28, 15) for _ in range(20_000)]
    points += [n * 2.0**-25 for n in range(64)] + [1 + n * 2.0**-12 for n in range(64)] + [0.0, -0.0]
    points += [2.0**e * (1 - 2.0**-24) for e in range(-20, 15)]
    said = js("return JSON.stringify(given.map(half));", points)
    assert said == torch.tensor(points, dtype=torch.float64).half().double().tolist()
