"""The recordings that the book shows are what the model does: watched on a toy, replayed on SmolLM2."""

import gzip
import json

import pytest
import torch

from kvlib.decoder import Decoder
from kvlib.layouts import CacheLayout
from kvlib.measure.random_model import random_decoder
from kvlib.widgets.recorded import CHECKOUT, recording, unpacked
from tools import real_key, recordings

FILES = sorted(CHECKOUT.glob("*.json"))
TOY = CacheLayout.uniform(3, 2, 16, n_heads=6, max_context=64)


@pytest.fixture(scope="module")
def toy():
    return random_decoder(TOY, hidden=48, ffn=64, vocab=50, seed=4)


def test_what_is_watched_is_what_attention_used(toy):
    """The weights, mixing the cached values, give what each layer's attention gave."""
    cache = toy_cache()
    given, mixed = torch.tensor([[3, 1, 4, 1, 5]]), []

    class Kept(Decoder):
        def _mix(self, *arguments):
            out = super()._mix(*arguments)
            mixed.append(out[-1])
            return out

    toy.__class__ = Kept
    with recordings.Watched(toy) as steps:
        toy(given, cache)
        toy(torch.tensor([[9]]), cache)
    toy.__class__ = Decoder
    assert [scores[0].shape for scores, _ in steps] == [(6, 5), (6, 6)] and len(mixed) == 2 * 3
    for i in range(3):
        scores, weights = (part[i] for part in steps[1])
        v = cache.view(i).gather()[1][0].repeat_interleave(3, dim=0)  # [H, S, D]
        assert torch.allclose((weights[:, None] @ v).flatten(), mixed[3 + i], atol=1e-5)
        assert torch.allclose(scores.softmax(-1), weights)


def toy_cache():
    from kvlib.cache import make_cache

    return make_cache("contiguous", TOY, capacity=16)


def test_watching_leaves_the_decoder_as_it_was(toy):
    before = toy.kernels
    with recordings.Watched(toy):
        assert toy._mix != Decoder._mix.__get__(toy)
    assert toy._mix == Decoder._mix.__get__(toy) and toy.kernels is before


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recording_is_light_and_says_where_it_is_from(path):
    assert len(gzip.compress(path.read_bytes(), 9)) <= 60_000
    found = recording(path.stem)
    for field in ("model", "device", "versions", "date", "command", "commit", "dtype", "prompt"):
        assert found[field], field
    assert not found["commit"].endswith("+changes")


def test_a_recording_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="unknown recording 'decod'; did you mean decode"):
        recording("decod")


def test_the_model_does_again_what_was_recorded():
    """Texts and order exactly; numbers within one unit of what they are rounded to, for processors differ."""
    from kvlib import load_smollm2

    kept = json.loads(recordings.FILE.read_text(encoding="utf-8"))
    assert (kept["prompt"], kept["dtype"]) == (recordings.PROMPT, "fp32")
    again = recordings.rounded(recordings.run(load_smollm2("cpu", "float32")))
    assert again["tokens"] == kept["tokens"] and again["prompt_tokens"] == kept["prompt_tokens"]
    for name in ("scores", "weights", "keys", "values"):
        a, b = (unpacked(found[name]).astype(int) for found in (again, kept))
        assert a.shape == b.shape and abs(a - b).max() <= 1, name
    for a, b in zip(again["next"], kept["next"], strict=True):
        assert [text for text, _ in a] == [text for text, _ in b]
        assert max(abs(p - q) for (_, p), (_, q) in zip(a, b, strict=True)) <= 1


def test_the_keys_of_the_model_are_again_those_recorded():
    """Each number within one unit, for processors differ; what follows from them, within little."""
    from kvlib import load_smollm2

    kept = recording("key")
    lm = load_smollm2("cpu", "float32")
    again = real_key.rounded(real_key.run(lm), real_key.rope_theta(lm))
    for name in ("layer", "kv_head", "head", "rope_theta", "unit", "tokens"):
        assert again[name] == kept[name], name
    assert (kept["prompt"], len(kept["tokens"])) == (real_key.SENTENCE, 32)

    def keys(found):
        return 256 * unpacked(found["keys_high"]).astype(int) + unpacked(found["keys_low"])

    assert abs(keys(again) - keys(kept)).max() <= 1
    assert abs(unpacked(again["query"]).astype(int) - unpacked(kept["query"])).max() <= 1
    for a, b in (
        (again["outliers"], kept["outliers"]),
        *zip(again["gains"].values(), kept["gains"].values(), strict=True),
    ):
        assert torch.tensor(a).shape == (30, 3)
        assert torch.allclose(torch.tensor(a), torch.tensor(b), rtol=0.02, atol=0.11)
    # The head that is shown is the one whose keys gain most before rotation.
    best = max(
        (gain, layer, head)
        for layer, row in enumerate(kept["gains"]["before"])
        for head, gain in enumerate(row)
    )
    assert best[1:] == (kept["layer"], kept["kv_head"])


def test_an_outlier_and_a_gain_by_hand():
    keys = torch.ones(1, 1, 32, 32)
    keys[..., 3] = 8
    keys[..., 0] = torch.linspace(-1, 1, 32)
    assert real_key.outliers(keys) == [[8.0]]
    by_token, by_channel = (
        real_key.rms(real_key.read_back(keys, 4, 32, way) - keys).item() for way in (False, True)
    )
    assert real_key.gains(keys) == [[round(by_token / by_channel, 2)]] and by_token > 3 * by_channel
    assert real_key.rms(torch.tensor([3.0, 4.0])).item() == 12.5**0.5
