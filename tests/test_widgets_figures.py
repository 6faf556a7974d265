"""The budget: what the page shows is what kvlib says."""

import random
import re

import pytest

from kvlib import fmt, fmt_seconds, models
from kvlib.widgets import BudgetWidget

from .browser import chromium, page, show  # noqa: F401
from .test_widgets_base import TOYS, kv


def drive(page, w, settings):  # noqa: F811
    """Set each control by its label, in the page, and the same trait in Python."""
    for trait, (label, value) in settings.items():
        setattr(w, trait, value)
        if isinstance(value, str):
            page.get_by_role("combobox", name=label, exact=True).select_option(value)
        else:
            kv(page, label).fill(str(value))


@pytest.fixture
def budgeted():
    return BudgetWidget("toy", models=TOYS)


def facts(page):  # noqa: F811
    return page.locator(".kv-facts dd:not(.kv-small)").all_inner_texts()


def test_the_budget_says_what_python_says(page, tmp_path, budgeted):  # noqa: F811
    rng = random.Random(6)
    show(page, tmp_path, budgeted)
    w, verdicts, ended = budgeted, set(), set()
    for _ in range(12):
        drive(
            page,
            w,
            {
                "model": ("Model", rng.choice(["toy", "windowed"])),
                "gpu": ("GPU", rng.choice(["T4", "L4", "H100", "B200"])),
                "gpus": ("GPUs", rng.randrange(1, 9)),
                "weights": ("Weights' precision", rng.choice(["bf16", "fp8", "q4_0"])),
                "dtype": ("Cache's precision", rng.choice(["bf16", "fp8", "q8_0"])),
                "context": ("Context", rng.randrange(1, 2**17)),
                "batch": ("Batch", rng.randrange(1, 65)),
                "utilization": ("Usable share", rng.randrange(50, 101)),
                "overhead_mib": ("Overhead, all GPUs together", rng.randrange(0, 4096)),
            },
        )
        b = w.budget
        short = b.short_by(w.context, w.batch)
        free = b.usable - b.weights_bytes - b.overhead_bytes - b.cache_bytes(w.context, w.batch)
        verdicts.add(bool(short))
        verdict = f"Does not fit: {fmt(short)} short" if short else f"Fits, with {fmt(free)} to spare"
        assert page.locator(".kv-big").inner_text() == verdict

        def many(n, one):
            return f"{n:,} {one}{'' if n == 1 else 's'}"

        longest, ends = b.max_context(w.batch), b.layout.max_context
        end = ends is not None and longest > ends
        ended.add(end)
        rate = b.tokens_per_second(w.context, w.batch)
        speed = [fmt_seconds(b.decode_floor(w.context, w.batch)), f"{rate:,.0f}"]
        assert facts(page) == [
            many(b.max_sequences(w.context), "sequence"),
            many(ends if end else longest, "token"),
            *(["does not fit"] * 2 if short else speed),
        ]
        note = [f"where the model ends; memory for {longest:,}"] if end else []
        assert page.locator(".kv-facts .kv-small").all_inner_texts() == note
        cells = {row[0]: row[1] for row in w.table().rows}
        assert ("does not fit" in cells["tokens a second, at the most"]) == bool(short)
        assert ("where the model ends" in cells[f"longest context for {w.batch} sequences"]) == end
    assert verdicts == ended == {True, False}


def test_the_bar_s_parts_add_up(page, tmp_path, budgeted):  # noqa: F811
    show(page, tmp_path, budgeted)
    for batch in (1, 8, 4096):  # fits, fits, far too much
        kv(page, "Batch").fill(str(batch))
        ends = page.locator(".kv-part").evaluate_all(
            "all => all.map(e => [e.x.baseVal.value, e.x.baseVal.value + e.width.baseVal.value])"
        )
        whole = page.locator(".kv-stack").evaluate("e => e.width.baseVal.value")
        shown = [part for part in ends if part[1] > part[0]]
        assert shown[0][0] == 1 and shown[-1][1] <= whole
        for (_, end), (start, _) in zip(shown, shown[1:], strict=False):
            assert start - end == pytest.approx(1, abs=0.02)  # the line between two parts
        weights, cache = (end - start + 1 for start, end in ends[:2])
        b, all_ = budgeted.budget, budgeted.budget.gpu.memory
        length = max(all_, b.weights_bytes + b.overhead_bytes + b.cache_bytes(8192, batch))
        assert weights == pytest.approx((whole - 2) * b.weights_bytes / length, abs=0.02)
        assert cache == pytest.approx((whole - 2) * b.cache_bytes(8192, batch) / length, abs=0.02)


