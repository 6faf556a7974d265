"""States of delta attention beside latents, and states alone: Kimi Linear, Ling, xLSTM, RWKV."""

from dataclasses import replace

from ...layouts import LayerKV, StateTensor
from .. import readers, weights
from ..record import Architecture


def kimi_state(f) -> readers.State:
    """Three convolutions side by side (queries, keys, values) and a square state a head, in float32.

    The sizes stand in fields of their own, or in linear_attn_config.
    """
    inner = f.object("linear_attn_config")
    for name, own in {
        "head_dim": "linear_head_dim",
        "num_heads": "linear_num_heads",
        "short_conv_kernel_size": "linear_conv_kernel_dim",
    }.items():
        if inner.get(name) is not None:
            f.given[own], f.spelt[own] = inner[name], f"linear_attn_config.{name}"
    return delta_state(f["linear_num_heads"], f["linear_head_dim"], f["linear_conv_kernel_dim"])


def delta_state(n_heads: int, width: int, kernel: int) -> readers.State:
    # vLLM too keeps this state in float32, whatever the config says.
    return readers.state(3 * n_heads * width, kernel, n_heads * width * width, "fp32")


def beside_latents(f, kinds: list, state: readers.State) -> list[LayerKV]:
    latent = readers.latent(f, None)[0]
    return [latent if kind == "full" else LayerKV("state", state=state) for kind in kinds]


def kimi_linear(f) -> list[LayerKV]:
    """layer_types, or linear_attn_config's lists (counted from 1), or every fourth layer after the first."""
    n_layers, inner = readers.depth(f), f.object("linear_attn_config")
    kinds = f.names("layer_types", readers.WITH_STATE, n_layers)
    full, kda = inner.get("full_attn_layers"), inner.get("kda_layers")
    if kinds is None and full is not None and kda is not None:
        good = isinstance(full, list | tuple) and isinstance(kda, list | tuple)
        if (
            not good
            or any(type(i) is not int for i in [*full, *kda])
            or sorted([*full, *kda]) != list(range(1, n_layers + 1))
        ):
            f.refuse("linear_attn_config", f"its two lists must name the layers 1 to {n_layers}, each once")
        else:
            kinds = ["full" if i + 1 in full else "state" for i in range(n_layers)]
    kinds = kinds or ["full" if i and i % 4 == 0 else "state" for i in range(n_layers)]
    return beside_latents(f, kinds, kimi_state(f))


def bailing(f) -> list[LayerKV]:
    """Ling: the last layer of each group of layer_group_size has a latent."""
    n_layers, group = readers.depth(f), f["layer_group_size"]
    kinds = f.names("layer_types", readers.WITH_STATE, n_layers)
    kinds = kinds or ["full" if (i + 1) % group == 0 else "state" for i in range(n_layers)]
    # Saved again, its head_dim is the latent's, and the fields on the left are named.
    names = ("linear_num_heads", "linear_head_dim", "linear_conv_kernel_dim")
    own = ("num_attention_heads", "head_dim", "short_conv_kernel_size")
    sizes = (f[name] if name in f else f[other] for name, other in zip(names, own, strict=True))
    state = delta_state(*sizes)
    f.ignore(*own)
    f.read |= {*names}
    return beside_latents(f, kinds, state)


OLMO_KNOWN = {f"linear_{name}" for name in ("a_log_min", "a_log_max", "dt_min", "dt_max")}
OLMO_KNOWN |= {"linear_dt_init_floor", "linear_allow_neg_eigval"}


def olmo_hybrid(f) -> list[LayerKV]:
    """Gated delta nets; their sizes follow from the attention's where they are null."""
    n_layers = readers.depth(f)
    kinds = f.names("layer_types", readers.WITH_STATE, n_layers)
    if kinds is None:
        kinds = ["full" if i % 4 == 3 else "state" for i in range(n_layers)]
        kinds[-1] = kinds[-1] if "full" in kinds else "full"
    n_heads = f.size("num_attention_heads")
    n_keys = f.optional("linear_num_key_heads") or n_heads
    n_values = f.optional("linear_num_value_heads") or n_heads
    key = f.optional("linear_key_head_dim") or int(0.75 * f.size("hidden_size") / n_keys)
    value = f.optional("linear_value_head_dim") or 2 * key
    if n_values % n_keys:
        f.disagree("linear_num_key_heads", f"it must divide the {n_values} value heads")
    channels, kernel = 2 * n_keys * key + n_values * value, f["linear_conv_kernel_dim"]
    f.read |= OLMO_KNOWN
    return readers.mixed(f, kinds, readers.state(channels, kernel, n_values * key * value))


