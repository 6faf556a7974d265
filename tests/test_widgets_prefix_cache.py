"""The prefix cache: what the figure shows is what kvlib computes, and the reader may write what they like."""

import json
import random

import pytest

from kvlib.serving.prefix_cache import block_names
from kvlib.widgets import PrefixCache
from kvlib.widgets.prefix_cache import MOST, REQUESTS, A, words

from .browser import chromium, page, show  # noqa: F401
from .drive import drive
from .test_widgets_manners import HOSTILE
from .test_widgets_prefix_cache_model import some_setting

READ = """el => {
    const text = (node) => node.textContent.replace(/\\s+/g, " ").trim();
    const all = (selector, get = text) => [...el.querySelectorAll(selector)].map(get);
    const chip = (li) => [...li.children].map(text);
    return {
        big: text(el.querySelector(".kv-big")), why: text(el.querySelector(".kv-why")),
        said: text(el.querySelector(".kv-prefix-said").firstChild),
        heads: all(".kv-heading").slice(0, 2),
        cards: [...el.querySelectorAll(".kv-prefix-chain")].map((list) => [...list.children].map((li) =>
            [li.classList.contains("kv-prefix-broken"), ...[...li.children].map(text)])),
        marked: all(".kv-prefix-chain", (list) => list.querySelector("mark")?.textContent ?? null),
        free: all(".kv-prefix-pool ol li", chip), used: all(".kv-prefix-pool ul li", chip),
        areas: [...el.querySelectorAll("textarea")].map((area) => area.value),
    };
}"""
STEPS = [{"step": step} for step in range(3 * REQUESTS + 1)]


def ordinal(n):
    last = "th" if n in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{last}"


def pieces(text, size):
    """A prompt's blocks: the words and the name of each."""
    all_words = words(text)
    names = block_names(all_words, size)
    cut = [all_words[at : at + size] for at in range(0, len(all_words), size)]
    return [(piece, names[i] if i < len(names) else None) for i, piece in enumerate(cut)]


def expected(figure, step):
    """What the figure must show of a moment, worked out from kvlib's."""
    moments, size = figure.moments, figure.block_size
    m, cuts = moments[step], {"A": pieces(figure.a, size), "B": pieces(figure.b, size)}
    sent = [getattr(figure, f"sent_{i}") for i in range(1, REQUESTS + 1)]
    owners = {}
    for letter, cut in cuts.items():
        for i, (_, name) in enumerate(cut):
            if name:
                owners.setdefault(name, []).append(f"{letter}{i + 1}")
    label = {name: ", ".join(all_of) for name, all_of in owners.items()}
    ends = {}  # what was last written into a block that is not full
    for earlier in moments[: step + 1]:
        if earlier.kind == "compute" and earlier.table:
            who = sent[earlier.request - 1]
            ends[earlier.table[-1]] = "other" if who == "other" else f"{who}{len(earlier.table)}"

    def chip(block):
        name, users = m.names[block], m.refs[block]
        held = label.get(name, "other") if name else ends[block] if users else "empty"
        lost = [label.get(old, "other") for b, old in m.evicted if b == block]
        where = f"{users} user{'s' * (users > 1)}" if users else f"free, {ordinal(m.free.index(block) + 1)}"
        return [str(block), where, name[:6] if name else "no hash", " ".join([*lost, held])]

    def where(letter, i, name):
        mine = m.request and sent[m.request - 1] == letter
        if mine and i < len(m.found) and m.kind in ("look", "compute"):
            return f"hit: block {m.found[i]}"
        if mine and m.kind == "compute" and m.table:
            return f"new: block {m.table[i]}"
        blocks = [
            str(b) for b, held in enumerate(m.names)
            if (held == name if name else held is None and m.refs[b] and ends[b] == f"{letter}{i + 1}")
        ]  # fmt: skip
        return f"in block{'s' * (len(blocks) > 1)} {', '.join(blocks)}" if blocks else "not in the cache"

    def card(letter, i):
        piece, name = cuts[letter][i]
        other = "B" if letter == "A" else "A"
        twin = cuts[other][i] if i < len(cuts[other]) else ([], None)
        if not name:
            compared = "– not full, no hash"
        elif name == twin[1]:
            compared = f"{name[:6]} as {other}{i + 1}"
        elif not twin[1]:
            compared = f"{name[:6]} not in {other}"
        else:
            parents = i and cuts[letter][i - 1][1] != cuts[other][i - 1][1]
            reason = "same words, other parent" if piece == twin[0] else "other words"
            compared = f"{name[:6]} {reason}{' and parent' * bool(parents and piece != twin[0])}"
        text = " ".join(f"{letter}{i + 1} {' '.join(piece)}".split())
        return [bool(name and name != twin[1]), text, compared, where(letter, i, name)]

    def marked(letter, other):
        mine, theirs = words(getattr(figure, letter)), words(getattr(figure, other))
        return next((w for i, w in enumerate(mine) if theirs[i : i + 1] != [w]), None)

    return {
        "big": f"Hit rate {f'{100 * m.hits / m.queries:.0f} %' if m.queries else '–'}",
        "why": f"{m.hits} of {m.queries} word{'s' * (m.queries != 1)} found, {m.queries - m.hits} computed",
        "said": m.said,
        "cards": [[card(letter, i) for i in range(len(cuts[letter]))] for letter in "AB"],
        "marked": [marked("a", "b"), marked("b", "a")],
        "free": [chip(block) for block in m.free],
        "used": [chip(block) for block in range(figure.memory) if m.refs[block]],
    }


