"""Layers that keep keys and values: every token's, a window's, a chunk's, or one latent vector.

A family's reader is a short function from `Fields` to a list of `LayerKV`, one a layer.
"""

from ..layouts import LayerKV

FULL, SLIDING, CHUNKED = "full", "sliding", "chunked"
LAYER_TYPES = {
    "full_attention": FULL,
    "attention": FULL,
    "sliding_attention": SLIDING,
    "chunked_attention": CHUNKED,
}


def heads(f) -> tuple[int, int, int]:
    """n_heads, n_kv_heads, head_dim: head_dim where it is named, hidden size over heads where not."""
    n_heads = f.size("num_attention_heads")
    n_kv_heads = f.whole("num_key_value_heads") or n_heads
    if n_heads % n_kv_heads:
        raise f.refuse("num_key_value_heads", f"it must divide the {n_heads} query heads")
    if "hidden_size" in f:
        f.count("hidden_size")
    head_dim = f.whole("head_dim") or hidden_over_heads(f, n_heads)
    if head_dim % 2:
        raise f.refuse("head_dim", "an even number is needed: rotary positions turn pairs")
    return n_heads, n_kv_heads, head_dim


def hidden_over_heads(f, n_heads: int, times: int = 1) -> int:
    hidden = times * f.size("hidden_size")
    if hidden % n_heads:
        raise f.refuse("hidden_size", f"{n_heads} heads cannot share it evenly, and no head_dim is named")
    return hidden // n_heads


def every_head(f) -> tuple[int, int, int]:
    """The same for a class without KV heads or head_dim of its own: one KV head a query head."""
    n_heads = f.size("num_attention_heads")
    head_dim = hidden_over_heads(f, n_heads)
    f.same("num_key_value_heads", n_heads)
    f.same("head_dim", head_dim)
    return n_heads, n_heads, head_dim


def layers_of(f, kinds: list, shape: tuple[int, int], window: int | None = None) -> list[LayerKV]:
    """One `LayerKV` a kind, with `window` on those that have one."""
    layers = []
    for kind in kinds:
        if kind != FULL and window is None:
            name = "attention_chunk_size" if kind == CHUNKED else "sliding_window"
            raise f.refuse(name, f"layer_types has {kind} layers, so a whole number of at least 1 is needed")
        layers.append(LayerKV(kind, *shape, window=None if kind == FULL else window))
    return layers


def only(*kinds) -> dict:
    return {name: kind for name, kind in LAYER_TYPES.items() if kind in kinds}


def full(f, shape=heads) -> list[LayerKV]:
    """Every layer keeps every token."""
    n_layers = f.size("num_hidden_layers")
    f.names("layer_types", only(FULL), n_layers)
    return layers_of(f, [FULL] * n_layers, shape(f)[1:])


def every_head_full(f) -> list[LayerKV]:
    return full(f, every_head)


def switched_window(f) -> int | None:
    """sliding_window, where use_sliding_window is true."""
    window = f.nullable("sliding_window")
    return window if f.flag("use_sliding_window") else None


def windowed(f) -> list[LayerKV]:
    """sliding_window, where it is not null, holds on every layer; use_sliding_window: false beats it."""
    n_layers = f.size("num_hidden_layers")
    window = switched_window(f) if "use_sliding_window" in f.defaults else f.nullable("sliding_window")
    kinds = f.names("layer_types", only(FULL, SLIDING), n_layers)
    return layers_of(f, kinds or [SLIDING if window else FULL] * n_layers, heads(f)[1:], window)


def periodic(period: int, name: str | None = None):
    """Every `period`-th layer is full, the others slide; `name` is the field that may say another period."""

    def reader(f) -> list[LayerKV]:
        return layers_of(f, periodic_kinds(f, period, name), heads(f)[1:], f.nullable("sliding_window"))

    return reader


