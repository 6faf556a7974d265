"""The byte river: what it shows is what kvlib computes, over many settings; it is dragged, played, pinned."""

import random
import re

import pytest

from kvlib import configs
from kvlib.hardware import GPUS
from kvlib.units import fmt, fmt_seconds
from kvlib.widgets import ByteRiver
from kvlib.widgets.river import MODELS, PHASES, PRECISIONS, UNKNOWN

from .browser import chromium, page, show  # noqa: F401
from .drive import drive

TABLE = """el => {
    el.querySelector('.kv-data').open = true;
    return [...el.querySelectorAll('.kv-data tbody tr')].map(tr => [...tr.cells].map(c => c.textContent));
}"""
DRAWN = """el => {
    const box = (s) => [...el.querySelectorAll(s)].map(e => e.getBBox())
        .map(b => [b.x, b.y, b.width, b.height]);
    const bands = (e) => (e.getAttribute('d').match(/M/g) ?? []).length;
    const parts = [...el.querySelectorAll('.kv-river .kv-part')];
    return { parts: box('.kv-river .kv-part'), bands: parts.map(bands), whole: box('.kv-river .kv-whole'),
        read: box('.kv-river-read'), busy: box('.kv-river-busy'),
        chip: box('.kv-river-chip'), spill: box('.kv-river-spill'),
        limit: el.querySelector('.kv-limit').getAttribute('y1'), big: el.querySelector('.kv-big').textContent,
        why: el.querySelector('.kv-why').textContent };
}"""


def settings(seed, n):
    rng = random.Random(seed)
    return [
        {
            "phase": rng.choice(PHASES),
            "model": rng.choice(MODELS),
            "gpu": rng.choice([*GPUS]),
            "weights": rng.choice(PRECISIONS),
            "dtype": rng.choice(PRECISIONS),
            "context": rng.randrange(1, 2 ** rng.randrange(1, 18)),
            "batch": rng.randrange(1, 2 ** rng.randrange(1, 10)),
            "elapsed": rng.randrange(101),
            "pinned": rng.random() < 0.3,
        }
        for _ in range(n)
    ]


def python(w, point):
    for name, value in point.items():
        setattr(w, name, value)
    return w


def test_every_number_is_kvlib_s(page):  # noqa: F811
    w = ByteRiver()
    points = settings(1, 300)
    shown = drive(page, w, [{"context": 8191}, *points], TABLE)[1:]
    bounds, ends = set(), set()
    for point, rows in zip(points, shown, strict=True):
        expected = python(w, point).table().rows
        assert rows == expected, point
        cells = dict(expected)
        bounds.add(cells.get("bound by"))
        ends |= {cells["decode: more arithmetic than reading from"] == text for text in ("never", UNKNOWN)}
    assert bounds == {None, "weights", "cache", "arithmetic"} and ends == {True, False}


def test_the_drawing_is_to_scale(page):  # noqa: F811
    w = ByteRiver()
    points = [
        {"elapsed": 0},
        {"elapsed": 20},
        {"elapsed": 100},
        {"gpu": "L4", "batch": 9, "weights": "fp8", "elapsed": 60},
        {"phase": "prefill", "context": 2000, "batch": 2},
    ]
    for point, d in zip(points, drive(page, w, points, DRAWN), strict=True):
        s = python(w, point).setting
        b, step, gpu = s.budget, s.step(s.running), GPUS[s.gpu]
        px = 240 / gpu.memory
        # In the memory the weights, then a band for each sequence; in the pipe the same.
        (_, top, _, height), (_, _, _, caches) = d["parts"][:2]
        assert (top, height) == (24, pytest.approx(px * b.weights_bytes, abs=0.11))
        one = px * b.cache_bytes(s.context)
        if one >= 2:
            assert d["bands"][1] == s.running
        assert caches == pytest.approx(s.running * one - (one >= 2), abs=0.5)
        assert float(d["limit"]) == pytest.approx(24 + 0.9 * 240, abs=0.01)
        pipe = d["whole"][1]
        assert pipe[3] == pytest.approx(max(4, 100 * gpu.bandwidth / 8e12))
        chip, busy = d["chip"][0], d["busy"][0]
        assert busy[3] / chip[3] == pytest.approx(step.compute / step.seconds, abs=1e-6)
        flow = [part[3] for part in d["parts"][2:] if part[2]]
        assert all(h == pytest.approx(pipe[3] * step.moving / step.seconds, abs=0.11) for h in flow)
        # What has been read: the weights first, each sequence's cache after them.
        passed = w.elapsed / 100 * (step.weights + step.cache)
        if passed <= step.weights:
            read = px * b.weights_bytes * passed / step.weights
        else:
            read = px * b.weights_bytes + one * (passed - step.weights) / b.cache_bytes(s.context)
        assert d["read"][0][3] == pytest.approx(read, abs=0.1)


