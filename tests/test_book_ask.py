"""A model and a log of the reader's own in the built book, by the Python that the book holds."""

import json

import pytest

from kvlib import layout
from kvlib.configs import config
from kvlib.explain import explain

from .browser import violations
from .engine_lines import LINES
from .runtime_site import needs_runtime
from .site import HTML, chromium, site, visit  # noqa: F401
from .test_ask_in_page import FIELD, GEMMA, SMOLLM2, give, read
from .test_ask_page import PLACES

pytestmark = pytest.mark.book
STARTS = 600_000  # milliseconds


def pressed(visit, site, name, **options):  # noqa: F811
    page = visit(f"{site}{name}.html", **options)
    page.set_default_timeout(STARTS)
    page.locator(".kv-ask button").click()
    page.locator(".kv-ask form").wait_for()
    return page


@pytest.mark.parametrize("name", PLACES)
def test_a_page_has_its_form_and_loads_nothing_for_it_before_a_press(site, visit, name):  # noqa: F811
    page = visit(f"{site}{name}.html")
    page.wait_for_load_state("networkidle")
    assert page.locator(f"#ask-{PLACES[name]} button").is_visible()
    asked_for = page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
    scripts = [url.rpartition("/")[2].partition("?")[0] for url in asked_for if "/_static/run/" in url]
    assert scripts.count("begin.js") == 1
    assert not {"run.js", "ask.js", "ask.css", f"ask-{PLACES[name]}.js", "worker.js"} & set(scripts)
    page.locator(".kv-ask button").click()
    page.locator(".kv-ask form").wait_for()
    assert violations(page, ".kv-ask") == []
    page.set_viewport_size({"width": 360, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.workers == []


@pytest.mark.parametrize("name", PLACES)
def test_without_scripts_the_command_is_read(chromium, site, name):  # noqa: F811
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site}{name}.html")
    assert not page.locator(".kv-ask button").is_visible()
    command = "kvlib explain" if PLACES[name] == "explain" else "kvlib "
    assert page.get_by_role("code").filter(has_text=command).first.is_visible()
    page.context.close()


def test_the_books_python_reads_a_model_refuses_another_and_a_header(site, visit):  # noqa: F811
    needs_runtime()
    page = pressed(visit, site, "09-any-model")
    said = read(page, GEMMA)
    assert said == "config: 62 layers of gemma3_text, 496 KiB a token in bf16, 1.031 GiB at 8,192 tokens."
    race = page.locator(".kv-of-layer_race")
    assert race.locator(".kv-heading").first.inner_text() == "your model: 62 layers"
    spoiled = config("llama-3.1-8b") | {"num_attention_heads": 30, "kv_lora_rank": 512}
    with pytest.raises(ValueError) as error:
        layout(spoiled)
    assert read(page, json.dumps(spoiled)) == f"kvlib: {error.value}"
    give(page, "smol.gguf", SMOLLM2.read_bytes()[:4_000_000])
    assert read(page).startswith("smol: 30 layers of llama, 22.5 KiB a token in bf16")
    assert violations(page, ".kv-ask") == []


def test_a_link_opens_the_form_and_the_budget_takes_the_model(site, visit):  # noqa: F811
    needs_runtime()
    page = pressed(visit, site, "09-any-model")
    read(page, GEMMA)
    link = page.locator(".kv-result a").get_attribute("href")
    assert link.startswith(f"{site}06-scaling-limits.html#ask.config=")
    other = visit(link)
    other.set_default_timeout(STARTS)
    other.get_by_text("The link's config stands here.").wait_for()
    assert other.get_by_label(FIELD).input_value() == GEMMA and other.workers == []
    assert read(other).startswith("config: 62 layers")
    budget = other.locator(".kv-of-budget")
    assert budget.get_by_label("Model", exact=True).input_value() == "your model"


def test_the_books_python_explains_a_log(site, visit):  # noqa: F811
    needs_runtime()
    page = pressed(visit, site, "10-production")
    text, options, _ = LINES["vllm"]["vllm 10517, 20k"]
    page.get_by_label("Model (--model)").fill(options["model"])
    read(page, text, "Explain it")
    assert page.locator(".kv-result pre").text_content() == explain(text, **options).text()


def test_the_race_leads_to_the_form():
    html = (HTML / "book" / "09-any-model.html").read_text(encoding="utf-8")
    assert html.count('id="ask-config"') == 1