def test_a_context_beyond_the_model_computes_and_is_said(page, tmp_path, budgeted):  # noqa: F811
    show(page, tmp_path, budgeted)
    kv(page, "Context").fill("131073")
    assert "made for 131,072 tokens" in page.locator(".kv-why").inner_text()


def test_a_setting_is_shared_by_its_address(page, tmp_path, budgeted):  # noqa: F811
    show(page, tmp_path, budgeted)
    assert "#" not in page.url
    kv(page, "Context").fill("3000")
    page.get_by_role("combobox", name="GPU", exact=True).select_option("T4")
    page.wait_for_url(re.compile("gpu=T4"))
    address, shown = page.url, facts(page)
    page.goto("about:blank")
    page.goto(address)
    assert kv(page, "Context").input_value() == "3000" and facts(page) == shown


@pytest.mark.parametrize("bad", ["budget.context=many", "budget.context=0", "budget.gpu=Z80"])
def test_an_address_that_cannot_be_read_falls_back_and_says_so(page, tmp_path, budgeted, bad):  # noqa: F811
    show(page, tmp_path, budgeted)
    default = facts(page)
    show(page, tmp_path, budgeted, hash=f"#{bad}&budget.batch=8")
    assert facts(page) == default
    value = bad.split("=")[1]
    assert re.search(f"“{value}” can't be read: the default stands", page.locator(".kv-notice").inner_text())


def test_two_budgets_share_one_address(page, tmp_path, budgeted):  # noqa: F811
    show(page, tmp_path, budgeted, budgeted)
    kv(page, "Context").first.fill("1000")
    kv(page, "Context").last.fill("2000")
    page.wait_for_url(re.compile("budget.context=1000.*budget2.context=2000"))
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert [field.input_value() for field in kv(page, "Context").all()] == ["1000", "2000"]


def test_the_button_says_where_the_link_is(page, tmp_path, budgeted):  # noqa: F811
    show(page, tmp_path, budgeted)
    page.get_by_role("button", name="Copy a link to this setting").press("Enter")
    page.wait_for_function("document.querySelector('.kv-notice').textContent")
    assert re.search("^(Copied|The address bar now holds)", page.locator(".kv-notice").inner_text())
    assert "budget.model=toy" in page.url


def test_the_budget_refuses_by_name():
    for arguments, said in (
        ({"model": "tiy"}, "unknown model 'tiy'; did you mean toy"),
        ({"gpu": "h100"}, "unknown gpu"),
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"models": {}}, "models must name at least one model"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            BudgetWidget(**{"model": "toy", "models": TOYS} | arguments)


def test_the_budget_offers_the_shipped_models():
    w = BudgetWidget()
    assert w.model == "llama-3.1-8b" and [*w.models] == models()
    with pytest.raises(ValueError, match="unknown model 'whisper-tny'"):
        BudgetWidget(models=["whisper-tny"])


def test_the_budget_asks_for_the_source_of_cross_attention(page, tmp_path):  # noqa: F811
    offered = ["llama-3.1-8b", "whisper-large-v3", "gpt2"]
    w = BudgetWidget("whisper-large-v3", models=offered, gpu="T4", context=448, overhead_mib=0)
    show(page, tmp_path, w)
    for length, cache in ((1500, 8 * 1948 * 163_840), (0, 8 * 448 * 163_840), (77, 8 * 525 * 163_840)):
        drive(page, w, {"source_len": ("Source", length)})
        b = w.budget
        assert b.cache_bytes(448, 8) == cache and f"source of {length:,}" in w.table().caption
        assert f"Cache {fmt(cache)}" in page.locator(".kv-stack").get_attribute("aria-label")
        assert facts(page)[0] == f"{b.max_sequences(448):,} sequences"
        fits = not b.short_by(448, 8)
        assert facts(page)[2] == (fmt_seconds(b.decode_floor(448, 8)) if fits else "does not fit")
    drive(page, w, {"model": ("Model", "llama-3.1-8b")})
    assert not kv(page, "Source").is_visible() and "source" not in w.table().caption
    assert w.budget.short_by(448, 8) and facts(page)[2] == "does not fit"
    assert (
        f"reads at least {fmt(w.budget.weights_read_bytes)} of the weights"
        in page.locator(".kv-why").inner_text()
    )
