"""Layers that keep a state of fixed size, alone or beside layers that keep keys and values.

A state is what transformers 5.23 keeps: the convolution's last inputs in the model's dtype
(all positions of its kernel), the recurrent state in float32. MiniMax and Griffin differ, and
say so. Each follows the family's modeling file.
"""

from ..layouts import LayerKV, StateTensor
from .attention import FULL, LAYER_TYPES, heads, hidden_over_heads, only
from .fields import UnsupportedConfig

RECURRENT = "linear"
MIXED = {**only(FULL), "mamba": RECURRENT, "linear_attention": RECURRENT}


State = tuple[StateTensor, ...]


def state(channels: int, kernel: int, recurrent: int, named: str | None = None) -> State:
    """A convolution's memory in the model's dtype, and a float32 state of `recurrent` numbers."""
    return StateTensor(channels, kernel), StateTensor(recurrent, dtype="fp32", named=named)


def mixed(f, kinds: list, each: State, shape) -> list[LayerKV]:
    """Full attention where `kinds` says so, the state `each` elsewhere."""
    recurrent = LayerKV("state", state=each)
    return [LayerKV(FULL, *shape) if kind == FULL else recurrent for kind in kinds]


def mamba1_state(f, hidden: str, conv: str, states: str, expand: str) -> State:
    inner = f.count(expand) * f.size(hidden)
    return state(inner, f.count(conv), inner * f.count(states))


def mamba(f) -> list[LayerKV]:
    """Mamba 1 and Falcon Mamba: `expand` × hidden channels, each with inputs and a state."""
    inner = f.count("expand") * f.size("hidden_size")
    for name in ("intermediate_size", "d_inner"):
        f.same(name, inner)
    f.same("d_model", f.size("hidden_size"))
    f.same("n_layer", f.size("num_hidden_layers"))
    each = mamba1_state(f, "hidden_size", "conv_kernel", "state_size", "expand")
    return [LayerKV("state", state=each)] * f.size("num_hidden_layers")


def mamba2_state(f, n_heads: int, head_dim: int, groups: str, states: str, conv: str, named=None) -> State:
    """The convolution sees the channels and each group's two projections of the state."""
    inner, width = n_heads * head_dim, f.count(states)
    return state(inner + 2 * f.count(groups) * width, f.count(conv), inner * width, named)


def mamba2(f) -> list[LayerKV]:
    n_heads, head_dim = f.count("num_heads"), f.count("head_dim")
    inner = f.count("expand") * f.size("hidden_size")
    if inner != n_heads * head_dim:
        raise f.refuse("num_heads", f"num_heads × head_dim must be expand × hidden_size = {inner}")
    f.same("intermediate_size", inner)
    each = mamba2_state(f, n_heads, head_dim, "n_groups", "state_size", "conv_kernel")
    return [LayerKV("state", state=each)] * f.size("num_hidden_layers")


def mamba_of_hybrid(f, channels: int | None = None) -> State:
    """The state of Bamba, Granite 4 and Falcon-H1, which name their Mamba 2 fields mamba_*."""
    inner = channels or f.count("mamba_expand") * f.size("hidden_size")
    n_heads = f.count("mamba_n_heads")
    head_dim = inner // n_heads if f.get("mamba_d_head") == "auto" else f.count("mamba_d_head")
    if n_heads * head_dim != inner:
        raise f.refuse("mamba_n_heads", f"mamba_n_heads × mamba_d_head must be {inner}")
    return mamba2_state(f, n_heads, head_dim, "mamba_n_groups", "mamba_d_state", "mamba_d_conv")


def jamba(f) -> list[LayerKV]:
    """One layer in attn_layer_period attends; the others are Mamba 1."""
    n_layers, period = f.size("num_hidden_layers"), f.count("attn_layer_period")
    offset = f.count("attn_layer_offset", least=0)
    if offset >= period:
        raise f.refuse("attn_layer_offset", f"it must be below attn_layer_period = {period}")
    kinds = [FULL if i % period == offset else RECURRENT for i in range(n_layers)]
    agree(f, kinds)
    each = mamba1_state(f, "hidden_size", "mamba_d_conv", "mamba_d_state", "mamba_expand")
    return mixed(f, kinds, each, heads(f)[1:])


def agree(f, kinds: list) -> None:
    """A layer_types beside the fields that decide must say the same."""
    listed = f.names("layer_types", MIXED, len(kinds))
    if listed is not None and listed != kinds:
        raise f.refuse("layer_types", "disagrees with the fields that place the attention layers")


