"""Weights of what mixes tokens: attention, latent attention, recurrent blocks."""

BIASED = set("gpt2 gpt_neox gpt_bigcode starcoder2 opt bloom phi gpt_oss".split())
BIASED_QKV = set("qwen2 qwen2_moe qwen2_vl_text qwen2_5_vl_text".split())


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
