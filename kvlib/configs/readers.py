"""Readers of layers that several families share: full, windowed, latent, and mixed with a state.

A reader is a short function from `Fields` to a list of `LayerKV`, one a layer. It notes what is
wrong and goes on; its answer counts only if nothing was noted.
"""

from ..layouts import LayerKV, StateTensor

LAYER_TYPES = {"full_attention": "full", "attention": "full"}
LAYER_TYPES |= {"sliding_attention": "sliding", "chunked_attention": "chunked"}
FULL = {name: kind for name, kind in LAYER_TYPES.items() if kind == "full"}
WITH_STATE = {"full_attention": "full", "attention": "full", "mamba": "state", "linear_attention": "state"}
State = tuple[StateTensor, ...]


def only(*kinds) -> dict:
    return {name: kind for name, kind in LAYER_TYPES.items() if kind in kinds}


def depth(f) -> int:
    return f.size("num_hidden_layers")


def heads(f) -> tuple[int, int, int]:
    """n_heads, n_kv_heads, head_dim: head_dim where it is named, hidden size over heads where not."""
    n_heads = f.size("num_attention_heads")
    n_kv_heads = f.optional("num_key_value_heads") or n_heads
    divides(f, "num_key_value_heads", n_kv_heads, n_heads)
    if "hidden_size" in f:
        f.whole_number("hidden_size")
    head_dim = f.optional("head_dim") or hidden_over_heads(f, n_heads)
    even(f, "head_dim", head_dim)
    return n_heads, n_kv_heads, head_dim


def even(f, name: str, width: int) -> None:
    if width % 2:
        f.disagree(name, "an even number is needed: rotary positions turn pairs")


def divides(f, name: str, n_kv_heads: int, n_heads: int) -> None:
    if n_heads % n_kv_heads:
        f.disagree(name, f"it must divide the {n_heads} query heads")


def hidden_over_heads(f, n_heads: int, times: int = 1) -> int:
    hidden = times * f.size("hidden_size")
    if hidden % n_heads:
        f.disagree("hidden_size", f"{n_heads} heads cannot share it evenly, and no head_dim is named")
        return 2
    return hidden // n_heads


def every_head(f) -> tuple[int, int, int]:
    """The same for a class without KV heads or head_dim of its own: one KV head a query head."""
    n_heads = f.size("num_attention_heads")
    head_dim = hidden_over_heads(f, n_heads)
    f.same("num_key_value_heads", n_heads)
    f.same("head_dim", head_dim)
    return n_heads, n_heads, head_dim


def divided_full(f) -> list[LayerKV]:
    """`full` for a class that always shares hidden_size among its heads, whatever head_dim says."""
    f.same("head_dim", hidden_over_heads(f, f.size("num_attention_heads")))
    return full(f)


def placed(f, kinds: list, window: int | None = None, other: str = "sliding") -> list[LayerKV]:
    """Layers of `kinds`, unless layer_types says otherwise: full ones, and `other` ones with a window."""
    listed = f.names("layer_types", only("full", other), len(kinds))
    return layers_of(f, listed or kinds, heads(f)[1:], window)


def layers_of(f, kinds: list, shape: tuple[int, int], window: int | None = None) -> list[LayerKV]:
    """One `LayerKV` a kind, with `window` on those that have one."""
    windowed = next((kind for kind in kinds if kind != "full"), None)
    if windowed and window is None:
        name = "attention_chunk_size" if windowed == "chunked" else "sliding_window"
        f.disagree(name, f"layer_types has {windowed} layers, so a whole number of at least 1 is needed")
        window = 1
    return [LayerKV(kind, *shape, window=None if kind == "full" else window) for kind in kinds]


def full(f, shape=heads) -> list[LayerKV]:
    """Every layer keeps every token."""
    n_layers = depth(f)
    f.names("layer_types", only("full"), n_layers)
    return layers_of(f, ["full"] * n_layers, shape(f)[1:])


def every_head_full(f) -> list[LayerKV]:
    return full(f, every_head)


