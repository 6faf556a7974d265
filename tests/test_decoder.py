"""The decoder: cached steps against none, padding, and rotary positions."""

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.decoder import rotary_tables, rotate
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure.random_model import random_decoder

LAYOUT = CacheLayout.uniform(2, 2, 8, n_heads=6, max_context=64)
GEMMA = CacheLayout((LayerKV("sliding", 2, 8, window=5), LayerKV("full", 2, 8)), n_heads=6, max_context=64)
TOKENS = torch.randint(0, 50, (3, 40), generator=torch.Generator().manual_seed(1))
PAD = torch.tensor([0, 3, 7])


def tiny(layout=LAYOUT):
    return random_decoder(layout, hidden=48, ffn=96, vocab=50)


@pytest.mark.parametrize("layout", [LAYOUT, GEMMA], ids=["full", "sliding and full"])
@pytest.mark.parametrize("pad", [None, PAD], ids=["even", "padded"])
@pytest.mark.parametrize("kind", ["contiguous", "paged"])
def test_step_by_step_with_a_cache_is_all_at_once_without(layout, pad, kind):
    decoder = tiny(layout)
    cache = make_cache(kind, layout, batch=3, capacity=40)
    cache.pad = pad
    expected = decoder(TOKENS, pad=pad, logits_to_keep=0)
    steps = [decoder(TOKENS[:, :10], cache)] + [decoder(TOKENS[:, i : i + 1], cache) for i in range(10, 40)]
    torch.testing.assert_close(torch.stack(steps, 1), expected[:, 9:], atol=1e-4, rtol=1e-4)


def test_padding_changes_nothing_for_the_sequence_it_pads():
    decoder = tiny()
    together = decoder(TOKENS, pad=PAD)
    for b, n in enumerate(PAD.tolist()):
        torch.testing.assert_close(together[b], decoder(TOKENS[b : b + 1, n:])[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("keep", [1, 3, 40])
def test_logits_to_keep_are_the_last(keep):
    decoder = tiny()
    every = decoder(TOKENS, logits_to_keep=0)
    assert every.shape == (3, 40, 50)
    kept = decoder(TOKENS, logits_to_keep=keep)
    torch.testing.assert_close(kept, every[:, -keep:], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(decoder(TOKENS), every[:, -1], atol=1e-5, rtol=1e-5)


def test_rotary_scores_depend_on_distance_alone():
    cos, sin = rotary_tables(64, 8, 1e4, torch.zeros(1))
    q, k = torch.randn(8), torch.randn(8)

    def score(i, j):
        at = [
            rotate(x.view(1, 1, 1, 8), cos[p : p + 1], sin[p : p + 1]).flatten() for x, p in ((q, i), (k, j))
        ]
        return at[0] @ at[1]

    torch.testing.assert_close(score(40, 33), score(9, 2), atol=1e-5, rtol=1e-5)
    assert not torch.isclose(score(40, 33), score(40, 30))


def test_weights_are_counted_once():
    decoder = tiny()
    expected = 2 * (48 * (10 * 8) + 48 * 48 + 48 * 192 + 96 * 48 + 2 * 48) + 48 + 2 * 48 * 50
    assert decoder.weights_bytes == 4 * expected


def test_beyond_the_models_context_is_refused():
    with pytest.raises(ValueError, match="64"):
        tiny()(torch.zeros(1, 65, dtype=torch.long))


@pytest.mark.parametrize("name", ["hidden", "ffn", "vocab"])
def test_widths_must_be_counts(name):
    sizes = dict(hidden=48, ffn=96, vocab=50) | {name: 0}
    with pytest.raises(ValueError, match=name):
        random_decoder(LAYOUT, **sizes)
