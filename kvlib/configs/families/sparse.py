"""Sparse attention: an indexer keeps a key of its own for each token and picks those to attend to.

Read from transformers 5.23, modeling_deepseek_v32.py and those of the other names below. What is kept
grows with every token all the same: an indexer saves reading, not room.
"""

from dataclasses import replace

from ...layouts import LayerKV, StateTensor
from ...states import Compressed
from .. import readers, weights
from ..record import Architecture, Nested
from . import delta, mixtures, qwen

# The other names are older ones, of published configs.
INDEXED = {"indexed_attention": "full", "deepseek_sparse_attention": "full"}
BESIDE_STATES = {**INDEXED, "full_attention": "full", "qwen_sparse_attention": "full"}
BESIDE_STATES |= {"linear_attention": "state"}


def with_keys(f, layers: list[LayerKV], runs: list) -> list[LayerKV]:
    """An indexer's key beside each token of the layers where `runs` is true."""
    f.ignore("index_topk", "index_n_heads", "index_block_size", "index_topk_blocks", "index_local_blocks")
    width = f["index_head_dim"]
    return [replace(one, indexer=width if run else 0) for one, run in zip(layers, runs, strict=True)]


def deepseek(f) -> list[LayerKV]:
    """A latent and an indexer's key in every layer."""
    layers = readers.latent(f, INDEXED)
    return with_keys(f, layers, [True] * len(layers))


def runs_indexer(f, default) -> list:
    """Which layers run an indexer of their own and so keep its keys; the others use an earlier one's picks.

    indexer_types says so; else index_topk_pattern, letter by letter (F, S); else every index_topk_freq-th
    layer from index_skip_topk_offset on, and those before.
    """
    n_layers = readers.depth(f)
    listed = f.names("indexer_types", {"full": True, "shared": False}, n_layers)
    pattern = f.get("index_topk_pattern")
    every = max(f.whole_number("index_topk_freq", 0), 1) if "index_topk_freq" in f else 1
    first = f.whole_number("index_skip_topk_offset", 0) if "index_skip_topk_offset" in f else 2
    if listed is not None:
        return listed
    if pattern is not None:
        f.given["index_topk_pattern"] = list(pattern) if isinstance(pattern, str) else pattern
        letters = f.names("index_topk_pattern", {"F": True, "S": False}, n_layers)
        return letters or [True] * n_layers
    return [default(i) if default else max(i - first + 1, 0) % every == 0 for i in range(n_layers)]


def shares_picks(default=None):
    """As `deepseek`, where some layers use the picks of an earlier one."""

    def reader(f) -> list[LayerKV]:
        return with_keys(f, readers.latent(f, INDEXED), runs_indexer(f, default))

    return reader


def mistral_large4(f) -> list[LayerKV]:
    """Layers without rotary positions keep the latent alone; one that shares another's is not read."""
    layers = shares_picks()(f)
    n_layers = len(layers)
    f.same("kv_source_layers", list(range(n_layers)))
    every = f["no_rope_layer_interval"] if "no_rope_layer_interval" in f else 4
    rope = f.names("no_rope_layers", {0: 0, 1: 1}, n_layers)
    rope = rope or [int((i + 1) % every != 0) for i in range(n_layers)]
    latent = f["kv_lora_rank"]
    return [one if has else replace(one, head_dim=latent) for one, has in zip(layers, rope, strict=True)]


def minimax_m3(f) -> list[LayerKV]:
    """Grouped attention, with an indexer's key in the layers that layer_types calls sparse."""
    n_layers, nested = readers.depth(f), f.object("sparse_attention_config")
    f.ignore("rotary_dim")
    known = {"minimax_m3_sparse": True, "full_attention": False}
    listed = f.names("layer_types", known, n_layers)
    freq = nested.get("sparse_attention_freq")
    if listed is None and freq is not None:
        good = isinstance(freq, list | tuple) and len(freq) == n_layers and all(x in (0, 1) for x in freq)
        if not good:
            f.refuse("sparse_attention_config", f"sparse_attention_freq must be {n_layers} times 0 or 1")
        listed = [x == 1 for x in freq] if good else None
    if nested.get("sparse_index_dim") is not None:
        f.given["index_head_dim"] = nested["sparse_index_dim"]
        f.spelt["index_head_dim"] = "sparse_attention_config.sparse_index_dim"
    f.read.add("layer_types")
    shape = readers.heads(f)[1:]
    return with_keys(f, [LayerKV("full", *shape)] * n_layers, listed or [False] * n_layers)


