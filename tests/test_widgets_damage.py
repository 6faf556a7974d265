"""A cache that you can damage: what the figure shows is what kvlib writes, and every way to damage it."""

import gzip
import random

import pytest
import traitlets

from kvlib.measure.tiny import load_tiny, written
from kvlib.widgets import Damage
from kvlib.widgets.huffman import coded
from kvlib.widgets.tiny import tiny

from .browser import chromium, document, page, show  # noqa: F401

READ = """async () => {
    const ends = document.querySelector(".kv-ends");
    while (ends.getAttribute("aria-busy") === "true") await new Promise(done => setTimeout(done, 5));
    const words = (all) => [...all].filter(s => s.className !== "kv-later").map(s => s.textContent.trim());
    const texts = document.querySelectorAll(".kv-ends .kv-text");
    return {
        whole: words(texts[0].children), said: words(texts[1].children),
        marked: [...texts[1].querySelectorAll("span:not(.kv-later) mark")].map(m => m.textContent),
        columns: [...document.querySelectorAll("[role=option]")].map(o => o.ariaLabel),
        dropped: [...document.querySelectorAll("[aria-selected=true]")].map(o => o.firstChild.textContent),
        big: document.querySelector(".kv-big").textContent,
        why: document.querySelector(".kv-why").textContent,
    };
}"""


def opened(page, tmp_path, hash="", **state):  # noqa: F811
    """Show a figure; returns what reads it once its text is written."""
    show(page, tmp_path, Damage(**state), hash=hash)
    return lambda: page.evaluate(READ)


@pytest.fixture(scope="module")
def model():
    return load_tiny()


