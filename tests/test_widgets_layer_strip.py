"""Layer by layer: every shipped model, every layer, to the byte; and configs that are pasted."""

import json
import random

import pytest

from kvlib import CacheLayout, fmt
from kvlib.configs import config, layout
from kvlib.layouts import KINDS, LayerKV, StateTensor
from kvlib.widgets import LayerStrip
from kvlib.widgets.layer_strip import PRECISIONS, WORDS

from .browser import chromium, page, show  # noqa: F401
from .drive import drive, live


def cross(layer, w):
    return w.source_len * layer.cross_bytes_per_token(w.dtype)


def test_every_layer_s_bytes_are_kvlib_s(page):  # noqa: F811
    w = LayerStrip()
    rng = random.Random(1)
    points = [
        {
            "model": name,
            "context": rng.randrange(1, 2 ** rng.randrange(1, 25)),
            "dtype": rng.choice(PRECISIONS),
            "source_len": rng.randrange(4000),
        }
        for name in w.strips
    ]
    assert any(layout(name).needs_source_len for name in w.strips)
    read = """el => {
        el.querySelector(".kv-data").open = true;
        el.querySelector(".kv-data").dispatchEvent(new Event("toggle"));
        return [el.querySelector(".kv-big").textContent,
            [...el.querySelectorAll(".kv-data tbody tr")].map(r => r.lastChild.textContent)];
    }"""
    for point, (big, layers) in zip(points, drive(page, w, points, read), strict=True):
        w.set_state(point)
        parts = layout(w.model).layers
        assert layers == [
            f"{x.tokens(w.context) * x.bytes_per_token(w.dtype) + x.state_bytes + cross(x, w):,}"
            for x in parts
        ]
        assert big == f"{fmt(w.nbytes)} at {w.context:,} token{'s' if w.context > 1 else ''}"


def test_nbytes_is_the_layout_s():
    w = LayerStrip("gemma-2-27b", context=8192)
    assert w.nbytes == layout("gemma-2-27b").bytes(8192) == 2_315_255_808
    w.dtype = "int8"
    assert w.nbytes == layout("gemma-2-27b").bytes(8192, dtype="int8")
    w = LayerStrip("whisper-tiny", context=448)
    assert w.nbytes == layout("whisper-tiny").bytes(448, source_len=1500)
    w.source_len = 0
    assert w.nbytes == layout("whisper-tiny").bytes(448, source_len=0)


def test_the_source_is_asked_for_where_a_model_has_one(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerStrip("whisper-tiny", context=448))
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


def test_the_static_table_has_state_and_cross_attention_in_it():
    layers = (LayerKV("full", 2, 8, cross_elements=32), LayerKV("state", state=(StateTensor(512),)))
    rows = LayerStrip(models={"both": CacheLayout(layers)}, context=100, source_len=16).table().rows
    assert [row[3:] for row in rows] == [
        ["7.25 KiB", "7.25 KiB", "–", "1 KiB"],  # 100 tokens × 64 bytes + 16 × 64
        ["1 KiB", "1 KiB", "1 KiB", "–"],
        ["", "8.25 KiB", "", ""],
    ]


def test_a_model_may_have_more_kinds_of_layers_than_letters(page):  # noqa: F811
    layers = tuple(LayerKV("full", 1, dim) for dim in range(1, 91))
    w = LayerStrip(models={"all": CacheLayout(layers)}, context=10)
    read = """el => [el.querySelectorAll(".kv-kinds tbody tr").length,
        el.querySelector(".kv-big").textContent]"""
    assert drive(page, w, [{}], read) == [[90, f"{fmt(w.nbytes)} at 10 tokens"]]


def test_each_kind_has_a_word_and_a_letter_and_a_look_of_its_own(page):  # noqa: F811
    layers = (
        LayerKV("full", 2, 8), LayerKV("sliding", 2, 8, window=4), LayerKV("chunked", 2, 8, window=4),
        LayerKV("latent", 1, 8, v_head_dim=0), LayerKV("shared", shares_with=0), LayerKV("none"),
        LayerKV("state", state=(StateTensor(32),)), LayerKV("cross", cross_elements=32),
    )  # fmt: skip
    assert set(WORDS) == set(KINDS) == {x.kind for x in layers}
    w = LayerStrip(models={"all": CacheLayout(layers)})
    read = """el => [
        [...el.querySelectorAll(".kv-layer-letter")].map(t => t.textContent).filter(t => t.length === 1),
        [...el.querySelectorAll(".kv-kinds .kv-swatch rect")].map(r => r.style.fill),
        el.querySelector(".kv-body").textContent]"""
    [[letters, fills, text]] = drive(page, w, [{"context": 16}], read)
    assert len(set(letters)) == 8
    hollow = "var(--kv-paper)"  # what keeps nothing has no strip either
    assert fills.count(hollow) == 2 and len(set(fills)) == 7
    assert "64 B of fixed state" in text and "64 B for each token of the other sequence" in text


