"""What only a CUDA device can show: compiled kernels, and a captured graph."""

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.decoder import random_decoder
from kvlib.fixed import Filled, FixedStep, attention_at, flex_at, masked_at
from kvlib.layouts import CacheLayout

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

LAYOUT = CacheLayout.uniform(2, 2, 64, n_heads=8, max_context=1024)


@pytest.mark.parametrize("H, H_kv", [(8, 8), (8, 2), (8, 1)])
@pytest.mark.parametrize("position", [0, 127, 128, 700])
def test_kernels_agree(H, H_kv, position):
    torch.manual_seed(0)
    q = torch.randn(2, H, 1, 64, device="cuda", dtype=torch.bfloat16)
    k, v = (torch.randn(2, H_kv, 1000, 64, device="cuda", dtype=torch.bfloat16) for _ in "kv")
    filled = Filled(torch.tensor([position], device="cuda"))
    expected = masked_at(q.double(), k.double(), v.double(), filled)
    for kernel in (masked_at, flex_at, attention_at):
        torch.testing.assert_close(kernel(q, k, v, filled).double(), expected, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("kind, options", [("contiguous", {}), ("sliding", dict(window=40, sinks=4))])
def test_the_graph_gives_the_steps_logits(kind, options):
    decoder = random_decoder(LAYOUT, 256, 512, 300, device="cuda")
    tokens = torch.randint(0, 300, (3, 120), device="cuda")
    plain, graphed = (
        make_cache(kind, LAYOUT, batch=3, capacity=120, device="cuda", **options) for _ in range(2)
    )
    for cache in (plain, graphed):
        decoder(tokens[:, :20], cache)
    step = FixedStep(decoder, graphed)
    assert step.graph is not None
    for i in range(20, 120):
        fed = tokens[:, i : i + 1]
        torch.testing.assert_close(step(fed), decoder(fed, plain), atol=1e-3, rtol=1e-3)
    assert graphed.length == plain.length and graphed.nbytes == plain.nbytes


def test_smollm2_says_the_same_with_and_without_a_cache():
    from kvlib.smollm2 import load_smollm2

    lm = load_smollm2("cuda")
    cached = lm.generate("The capital of France is", 48)
    assert cached.tokens == lm.generate("The capital of France is", 48, use_cache=False).tokens
    assert cached.tokens == lm.generate("The capital of France is", 48, cache="paged").tokens
