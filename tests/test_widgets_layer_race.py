"""Layer by layer: of any two shipped models, every layer and both totals to the byte; and pasted configs."""

import random

import pytest

from kvlib import CacheLayout, fmt
from kvlib.configs import layout
from kvlib.layouts import KINDS, LayerKV, StateTensor
from kvlib.widgets import LayerRace
from kvlib.widgets.base import STATIC
from kvlib.widgets.layer_race import AXES, PRECISIONS, WORDS, order

from .browser import chromium, page, show  # noqa: F401
from .drive import drive

TABLE = """el => {
    el.querySelector(".kv-data").open = true;
    el.querySelector(".kv-data").dispatchEvent(new Event("toggle"));
    const text = s => [...el.querySelectorAll(s)].map(e => e.textContent);
    return [text(".kv-big")[0], text(".kv-why")[0], text(".kv-race-said")[0], text(".kv-race-name strong"),
        [...el.querySelectorAll(".kv-data tbody tr")].map(r => r.lastChild.textContent)];
}"""


def cross(layer, w):
    return w.source_len * layer.cross_bytes_per_token(w.dtype)


def some_pairs(w, seed):
    """Every shipped model once as the first, against some other or none, each at some setting."""
    rng = random.Random(seed)
    return [
        {
            "model": name,
            "other": rng.choice([*w.strips, "none"]),
            "context": rng.randrange(1, 2 ** rng.randrange(1, 25)),
            "dtype": rng.choice(PRECISIONS),
            "source_len": rng.randrange(4000),
            "axes": rng.choice(AXES),
        }
        for name in w.strips
    ]


def test_every_layer_s_bytes_and_the_totals_are_kvlib_s(page):  # noqa: F811
    w = LayerRace()
    points = some_pairs(w, 1) + some_pairs(w, 2)
    turns = set()
    for point, shown in zip(points, drive(page, w, points, TABLE), strict=True):
        big, why, said, totals, layers = shown
        w.set_state(point)
        assert layers == [
            f"{x.tokens(w.context) * x.bytes_per_token(w.dtype) + x.state_bytes + cross(x, w):,}"
            for racer in w.racers.values()
            for x in racer.layers
        ]
        kept = [fmt(w.nbytes(name)) for name in w.racers]
        assert totals == kept and why.startswith(w.said_order()) and said.startswith(w.said_ratio())
        one = f"{kept[0]} at {w.context:,} token{'s' if w.context > 1 else ''}"
        assert big == (" against ".join(kept) if len(kept) > 1 else one)
        turns.add(len(w.order))
    assert {0, 1, 2, 3} <= turns


def test_the_order_is_what_every_context_says(page):  # noqa: F811
    """Against a comparison at each context, in Python and in the page."""
    rng = random.Random(3)
    page.goto("about:blank")
    for name in ("maths.js", "layer_race.model.js"):
        page.add_script_tag(path=STATIC / name)

    def some():
        window, rate, early = rng.randrange(1, 60), rng.randrange(4), rng.randrange(5)
        return [rng.choice([0, 0, rng.randrange(90)]), rate, early, window]

    def kept(state, rate, early, window):
        return lambda n: state + rate * n + early * min(n, window)

    points = [[some(), some(), rng.randrange(1, 100)] for _ in range(2000)]
    points += [
        [[0, 1, 0, 5], [0, 1, 0, 5], 9],
        [[0, 0, 2, 10], [10, 1, 0, 5], 40],
        [[5, 0, 0, 1], [0, 1, 0, 1], 9],
    ]
    said = page.evaluate(
        """points => points.map(([a, b, last]) => {
            const kept = ([state, rate, early, window]) => n =>
                BigInt(state + rate * n + early * Math.min(n, window));
            return order(kept(a), kept(b), [a[3], b[3]], last);
        })""",
        points,
    )
    for (one, two, last), shown in zip(points, said, strict=True):
        a, b = kept(*one), kept(*two)
        runs = order(a, b, [one[3], two[3]], last)
        signs = [(a(n) > b(n)) - (a(n) < b(n)) for n in range(1, last + 1)]
        # Equal for one token between two that are not is no stretch of its own.
        for i in range(1, last - 1):
            if signs[i] == 0 and signs[i - 1] and signs[i + 1]:
                signs[i] = None
        told = [(n, s) for n, s in enumerate(signs, 1) if s is not None]
        expected = [x for i, x in enumerate(told) if not i or x[1] != told[i - 1][1]]
        assert runs == expected == [tuple(run) for run in shown], (one, two, last)


