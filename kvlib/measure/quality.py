"""Quality for bytes: how well SmolLM2 foretells a text when its cache keeps less.

Perplexity is exp of the mean surprise: 25 means that the next token came as unexpected as one
of 25 equally likely ones. Every figure comes from a real cache that the model reads.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F

from ..cache import make_cache

# Tokens fed at once. A whole number of the quantized caches' groups: so every token that is
# read comes from codes, and none is still waiting for its group in full precision.
CHUNK = 256
GROUP = 32
SINKS = 4  # StreamingLLM, arXiv 2309.17453, keeps four

# name, dtype, the groups of the keys
PRECISIONS = (
    ("fp32", "fp32", None),
    ("bf16", "bf16", None),
    ("int8, keys by token", "int8", "token"),
    ("int8, keys by channel", "int8", "channel"),
    ("int4, keys by token", "int4", "token"),
    ("int4, keys by channel", "int4", "channel"),
    ("int2, keys by token", "int2", "token"),
    ("int2, keys by channel", "int2", "channel"),
)
WINDOWS = (64, 128, 256, 512, 1024)


def text() -> str:
    """The course's own text, written for it: no model can have read it before."""
    return (Path(__file__).parent / "the-mill.txt").read_text(encoding="utf-8")


@torch.inference_mode()
def perplexity(decoder, tokens, cache=None, chunk=CHUNK) -> float:
    """Of tokens [n], each foretold from all before it by way of `cache` (None: no cache at all).

    The first token has nothing before it and is not scored. Raises ValueError for fewer than 2.
    """
    tokens = torch.as_tensor(tokens, device=decoder.device)
    if tokens.dim() != 1 or len(tokens) < 2:
        raise ValueError(f"tokens must be at least 2 in a row, not of shape {list(tokens.shape)}")
    step = len(tokens) if cache is None else chunk
    surprise = 0.0
    for start in range(0, len(tokens) - 1, step):
        fed, due = tokens[start : start + step], tokens[start + 1 : start + step + 1]
        logits = decoder(fed[None], cache, logits_to_keep=0)[0, : len(due)]
        surprise += F.cross_entropy(logits.float(), due, reduction="sum").item()
    return math.exp(surprise / (len(tokens) - 1))


def precision_cache(decoder, dtype, k_groups, capacity):
    """The cache that keeps keys and values as `dtype`."""
    options = dict(layout=decoder.layout, capacity=capacity, device=decoder.device)
    if k_groups is not None:
        return make_cache(
            "quantized", codes=dtype, keys=k_groups, group=GROUP, dtype=decoder.dtype, **options
        )
    return make_cache("contiguous", dtype=dtype, **options)


def precisions(decoder, tokens, which=PRECISIONS):
    """Perplexity for each precision of the cache; yields a record's row at a time."""
    for name, dtype, k_groups in which:
        cache = precision_cache(decoder, dtype, k_groups, len(tokens))
        value = perplexity(decoder, tokens, cache)
        # The last token is foretold and not fed. A group begun waits in full precision, so what a
        # token takes is read off where all groups are whole.
        whole = cache.length // GROUP * GROUP
        yield {
            "name": name,
            "dtype": dtype,
            "k_groups": k_groups,
            "bytes_per_token": cache.predict(whole) // whole,
            "perplexity": round(value, 3),
        }


def windows(decoder, tokens, which=WINDOWS, sinks=(0, SINKS)):
    """Perplexity for each window, without and with the first tokens kept; a row at a time.

    Last comes the whole text, as window None.
    """
    options = dict(layout=decoder.layout, dtype=decoder.dtype, device=decoder.device)
    for window in which:
        for kept in sinks:
            cache = make_cache("sliding", window=window, sinks=kept, capacity=len(tokens), **options)
            value = perplexity(decoder, tokens, cache)
            yield {"window": window, "sinks": kept, "perplexity": round(value, 3)}
    cache = make_cache("contiguous", capacity=len(tokens), **options)
    yield {"window": None, "sinks": 0, "perplexity": round(perplexity(decoder, tokens, cache), 3)}
