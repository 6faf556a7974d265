"""Quality for bytes: perplexity against a float64 reference, low rank against algebra, and the records."""

import json
import math
from pathlib import Path

import pytest
import torch

from kvlib.attention import ContiguousView, attention
from kvlib.cache import CacheFull, make_cache
from kvlib.decoder import rotate
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure import lowrank, quality
from kvlib.measure.random_model import random_decoder
from kvlib.units import dtype as as_dtype

MEASUREMENTS = Path(__file__).parents[1] / "book" / "measurements"
SMOLLM2 = CacheLayout.uniform(30, 3, 64, n_heads=9)
LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=512)
WIDEST = 2 * 32


@pytest.fixture(scope="module")
def tiny():
    return random_decoder(LAYOUT, hidden=48, ffn=64, vocab=50, seed=3)


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(0, 50, (150,), generator=torch.Generator().manual_seed(1)).tolist()


# perplexity


def test_perplexity_is_what_its_definition_says(tiny, tokens):
    logits = tiny(torch.tensor([tokens]), logits_to_keep=0)[0].double()
    chances = logits.softmax(-1)
    surprise = [-math.log(chances[t, tokens[t + 1]]) for t in range(len(tokens) - 1)]
    expected = math.exp(sum(surprise) / len(surprise))
    assert quality.perplexity(tiny, tokens) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 64, 149, 150, 400])
def test_a_cache_and_its_chunks_change_nothing(tiny, tokens, chunk):
    cache = make_cache("contiguous", LAYOUT, capacity=150)
    found = quality.perplexity(tiny, tokens, cache, chunk)
    assert found == pytest.approx(quality.perplexity(tiny, tokens), rel=1e-5)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large(tiny, tokens):
    blind = random_decoder(LAYOUT, hidden=48, ffn=64, vocab=50)
    blind.head = torch.zeros_like(blind.head)
    assert quality.perplexity(blind, tokens) == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize("bad", [[], [3], [[1, 2], [3, 4]]])
def test_perplexity_needs_tokens_in_a_row(tiny, bad):
    with pytest.raises(ValueError, match="tokens"):
        quality.perplexity(tiny, bad)


def test_a_window_is_fed_in_chunks_as_one_by_one(tiny, tokens):
    found = [
        quality.perplexity(tiny, tokens, make_cache("sliding", LAYOUT, window=20, sinks=2), chunk)
        for chunk in (1, 64)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0] != pytest.approx(quality.perplexity(tiny, tokens), rel=1e-3)


# precision


def test_a_half_cache_rounds_what_it_keeps(tiny):
    cache = quality.precision_cache(tiny, "bf16", None, 10)
    k, v = torch.randn(2, 1, 2, 10, 32)
    cache.append(10)
    for layer in range(2):
        cache.write(layer, k, v)
    assert all(
        torch.equal(held, x.bfloat16()) for held, x in zip(cache.view(0).gather(), (k, v), strict=True)
    )
    q = torch.randn(1, 4, 10, 32)
    rounded = ContiguousView.of(k.bfloat16().float(), v.bfloat16().float())
    torch.testing.assert_close(attention(q, cache.view(0)), attention(q, rounded))
    assert cache.nbytes == cache.predicted_bytes == LAYOUT.bytes(10, 1, "bf16")


def test_precisions_are_measured_on_caches_of_their_size(tiny, tokens):
    rows = list(quality.precisions(tiny, tokens))
    assert [row["name"] for row in rows] == [name for name, *_ in quality.PRECISIONS]
    for row in rows:
        dtype = row["dtype"] if row["k_groups"] is None else f"{row['dtype']}-g32"
        assert row["bytes_per_token"] == LAYOUT.bytes_per_token(dtype)
    found = {row["name"]: row["perplexity"] for row in rows}
    exact = quality.perplexity(tiny, tokens)
    off = {name: abs(math.log(value / exact)) for name, value in found.items()}
    assert off["fp32"] < 1e-3 and off["int8, keys by token"] < 0.01
    assert off["int2, keys by token"] > off["int8, keys by token"]


def test_windows_come_with_and_without_sinks(tiny, tokens):
    rows = list(quality.windows(tiny, tokens, which=(16, 200), sinks=(0, 4)))
    assert [(row["window"], row["sinks"]) for row in rows] == [
        (16, 0),
        (16, 4),
        (200, 0),
        (200, 4),
        (None, 0),
    ]
    whole = rows[-1]["perplexity"]
    assert rows[2]["perplexity"] == rows[3]["perplexity"] == pytest.approx(whole, abs=2e-3)
    assert rows[0]["perplexity"] != pytest.approx(whole, abs=2e-3)


