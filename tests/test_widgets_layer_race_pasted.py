"""Layer by layer: a model of the reader's own, read by a kernel or handed over by the page; bad input."""

import json

import pytest

from kvlib import CacheLayout, fmt
from kvlib.configs import config, layout
from kvlib.widgets import LayerRace
from kvlib.widgets.layer_race import strip

from .browser import chromium, page, show  # noqa: F401
from .drive import live


def test_a_pasted_config_is_read_by_kvlib():
    w = LayerRace()
    w.pasted = json.dumps(config("mistral-7b-v0.1"))
    assert (w.model, w.refusal) == ("pasted", "")
    assert w.nbytes("pasted") == layout("mistral-7b-v0.1").bytes(4096)
    assert w.limits["model"][-1] == w.limits["other"][-1] == "pasted"
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
    w = LayerRace("gpt2")
    w.pasted = text
    assert words in w.refusal
    assert w.model == "gpt2" and "pasted" not in w.strips
    w.pasted = ""
    assert w.refusal == ""


def test_with_a_kernel_the_page_shows_the_field_and_the_refusal(page):  # noqa: F811
    live(page, LayerRace("gpt2"))
    page.get_by_label("Any model's config.json").fill("{}")
    page.get_by_role("button", name="Read it").click()
    assert page.evaluate("sent") == [{"pasted": "{}"}]
    page.evaluate("model.set('refusal', 'kvlib does not know it')")
    assert page.locator(".kv-paste .kv-notice").inner_text() == "kvlib does not know it"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "gemma-2-27"}, "unknown model 'gemma-2-27'; did you mean gemma-2-27b"),
        ({"other": "gemma-2-27"}, "unknown other 'gemma-2-27'; did you mean gemma-2-27b"),
        ({"axes": "log"}, "unknown axes"),
        ({"models": {"none": CacheLayout.uniform(1, 1, 8)}}, 'models must not name one "none"'),
        ({"context": 0}, "context must be a whole number of at least 1"),
        ({"context": 2**25}, "context must be at most"),
        ({"source_len": -1}, "source_len must be a whole number of at least 0"),
        ({"dtype": "int3"}, "unknown dtype"),
        ({"models": ["nonesuch"]}, "unknown model 'nonesuch'"),
        ({"config": {}}, "unknown argument of LayerRace 'config'"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        LayerRace(**arguments)


def test_a_page_that_reads_a_config_itself_hands_the_layout_over(page, tmp_path):  # noqa: F811
    show(page, tmp_path, LayerRace())
    hand = """([name, strip]) => document.querySelector(".kv-figure").dispatchEvent(
        new CustomEvent("kv-layout", { detail: { name, strip } }))"""
    for of in ("gemma-3n-e4b", "mistral-7b-v0.1"):  # the second takes the first's place
        page.evaluate(hand, ["pasted", strip(layout(of))])
        assert page.get_by_label("Model").input_value() == "pasted"
        assert page.locator(".kv-race-name strong").first.inner_text() == fmt(layout(of).bytes(4096))
        assert page.locator(".kv-heading").first.inner_text() == f"pasted: {layout(of).n_layers} layers"
    page.get_by_label("Against").select_option("pasted")
    assert page.locator(".kv-big").inner_text() == "512 MiB at 4,096 tokens"
    page.get_by_role("button", name="Reset").press("Enter")
    assert page.get_by_label("Model").input_value() == "gemma-2-27b"
    assert page.get_by_label("Model").locator("option", has_text="pasted").count() == 1