def plain(rng):
    """A setting whose words a browser shows as they are."""
    while True:
        setting = some_setting(rng)
        text = setting["a"] + setting["b"]
        if all(c.isprintable() and c != "\xa0" or c == " " for c in text):
            return setting


@pytest.mark.parametrize("seed", range(8))
def test_what_is_shown_is_what_kvlib_computes(page, seed):  # noqa: F811
    """Every moment of a setting, and then of others on the same page."""
    rng = random.Random(seed)
    settings = [{}] * (seed == 0) + [plain(rng) for _ in range(3)]
    figures = [PrefixCache(**setting) for setting in settings]
    first = PrefixCache()
    keys = [name for name in first.limits if name != "step"]
    points = [{name: getattr(figure, name) for name in keys} | step for figure in figures for step in STEPS]
    shown = iter(drive(page, first, points, READ))
    for figure in figures:
        for step in range(len(STEPS)):
            seen, wanted = next(shown), expected(figure, step)
            assert {name: seen[name] for name in wanted} == wanted, (seed, step)


def test_the_table_in_the_page_is_python_s(page):  # noqa: F811
    rng = random.Random(9)
    figures = [PrefixCache(**plain(rng)) for _ in range(40)]
    first = PrefixCache()
    points = [{name: getattr(figure, name) for name in first.limits} for figure in figures]
    rows = drive(page, first, points, """el => {
        const data = el.querySelector("details");
        if (!data.open) { data.open = true; data.dispatchEvent(new Event("toggle")); }
        return [...data.querySelectorAll("tbody tr")].map((tr) => [...tr.children].map((c) => c.textContent));
    }""")  # fmt: skip
    assert rows == [[[str(cell) for cell in row] for row in figure.table().rows] for figure in figures]


def opened(page, tmp_path, hash="", **state):  # noqa: F811
    show(page, tmp_path, PrefixCache(**state), hash=hash)
    return lambda: page.evaluate(f"({READ})(document.querySelector('.kv-figure'))")


def hashes(cards):
    return [card[2].split()[0] for card in cards if card[2][0] != "–"]


def test_a_changed_word_breaks_its_block_and_every_one_after_it(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path)
    before = seen()["cards"]
    assert [card[0] for card in before[1]] == [False] * 3 + [True] * 3 + [False]
    assert "same words, other parent" in before[1][4][2]  # and so it is one whose words did not change
    page.get_by_label("Prompt B").fill(A.replace("sentence.", "paragraph."))
    after = seen()["cards"]
    same = [a == b for a, b in zip(hashes(before[0]), hashes(after[1]), strict=True)]
    assert same == [True, True, False, False, False, False]
    assert seen()["marked"] == ["sentence.", "paragraph."]
    page.get_by_label("Prompt B").fill("Now " + A)
    assert [card[0] for card in seen()["cards"][1]] == [True] * 6 + [False] * 1
    assert seen()["said"].startswith("Request 2, B, computes 26 words and takes")
    page.get_by_label("Prompt B").fill(A)
    assert [card[0] for card in seen()["cards"][1]] == [False] * 7 and seen()["marked"] == [None, None]
    assert seen()["said"].startswith("Request 2, B, computes 1 word of 25 ")


