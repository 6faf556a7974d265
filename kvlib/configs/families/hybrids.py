"""Models with recurrent blocks or short convolutions, alone or beside attention."""

from dataclasses import replace

from ...layouts import LayerKV, StateTensor
from .. import readers, weights
from ..record import Architecture, each
from ..recurrent import Mamba1, Mamba2
from . import mixtures

MAMBA1 = Mamba1(inner="intermediate_size")
MAMBA2 = Mamba2("num_heads", "head_dim", "n_groups", "state_size", "conv_kernel", "expand")


def mamba(f) -> list[LayerKV]:
    """Mamba 1 and Falcon Mamba: intermediate_size beats expand × hidden_size."""
    f.same("d_inner", MAMBA1.channels(f))
    f.same("d_model", f.size("hidden_size"))
    f.same("n_layer", readers.depth(f))
    return [LayerKV("state", state=MAMBA1.state(f))] * readers.depth(f)


def mamba2(f) -> list[LayerKV]:
    n_heads, head_dim = MAMBA2.shape(f)
    f.same("intermediate_size", n_heads * head_dim)
    return [LayerKV("state", state=MAMBA2.state(f))] * readers.depth(f)


JAMBA = Mamba1("mamba_expand", "mamba_d_state", "mamba_d_conv", "mamba_dt_rank")
BAMBA = Mamba2()
FALCON_H1 = Mamba2(inner="mamba_d_ssm")
NEMOTRON_H = Mamba2(
    "mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size", "conv_kernel", None,
    named="mamba_ssm_cache_dtype",
)  # fmt: skip
ZAMBA2 = Mamba2("n_mamba_heads", None, groups="mamba_ngroups")


def placed(f, attends) -> list:
    """The kinds that the fields of placement give; a layer_types beside them must say the same."""
    kinds = ["full" if attends(i) else "state" for i in range(readers.depth(f))]
    readers.agreed(f, "layer_types", kinds, f.names("layer_types", readers.WITH_STATE, len(kinds)))
    return kinds


def jamba(f) -> list[LayerKV]:
    """One layer in attn_layer_period attends; the others are Mamba 1."""
    period, offset = f["attn_layer_period"], f.whole_number("attn_layer_offset", least=0)
    if offset >= period:
        f.disagree("attn_layer_offset", f"it must be below attn_layer_period = {period}")
    return readers.mixed(f, placed(f, lambda i: i % period == offset), JAMBA.state(f))


def jamba_experts(f, i: int) -> weights.Experts | None:
    period, offset = f["expert_layer_period"], f.whole_number("expert_layer_offset", least=0)
    return weights.experts(f) if f.get("num_experts") != 1 and i % period == offset else None


def bamba(f) -> list[LayerKV]:
    attends = f.indices("attn_layer_indices", readers.depth(f))
    return readers.mixed(f, placed(f, lambda i: i in attends), BAMBA.state(f))


def granite_hybrid(f) -> list[LayerKV]:
    n_layers = readers.depth(f)
    kinds = f.names("layer_types", readers.WITH_STATE, n_layers) or ["state"] * n_layers
    return readers.mixed(f, kinds, BAMBA.state(f))


def falcon_h1(f) -> list[LayerKV]:
    """Every layer attends and runs a Mamba 2 side by side."""
    n_layers = readers.depth(f)
    f.names("layer_types", {"hybrid": "full"}, n_layers)
    if f.get("attn_layer_indices") is not None:
        f.refuse("attn_layer_indices", "null is needed: every layer attends")
    f.ignore("mamba_expand")  # it counts only where mamba_d_ssm is null
    return [LayerKV("full", *readers.heads(f)[1:], state=FALCON_H1.state(f))] * n_layers