def test_the_caption_turns(page):  # noqa: F811
    """On an H100 from the weights to the cache to arithmetic."""
    w = ByteRiver()
    turn = w.setting.budget.cache_bound_from(8192)
    short = w.setting.budget.compute_bound_from(64, w.setting.arithmetic)
    prompt = w.setting.budget.compute_bound_prompt(w.setting.arithmetic)
    points = [
        {"batch": turn - 1},
        {"batch": turn},
        {"context": 64, "batch": short - 1},
        {"batch": short},
        {"phase": "prefill", "batch": 1, "context": prompt - 1},
        {"context": prompt},
    ]
    shown = drive(page, w, points, DRAWN)
    ends = ["the weights", "the cache", "the weights", "arithmetic", "the weights", "arithmetic"]
    assert [re.search("bound by (.*)", d["big"])[1] for d in shown] == ends
    more = fmt_seconds(w.setting.budget.cache_bytes(8192) / 3350e9)
    for batch, d in zip((turn - 1, turn), shown, strict=False):
        share = 100 * 15_009_849_344 / (15_009_849_344 + batch * 2**30)
        said = (
            f"Weights {share:.0f} %, cache {100 - share:.0f} % of what moves; one more sequence adds {more}."
        )
        assert d["why"].startswith(said)
    assert f"outweighs the weights from {turn} sequences on" in shown[1]["why"]
    assert "limit for no number of sequences" in shown[1]["why"]
    assert f"Arithmetic is the limit from {short} sequences on." in shown[3]["why"]
    assert f"bound by arithmetic from {prompt} tokens on" in shown[5]["why"]


def test_what_passes_is_said_in_words(page):  # noqa: F811
    """And a number of sequences beyond what fits is said to be so."""
    label = """el => [el.querySelector('.kv-river').getAttribute('aria-label'),
        el.querySelector('.kv-why').textContent]"""
    points = [{"elapsed": 10}, {"elapsed": 60}, {"phase": "prefill"}, {"elapsed": 100}]
    (weights, _), (cache, _), (written, _), (end, _), (_, why) = drive(
        page,
        ByteRiver(),
        [*points, {"phase": "decode", "gpu": "L4", "context": 300, "dtype": "fp8"}],
        label,
    )
    assert weights.endswith("10 % of the step has passed: the weights pass, for all sequences.")
    # 13.979 GiB of weights and 16 of cache: at 60 %, 4.009 of the cache have passed.
    assert cache.endswith("60 % of the step has passed: the cache of sequence 5 of 16 passes.")
    assert written.endswith("the cache of prompt 5 of 16 is written.") and end.endswith("all has passed.")
    s = python(ByteRiver(), {"gpu": "L4", "context": 300, "dtype": "fp8"}).setting
    turn, most = s.budget.compute_bound_from(300, s.arithmetic), s.budget.max_sequences(300)
    assert turn > most and f"limit from {turn:,} sequences on, more than fit." in why


def test_what_does_not_fit_spills(page):  # noqa: F811
    w = ByteRiver()
    points = [{"gpu": "L4"}, {"batch": 1}, {"model": "llama-3.1-70b"}]
    some, all_fit, none = drive(page, w, points, DRAWN)
    s = python(w, {"gpu": "L4", "batch": 16}).setting
    assert 0 < s.running < 16 and len(some["spill"]) == 1
    step = fmt_seconds(s.step(s.running).seconds)
    assert some["big"] == f"Step {step}: bound by the weights; {s.running} of 16 fit"
    assert f"Of the {s.running} sequences that fit: weights" in some["why"]
    assert all_fit["spill"] == [] and "fit" not in all_fit["big"]
    s = python(w, {"batch": 1, "model": "llama-3.1-70b"}).setting
    assert s.running == 0 and none["big"] == f"Does not fit: {fmt(s.budget.short_by(8192))} short"
    assert none["read"] == none["busy"] == [] and len(none["spill"]) == 1


def test_without_a_peak_that_side_is_left_open(page):  # noqa: F811
    (d,) = drive(page, ByteRiver(), [{"gpu": "A10G", "batch": 2, "context": 100}], DRAWN)
    assert "No source was found for this GPU's peak" in d["why"]
    cells = dict(ByteRiver(gpu="A10G", batch=2, context=100).table().rows)
    assert cells["arithmetic takes"] == cells["prefill: more arithmetic than moving from"] == UNKNOWN