def test_the_book_s_pair_turns_where_the_text_says():
    w = LayerRace()
    assert (w.model, w.other, w.longest) == ("gemma-2-27b", "llama-3-70b", 8192)
    assert w.order == [(1, 1), (5542, -1)]
    gemma, llama = layout("gemma-2-27b"), layout("llama-3-70b")
    assert gemma.bytes(5541) > llama.bytes(5541) and gemma.bytes(5542) < llama.bytes(5542)
    assert (
        w.said_order() == "Up to 5,541 tokens gemma-2-27b keeps more; from 5,542 on llama-3-70b keeps more."
    )
    assert w.said_ratio() == "gemma-2-27b keeps 1.15 times as much as llama-3-70b."
    w.other = "llama-3.1-8b"
    assert w.said_order() == "gemma-2-27b keeps more at every context up to 131,072 tokens, never overtaken."
    w.other = "none"
    assert w.said_order() == w.said_ratio() == "" and w.order == []


def test_nbytes_is_the_layout_s():
    w = LayerRace("gemma-2-27b", context=8192)
    assert w.nbytes("gemma-2-27b") == layout("gemma-2-27b").bytes(8192) == 2_315_255_808
    w.dtype = "int8"
    assert w.nbytes("llama-3-70b", 100) == layout("llama-3-70b").bytes(100, dtype="int8")
    w = LayerRace("whisper-tiny", context=448)
    assert w.nbytes("whisper-tiny") == layout("whisper-tiny").bytes(448, source_len=1500)
    w.source_len = 0
    assert w.nbytes("whisper-tiny") == layout("whisper-tiny").bytes(448, source_len=0)


def test_the_source_is_asked_for_where_a_model_has_one(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerRace("whisper-tiny", context=448))
    source = page.get_by_role("spinbutton", name="Source", exact=True)
    assert source.input_value() == "1500"
    big = page.locator(".kv-big")
    assert big.inner_text() == f"{fmt(layout('whisper-tiny').bytes(448, source_len=1500))} at 448 tokens"
    assert "8.789 MiB of cross attention: 6 KiB for each token of the other sequence, here 1,500." in (
        page.locator(".kv-body").inner_text()
    )
    source.fill("3000")
    assert big.inner_text() == f"{fmt(layout('whisper-tiny').bytes(448, source_len=3000))} at 448 tokens"
    page.get_by_label("Model").select_option("gpt2")
    assert not source.is_visible() and "other sequence" not in page.locator(".kv-body").inner_text()


def test_the_static_table_is_the_race_in_words():
    layers = (LayerKV("full", 2, 8, cross_elements=32), LayerKV("state", state=(StateTensor(512),)))
    windowed = CacheLayout((LayerKV("sliding", 2, 8, window=50),) * 2, max_context=200)
    models = {"crossed": CacheLayout(layers, max_context=80), "windowed": windowed}
    w = LayerRace("crossed", "windowed", models=models, context=100, source_len=16)
    table = w.table()
    assert table.headers == [
        "kind",
        "layers",
        "1 token",
        "50 tokens",
        "100 tokens",
        "150 tokens",
        "200 tokens",
    ]
    assert [[row[0], row[1], row[2], row[4], row[6]] for row in table.rows] == [
        [
            "crossed: full attention",
            1,
            "1.062 KiB",
            "7.25 KiB",
            "13.5 KiB",
        ],  # 64 bytes a token, 1 KiB of cross
        ["crossed: fixed state", 1, "1 KiB", "1 KiB", "1 KiB"],
        ["crossed: all", 2, "2.062 KiB", "8.25 KiB", "14.5 KiB"],
        ["crossed: of it state", "", "1 KiB", "1 KiB", "1 KiB"],
        ["crossed: of it cross", "", "1 KiB", "1 KiB", "1 KiB"],
        ["windowed: sliding window of 50", 2, "128 B", "6.25 KiB", "6.25 KiB"],
        ["windowed: all", 2, "128 B", "6.25 KiB", "6.25 KiB"],
    ]
    assert table.caption == (
        "The layers of crossed and windowed, bf16 and a source of 16, as the context grows. "
        "Up to 32 tokens crossed keeps more; from 33 on windowed keeps more; from 69 on crossed keeps more. "
        "At 100 tokens crossed keeps 1.32 times as much as windowed. crossed was made for 80 tokens."
    )


def test_a_model_may_have_more_kinds_of_layers_than_letters(page):  # noqa: F811
    layers = tuple(LayerKV("full", 1, dim) for dim in range(1, 91))
    w = LayerRace(models={"all": CacheLayout(layers)}, context=10)
    read = """el => [el.querySelectorAll(".kv-legend li").length,
        el.querySelector(".kv-big").textContent]"""
    assert drive(page, w, [{}], read) == [[90, f"{fmt(w.nbytes('all'))} at 10 tokens"]]