def test_the_text_says_windows_and_the_end_of_the_context(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerStrip("gemma-2-27b"))
    assert page.locator(".kv-big").inner_text() == "2.156 GiB at 8,192 tokens"
    assert "Without windows it would be 2.875 GiB." in page.locator(".kv-body").inner_text()
    page.get_by_role("slider", name="Context, slider").press("ArrowRight")
    assert "beyond the 8,192 tokens" in page.locator(".kv-body").inner_text()
    page.get_by_label("Model").select_option("llama-3.1-8b")
    assert page.locator(".kv-big").inner_text() == "2 GiB at 16,384 tokens"
    page.locator("summary").press("Enter")
    page.locator(".kv-data tbody tr").nth(31).wait_for()
    assert page.locator(".kv-data tbody tr").count() == 32
    assert page.locator("textarea").count() == 0  # only a kernel can read a config


def test_a_pasted_config_is_read_by_kvlib():
    w = LayerStrip()
    w.pasted = json.dumps(config("mistral-7b-v0.1"))
    assert (w.model, w.refusal, w.nbytes) == ("pasted", "", layout("mistral-7b-v0.1").bytes(8192))
    assert w.strips["pasted"]["of"] == "0" * 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"model_type": "a_new_one"}', "a_new_one"),
        ("{", "this is not JSON"),
        ("[]", "one JSON object"),
        ("[" * 200_000, "nested too deeply"),
        (json.dumps({**config("llama-3-8b"), "num_hidden_layers": 10**9}), "no model with more than 1,000"),
        (json.dumps({**config("llama-3-8b"), "num_key_value_heads": 5}), "num_key_value_heads"),
    ],
)
def test_a_config_that_kvlib_will_not_read_is_refused_in_words(text, words):
    w = LayerStrip("gpt2")
    w.pasted = text
    assert words in w.refusal
    assert w.model == "gpt2" and "pasted" not in w.strips
    w.pasted = ""
    assert w.refusal == ""


def test_with_a_kernel_the_page_shows_the_field_and_the_refusal(page):  # noqa: F811
    live(page, LayerStrip("gpt2"))
    page.get_by_label("Any model's config.json").fill("{}")
    page.get_by_role("button", name="Read it").click()
    assert page.evaluate("sent") == [{"pasted": "{}"}]
    page.evaluate("model.set('refusal', 'kvlib does not know it')")
    assert page.locator(".kv-paste .kv-notice").inner_text() == "kvlib does not know it"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "gemma-2-27"}, "unknown model 'gemma-2-27'; did you mean gemma-2-27b"),
        ({"context": 0}, "context must be a whole number of at least 1"),
        ({"context": 2**25}, "context must be at most"),
        ({"source_len": -1}, "source_len must be a whole number of at least 0"),
        ({"dtype": "int3"}, "unknown dtype"),
        ({"models": ["nonesuch"]}, "unknown model 'nonesuch'"),
        ({"config": {}}, "unknown argument of LayerStrip 'config'"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        LayerStrip(**arguments)


@pytest.mark.parametrize("name", ["llama-3.1-8b", "gemma-3-27b"])  # the second's config names no end
def test_a_strip_is_as_high_as_its_share_of_the_longest_context(page, name):  # noqa: F811
    """One scale at every context: a layer that grows is seen to grow, one with a window to have stopped."""
    w = LayerStrip(name)
    layers = layout(name).layers
    most = max(layer.bytes_per_token() for layer in layers) * 131_072
    read = r"""el => [...el.querySelectorAll(".kv-layer")].map(p =>
        Math.max(...[...p.getAttribute("d").matchAll(/v([\d.]+)h/g)].map(m => Number(m[1]))))"""
    contexts = (512, 8192, 32_768, 131_072)
    drawn = drive(page, w, [{"context": n} for n in contexts], read)
    kinds = list(dict.fromkeys((layer.window, layer.bytes_per_token()) for layer in layers))
    for context, heights in zip(contexts, drawn, strict=True):
        kept = [min(context, window or context) * each for window, each in kinds]
        assert heights == pytest.approx([max(1, 84 * n / most) for n in kept], abs=0.06)


def test_the_strip_s_axis_names_its_scale(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerStrip("llama-3.1-8b", context=1000))
    texts = page.locator(".kv-strips svg text").all_text_contents()
    assert texts.count("512 MiB") == texts.count("256 MiB") == texts.count("layer 0") == 1