def bamba(f) -> list[LayerKV]:
    n_layers = f.size("num_hidden_layers")
    attends = f.indices("attn_layer_indices", n_layers) if f.get("attn_layer_indices") else set()
    kinds = [FULL if i in attends else RECURRENT for i in range(n_layers)]
    agree(f, kinds)
    return mixed(f, kinds, mamba_of_hybrid(f), heads(f)[1:])


def granite_hybrid(f) -> list[LayerKV]:
    n_layers = f.size("num_hidden_layers")
    kinds = f.names("layer_types", MIXED, n_layers) or [RECURRENT] * n_layers
    return mixed(f, kinds, mamba_of_hybrid(f), heads(f)[1:])


def falcon_h1(f) -> list[LayerKV]:
    """Every layer attends and runs a Mamba 2 side by side."""
    n_layers = f.size("num_hidden_layers")
    f.names("layer_types", {"hybrid": FULL}, n_layers)
    if f.get("attn_layer_indices") is not None:
        raise f.refuse("attn_layer_indices", "null is needed: every layer attends")
    f.ignore("mamba_expand")  # it counts only where mamba_d_ssm is null
    each = mamba_of_hybrid(f, f.nullable("mamba_d_ssm"))
    return [LayerKV(FULL, *heads(f)[1:], state=each)] * n_layers


def nemotron_h(f) -> list[LayerKV]:
    """hybrid_override_pattern (M, *, -, E) or layers_block_type; num_hidden_layers must agree."""
    letters = {"M": RECURRENT, "*": FULL, "-": "none", "E": "none"}
    words = {**MIXED, "mlp": "none", "moe": "none"}
    pattern, listed = f.get("hybrid_override_pattern"), f.get("layer_types")
    if pattern is None and listed is None:
        need = "name hybrid_override_pattern or layers_block_type: the class's own four layers are no model"
        raise UnsupportedConfig(f"{f.model_type}: {need}")
    length = f.count("num_hidden_layers") if "num_hidden_layers" in f else len(listed or pattern)
    kinds = f.names("layer_types", words, length)
    if pattern is not None:
        if not isinstance(pattern, str) or set(pattern) - set(letters) or len(pattern) != length:
            raise f.refuse("hybrid_override_pattern", f"{length} letters of {' '.join(letters)} are needed")
        spelt = [letters[letter] for letter in pattern]
        if kinds and kinds != spelt:
            raise f.refuse("hybrid_override_pattern", "disagrees with layers_block_type")
        kinds = spelt
    shape = heads(f)[1:]
    f.same("attention_head_dim", shape[1])
    renamed = {"n_groups": "mamba_n_groups", "conv_kernel": "mamba_d_conv", "expand": "mamba_expand"}
    for name, old in renamed.items():
        if old in f:
            f.same(old, f.get(name))
    n_heads, head_dim = f.count("mamba_num_heads"), f.count("mamba_head_dim")
    named = f.get("mamba_ssm_cache_dtype")
    if named not in (None, "float32"):
        raise f.refuse("mamba_ssm_cache_dtype", "only a float32 state is known")
    each = mamba2_state(f, n_heads, head_dim, "n_groups", "ssm_state_size", "conv_kernel", named)
    made = {
        FULL: LayerKV(FULL, *shape),
        RECURRENT: LayerKV("state", state=each),
        "none": LayerKV("none"),
    }
    return [made[kind] for kind in kinds]