def test_each_kind_has_a_word_and_a_letter_and_a_look_of_its_own(page):  # noqa: F811
    layers = (
        LayerKV("full", 2, 8), LayerKV("sliding", 2, 8, window=4), LayerKV("chunked", 2, 8, window=4),
        LayerKV("latent", 1, 8, v_head_dim=0), LayerKV("shared", shares_with=0), LayerKV("none"),
        LayerKV("state", state=(StateTensor(32),)), LayerKV("cross", cross_elements=32),
    )  # fmt: skip
    assert set(WORDS) == set(KINDS) == {x.kind for x in layers}
    w = LayerRace(models={"all": CacheLayout(layers)})
    read = """el => [
        [...el.querySelectorAll(".kv-layer-letter")].map(t => t.textContent).filter(t => t.length === 1),
        [...el.querySelectorAll(".kv-legend .kv-swatch rect")].map(r => r.style.fill),
        el.querySelector(".kv-body").textContent]"""
    [[letters, fills, text]] = drive(page, w, [{"context": 16}], read)
    assert len(set(letters)) == 8
    hollow = "var(--kv-paper)"  # what keeps nothing has no strip either
    assert fills.count(hollow) == 2 and len(set(fills)) == 7
    assert "64 B of fixed state" in text and "64 B for each token of the other sequence" in text


def test_the_text_says_windows_and_the_end_of_the_context(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerRace("gemma-2-27b", "llama-3.1-8b", context=8192))
    assert page.locator(".kv-big").inner_text() == "2.156 GiB against 1 GiB"
    assert "gemma-2-27b was made for 8,192 tokens." in page.locator(".kv-why").inner_text()
    said = page.locator(".kv-race-said")
    assert said.inner_text() == (
        "gemma-2-27b keeps 2.16 times as much as llama-3.1-8b. "
        "Without windows gemma-2-27b's would be 2.875 GiB."
    )
    assert page.locator(".kv-race-beyond").count() == 0
    page.get_by_role("slider", name="Context, slider").press("ArrowRight")
    assert "beyond the 8,192 tokens gemma-2-27b was made for: the hollow part of its bar" in said.inner_text()
    assert page.locator(".kv-race-beyond").count() == 1
    page.get_by_label("Model").select_option("llama-3.1-8b")
    assert page.locator(".kv-big").inner_text() == "1.25 GiB at 10,240 tokens"  # against itself: one model
    page.locator("summary").press("Enter")
    page.locator(".kv-data tbody tr").nth(31).wait_for()
    assert page.locator(".kv-data tbody tr").count() == 32
    assert page.locator("textarea").count() == 0  # only a kernel can read a config


def test_what_a_shared_layer_reads_is_said(page):  # noqa: F811
    w = LayerRace("gemma-3n-e4b")
    read = f"""el => [el.querySelector(".kv-legend").textContent, ({TABLE})(el),
        [...el.querySelectorAll(".kv-data tbody tr")].map(r => r.cells[1].textContent)]"""
    [[legend, _, kinds]] = drive(page, w, [{}], read)
    shares = [x.shares_with for x in layout("gemma-3n-e4b").layers]
    said = [f"reads layer {n}'s" for n in shares if n is not None]
    assert [k for k in kinds if k.startswith("reads layer")] == said and len(said) == 15
    assert "R: reads an earlier layer's cache 15 layers of layers 18, 19" in legend


HEIGHTS = r"""el => [...el.querySelectorAll(".kv-layer")].map(p =>
    Math.max(...[...p.getAttribute("d").matchAll(/v([\d.]+)h/g)].map(m => Number(m[1]))))"""
LONG = r"""el => [...el.querySelectorAll(".kv-race-lane")].map(lane => {
    const boxes = [...lane.querySelectorAll(".kv-race-part, .kv-race-beyond")].map(p => p.getBBox());
    return Math.max(...boxes.map(b => b.x + b.width));
})"""


