"""Llama and the dense models built like it: gated feed-forward, RMS norms, rotary positions."""

from collections.abc import Mapping
from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..fields import MOST_LAYERS
from ..record import Architecture, each


def phi3(f) -> list[LayerKV]:
    """As `windowed`; some also say that every full_attn_mod-th layer is full, and 1 is all that is known."""
    f.same("full_attn_mod", 1)
    return readers.windowed(f)


def exaone4(f) -> list[LayerKV]:
    """As `periodic`, or a pattern of letters (L slides, G is full); all full where sliding_window is null."""
    pattern = f.get("sliding_window_pattern")
    if f.nullable("sliding_window") is None:
        return readers.full(f)
    if not isinstance(pattern, str):
        return readers.periodic(4, "sliding_window_pattern")(f)
    if not pattern or set(pattern) - {"L", "G"}:
        f.refuse("sliding_window_pattern", "a number, or letters L (sliding) and G (full), is needed")
        pattern = "G"
    n_layers = readers.depth(f)
    spelt = ["full" if pattern[i % len(pattern)] == "G" else "sliding" for i in range(n_layers)]
    listed = f.names("layer_types", readers.only("full", "sliding"), n_layers)
    if listed and listed[:-1] != spelt[:-1]:
        f.disagree("sliding_window_pattern", "disagrees with layer_types; keep the one that holds")
    elif listed is None and spelt[-1] == "sliding":
        # TensorRT-LLM makes the last layer full whatever the pattern says; transformers does not say.
        f.disagree("sliding_window_pattern", "it ends on a sliding layer: name layer_types, which decides")
    return readers.layers_of(f, listed or spelt, readers.heads(f)[1:], f.nullable("sliding_window"))


def rotary_layers(f, n_layers: int) -> list:
    """1 or 0 a layer: no_rope_layers (which lists the layers that do have rope), or every fourth 0."""
    every = f["no_rope_layer_interval"]
    listed = f.names("no_rope_layers", {0: 0, 1: 1}, n_layers) if f.get("no_rope_layers") else None
    return listed or [int((i + 1) % every != 0) for i in range(n_layers)]


def smollm3(f) -> list[LayerKV]:
    """Where windows are switched on, the layers without rotary positions slide."""
    n_layers, window = readers.depth(f), readers.switched_window(f)
    kinds = ["full" if has_rope or window is None else "sliding" for has_rope in rotary_layers(f, n_layers)]
    return readers.placed(f, kinds, window)


def llama4(f) -> list[LayerKV]:
    """Layers with rotary positions attend within a chunk, those without to every token."""
    n_layers = readers.depth(f)
    kinds = ["chunked" if has_rope else "full" for has_rope in rotary_layers(f, n_layers)]
    return readers.placed(f, kinds, f.nullable("attention_chunk_size"), other="chunked")


def llama4_experts(f, i: int) -> weights.Experts | None:
    step, n_layers = f["interleave_moe_layer_step"], readers.depth(f)
    listed = f.indices("moe_layers", n_layers) if f.get("moe_layers") is not None else None
    if not (i in listed if listed is not None else (i + 1) % step == 0):
        return None
    return weights.experts(f, shared=f["intermediate_size"])


def every_fourth(i: int, n_layers: int) -> bool:
    return i % 4 == 0


def before_the_last(i: int, n_layers: int) -> bool:
    """Every fourth layer, counted back from the last."""
    return (n_layers - 1 - i) % 4 == 0


