"""Gemma: windows beside full layers, from Gemma 3n on with layers that share earlier keys and values."""

from collections.abc import Mapping
from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..fields import MOST
from ..record import Architecture, Nested, each


def gemma(f) -> list[LayerKV]:
    """Within PaliGemma a picture and its question see one another; alone, that would be an encoder."""
    if f.flag("use_bidirectional_attention") and not f.nested:
        f.refuse("use_bidirectional_attention", "an encoder keeps no cache; null or false is needed")
    return readers.full(f)


def sharing(f, layers: list[LayerKV], kinds: list) -> list[LayerKV]:
    """The last num_kv_shared_layers read the keys and values of the last earlier layer of their kind."""
    first = len(kinds) - f.whole_number("num_kv_shared_layers", least=0)
    if first < 1 or set(kinds[:first]) != set(kinds):
        f.disagree("num_kv_shared_layers", "a layer of every kind must come before those that share")
        return layers
    last = {kind: max(i for i in range(first) if kinds[i] == kind) for kind in kinds}
    return layers[:first] + [LayerKV("shared", shares_with=last[kind]) for kind in kinds[first:]]


def gemma3n(f) -> list[LayerKV]:
    kinds = readers.periodic_kinds(f, 5)
    return sharing(f, readers.layers_of(f, kinds, readers.heads(f)[1:], f.nullable("sliding_window")), kinds)


def gemma4(f) -> list[LayerKV]:
    """As Gemma 3n, the last layer always full; full layers have a shape of their own."""
    kinds = readers.periodic_kinds(f, 6)
    if f.get("layer_types") is None:
        kinds[-1] = "full"
    elif kinds[-1] != "full":
        f.refuse("layer_types", "Gemma 4's last layer is full attention")
    layers = readers.layers_of(f, kinds, readers.heads(f)[1:], f.nullable("sliding_window"))
    shapes = gemma4_shapes(f, kinds)
    layers = [replace(one, **shapes.get(i, {})) for i, one in enumerate(layers)]
    return sharing(f, layers, kinds)


def gemma4_shapes(f, kinds: list) -> dict:
    """Layer -> its own head_dim and KV heads. Saved again, a config spells out in per_layer_config what
    it first said in global_head_dim and num_global_key_value_heads; where it does, these count no more."""
    wide, own = f.nullable("global_head_dim") or 512, f.nullable("num_global_key_value_heads")
    readers.even(f, "global_head_dim", wide)
    if f.get("per_layer_config") is None:
        shape = {"head_dim": wide} | ({"n_kv_heads": own} if f.flag("attention_k_eq_v") and own else {})
        return {i: shape for i, kind in enumerate(kinds) if kind == "full"}
    names, shapes = {"head_dim": "head_dim", "num_key_value_heads": "n_kv_heads"}, {}
    numbers = {name: i for i in range(len(kinds)) for name in (i, str(i), f"{i:02}")}
    for key, layer in f.object("per_layer_config").items():
        good = key in numbers and isinstance(layer, Mapping) and layer and not layer.keys() - names.keys()
        good = good and all(type(size) is int and 0 < size <= MOST for size in layer.values())
        good = good and f["num_attention_heads"] % layer.get("num_key_value_heads", 1) == 0
        if not good or layer.get("head_dim", 2) % 2:
            f.refuse("per_layer_config", "layers by number, each with its head_dim or num_key_value_heads")
            return {}
        shapes[numbers[key]] = {names[name]: size for name, size in layer.items()}
    return shapes