def end(most):
    """Where a linear axis ends: a whole number of ticks, at most six, at a power of two each."""
    tick = 1
    while tick * 6 <= most:
        tick *= 2
    return tick * -(-most // tick)


@pytest.mark.parametrize("names", [("llama-3.1-8b", "gemma-3-27b"), ("gemma-2-27b", "llama-3-70b")])
def test_a_bar_is_as_long_as_its_share_of_one_axis(page, names):  # noqa: F811
    """One scale at every context and for both: what grows is seen to grow, a window to have stopped."""
    w = LayerRace(*names)
    models = [layout(name) for name in names]
    high = end(max(layer.bytes_per_token() for model in models for layer in model.layers) * w.longest)
    long = end(max(w.nbytes(name, w.longest) for name in names))
    contexts = [w.longest // n for n in (256, 16, 4, 2, 1)]
    read = f"el => [({HEIGHTS})(el), ({LONG})(el), el.querySelector('.kv-race-axis').clientWidth]"
    shown = drive(page, w, [{"context": n} for n in contexts], read)
    for context, (heights, ends, width) in zip(contexts, shown, strict=True):
        kept = [layer.tokens(context) * layer.bytes_per_token() for model in models for layer in model.kinds]
        assert heights == pytest.approx([max(1, 84 * n / high) for n in kept], abs=0.06)
        # A pixel of paper lies between two parts.
        assert ends == pytest.approx(
            [(width - 2) * w.nbytes(name, context) / long for name in names], abs=0.3
        )
    for before, after in zip(shown, shown[1:], strict=False):
        assert all(b >= a for a, b in zip(before[0] + before[1], after[0] + after[1], strict=True))


def test_on_logarithmic_axes_equal_ratios_are_equal_lengths(page):  # noqa: F811
    w = LayerRace("deepseek-v3", "qwen-3-next-80b", axes="logarithmic")
    read = f"el => [({HEIGHTS})(el), ({LONG})(el)]"
    shown = drive(page, w, [{"context": n} for n in (1024, 8192, 65_536)], read)
    (low, less), (middle, _), (high, more) = shown
    latent, state, full = range(3)
    assert high[latent] - middle[latent] == pytest.approx(middle[latent] - low[latent], abs=0.11)
    assert low[state] == middle[state] == high[state] > 1
    assert high[full] - low[full] == pytest.approx(high[latent] - low[latent], abs=0.11)
    assert less[0] < less[1] and more[0] > more[1]  # overtaken at 1,704 tokens


def test_a_layer_that_has_stopped_has_a_cap(page):  # noqa: F811
    w = LayerRace("gemma-2-27b", "jamba-v0.1")
    read = """el => [...el.querySelectorAll(".kv-race-cap")].map(
        p => (p.getAttribute("d").match(/M/g) ?? []).length)"""
    shown = drive(page, w, [{"context": n} for n in (4095, 4096)], read)
    assert shown == [[0, 28], [23, 28]]  # the windows of Gemma; Jamba's states never grow


def test_the_axes_name_their_scale(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerRace("llama-3.1-8b", context=1000))
    texts = page.locator(".kv-race-layers text").all_text_contents()
    assert [t for t in texts if " " in t] == ["0 B", "128 MiB", "256 MiB", "384 MiB", "512 MiB"]
    totals = page.locator(".kv-race-axis text").all_text_contents()
    assert totals == ["0 B", "4 GiB", "8 GiB", "12 GiB", "16 GiB"]


def test_the_turn_is_marked_where_the_bars_meet(page):  # noqa: F811
    w = LayerRace()
    read = f"""el => [({LONG})(el),
        [...el.querySelectorAll(".kv-race-lane .kv-limit")].map(l => Number(l.getAttribute("x1"))),
        el.querySelector(".kv-race-turn").textContent]"""
    [[ends, marks, words]] = drive(page, w, [{"context": 5542}], read)
    assert marks == pytest.approx([ends[0]] * 2, abs=1.2) and ends[1] >= ends[0]
    assert words == "overtaking at 5,542 tokens, 1.69 GiB"
    w = LayerRace("mistral-7b-v0.1", "llama-3.1-8b")
    assert drive(page, w, [{}], read)[0][2] == "apart from 4,097 tokens, 512 MiB"


@pytest.mark.parametrize("axes", AXES)
def test_it_is_scrubbed_and_played_from_one_token_to_the_longest_context(page, tmp_path, axes):  # noqa: F811
    show(page, tmp_path, LayerRace("gemma-2-27b", "llama-3.1-8b", axes=axes))
    field = page.get_by_role("spinbutton", name="Context", exact=True)
    slider = page.get_by_role("slider", name="Context, slider")
    slider.press("Home")
    assert field.input_value() == "1"
    seen = [1]
    for _ in range(int(slider.get_attribute("max"))):
        slider.press("ArrowRight")
        seen.append(int(field.input_value()))
    assert seen == sorted(set(seen)) and seen[-1] == 131_072 and len(seen) > 50
    page.get_by_role("button", name="Back: Context").press("Enter")
    assert int(field.input_value()) == seen[-2]
    page.get_by_role("button", name="Play: Context").press("Enter")
    page.get_by_role("button", name="Play: Context").wait_for()  # it ends by itself
    assert field.input_value() == "131072"
    page.get_by_label("Against").select_option("llama-3-70b")  # made for fewer tokens
    assert field.input_value() == "8192" and slider.input_value() == slider.get_attribute("max")