def some_state(rng):
    dropped = sorted(rng.sample(range(110), rng.choice((0, 1, 1, 4))))
    return {
        "story": rng.randint(1, 6), "bits": rng.choice((16, 16, 8, 4, 2)),
        "window": rng.choice((0, 0, 64, 48)), "sinks": rng.choice((0, 1, 4)),
        "rotation": rng.random() < 0.8, "step": rng.choice((50, 50, 0, 1, 23)),
        "dropped": ".".join(map(str, dropped)),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_the_figure_shows_what_kvlib_writes(page, tmp_path, model, seed):  # noqa: F811
    """Words, facts and bytes; the page computes in float64 and kvlib here in float32."""
    state = some_state(random.Random(seed))
    figure = Damage(**state)
    story = figure.data["stories"][state["story"] - 1]
    ids = [model.tokenizer.token_to_id(word) for word in story["prompt"].split()]
    damage = {
        "bits": state["bits"], "window": state["window"] or None, "sinks": state["sinks"],
        "rotation": state["rotation"], "dropped": [int(n) for n in state["dropped"].split(".") if n],
    }  # fmt: skip
    tokens, _, cache = written(model, [ids], max(1, state["step"]), **damage)
    words = [model.tokenizer.id_to_token(token) for token in tokens[0].tolist()][: state["step"]]
    seen = opened(page, tmp_path, **state)()
    assert seen["said"] == words
    end = story["end"].split()
    assert seen["whole"] == end[: state["step"]]
    assert seen["marked"] == [a for a, b in zip(words, end, strict=False) if a != b]
    told = [at for at, _ in story["facts"] if at < len(words)]
    right = [at for at in told if words[at] == end[at]]
    assert seen["big"] == (f"{len(right)} of {len(told)} facts right" if told else "No fact told yet")
    assert figure.nbytes == cache.nbytes
    full = (len(ids) + max(0, state["step"] - 1)) * 384
    assert f", {cache.nbytes:,} bytes. Whole: " in seen["why"] and f", {full:,} bytes." in seen["why"]
    kept = [label for label in seen["columns"] if label.split(": ")[1].startswith("kept")]
    assert len(kept) == len(cache.kept()) and len(seen["columns"]) == len(ids) + len(words)


def test_what_is_remembered_is_of_the_same_damage(page, tmp_path, model):  # noqa: F811
    """One change after another in one page, and all the way back; each is what kvlib writes."""
    seen = opened(page, tmp_path, dropped="")
    select = {label: page.get_by_role("combobox", name=label) for label in ("Bits", "Window", "Story")}
    turn = page.get_by_role("checkbox", name="Turn each key")
    changes = [
        (lambda: turn.uncheck(), {"rotation": False}),
        (lambda: turn.check(), {}),
        (lambda: select["Bits"].select_option("2"), {"bits": 2}),
        (lambda: select["Window"].select_option("48"), {"bits": 2, "window": 48}),
        (lambda: select["Bits"].select_option("16"), {"window": 48}),
        (lambda: select["Story"].select_option("2"), {"window": 48, "story": 1}),
        (lambda: select["Window"].select_option("0"), {"story": 1}),
        (lambda: select["Story"].select_option("1"), {}),
    ]
    for change, damage in changes:
        change()
        asked = Damage().data["stories"][damage.pop("story", 0)]["prompt"].split()
        ids = [model.tokenizer.token_to_id(word) for word in asked]
        tokens, _, _ = written(model, [ids], 50, **damage)
        assert seen()["said"] == [model.tokenizer.id_to_token(token) for token in tokens[0].tolist()], damage


def column(page, word):  # noqa: F811
    return page.get_by_role("option", name=f"{word}:").first


def test_a_word_is_dropped_by_a_click_and_comes_back(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, dropped="")
    assert (seen()["big"], seen()["marked"]) == ("16 of 16 facts right", [])
    place = Damage().data["stories"][0]["prompt"].split()[17]
    column(page, place).click()
    assert seen()["dropped"] == [place]
    assert place not in seen()["said"] and seen()["big"] == "15 of 16 facts right"
    assert len(seen()["marked"]) == 1
    column(page, place).click()
    assert (seen()["big"], seen()["dropped"]) == ("16 of 16 facts right", [])


def test_by_keyboard(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, dropped="")
    words = Damage().data["stories"][0]["prompt"].split()
    page.get_by_role("listbox").focus()
    for key in ("End", "Home", *["ArrowRight"] * 18, "ArrowLeft", " "):
        page.keyboard.press(key)
    assert seen()["dropped"] == [words[17]]
    top = "document.querySelector('.kv-current').offsetTop"
    before = page.evaluate(top)
    page.keyboard.press("ArrowDown")
    assert page.evaluate(top) > before
    page.keyboard.press("ArrowUp")
    assert page.evaluate(top) == before
    page.get_by_role("button", name="Keep every token").press("Enter")
    assert seen()["dropped"] == []
    active = page.get_by_role("listbox").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("role") == "option"


def test_by_touch(chromium, tmp_path):  # noqa: F811
    context = chromium.new_context(has_touch=True, viewport={"width": 360, "height": 740})
    page = context.new_page()  # noqa: F811
    seen = opened(page, tmp_path, dropped="")
    place = Damage().data["stories"][0]["prompt"].split()[17]
    column(page, place).tap()
    assert seen()["dropped"] == [place]
    boxes = page.locator("[role=option]").evaluate_all("all => all.map(o => o.getBoundingClientRect())")
    assert min(box["width"] for box in boxes) >= 24 and min(box["height"] for box in boxes) >= 24
    context.close()


def test_what_is_marked_is_not_marked_by_colour_alone(page, tmp_path):  # noqa: F811
    opened(page, tmp_path, window=48, sinks=4, dropped="90")()
    line = "e => getComputedStyle(e).textDecorationLine + ' ' + getComputedStyle(e).textDecorationStyle"
    assert page.locator(".kv-ends mark").first.evaluate(line) == "underline wavy"
    assert page.locator(".kv-is-dropped .kv-word").first.evaluate(line).startswith("line-through")
    below = "e => getComputedStyle(e).borderBottomStyle"
    kinds = ("kept", "sink", "outside", "dropped", "newest")
    styles = {kind: page.locator(f".kv-is-{kind}").first.evaluate(below) for kind in kinds}
    assert styles == {
        "kept": "solid", "sink": "double", "outside": "dotted", "dropped": "dotted", "newest": "dashed"
    }  # fmt: skip


def test_fewer_bits_are_a_lower_column(page, tmp_path):  # noqa: F811
    heights = []
    for bits in (16, 8, 4, 2):
        opened(page, tmp_path, bits=bits)()
        below = "e => parseFloat(getComputedStyle(e).borderBottomWidth)"
        heights.append(page.locator(".kv-is-kept").first.evaluate(below))
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 4


def test_the_text_is_written_while_it_plays_and_the_page_keeps_still(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, step=0)
    assert seen()["said"] == []
    height = "document.querySelector('.kv-figure').getBoundingClientRect().height"
    heights = {page.evaluate(height)}
    page.get_by_role("button", name="Play: Written").click()
    page.wait_for_function("document.querySelectorAll('.kv-told').length >= 12")
    heights.add(page.evaluate(height))
    page.get_by_role("button", name="Pause: Written").click()
    assert 12 <= len(seen()["said"]) < 50
    heights.add(page.evaluate(height))
    assert len(heights) == 1


def test_a_link_holds_what_is_dropped(page, tmp_path):  # noqa: F811
    hash = "#damage.dropped=17.21&damage.bits=4&damage.story=2&damage.window=64&damage.sinks=4&damage.step=30"
    seen = opened(page, tmp_path, hash=hash)
    words = Damage().data["stories"][1]["prompt"].split()
    assert seen()["dropped"] == [words[17], words[21]] and len(seen()["said"]) == 30
    page.get_by_role("combobox", name="Bits a number").select_option("2")
    page.wait_for_function("location.hash.includes('damage.bits=2')")
    assert "damage.dropped=17.21" in page.evaluate("location.hash")


def test_a_link_that_names_no_places_is_refused(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, hash="#damage.dropped=17.x%3Cb%3E")
    assert "dropped “17.x<b>” can't be read" in page.locator(".kv-notice").inner_text()
    assert len(seen()["dropped"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"dropped": "17,21"}, {"dropped": "x"}, {"bits": 3}, {"window": 5}, {"story": 7}, {"step": 51}],
    ids=str,
)
def test_a_wrong_value_is_named(wrong):
    [name] = wrong
    with pytest.raises((ValueError, traitlets.TraitError), match=name):
        Damage(**wrong)


def test_the_model_s_size_is_said_as_it_is():
    figure = Damage()
    assert f"{tiny()['about']['parameters']:,} weights" in figure.lead
    table = figure.table()
    assert table.rows[0][0] == "the whole cache" and table.rows[0][2] == "16 of 16"
    for row, recorded in zip(table.rows, tiny()["measured"]["rows"], strict=True):
        assert row[3] == f"{100 * recorded['right']:.1f} %"


def test_the_weights_are_light():
    """Weights at most 38 kB compressed, 43 if uncoded; the rest is held in test_widgets_promises.py."""
    weights = coded(tiny()["codes"])["data"]
    assert weights in document(Damage())
    assert len(gzip.compress(weights.encode())) <= 38_000
