"""Sharing heads: what the page says is what kvlib computes, for every model and every divisor."""

import random

import pytest

from kvlib import CacheLayout, fmt
from kvlib.configs import layout
from kvlib.layouts import LayerKV
from kvlib.widgets import SharingHeads
from kvlib.widgets.sharing_heads import COLUMNS, PRECISIONS

from .browser import chromium, page, show  # noqa: F401
from .drive import drive


def test_the_page_s_bytes_are_kvlib_s(page):  # noqa: F811
    w = SharingHeads()
    rng = random.Random(1)
    every = [
        {"model": row["model"], "n_kv_heads": kv, "dtype": dtype}
        for row in w.rows
        if row["n_kv_heads"]
        for kv in range(1, row["n_heads"] + 1)
        if row["n_heads"] % kv == 0
        for dtype in PRECISIONS
    ]
    points = rng.sample(every, 250)
    read = """el => [el.querySelector(".kv-big").textContent, el.querySelectorAll(".kv-kept").length,
        el.querySelector(".kv-count").textContent]"""
    said = drive(page, w, points, read)
    for point, (big, kept, kind) in zip(points, said, strict=True):
        w.model = point["model"]  # takes the model's own n_kv_heads
        w.set_state(point)
        n_heads = layout(w.model).n_heads
        name = "MHA" if w.n_kv_heads == n_heads else "MQA" if w.n_kv_heads == 1 else "GQA"
        assert big == f"{fmt(w.nbytes)} per token"
        assert (kept, kind) == (w.n_kv_heads, f"{w.n_kv_heads} of {n_heads}: {name}")


def test_a_model_s_own_choice_is_its_layout_s():
    for row in SharingHeads().rows:
        assert row["bytes_per_token"] == layout(row["model"]).bytes_per_token()
        if row["n_kv_heads"]:
            assert SharingHeads(row["model"]).nbytes == row["bytes_per_token"]


@pytest.mark.parametrize("key", COLUMNS)
def test_every_header_sorts(page, tmp_path, key):  # noqa: F811
    w = SharingHeads()
    show(page, tmp_path, w)
    header = page.locator(".kv-models th[scope=col]").nth(list(COLUMNS).index(key))
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == ("ascending" if key == "model" else "descending")
    assert page.locator(".kv-models [aria-sort]").count() == 1
    names = page.locator(".kv-models tbody th").all_inner_texts()
    least = {row["model"]: -1 if row[key] is None else row[key] for row in w.rows}
    expected = sorted(least) if key == "model" else sorted(least, key=lambda m: (-least[m], m))
    assert names == expected


def test_by_keyboard_from_gqa_to_mqa(page, tmp_path):  # noqa: F811
    show(page, tmp_path, SharingHeads("llama-3.1-8b"))
    slider = page.get_by_role("slider", name="KV heads")
    assert slider.get_attribute("aria-valuetext") == "8 KV heads, GQA"
    slider.press("Home")
    assert page.locator(".kv-big").inner_text() == "16 KiB per token"
    assert "1/8 of llama-3.1-8b's own choice" in page.locator(".kv-body").inner_text()
    slider.press("End")
    assert page.locator(".kv-big").inner_text() == "512 KiB per token"
    page.get_by_label("Model", exact=True).select_option("qwen-2.5-7b")
    assert page.locator(".kv-big").inner_text() == "56 KiB per token"
    assert page.locator("tr[aria-current] th").inner_text() == "qwen-2.5-7b"
    page.locator("summary").click()
    assert page.locator(".kv-data tbody tr").all_inner_texts()[1] == "1\t7 to 13"


def test_a_model_without_heads_to_share_is_compared_and_not_drawn():
    w = SharingHeads()
    row = next(row for row in w.rows if row["model"] == "deepseek-v3")
    assert (row["n_kv_heads"], row["bytes_per_token"]) == (None, 70272)
    with pytest.raises(ValueError, match="unknown model 'deepseek-v3'"):
        w.model = "deepseek-v3"


def test_choosing_a_model_takes_its_own_kv_heads():
    w = SharingHeads("llama-2-7b")
    w.model = "llama-3-8b"
    assert (w.n_kv_heads, w.nbytes) == (8, 131072)
    w.set_state({"model": "qwen-2.5-7b", "n_kv_heads": 4})  # as the page sends them, together
    assert (w.n_kv_heads, w.nbytes) == (4, 57344)


def test_a_caller_s_own_layouts_can_be_compared():
    toy = CacheLayout.uniform(2, 2, 8, n_heads=6)
    mixed = CacheLayout((LayerKV("full", 2, 8), LayerKV("full", 1, 8)), n_heads=4)
    w = SharingHeads(models={"toy": toy, "mixed": mixed}, n_kv_heads=3)
    assert w.nbytes == 2 * 2 * 3 * 8 * 2
    assert [row["n_kv_heads"] for row in w.rows] == [2, None]


def test_a_model_with_cross_attention_is_compared_without_its_source_and_this_is_said(page):  # noqa: F811
    w = SharingHeads(models=["llama-3.1-8b", "whisper-tiny"])
    row = w.rows[1]
    assert (row["bytes_per_token"], row["at_8k"]) == (layout("whisper-tiny").bytes_per_token(), None)
    said = "; whisper-tiny without what cross attention keeps"
    assert w.table().caption.endswith(said)
    assert drive(page, w, [{}], 'el => el.querySelector(".kv-models caption").textContent')[0].endswith(said)
    assert SharingHeads().note == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_kv_heads": 3}, r"n_kv_heads must divide llama-3.1-8b's 32 query heads \(1, 2, 4, 8, 16, 32\)"),
        ({"n_kv_heads": 0}, "n_kv_heads must be a whole number of at least 1"),
        ({"model": "llama-3.1-8"}, "unknown model 'llama-3.1-8'; did you mean llama-3.1-8b"),
        ({"dtype": "bf61"}, "unknown dtype"),
        ({"sort": "price"}, "unknown sort"),
        ({"models": {}}, "models must name at least one"),
        ({"models": ["deepseek-v3"]}, "models must have one whose layers keep heads"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        SharingHeads(**arguments)
