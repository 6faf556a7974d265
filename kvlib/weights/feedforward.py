"""Weights of feed-forward blocks, and of mixtures of experts: how many, how wide, how many chosen."""

from .mixers import biased

UNGATED = set(
    """gpt2 gptj gpt_neox opt bloom mpt falcon phi starcoder2 gpt_bigcode nemotron nemotron_h arcee
    apertus""".split()
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