def test_written_by_keyboard_and_stepped_through(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, a="one two three four", b="one two three four five")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.labels[0].textContent") == "Prompt A"
    page.keyboard.press("Control+End")
    page.keyboard.type(" five six")
    assert seen()["areas"][0] == "one two three four five six" and len(seen()["cards"][0]) == 2
    for button, step in (("Back", 3), ("Back", 2), ("Next", 3), ("Next", 4), ("Next", 5)):
        page.get_by_role("button", name=f"{button}: Moment").press("Enter")
        assert seen()["said"] == PrefixCache(a=seen()["areas"][0], b=seen()["areas"][1]).moments[step].said
    page.wait_for_function(
        "document.querySelector('.kv-spoken').textContent.startsWith('Moment 5. Request 1')"
    )


def test_by_touch(chromium, tmp_path):  # noqa: F811
    context = chromium.new_context(has_touch=True, viewport={"width": 360, "height": 740})
    page = context.new_page()  # noqa: F811
    seen = opened(page, tmp_path)
    page.get_by_role("button", name="Next: Moment").tap()
    assert seen()["said"] == PrefixCache().moments[5].said
    page.get_by_label("Prompt A").tap()
    page.keyboard.insert_text("Now ")
    assert "Now " in seen()["areas"][0]
    context.close()


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_in_it_moves_but_what_happens(page, tmp_path, width):  # noqa: F811
    """Blocks of the prompts, the memory and all below keep their places while it plays."""
    page.set_viewport_size({"width": width, "height": 800})
    show(page, tmp_path, PrefixCache(step=0, memory=11))
    places = """() => [...document.querySelectorAll(
        '.kv-prefix-said, .kv-prefix-block, .kv-prefix-pool, .kv-prefix-sent, .kv-offer')].map(e => {
        const { left, top, width, height } = e.getBoundingClientRect();
        return [left, top + scrollY, width, height];
    })"""
    seen = set()
    for _ in STEPS:
        page.evaluate("() => new Promise(requestAnimationFrame)")
        seen.add(str(page.evaluate(places)))
        page.get_by_role("slider", name="Moment, slider").press("ArrowRight")
    assert len(seen) == 1


def test_blocks_go_to_their_new_place_unless_the_reader_wants_it_calm(chromium, tmp_path):  # noqa: F811
    moved = "() => document.getAnimations().map(a => a.effect.target.firstChild.textContent).sort()"
    for motion, blocks in (
        ("no-preference", ["11", "12", "13", "14", "15", "3", "4", "5", "6"]),
        ("reduce", []),
    ):
        context = chromium.new_context(reduced_motion=motion)
        page = show(context.new_page(), tmp_path, PrefixCache(step=4))  # noqa: F811
        page.get_by_role("button", name="Next: Moment").press("Enter")
        assert set(blocks) <= set(page.evaluate(moved)) if blocks else page.evaluate(moved) == []
        context.close()


def test_what_became_of_a_block_is_not_told_by_colour_alone(page, tmp_path):  # noqa: F811
    opened(page, tmp_path, step=7)
    style = "(e, name) => getComputedStyle(e)[name]"
    look = [
        (".kv-prefix-chain mark", "textDecorationStyle", "wavy"),
        (".kv-prefix-pool del", "textDecorationLine", "line-through"),
        (".kv-prefix-away", "borderTopStyle", "dotted"),
    ]
    for selector, name, wanted in look:
        assert page.locator(selector).first.evaluate(style, name) == wanted
    arrows = "e => getComputedStyle(e, '::before').content"
    assert page.locator(".kv-prefix-broken + .kv-prefix-broken").first.evaluate(arrows) == '"⇢"'
    assert page.locator(".kv-prefix-block").nth(1).evaluate(arrows) == '"→"'


