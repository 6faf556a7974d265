"""Language models that read pictures: Llama 3.2 Vision, and those whose language part is another family."""

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, Nested


def mllama(f) -> list[LayerKV]:
    """Llama 3.2 Vision: cross_attention_layers keep the picture's keys and values, not the text's."""
    n_heads, n_kv_heads, head_dim = readers.heads(f)
    f.same("head_dim", readers.hidden_over_heads(f, n_heads))
    layers = readers.full(f)
    if f.get("cross_attention_layers") is None:
        f.given["cross_attention_layers"] = [3, 8, 13, 18, 23, 28, 33, 38]
        f.spelt.setdefault("cross_attention_layers", "cross_attention_layers")
    for i in f.indices("cross_attention_layers", len(layers)):
        layers[i] = LayerKV("cross", cross_elements=2 * n_kv_heads * head_dim)
    return layers


def clip(v, more: int = 0) -> int:
    """CLIP's patches, positions, class token, two norms, and layers, `more` than num_hidden_layers."""
    embeddings = v["hidden_size"] * (3 * v["patch_size"] ** 2 + tokens(v) + 5)
    return embeddings + weights.vit(v["hidden_size"], v["num_hidden_layers"] + more, v["intermediate_size"])


def tokens(v) -> int:
    return (v["image_size"] // v["patch_size"]) ** 2 + 1


def llava(v, outer, hidden: int) -> int:
    """CLIP's tower (no norm is left out) and two projections, from one or several of its layers."""
    levels = outer.get("vision_feature_layer", -2)
    n_levels = len(levels) if isinstance(levels, list) else 1
    return clip(v) + hidden * (n_levels * v["hidden_size"] + 1) + hidden * (hidden + 1)


def llama4(v, outer, hidden: int) -> int:
    squeezed = int(v["hidden_size"] / v.number("pixel_shuffle_ratio") ** 2)
    adapter = v["projector_input_dim"] * (squeezed + v["projector_output_dim"])
    return clip(v) + adapter + v["vision_output_dim"] * hidden


def mllama_tower(v, outer, hidden: int) -> int:
    ratios = v.get("supported_aspect_ratios")
    ratios = 1 + (len(ratios) if isinstance(ratios, list | tuple) and ratios else 8)
    positions = ratios * v["max_num_tiles"] * v["hidden_size"] * (tokens(v) + 2)
    return clip(v, more=v["num_global_layers"]) + positions + v["vision_output_dim"] * hidden


SHUFFLE = {"pixel_shuffle_ratio": 0.5, "projector_input_dim": 4096, "projector_output_dim": 4096}
TILES = {"num_global_layers": 8, "max_num_tiles": 4, "vision_output_dim": 7680}
RECORDS = {"mllama_text_model": Architecture(mllama, unserved=("llama.cpp", "vllm"))}
NESTED = {
    "llava": Nested("llama", fixed=False, tower=llava, vision=weights.silent(1024, 4096, 24, 336, 14)),
    "llava_next": Nested("llama", fixed=False),
    "mistral3": Nested("mistral", fixed=False),
    "internvl": Nested("qwen2", fixed=False),
    "idefics3": Nested("llama", fixed=False),
    "smolvlm": Nested("llama", fixed=False),
    "aya_vision": Nested("cohere2", fixed=False),
    "mllama": Nested(
        "mllama_text_model", tower=mllama_tower, vision=weights.silent(1280, 5120, 32, 448, 14, **TILES)
    ),
    "llama4": Nested(
        "llama4_text",
        tower=llama4,
        vision=weights.silent(768, 5632, 34, 448, 14, vision_output_dim=7680, **SHUFFLE),
    ),
}
