"""The budget: what it shows is what kvlib computes, alone and beside another; its presets, its links."""

import random
import re
from dataclasses import replace

import pytest

from kvlib import fmt, fmt_seconds, models, parameters
from kvlib.hardware import GPUS
from kvlib.widgets import BudgetWidget
from kvlib.widgets.budget_settings import PRESETS, facts, shipped
from kvlib.widgets.budget_table import beside

from .browser import chromium, page, show  # noqa: F401
from .drive import drive, live
from .test_widgets_base import TOYS, kv

OFFERED = ["llama-3.1-8b", "llama-3-8b", "gemma-3-27b", "mistral-7b-v0.1", "mixtral-8x7b", "mamba-130m",
           "whisper-large-v3", "deepseek-v3", "gpt2"]  # fmt: skip
PRECISIONS = ["fp32", "bf16", "fp8", "q8_0", "q4_0"]
SHOWN = """el => {
    el.querySelectorAll('.kv-data').forEach(e => { e.open = true; });
    const cells = (tr) => [...tr.cells].map(c => c.textContent);
    const rows = (of) => [...of.querySelectorAll('tbody tr')].map(cells);
    const part = (e) => [e.dataset.role, e.x.baseVal.value, e.width.baseVal.value];
    const bar = (e) => ({
        parts: [...e.querySelectorAll('.kv-part')].map(part).filter(p => p[2]),
        limit: e.querySelector('.kv-limit').x1.baseVal.value,
        end: 1 + e.querySelector('.kv-whole').width.baseVal.value,
        width: e.width.baseVal.value, says: e.getAttribute('aria-label') });
    const edge = el.querySelector('.kv-budget-edge');
    const names = ['aria-valuenow', 'aria-valuetext', 'aria-valuemax'];
    return { big: el.querySelector('.kv-big').textContent, why: el.querySelector('.kv-why').textContent,
        table: rows(el.querySelector('.kv-data')), caption: el.querySelector('.kv-data caption')?.textContent,
        against: [...el.querySelectorAll('.kv-body .kv-scroll')].map(rows)[0] ?? null,
        facts: [...el.querySelectorAll('.kv-facts > div')].map(e => [...e.children].map(c => c.textContent)),
        bars: [...el.querySelectorAll('.kv-stack')].filter(e => e.checkVisibility()).map(bar),
        edge: parseFloat(edge.style.left) + parseFloat(edge.style.getPropertyValue('--kv-line')),
        now: names.map(n => edge.getAttribute(n)) };
}"""


def settings(seed, n):
    rng = random.Random(seed)

    def one(prefix=""):
        return {
            prefix + "model": rng.choice(OFFERED),
            prefix + "gpu": rng.choice([*GPUS]),
            prefix + "gpus": rng.choice([1, 1, 2, 8, rng.randrange(1, 65)]),
            prefix + "weights": rng.choice(PRECISIONS),
            prefix + "dtype": rng.choice(PRECISIONS),
            prefix + "context": rng.randrange(1, 2 ** rng.randrange(1, 24)),
            prefix + "batch": rng.randrange(1, 2 ** rng.randrange(1, 12)),
            prefix + "source_len": rng.randrange(3000),
            prefix + "utilization": rng.randrange(1, 101),
            prefix + "overhead_mib": rng.randrange(2 ** rng.randrange(1, 20)),
        }

    others = {"moves": ["sequences", "context"], "pinned": [False, True]}
    return [one() | one("a_") | {name: rng.choice(of) for name, of in others.items()} for _ in range(n)]


def python(w, point):
    for name, value in point.items():
        setattr(w, name, value)
    return w


def quiet(budget):
    return replace(budget, layout=replace(budget.layout, max_context=None))


