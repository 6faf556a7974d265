"""Decoders of other builds than Llama's: layer norms, learned positions, two-matrix feed-forward."""

from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, each


def falcon(f) -> list[LayerKV]:
    """The new decoder reads num_kv_heads; else multi_query keeps one KV head; else one a query head."""
    n_heads = f.size("num_attention_heads")
    head_dim = readers.hidden_over_heads(f, n_heads)
    f.same("head_dim", head_dim)
    n_kv_heads = 1 if f.flag("multi_query") else n_heads
    if f.flag("new_decoder_architecture"):
        n_kv_heads = f.optional("num_kv_heads") or n_heads
        readers.divides(f, "num_kv_heads", n_kv_heads, n_heads)
        if n_kv_heads == 1:
            f.refuse("num_kv_heads", "the new decoder needs more than one; use multi_query for one")
    elif n_kv_heads != 1:
        f.same("num_kv_heads", n_heads)
    f.read |= {"multi_query", "num_kv_heads"}
    return readers.full(f, lambda f: (n_heads, n_kv_heads, head_dim))


def gpt_bigcode(f) -> list[LayerKV]:
    """multi_query: one KV head for all; without it, one a query head."""
    n_heads = f.size("num_attention_heads")
    n_kv_heads, head_dim = 1 if f.flag("multi_query") else n_heads, readers.hidden_over_heads(f, n_heads)
    f.same("num_key_value_heads", n_kv_heads)
    f.same("head_dim", head_dim)
    return readers.full(f, lambda f: (n_heads, n_kv_heads, head_dim))


# In attn_config, what leaves the cache as it is, and what transformers writes into any part it saves.
MPT_KNOWN = set(
    """attn_type attn_impl attn_pdrop attn_uses_sequence_id clip_qkv softmax_scale prefix_lm qk_ln alibi
    alibi_bias_max model_type id2label label2id return_dict dtype _name_or_path
    transformers_version""".split()
)


def mpt(f) -> list[LayerKV]:
    """One KV head a query head; attn_config may say otherwise, and then it is refused."""
    inner = f.object("attn_config")
    if inner.get("attn_type", "multihead_attention") != "multihead_attention":
        f.refuse("attn_config", "only attn_type multihead_attention is known")
    for name in inner.keys() - MPT_KNOWN:
        if inner[name] not in (None, False, -1, 0, "", []):
            f.refuse("attn_config", f"{name} in it is not known to leave the cache as it is")
    return readers.every_head_full(f)


def gpt_neo(f) -> list[LayerKV]:
    """Its local layers mask what is beyond their window, and keep it all the same."""
    f.names("attention_layers", {"global": "full", "local": "full"}, readers.depth(f))
    f.read |= {"attention_types", "window_size"}
    try:
        placed = sum(len(kinds) * times for kinds, times in f.get("attention_types") or ())
    except (TypeError, ValueError):
        placed = -1
    if f.get("attention_types") is not None and placed != readers.depth(f):
        f.refuse("attention_types", f"its patterns must make up the {readers.depth(f)} layers")
    return readers.every_head_full(f)


def dbrx(f) -> list[LayerKV]:
    """attn_config says how many KV heads there are."""
    n_heads, inner = f.size("num_attention_heads"), f.object("attn_config")
    head_dim, n_kv_heads = readers.hidden_over_heads(f, n_heads), inner.get("kv_n_heads", 1)
    if type(n_kv_heads) is not int or n_kv_heads < 1 or n_heads % n_kv_heads:
        f.refuse("attn_config", f"kv_n_heads must divide the {n_heads} query heads")
        n_kv_heads = 1
    for name in ("num_key_value_heads", "head_dim"):
        f.same(name, {"num_key_value_heads": n_kv_heads, "head_dim": head_dim}[name])
    return readers.full(f, lambda f: (n_heads, n_kv_heads, head_dim))


def nemotron(f) -> list[LayerKV]:
    """Its class names no number of KV heads, and cannot do without."""
    if f.get("num_key_value_heads") is None:
        f.missing("num_key_value_heads", "a nemotron config must name it")
    return readers.full(f)