# low rank


def test_unrotated_undoes_rotation(tiny):
    k = torch.randn(2, 2, 40, 32)
    cos, sin = tiny.cos[:40], tiny.sin[:40]
    turned = rotate(k.transpose(1, 2), cos, sin).transpose(1, 2)
    torch.testing.assert_close(lowrank.unrotated(turned, cos, sin), k)
    assert not torch.allclose(turned, k, atol=0.1)


@pytest.fixture(scope="module")
def thin():
    """A decoder whose first layer's keys come from 5 directions and whose values come from 3."""
    decoder = random_decoder(LAYOUT, hidden=48, ffn=64, vocab=50, seed=3)
    w = decoder.layers[0].qkv
    kv = slice(4 * 32, 6 * 32), slice(6 * 32, 8 * 32)
    for part, rank in zip(kv, (5, 3), strict=True):
        w[:, part] = torch.randn(48, rank) @ torch.randn(rank, WIDEST) / 7
    return decoder


def test_singular_values_find_the_rank_that_was_put_in(thin, tokens):
    layers = lowrank.singular_values(thin, tokens)
    assert len(layers) == 2 and all(len(values) == WIDEST for values in layers[0].values())
    first = layers[0]
    assert sum(s > 1e-3 for s in first["k"]) == 5
    assert sum(s > 1e-3 for s in first["v"]) == 3
    assert sum(s > 1e-3 for s in first["k_rotated"]) > 5  # rotation spreads them
    assert all(values == sorted(values, reverse=True) and values[0] == 1 for values in first.values())


def test_needed_counts_directions():
    assert lowrank.needed([2, 1, 1], 0.66) == 1
    assert lowrank.needed([2, 1, 1], 0.67) == 2
    assert lowrank.needed([2, 1, 1], 1) == 3


def low_rank_cache(decoder, tokens, rank, rotated=False, **options):
    tables = {} if rotated else dict(cos=decoder.cos, sin=decoder.sin)
    basis = lowrank.bases(decoder, tokens, rotated)
    return lowrank.LowRankCache(LAYOUT, basis=basis, rank=rank, **tables, **options)


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_full_rank_loses_nothing(tiny, tokens, rotated, chunk):
    cache = low_rank_cache(tiny, tokens[:100], WIDEST, rotated, capacity=150)
    found = quality.perplexity(tiny, tokens, cache, chunk)
    assert found == pytest.approx(quality.perplexity(tiny, tokens), rel=1e-4)


@pytest.mark.parametrize("sinks", [0, 4])
def test_a_rank_loses_what_the_smaller_singular_values_hold(tiny, tokens, sinks):
    """Eckart and Young: the squared error is the sum of the squares of what was left out."""
    full = make_cache("contiguous", LAYOUT, capacity=150)
    tiny(torch.tensor([tokens]), full)
    k, v = full.view(0).gather()
    cache = low_rank_cache(tiny, tokens, 20, rotated=True, sinks=sinks, capacity=150)
    cache.append(k.shape[2])
    cache.write(0, k, v)
    read_k, read_v = cache.view(0).gather()
    for x, read in ((k, read_k), (v, read_v)):
        rows = lowrank._rows(x)  # those that the basis was made from
        left_out = torch.linalg.svdvals(rows - rows.mean(0))[20:].square().sum()
        torch.testing.assert_close(
            (lowrank._rows(read) - rows).square().sum(), left_out, rtol=1e-3, atol=1e-3
        )
        assert torch.equal(read[:, :, :sinks], x[:, :, :sinks])
    assert not torch.allclose(read_k[:, :, :4], k[:, :, :4]) or sinks == 4


@pytest.mark.parametrize("length", [2, 4, 5, 60])
def test_a_low_rank_cache_takes_what_it_predicts(tiny, tokens, length):
    cache = low_rank_cache(tiny, tokens, 16, capacity=64)
    tiny(torch.tensor([tokens[:length]]), cache)
    sinks = min(length, 4)
    expected = LAYOUT.bytes(sinks, 1, "fp32") + 2 * 2 * 16 * 4 * (length - sinks)
    assert cache.nbytes == cache.predicted_bytes == expected <= cache.reserved_bytes
    with pytest.raises(CacheFull, match="capacity=64"):
        tiny(torch.tensor([tokens[: 65 - length]]), cache)


