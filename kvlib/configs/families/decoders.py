"""Decoders of other builds than Llama's: layer norms, learned positions, two-matrix feed-forward."""

from dataclasses import replace

from ...layouts import LayerKV
from ..readers import every_head_full, full, hidden_over_heads, periodic, windowed
from ..record import Architecture
from ..weights import (
    always,
    attention_with,
    biased_attention,
    biased_ungated,
    dense,
    flagged,
    hidden,
    never,
    ungated,
)


def falcon(f) -> list[LayerKV]:
    """The new decoder reads num_kv_heads; else multi_query keeps one KV head; else one a query head."""
    n_heads = f.size("num_attention_heads")
    head_dim = hidden_over_heads(f, n_heads)
    f.same("head_dim", head_dim)
    n_kv_heads = n_heads
    if f.flag("new_decoder_architecture"):
        f.read.add("multi_query")
        n_kv_heads = f.optional("num_kv_heads") or n_heads
        if n_heads % n_kv_heads:
            f.disagree("num_kv_heads", f"it must divide the {n_heads} query heads")
        if n_kv_heads == 1:
            f.refuse("num_kv_heads", "the new decoder needs more than one; use multi_query for one")
    elif f.flag("multi_query"):
        f.read.add("num_kv_heads")
        n_kv_heads = 1
    else:
        f.same("num_kv_heads", n_heads)
    return full(f, lambda f: (n_heads, n_kv_heads, head_dim))


def gpt_bigcode(f) -> list[LayerKV]:
    """multi_query: one KV head for all; without it, one a query head."""
    n_heads = f.size("num_attention_heads")
    n_kv_heads, head_dim = 1 if f.flag("multi_query") else n_heads, hidden_over_heads(f, n_heads)
    f.same("num_key_value_heads", n_kv_heads)
    f.same("head_dim", head_dim)
    return full(f, lambda f: (n_heads, n_kv_heads, head_dim))


# What attn_config may hold that leaves the cache as it is; the rest, as every config of transformers
# writes it when saved.
MPT_KNOWN = set(
    """attn_impl attn_pdrop attn_uses_sequence_id clip_qkv softmax_scale prefix_lm qk_ln alibi alibi_bias_max
    model_type id2label label2id return_dict dtype _name_or_path transformers_version""".split()
)


def mpt(f) -> list[LayerKV]:
    """One KV head a query head; attn_config may say otherwise, and then it is refused."""
    inner = f.object("attn_config")
    if inner.get("attn_type", "multihead_attention") != "multihead_attention":
        f.refuse("attn_config", "only attn_type multihead_attention is known")
    for name in inner.keys() - MPT_KNOWN - {"attn_type"}:
        if inner[name] not in (None, False, -1, 0, "", []):
            f.refuse("attn_config", f"{name} in it is not known to leave the cache as it is")
    return every_head_full(f)


# Widths of the feed-forward block.


def four_times(name: str | None = None):
    """Four times the hidden size, unless the field `name` says otherwise."""
    return lambda f, i: (f.nullable(name) if name else None) or 4 * hidden(f)


def mpt_width(f, i: int) -> int:
    return f.whole_number("expansion_ratio") * hidden(f)


def opt_width(f, i: int) -> int:
    return f.whole_number("ffn_dim")


# What belongs to no layer.


def learned_positions(f, layers) -> int:
    return f.whole_number("max_position_embeddings") * hidden(f)


def head_bias(f, layers) -> int:
    return f.whole_number("vocab_size")


def opt_embedding(f) -> int:
    return f.optional("word_embed_proj_dim") or hidden(f)


def opt_extras(f, layers) -> int:
    """Positions, two of them reserved, and two projections where the embedding is narrower."""
    side = opt_embedding(f)
    projections = 2 * hidden(f) * side if side != hidden(f) else 0
    return (f.whole_number("max_position_embeddings") + 2) * hidden(f) + projections


# Layer norms with biases: two of them are four vectors.
BIASED = Architecture(every_head_full, biased_attention, feed_forward=biased_ungated, norms=4)
GPT2 = replace(BIASED, feed_forward=dense(2, four_times("n_inner"), bias=always), extras=learned_positions)
FALCON_BIAS = flagged("bias")
RECORDS = {
    "gpt2": GPT2,
    "gpt_bigcode": replace(GPT2, layers=gpt_bigcode),
    "gpt_neox": BIASED,
    "gptj": Architecture(
        every_head_full,
        feed_forward=dense(2, four_times("n_inner"), bias=always),
        extras=head_bias,
        unserved=("llama.cpp",),
    ),
    "opt": replace(
        BIASED,
        feed_forward=dense(2, opt_width, bias=always),
        extras=opt_extras,
        embedding=opt_embedding,
        unserved=("llama.cpp",),
    ),
    "bloom": replace(
        BIASED, feed_forward=dense(2, four_times(), bias=always), names={"n_embed": "hidden_size"}
    ),
    "mpt": Architecture(mpt, feed_forward=dense(2, mpt_width)),
    "falcon": Architecture(
        falcon,
        attention_with(qkv=FALCON_BIAS, out=FALCON_BIAS),
        feed_forward=dense(2, four_times("ffn_hidden_size"), bias=FALCON_BIAS),
        norms=4,
        copied_to_query_heads=True,
    ),
    "phi": replace(BIASED, layers=full, norms=2, extras=head_bias),
    "starcoder2": replace(BIASED, layers=windowed),
    "stablelm": Architecture(full, attention_with(qkv=flagged("use_qkv_bias"), out=never), norms=4),
    "nemotron": Architecture(full, feed_forward=ungated, norms=4),
    "cohere": Architecture(full, norms=1),
    "cohere2": Architecture(periodic(4, "sliding_window_pattern"), norms=1, llama_cpp_windows=True),
}
NESTED = {}