def glm5_next(f) -> list[LayerKV]:
    """Kimi's delta attention, and every fourth layer a latent whose indexer packs key, gate and a mark."""
    n_layers = readers.depth(f)
    kinds = f.names("layer_types", BESIDE_STATES, n_layers)
    kinds = kinds or ["full" if i % 4 == 3 else "state" for i in range(n_layers)]
    if f.whole_number("qk_rope_head_dim", 0):
        f.refuse("qk_rope_head_dim", "0 is needed: its latents have no rotary part")
    latent = LayerKV("latent", 1, f["kv_lora_rank"], v_head_dim=0)
    f.ignore("index_kpool", "index_topk", "index_n_heads", "num_key_value_heads", "hidden_size")
    f.ignore("q_lora_rank", "qk_nope_head_dim", "v_head_dim", "num_attention_heads")
    f.nullable("head_dim", 0)
    f.read |= {"qk_head_dim", "index_kpool_always_select_tail", "linear_lower_bound"}
    packed, state = 2 * f["index_head_dim"] + 1, LayerKV("state", state=delta.kimi_state(f))
    runs = runs_indexer(f, None)
    return [
        replace(latent, indexer=packed if run else 0) if kind == "full" else state
        for kind, run in zip(kinds, runs, strict=True)
    ]


def qwen4(f) -> list[LayerKV]:
    """Gated delta nets, and every fourth layer attends with an indexer's key.

    A layer of ple_layer_ids (counted from 1) also keeps what its short convolution over n-grams saw, and
    the last tokens' numbers (8 bytes each).
    """
    n_layers = readers.depth(f)
    every = f["full_attention_interval"] if "full_attention_interval" in f else 4
    kinds = f.names("layer_types", BESIDE_STATES, n_layers)
    kinds = kinds or ["full" if (i + 1) % every == 0 else "state" for i in range(n_layers)]
    f.ignore("indexer_n_heads", "indexer_budget", "indexer_compress_ratio", "heads_per_ngram")
    f.same("number_of_conv_states", 3 if f.get("ple_layer_ids") else 1)
    f.same("indexer_kv_heads", 1)
    attends = LayerKV("full", *readers.heads(f)[1:], indexer=f["indexer_head_dim"])
    recurrent = LayerKV("state", state=qwen.delta_state(f))
    layers = [attends if kind == "full" else recurrent for kind in kinds]
    context = f["ngram_size"] - 1
    seen = (f["ple_conv_kernel_size"] - 1) * f["ngram_size"]
    ngrams = (
        StateTensor(f["hc_count"] * f["hidden_size"], max(seen, 1)),
        StateTensor(2 * max(context, 1), dtype="fp32"),
    )
    named = f.get("ple_layer_ids") or []
    f.read |= {"ple_layer_ids"}
    if not isinstance(named, list | tuple) or any(type(i) is not int or not 0 < i <= n_layers for i in named):
        f.refuse("ple_layer_ids", f"a list of layers from 1 to {n_layers} is needed")
        named = []
    parts = context * f["heads_per_ngram"]
    if named and (not parts or (f.optional("ple_embed_dim") or f["hidden_size"]) % parts):
        f.disagree("ngram_size", f"its {parts} heads must share the embedding evenly")
    for i in set(named):
        one = layers[i - 1]
        if one.kind != "state":
            f.refuse("ple_layer_ids", "only layers of linear attention can have them")
        layers[i - 1] = replace(one, state=one.state + ngrams)
    return layers


V4_LAYERS = {"sliding_attention": 0, "compressed_sparse_attention": 4, "heavily_compressed_attention": 128}


