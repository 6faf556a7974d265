"""Text from a decoder that several ranks share, and what each rank's cache took."""

from dataclasses import dataclass
from types import SimpleNamespace

import torch

from ..generate import LanguageModel
from .processes import launch
from .shards import ShardedDecoder


@dataclass(frozen=True)
class RankRun:
    """What one rank generated, as every other did, and what it kept for it.

    device           where the rank ran: "cuda:1", "cpu"
    text, tokens     as in `Generation`
    seconds          how long each step took; the first is the prefill
    n_heads, n_kv_heads  the rank's own
    cache_bytes      of the tokens held by the rank's cache
    predicted_bytes  what `shard_layout(layout, ranks)` says these must be
    weights_bytes    of the rank's weights
    """

    rank: int
    device: str
    text: str | list[str]
    tokens: list
    seconds: list[float]
    n_heads: int
    n_kv_heads: int
    cache_bytes: int
    predicted_bytes: int
    weights_bytes: int


def run(
    make_model, prompt, ranks, max_new_tokens=32, *, cache="contiguous", device=None, timeout=300, **options
) -> list[RankRun]:
    """Continue `prompt` with a model that `ranks` processes share by tensor parallelism: a `RankRun` each.

    make_model  called with device="cpu" in each process, which keeps its part and drops the rest:
                `load_smollm2`, or functools.partial(random_decoder, layout, hidden, ffn, vocab). A
                LanguageModel or a Decoder; importable, and not written in the notebook
    prompt      a text, or a list of texts; for a Decoder, a list of lists of token ids
    cache       a kind; `options` go to it and to `LanguageModel.generate`
    device, timeout  as for `launch`

    Raises RuntimeError with the message of the rank that failed: with the shapes that `ShardedDecoder`
    refuses, or if two ranks chose different tokens.
    """
    if isinstance(prompt, torch.Tensor):
        prompt = prompt.tolist()
    options = dict(max_new_tokens=max_new_tokens, cache=cache) | options
    runs = launch(_generate, ranks, make_model, prompt, options, device=device, timeout=timeout)
    for one in runs:
        if one.tokens != runs[0].tokens:
            raise RuntimeError(f"rank {one.rank} chose other tokens than rank 0: their sums differ")
    return runs


def _generate(rank, ranks, device, make_model, prompt, options) -> RankRun:
    model = make_model(device="cpu")
    if not isinstance(model, LanguageModel):
        model = LanguageModel(model, _Ids())
    decoder = model.decoder = ShardedDecoder(model.decoder, rank, ranks, device=device)
    model.layout = decoder.layout
    made = model.generate(prompt, **options)
    return RankRun(
        rank, device, made.text, made.tokens, made.seconds, decoder.n_heads, decoder.n_kv_heads,
        made.cache.nbytes, made.cache.predicted_bytes, decoder.weights_bytes,
    )  # fmt: skip


class _Ids:
    """A tokenizer for token ids: a prompt is what it will be encoded to."""

    def encode(self, prompt):
        return SimpleNamespace(ids=list(prompt))

    def decode(self, ids) -> str:
        return " ".join(map(str, ids))
