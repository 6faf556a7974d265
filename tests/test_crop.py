"""Tokens given back: a cache that was cropped goes on as one that never had them."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

from kvlib.blocks import BlockPool, BlockTable
from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout, LayerKV

LAYOUT = CacheLayout.uniform(2, 2, 8, n_heads=4)
KINDS = {
    "contiguous": {},
    "paged": dict(block_size=3),
    "sliding": dict(window=40, sinks=2),  # never full here: a ring that overwrote nothing gives back too
    "quantized": dict(codes="int8", group=8),
    "by channel": dict(codes="int4", group=4, keys="channel"),
}


def cache_of(name, **room):
    kind = "quantized" if name == "by channel" else name
    return make_cache(kind, LAYOUT, batch=2, capacity=64, **KINDS[name], **room)


def feed(cache, T, seed):
    """One step of T tokens, all layers; what the last layer then holds."""
    torch.manual_seed(seed)
    cache.append(T)
    for layer in range(LAYOUT.n_layers):
        cache.write(layer, *torch.randn(2, 2, 2, T, 8))
    return cache.view(LAYOUT.n_layers - 1).gather()


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(KINDS)), first=st.integers(1, 12), draft=st.integers(1, 9), data=st.data())
def test_a_cropped_cache_goes_on_as_if_it_had_never_had_the_tokens(name, first, draft, data):
    kept = data.draw(st.integers(0, draft))
    cache, other = cache_of(name), cache_of(name)
    feed(cache, first, seed=1)
    torch.manual_seed(2)
    k, v = torch.randn(2, LAYOUT.n_layers, 2, 2, draft, 8)
    for target, tokens in ((cache, draft), (other, kept)):
        if target is other:
            feed(other, first, seed=1)
        if tokens:
            target.append(tokens)
            for layer in range(LAYOUT.n_layers):
                target.write(layer, k[layer, :, :, :tokens], v[layer, :, :, :tokens])
    before = cache.length
    try:
        cache.crop(first + kept)
    except ValueError as error:
        assert name == "by channel" and "packed group of 4" in str(error)
        assert (first + kept) // 4 < before // 4 and (first + kept) % 4 and cache.length == before
        return
    assert cache.length == other.length == first + kept
    assert cache.nbytes == other.nbytes == cache.predicted_bytes
    for seed, T in ((3, 1), (4, 5)):
        for x, y in zip(feed(cache, T, seed), feed(other, T, seed), strict=True):
            assert torch.equal(x, y)


def test_a_ring_that_has_overwritten_refuses():
    layout = CacheLayout((LayerKV("sliding", 1, 4, window=4), LayerKV("full", 1, 4)), n_heads=1)
    cache = make_cache("contiguous", layout, capacity=16)
    for _ in range(5):
        cache.append(1)
        for layer in range(2):
            cache.write(layer, *torch.randn(2, 1, 1, 1, 4))
    with pytest.raises(ValueError, match="length can't be 4: in layer 0 the ring of 4 tokens"):
        cache.crop(4)
    assert cache.length == 5
    cache.crop(5)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_length_that_the_cache_does_not_have_is_refused(name):
    cache = cache_of(name)
    feed(cache, 5, seed=0)
    for bad in (6, -1, 2.5, None):
        with pytest.raises(ValueError, match="length must be"):
            cache.crop(bad)
    assert cache.length == 5


def test_padding_stays():
    cache = cache_of("contiguous")
    cache.pad = torch.tensor([0, 3])
    feed(cache, 5, seed=0)
    with pytest.raises(ValueError, match="behind its padding"):
        cache.crop(3)
    cache.crop(4)
    assert cache.rotary_positions().shape == (2, 0) and cache.length == 4


def test_blocks_come_back_and_a_fork_keeps_its_own():
    pool = BlockPool(8, 4)
    table = BlockTable(pool)
    table.append(10)
    twin = table.fork()
    table.crop(5)
    assert (table.length, len(table.blocks), pool.num_used) == (5, 2, 3)  # the third is the fork's alone
    twin.crop(4)
    assert pool.num_used == 2 and pool.refs(table.blocks[1]) == 1
    table.crop(0)
    assert table.blocks == [] and pool.num_used == 1
    with pytest.raises(ValueError, match="length must be at most 4"):
        twin.crop(5)


def test_one_sequence_of_a_paged_cache_is_cropped_alone():
    cache = make_cache("paged", LAYOUT, batch=2, capacity=64, block_size=4)
    feed(cache, 9, seed=0)
    used = cache.pool.num_used
    cache.crop(4, sequence=1)
    assert cache.lengths == [9, 4] and cache.pool.num_used == used - 2
    k, v = feed(cache, 1, seed=1)
    assert cache.lengths == [10, 5] and cache.pad.tolist() == [0, 5]
    torch.manual_seed(1)
    for _ in range(LAYOUT.n_layers):
        newest = torch.randn(2, 2, 2, 1, 8)
    assert torch.equal(k[:, :, -1:], newest[0]) and torch.equal(v[:, :, -1:], newest[1])
    with pytest.raises(ValueError, match="at most 5"):
        cache.crop(6)