def nemotron_kinds(f) -> list:
    """hybrid_override_pattern (M, *, -, E) or layers_block_type; num_hidden_layers must agree."""
    letters = {"M": "state", "*": "full", "-": "mlp", "E": "moe"}
    pattern, listed = f.get("hybrid_override_pattern"), f.get("layer_types")
    if pattern is None and listed is None:
        need = "name it or layers_block_type: the class's own four layers are no model"
        f.missing("hybrid_override_pattern", need)
        f.read.add("num_hidden_layers")
        return []
    told = pattern if listed is None else listed
    length = len(told) if isinstance(told, list | tuple | str) else 0
    if "num_hidden_layers" in f:
        length = f["num_hidden_layers"]
    kinds = f.names("layer_types", {**readers.WITH_STATE, "mlp": "mlp", "moe": "moe"}, length)
    if pattern is not None:
        if not isinstance(pattern, str) or set(pattern) - letters.keys() or len(pattern) != length:
            f.refuse("hybrid_override_pattern", f"{length} letters of {' '.join(letters)} are needed")
            pattern = ""
        kinds = readers.agreed(f, "hybrid_override_pattern", [letters[letter] for letter in pattern], kinds)
    if not kinds:
        f.refuse("layer_types", "at least one layer is needed")
    return kinds or []


def nemotron_h(f) -> list[LayerKV]:
    """Each layer is one thing: attention, a Mamba 2, or a feed-forward block."""
    shape = readers.heads(f)[1:]
    f.same("attention_head_dim", shape[1])
    renamed = {"n_groups": "mamba_n_groups", "conv_kernel": "mamba_d_conv", "expand": "mamba_expand"}
    for name, old in renamed.items():
        f.same(old, f.get(name))
    made = {"full": LayerKV("full", *shape), "state": LayerKV("state", state=NEMOTRON_H.state(f))}
    return [made.get(kind, LayerKV("none")) for kind in nemotron_kinds(f)]


def nemotron_feed_forward(f, i: int) -> weights.Block:
    kind = nemotron_kinds(f)[i]
    if kind == "mlp":
        return weights.Block(weights.matrices(2, f, f["intermediate_size"]))
    if kind != "moe":
        return weights.Block()
    if f.get("moe_latent_size") is not None:
        f.refuse("moe_latent_size", "the shape of experts on a latent is not known; null is needed")
    found, n_shared = weights.experts(f), f.whole_number("n_shared_experts", least=0)
    shared = n_shared * weights.matrices(2, f, f["moe_shared_expert_intermediate_size"])
    always = shared + found.number * f["hidden_size"]
    return weights.Block(always, found.number, found.chosen, weights.matrices(2, f, found.width))


