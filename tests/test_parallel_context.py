"""Context parallelism: parts of attention, their merge, the cache of a rank, decoders over processes."""

from functools import partial

import pytest
import torch
from torch import distributed as dist

from kvlib.attention import ContiguousView, attention, visible
from kvlib.cache import make_cache
from kvlib.generate import LanguageModel
from kvlib.layouts import CacheLayout, LayerKV, StateTensor
from kvlib.measure.random_model import random_decoder
from kvlib.parallel import (
    ContextCache,
    ContextDecoder,
    context,
    context_bytes,
    launch,
    rank_tokens,
    run,
    text,
)  # fmt: skip
from kvlib.parallel.context import merge, partial_attention

GQA = CacheLayout.uniform(2, 2, 8, n_heads=8, max_context=64, name="gqa")
TINY = dict(hidden=48, ffn=96, vocab=50)
TOKENS = torch.randint(0, 50, (3, 18), generator=torch.Generator().manual_seed(1))
PAD = torch.tensor([0, 3, 7])


def numbers(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def merged_of(parts):
    return merge(*(torch.stack(each) for each in zip(*parts, strict=True)))


# The parts of attention, and the whole.


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize(("tokens", "new"), [(1, 1), (2, 1), (41, 1), (41, 6)])
def test_the_parts_merge_to_plain_softmax_attention(ranks, tokens, new):
    """In float64, against the textbook's formula with every key repeated for its query heads."""
    q, k, v = numbers(2, 6, new, 8), numbers(2, 3, tokens, 8, seed=1), numbers(2, 3, tokens, 8, seed=2)
    q *= 30  # some scores far above the others: exp of them alone would overflow in another dtype
    seen = visible(new, tokens)
    keys, values = (x.repeat_interleave(2, dim=1) for x in (k, v))
    scores = (q @ keys.transpose(-1, -2) / 8**0.5).masked_fill(~seen, float("-inf"))
    whole = scores.softmax(-1) @ values
    of = [slice(rank, None, ranks) for rank in range(ranks)]
    parts, totals = zip(
        *(partial_attention(q, k[:, :, i], v[:, :, i], seen[..., i]) for i in of), strict=True
    )
    merged = merge(torch.stack(parts), torch.stack(totals))
    assert merged.dtype == torch.float64
    torch.testing.assert_close(merged, whole, rtol=1e-13, atol=1e-13)


def test_the_merge_is_that_of_the_kernels():
    """They split a long sequence among threads, and merge in float32."""
    q, k, v = (numbers(1, heads, n, 64, dtype=torch.float32) for heads, n in ((9, 1), (3, 3000), (3, 3000)))
    whole = attention(q, ContiguousView.of(k, v))
    seen = torch.ones(1, 1, 1, 1500, dtype=torch.bool)
    halves = [partial_attention(q, k[:, :, i::2], v[:, :, i::2], seen) for i in range(2)]
    merged = merged_of(halves)
    torch.testing.assert_close(merged, whole, rtol=1e-4, atol=1e-5)


def test_a_part_that_sees_nothing_weighs_nothing():
    q, k, v = numbers(1, 2, 1, 4), numbers(1, 1, 3, 4, seed=1), numbers(1, 1, 3, 4, seed=2)
    seen = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    for n in (0, 3):
        out, total = partial_attention(q, k[:, :, :n], v[:, :, :n], ~seen[..., :n])
        assert torch.equal(out, torch.zeros_like(q)) and (total == float("-inf")).all()
    some = partial_attention(q, k, v, seen)
    assert torch.equal(merged_of([some, (out, total)]), some[0])


def test_half_precision_is_summed_in_float32():
    q, k, v = (numbers(1, 1, n, 8).to(torch.bfloat16) for n in (1, 5, 5))
    out, total = partial_attention(q, k, v, torch.ones(1, 1, 1, 5, dtype=torch.bool))
    assert out.dtype == total.dtype == torch.float32


# What a rank keeps.


def test_ranks_differ_by_one_token_at_most():
    for ranks in (1, 2, 3, 7):
        for tokens in range(30):
            each = [rank_tokens(tokens, rank, ranks) for rank in range(ranks)]
            assert sum(each) == tokens and max(each) - min(each) <= 1


@pytest.mark.parametrize("ranks", [1, 2, 8, 16])
def test_the_ranks_bytes_add_up(ranks):
    """Also of a latent, which tensor parallelism does not cut; also where the tokens do not come out even."""
    latent = CacheLayout((LayerKV("latent", 1, 576, v_head_dim=0),) * 3, name="latent")
    for layout in (GQA, latent):
        each = [context_bytes(layout, 61, rank, ranks, batch=3, dtype="fp32") for rank in range(ranks)]
        assert sum(each) == layout.bytes(61, 3, "fp32")
        assert each[0] == -(-61 // ranks) * 3 * layout.bytes_per_token("fp32")
    assert context_bytes(GQA, 1, 1, 2) == 0


WINDOW = CacheLayout((LayerKV("full", 2, 8), LayerKV("sliding", 2, 8, window=5)), name="windows")
STATE = CacheLayout((LayerKV("state", state=(StateTensor(8),)),))


@pytest.mark.parametrize(
    ("layout", "rank", "ranks", "says"),
    [
        (WINDOW, 0, 2, "layer 1 of windows, 'sliding', does not keep every token"),
        (STATE, 0, 2, "layer 0 of model, 'state', does not"),
        (CacheLayout((LayerKV("full", 2, 4, cross_elements=8),)), 0, 2, "does not keep every token"),
        (GQA, 2, 2, "rank must be less than ranks=2, not 2"),
        (GQA, -1, 2, "rank must be a whole number of at least 0, not -1"),
        (GQA, 0, 0, "ranks must be a whole number of at least 1, not 0"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(layout, rank, ranks, says):
    with pytest.raises(ValueError, match=says):
        context_bytes(layout, 10, rank, ranks)
    with pytest.raises(ValueError, match=says):
        ContextCache(layout, rank=rank, ranks=ranks)


def test_a_cache_keeps_its_own_tokens_and_gives_them_back():
    layout = CacheLayout.uniform(1, 1, 2, n_heads=1)
    caches = [ContextCache(layout, rank=rank, ranks=2, capacity=9) for rank in range(2)]
    for cache in caches:
        k = torch.arange(9.0).view(1, 1, 9, 1).expand(1, 1, 9, 2)
        for new in (slice(0, 5), slice(5, 6), slice(6, 9)):
            cache.append(new.stop - new.start)
            cache.write(0, k[:, :, new], -k[:, :, new])
            assert cache.nbytes == cache.predicted_bytes
        keys, values = cache.held(0)
        assert keys[0, 0, :, 0].tolist() == list(range(cache.rank, 9, 2))
        assert torch.equal(values, -keys)
        assert cache.reserved_bytes == cache.nbytes == context_bytes(layout, 9, cache.rank, 2, dtype="fp32")
        cache.crop(5)
        assert cache.held(0)[0][0, 0, :, 0].tolist() == list(range(cache.rank, 5, 2))
    assert sum(cache.nbytes for cache in caches) == layout.bytes(5, dtype="fp32")


def test_another_cache_is_refused():
    decoder = ContextDecoder(random_decoder(GQA, **TINY), 0, 2)
    with pytest.raises(ValueError, match="cache must be a ContextCache of rank=0, ranks=2"):
        decoder(TOKENS, make_cache("contiguous", GQA, batch=3))
    with pytest.raises(ValueError, match="cache must be a ContextCache of rank=0, ranks=2"):
        decoder(TOKENS, ContextCache(GQA, rank=1, ranks=2, batch=3))
    with pytest.raises(ValueError, match="cache must be a ContextCache"):
        decoder(TOKENS)


# Decoders over several processes.


def compare(rank, ranks, device):
    """In a rank: the largest difference of each step's logits from the whole decoder's, and bytes."""
    found, room = {}, dict(batch=3, capacity=18)
    context.QUERY_BLOCK = 4  # of which a prompt's chunks need two
    for pad in (None, PAD):
        # Another rotary base and another eps than a decoder's own: they must come along.
        whole = random_decoder(GQA, rope_theta=100.0, eps=1e-2, **TINY)
        caches = {
            whole: make_cache("contiguous", GQA, **room),
            ContextDecoder(whole, rank, ranks): ContextCache(GQA, rank=rank, ranks=ranks, **room),
        }
        logits = []
        for decoder, cache in caches.items():
            cache.pad = pad
            # The prompt in two chunks, so that the second one reads tokens of all ranks.
            steps = [TOKENS[:, :7], TOKENS[:, 7:10], *TOKENS[:, 10:].split(1, dim=1)]
            logits.append(torch.stack([decoder(step, cache) for step in steps]))
        every = [torch.empty_like(logits[1]) for _ in range(ranks)]
        dist.all_gather(every, logits[1])
        off = (logits[0] - logits[1]).abs().max().item()
        found[pad is None] = off, all(torch.equal(x, every[0]) for x in every), cache.nbytes
    return found


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_ranks_give_the_decoders_logits(ranks):
    for rank, found in enumerate(launch(compare, ranks)):
        for off, same, nbytes in found.values():
            assert off < 1e-4 and same
            assert nbytes == context_bytes(GQA, 18, rank, ranks, 3, "fp32")


PROMPTS = [[1, 2, 3, 4, 5], [6, 7]]


def test_run_gives_the_tokens_of_one_process():
    make = partial(random_decoder, GQA, **TINY)
    alone = LanguageModel(make(), text._Ids()).generate(PROMPTS, 8)
    runs = run(make, PROMPTS, 2, 8, parallel="context")
    assert [one.rank for one in runs] == [0, 1]
    for one in runs:
        assert one.tokens == alone.tokens and one.text == alone.text
        assert (one.n_heads, one.n_kv_heads, one.n_tokens) == (8, 2, 6)
        assert one.cache_bytes == one.predicted_bytes and one.weights_bytes == make().weights_bytes
    assert sum(one.cache_bytes for one in runs) == alone.cache.nbytes


def test_the_real_model_over_two_ranks():
    """SmolLM2's three KV heads cannot be shared out over two ranks; its tokens can."""
    smollm2 = pytest.importorskip("kvlib.smollm2")
    lm = smollm2.load_smollm2("cpu")
    alone = lm.generate("The capital of France is", 12, stop=False)
    runs = run(smollm2.load_smollm2, "The capital of France is", 2, 12, parallel="context", stop=False)
    for one in runs:
        assert one.tokens == alone.tokens and one.text == alone.text
        assert one.cache_bytes == one.predicted_bytes
    assert sum(one.cache_bytes for one in runs) == alone.cache.nbytes
    assert sum(one.n_tokens for one in runs) == alone.cache.length


def test_what_run_does_not_have_is_refused():
    with pytest.raises(ValueError, match="unknown parallel 'pipeline'"):
        run(random_decoder, PROMPTS, 2, parallel="pipeline")
    with pytest.raises(ValueError, match="cache belongs to parallel='tensor', not 'paged' to"):
        run(random_decoder, PROMPTS, 2, parallel="context", cache="paged")
