"""What only a CUDA device can show: every cache there, its step captured and replayed, against the reference.

The kernels' numbers are held to float64 by tests/test_kernels_cuda.py, which runs on a GPU where one is.
"""

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure.random_model import random_decoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
KINDS = {
    "contiguous": ("contiguous", {}),
    "sliding": ("sliding", dict(window=40, sinks=4)),
    "paged": ("paged", {}),
    **{
        f"{codes} by {keys}": ("quantized", dict(codes=codes, keys=keys))
        for codes in ("int8", "int4", "int2")
        for keys in ("token", "channel")
    },
}
# Logits of random weights are of the order of 1; 16 bits keep three digits (fp16) or two (bf16) of a number.
TOLERANCE = {"fp32": 2e-3, "fp16": 3e-2, "bf16": 2e-1}


def decoder_of(n_heads, n_kv_heads, head_dim=64, dtype="fp16", window=None):
    kinds = ("full", "full") if window is None else ("sliding", "full")
    layers = (
        LayerKV(kind, n_kv_heads, head_dim, window=window if kind == "sliding" else None) for kind in kinds
    )
    layout = CacheLayout(tuple(layers), n_heads=n_heads, max_context=1024)
    return random_decoder(layout, 256, 512, 300, dtype=dtype, device="cuda")


def by_reference(decoder, tokens, cache, monkeypatch):
    """The same decoder without kernels and without a graph, on the same device."""
    with monkeypatch.context() as patch:
        patch.setenv("KVLIB_KERNELS", "off")
        patch.setattr(decoder, "kernels", None)
        return decoder(tokens, cache)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "heads", [(2, 2), (6, 2), (8, 2), (8, 1)], ids=lambda heads: f"G = {heads[0] // heads[1]}"
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_gives_the_logits_of_the_reference(kind, heads, dtype, monkeypatch):
    decoder = decoder_of(*heads, dtype=dtype)
    name, options = KINDS[kind]
    like = dict(batch=3, capacity=128, dtype=dtype, device="cuda")
    caches = [make_cache(name, decoder.layout, **like, **options) for _ in range(2)]
    tokens = torch.randint(0, 300, (3, 100), device="cuda")
    for part in (tokens[:, :20], *tokens[:, 20:].split(1, dim=1)):
        out, expected = decoder(part, caches[0]), by_reference(decoder, part, caches[1], monkeypatch)
        torch.testing.assert_close(out, expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    assert caches[0].nbytes == caches[1].nbytes == caches[0].predicted_bytes
    assert len(caches[0].captured) == 1 and not caches[1].captured


@pytest.mark.parametrize("kind", ["contiguous", "paged", "int8 by token"])
def test_windows_and_padding_are_replayed(kind, monkeypatch):
    decoder = decoder_of(8, 2, window=24)
    name, options = KINDS[kind]
    like = dict(batch=3, capacity=128, dtype="fp16", device="cuda")
    caches = [make_cache(name, decoder.layout, **like, **options) for _ in range(2)]
    for cache in caches:
        cache.pad = torch.tensor([0, 7, 19])
    tokens = torch.randint(0, 300, (3, 90), device="cuda")
    for part in (tokens[:, :20], *tokens[:, 20:].split(1, dim=1)):
        out, expected = decoder(part, caches[0]), by_reference(decoder, part, caches[1], monkeypatch)
        torch.testing.assert_close(out, expected, atol=TOLERANCE["fp16"], rtol=TOLERANCE["fp16"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_replayed_step_is_the_step_that_was_launched(kind):
    decoder = decoder_of(8, 2)
    name, options = KINDS[kind]
    like = dict(capacity=128, dtype="fp16", device="cuda")
    caches = [make_cache(name, decoder.layout, **like, **options) for _ in range(2)]
    prompt = torch.randint(0, 300, (1, 50), device="cuda")
    for graph, cache in zip((True, False), caches, strict=True):
        decoder.graph = graph
        decoder(prompt, cache)
    for token in torch.randint(0, 300, (40, 1, 1), device="cuda"):
        decoder.graph = True
        out = decoder(token, caches[0])
        decoder.graph = False
        assert torch.equal(out, decoder(token, caches[1]))
    assert caches[0].captured and not caches[1].captured


def test_a_cache_takes_the_memory_that_it_says():
    decoder = decoder_of(8, 2)
    before = torch.cuda.memory_allocated()
    cache = make_cache("contiguous", decoder.layout, capacity=4096, dtype="fp16", device="cuda")
    taken = torch.cuda.memory_allocated() - before
    assert (
        0 <= taken - cache.reserved_bytes < 16 * 1024
    )  # lengths and padding; each tensor in whole 512 bytes


def test_smollm2_says_the_same_with_and_without_a_cache():
    from kvlib.smollm2 import load_smollm2

    lm = load_smollm2("cuda")
    cached = lm.generate("The capital of France is", 48)
    assert cached.tokens == lm.generate("The capital of France is", 48, use_cache=False).tokens
    assert cached.tokens == lm.generate("The capital of France is", 48, cache="paged").tokens
    captured = cached.cache.captured
    del cached
    assert lm.generate("The capital of Spain is", 48, cache="paged").cache.captured is not captured