def nemotron_nas(f) -> list[LayerKV]:
    """Nemotron's searched Llamas: block_configs says of each layer how many query heads share a KV head.

    From vLLM 0.33.0, model_executor/models/nemotron_nas.py. A layer whose attention is left out or replaced
    by a linear map keeps nothing; one with a window or sinks is not read.
    """
    n_layers, blocks = readers.depth(f), f.get("block_configs")
    n_heads = f.size("num_attention_heads")
    head_dim = f.optional("head_dim") or readers.hidden_over_heads(f, n_heads)
    f.same("num_key_value_heads", n_heads)
    if not isinstance(blocks, list | tuple) or len(blocks) != n_layers:
        f.refuse("block_configs", f"a list of {n_layers} entries is needed, one a layer")
        return [LayerKV("none")] * n_layers
    layers = []
    for block in blocks:
        attention = block.get("attention") if isinstance(block, Mapping) else None
        known = attention if isinstance(attention, Mapping) else {"sparsify": "unknown"}
        group = known.get("n_heads_in_group")
        if known.get("no_op") is True or known.get("replace_with_linear") is True:
            layers.append(LayerKV("none"))
        elif type(group) is int and group > 0 and n_heads % group == 0 and not any(map(known.get, SEARCHED)):
            layers.append(LayerKV("full", n_heads // group, head_dim))
        else:
            f.refuse("block_configs", "n_heads_in_group must divide the query heads; no window, no sinks")
            return [LayerKV("none")] * n_layers
    return layers


def modernbert(f) -> list[LayerKV]:
    """Every third layer is full, or every global_attn_every_n_layers-th; half of local_attention slides."""
    n_layers, every = readers.depth(f), 3
    if "global_attn_every_n_layers" in f:
        every = f["global_attn_every_n_layers"]
    # Saved again, a config says both, and then this one counts.
    local = f.whole_number("local_attention", least=2) // 2
    window = f.nullable("sliding_window") or local
    if "sliding_window" in f and f.get("sliding_window") is None:
        f.refuse("sliding_window", "a whole number of at least 1 is needed, or none at all")
    kinds = ["sliding" if i % every else "full" for i in range(n_layers)]
    shape = readers.every_head(f)[1:]
    listed = f.names("layer_types", readers.only("full", "sliding"), n_layers)
    return readers.layers_of(f, listed or kinds, shape, window)


def hrm(f) -> list[LayerKV]:
    """A stack that is run H_cycles × (L_cycles + 1) times; each run keeps its own keys and values.

    Saved again, num_hidden_layers counts all runs and num_layers_per_stack the stack.
    """
    runs = f["H_cycles"] * (f["L_cycles"] + 1)
    n_heads = f.size("num_attention_heads")
    f.same("num_key_value_heads", n_heads)
    readers.hidden_over_heads(f, n_heads)
    stack = f.nullable("num_layers_per_stack")
    layers = readers.full(f)
    if len(layers) * (runs if stack is None else 1) > MOST_LAYERS:
        f.refuse("H_cycles", f"kvlib reads no model with more than {MOST_LAYERS:,} layers")
        return layers
    if stack is None:
        return layers * runs
    if len(layers) != stack * runs:
        f.disagree("num_layers_per_stack", f"{runs} runs of it must make up the {len(layers)} layers")
    return layers


SEARCHED = ("window_length", "num_sink_tokens", "sparsify", "use_prefill_window_in_sink_attention")
LLAMA = Architecture(readers.full)
RECORDS = {
    **each("llama seed_oss internlm3 hunyuan_v1_dense ernie4_5 granite olmo2", LLAMA),
    **each("cosmos3_edge_text granite_docling_text hyperclovax iquestcoder", LLAMA),
    **each("diffllama glm_ocr_text hunyuan_vl_text molmo2_text paddleocr_vl_text", LLAMA),
    **each("cwm granite_swa", Architecture(readers.listed(every_fourth))),
    "muse_glimmer_text": Architecture(readers.listed(before_the_last)),
    "nemotron-nas": Architecture(nemotron_nas, whole=weights.uncounted, defaults=None),
    "emu3_text_model": replace(LLAMA, whole=weights.uncounted),
    "modernbert-decoder": Architecture(modernbert, whole=weights.uncounted),
    "hrm_text": Architecture(hrm, whole=weights.uncounted),
    "chameleon": Architecture(readers.divided_full, whole=weights.uncounted),
    "doge": Architecture(readers.windowed, whole=weights.uncounted),
    "evolla": replace(LLAMA, whole=weights.uncounted),
    "phi4_multimodal": Architecture(phi3, whole=weights.uncounted),
    "cohere_compass_text": Architecture(readers.listed(lambda i, n: True)),
    "code_llama": replace(LLAMA, defaults="llama"),
    "bitnet": Architecture(readers.divided_full),
    "helium": Architecture(readers.divided_full, unserved=("llama.cpp",)),
    "olmo": replace(LLAMA, norms=0),
    **each("jais2 nanochat", replace(LLAMA, feed_forward=weights.dense(2, bias="mlp_bias"))),
    "arcee": replace(LLAMA, feed_forward=weights.dense(2)),
    "apertus": replace(LLAMA, feed_forward=weights.dense(2)),
    "mistral": Architecture(readers.windowed),
    "ministral": Architecture(readers.windowed, unserved=("llama.cpp",)),
    "ministral3": Architecture(readers.windowed),
    "phi3": Architecture(phi3),
    "olmo3": Architecture(readers.periodic(4), llama_cpp_windows=True),
    "exaone4": Architecture(exaone4, llama_cpp_windows=True),
    "smollm3": Architecture(smollm3),
    "llama4_text": Architecture(
        llama4,
        feed_forward=weights.mixture(llama4_experts, weights.dense(3, "intermediate_size_mlp")),
        llama_cpp_windows=True,
    ),
}