def test_every_number_is_kvlib_s(page):  # noqa: F811
    """Over 250 settings: the verdict, the table, the comparison, both bars and the edge."""
    w = BudgetWidget("gpt2", models=OFFERED)
    points = settings(7, 250)
    seen = set()
    for point, shown in zip(points, drive(page, w, [{}, *points], SHOWN)[1:], strict=True):
        python(w, point)
        b = quiet(w.budget)
        needed = b.weights_bytes + b.overhead_bytes + b.cache_bytes(w.context, w.batch)
        short = b.short_by(w.context, w.batch)
        verdict = (
            f"Does not fit: {fmt(short)} short" if short else f"Fits, with {fmt(b.usable - needed)} to spare"
        )
        assert shown["big"] == verdict, point
        assert verdict.split(":")[0] in shown["now"][1] and shown["bars"][0]["says"].startswith(verdict)
        compared = w.table().rows if w.pinned else None
        assert shown["against"] == compared, point
        w.pinned = False
        table = w.table()
        assert (shown["table"], shown["caption"]) == (table.rows, table.caption), point
        cells = {row[0]: row[1] for row in table.rows}
        assert [", ".join(x for x in of[1:] if x) for of in shown["facts"]] == [*cells.values()][5:]
        assert ("does not fit" in cells["tokens a second, at the most"]) == bool(short)
        ends, longest = w.budget.layout.max_context, b.max_context(w.batch)
        capped = ends is not None and (longest is None or longest > ends)
        assert ("where the model ends; memory for" in [*cells.values()][6]) == capped
        assert ("was made for" in shown["why"]) == (ends is not None and w.context > ends)
        seen |= {bool(short), capped, longest is None, compared is None}
        to_scale(shown, w, point["pinned"])
    assert seen == {True, False}


def to_scale(shown, w, pinned):
    """The parts of each bar lie end to end up to the usable line; beyond it lies what does not fit."""
    budgets = [w.budget] + ([w._setting("a_").budget(w._offered)] if pinned else [])
    memory = max(b.gpu.memory * b.gpus for b in budgets)
    for bar, b, prefix in zip(shown["bars"], budgets, ("", "a_")[: len(budgets)], strict=True):
        px = (bar["width"] - 2) / (1.25 * memory)
        assert bar["end"] == pytest.approx(1 + px * b.gpu.memory * b.gpus, abs=0.02)
        assert bar["limit"] == pytest.approx(1 + px * b.usable, abs=0.02)
        cache = quiet(b).cache_bytes(getattr(w, prefix + "context"), getattr(w, prefix + "batch"))
        at, parts = 0, {name: (x, width) for name, x, width in bar["parts"]}
        for name, size in (
            ("weights", b.weights_bytes),
            ("overhead", b.overhead_bytes),
            ("cache", cache),
            ("free", b.usable),
        ):
            until = min(b.usable, at + size)
            if px * (until - at) > 1.1:
                x, width = parts[name]
                assert x == pytest.approx(1 + px * at, abs=0.02), (name, bar)
                assert width == pytest.approx(px * (until - at) - 1, abs=0.02), (name, bar)
            at = until
        needed = b.weights_bytes + b.overhead_bytes + cache
        beyond = min(needed, 1.25 * memory) - b.usable
        if px * beyond > 1.1:
            assert parts["spill"] == pytest.approx((1 + px * b.usable, px * beyond - 1), abs=0.02)
        else:
            assert "spill" not in parts
    b = budgets[0]
    needed = b.weights_bytes + b.overhead_bytes + quiet(b).cache_bytes(w.context, w.batch)
    width = shown["bars"][0]["width"]
    assert shown["edge"] == pytest.approx(
        min(width - 1, 1 + (width - 2) * needed / (1.25 * memory)), abs=0.02
    )


def test_the_same_unit_for_both_and_never_a_nought_that_is_none():
    assert beside("bytes", 2**39, 2**29) == ["512 GiB", "0.5 GiB", "−511.5 GiB"]
    assert beside("bytes", 2**40, 3) == ["1 TiB", "3 B", "−1 TiB"]
    assert beside("bytes", -(2**40), -5) == ["−1 TiB", "−5 B", "+1 TiB"]
    assert beside("seconds", 0.012345, 0.0023) == ["12.345 ms", "2.3 ms", "−10.045 ms"]
    assert beside("seconds", 1e-7, None) == ["100 ns", "does not fit", ""]
    assert beside("count", None, 5) == ["no end", "5", ""]
    assert beside("count", 5, 5) == ["5", "5", "the same"]
    assert beside("rate", 1000.4, 2100.9) == ["1,000", "2,101", "+1,100"]


