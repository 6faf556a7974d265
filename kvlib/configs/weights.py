"""How many parameters a model has: the parts that families are composed of, and their sum.

Every matrix of every layer is counted with the `Fields` and the layers that give the cache, so
heads and head_dim are those of the cache. Biases and norms are counted where they matter. Tests
hold the total within 0.5 % of what transformers 5.23 builds from the same config.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Bias = bool | str  # whether there are biases, or the flag that says so


@dataclass(frozen=True)
class Parameters:
    """Numbers of weights. total: all that is loaded, a vision tower too (Gemma 3n's towers apart:
    their shapes are not in its config). active: those one token passes through, so of each mixture
    only the experts chosen. embedding: the input embedding table. read: those that a decode step of one
    sequence reads, so of the active ones no table that is looked up (an input embedding apart from the
    output matrix, learned positions), no tower or encoder, and of cross attention no projection of the
    keys and values that are cached."""

    total: int
    active: int
    embedding: int
    read: int


class Block(NamedTuple):
    """A layer's feed-forward: weights always used, experts, how many are chosen, weights of each."""

    always: int = 0
    experts: int = 0
    chosen: int = 0
    each: int = 0


class Experts(NamedTuple):
    """A mixture: how many experts, how many are chosen, their width, the width of those always used."""

    number: int
    chosen: int
    width: int
    shared: int = 0


def has(f, bias: Bias) -> bool:
    return f.flag(bias) if isinstance(bias, str) else bias


def attention_with(*, qkv: Bias = "attention_bias", out: Bias = "attention_bias", gate: int = 1):
    """Queries, keys, values and the output; `gate` is 2 where the queries bring a gate along."""

    def count(f, layer, kept: int) -> int:
        hidden, queries = f["hidden_size"], f["num_attention_heads"] * layer.head_dim
        biases = has(f, qkv) * (gate * queries + kept) + has(f, out) * hidden
        return hidden * (gate * queries + kept) + queries * hidden + biases

    return count


attention = attention_with()


def latent_attention(f, layer, kept: int) -> int:
    """Multi-head latent attention: keys and values through one narrow matrix, queries maybe too."""
    hidden, n_heads, rank = f["hidden_size"], f["num_attention_heads"], f["kv_lora_rank"]
    nope, rope, values = f["qk_nope_head_dim"], f["qk_rope_head_dim"], f["v_head_dim"]
    query, squeezed = n_heads * (nope + rope), f.nullable("q_lora_rank")
    total = hidden * query if squeezed is None else squeezed * (hidden + 1 + query)
    total += hidden * (rank + rope) + rank * (1 + n_heads * (nope + values))
    return total + n_heads * values * hidden


def matrices(number: int, f, width: int, bias: bool = False) -> int:
    """Two matrices, or three with a gate, between hidden size and `width`."""
    hidden = f["hidden_size"]
    return number * hidden * width + ((number - 1) * width + hidden if bias else 0)


def dense(number: int = 3, width: str | Callable[..., int] = "intermediate_size", bias: Bias = False):
    """A feed-forward block, its width in a field or (Fields, layer's index) -> width; experts are refused."""

    def block(f, i: int) -> Block:
        if "num_experts" not in f.defaults and f.given.get("num_experts") not in (None, 0, 1):
            f.refuse("num_experts", f"a {f.model_type} model is not known to have experts")
        return Block(matrices(number, f, f[width] if isinstance(width, str) else width(f, i), has(f, bias)))

    return block


gated = dense()


def uncounted(f) -> Parameters:
    """For a family whose weights nobody has added up yet: refused, and said so."""
    f.note(
        "model_type", f"model_type = {f.model_type!r}: kvlib reads its cache and does not count its weights"
    )
    return Parameters(1, 1, 1, 1)


def no_feed_forward(f, i: int) -> Block:
    return Block()


def experts(f, shared: int = 0, n_shared: str | None = None) -> Experts:
    """Experts under their usual names; they may be as wide as the dense block.

    Those always used have a width of their own, or the field n_shared says how many of the same there are.
    """
    width = f["moe_intermediate_size" if f.get("moe_intermediate_size") else "intermediate_size"]
    if n_shared:
        shared = (f.nullable(n_shared, least=0) or 0) * width
    return Experts(f["num_experts"], f["num_experts_per_tok"], width, shared)


def mixture(choose: Callable[..., Experts | None] = lambda f, i: experts(f), otherwise=gated, bias=False):
    """`choose(f, i)` gives layer i's experts, or None for a layer that is as `otherwise` says."""

    def block(f, i: int) -> Block:
        found = choose(f, i) if f.get("num_experts") else None
        if found is None:
            return otherwise(f, i)
        if found.chosen > found.number:
            f.disagree("num_experts_per_tok", f"there are only {found.number} experts")
        always = found.number * f["hidden_size"] + matrices(3, f, found.shared)
        return Block(always, found.number, found.chosen, matrices(3, f, found.width, bias))

    return block


def mixer(record, f, layer, layers: list) -> int:
    """Weights of what mixes a layer's tokens: attention, a recurrent block, or both."""
    total = record.recurrent(f) if layer.state else 0
    if layer.kind == "cross":
        own = next((one for one in layers if one.kind == "full"), None)
        return total if own is None else record.attention(f, own, own.elements) + f["hidden_size"]
    read = layer if layer.shares_with is None else layers[layer.shares_with]
    if read.n_kv_heads:
        total += record.attention(f, read, 0 if layer.kind == "shared" else read.elements)
    return total


def count(record, f, layers: list, tied: bool) -> Parameters:
    """The parameters of a language model whose layers are `layers`."""
    if record.whole:
        return record.whole(f)
    hidden, embedding = f["hidden_size"], f["vocab_size"] * record.embedding(f)
    total, idle = embedding * (1 if tied else 2) + hidden, 0  # + hidden: the last norm
    looked_up = (0 if tied else embedding) + (record.tables(f, layers) if record.tables else 0)
    for i, layer in enumerate(layers):
        block = record.feed_forward(f, i)
        total += mixer(record, f, layer, layers) + record.norms * hidden
        total += block.always + block.experts * block.each
        idle += (block.experts - block.chosen) * block.each
        looked_up += hidden * layer.cross_elements  # projections of cached keys and values
    total += record.extras(f, layers) if record.extras else 0
    return Parameters(total, total - idle, embedding, total - idle - looked_up)


def vit(wide: int, layers: int, inner: int, *, gate: bool = False) -> int:
    """A vision transformer's layers: attention, feed-forward and two norms each, with biases."""
    number = 3 if gate else 2
    return layers * (4 * wide * wide + number * wide * inner + (number - 1) * inner + 9 * wide)


def silent(hidden, inner, layers, image, patch, **rest) -> dict:
    """What transformers' class assumes where vision_config is silent."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size")
    return dict(zip(names, (hidden, inner, layers, image, patch), strict=True)) | rest
