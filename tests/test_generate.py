"""Generation on a tiny model: any cache, batches, streaming, sampling."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from kvlib.generate import LanguageModel, choose
from kvlib.layouts import CacheLayout
from kvlib.measure.random_model import random_decoder

LAYOUT = CacheLayout.uniform(2, 2, 8, n_heads=6, max_context=256)
PROMPTS = ["a short one", "one that is quite a bit longer", "x"]
KINDS = {
    "contiguous": {}, "paged": dict(block_size=4), "sliding": dict(window=200),
    "quantized": dict(codes="int8", group=8), "fp8": {}, "h2o": dict(budget=200), "snapkv": dict(budget=200),
}  # fmt: skip


@pytest.fixture(scope="module")
def lm():
    """Random weights over bytes: a token is a byte of UTF-8."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return LanguageModel(random_decoder(LAYOUT, hidden=48, ffn=96, vocab=256), tokenizer)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cache_gives_the_tokens_of_no_cache(lm, kind):
    plain = lm.generate(PROMPTS[0], 20, use_cache=False)
    cached = lm.generate(PROMPTS[0], 20, cache=kind, **KINDS[kind])
    assert plain.cache is None and cached.cache.kind == kind
    assert len(cached.tokens) == len(cached.seconds) == 20
    if kind not in ("quantized", "fp8"):
        assert cached.tokens == plain.tokens and cached.text == plain.text
    assert cached.cache.nbytes == cached.cache.predicted_bytes
    assert cached.cache.length == len(PROMPTS[0]) + 19  # the last token was never fed back


@pytest.mark.parametrize("kind", [None, "contiguous", "paged", "sliding"])
def test_a_batch_gives_each_prompt_what_it_gets_alone(lm, kind):
    options = dict(use_cache=False) if kind is None else dict(cache=kind, **KINDS[kind])
    together = lm.generate(PROMPTS, 20, **options)
    assert together.tokens == [lm.generate(prompt, 20).tokens for prompt in PROMPTS]
    assert len(together.text) == 3


def test_a_window_is_kept_while_generating(lm):
    cache = lm.generate(PROMPTS[0], 40, cache="sliding", window=8, sinks=2).cache
    assert cache.nbytes == cache.reserved_bytes == 10 * LAYOUT.bytes_per_token("fp32")


def test_pieces_stream_as_they_come_and_join_to_the_text(lm):
    pieces = []
    out = lm.generate(PROMPTS[0], 60, on_token=pieces.append, temperature=1.0, seed=3)
    assert len(pieces) == 60 and out.text.startswith("".join(pieces))
    rows = []
    out = lm.generate(PROMPTS, 12, on_token=rows.append)
    assert len(rows) == 12
    for b, text in enumerate(out.text):
        assert text.startswith("".join(row[b] for row in rows))


def test_a_seed_draws_the_same_text_and_another_another(lm):
    drawn = [lm.generate(PROMPTS[0], 30, temperature=1.0, seed=seed).tokens for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_drawn_tokens_have_the_chances_softmax_gives_them():
    logits = torch.tensor([[0.0, 1.0, 2.0]]).expand(20000, 3)
    drawn = choose(logits, temperature=0.5, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=3) / 20000
    torch.testing.assert_close(shares, torch.softmax(torch.tensor([0.0, 2.0, 4.0]), 0), atol=0.015, rtol=0)


def test_a_stop_token_ends_its_sequence_and_is_not_shown(lm):
    tokens = lm.generate(PROMPTS[0], 20).tokens
    at = next(i for i in range(1, 20) if tokens[i] not in tokens[:i])
    stopping = LanguageModel(lm.decoder, lm.tokenizer, stop=[tokens[at]])
    assert stopping.generate(PROMPTS[0], 20).tokens == tokens[:at]
    assert stopping.generate(PROMPTS[0], 20, stop=False).tokens == tokens


def test_a_cache_of_ones_own_is_filled(lm):
    cache = lm.make_cache("contiguous", capacity=64)
    assert lm.generate(PROMPTS[0], 5, cache=cache).cache is cache and cache.length == len(PROMPTS[0]) + 4
    with pytest.raises(ValueError, match="cache must be empty"):
        lm.generate(PROMPTS[0], 5, cache=cache)


@pytest.mark.parametrize(
    "options, named",
    [(dict(prompt=""), "prompt"), (dict(prompt=[]), "prompt"), (dict(max_new_tokens=0), "max_new_tokens"),
     (dict(temperature=-1), "temperature"), (dict(cache="rolling"), "cache"),
     (dict(use_cache=False, cache="paged"), "use_cache"),
     (dict(prompt=["a", "bc"], cache="sliding", window=4, sinks=1), "sinks")],
)  # fmt: skip
def test_bad_input_is_refused_by_name(lm, options, named):
    with pytest.raises(ValueError, match=named):
        lm.generate(**(dict(prompt="a", max_new_tokens=4) | options))


@pytest.mark.parametrize("kind, options", [("contiguous", {}), ("paged", {}), ("quantized", dict(group=8))])
def test_a_text_of_the_same_shape_takes_the_memory_of_one_that_is_gone(kind, options, lm):
    """And with it what was captured over that memory; never of a cache that someone still has."""
    first = lm.generate("one two", 5, cache=kind, **options)
    kept = lm.generate("one two", 5, cache=kind, **options)
    assert first.cache is not kept.cache and first.cache.layers is not kept.cache.layers
    memory, tokens, captured = kept.cache.layers, kept.tokens, kept.cache.captured
    del kept
    again = lm.generate("one two", 5, cache=kind, **options)
    assert again.cache.layers is memory and again.cache.captured is captured and again.tokens == tokens
    assert again.cache.nbytes == again.cache.predicted_bytes == first.cache.nbytes
    del again
    longer = lm.generate("one two", 6, cache=kind, **options)
    assert longer.cache.layers is not memory and longer.tokens[:5] == tokens == first.tokens