@pytest.mark.parametrize("touch", [False, True])
def test_sequences_are_dragged_by_the_cache_s_edge(chromium, tmp_path, touch):  # noqa: F811
    context = chromium.new_context(viewport={"width": 1000, "height": 900}, has_touch=touch)
    page = show(context.new_page(), tmp_path, ByteRiver())  # noqa: F811
    grip, field = page.locator(".kv-river-grip"), page.get_by_role("spinbutton", name="Sequences", exact=True)
    grip.scroll_into_view_if_needed()
    box, memory = grip.bounding_box(), page.locator(".kv-river .kv-whole").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    band = memory["height"] * 2**30 / GPUS["H100"].memory  # 8,192 tokens are 1 GiB
    if touch:
        cdp = context.new_cdp_session(page)

        def send(kind, points):
            cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        send("touchStart", [{"x": x, "y": y}])
        for part in (0.5, 1):
            send("touchMove", [{"x": x, "y": y + part * 8 * band}])
        send("touchEnd", [])
    else:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 8 * band, steps=3)
        page.mouse.up()
    page.wait_for_function("document.querySelector('.kv-big').textContent.startsWith('Step 12')")
    assert abs(int(field.input_value()) - 24) <= 1
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.includes('one more sequence')")
    context.close()


def test_presets_and_a_pinned_setting(page, tmp_path):  # noqa: F811
    w = ByteRiver()
    show(page, tmp_path, w)
    for name, (length, batch) in {
        "Chat": (2048, 1),
        "One 128K document": (131072, 1),
        "64 users": (4096, 64),
    }.items():
        page.get_by_role("button", name=name).press("Enter")
        s = python(w, {"context": length, "batch": batch}).setting
        assert page.locator(".kv-big").inner_text().startswith(f"Step {fmt_seconds(s.step(batch).seconds)}:")
    users = w.setting.step(64).seconds
    page.get_by_role("button", name="Pin this as A").press("Enter")
    page.get_by_role("button", name="Chat").press("Enter")
    chat = python(w, {"context": 2048, "batch": 1}).setting.step(1).seconds
    said = f"A, pinned, took {fmt_seconds(users)}: this step takes {chat / users:.2f} times as long."
    assert page.locator(".kv-why").inner_text().endswith(said)
    page.wait_for_url(re.compile("river.pinned=true.*river.a_batch=64"))
    page.reload()
    assert page.locator(".kv-why").inner_text().endswith(said)
    page.get_by_role("button", name="Unpin A").press("Enter")
    assert "pinned" not in page.locator(".kv-why").inner_text()


def test_a_step_is_played_a_thousand_times_slower(page, tmp_path):  # noqa: F811
    """The pace follows the step: 96 ms a hundredth, for 9.6 ms."""
    page.add_init_script("""{ globalThis.paces = []; const every = setInterval;
        globalThis.setInterval = (f, ms) => { paces.push(ms); return every(f, ms); }; }""")
    w = ByteRiver(elapsed=0)
    show(page, tmp_path, w)
    assert "Played 1,000 times slower" in page.locator(".kv-body").inner_text()
    page.get_by_role("button", name="Play: Elapsed").press("Enter")
    page.wait_for_function("Number(document.querySelector('.kv-river-played input[type=number]').value) > 2")
    page.get_by_role("button", name="Pause: Elapsed").press("Enter")
    assert page.evaluate("paces.at(-1)") == pytest.approx(10_000 * w.setting.step(16).seconds)


def test_only_models_that_can_be_counted_are_offered():
    for name in MODELS:
        assert configs.parameters(name).active == configs.parameters(name).total
    with pytest.raises(ValueError, match="unknown model 'mixtral-8x7b'"):
        ByteRiver(model="mixtral-8x7b")


CROWDED = """el => {
    const texts = [...el.querySelectorAll('.kv-river text')];
    const all = texts.map(e => [e.textContent, e.getBoundingClientRect()]);
    const box = el.querySelector('.kv-river').getBoundingClientRect();
    const out = all.filter(([, r]) => r.left < box.left - 1 || r.right > box.right + 1);
    const over = all.flatMap(([, a], i) => all.slice(i + 1).filter(([, b]) =>
        a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom));
    return [...out, ...over].map(([text]) => text);
}"""


@pytest.mark.parametrize("width", [1280, 360])
def test_no_label_sticks_out_or_lies_on_another(page, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 900})
    points = settings(2, 60)
    assert drive(page, ByteRiver(), points, CROWDED) == [[]] * len(points)