def switched_window(f) -> int | None:
    """sliding_window, where use_sliding_window is true; 0, as some classes write, where it is not."""
    if f.flag("use_sliding_window"):
        return f.nullable("sliding_window")
    f.nullable("sliding_window", least=0)
    return None


def windowed(f) -> list[LayerKV]:
    """sliding_window, where it is not null, holds on every layer; use_sliding_window: false beats it."""
    n_layers = depth(f)
    window = switched_window(f) if "use_sliding_window" in f.defaults else f.nullable("sliding_window")
    return placed(f, ["sliding" if window else "full"] * n_layers, window)


def periodic(period: int, name: str | None = None):
    """Every `period`-th layer is full, the others slide; `name` is the field that may say another period."""

    def reader(f) -> list[LayerKV]:
        return layers_of(f, periodic_kinds(f, period, name), heads(f)[1:], f.nullable("sliding_window"))

    return reader


def listed(is_full):
    """layer_types says which layers slide; where it is silent, layer i of n is full if is_full(i, n)."""

    def reader(f) -> list[LayerKV]:
        n_layers = depth(f)
        kinds = ["full" if is_full(i, n_layers) else "sliding" for i in range(n_layers)]
        return placed(f, kinds, f.nullable("sliding_window"))

    return reader


def periodic_kinds(f, period: int, name: str | None = None) -> list:
    n_layers = depth(f)
    every = f[name] if name and f.given.get(name) is not None else period
    kinds = ["full" if (i + 1) % every == 0 else "sliding" for i in range(n_layers)]
    listed = f.names("layer_types", only("full", "sliding"), n_layers)
    if name and f.given.get(name) is not None:
        agreed(f, name, kinds, listed)
    for other in ("_sliding_window_pattern", "layer_switch"):
        if listed is None:
            f.same(other, every)
        f.read.add(other)
    f.same("order_of_interleaved_layers", "local_attn_first")
    if f.get("use_bidirectional_attention") not in (None, False, "vision"):
        f.refuse("use_bidirectional_attention", "an encoder keeps no cache; null or false is needed")
    return listed or kinds


def latent(f, known: dict | None = FULL) -> list[LayerKV]:
    """One vector per token, kv_lora_rank + qk_rope_head_dim wide, whatever the number of heads.

    known: what layer_types may say; None leaves it to the caller.
    """
    width = f["kv_lora_rank"] + f["qk_rope_head_dim"]
    even(f, "qk_rope_head_dim", f["qk_rope_head_dim"])
    f.size("num_attention_heads")
    f.same("use_mla", True)
    f.ignore("num_key_value_heads", "q_lora_rank", "head_dim", "qk_head_dim", "hidden_size")
    if f.given.get("qk_head_dim") is not None:
        f.same("qk_head_dim", f["qk_nope_head_dim"] + f["qk_rope_head_dim"])
    widths, expanded = (f.get("qk_nope_head_dim"), f.get("v_head_dim")), None
    if None not in widths:
        expanded = (f["qk_nope_head_dim"] + f["qk_rope_head_dim"], f["v_head_dim"])
    n_layers = depth(f)
    if known is not None:
        f.names("layer_types", known, n_layers)
    return [LayerKV("latent", 1, width, v_head_dim=0, expanded=expanded)] * n_layers


def state(channels: int, kernel: int, recurrent: int, named: str | None = None, groups=None) -> State:
    """A convolution's memory in the model's dtype, and a float32 state of `recurrent` numbers."""
    return StateTensor(channels, kernel, groups=groups), StateTensor(recurrent, dtype="fp32", named=named)


def mixed(f, kinds: list, each: State, shape=heads) -> list[LayerKV]:
    """Full attention where `kinds` says so, the state `each` elsewhere."""
    recurrent, attends = LayerKV("state", state=each), LayerKV("full", *shape(f)[1:])
    return [attends if kind == "full" else recurrent for kind in kinds]


def agreed(f, name: str, spelt: list | None, listed: list | None) -> list | None:
    """The layers' kinds as `name` and as layer_types say them: one may be absent, both must agree."""
    if spelt and listed and spelt != listed:
        f.disagree(name, "disagrees with layer_types; keep the one that holds")
    return listed or spelt
