"""Speculative decoding: the model's own text, whatever is guessed, and every wrong guess given back."""

import random

import pytest
from hypothesis import given, settings, strategies as st

from kvlib import smollm2
from kvlib.speculative import accept, lookup, speculate

from .test_generate import lm  # noqa: F401

KINDS = {"contiguous": {}, "paged": dict(block_size=4), "quantized": dict(codes="int8", group=8)}


def wild(tokens, n):
    """Guesses of which some are right by chance, of any number."""
    draw = random.Random(len(tokens))
    return [draw.choice(tokens) for _ in range(draw.randint(0, n))]


@pytest.mark.parametrize(
    "propose", [lookup, wild, lambda tokens, n: [0] * (n + 5)], ids=["lookup", "wild", "wrong"]
)
@pytest.mark.parametrize("draft", [0, 1, 4, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_the_text_is_the_models(lm, kind, draft, propose):  # noqa: F811
    plain = lm.generate("a short one", 40, cache=kind, **KINDS[kind])
    run = speculate(lm, "a short one", 40, draft=draft, propose=propose, cache=kind, **KINDS[kind])
    assert run.tokens == plain.tokens and run.text == plain.text
    assert 0 <= run.accepted <= run.drafted <= draft * (run.steps - 1)
    assert run.steps == 40 - run.accepted  # each step gives one token beside the accepted guesses
    assert run.cache.length == run.kept[-1] == plain.cache.length
    assert run.cache.nbytes == run.cache.predicted_bytes == plain.cache.nbytes


def test_guesses_that_are_right_save_steps(lm):  # noqa: F811
    """A model that repeats itself is guessed rightly: its own text stands there already."""
    text = lm.generate("a short one", 60).tokens

    def oracle(tokens, n):
        done = len(tokens) - len("a short one")
        return text[done : done + n]

    run = speculate(lm, "a short one", 60, draft=4, propose=oracle)
    assert run.tokens == text and run.accepted == run.drafted
    assert run.steps == 1 + -(-59 // 5)


def test_wrong_guesses_leave_their_blocks(lm):  # noqa: F811
    run = speculate(lm, "x", 12, draft=8, propose=lambda tokens, n: [1] * n, cache="paged", block_size=1)
    assert run.cache.pool.num_used == run.cache.length == 12


def test_a_ring_that_overwrites_refuses(lm):  # noqa: F811
    with pytest.raises(ValueError, match="the ring of 12 tokens has overwritten"):
        speculate(lm, "a short one", 20, propose=lambda tokens, n: [1] * n, cache="sliding", window=12)


@pytest.mark.parametrize("bad", [dict(max_new_tokens=0), dict(draft=-1), dict(draft=1.5)])
def test_a_bad_count_is_refused(lm, bad):  # noqa: F811
    with pytest.raises(ValueError, match="must be"):
        speculate(lm, "x", **bad)


@settings(max_examples=200, deadline=None)
@given(tokens=st.lists(st.integers(0, 3), max_size=20), n=st.integers(0, 5), ngram=st.integers(1, 4))
def test_lookup_against_all_places(tokens, n, ngram):
    found = lookup(tokens, n, ngram)
    for size in range(min(ngram, len(tokens) - 1), 0, -1):
        places = [i for i in range(size, len(tokens)) if tokens[i - size : i] == tokens[-size:]]
        if places:
            assert found == tokens[max(places) :][:n]
            return
    assert found == []


def test_accept():
    assert accept([], [7]) == [7]
    assert accept([1, 2, 3], [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert accept([1, 2, 3], [1, 9, 3, 4]) == [1, 9]
    assert accept([1], [2, 5]) == [2]


def test_smollm2_writes_what_it_would_have_written():
    model = smollm2.load_smollm2("cpu")
    prompt = smollm2.chat(
        "Copy this text word for word: The cache keeps the keys and the values of every token that the model "
        "has read. A new token then needs only its own."
    )
    plain = model.generate(prompt, 48)
    run = speculate(model, prompt, 48)
    assert run.tokens == plain.tokens and run.text == plain.text
    assert run.accepted > len(run.tokens) / 2 and run.steps < len(run.tokens) / 2
