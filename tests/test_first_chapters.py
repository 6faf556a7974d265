"""What the exercises of chapters 1 to 3 hold to be right, worked out once more another way."""

import random

import numpy as np
import pytest

import kvlib
from kvlib.checks import mark
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.questions.the_formula import claims
from kvlib.checks.questions.why_a_cache import rotary, steps, turns
from kvlib.checks.questions.worked_7b import longest, mixed, sizes


def test_the_layers_24_problem_stays_and_one_forgotten_factor_costs_one_part():
    question = QUESTIONS["02-steps"]
    numbers = {"layers": 24, "batch": 2, "heads": 16, "tokens": 2048, "head_dim": 64}
    assert question.numbers() == numbers
    right = {name: part.right for name, part in question.build().parts.items()}
    assert right["bytes of all layers"] == 402_653_184
    share, said = mark(question.build(), {name: n / 2 for name, n in right.items()})  # B forgotten, once
    assert share == 3 / 4 and said.count("Right, as it follows") == 3


def test_the_sketch_from_memory_has_all_five_parts():
    assert set(QUESTIONS["02-sketch"].build().parts) == {"formula", "underline", "circle", "box"}
    assert QUESTIONS["02-note"].manual and QUESTIONS["02-note"].kind == "words"


@pytest.mark.parametrize(
    "model, geometry, heads",
    [
        ("smollm2-135m", claims.SMOLLM2, 9),
        ("qwen-2.5-7b", claims.QWEN_7B, claims.QWEN_7B_HEADS),
        ("llama-2-70b", claims.LLAMA_70B, claims.LLAMA_70B_HEADS),
        ("llama-3-70b", claims.LLAMA_70B, claims.LLAMA_70B_HEADS),
        ("llama-2-7b", sizes.LLAMA_7B, 32),
        ("llama-2-13b", sizes.LLAMA_13B, 40),
    ],
)
def test_a_named_model_has_its_real_geometry(model, geometry, heads):
    layout = kvlib.layout(model)
    own = {"layers": layout.n_layers, "kv_heads": layout.n_kv_heads, "head_dim": layout.head_dim}
    assert own == geometry and layout.n_heads == heads


def test_the_larger_models_parameters_are_its_real_ones():
    total = kvlib.parameters("llama-2-13b").total
    assert round(total, -8) == sizes.PARAMETERS_13B
    question = QUESTIONS["03-outgrow"]
    for seed in ["", *map(str, range(20))]:  # the rounded number, which the text gives, changes no answer
        tokens = question.numbers(seed)["tokens"]
        exact = 2 * total // kvlib.layout("llama-2-13b").bytes(tokens) + 1
        assert question.build(seed).right == exact, tokens


def test_a_rotary_step_with_a_cache_gives_what_it_gives_without():
    numbers = np.random.default_rng(0)
    for window in (1, 2, 5, 30):
        wq, wk, wv = numbers.normal(size=(3, 8, 8))
        tokens = numbers.normal(size=(20, 8))
        cache = rotary.Rotary(wq, wk, wv, window)
        for t, x in enumerate(tokens):
            seen = range(max(0, t + 1 - window), t + 1)
            k = np.array([rotary.rotate(tokens[i] @ wk, i) for i in seen])
            v = np.array([tokens[i] @ wv for i in seen])
            uncached = steps.attend(rotary.rotate(x @ wq, t), k, v)
            np.testing.assert_allclose(cache.step(x), uncached, rtol=1e-12)


def test_a_conversation_is_counted_token_by_token():
    rng = random.Random(0)
    for _ in range(200):
        said = [(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(rng.randint(1, 5))]
        for cache in turns.CACHES:
            text, has_key, projected = [], set(), 0
            for words, answer in said:
                text += [len(text) + i for i in range(words)]
                has_key = has_key if cache == "kept" else set()
                for _ in range(answer):
                    new = set(text) - (has_key if cache != "none" else set())
                    projected += len(new)
                    has_key |= new
                    text.append(len(text))
            assert turns.conversation(said, cache) == projected


def test_windows_are_counted_token_by_token():
    rng = random.Random(0)
    for _ in range(100):
        layers, tokens, batch = mixed.random_layers(rng, 40), rng.randint(1, 80), rng.randint(1, 3)
        kept = 0
        for heads, dim, window in layers:
            cache = []
            for token in range(tokens):
                cache.append(token)
                del cache[: -(window or tokens)]
            kept += 2 * heads * dim * len(cache)
        assert mixed.cache_bytes(layers, tokens, batch, 4) == 4 * batch * kept


def test_the_longest_context_fits_and_one_token_more_does_not():
    rng, without = random.Random(0), 0
    for _ in range(200):
        layers, batch = mixed.random_layers(rng, 40), rng.randint(1, 3)
        room = rng.randint(1, 400_000)
        found = longest.longest(room, layers, batch)
        if found is None:
            without += 1
            assert mixed.cache_bytes(layers, 10**9, batch, 2) <= room
        else:
            assert not found or mixed.cache_bytes(layers, found, batch, 2) <= room
            assert mixed.cache_bytes(layers, found + 1, batch, 2) > room
    assert 5 < without < 150