def test_a_link_holds_both_prompts(page, tmp_path):  # noqa: F811
    odd = "100 % & more = #hash\n<b>“x”</b> 😀 +1 ?"
    seen = opened(page, tmp_path)
    page.get_by_label("Prompt A").fill(odd)
    page.get_by_label("Prompt B").fill("")
    page.get_by_role("button", name="Copy a link").press("Enter")
    hash = page.evaluate("location.hash")
    assert len(hash) < 400
    seen = opened(page, tmp_path, hash=hash)
    assert seen()["areas"] == [odd, ""] and len(seen()["cards"][1]) == 0
    assert [card[1] for card in seen()["cards"][0]][0] == "A1 100 % & more"
    page.get_by_role("button", name="Reset").press("Enter")
    assert seen()["areas"] == [A, A.replace("Middlemarch", "Emma")]


def test_a_link_whose_prompt_is_too_long_is_refused(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path, hash=f"#prefix.a={'x' * (MOST + 1)}&prefix.b=short")
    assert seen()["areas"] == [A, "short"]
    assert page.locator(".kv-notice").inner_text().startswith("The link's a “xxx")


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "\u202eright to left",
        "\x00\x01\x7f",
        "__proto__ constructor toString",
        "😀" * 150,
        "x" * MOST,
    ],
    ids=["html", "direction", "control", "names", "emoji", "one word"],
)
def test_hostile_words_stay_words(page, tmp_path, text):  # noqa: F811
    """From Python, from a link and from the keyboard: the same, and nothing else on the page is touched."""
    page.set_viewport_size({"width": 360, "height": 740})
    seen = (
        opened(page, tmp_path, a=text, b=f"{text} again")
        if len(text) < MOST
        else opened(page, tmp_path, a=text)
    )
    shown = seen()
    assert page.title() == "Figures" and page.locator("img").count() == 0
    assert (
        page.locator(".kv-figure").count() == 1
        and page.evaluate("document.documentElement.scrollWidth") == 360
    )
    names = [name[:6] for name in block_names(words(text), 4)]
    assert hashes(shown["cards"][0]) == names
    page.get_by_label("Prompt B").fill(text)
    assert seen()["cards"][1] == [] or hashes(seen()["cards"][1]) == names
    assert page.title() == "Figures" and page.locator("img").count() == 0


def test_a_hundred_thousand_words_are_held(page, tmp_path):  # noqa: F811
    seen = opened(page, tmp_path)
    page.get_by_label("Prompt A").fill("word " * 100_000)
    assert seen()["areas"][0] == "word " * (MOST // 5)
    assert page.locator(".kv-notice").inner_text() == (
        f"A prompt has at most {MOST} characters: held at the first {MOST}."
    )
    page.get_by_label("Prompt A").fill("x" * (MOST - 1) + "😀")  # its half would be left
    assert seen()["areas"][0] == "x" * (MOST - 1) + "\ufffd"
    page.get_by_label("Prompt A").fill("short")
    assert page.locator(".kv-notice").inner_text() == ""


def test_a_wrong_value_is_named():
    cases = [
        ({"a": 3}, "a must be a text, not 3"),
        ({"b": "x" * (MOST + 1)}, f"b must be at most {MOST} characters long, not {MOST + 1}"),
        ({"a": "😀" * (MOST // 2 + 1)}, f"a must be at most {MOST}"),
        ({"block_size": 3}, "unknown block_size 3"),
        ({"memory": 3}, "memory must be a whole number of at least 4, not 3"),
        ({"sent_2": "C"}, "unknown sent_2 'C'"),
        ({"step": 16}, "step must be at most 15, not 16"),
    ]
    for wrong, words_of_it in cases:
        with pytest.raises(ValueError, match=words_of_it):
            PrefixCache(**wrong)


def test_half_a_character_can_be_written_to_a_file():
    figure = PrefixCache(a="half \ud800", b="\ud83d\ude00 whole")
    assert (figure.a, figure.b) == ("half \ufffd", "😀 whole")
    assert json.loads(json.dumps(figure.synced()))["a"] == figure.a and figure.html().encode()
