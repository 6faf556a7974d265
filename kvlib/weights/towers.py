"""Parameters of the vision towers beside a language model, from a config's vision_config."""

from ..configs.fields import needs


def vit(hidden, layers, inner, *, gated=False, bias=True) -> int:
    """A vision transformer's layers: attention, feed-forward and two norms each."""
    weights = 4 * hidden * hidden + (3 if gated else 2) * hidden * inner
    biases = 4 * hidden + (2 if gated else 1) * inner + hidden if bias else 0
    return layers * (weights + biases + 4 * hidden)


def tower(config: dict, f, hidden: int) -> int:
    """Weights of the tower and its projector; 0 for a model of text alone."""
    model_type = config["model_type"]
    if model_type not in TOWERS:
        if config.get("vision_config") or config.get("audio_config"):
            if model_type == "gemma3n":
                return 0
            raise needs(
                "vision_config", "…", f"the tower of {model_type} is not known, so neither is its size"
            )
        return 0
    if config.get("audio_config"):
        raise needs(
            "audio_config", "…", f"the audio tower of {model_type} is not known, so neither is its size"
        )
    count, defaults = TOWERS[model_type]
    return count({**defaults, **(config.get("vision_config") or {})}, config, hidden)


def clip(v, config, hidden) -> int:
    """LLaVA: CLIP's tower (no norm is left out) and two projections."""
    wide, patch = v["hidden_size"], v["patch_size"]
    tokens = (v["image_size"] // patch) ** 2 + 1
    levels = config.get("vision_feature_layer", -2)
    n_levels = len(levels) if isinstance(levels, list) else 1
    total = wide * (3 * patch * patch + tokens + 5) + vit(
        wide, v["num_hidden_layers"], v["intermediate_size"]
    )
    return total + hidden * (n_levels * wide + 1) + hidden * (hidden + 1)


def siglip(v, config, hidden) -> int:
    """Gemma 3: SigLIP's tower and one projection."""
    wide, patch = v["hidden_size"], v["patch_size"]
    total = wide * (3 * patch * patch + 3 + (v["image_size"] // patch) ** 2)
    return total + vit(wide, v["num_hidden_layers"], v["intermediate_size"]) + wide * (hidden + 1)


def llama4(v, config, hidden) -> int:
    wide, patch, inner = v["hidden_size"], v["patch_size"], v["intermediate_size"]
    tokens = (v["image_size"] // patch) ** 2 + 1
    squeezed = int(wide / v["pixel_shuffle_ratio"] ** 2)
    adapter = squeezed * v["projector_input_dim"] + v["projector_input_dim"] * v["projector_output_dim"]
    total = wide * (3 * patch * patch + tokens + 5) + vit(wide, v["num_hidden_layers"], inner)
    return total + adapter + v["vision_output_dim"] * hidden


def mllama(v, config, hidden) -> int:
    wide, patch, tiles = v["hidden_size"], v["patch_size"], v["max_num_tiles"]
    tokens, ratios = (v["image_size"] // patch) ** 2 + 1, len(v.get("supported_aspect_ratios") or [0] * 8) + 1
    layers = v["num_hidden_layers"] + v["num_global_layers"]
    total = wide * (3 * patch * patch + tokens + 5) + vit(wide, layers, v["intermediate_size"])
    return total + ratios * tiles * wide * (tokens + 2) + v["vision_output_dim"] * hidden


def qwen(v, config, hidden) -> int:
    """Qwen 2 and 2.5 VL: patches of two frames, and four patches merged into a token."""
    second = config["model_type"] == "qwen2_5_vl"
    wide, patch = v["hidden_size"] if second else v["embed_dim"], v["patch_size"]
    inner = v["intermediate_size"] if second else int(wide * v["mlp_ratio"])
    merged = wide * v["spatial_merge_size"] ** 2
    total = 3 * wide * v["temporal_patch_size"] * patch * patch + vit(wide, v["depth"], inner, gated=second)
    return total + merged * (merged + 1) + (merged + 1) * hidden


def gemma4(v, config, hidden) -> int:
    wide, size = v["hidden_size"], v["position_embedding_size"]
    weights = v["num_hidden_layers"] * (4 * wide * wide + 3 * wide * v["intermediate_size"] + 4 * wide)
    return weights + 2 * size * wide + 3 * v["patch_size"] ** 2 * wide + wide * hidden


def silent(hidden, inner, layers, image, patch, **rest) -> dict:
    """What transformers 5.23's class assumes where vision_config is silent."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size")
    return dict(zip(names, (hidden, inner, layers, image, patch), strict=True)) | rest


QWEN = {"depth": 32, "patch_size": 14, "temporal_patch_size": 2, "spatial_merge_size": 2}
SHUFFLE = {"pixel_shuffle_ratio": 0.5, "projector_input_dim": 4096, "projector_output_dim": 4096}
TOWERS = {
    "llava": (clip, silent(1024, 4096, 24, 336, 14)),
    "gemma3": (siglip, silent(768, 3072, 12, 224, 16)),
    "llama4": (llama4, silent(768, 5632, 34, 448, 14, vision_output_dim=7680, **SHUFFLE)),
    "mllama": (
        mllama,
        silent(1280, 5120, 32, 448, 14, num_global_layers=8, max_num_tiles=4, vision_output_dim=7680),
    ),
    "qwen2_vl": (qwen, QWEN | {"embed_dim": 1280, "mlp_ratio": 4}),
    "qwen2_5_vl": (qwen, QWEN | {"hidden_size": 3584, "intermediate_size": 3420}),
    "gemma4": (gemma4, silent(768, 3072, 16, None, 16, position_embedding_size=10240)),
}