def bert(f) -> list[LayerKV]:
    """BERT's family writes only as a decoder."""
    if not f.flag("is_decoder"):
        f.refuse("is_decoder", "true is needed: an encoder keeps no cache")
    f.read.add("attention_type")  # BigBird's: a decoder attends in full
    return readers.every_head_full(f)


def four_times(name: str):
    """Four times the hidden size, unless the field `name` says otherwise."""
    return lambda f, i: f.nullable(name) or 4 * f["hidden_size"]


def learned_positions(f, layers) -> int:
    return f["max_position_embeddings"] * f["hidden_size"]


def opt_embedding(f) -> int:
    return f.optional("word_embed_proj_dim") or f["hidden_size"]


def opt_positions(f, layers) -> int:
    """Learned positions, two of them reserved."""
    return (f["max_position_embeddings"] + 2) * f["hidden_size"]


def opt_extras(f, layers) -> int:
    """Positions, and two projections where the embedding is narrower."""
    side = opt_embedding(f)
    projections = 2 * f["hidden_size"] * side if side != f["hidden_size"] else 0
    return opt_positions(f, layers) + projections


# Layer norms with biases: two of them are four vectors.
BIASED = Architecture(
    readers.every_head_full,
    weights.attention_with(qkv=True, out=True),
    feed_forward=weights.dense(2, bias=True),
    norms=4,
)
GPT2 = replace(
    BIASED,
    feed_forward=weights.dense(2, four_times("n_inner"), bias=True),
    extras=learned_positions,
    tables=learned_positions,
)
UNCOUNTED = Architecture(readers.every_head_full, whole=weights.uncounted)
RECORDS = {
    "gpt2": GPT2,
    "gpt_bigcode": replace(GPT2, layers=gpt_bigcode),
    "gpt_neox": BIASED,
    **each(
        "biogpt codegen ctrl git gpt_neox_japanese kosmos_2_text_model kosmos_2_5_text_model persimmon xglm",
        UNCOUNTED,
    ),
    **each(
        """bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta
        roberta-prelayernorm roc_bert roformer xlm-roberta xlm-roberta-xl xmod""",
        replace(UNCOUNTED, layers=bert),
    ),
    "gpt_neo": replace(UNCOUNTED, layers=gpt_neo),
    "gptj": Architecture(
        readers.every_head_full,
        feed_forward=weights.dense(2, four_times("n_inner"), bias=True),
        extras=lambda f, layers: f["vocab_size"],  # the head has a bias
        unserved=("llama.cpp",),
    ),
    "opt": replace(
        BIASED,
        feed_forward=weights.dense(2, "ffn_dim", bias=True),
        extras=opt_extras,
        tables=opt_positions,
        embedding=opt_embedding,
        unserved=("llama.cpp",),
    ),
    "bloom": replace(
        BIASED,
        feed_forward=weights.dense(2, lambda f, i: 4 * f["hidden_size"], bias=True),
        names={"n_embed": "hidden_size"},
    ),
    "mpt": Architecture(
        mpt, feed_forward=weights.dense(2, lambda f, i: f["expansion_ratio"] * f["hidden_size"])
    ),
    "falcon": Architecture(
        falcon,
        weights.attention_with(qkv="bias", out="bias"),
        feed_forward=weights.dense(2, four_times("ffn_hidden_size"), bias="bias"),
        norms=4,
        copied_to_query_heads=True,
    ),
    "phi": replace(BIASED, layers=readers.full, norms=2, extras=lambda f, layers: f["vocab_size"]),
    "starcoder2": replace(BIASED, layers=readers.windowed),
    "stablelm": Architecture(
        readers.divided_full, weights.attention_with(qkv="use_qkv_bias", out=False), norms=4
    ),
    "dbrx": Architecture(dbrx, whole=weights.uncounted),
    "nemotron": Architecture(nemotron, feed_forward=weights.dense(2), norms=4),
    "cohere": Architecture(readers.full, norms=1),
    "cohere2": Architecture(readers.periodic(4, "sliding_window_pattern"), norms=1, llama_cpp_windows=True),
}