def test_a_low_rank_cache_refuses_what_it_cannot_hold(tiny, tokens):
    basis = lowrank.bases(tiny, tokens)
    with pytest.raises(ValueError, match="rank must be at most n_kv_heads × head_dim = 64, not 65"):
        lowrank.LowRankCache(LAYOUT, basis=basis, rank=65)
    with pytest.raises(ValueError, match="rank"):
        lowrank.LowRankCache(LAYOUT, basis=basis, rank=0)
    sliding = CacheLayout((LayerKV("sliding", 2, 32, window=8),) * 2, n_heads=4)
    with pytest.raises(ValueError, match="full attention"):
        lowrank.LowRankCache(sliding, basis=basis, rank=8)


def test_more_rank_is_closer(tiny, tokens):
    rows = list(lowrank.ranks(tiny, tokens[:75], tokens[75:], which=(4, 40, WIDEST)))
    assert [row["rank"] for row in rows] == [4, 40, WIDEST]
    assert [row["bytes_per_token"] for row in rows] == [r * 2 * 2 * 4 for r in (4, 40, WIDEST)]
    exact = quality.perplexity(tiny, tokens[75:])
    off = [abs(row["perplexity"] - exact) for row in rows]
    assert off[2] < 2e-3 < off[0]


# the text and the records


def test_the_text_is_long_enough_and_plain():
    text = quality.text()
    assert 1000 < len(text.split()) < 2000 and text.isascii() and text.endswith(".\n")


@pytest.fixture(scope="module")
def kept():
    return json.loads((MEASUREMENTS / "quality.json").read_text(encoding="utf-8"))


def test_the_record_has_what_a_reader_needs(kept):
    for name in ("model", "device", "versions", "date", "command", "commit"):
        assert kept[name]
    assert kept["command"].startswith("kvlib measure --quality")
    assert kept["tokens"] > 1000
    assert {tuple(row) for row in kept["precision"]} == {
        ("name", "dtype", "k_groups", "bytes_per_token", "perplexity")
    }
    assert {tuple(row) for row in kept["window"]} == {("window", "sinks", "perplexity")}
    assert {tuple(row) for row in kept["rank"]} == {("rank", "bytes_per_token", "perplexity")}


def test_the_record_covers_what_is_measured_now(kept):
    assert [row["name"] for row in kept["precision"]] == [name for name, *_ in quality.PRECISIONS]
    assert [row["rank"] for row in kept["rank"]] == list(lowrank.RANKS)
    assert [row["window"] for row in kept["window"][::2]] == [*quality.WINDOWS, None]
    for row in kept["precision"]:
        dtype = row["dtype"] if row["k_groups"] is None else f"{row['dtype']}-g{quality.GROUP}"
        assert row["bytes_per_token"] == SMOLLM2.bytes_per_token(as_dtype(dtype))


def test_the_record_agrees_with_itself(kept):
    """A cache that keeps everything gives the same figure by whatever way it was measured."""
    found = {row["name"]: row["perplexity"] for row in kept["precision"]}
    assert kept["window"][-1]["perplexity"] == pytest.approx(found["fp32"], rel=1e-4)
    assert kept["rank"][-1]["perplexity"] == pytest.approx(kept["rank_rotated"][-1]["perplexity"], rel=1e-3)


def test_the_record_is_of_this_model_and_this_text(kept):
    """One figure is measured again: the whole text, full precision, no cache."""
    from kvlib.smollm2 import load_smollm2

    lm = load_smollm2("cpu")
    tokens = lm.tokenizer.encode(quality.text()).ids
    assert len(tokens) == kept["tokens"]
    assert quality.perplexity(lm.decoder, tokens) == pytest.approx(kept["window"][-1]["perplexity"], rel=1e-3)


def test_the_singular_values_are_of_every_layer():
    found = json.loads((MEASUREMENTS / "singular_values.json").read_text(encoding="utf-8"))
    assert len(found["layers"]) == 30
    for layer in found["layers"]:
        assert list(layer) == ["k", "k_rotated", "v"]
        for values in layer.values():
            assert len(values) == 192 and values[0] == 1 and values == sorted(values, reverse=True)
