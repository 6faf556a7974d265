"""How many parameters a model has, from its config alone.

Every matrix of every layer is counted with the `Fields` and the layers that `kvlib.configs` reads,
so heads and head_dim are those of the cache. Biases and norms are counted where they matter.
Tests hold the total within 0.5 % of what transformers 5.23 builds from the same config.
"""

from dataclasses import dataclass

from .configs import layout, read_config, text_fields
from .configs.fields import UnsupportedConfig
from .towers import tower


@dataclass(frozen=True)
class Parameters:
    """Numbers of weights. total: all that is loaded, a vision tower too (Gemma 3n's towers apart:
    their shapes are not in its config). active: those one token passes through, so of each mixture
    only the experts chosen. embedding: the input embedding table."""

    total: int
    active: int
    embedding: int

    def weights_bytes(self, bits: float = 16) -> int:
        """Bytes of all weights at `bits` a weight (bf16: 16; a 4-bit format with its scales: about 4.5)."""
        return int(self.total * bits / 8)


def parameters(config) -> Parameters:
    """The parameters of a config.json: a dict, a path, or a shipped model's name.

    Raises UnsupportedConfig where `layout` does, or where a part's shape is not known.
    """
    found, _ = read_config(config)
    f, layers = text_fields(found), layout(found).layers
    if f.model_type in ("t5", "mt5", "umt5"):
        return t5(f)
    if f.model_type == "whisper":
        return whisper(f)
    hidden, vocab = f.count("hidden_size"), f.count("vocab_size")
    side = f.whole("word_embed_proj_dim") if f.model_type == "opt" else None
    embedding = vocab * (side or hidden)
    total = embedding * (1 if tied(f, found) else 2) + positions(f, hidden)
    total += 2 * hidden * side if side and side != hidden else 0
    if f.model_type in ("gptj", "phi"):
        total += vocab  # the head's bias
    idle = 0
    for i, layer in enumerate(layers):
        dense, experts, chosen, each = feed_forward(f, i, layer, hidden)
        total += mixer(f, layer, layers, hidden) + norms(f) * hidden + dense + experts * each
        idle += (experts - chosen) * each
    total += extras(f, layers, hidden) + tower(found, f, hidden)
    return Parameters(total, total - idle, embedding)


def tied(f, found: dict) -> bool:
    """Whether the output matrix is the embedding; a nested config's own flag counts as the outer one's."""
    value = f.flag("tie_word_embeddings")
    if f.nested and f.model_type not in ("gemma3_text", "gemma4_text", "gemma3n_text"):
        value = bool(found.get("tie_word_embeddings", f.given.get("tie_word_embeddings", False)))
    if f.model_type in ("lfm2", "lfm2_moe") and "tie_embedding" in f:
        value = f.flag("tie_embedding")
    return value


def positions(f, hidden: int) -> int:
    """Learned position embeddings, where a family has them."""
    if f.model_type in ("gpt2", "gpt_bigcode"):
        return f.count("max_position_embeddings") * hidden
    return (f.count("max_position_embeddings") + 2) * hidden if f.model_type == "opt" else 0


# Layer norms' widths in units of hidden size, a layer; LayerNorm with a bias counts double.
NORMS = (
    {"gemma2": 4, "gemma3_text": 4, "gemma3n_text": 8, "gemma4_text": 5, "olmo": 0, "glm4": 4, "mpt": 2}
    | dict.fromkeys(
        "gpt2 gpt_neox gpt_bigcode starcoder2 opt bloom stablelm phimoe nemotron falcon".split(), 4
    )
    | dict.fromkeys("gptj phi".split(), 2)
    | dict.fromkeys("mamba mamba2 falcon_mamba nemotron_h cohere cohere2".split(), 1)
)
BIASED = set("gpt2 gpt_neox gpt_bigcode starcoder2 opt bloom phi gpt_oss".split())
BIASED_QKV = set("qwen2 qwen2_moe qwen2_vl_text qwen2_5_vl_text".split())
UNGATED = set(
    """gpt2 gptj gpt_neox opt bloom mpt falcon phi starcoder2 gpt_bigcode nemotron nemotron_h arcee apertus""".split()
)


def norms(f) -> int:
    return NORMS.get(f.model_type, 2)


def linear(rows: int, columns: int, bias: bool = False) -> int:
    return rows * columns + (columns if bias else 0)


def biased(f) -> bool:
    if f.model_type == "falcon":
        return f.flag("bias")
    return f.model_type in BIASED


