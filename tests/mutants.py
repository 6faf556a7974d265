"""Good configs spoilt one field at a time, as files found in the wild are.

`bases` are small cousins of the published configs: few layers, windows of 16 tokens. `mutants`
yields what was done and the spoilt config.
"""

import copy

from . import oracle

WINDOW = 16
LAYERS = 6
DEPTH = {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks", "decoder_layers"}
SIZES = DEPTH | set(
    """num_attention_heads num_key_value_heads head_dim n_head n_heads num_kv_heads num_heads sliding_window
    kv_lora_rank qk_rope_head_dim attention_chunk_size state_size conv_kernel mamba_d_state mamba_d_conv
    mamba_expand ssm_state_size linear_num_value_heads conv_L_cache global_head_dim num_kv_shared_layers
    hidden_size n_embd d_model d_kv index_head_dim v_head_dim swa_num_key_value_heads swa_head_dim
    linear_head_dim linear_num_heads linear_conv_kernel_dim linear_key_head_dim layer_group_size
    conv_kernel_size cca_time0 n_mamba_heads decoder_attention_heads local_attention indexer_head_dim
    short_conv_kernel_size hc_count ngram_size ple_conv_kernel_size""".split()
)
# Fields that place layers by number, so that the depth is theirs to say.
PLACED = {
    "full_attn_idxs", "attn_layer_indices", "hybrid_layer_ids", "num_kv_shared_layers",
    "hybrid_override_pattern", "cross_attention_layers", "attention_types", "num_layers_per_stack",
    "layers_block_type",
}  # fmt: skip
FOREIGN = {
    "kv_lora_rank": 512,
    "sliding_window": 8,
    "layer_types": ["sliding_attention"] * LAYERS,
    "attention_chunk_size": 8,
    "num_kv_shared_layers": 2,
    "use_sliding_window": True,
    "multi_query": True,
    "new_decoder_architecture": True,
    "num_key_value_heads": 1,
    "num_kv_heads": 2,
    "head_dim": 24,
    "global_head_dim": 32,
    "cross_attention_layers": [1],
    "attn_layer_indices": [0],
    "is_encoder_decoder": True,
    "index_topk": 64,
    "kv_cache_dtype": "fp8",
    "cache_implementation": "quantized",
    "per_layer_config": {"0": {}},
    "quantization_config": {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}},
    "state_size": 8,
    "sliding_window_pattern": 3,
    "share_kv": True,
    "num_latent_heads": 4,
    "window_size": 8,
    "full_attention_interval": 3,
    "attn_layer_period": 3,
    "add_cross_attention": True,
}


def inner(config: dict) -> dict:
    """The part that describes the language model."""
    return config.get("text_config", config)


def small(config: dict) -> dict:
    """A cousin with at most LAYERS layers and windows of WINDOW tokens, of the same shape otherwise."""
    config = copy.deepcopy(config)
    for key in ("quantization_config", "vision_config"):
        config.pop(key, None)
    text = inner(config)
    if not any(key in text for key in PLACED):
        for depth in DEPTH & text.keys():
            for part in (text, *(value for value in text.values() if isinstance(value, dict))):
                for key, value in part.items():
                    if isinstance(value, list) and len(value) == text[depth]:
                        part[key] = value[:LAYERS]
            text[depth] = min(text[depth], LAYERS)
    for key in ("sliding_window", "sliding_window_size", "attention_window_size", "attention_chunk_size"):
        if text.get(key):
            text[key] = WINDOW
    return config


def bases() -> dict[str, dict]:
    """model_type -> one small published config of it."""
    found = {}
    for config in oracle.published().values():
        found.setdefault(config["model_type"], small(config))
    return found


def mutants(config: dict):
    """(what was done, the config) for every way of spoiling one field."""
    text = inner(config)

    def spoilt(**changes):
        other = copy.deepcopy(config)
        inner(other).update(changes)
        return other

    for key, value in text.items():
        if key == "model_type":
            continue
        other = copy.deepcopy(config)
        del inner(other)[key]
        yield f"drop {key}", other
        if isinstance(value, bool):
            yield f"flip {key}", spoilt(**{key: not value})
        elif key in SIZES:
            for wrong in (0, -1, 1.5, "8", True, None, 3, 7):
                yield f"{key} = {wrong!r}", spoilt(**{key: wrong})
            if isinstance(value, int):
                yield f"{key} doubled", spoilt(**{key: 2 * value})
        elif isinstance(value, list) and value:
            yield f"{key} one short", spoilt(**{key: value[:-1]})
            yield f"{key} with a stranger", spoilt(**{key: [*value[:-1], "strange_attention"]})
            yield f"{key} reversed", spoilt(**{key: value[::-1]})
            yield f"{key} = null", spoilt(**{key: None})
    for key, value in FOREIGN.items():
        if key not in text:
            yield f"add {key}", spoilt(**{key: value})
    yield "model_type unknown", {**config, "model_type": "no_such_model"}
    if text is not config:
        yield "no text_config", {k: v for k, v in config.items() if k != "text_config"}