def gemma4_attention(f, layer, kept: int) -> int:
    """Where attention_k_eq_v holds, a full layer's keys serve as its values."""
    once = f.flag("attention_k_eq_v") and layer.kind == "full"
    return weights.attention(f, layer, kept // 2 if once else kept)


def gemma3n_width(f, i: int) -> int:
    """A number, or a list of one number a layer."""
    inner = f.get("intermediate_size")
    if not isinstance(inner, list | tuple):
        return f["intermediate_size"]
    n_layers = f["num_hidden_layers"]
    if len(inner) == n_layers and type(inner[i]) is int and 0 < inner[i] <= MOST:
        return inner[i]
    f.refuse("intermediate_size", f"a whole number, or {n_layers} of them, is needed")
    return 1


def gemma4_width(f, i: int) -> int:
    inner = f["intermediate_size"]
    first = f["num_hidden_layers"] - f.whole_number("num_kv_shared_layers", least=0)
    return 2 * inner if f.flag("use_double_wide_mlp") and i >= first else inner


def gemma4_feed_forward(f, i: int) -> weights.Block:
    """The dense block is always there; enable_moe_block puts experts beside it."""
    always = weights.matrices(3, f, gemma4_width(f, i))
    if not f.flag("enable_moe_block"):
        return weights.Block(always)
    experts, chosen = f["num_experts"], f["top_k_experts"]
    if chosen > experts:
        f.disagree("top_k_experts", f"there are only {experts} experts")
    each = weights.matrices(3, f, f["moe_intermediate_size"])
    return weights.Block(always + experts * f["hidden_size"], experts, chosen, each)


def per_layer_inputs(f, layers) -> int:
    """Embeddings of their own for each layer, with a gate and two projections."""
    wide = f.nullable("hidden_size_per_layer_input", least=0)
    if not wide:
        return 0
    return per_layer_tables(f, layers) + len(layers) * 3 * f["hidden_size"] * wide


def per_layer_tables(f, layers) -> int:
    wide = f.nullable("hidden_size_per_layer_input", least=0)
    return len(layers) * wide * f["vocab_size_per_layer_input"] if wide else 0


def gemma3n_extras(f, layers) -> int:
    """Per-layer inputs, and the parallel streams (AltUp) with a low-rank block (LAuReL) each layer."""
    streams, rank = f["altup_num_inputs"], f["laurel_rank"]
    total = per_layer_inputs(f, layers) + 2 * (streams - 1) * f["hidden_size"] ** 2
    return total + len(layers) * f["hidden_size"] * (2 * rank + streams)


def siglip(v, outer, hidden: int) -> int:
    """Gemma 3: SigLIP's tower and one projection."""
    wide, patch = v["hidden_size"], v["patch_size"]
    total = wide * (3 * patch * patch + 3 + (v["image_size"] // patch) ** 2) + wide * (hidden + 1)
    return total + weights.vit(wide, v["num_hidden_layers"], v["intermediate_size"])


def gemma4_tower(v, outer, hidden: int) -> int:
    wide, size = v["hidden_size"], v["position_embedding_size"]
    each = 4 * wide * wide + 3 * wide * v["intermediate_size"] + 4 * wide
    patches = 3 * v["patch_size"] ** 2 * wide
    return v["num_hidden_layers"] * each + 2 * size * wide + patches + wide * hidden


WINDOWED = Architecture(readers.periodic(2), norms=4, llama_cpp_windows=True)
RECORDS = {
    "gemma": Architecture(gemma),
    **each("gemma2 vaultgemma", WINDOWED),
    "gemma3_text": replace(WINDOWED, layers=readers.periodic(6, "sliding_window_pattern")),
    "gemma3n_text": replace(
        WINDOWED,
        layers=gemma3n,
        feed_forward=weights.dense(3, gemma3n_width),
        norms=8,
        extras=gemma3n_extras,
        tables=per_layer_tables,
    ),
    "gemma4_text": replace(
        WINDOWED,
        layers=gemma4,
        attention=gemma4_attention,
        feed_forward=gemma4_feed_forward,
        norms=5,
        extras=per_layer_inputs,
        tables=per_layer_tables,
    ),
}
RECORDS["gemma4_unified_text"] = replace(RECORDS["gemma4_text"], whole=weights.uncounted)
NESTED = {
    "gemma4_unified": Nested("gemma4_unified_text"),
    "gemma3": Nested(
        "gemma3_text", tied_by_text=True, tower=siglip, vision=weights.silent(768, 3072, 12, 224, 16)
    ),
    "gemma3n": Nested("gemma3n_text", tied_by_text=True, towers_left_out=True),
    "gemma4": Nested(
        "gemma4_text",
        tied_by_text=True,
        tower=gemma4_tower,
        vision=weights.silent(768, 3072, 16, None, 16, position_embedding_size=10240),
    ),
    "paligemma": Nested("gemma", fixed=False),
}
