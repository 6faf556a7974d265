"""Forms about a reader's own model or log: what they send, show and refuse; links; keyboard; axe."""

import json
import random
import zlib
from base64 import b64encode, urlsafe_b64encode

import pytest

from kvlib import fmt, layout
from kvlib.configs import config
from kvlib.explain import explain
from kvlib.page.config import USUAL
from kvlib.widgets import BudgetWidget, LayerRace

from .ask_site import opened
from .browser import chromium, opening, violations  # noqa: F401
from .engine_lines import LINES
from .test_gguf import SMOLLM2

FIELD = "A model's config.json"
GEMMA = json.dumps(config("gemma-3-27b"))
EVIL = "<img src=x onerror=\"document.title='taken'\">"
ABSENT = """const absent = Object.assign(new Error("Serve the book, with make serve."), { state: "absent" });
globalThis.kvRun = { state: "absent", panel: () => {}, call: () => Promise.reject(absent) };"""


@pytest.fixture
def open_(chromium, tmp_path):  # noqa: F811
    with opening(opened, chromium, tmp_path) as open_page:
        yield open_page


def read(page, text=None, press="Read it") -> str:
    """What is said when it is pressed."""
    if text is not None:
        page.locator(".kv-ask textarea").fill(text)
    page.get_by_role("button", name=press).click()
    page.wait_for_function("document.querySelector('.kv-ask .kv-told').textContent")
    return page.locator(".kv-ask .kv-told").text_content()


def give(page, name, data):
    page.get_by_label("Or a file").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )
    page.get_by_text(f"Taken: {name[:60]}").wait_for()


# ---- a model


def test_a_config_gives_the_bytes_and_the_figures_show_it(open_):
    page = open_("config", LayerRace("gpt2"), BudgetWidget())
    assert "Nothing is uploaded" in page.locator(".kv-ask").inner_text()
    said = read(page, GEMMA)
    assert said == "config: 62 layers of gemma3_text, 496 KiB a token in bf16, 1.031 GiB at 8,192 tokens."
    rows = page.locator(".kv-result tbody tr")
    assert rows.count() == 5
    ideal, gemma = rows.first.inner_text(), layout("gemma-3-27b")
    for context in map(int, USUAL.split()):
        assert fmt(gemma.bytes(context)) in ideal and f"{gemma.bytes(context):,}" in ideal
    race, budget = page.locator(".kv-of-layer_race"), page.locator(".kv-of-budget")
    assert race.get_by_label("Model", exact=True).input_value() == "your model"
    assert race.locator(".kv-heading").first.inner_text() == "your model: 62 layers"
    assert budget.get_by_label("Model", exact=True).input_value() == "your model"
    assert page.get_by_text("as “your model”").count() == 2
    # A second takes the first's place.
    read(page, json.dumps(config("gpt2")))
    assert race.locator(".kv-heading").first.inner_text() == "your model: 12 layers"


def test_a_refusal_stands_whole_beside_the_field_and_the_figures_keep_theirs(open_):
    page = open_("config", LayerRace("gpt2"))
    spoiled = json.loads(GEMMA)
    spoiled["text_config"] |= {"num_attention_heads": 31, "kv_lora_rank": 512}
    with pytest.raises(ValueError) as error:
        layout(spoiled)
    assert read(page, json.dumps(spoiled)) == f"kvlib: {error.value}"
    area = page.get_by_label(FIELD)
    assert area.get_attribute("aria-invalid") == "true"
    described = area.get_attribute("aria-describedby").split()
    assert page.locator(".kv-told").get_attribute("id") in described and len(described) == 2
    assert violations(page) == []
    assert page.locator(".kv-of-layer_race").get_by_label("Model", exact=True).input_value() == "gpt2"
    read(page, GEMMA)
    assert area.get_attribute("aria-invalid") is None


def test_an_engines_refusal_is_a_row_and_a_wrong_option_is_at_its_field(open_):
    page = open_()
    read(page, json.dumps(config("bamba-9b")))
    assert "kvlib: engine vllm does not run bamba models" in page.locator(".kv-result table").inner_text()
    context = page.get_by_label("Contexts, in tokens")
    page.get_by_text("Contexts, precision, GPU").click()
    context.fill("8192 many")
    page.get_by_text("Contexts, precision, GPU").click()
    assert read(page).startswith("kvlib: --context: must be a whole number")
    assert context.get_attribute("aria-invalid") == "true" and context.is_visible()
    context.fill("131073")
    read(page)
    page.get_by_text("kvlib: warning: context 131,073 is beyond").wait_for()