def periodic_kinds(f, period, name=None) -> list:
    n_layers = f.size("num_hidden_layers")
    named = name is not None and f.given.get(name) is not None
    every = f.count(name) if named else period
    kinds = [FULL if (i + 1) % every == 0 else SLIDING for i in range(n_layers)]
    listed = f.names("layer_types", only(FULL, SLIDING), n_layers)
    if named and listed and listed != kinds:
        raise f.refuse(name, "disagrees with layer_types; keep the one that holds")
    for other in ("_sliding_window_pattern", "layer_switch"):
        if listed is None:
            f.same(other, every)
        f.read.add(other)
    f.same("order_of_interleaved_layers", "local_attn_first")
    if f.get("use_bidirectional_attention") not in (None, False, "vision"):
        raise f.refuse("use_bidirectional_attention", "an encoder keeps no cache; null or false is needed")
    return listed or kinds


def exaone4(f) -> list[LayerKV]:
    """As `periodic`, and no windows at all where sliding_window is null."""
    if f.nullable("sliding_window") is None:
        f.read.add("sliding_window_pattern")
        return full(f)
    return periodic(4, "sliding_window_pattern")(f)


def qwen2(f) -> list[LayerKV]:
    """use_sliding_window: false beats sliding_window; if true, the layers from max_window_layers on slide."""
    n_layers = f.size("num_hidden_layers")
    window = switched_window(f)
    first = f.count("max_window_layers", least=0)
    kinds = [SLIDING if window and i >= first else FULL for i in range(n_layers)]
    kinds = f.names("layer_types", only(FULL, SLIDING), n_layers) or kinds
    return layers_of(f, kinds, heads(f)[1:], window)


def qwen2_moe(f) -> list[LayerKV]:
    """As `qwen2`, but every other layer below max_window_layers slides."""
    n_layers = f.size("num_hidden_layers")
    slides, window = f.flag("use_sliding_window"), switched_window(f)
    last = f.count("max_window_layers", least=0)
    kinds = [SLIDING if slides and i % 2 == 0 and i < last else FULL for i in range(n_layers)]
    kinds = f.names("layer_types", only(FULL, SLIDING), n_layers) or kinds
    return layers_of(f, kinds, heads(f)[1:], window)


def smollm3(f) -> list[LayerKV]:
    """Where windows are switched on, the layers without rotary positions slide."""
    n_layers = f.size("num_hidden_layers")
    window = switched_window(f)
    rotary = rotary_layers(f, n_layers)
    kinds = [FULL if has_rope or window is None else SLIDING for has_rope in rotary]
    kinds = f.names("layer_types", only(FULL, SLIDING), n_layers) or kinds
    return layers_of(f, kinds, heads(f)[1:], window)


def llama4(f) -> list[LayerKV]:
    """Layers with rotary positions attend within a chunk, those without to every token."""
    n_layers = f.size("num_hidden_layers")
    kinds = [CHUNKED if has_rope else FULL for has_rope in rotary_layers(f, n_layers)]
    kinds = f.names("layer_types", only(FULL, CHUNKED), n_layers) or kinds
    return layers_of(f, kinds, heads(f)[1:], f.nullable("attention_chunk_size"))


def rotary_layers(f, n_layers: int) -> list:
    """1 or 0 a layer: no_rope_layers (which lists the layers that do have rope), or every fourth 0."""
    every = f.count("no_rope_layer_interval")
    listed = f.names("no_rope_layers", {0: 0, 1: 1}, n_layers) if f.get("no_rope_layers") else None
    return listed or [int((i + 1) % every != 0) for i in range(n_layers)]


def gemma3n(f, period: int = 5, full_shape=None) -> list[LayerKV]:
    """The last num_kv_shared_layers read the keys and values of the last earlier layer of their kind."""
    kinds = periodic_kinds(f, period)
    if full_shape:
        kinds[-1] = FULL
    n_layers, shape, window = len(kinds), heads(f)[1:], f.nullable("sliding_window")
    layers = layers_of(f, kinds, shape, window)
    if full_shape:
        layers = [LayerKV(FULL, *full_shape) if one.kind == FULL else one for one in layers]
    first = n_layers - f.count("num_kv_shared_layers", least=0)
    if first < 1 or set(kinds[:first]) != set(kinds):
        raise f.refuse("num_kv_shared_layers", "a layer of every kind must come before those that share")
    last = {kind: max(i for i in range(first) if kinds[i] == kind) for kind in kinds}
    return layers[:first] + [LayerKV("shared", shares_with=last[kind]) for kind in kinds[first:]]


