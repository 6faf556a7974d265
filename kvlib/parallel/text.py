"""Text from a decoder that several ranks share, and what each rank's cache took."""

from dataclasses import dataclass
from types import SimpleNamespace

import torch

from ..generate import LanguageModel
from ..units import unknown
from .context import ContextCache, ContextDecoder
from .processes import launch
from .shards import ShardedDecoder


@dataclass(frozen=True)
class RankRun:
    """What one rank generated, as every other did, and what it kept for it.

    device           where the rank ran: "cuda:1", "cpu"
    text, tokens     as in `Generation`
    seconds          how long each step took; the first is the prefill
    n_heads, n_kv_heads  the rank's own
    n_tokens         tokens of each sequence whose keys and values the rank keeps
    cache_bytes      of the tokens held by the rank's cache
    predicted_bytes  what `shard_layout(layout, ranks)`, or `context_bytes`, says these must be
    weights_bytes    of the rank's weights
    """

    rank: int
    device: str
    text: str | list[str]
    tokens: list
    seconds: list[float]
    n_heads: int
    n_kv_heads: int
    n_tokens: int
    cache_bytes: int
    predicted_bytes: int
    weights_bytes: int


def run(
    make_model, prompt, ranks, max_new_tokens=32, *, parallel="tensor", cache="contiguous", device=None,
    timeout=300, **options,
) -> list[RankRun]:  # fmt: skip
    """Continue `prompt` with a model that `ranks` processes share: a `RankRun` each.

    make_model  called with device="cpu" in each process, which keeps its part and drops the rest:
                `load_smollm2`, or functools.partial(random_decoder, layout, hidden, ffn, vocab). A
                LanguageModel or a Decoder; importable, and not written in the notebook
    prompt      a text, or a list of texts; for a Decoder, a list of lists of token ids
    parallel    "tensor": each rank has its heads, of weights and of cache; "context": each has all weights,
                and the keys and values of its tokens
    cache       a kind; `options` go to it and to `LanguageModel.generate`. Context parallelism has its own
    device, timeout  as for `launch`

    Raises RuntimeError with the message of the rank that failed: with the shapes that `ShardedDecoder` and
    `context_bytes` refuse, or if two ranks chose different tokens. ValueError for another `parallel`, or a
    kind of cache that it does not have.
    """
    if parallel not in ("tensor", "context"):
        raise unknown("parallel", parallel, ("tensor", "context"))
    if parallel == "context" and cache != "contiguous":
        raise ValueError(f"cache belongs to parallel='tensor', not {cache!r} to parallel='context'")
    if isinstance(prompt, torch.Tensor):
        prompt = prompt.tolist()
    options = dict(max_new_tokens=max_new_tokens, cache=cache) | options
    runs = launch(_generate, ranks, make_model, prompt, parallel, options, device=device, timeout=timeout)
    for one in runs:
        if one.tokens != runs[0].tokens:
            raise RuntimeError(f"rank {one.rank} chose other tokens than rank 0: their sums differ")
    return runs


def _generate(rank, ranks, device, make_model, prompt, parallel, options) -> RankRun:
    model = make_model(device="cpu")
    if not isinstance(model, LanguageModel):
        model = LanguageModel(model, _Ids())
    part = ShardedDecoder if parallel == "tensor" else ContextDecoder
    decoder = model.decoder = part(model.decoder, rank, ranks, device=device)
    model.layout = decoder.layout
    if parallel == "context":
        tokens, _ = model.encode([prompt] if isinstance(prompt, str) else prompt)
        room = dict(batch=len(tokens), capacity=tokens.shape[1] + options["max_new_tokens"])
        like = dict(dtype=decoder.dtype, device=decoder.device)
        options["cache"] = ContextCache(decoder.layout, rank=rank, ranks=ranks, **room, **like)
    made = model.generate(prompt, **options)
    cache = made.cache
    n_tokens = cache.own_tokens if parallel == "context" else cache.length
    return RankRun(
        rank, device, made.text, made.tokens, made.seconds, decoder.n_heads, decoder.n_kv_heads, n_tokens,
        cache.nbytes, cache.predicted_bytes, decoder.weights_bytes,
    )  # fmt: skip


class _Ids:
    """A tokenizer for token ids: a prompt is what it will be encoded to."""

    def encode(self, prompt):
        return SimpleNamespace(ids=list(prompt))

    def decode(self, ids) -> str:
        return " ".join(map(str, ids))