def zamba2(f) -> list[LayerKV]:
    """Every layer is a Mamba 2; a hybrid layer first attends, with heads of twice the width."""
    n_layers = f.size("num_hidden_layers")
    n_heads = f.size("num_attention_heads")
    n_kv_heads = f.whole("num_key_value_heads") or n_heads
    head_dim = hidden_over_heads(f, n_heads, times=2)
    f.same("attention_head_dim", head_dim)
    f.same("head_dim", head_dim)
    f.same("attention_hidden_size", n_heads * head_dim)
    f.same("kv_channels", head_dim // 2)
    f.same("num_query_groups", n_heads)
    if n_heads % n_kv_heads:
        raise f.refuse("num_key_value_heads", f"it must divide the {n_heads} query heads")
    kinds = f.names("layer_types", {**MIXED, "hybrid": FULL}, n_layers)
    if kinds is None:
        raise UnsupportedConfig(
            f"{f.model_type}: layers_block_type is missing: name each layer mamba or hybrid"
        )
    f.same("hybrid_layer_ids", [i for i, kind in enumerate(kinds) if kind == FULL])
    inner, n_mamba = f.count("mamba_expand") * f.size("hidden_size"), f.count("n_mamba_heads")
    if inner % n_mamba:
        raise f.refuse("n_mamba_heads", f"it must divide mamba_expand × hidden_size = {inner}")
    f.same("mamba_headdim", inner // n_mamba)
    each = mamba2_state(f, n_mamba, inner // n_mamba, "mamba_ngroups", "mamba_d_state", "mamba_d_conv")
    attends = LayerKV(FULL, n_kv_heads, head_dim, state=each)
    return [attends if kind == FULL else LayerKV("state", state=each) for kind in kinds]


def recurrent_gemma(f) -> list[LayerKV]:
    """Griffin's repeating block: windowed attention, or a float32 state and conv1d_width − 1 inputs."""
    n_layers, block = f.size("num_hidden_layers"), f.get("block_types")
    f.same("_block_types", list(block) if isinstance(block, list | tuple) else block)
    if not isinstance(block, list | tuple) or not block or set(block) - {"recurrent", "attention"}:
        raise f.refuse("block_types", "a list of recurrent and attention is needed")
    width = f.whole("lru_width") or f.size("hidden_size")
    n_heads, n_kv_heads, head_dim = heads(f)
    kernel = f.count("conv1d_width")
    each = (StateTensor(width, kernel, positions=kernel - 1), StateTensor(width, dtype="fp32"))
    made = {
        "attention": LayerKV("sliding", n_kv_heads, head_dim, window=f.count("sliding_window")),
        "recurrent": LayerKV("state", state=each),
    }
    f.names("layer_types", LAYER_TYPES | MIXED, n_layers)
    return [made[block[i % len(block)]] for i in range(n_layers)]


def lfm2(f) -> list[LayerKV]:
    """Short convolutions over conv_L_cache inputs; full_attn_idxs or layer_types say which layers attend."""
    n_layers = f.size("num_hidden_layers")
    kinds = f.names("layer_types", {**only(FULL), "conv": RECURRENT}, n_layers)
    if "full_attn_idxs" in f.given and f.given["full_attn_idxs"] is not None:
        attends = f.indices("full_attn_idxs", n_layers)
        spelt = [FULL if i in attends else RECURRENT for i in range(n_layers)]
        if kinds and kinds != spelt:
            raise f.refuse("full_attn_idxs", "disagrees with layer_types")
        kinds = spelt
    if kinds is None:
        if "full_attn_idxs" not in f.defaults:
            raise UnsupportedConfig(
                f"{f.model_type}: layer_types is missing: name each layer conv or full_attention"
            )
        kinds = [FULL] * n_layers
    n_heads, n_kv_heads, head_dim = heads(f)
    hidden = f.size("hidden_size")
    f.same("num_heads", n_heads)
    for name in ("block_dim", "conv_dim", "conv_dim_out"):
        f.same(name, hidden)
    return mixed(f, kinds, (StateTensor(hidden, f.count("conv_L_cache")),), (n_kv_heads, head_dim))


def qwen3_next(f) -> list[LayerKV]:
    """Every full_attention_interval-th layer attends; the others are gated delta nets."""
    n_layers = f.size("num_hidden_layers")
    named = f.given.get("full_attention_interval") is not None
    every = f.count("full_attention_interval") if named else 4
    kinds = [FULL if (i + 1) % every == 0 else RECURRENT for i in range(n_layers)]
    listed = f.names("layer_types", MIXED, n_layers)
    if named and listed and listed != kinds:
        raise f.refuse("full_attention_interval", "disagrees with layer_types; keep the one that holds")
    f.read.add("full_attention_interval")
    n_values, key, value = (
        f.count("linear_num_value_heads"),
        f.count("linear_key_head_dim"),
        f.count("linear_value_head_dim"),
    )
    n_keys = f.count("linear_num_key_heads")
    if n_values % n_keys:
        raise f.refuse("linear_num_key_heads", f"it must divide the {n_values} value heads")
    channels = 2 * n_keys * key + n_values * value
    each = state(channels, f.count("linear_conv_kernel_dim"), n_values * key * value)
    return mixed(f, listed or kinds, each, heads(f)[1:])


def minimax(f) -> list[LayerKV]:
    """Lightning attention keeps head_dim × head_dim numbers a query head, in the model's dtype."""
    n_layers = f.size("num_hidden_layers")
    n_heads, n_kv_heads, head_dim = heads(f)
    kinds = f.names("layer_types", MIXED, n_layers)
    spelt = f.names("attn_type_list", {0: RECURRENT, 1: FULL}, n_layers)
    if kinds and spelt and kinds != spelt:
        raise f.refuse("attn_type_list", "disagrees with layer_types")
    kinds = kinds or spelt or [FULL if i % 2 == 0 else RECURRENT for i in range(n_layers)]
    return mixed(f, kinds, (StateTensor(n_heads * head_dim * head_dim),), (n_kv_heads, head_dim))