def gemma4(f) -> list[LayerKV]:
    """As Gemma 3n, the last layer always full; full layers have a head_dim of their own, and their
    own KV heads where keys serve as values."""
    _, n_kv_heads, _ = heads(f)
    wide = f.nullable("global_head_dim") or 512
    shared_values, own = f.flag("attention_k_eq_v"), f.nullable("num_global_key_value_heads")
    listed = f.get("layer_types")
    if isinstance(listed, list | tuple) and listed and listed[-1] != "full_attention":
        raise f.refuse("layer_types", "Gemma 4's last layer is full attention")
    return gemma3n(f, 6, (own if shared_values and own else n_kv_heads, wide))


def latent(f) -> list[LayerKV]:
    """One vector a token, kv_lora_rank + qk_rope_head_dim wide, whatever the number of heads."""
    width = f.count("kv_lora_rank") + f.count("qk_rope_head_dim")
    f.size("num_attention_heads")
    f.ignore(
        "num_key_value_heads",
        "q_lora_rank",
        "qk_nope_head_dim",
        "v_head_dim",
        "head_dim",
        "qk_head_dim",
        "hidden_size",
    )
    n_layers = f.size("num_hidden_layers")
    f.names("layer_types", only(FULL), n_layers)
    return [LayerKV("latent", 1, width, v_head_dim=0)] * n_layers


def falcon(f) -> list[LayerKV]:
    """The new decoder reads num_kv_heads; else multi_query keeps one KV head; else one a query head."""
    n_heads = f.size("num_attention_heads")
    head_dim = hidden_over_heads(f, n_heads)
    f.same("head_dim", head_dim)
    if f.flag("new_decoder_architecture"):
        f.read.add("multi_query")
        n_kv_heads = f.whole("num_kv_heads") or n_heads
        if n_heads % n_kv_heads:
            raise f.refuse("num_kv_heads", f"it must divide the {n_heads} query heads")
        if n_kv_heads == 1:
            raise f.refuse("num_kv_heads", "the new decoder needs more than one; use multi_query for one")
    elif f.flag("multi_query"):
        f.read.add("num_kv_heads")
        n_kv_heads = 1
    else:
        f.same("num_kv_heads", n_heads)
        n_kv_heads = n_heads
    return full(f, lambda f: (n_heads, n_kv_heads, head_dim))


def gpt_bigcode(f) -> list[LayerKV]:
    """multi_query: one KV head for all; without it, one a query head."""
    n_heads = f.size("num_attention_heads")
    n_kv_heads = 1 if f.flag("multi_query") else n_heads
    f.same("num_key_value_heads", n_kv_heads)
    f.same("head_dim", hidden_over_heads(f, n_heads))
    return full(f, lambda f: (n_heads, n_kv_heads, hidden_over_heads(f, n_heads)))


def mpt(f) -> list[LayerKV]:
    """One KV head a query head; attn_config may say otherwise, and then it is refused."""
    inner = f.get("attn_config") or {}
    if not isinstance(inner, dict):
        raise f.refuse("attn_config", "an object is needed")
    if inner.get("attn_type", "multihead_attention") != "multihead_attention":
        raise f.refuse("attn_config", "only attn_type multihead_attention is known")
    known = {
        "attn_type", "attn_impl", "attn_pdrop", "attn_uses_sequence_id", "clip_qkv", "softmax_scale",
        "prefix_lm", "qk_ln", "alibi", "alibi_bias_max", "model_type",
    }  # fmt: skip
    for name in inner.keys() - known:
        if inner[name] not in (None, False, -1, 0):
            raise f.refuse("attn_config", f"{name} in it is not known to leave the cache as it is")
    return every_head_full(f)