# ---- presets


@pytest.fixture(scope="module")
def offered():
    return shipped(sorted({p.setting.model for p in PRESETS}))


POINTS = {
    # cache 128 × 2048 × 131,072 bytes; weights 2 × 8,030,261,248
    "Many chats": lambda b: [fmt(128 * 2048 * 131072), f"{2**35 / 16_060_522_496:.1f} times"],
    "A 128K document": lambda b: [
        f"{2**34 / b.weights_bytes:.1f} times",
        "4.5 bits",
        "131,638 tokens at most",
    ],
    "64 users": lambda b: [fmt(2**36 - b.room), "55 fit", "110 would"],
    "7B on Colab's T4": lambda b: [
        f"{100 * 2 * 6_738_415_616 / b.usable:.0f} %",
        fmt(6_738_415_616 * 34 // 32),
        "2 whole contexts of 4,096",
    ],
    "70B on two H100": lambda b: [fmt(4 * 8192 * 327_680 - b.room), "3 fit", "4 sequences"],
    "Windows, 128K": lambda b: [
        "52 of the 62 layers look back 1,024",
        fmt(131072 * 507_904),
        fmt(8192 * (10 * 131072 + 52 * 1024)),
    ],
}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.name)
def test_a_preset_s_point_is_true(preset, offered):
    """Its numbers are worked out here another way."""
    said = preset.facts(offered)["point"]
    for part in POINTS[preset.name](preset.setting.budget(offered)):
        assert part in said


def test_a_preset_sets_all_and_says_its_point(page, tmp_path):  # noqa: F811
    w = BudgetWidget(utilization=50, overhead_mib=7)
    show(page, tmp_path, w)
    w.utilization, w.overhead_mib = 90, 1024
    assert [p["name"] for p in w.presets] == [p.name for p in PRESETS]
    for preset in w.presets:
        button = page.get_by_role("button", name=preset["name"])
        button.press("Enter")
        python(w, preset["set"])
        assert page.locator(".kv-why").inner_text().startswith(preset["point"])
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator("[aria-pressed=true]").count() == 1
        assert page.get_by_label("The cache's edge moves").input_value() == preset["set"]["moves"]
        short = w.budget.short_by(w.context, w.batch)
        assert page.locator(".kv-big").inner_text().startswith("Does not fit" if short else "Fits")
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.includes('look back')")
    kv(page, "Sequences").fill("2")
    assert "look back" not in page.locator(".kv-why").inner_text()
    assert page.locator("[aria-pressed=true]").count() == 0
    assert BudgetWidget("toy", models=TOYS).presets == []  # "llama-2-7b" may be another model there


# ---- A against B


def test_a_pinned_setting_stays_beside_the_present_one(page, tmp_path):  # noqa: F811
    w = BudgetWidget("llama-2-7b", gpu="T4", context=2048, batch=1)
    show(page, tmp_path, w)
    assert page.locator(".kv-stack:visible").count() == 1 and w.a_model == "llama-2-7b"
    page.get_by_role("button", name="Pin this as A").press("Enter")
    assert "the same" in page.locator(".kv-body tbody tr").first.inner_text()
    page.get_by_label("Weights' precision").select_option("q8_0")
    kv(page, "Sequences").fill("3")
    python(w, {"pinned": True, "a_gpu": "T4", "a_context": 2048, "a_batch": 1, "weights": "q8_0", "batch": 3})
    rows = [row.split("\t") for row in page.locator(".kv-body tbody tr").all_inner_texts()]
    assert rows == w.table().rows
    assert rows[:2] == [["weights' precision", "bf16", "q8_0", ""], ["sequences", "1", "3", "+2"]]
    assert ["cache", "1 GiB", "3 GiB", "+2 GiB"] in rows
    assert page.locator(".kv-stack:visible").count() == 2
    assert "Does not fit: 1.447 GiB short" in page.locator(".kv-verdict").inner_text()
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.includes('cache +2 GiB')")
    page.wait_for_url(re.compile("budget.pinned=true.*budget.a_weights=bf16"))
    page.reload()
    assert [row.split("\t") for row in page.locator(".kv-body tbody tr").all_inner_texts()] == rows
    page.get_by_role("button", name="Unpin A").press("Enter")
    assert page.locator(".kv-stack:visible").count() == 1 and page.locator(".kv-body table").count() == 0