def deepseek_v4(f) -> list[LayerKV]:
    """A window of keys that also serve as values, and beyond it entries for every 4 or every 128 tokens.

    layer_types says which, or compress_ratios (0, 4 or 128 a layer, then those of the layers that predict
    ahead). Every 4: two series overlap, so the last block is carried along; and an indexer's entry each.
    """
    n_layers, width = readers.depth(f), f["head_dim"]
    readers.even(f, "head_dim", width)
    readers.even(f, "index_head_dim", f["index_head_dim"])
    for name in ("layer_types", "compress_ratios"):
        value = f.given.get(name)
        if isinstance(value, list | tuple):
            f.given[name] = value[:n_layers]
    listed = f.names("layer_types", V4_LAYERS, n_layers)
    ratios = f.names("compress_ratios", {0: 0, 4: 4, 128: 128}, n_layers)
    kinds = listed or ratios or [128 if i < 2 or i % 2 == 0 else 4 for i in range(n_layers)]
    rates = {4: "compressed_sparse_attention", 128: "heavily_compressed_attention"}
    given = f.object("compress_rates")
    every = {}
    for kind, name in rates.items():
        short = {4: "compress_rate_csa", 128: "compress_rate_hca"}[kind]
        every[kind] = f.nullable(short) or given.get(name, kind)
        if type(every[kind]) is not int or not 0 < every[kind] <= 2**20:
            f.refuse("compress_rates", f"{name} must be a whole number of tokens")
            every[kind] = kind
    f.ignore("num_key_value_heads")
    f.same("num_key_value_heads", 1)
    f.size("num_attention_heads")
    f.ignore("index_topk", "index_n_heads", "q_lora_rank", "o_lora_rank", "o_groups", "qk_rope_head_dim")
    f.ignore("num_hash_layers", "hidden_size")
    f.read.add("compress_rope_theta")
    rate = every[4]
    overlapping = [Compressed(rate, one, 4 * one, 2 * rate * one) for one in (width, f["index_head_dim"])]
    made = {0: (), 128: (Compressed(every[128], width, 2 * width),), 4: tuple(overlapping)}
    window = LayerKV("sliding", 1, width, v_head_dim=0, window=f["sliding_window"])
    return [replace(window, compressed=made[kind]) for kind in kinds]


def indexed_attention(f, layer, kept: int) -> int:
    """A latent's attention, and where the layer runs an indexer its queries, key and gate."""
    total = weights.latent_attention(f, layer, kept)
    if not layer.indexer:
        return total
    n_heads, width = f["index_n_heads"], layer.indexer
    return total + f["q_lora_rank"] * n_heads * width + f["hidden_size"] * (width + n_heads) + 2 * width


def minimax_attention(f, layer, kept: int) -> int:
    """Grouped attention, and where the layer runs an indexer its queries and key."""
    indexer = f["hidden_size"] * (f["index_n_heads"] + 1) * layer.indexer
    return weights.attention(f, layer, kept) + indexer


def minimax_experts(f, i: int) -> weights.Experts | None:
    """Experts and one always used, but for layers that mlp_layer_types or moe_layer_freq call dense."""
    n_layers = f["num_hidden_layers"]
    sparse = f.names("mlp_layer_types", {"dense": False, "sparse": True}, n_layers)
    sparse = sparse or f.names("moe_layer_freq", {0: False, 1: True}, n_layers)
    if sparse and not sparse[i]:
        return None
    return weights.experts(f, shared=f.whole_number("shared_intermediate_size", least=0))


M3 = Architecture(
    minimax_m3,
    minimax_attention,
    feed_forward=weights.mixture(minimax_experts, weights.dense(3, "dense_intermediate_size")),
)
COUNTED = Architecture(
    deepseek,
    indexed_attention,
    feed_forward=weights.mixture(mixtures.listed(3, "n_shared_experts")),
    names={"head_dim": None},
)
DSA = replace(COUNTED, whole=weights.uncounted)
V4 = Architecture(deepseek_v4, whole=weights.uncounted, key_kept_as_value=True)
RECORDS = {
    "deepseek_v32": COUNTED,
    "axk2": DSA,
    "deepseek_v4": V4,
    "deepseek_ref": replace(V4, defaults="deepseek_v4"),
    "glm_moe_dsa": replace(COUNTED, layers=shares_picks()),
    "hy_v4": replace(DSA, layers=shares_picks(lambda i: i == 0 or (i - 1) % 4 == 0)),
    "mistral_large4_text": replace(DSA, layers=mistral_large4),
    "minimax_m3_vl_text": M3,
    "minimax_m3": replace(M3, defaults="minimax_m3_vl_text"),
    "glm5_next_text": Architecture(glm5_next, whole=weights.uncounted),
    "qwen4_exp_text": Architecture(qwen4, whole=weights.uncounted),
}
NESTED = {
    "mistral_large4": Nested("mistral_large4_text"),
    "minimax_m3_vl": Nested("minimax_m3_vl_text", beside=("img_token_compression_config",)),
    "glm5_next": Nested("glm5_next_text"),
    "qwen4_exp": Nested("qwen4_exp_text"),
}
