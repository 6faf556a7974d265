"""The race: two lanes with clocks of their own, and the columns that show them."""

from types import SimpleNamespace

import pytest

from kvlib.generate import LanguageModel
from kvlib.layouts import CacheLayout
from kvlib.measure import race as racing
from kvlib.measure.race import race
from kvlib.measure.random_model import random_decoder
from kvlib.widgets import columns as side_by_side
from kvlib.widgets.columns import Columns

LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=64)


class Letters:
    """A tokenizer of 40 letters; token 39 is half a character."""

    def encode(self, text):
        return SimpleNamespace(ids=[ord(letter) % 39 for letter in text])

    def decode(self, tokens):
        return "".join("\N{REPLACEMENT CHARACTER}" if t == 39 else chr(65 + t) for t in tokens)


@pytest.fixture
def lm():
    return LanguageModel(random_decoder(LAYOUT, hidden=32, ffn=48, vocab=40), Letters())


def test_both_lanes_write_what_generate_writes(lm):
    lanes = race(lm, "a prompt", new_tokens=12)
    expected = lm.generate("a prompt", 12, stop=False).tokens
    assert [lane.name for lane in lanes] == ["without a cache", "with a cache"]
    for lane in lanes:
        assert lane.tokens == expected and lane.text == Letters().decode(expected).rstrip("\ufffd")
        assert len(lane.seconds) == 12 and lane.seconds == sorted(lane.seconds) and lane.seconds[0] > 0
        assert lane.clock == lane.seconds[-1]


def test_the_lane_that_is_behind_writes_and_only_its_own_clock_moves(lm, monkeypatch):
    """Steps of 3 s without a cache and of 1 s with one, whatever is drawn in between."""

    def steps(decoder, tokens, n, cache):
        yield from ((i, 1.0 if cache else 3.0) for i in range(n))

    monkeypatch.setattr(racing, "_steps", steps)
    seen = []
    lanes = race(lm, "a", 6, on_token=lambda lanes: seen.append([len(lane.tokens) for lane in lanes]))
    assert [lane.seconds for lane in lanes] == [[3, 6, 9, 12, 15, 18], [1, 2, 3, 4, 5, 6]]
    assert len(seen) == 12 and seen[-1] == [6, 6]
    # Until the faster one is done, neither is ahead of the other by more than a step of its own.
    assert all(abs(3 * without - cached) <= 3 for without, cached in seen if cached < 6)


def test_what_only_the_first_steps_pay_is_paid_before_the_start(lm, monkeypatch):
    started = []
    real = racing._steps

    def steps(decoder, tokens, n, cache):
        started.append((n, cache, cache and cache.length))
        return real(decoder, tokens, n, cache)

    monkeypatch.setattr(racing, "_steps", steps)
    race(lm, "a", 5)
    # The cache that warms up is the one that races, empty again: a step is captured over one cache's memory.
    cache = started[1][1]
    assert started == [(3, None, None), (3, cache, 0), (5, None, None), (5, cache, 0)]
    assert cache.capacity == 1 + 5


@pytest.mark.parametrize(
    ("prompt", "new_tokens", "said"),
    [("", 4, "prompt must not be empty"), ("a", 0, "new_tokens"), ("abcd", 61, "at most 60")],
)
def test_a_race_that_cannot_be_run_is_refused(lm, prompt, new_tokens, said):
    with pytest.raises(ValueError, match=said):
        race(lm, prompt, new_tokens)


@pytest.fixture
def screen(monkeypatch):
    """What is displayed, in order; and a clock that the test moves."""
    drawn, now = [], [0.0]
    handle = SimpleNamespace(update=lambda columns: drawn.append(("update", columns.columns)))

    def display(columns, display_id):
        drawn.append(("display", columns.columns))
        return handle

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(side_by_side.time, "monotonic", lambda: now[0])
    return drawn, now


def test_columns_are_drawn_over_and_not_at_every_token(screen):
    drawn, now = screen
    columns = Columns(["one"])
    for n in range(25):
        now[0] = n * 0.01
        columns.show([(f"{n} tokens", "")])
    columns.show([("the end", "")], last=True)
    assert [how for how, _ in drawn] == ["display", "update", "update", "update"]
    assert drawn[-1][1] == [("the end", "")]
    with pytest.raises(ValueError, match="columns must be 1"):
        columns.show([("a", ""), ("b", "")])


def test_a_column_shows_text_and_not_markup():
    columns = Columns(["without", "with"])
    columns.columns = [("1 token", "<b>a</b>"), ("2 tokens", "a & b")]
    bundle = columns._repr_mimebundle_()
    assert bundle["text/plain"] == "without: 1 token\n<b>a</b>\n\nwith: 2 tokens\na & b"
    page = bundle["text/html"]
    assert page.count("<section>") == 2 and "&lt;b&gt;a&lt;/b&gt;" in page and "a &amp; b" in page
    assert "--kv-ink" in page