def zaya(f) -> list[LayerKV]:
    """Every layer attends; queries and keys pass short convolutions, half of each value comes late."""
    n_layers = readers.depth(f)
    n_heads, n_kv_heads, head_dim = readers.heads(f)
    kinds = f.names("layer_types", {"hybrid": "full", "hybrid_sliding": "sliding"}, n_layers)
    kernel = f["cca_time0"] + f["cca_time1"] - 2
    convolution = StateTensor((n_heads + n_kv_heads) * head_dim, max(kernel, 1))
    state = (convolution, StateTensor(n_kv_heads * head_dim // 2))
    window, kinds = f.nullable("sliding_window"), kinds or ["full"] * n_layers
    layers = readers.layers_of(f, kinds, (n_kv_heads, head_dim), window)
    return [replace(one, state=state) for one in layers]


def inkling(f) -> list[LayerKV]:
    """Every layer attends; its four short convolutions keep their inputs in float32."""
    n_layers, window, kernel = readers.depth(f), f["sliding_window"], f["conv_kernel_size"]
    kinds = f.names("layer_types", {"hybrid": "full", "hybrid_sliding": "sliding"}, n_layers)
    local = f.indices("local_layer_ids", n_layers) if f.get("local_layer_ids") is not None else None
    if kinds is None:
        slides = local if local is not None else {i for i in range(n_layers) if (i + 1) % 6}
        kinds = ["sliding" if i in slides else "full" for i in range(n_layers)]
    f.ignore("d_rel", "rel_extent")
    full = readers.heads(f)[1:]
    n_kv_heads, head_dim = f["swa_num_key_value_heads"], f["swa_head_dim"]
    readers.divides(f, "swa_num_key_value_heads", n_kv_heads, f["swa_num_attention_heads"])
    f.same("number_of_conv_states", 4)
    f.read |= {"mtp_hidden_states_first", "shared_expert_sink", "n_layers_per_attn_res_block"}
    made = {}
    for kind, shape in {"full": full, "sliding": (n_kv_heads, head_dim)}.items():
        widths = [shape[0] * shape[1]] * 2 + [f["hidden_size"]] * 2
        state = tuple(StateTensor(wide, kernel, dtype="fp32") for wide in widths)
        made[kind] = LayerKV(kind, *shape, window=window if kind == "sliding" else None, state=state)
    return [made[kind] for kind in kinds]


def rwkv(f) -> list[LayerKV]:
    """RWKV 4: the last input of two blocks, and three float32 numbers a channel."""
    width = f.size("hidden_size")
    f.same("attention_hidden_size", width)
    f.ignore("intermediate_size", "rescale_every")
    last, sums = StateTensor(width), StateTensor(3 * width, dtype="fp32")
    return [LayerKV("state", state=(last, last, sums))] * readers.depth(f)


def xlstm(f) -> list[LayerKV]:
    """A matrix, a vector and a number a head, in the model's dtype."""
    hidden, n_heads = f.size("hidden_size"), f["num_heads"]
    f.same("embedding_dim", hidden)
    f.same("num_blocks", readers.depth(f))
    f.read |= {"chunkwise_kernel", "inference_state_dtype", "max_inference_chunksize", "return_last_states"}
    sizes = []
    for name, factor in {"qk_dim_factor": 0.5, "v_dim_factor": 1.0}.items():
        wide = int((hidden * f.number(name, factor) + 63) // 64) * 64
        if wide % n_heads:
            f.disagree("num_heads", f"it must divide the {wide} numbers of {name}")
        sizes.append(max(wide // n_heads, 1))
    key, value = sizes
    state = tuple(StateTensor(n_heads * size) for size in (key * value, key, 1))
    return [LayerKV("state", state=state)] * readers.depth(f)


UNCOUNTED = weights.uncounted
RECORDS = {
    "kimi_linear": Architecture(kimi_linear, whole=UNCOUNTED, names={"head_dim": None}),
    "bailing_hybrid": Architecture(bailing, whole=UNCOUNTED),
    "olmo_hybrid": Architecture(olmo_hybrid, whole=UNCOUNTED),
    "zaya": Architecture(zaya, whole=UNCOUNTED),
    **dict.fromkeys(("inkling_text", "inkling2_text"), Architecture(inkling, whole=UNCOUNTED)),
    "rwkv": Architecture(rwkv, whole=UNCOUNTED),
    "xlstm": Architecture(xlstm, whole=UNCOUNTED),
}
