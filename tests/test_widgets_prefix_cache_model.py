"""The prefix cache in JavaScript: every hash, block and sentence is Python's, on many random cases."""

import hashlib
import json
import random

import pytest

from kvlib.serving.prefix_cache import block_name
from kvlib.widgets.base import STATIC
from kvlib.widgets.prefix_cache import MOST, SENT, PrefixCache, Text, words

from .browser import chromium, page  # noqa: F401

ODD = [
    "<!--<script>", "</script>", "😀", "naïve", "\ud800", "\udc00x", "\x7f", "\x00", "\x1f", "\u2028", '"',
    "\\", "\\u0041", "\ufeff", "\u202e", "\xa0", "\x85", "\x1c", "__proto__", "1", "0", "[", "a,b",
]  # fmt: skip
BETWEEN = [" ", "  ", "\n", "\t", "\v", "\f", "\r\n", " \n "]


@pytest.fixture
def js(page):  # noqa: F811
    """js(code, given): the code's answer; the script's own functions can be called in it."""
    page.goto("about:blank")
    for name in ("maths.js", "frame.js", "prefix_cache.model.js"):
        page.add_script_tag(content=(STATIC / name).read_text(encoding="utf-8"))
    return lambda code, given: json.loads(
        page.evaluate(f"text => {{ const given = JSON.parse(text); {code} }}", json.dumps(given))
    )


def some_text(rng):
    """Words that often come again, odd ones among them, with all sorts of blanks between."""
    several = rng.choice([["w"], ["a", "b"], ["one", "two", *ODD], ODD])
    n = rng.choice([0, 1, 2, 3, 4, 8, 16, rng.randint(0, 60)])
    text = "".join(rng.choice(several) + rng.choice(BETWEEN) for _ in range(n))
    return (rng.choice(["", " "]) + text)[: MOST // 2]


def test_sha256_is_sha256(js):
    rng = random.Random(1)
    texts = ["", "abc", *("x" * n for n in range(200))]
    texts.append("".join(chr(rng.randrange(128)) for _ in range(100_000)))
    said = js("return JSON.stringify(given.map(sha256));", texts)
    assert said == [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def test_the_names_of_blocks(js):
    rng = random.Random(2)
    points = [
        [rng.choice(["", block_name("", [i])]), [rng.choice(ODD) for _ in range(rng.randint(1, 9))]]
        for i in range(3000)
    ]
    points += [["", [i, str(i), 2**53 - 1 - i]] for i in range(50)]  # numbers are tokens too
    said = js("return JSON.stringify(given.map((point) => blockName(...point)));", points)
    assert said == [block_name(*point) for point in points]


def test_the_words_of_a_text(js):
    rng = random.Random(3)
    texts = [some_text(rng) for _ in range(3000)] + [" ".join(ODD * 50), "", " "]
    assert js("return JSON.stringify(given.map(wordsOf));", texts) == [words(text) for text in texts]


def test_what_is_held_of_a_text(js):
    """The page cuts what Python refuses; half a surrogate pair becomes U+FFFD in both."""
    rng = random.Random(4)
    texts = ["".join(rng.choice(ODD) for _ in range(rng.randint(0, 60))) for _ in range(3000)]
    said = js("return JSON.stringify(given.map((text) => held(text, 400)));", texts)
    assert MOST == 400 and [len(one.encode("utf-16-le")) // 2 for one in said] == [
        len(text.encode("utf-16-le", "surrogatepass")) // 2 for text in texts
    ]
    assert said == [Text("").validate(None, text) for text in texts]
    [long] = js("return JSON.stringify(given.map((text) => held(text, 400)));", ["x" * 399 + "😀"])
    assert long == "x" * 399 + "\ufffd"


def some_setting(rng):
    a = some_text(rng)
    kept = words(a)[: rng.randint(0, 40)]  # b begins as a does
    b = rng.choice([some_text(rng), a, " ".join([*kept, some_text(rng)])[: MOST // 2]])
    return {
        "a": a, "b": b, "block_size": rng.choice([2, 4, 8]), "memory": rng.randint(4, 24),
        "other": rng.choice([1, 8, 32, 96, rng.randint(1, 96)]),
        **{f"sent_{i}": rng.choice(SENT) for i in range(1, 6)},
    }  # fmt: skip


STORY = """
    const sentOf = (state) => [1, 2, 3, 4, 5].map((i) => {
        const who = state[`sent_${i}`];
        const traffic = Array.from({ length: state.other }, (_, n) => `${i}.${n + 1}`);
        return [who, who === "other" ? traffic : wordsOf(state[who.toLowerCase()])];
    });
    return JSON.stringify(given.map((state) => story(sentOf(state), state.memory, state.block_size)));
"""


def test_every_moment_of_many_stories(js):
    rng = random.Random(5)
    settings = [some_setting(rng) for _ in range(1500)]
    kinds = ("waits", "refused", "Evicted", "no word", "only block", "last block", "others use")
    seen = dict.fromkeys(kinds, 0)
    figures = [PrefixCache(**setting) for setting in settings]
    shown = [{name: getattr(figure, name) for name in settings[0]} for figure in figures]
    for figure, said in zip(figures, js(STORY, shown), strict=True):
        assert [json.loads(json.dumps(vars(moment))) for moment in figure.moments] == said
        for kind in kinds:
            seen[kind] += any(kind in moment["said"] for moment in said)
    assert min(seen.values()) > 10, seen
