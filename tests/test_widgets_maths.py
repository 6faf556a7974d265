"""maths.js says what kvlib says: exactly, on random points, in Chromium."""

import json
import random

import pytest

from kvlib import CacheLayout, LayerKV, fmt, fmt_seconds, kv_bytes
from kvlib.budget import Arithmetic, Budget
from kvlib.hardware import GPUS
from kvlib.layouts import StateTensor
from kvlib.units import DTYPES, UNITS
from kvlib.widgets.base import STATIC, dtypes
from kvlib.widgets.decode_theatre import counts
from kvlib.widgets.groups import groups, read_groups, work_facts
from kvlib.widgets.recorded import KINDS, packed

from .browser import chromium, page  # noqa: F401

POINTS = 10_000
CONTEXTS = 2**24


@pytest.fixture
def js(page):  # noqa: F811
    """`js(function, points)`: the function's text applied to every point."""
    page.goto("about:blank")
    page.add_script_tag(content=(STATIC / "maths.js").read_text(encoding="utf-8"))

    def run(function, points):
        # BigInts come back as text; a double's shortest text is the same in both languages.
        said = page.evaluate(
            f"text => JSON.parse(text).map({function}).map(x => String(x))", json.dumps(points)
        )
        return said

    return run


def some_bytes(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randrange(2**60)
    if kind == 1:
        return rng.randrange(2 ** rng.randrange(1, 60))
    if kind == 2:  # halves of a printed digit, where languages round differently
        return rng.randrange(1, 2**14) * 2 ** rng.randrange(0, 40) // 16
    return rng.randrange(1, 10**6) * 500_000


def test_fmt(js):
    rng = random.Random(1)
    points = [
        [str(some_bytes(rng)), rng.choice([None, *UNITS]), rng.choice([3, 3, 0, 1, 2])] for _ in range(POINTS)
    ]
    assert js("([n, unit, digits]) => fmt(BigInt(n), unit, digits)", points) == [
        fmt(int(n), unit, digits) for n, unit, digits in points
    ]


def test_fmt_seconds(js):
    rng = random.Random(2)
    points = [rng.uniform(1, 10) * 10 ** rng.randrange(-11, 5) for _ in range(POINTS)]
    points += [n / 8 * 10**e for n in range(1, 64) for e in (-6, -3, 0, 1)] + [0.9996, 0.9994, 1000.5, 0]
    assert js("x => fmtSeconds(x)", points) == [fmt_seconds(x) for x in points]


def test_a_tie_rounds_to_even_as_in_python(js):
    assert js("([n]) => fmt(n)", [[2112], [2240]]) == [fmt(2112), fmt(2240)] == ["2.062 KiB", "2.188 KiB"]


def test_the_formula_and_the_products_on_the_way_to_it(js):
    rng = random.Random(3)
    points = [
        {
            "vectors": rng.choice([1, 2]),
            "n_layers": rng.randrange(1, 257),
            "n_kv_heads": rng.randrange(1, 257),
            "head_dim": rng.randrange(1, 1025),
            "context": rng.randrange(1, CONTEXTS),
            "batch": rng.randrange(1, 4097),
            "dtype": rng.choice([*DTYPES]),
        }
        for _ in range(POINTS)
    ]
    products = ("vector", "tensor", "layer", "token", "sequence", "all")
    known = json.dumps(dtypes(DTYPES))
    said = js(
        f"""p => {{
            const shape = {{ ...p, dtype: {known}[p.dtype] }}, got = formula(shape);
            return [...{json.dumps(products)}.map((name) => got[name]), got.numbers, kvBytes(shape)];
        }}""",
        points,
    )

    def expected(vectors, n_layers, n_kv_heads, head_dim, context, batch, dtype):
        latent = LayerKV("latent", n_kv_heads, head_dim, v_head_dim=0)  # one vector a token
        layer = latent if vectors == 1 else LayerKV("full", n_kv_heads, head_dim)
        layout, one = CacheLayout((layer,) * n_layers), CacheLayout((latent,))
        return [
            latent.bytes_per_token(dtype),
            one.bytes(context, batch, dtype),
            layer.bytes_per_token(dtype),
            layout.bytes_per_token(dtype),
            layout.bytes(context, 1, dtype),
            layout.bytes(context, batch, dtype),
            layer.k_elements,
            layout.bytes(context, batch, dtype),
        ]

    assert said == [",".join(map(str, expected(**p))) for p in points]
    full = [p for p in points if p["vectors"] == 2]
    rest = [{key: value for key, value in p.items() if key != "vectors"} for p in full]
    assert [kv_bytes(**p) for p in rest[:100]] == [expected(2, **p)[-1] for p in rest[:100]]


def some_layer(rng, index):
    kind = rng.choice(["full", "sliding", "chunked", "latent", "state", "none", "shared", "cross"])
    heads, dim = rng.randrange(1, 17), rng.choice([64, 80, 128, 576, 33])
    if kind in ("sliding", "chunked"):
        return LayerKV(kind, heads, dim, window=rng.choice([512, 1024, 4096]))
    if kind == "full":
        cross = rng.choice([0, 0, 0, 2 * heads * dim])
        return LayerKV(kind, heads, dim, v_head_dim=rng.choice([None, 64]), cross_elements=cross)
    if kind == "cross":
        return LayerKV(kind, cross_elements=2 * heads * dim)
    if kind == "latent":
        return LayerKV(kind, 1, dim, v_head_dim=0)
    if kind == "shared" and index:
        return LayerKV(kind, shares_with=rng.randrange(index))
    return (
        LayerKV("state", state=(StateTensor(rng.randrange(1, 10**6)),))
        if kind == "state"
        else LayerKV("none")
    )


def some_layout(rng):
    layers = []
    for index in range(rng.randrange(1, 12)):
        layer = some_layer(rng, index)
        if layer.shares_with is not None and layers[layer.shares_with].kind == "shared":
            layer = LayerKV("none")
        layers.append(layer)
    return CacheLayout(tuple(layers))


def test_a_breakdown_s_parts(js):
    rng = random.Random(7)
    points, expected = [], []
    for _ in range(POINTS):
        layout, dtype = some_layout(rng), rng.choice([*DTYPES])
        source_len = rng.randrange(4000) if layout.needs_source_len else None
        context, batch = rng.randrange(1, 2 ** rng.randrange(1, 25)), rng.randrange(1, 4097)
        points.append([groups(layout), context, batch, dtypes([dtype])[dtype], source_len or 0])
        parts = layout.breakdown(context, batch, dtype, source_len)
        kept = sum(layer.tokens(context) for layer in layout.layers)
        expected.append(f"{parts.tokens},{parts.state},{parts.cross},{parts.total},{kept}")
    said = js(
        """([groups, context, ...rest]) => {
            const b = breakdown(groups, context, ...rest);
            const kept = groups.reduce((sum, g) => sum + BigInt(g.layers) * tokensKept(g, context), 0n);
            return [b.tokens, b.state, b.cross, b.total, kept];
        }""",
        points,
    )
    assert said == expected


def test_layouts_and_budgets(js):
    rng = random.Random(4)
    points, expected = [], []
    for i in range(POINTS):
        layout, dtype, gpu = some_layout(rng), rng.choice([*DTYPES]), rng.choice([*GPUS.values()])
        source_len = rng.randrange(2000) if layout.needs_source_len else None
        budget = Budget(
            layout,
            rng.randrange(1, 2 ** rng.randrange(1, 40)),
            gpu,
            gpus=rng.randrange(1, 17),
            overhead_bytes=rng.randrange(2**33),
            dtype=dtype,
            weights_read_bytes=rng.choice([None, rng.randrange(1, 2**35)]),
            source_len=source_len,
        )
        context, batch = rng.randrange(1, 2 ** rng.randrange(1, 25)), rng.randrange(1, 4097)
        points.append(
            {
                "kept": groups(layout),
                "read": read_groups(layout),
                "dtype": dtypes([dtype])[dtype],
                "context": context,
                "batch": batch,
                "source": source_len or 0,
                "usable": budget.usable,
                "weights": budget.weights_bytes,
                "weights_read": budget.weights_read_bytes,
                "overhead": budget.overhead_bytes,
                "bandwidth": gpu.bandwidth * budget.gpus,
            }
        )
        expected.append(
            [
                layout.bytes(context, batch, dtype, source_len),
                layout.bytes_read(context, batch, dtype, source_len),
                budget.room,
                budget.short_by(context, batch),
                budget.decode_floor(context, batch),
                budget.tokens_per_second(context, batch),
                # Python's search for these two is slow: every tenth point has them.
                *([] if i % 10 else [budget.max_sequences(context), budget.max_context(batch)]),
            ]
        )
    said = js(
        """(p, i) => {
            const b = budget(p);
            return JSON.stringify([
                layoutBytes(p.kept, p.context, p.batch, p.dtype, p.source),
                layoutBytes(p.read, p.context, p.batch, p.dtype, p.source),
                b.room, b.short, b.floor, b.rate, ...(i % 10 ? [] : [b.sequences, b.longest]),
            ], (key, value) => (typeof value === "bigint" ? String(value) : value));
        }""",
        points,
    )
    exact = [[str(x) if isinstance(x, int) else x for x in row] for row in expected]
    # JavaScript writes a double above 2**53 with no point; its bytes are text.
    assert [json.loads(text, parse_int=float) for text in said] == exact


def test_arithmetic_and_where_a_step_turns(js):
    rng = random.Random(8)
    points, expected = [], []
    for _ in range(POINTS):
        heads, ratio = rng.randrange(1, 17), rng.randrange(1, 9)
        kinds = [{}, {"window": rng.choice([512, 4096])}]
        layers = [
            LayerKV("sliding" if kind else "full", heads, rng.choice([64, 80, 128]), **kind)
            for kind in rng.choices(kinds, k=rng.randrange(1, 5))
        ]
        layout, dtype = CacheLayout(tuple(layers), n_heads=heads * ratio), rng.choice([*DTYPES])
        weights = rng.randrange(1, 2 ** rng.randrange(1, 38))
        work = Arithmetic(layout, weights, rng.randrange(0, weights))
        gpu, gpus = rng.choice([*GPUS.values()]), rng.randrange(1, 9)
        size = rng.choice([2 * weights, weights, weights // 2])
        budget = Budget(layout, size, gpu, gpus=gpus, dtype=dtype)
        context, batch = rng.randrange(1, 2 ** rng.randrange(1, 20)), rng.randrange(1, 600)
        points.append(
            {
                "work": work_facts(work),
                "layout": groups(layout),
                "dtype": dtypes([dtype])[dtype],
                "weights": size,
                "bandwidth": gpu.bandwidth * gpus,
                "peak": gpu.peak * gpus,
                "context": context,
                "batch": batch,
            }
        )
        expected.append(
            [
                work.decode(context, batch),
                work.prefill(context, batch),
                budget.cache_bound_from(context),
                budget.compute_bound_from(context, work),
                budget.compute_bound_prompt(work),
            ]
        )
    said = js(
        """p => {
            const each = (n) => layoutBytes(p.layout, n, 1, p.dtype), t = turns({ ...p, each, kept: each });
            const ops = [false, true].map((prefill) => arithmetic(p.work, p.context, p.batch, prefill));
            return [...ops, t.cache, t.compute, t.prompt].map(String).join();
        }""",
        points,
    )
    assert said == [",".join("null" if n is None else str(n) for n in row) for row in expected]
    assert {row[3] is None for row in expected} == {row[4] is None for row in expected} == {True, False}


def test_decode_counts(js):
    points = [[prompt, step] for prompt in range(1, 26) for step in range(1, 41)]
    said = js("([prompt, step]) => JSON.stringify(decodeCounts(prompt, step))", points)
    assert [json.loads(text) for text in said] == [counts(*point) for point in points]


def test_recorded_numbers_arrive_as_they_were_packed(page):  # noqa: F811
    import numpy as np

    rng = np.random.default_rng(8)
    page.goto("about:blank")
    page.add_script_tag(content=(STATIC / "recorded.js").read_text(encoding="utf-8"))
    for kind in KINDS:
        held = np.dtype(f"<{kind}")
        if held.kind == "f":
            values = rng.normal(size=(3, 4, 5)).astype(held)
        else:
            values = rng.integers(np.iinfo(held).min, np.iinfo(held).max, (3, 4, 5), endpoint=True)
        read = """packed => {
            const u = unpacked(packed);
            return [[...u], u.shape, u.at(0, 0, 0), u.at(1, 2, 3), u.at(2, 3, 4)];
        }"""
        picked = [values[0, 0, 0], values[1, 2, 3], values[2, 3, 4]]
        assert page.evaluate(read, packed(values, kind)) == [
            values.ravel().tolist(), [3, 4, 5], *(x.item() for x in picked)
        ]  # fmt: skip


def test_numbers_that_their_kind_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="values must fit u1 exactly; they lie from 0 to 256"):
        packed([0, 256], "u1")
    with pytest.raises(ValueError, match="unknown kind 'f8'"):
        packed([0.5], "f8")
