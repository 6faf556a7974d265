"""What only a CUDA device can show: every cache there, against the same cache on the CPU."""

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.decoder import Decoder, Layer
from kvlib.layouts import CacheLayout
from kvlib.measure.random_model import random_decoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

LAYOUT = CacheLayout.uniform(2, 2, 64, n_heads=8, max_context=1024)
KINDS = {
    "contiguous": {}, "sliding": dict(window=40, sinks=4), "paged": {}, "quantized": dict(codes="int8"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_on_the_gpu_gives_the_logits_of_the_cpu(kind):
    decoder = random_decoder(LAYOUT, 256, 512, 300)
    layers = [Layer(**{name: w.cuda() for name, w in vars(layer).items()}) for layer in decoder.layers]
    rest = (x.cuda() for x in (decoder.embedding, decoder.norm))
    on_gpu = Decoder(LAYOUT, layers, *rest, head=decoder.head.cuda())
    tokens = torch.randint(0, 300, (3, 60))
    caches = [
        make_cache(kind, LAYOUT, batch=3, capacity=60, device=device, **KINDS[kind])
        for device in ("cpu", "cuda")
    ]
    for part in (tokens[:, :20], *tokens[:, 20:].split(1, dim=1)):
        expected, out = decoder(part, caches[0]), on_gpu(part.cuda(), caches[1])
        torch.testing.assert_close(out.cpu(), expected, atol=1e-3, rtol=1e-3)
    assert caches[0].nbytes == caches[1].nbytes == caches[1].predicted_bytes


def test_smollm2_says_the_same_with_and_without_a_cache():
    from kvlib.smollm2 import load_smollm2

    lm = load_smollm2("cuda")
    cached = lm.generate("The capital of France is", 48)
    assert cached.tokens == lm.generate("The capital of France is", 48, use_cache=False).tokens
    assert cached.tokens == lm.generate("The capital of France is", 48, cache="paged").tokens