@pytest.mark.parametrize("bad", ["budget.a_gpu=Z80", "budget.a_batch=0", "budget.a_model=tiy"])
def test_a_link_s_a_is_held_to_the_same_bounds(page, tmp_path, bad):  # noqa: F811
    show(page, tmp_path, BudgetWidget(), hash=f"#{bad}&budget.pinned=true")
    value = bad.split("=")[1]
    assert f"“{value}” can't be read: the default stands" in page.locator(".kv-notice").inner_text()


# ---- one more model, while the page is read


SEND = """detail => document.querySelector('.kv-of-budget .kv-figure')
    .dispatchEvent(new CustomEvent('kv-model', { detail }))"""


def test_a_page_can_hand_the_figure_one_more_model(page, tmp_path):  # noqa: F811
    w = BudgetWidget(models=["llama-3.1-8b", "gpt2"])
    show(page, tmp_path, w)
    layout, total, read = shipped(["whisper-large-v3"])["whisper-large-v3"]
    page.evaluate(SEND, {"name": "mine <b>", **facts(layout, total, read)})
    assert page.get_by_label("Model", exact=True).input_value() == "mine <b>"
    names = page.get_by_label("Model", exact=True).locator("option").all_inner_texts()
    assert names == ["llama-3.1-8b", "gpt2", "mine <b>"] and kv(page, "Source").is_visible()
    mine = BudgetWidget("mine <b>", models={"mine <b>": (layout, total, read)})
    page.locator(".kv-data summary").click()
    page.locator(".kv-data tbody tr").first.wait_for()  # the table is written once it is opened
    rows = page.locator(".kv-data tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [[str(c) for c in row] for row in mine.table().rows]
    page.get_by_role("button", name="Pin this as A").press("Enter")
    page.get_by_role("button", name="Reset").press("Enter")
    assert page.get_by_label("Model", exact=True).input_value() == "llama-3.1-8b"
    page.evaluate(SEND, {"name": "gpt2", **facts(layout, total, read)})  # a name that is there is replaced
    assert len(page.get_by_label("Model", exact=True).locator("option").all()) == 3
    assert f"Weights {fmt(2 * total)}" in page.locator(".kv-legend").inner_text()


@pytest.mark.parametrize("detail", [None, {}, {"name": "mine"}, {"name": 3, "kept": [], "total": 1}])
def test_what_is_no_model_is_refused_and_changes_nothing(chromium, tmp_path, detail):  # noqa: F811
    page = chromium.new_page()  # noqa: F811
    wrong = []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    show(page, tmp_path, BudgetWidget(models=["gpt2"], model="gpt2"))
    page.evaluate(SEND, detail)
    page.wait_for_timeout(50)
    assert len(wrong) == 1 and "kv-model needs a name and what" in wrong[0]
    assert page.get_by_label("Model", exact=True).locator("option").all_inner_texts() == ["gpt2"]
    page.close()


# ---- its arguments, its address, a kernel


def test_the_budget_refuses_by_name():
    for arguments, said in (
        ({"model": "tiy"}, "unknown model 'tiy'; did you mean toy"),
        ({"a_model": "tiy"}, "unknown model 'tiy'; did you mean toy"),
        ({"gpu": "h100"}, "unknown gpu"),
        ({"moves": "users"}, "unknown moves"),
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"models": {}}, "models must name at least one model"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            BudgetWidget(**{"model": "toy", "models": TOYS} | arguments)


def test_the_budget_offers_the_shipped_models():
    w = BudgetWidget()
    assert w.model == "llama-3.1-8b" and [*w.models] == models()
    assert w.budget.weights_bytes == 2 * parameters("llama-3.1-8b").total
    with pytest.raises(ValueError, match="unknown model 'whisper-tny'"):
        BudgetWidget(models=["whisper-tny"])


def test_a_setting_is_shared_by_its_address(page, tmp_path):  # noqa: F811
    w = BudgetWidget("toy", models=TOYS)
    show(page, tmp_path, w, w)
    assert "#" not in page.url
    kv(page, "Context").first.fill("1000")
    kv(page, "Context").last.fill("2000")
    page.get_by_role("combobox", name="GPU", exact=True).first.select_option("T4")
    page.wait_for_url(
        re.compile(r"^(?=.*budget\.gpu=T4)(?=.*budget\.context=1000)(?=.*budget2\.context=2000)")
    )
    address = page.url
    assert ".a_" not in address  # nothing is pinned
    page.goto("about:blank")
    page.goto(address)
    assert [field.input_value() for field in kv(page, "Context").all()] == ["1000", "2000"]
    assert page.get_by_role("combobox", name="GPU", exact=True).first.input_value() == "T4"


@pytest.mark.parametrize("bad", ["budget.context=many", "budget.context=0", "budget.gpu=Z80"])
def test_an_address_that_cannot_be_read_falls_back_and_says_so(page, tmp_path, bad):  # noqa: F811
    w = BudgetWidget("toy", models=TOYS)
    show(page, tmp_path, w)
    default = page.locator(".kv-facts").inner_text()
    show(page, tmp_path, w, hash=f"#{bad}&budget.batch=8")
    assert page.locator(".kv-facts").inner_text() == default
    said = page.locator(".kv-notice").inner_text()
    assert f"“{bad.split('=')[1]}” can't be read: the default stands" in said
    page.get_by_role("button", name="Copy a link to this setting").press("Enter")
    page.wait_for_function(
        "/^(Copied|The address bar)/.test(document.querySelector('.kv-notice').textContent)"
    )
    assert "budget.model=toy" in page.url


def test_the_source_of_cross_attention_has_a_control_where_there_is_one(page, tmp_path):  # noqa: F811
    w = BudgetWidget("whisper-large-v3", models=OFFERED, gpu="T4", context=448, overhead_mib=0)
    show(page, tmp_path, w)
    for length, cache in ((1500, 8 * 1948 * 163_840), (0, 8 * 448 * 163_840), (77, 8 * 525 * 163_840)):
        kv(page, "Source").fill(str(length))
        w.source_len = length
        assert w.budget.cache_bytes(448, 8) == cache and f"source of {length:,}" in w.table().caption
        assert f"cache {fmt(cache)}" in page.locator(".kv-stack").first.get_attribute("aria-label")
        step = fmt_seconds(w.budget.decode_floor(448, 8))
        assert page.locator(".kv-facts dd").all_inner_texts()[-2] == step
    page.get_by_label("Model", exact=True).select_option("llama-3.1-8b")
    assert not kv(page, "Source").is_visible()
    read = fmt(2 * parameters("llama-3.1-8b").read)
    assert f"reads at least {read} of the weights" in page.locator(".kv-why").inner_text()


def test_a_kernel_hears_of_a_drag_by_keys_once(page):  # noqa: F811
    live(page, BudgetWidget("toy", models=TOYS))
    edge = page.get_by_role("slider", name="The cache's edge")
    for _ in range(3):
        edge.press("ArrowRight")
    assert page.evaluate("sent") == []
    page.wait_for_function("sent.length > 0")
    assert page.evaluate("sent") == [{"batch": 11}]
