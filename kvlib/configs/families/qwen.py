"""Qwen: windows that a switch turns on, mixtures, gated delta nets, and pictures."""

from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, Nested, each


def qwen2(f) -> list[LayerKV]:
    """use_sliding_window: false beats sliding_window; if true, the layers from max_window_layers on slide."""
    n_layers, window = readers.depth(f), readers.switched_window(f)
    first = f.whole_number("max_window_layers", least=0)
    kinds = ["sliding" if window and i >= first else "full" for i in range(n_layers)]
    return readers.placed(f, kinds, window)


def qwen2_moe(f) -> list[LayerKV]:
    """As `qwen2`, but every other layer below max_window_layers slides."""
    n_layers, window, slides = readers.depth(f), readers.switched_window(f), f.flag("use_sliding_window")
    last = f.whole_number("max_window_layers", least=0)
    kinds = ["sliding" if slides and i % 2 == 0 and i < last else "full" for i in range(n_layers)]
    return readers.placed(f, kinds, window)


def delta_shape(f) -> tuple[int, int, int, int]:
    """Key heads, value heads, numbers in one key, numbers in one value."""
    n_keys, n_values = f["linear_num_key_heads"], f["linear_num_value_heads"]
    if n_values % n_keys:
        f.disagree("linear_num_key_heads", f"it must divide the {n_values} value heads")
    return n_keys, n_values, f["linear_key_head_dim"], f["linear_value_head_dim"]


def delta_state(f) -> readers.State:
    n_keys, n_values, key, value = delta_shape(f)
    channels, kernel = 2 * n_keys * key + n_values * value, f["linear_conv_kernel_dim"]
    named = f.choice("mamba_ssm_dtype", (None, "float32"))
    return readers.state(channels, kernel, n_values * key * value, named)


def delta_weights(f) -> int:
    n_keys, n_values, key, value = delta_shape(f)
    keys, values = n_keys * key, n_values * value
    conv = (2 * keys + values) * f["linear_conv_kernel_dim"]
    return f["hidden_size"] * (2 * keys + 3 * values + 2 * n_values) + conv


def gated_attention(f, layer, kept: int) -> int:
    """Its queries bring a gate along; an attn_output_gate that takes it away is not transformers'."""
    if not f.flag("attn_output_gate", True):
        f.refuse("attn_output_gate", "true is needed: the queries are counted with their gate")
    return weights.attention_with(gate=2)(f, layer, kept)


def qwen3_next(f) -> list[LayerKV]:
    """Every full_attention_interval-th layer attends; the others are gated delta nets."""
    n_layers = readers.depth(f)
    named = f.get("full_attention_interval") is not None
    every = f["full_attention_interval"] if named else 4
    kinds = ["full" if (i + 1) % every == 0 else "state" for i in range(n_layers)]
    listed = f.names("layer_types", readers.WITH_STATE, n_layers)
    if named:
        readers.agreed(f, "full_attention_interval", kinds, listed)
    return readers.mixed(f, listed or kinds, delta_state(f))


def sparse(f, i: int) -> bool:
    """Whether layer i has experts: not those in mlp_only_layers, and every decoder_sparse_step-th."""
    only_dense = f.indices("mlp_only_layers", f["num_hidden_layers"])
    return i not in only_dense and (i + 1) % f["decoder_sparse_step"] == 0


def sometimes(f, i: int) -> weights.Experts | None:
    return weights.experts(f) if sparse(f, i) else None


def with_shared(f, i: int) -> weights.Experts | None:
    return weights.experts(f, shared=f.whole_number("shared_expert_intermediate_size", least=0))


def sometimes_with_shared(f, i: int) -> weights.Experts | None:
    return with_shared(f, i) if sparse(f, i) else None


def tower(v, outer, hidden: int) -> int:
    """Qwen 2 and 2.5 VL: patches of two frames, and four patches merged into a token."""
    second = "embed_dim" not in v.defaults
    wide, patch = v.whole_number("hidden_size" if second else "embed_dim"), v["patch_size"]
    inner = v["intermediate_size"] if second else int(wide * v.number("mlp_ratio"))
    merged = wide * v["spatial_merge_size"] ** 2
    total = 3 * wide * v["temporal_patch_size"] * patch * patch
    total += weights.vit(wide, v["depth"], inner, gate=second)
    return total + merged * (merged + 1) + (merged + 1) * hidden


def later_tower(v, outer, hidden: int) -> int:
    """Qwen 3 VL and 3.5: learned positions; Qwen 3 VL also merges the patches of several earlier layers."""
    wide, out = v["hidden_size"], v["out_hidden_size"]
    merged = wide * v["spatial_merge_size"] ** 2
    total = wide * (3 * v["temporal_patch_size"] * v["patch_size"] ** 2 + 1 + v["num_position_embeddings"])
    total += weights.vit(wide, v["depth"], v["intermediate_size"])
    merger, deep = merged * (merged + 1) + (merged + 1) * out, v.get("deepstack_visual_indexes")
    n_deep = len(deep) if isinstance(deep, list | tuple) else 0
    return total + merger + 2 * wide + n_deep * (merger + 2 * merged)


QWEN2 = Architecture(qwen2, weights.attention_with(qkv=True, out=False))
NEXT = Architecture(qwen3_next, gated_attention, recurrent=delta_weights)
VISION = {"depth": 32, "patch_size": 14, "temporal_patch_size": 2, "spatial_merge_size": 2}
LATER = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "out_hidden_size": 3584}
LATER |= {
    "patch_size": 16,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
    "num_position_embeddings": 2304,
}
DEEP = {**LATER, "deepstack_visual_indexes": [8, 16, 24]}
RECORDS = {
    **each("qwen2 qwen2_vl_text qwen2_5_vl_text qwen2_5_omni_text", QWEN2),
    "qwen2_moe": replace(QWEN2, layers=qwen2_moe, feed_forward=weights.mixture(sometimes_with_shared)),
    "mimo": replace(QWEN2, defaults="qwen2"),
    "qwen3": Architecture(qwen2),
    **each(
        "qwen3_moe qwen3_omni_moe_text",
        Architecture(readers.windowed, feed_forward=weights.mixture(sometimes)),
    ),
    "qwen3_vl_text": Architecture(readers.full),
    "qwen3_vl_moe_text": Architecture(readers.full, feed_forward=weights.mixture(sometimes)),
    "qwen3_next": replace(NEXT, feed_forward=weights.mixture(sometimes_with_shared)),
    "qwen3_5_text": NEXT,
    "qwen3_5_moe_text": replace(NEXT, feed_forward=weights.mixture(with_shared)),
}
NESTED = {
    "qwen2_vl": Nested(
        "qwen2_vl_text", flat=True, tower=tower, vision=VISION | {"embed_dim": 1280, "mlp_ratio": 4}
    ),
    "qwen2_5_vl": Nested(
        "qwen2_5_vl_text",
        flat=True,
        tower=tower,
        vision=VISION | {"hidden_size": 3584, "intermediate_size": 3420},
    ),
    "qwen3_vl": Nested("qwen3_vl_text", tower=later_tower, vision=DEEP),
    "qwen3_vl_moe": Nested("qwen3_vl_moe_text", tower=later_tower, vision=DEEP),
    "qwen3_5": Nested("qwen3_5_text", tower=later_tower, vision=LATER),
    "qwen3_5_moe": Nested("qwen3_5_moe_text", tower=later_tower, vision=LATER),
}