def zamba2(f) -> list[LayerKV]:
    """Every layer is a Mamba 2; a hybrid layer first attends, with heads of twice the width."""
    n_layers, n_heads = readers.depth(f), f.size("num_attention_heads")
    n_kv_heads = f.optional("num_key_value_heads") or n_heads
    head_dim = readers.hidden_over_heads(f, n_heads, times=2)
    for name in ("attention_head_dim", "head_dim"):
        f.same(name, head_dim)
    f.same("attention_hidden_size", n_heads * head_dim)
    f.same("kv_channels", head_dim // 2)
    f.same("num_query_groups", n_heads)
    readers.divides(f, "num_key_value_heads", n_kv_heads, n_heads)
    kinds = f.names("layer_types", {**readers.WITH_STATE, "hybrid": "full"}, n_layers)
    if kinds is None:
        f.missing("layer_types", "name each layer mamba or hybrid, here or in layers_block_type")
        kinds = ["full"] * n_layers
    f.same("hybrid_layer_ids", [i for i, kind in enumerate(kinds) if kind == "full"])
    f.same("mamba_headdim", ZAMBA2.shape(f)[1])
    alone = LayerKV("state", state=ZAMBA2.state(f))
    attends = replace(alone, kind="full", n_kv_heads=n_kv_heads, head_dim=head_dim)
    return [attends if kind == "full" else alone for kind in kinds]


def zamba(f) -> list[LayerKV]:
    """Every layer is a Mamba 1; a hybrid layer first attends, with heads of twice the width."""
    n_layers, n_heads = readers.depth(f), f.size("num_attention_heads")
    period, offset = f["attn_layer_period"], f.whole_number("attn_layer_offset", least=0)
    kinds = f.names("layer_types", {**readers.WITH_STATE, "hybrid": "full"}, n_layers)
    if kinds is None:
        hybrid = {2} | {i for i in range(3, n_layers) if (i - 3) % period == offset}
        kinds = ["full" if i in hybrid else "state" for i in range(n_layers)]
    n_kv_heads = f.optional("num_key_value_heads") or n_heads
    readers.divides(f, "num_key_value_heads", n_kv_heads, n_heads)
    head_dim = f.optional("head_dim") or readers.hidden_over_heads(f, n_heads, times=2)
    f.same("attention_hidden_size", 2 * f["hidden_size"])
    if JAMBA.channels(f) % f["n_mamba_heads"]:
        f.disagree("n_mamba_heads", "the channels must be shared evenly")
    alone = LayerKV("state", state=JAMBA.state(f))
    attends = replace(alone, kind="full", n_kv_heads=n_kv_heads, head_dim=head_dim)
    return [attends if kind == "full" else alone for kind in kinds]


def zamba2_shared(f, layers) -> int:
    """Zamba 2's attention blocks: few, and used again and again, with an adapter and a matrix a use."""
    wide, uses = f["hidden_size"], sum(layer.kind == "full" for layer in layers)
    inner, rank = f.nullable("intermediate_size") or 4 * wide, f["adapter_rank"]
    block = 2 * wide * 7 * wide + 3 * wide * inner
    adapters = rank * (wide + 2 * inner)
    adapters += 3 * rank * 4 * wide if f.flag("use_shared_attention_adapter") else 0
    return min(uses, f["num_mem_blocks"]) * block + uses * (wide * wide + adapters)


def recurrent_gemma(f) -> list[LayerKV]:
    """Griffin's repeating block: windowed attention, or a float32 state and conv1d_width − 1 inputs."""
    n_layers, block = readers.depth(f), f.get("block_types")
    listed = list(block) if isinstance(block, list | tuple) else []
    f.same("_block_types", listed)
    if not listed or any(kind not in ("recurrent", "attention") for kind in listed):
        f.refuse("block_types", "a list of recurrent and attention is needed")
        listed = ["attention"]
    width, kernel = f.optional("lru_width") or f.size("hidden_size"), f["conv1d_width"]
    state = StateTensor(width, kernel, positions=kernel - 1), StateTensor(width, dtype="fp32")
    made = {
        "attention": LayerKV("sliding", *readers.heads(f)[1:], window=f["sliding_window"]),
        "recurrent": LayerKV("state", state=state),
    }
    f.names("layer_types", readers.LAYER_TYPES | readers.WITH_STATE, n_layers)
    return [made[listed[i % len(listed)]] for i in range(n_layers)]


def griffin_weights(f) -> int:
    width = f.optional("lru_width") or f["hidden_size"]
    gates = 2 * width * width // f["num_attention_heads"]
    return 3 * f["hidden_size"] * width + width * (f["conv1d_width"] + 7) + gates


def lfm2(f) -> list[LayerKV]:
    """Short convolutions over conv_L_cache inputs; full_attn_idxs or layer_types say which layers attend."""
    n_layers = readers.depth(f)
    kinds = f.names("layer_types", {**readers.only("full"), "conv": "state"}, n_layers)
    if f.given.get("full_attn_idxs") is not None:
        attends = f.indices("full_attn_idxs", n_layers)
        spelt = ["full" if i in attends else "state" for i in range(n_layers)]
        kinds = readers.agreed(f, "full_attn_idxs", spelt, kinds)
    if kinds is None and "full_attn_idxs" not in f.defaults:
        f.missing("layer_types", "name each layer conv or full_attention")
    f.same("num_heads", readers.heads(f)[0])
    hidden_size = f.size("hidden_size")
    for name in ("block_dim", "conv_dim", "conv_dim_out"):
        f.same(name, hidden_size)
    convolution = StateTensor(hidden_size, f["conv_L_cache"])
    return readers.mixed(f, kinds or ["full"] * n_layers, (convolution,))


def lfm2_width(f, i: int) -> int:
    inner = f.whole_number("block_ff_dim" if "block_ff_dim" in f else "intermediate_size")
    if not f.flag("block_auto_adjust_ff_dim"):
        return inner
    multiple = f["block_multiple_of"]
    return -(-int(f.number("block_ffn_dim_multiplier") * int(2 * inner / 3)) // multiple) * multiple


def lfm3(f) -> list[LayerKV]:
    """Short convolutions, full and sliding attention in turn."""
    n_layers = readers.depth(f)
    kinds = f.names("layer_types", {**readers.only("full", "sliding"), "conv": "state"}, n_layers)
    default = {0: "sliding", 2: "full"}
    kinds = kinds or [default.get(i % 4, "state") if i else "state" for i in range(n_layers)]
    convolution = StateTensor(f.size("hidden_size"), f["conv_L_cache"])
    f.read.add("use_attention_gate")
    attends = [kind if kind != "state" else "full" for kind in kinds]
    layers = readers.layers_of(f, attends, readers.heads(f)[1:], f.nullable("sliding_window"))
    state = LayerKV("state", state=(convolution,))
    return [state if kind == "state" else one for kind, one in zip(kinds, layers, strict=True)]


def minimax(f) -> list[LayerKV]:
    """Lightning attention keeps head_dim × head_dim numbers a query head, in the model's dtype."""
    n_layers = readers.depth(f)
    n_heads, _, head_dim = readers.heads(f)
    spelt = f.names("attn_type_list", {0: "state", 1: "full"}, n_layers)
    kinds = readers.agreed(f, "attn_type_list", spelt, f.names("layer_types", readers.WITH_STATE, n_layers))
    kinds = kinds or ["full" if i % 2 == 0 else "state" for i in range(n_layers)]
    return readers.mixed(f, kinds, (StateTensor(n_heads * head_dim * head_dim),))


def minimax_weights(f) -> int:
    n_heads, _, head_dim = readers.heads(f)
    return 5 * f["hidden_size"] * n_heads * head_dim


PURE = Architecture(mamba, recurrent=MAMBA1.weights, feed_forward=weights.no_feed_forward, norms=1)
MINIMAX = Architecture(
    minimax, recurrent=minimax_weights, feed_forward=weights.mixture(), unserved=("llama.cpp", "vllm")
)
LFM2 = Architecture(
    lfm2,
    recurrent=lambda f: f["hidden_size"] * (4 * f["hidden_size"] + f["conv_L_cache"]),
    feed_forward=weights.dense(3, lfm2_width),
    names={"tie_embedding": "tie_word_embeddings"},
)
RECORDS = {
    **each("mamba falcon_mamba", PURE),
    "mamba2": replace(PURE, layers=mamba2, recurrent=MAMBA2.weights),
    "jamba": Architecture(jamba, recurrent=JAMBA.weights, feed_forward=weights.mixture(jamba_experts)),
    "bamba": Architecture(bamba, recurrent=BAMBA.weights, unserved=("vllm",)),
    "granitemoehybrid": Architecture(granite_hybrid, recurrent=BAMBA.weights, feed_forward=mixtures.granite),
    "falcon_h1": Architecture(falcon_h1, recurrent=FALCON_H1.weights),
    "nemotron_h": Architecture(
        nemotron_h, recurrent=NEMOTRON_H.weights, feed_forward=nemotron_feed_forward, norms=1
    ),
    "zamba": Architecture(zamba, whole=weights.uncounted),
    "lfm3": Architecture(lfm3, whole=weights.uncounted),
    "zamba2": Architecture(
        zamba2,
        attention=lambda f, layer, kept: 0,  # shared by all layers: `zamba2_shared` counts it once
        recurrent=ZAMBA2.weights,
        feed_forward=weights.no_feed_forward,
        extras=zamba2_shared,
        unserved=("llama.cpp",),
    ),
    "recurrent_gemma": Architecture(
        recurrent_gemma,
        recurrent=griffin_weights,
        feed_forward=weights.dense(3, lambda f, i: f["intermediate_size"] // 2, bias=True),
        unserved=("llama.cpp",),
    ),
    "lfm2": LFM2,
    "lfm2_moe": replace(LFM2, feed_forward=weights.mixture(mixtures.after("num_dense_layers"))),
    "minimax": MINIMAX,
    "minimax_text_01": replace(MINIMAX, defaults=None),
}