def mixer(f, layer, layers, hidden: int) -> int:
    """Attention's matrices, a recurrent block's, or both."""
    if layer.kind == "latent":
        return latent(f, hidden)
    total = recurrent(f, layer, hidden) if layer.state_bytes else 0
    if f.model_type == "zamba2":
        return total  # its shared attention is counted once, by `extras`
    if layer.kind == "cross":
        own = next(one for one in layers if one.kind == "full")
        return attention(f, own, hidden, own.elements) + hidden
    source = layer if layer.shares_with is None else layers[layer.shares_with]
    if source.n_kv_heads:
        total += attention(f, source, hidden, 0 if layer.kind == "shared" else source.elements)
    return total


def attention(f, layer, hidden: int, kept: int) -> int:
    wide = f.count("num_attention_heads") * layer.head_dim
    bias = biased(f)
    gated = f.model_type in ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text")
    both = f.get("attention_bias") is True and f.model_type not in ("glm", "glm4", "glm4_moe")
    qkv_bias = (
        bias
        or both
        or f.model_type in BIASED_QKV
        or f.get("attention_bias") is True
        or f.flag("use_qkv_bias")
    )
    shares_values = f.model_type == "gemma4_text" and f.flag("attention_k_eq_v") and layer.kind == "full"
    total = linear(hidden, wide * (2 if gated else 1) + (kept // 2 if shares_values else kept), qkv_bias)
    return total + linear(wide, hidden, bias or both)


def latent(f, hidden: int) -> int:
    n_heads, rank = f.count("num_attention_heads"), f.count("kv_lora_rank")
    nope, rope, values = f.count("qk_nope_head_dim"), f.count("qk_rope_head_dim"), f.count("v_head_dim")
    query, squeezed = n_heads * (nope + rope), f.nullable("q_lora_rank")
    total = hidden * query if squeezed is None else squeezed * (hidden + 1 + query)
    return total + hidden * (rank + rope) + rank * (1 + n_heads * (nope + values)) + n_heads * values * hidden


def recurrent(f, layer, hidden: int) -> int:
    kind = f.model_type
    if kind in ("mamba", "falcon_mamba", "jamba"):
        old = kind != "jamba"
        inner = f.count("expand" if old else "mamba_expand") * hidden
        states, conv = (
            f.count(n) for n in (("state_size", "conv_kernel") if old else ("mamba_d_state", "mamba_d_conv"))
        )
        rank = f.get("time_step_rank" if old else "mamba_dt_rank")
        rank = -(-hidden // 16) if rank == "auto" else rank
        return 3 * inner * hidden + inner * (states + 1 + conv + 1 + 2 * states + 2 * rank + 1)
    if kind in ("lfm2", "lfm2_moe"):
        return hidden * (4 * hidden + f.count("conv_L_cache"))
    if kind in ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"):
        n_keys, n_values = f.count("linear_num_key_heads"), f.count("linear_num_value_heads")
        keys, values = n_keys * f.count("linear_key_head_dim"), n_values * f.count("linear_value_head_dim")
        conv = (2 * keys + values) * f.count("linear_conv_kernel_dim")
        return hidden * (2 * keys + 3 * values + 2 * n_values) + conv
    if kind in ("minimax", "minimax_text_01"):
        return 5 * hidden * f.count("num_attention_heads") * head_dim(f, hidden)
    if kind == "recurrent_gemma":
        width = f.whole("lru_width") or hidden
        return (
            3 * hidden * width
            + width * (f.count("conv1d_width") + 7)
            + 2 * width * width // f.count("num_attention_heads")
        )
    return mamba2(f, hidden)


def head_dim(f, hidden: int) -> int:
    return f.whole("head_dim") or hidden // f.count("num_attention_heads")


def mamba2(f, hidden: int) -> int:
    names = {
        "mamba2": ("num_heads", "head_dim", "n_groups", "state_size", "conv_kernel"),
        "nemotron_h": ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size", "conv_kernel"),
        "zamba2": ("n_mamba_heads", "mamba_headdim", "mamba_ngroups", "mamba_d_state", "mamba_d_conv"),
    }.get(f.model_type, ("mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv"))
    n_heads = f.count(names[0])
    inner = (f.nullable("mamba_d_ssm") if f.model_type == "falcon_h1" else None) or (
        n_heads * f.count(names[1])
        if f.model_type in ("mamba2", "nemotron_h")
        else f.count("mamba_expand") * hidden
    )
    groups = f.count(names[2]) * f.count(names[3])
    return (
        hidden * (3 * inner + 2 * groups + n_heads) + (inner + 2 * groups) * (f.count(names[4]) + 1) + inner
    )


def feed_forward(f, i: int, layer, hidden: int) -> tuple[int, int, int, int]:
    """Dense weights, experts, experts chosen and weights of each, of layer i."""
    kind = f.model_type
    matrices = 2 if kind in UNGATED else 3
    if kind in ("mamba", "mamba2", "falcon_mamba", "zamba2"):
        return 0, 0, 0, 0
    if kind == "nemotron_h":
        return nemotron_h(f, i, hidden)
    if kind == "apertus":
        matrices = 2
    found = experts(f, i)
    if found is None or kind == "gemma4_text":
        inner = width(f, i, hidden)
        dense = matrices * hidden * inner + (
            (inner + hidden) if biased(f) or kind in ("gptj", "recurrent_gemma") else 0
        )
        if found is None:
            return dense, 0, 0, 0
    else:
        dense = 0
    number, chosen, inner, shared = found
    each = matrices * hidden * inner + (2 * inner + hidden if biased(f) else 0)
    return dense + number * hidden + matrices * hidden * shared, number, chosen, each


def width(f, i: int, hidden: int) -> int:
    """The inner width of layer i's dense feed-forward block."""
    kind = f.model_type
    if kind in ("gpt2", "gptj", "gpt_bigcode"):
        return f.nullable("n_inner") or 4 * hidden
    if kind == "falcon":
        return f.nullable("ffn_hidden_size") or 4 * hidden
    if kind == "bloom":
        return 4 * hidden
    if kind == "mpt":
        return f.count("expansion_ratio") * hidden
    if kind == "opt":
        return f.count("ffn_dim")
    if kind == "llama4_text":
        return f.count("intermediate_size_mlp")
    if kind in ("granitemoehybrid", "granitemoeshared") and not f.get("num_experts"):
        return f.count("shared_intermediate_size")
    inner = f.get("intermediate_size")
    if isinstance(inner, list | tuple):
        return inner[i]
    inner = f.count("intermediate_size")
    if kind == "lfm2":
        inner = f.count("block_ff_dim") if "block_ff_dim" in f else inner
        if f.flag("block_auto_adjust_ff_dim"):
            multiple = f.count("block_multiple_of")
            inner = (
                -(-int((f.get("block_ffn_dim_multiplier") or 1) * int(2 * inner / 3)) // multiple) * multiple
            )
    if kind == "gemma4_text" and f.flag("use_double_wide_mlp"):
        first = f.count("num_hidden_layers") - f.count("num_kv_shared_layers", least=0)
        return 2 * inner if i >= first else inner
    return inner // 2 if kind == "recurrent_gemma" else inner


def experts(f, i: int) -> tuple[int, int, int, int] | None:
    """Experts, experts chosen, their width and the width of those always used; None for a dense layer."""
    kind = f.model_type
    if "num_experts" not in f.defaults and "num_experts" not in f or not f.get("num_experts"):
        return None
    if kind == "gemma4_text":
        return (f.count("num_experts"), f.count("top_k_experts"), f.count("moe_intermediate_size"), 0)
    number, chosen, shared = f.count("num_experts"), f.count("num_experts_per_tok"), 0
    inner = f.count("moe_intermediate_size" if f.get("moe_intermediate_size") else "intermediate_size")
    if kind in ("qwen2_moe", "qwen3_moe", "qwen3_next", "qwen3_vl_moe_text"):
        if i in (f.get("mlp_only_layers") or []) or (i + 1) % f.count("decoder_sparse_step"):
            return None
    if kind in ("qwen2_moe", "qwen3_next", "qwen3_5_moe_text"):
        shared = f.count("shared_expert_intermediate_size", least=0)
    elif kind in ("deepseek_v2", "deepseek_v3", "kimi_k2", "glm4_moe", "glm4_moe_lite", "deepseek"):
        if i < f.get("first_k_dense_replace", 0):
            return None
        shared = (f.get("n_shared_experts") or 0) * inner
    elif kind == "ernie4_5_moe":
        last = f.get("moe_layer_end_index")
        last = f.count("num_hidden_layers") - 1 if last == -1 else last
        if (i + 1) % f.count("moe_layer_interval") or not f.get("moe_layer_start_index") <= i <= last:
            return None
        shared = (f.get("moe_num_shared_experts") or 0) * inner
    elif kind == "llama4_text":
        step = f.count("interleave_moe_layer_step", least=0)
        listed = f.get("moe_layers")
        if i not in (listed if listed is not None else range(step - 1, i + 1, step)):
            return None
        shared = inner
    elif kind in ("granitemoehybrid", "granitemoeshared"):
        shared = f.count("shared_intermediate_size", least=0)
    elif kind == "jamba" and (
        number == 1 or i % f.count("expert_layer_period") != f.count("expert_layer_offset", 0)
    ):
        return None
    elif kind == "lfm2_moe" and i < f.count("num_dense_layers", least=0):
        return None
    return number, chosen, inner, shared


def nemotron_h(f, i: int, hidden: int) -> tuple[int, int, int, int]:
    pattern = f.get("hybrid_override_pattern")
    block = pattern[i] if pattern else {"mlp": "-", "moe": "E"}.get(f.get("layer_types")[i], "M")
    if block == "-":
        return 2 * hidden * f.count("intermediate_size"), 0, 0, 0
    if block != "E":
        return 0, 0, 0, 0
    if f.get("moe_latent_size") is not None:
        raise f.refuse("moe_latent_size", "the shape of experts on a latent is not known; null is needed")
    number, each = f.count("num_experts"), 2 * hidden * f.count("moe_intermediate_size")
    shared = (
        2 * hidden * f.count("moe_shared_expert_intermediate_size") * f.count("n_shared_experts", least=0)
    )
    return shared + number * hidden, number, f.count("num_experts_per_tok"), each


def extras(f, layers, hidden: int) -> int:
    """What a family has besides embeddings and layers of the usual parts."""
    total, n_layers = hidden, len(layers)  # the last norm
    per_layer = f.get("hidden_size_per_layer_input") or 0
    if per_layer:
        total += n_layers * (
            2 * hidden * per_layer + (f.count("vocab_size_per_layer_input") + hidden) * per_layer
        )
    if f.model_type == "gemma3n_text":
        streams = f.count("altup_num_inputs")
        total += 2 * (streams - 1) * hidden * hidden
        total += n_layers * hidden * (2 * f.count("laurel_rank") + streams)
    if f.model_type == "zamba2":
        total += zamba2_shared(f, layers, hidden)
    return total


def zamba2_shared(f, layers, hidden: int) -> int:
    """Zamba 2's attention blocks: few, and used again and again, with an adapter and a matrix a use."""
    uses = sum(layer.kind == "full" for layer in layers)
    inner, rank = f.nullable("intermediate_size") or 4 * hidden, f.count("adapter_rank")
    block = 2 * hidden * 7 * hidden + 3 * hidden * inner
    adapters = rank * (hidden + 2 * inner) + (
        3 * rank * 4 * hidden if f.flag("use_shared_attention_adapter") else 0
    )
    return min(uses, f.count("num_mem_blocks")) * block + uses * (hidden * hidden + adapters)


def t5(f) -> Parameters:
    hidden, inner = f.count("hidden_size"), f.count("d_ff")
    wide = f.count("num_attention_heads") * f.count("head_dim")
    gated = str(f.get("feed_forward_proj", "relu")).startswith("gated")
    block = (3 if gated else 2) * hidden * inner
    encoder = f.count("num_hidden_layers")
    decoder = f.whole("num_decoder_layers") or encoder
    total = encoder * (4 * hidden * wide + block + 2 * hidden)
    total += decoder * (8 * hidden * wide + block + 3 * hidden)
    buckets = f.count("relative_attention_num_buckets") * f.count("num_attention_heads")
    total += buckets * ((encoder + decoder) if f.model_type == "umt5" else 2) + 2 * hidden
    embedding = f.count("vocab_size") * hidden
    total += embedding
    return Parameters(total, total, embedding)


def whisper(f) -> Parameters:
    hidden = f.count("d_model")
    norm, side = 2 * hidden, 4 * hidden * hidden + 3 * hidden

    def block(inner):
        return 2 * hidden * inner + inner + hidden

    total = f.count("encoder_layers") * (side + block(f.count("encoder_ffn_dim")) + 2 * norm)
    total += f.count("decoder_layers") * (2 * side + block(f.count("decoder_ffn_dim")) + 3 * norm)
    total += 3 * f.count("num_mel_bins") * hidden + 3 * hidden * hidden + 2 * hidden + 2 * norm
    total += (f.count("max_source_positions") + f.count("max_target_positions")) * hidden
    embedding = f.count("vocab_size") * hidden
    return Parameters(total + embedding, total + embedding, embedding)