def test_of_a_gguf_file_only_the_header_is_sent(open_):
    page = open_("config", LayerRace("gpt2"))
    # A file as large as a browser reads at once: the header, then more than is sent.
    page.evaluate(
        """header => {
            const bytes = Uint8Array.from(atob(header), c => c.charCodeAt(0));
            const rest = new Uint8Array(30 * 2 ** 20), transfer = new DataTransfer();
            transfer.items.add(new File([bytes, rest], "smol.gguf"));
            document.querySelector(".kv-ask form").dispatchEvent(
                new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        header(),
    )
    page.get_by_text("Taken: smol.gguf").wait_for()
    assert read(page).startswith("smol: 30 layers of llama, 22.5 KiB a token in bf16")
    sent = json.loads(page.asked[0])
    assert len(sent["data"]) == 24 * 2**20 * 4 // 3 and sent["size"] > 30 * 2**20
    assert page.locator(".kv-of-layer_race").get_by_label("Model", exact=True).input_value() == "your smol"
    assert page.get_by_role("button", name="Copy a link to this model").is_visible()
    page.get_by_role("button", name="Copy a link to this model").click()
    page.get_by_text("no config here that is small enough").wait_for()


def header() -> str:
    return b64encode(SMOLLM2.read_bytes()[:3_000_000]).decode()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mine.json", GEMMA.encode(), "mine: 62 layers of gemma3_text"),
        ("bom.json", b"\xef\xbb\xbf" + GEMMA.encode(), "bom: 62 layers"),
        ("model.safetensors", b"\x00\xff" * 300, "kvlib: config: model.safetensors is not JSON ("),
        ("short.gguf", b"GGUF\x03\x00", "kvlib: config: short.gguf is no GGUF file that can be read"),
        ("big.bin", b"x" * (5 << 20), "kvlib: config: only the first 4 MiB of big.bin were read"),
        ("empty.json", b"", "kvlib: config: empty.json is not JSON ("),
        (f"{EVIL}.json", b"{}", "kvlib: model_type"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_file_is_read_or_refused(open_, name, data, said):
    page = open_()
    give(page, name, data)
    assert read(page).startswith(said)
    assert page.title() == "Exercises" and page.locator("main img").count() == 0


def test_what_is_typed_takes_the_files_place(open_):
    page = open_()
    give(page, "mine.json", GEMMA.encode())
    assert page.get_by_label(FIELD).input_value() == GEMMA
    assert read(page, '{"model_type": "other"}').startswith("kvlib: unknown model_type 'other'")
    assert page.get_by_text("Taken").count() == 0
    assert page.get_by_label("Or a file").input_value() == ""


def test_what_is_hostile_stays_text(open_):
    page = open_()
    assert EVIL[:30] in read(page, json.dumps({"model_type": EVIL}))
    named = json.loads(GEMMA) | {"__proto__": {"polluted": 1}, "_name_or_path": EVIL}
    read(page, json.dumps(named))
    assert page.title() == "Exercises" and page.locator("main img").count() == 0
    assert page.evaluate("({}).polluted") is None
    assert read(page, "[" * 200_000).startswith("kvlib: config: config.json is not JSON")


def test_nothing_given_is_asked_for(open_):
    page = open_()
    assert read(page) == "Paste a config.json, or choose a file." and page.asked == []


def test_without_python_it_says_why(open_):
    page = open_(python=ABSENT)
    assert read(page, GEMMA) == "Serve the book, with make serve."
    assert page.get_by_label(FIELD).get_attribute("aria-invalid") is None


# ---- a link


def test_a_link_brings_the_config_back_and_starts_nothing(open_):
    page = open_()
    page.get_by_label(FIELD).fill(GEMMA)
    page.get_by_text("Contexts, precision, GPU").click()
    page.get_by_label("Contexts, in tokens").fill("1000")
    page.get_by_label("GPU (--gpu)").fill("H100")
    page.get_by_role("button", name="Copy a link to this model").click()
    page.locator(".kv-told", has_text="opied").or_(
        page.locator(".kv-told", has_text="address bar")
    ).wait_for()
    hash = page.evaluate("location.hash")
    assert hash.startswith("#ask.config=") and len(hash) < 1500
    other = open_(hash=hash, press=False)
    other.get_by_text("The link's config stands here.").wait_for()
    assert other.get_by_label(FIELD).input_value() == GEMMA and other.asked == []
    assert "1.031 GiB" not in read(other) and "at 1,000 tokens" in other.locator(".kv-told").inner_text()
    assert "1 × H100" in other.locator(".kv-result pre").inner_text()


@pytest.mark.parametrize("hash", ["%%%", "AAAA", "x" * 9_000, "", "deep", "many", "dtype", "bomb", "long"])
def test_a_hostile_link_is_refused(open_, hash):
    known = dict.fromkeys(("text", "file", "contexts", "dtype", "source_len", "gpu"), "")
    made = {
        "deep": known | {"text": {"a": 1}},
        "many": known | {"more": ""},
        "dtype": known | {"dtype": EVIL},
        "bomb": known | {"text": "0" * 4_000_000},
        "long": known | {"text": random.Random(0).randbytes(8_000).hex()},
    }
    hash = packed(made[hash]) if hash in made else hash
    page = open_(hash=f"#ask.config={hash}&layers.context=7", press=False)
    page.get_by_text("The link's config can't be read").wait_for()
    assert page.get_by_label(FIELD).input_value() == "" and page.asked == []


def packed(held) -> str:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(json.dumps(held).encode()) + squeeze.flush()
    return urlsafe_b64encode(data).decode().rstrip("=")


def test_without_the_figures_a_link_takes_the_config_to_them(open_):
    page = open_()
    read(page, GEMMA)
    [layers, budget] = [link.get_attribute("href") for link in page.locator(".kv-result a").all()]
    assert "/book/09-any-model.html#ask.config=" in layers and "/book/06-scaling-limits.html#" in budget


# ---- a log


def test_a_log_is_explained_as_the_command_does(open_):
    page = open_("explain")
    text, options, _ = LINES["vllm"]["vllm 10517, 20k"]
    page.get_by_label("Model (--model)").fill(options["model"])
    said, right = read(page, text, "Explain it"), explain(text, **options)
    assert page.locator(".kv-result pre").text_content() == right.text() and said == right.verdict
    # Said once, and seen once.
    assert page.locator(".kv-told").bounding_box()["width"] <= 1
    page.get_by_label("Model (--model)").fill("lama-3.1-8b")
    assert read(page, text, "Explain it").startswith("kvlib: unknown model 'lama-3.1-8b'; did you mean")
    assert page.get_by_label("Model (--model)").get_attribute("aria-invalid") == "true"
    assert page.locator(".kv-told").bounding_box()["width"] > 100


def test_a_hostile_log_is_text(open_):
    page = open_("explain")
    read(page, f"KV cache 7 {EVIL}\n\x1b]8;;x\x07\u202e", "Explain it")
    assert EVIL in page.locator(".kv-result pre").inner_text()
    assert page.title() == "Exercises" and page.locator("main img").count() == 0


def test_of_a_long_log_the_end_is_read(open_):
    page = open_("explain")
    give(page, "server.log", b"x" * (9 << 20) + b"\nGPU KV cache size: 178,880 tokens\n")
    assert "178,880 tokens" in read(page, press="Explain it")
    assert len(json.loads(page.asked[0])["text"]) == 8 * 2**20 + 1


# ---- for everyone


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("what", ["config", "explain"])
def test_axe_finds_nothing_and_nothing_runs_off_the_page(open_, what, width):
    page = open_(what, width=width)
    for details in page.locator(".kv-ask details").all():
        details.locator("summary").click()
    read(page, GEMMA if what == "config" else next(iter(LINES["vllm"].values()))[0], "it")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert not page.locator(".kv-ask form").is_visible() and page.locator(".kv-result").is_visible()


def test_the_keyboard_alone_asks_and_reads(open_):
    page = open_(press=False)
    page.locator(".kv-ask button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
    page.keyboard.insert_text(GEMMA)
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Read it"
    page.keyboard.press("Enter")
    page.locator(".kv-result table").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Read it", "the focus stays"
