"""Mixtures of experts, with full, windowed or latent attention."""

from collections.abc import Mapping
from dataclasses import replace

from .. import readers, weights
from ..record import Architecture, each
from . import llama


def all_or_shared(f, i: int) -> weights.Experts:
    """Granite: experts, and one of its own width that is always used."""
    return weights.experts(f, shared=f.whole_number("shared_intermediate_size", least=0))


# Without experts, the shared one is the whole block.
granite = weights.mixture(all_or_shared, weights.dense(3, "shared_intermediate_size"))


def after(name: str, n_shared: str | None = None):
    """The first layers are dense, as many as the field `name` says; the others have experts."""

    def choose(f, i: int) -> weights.Experts | None:
        dense = i < (f.nullable(name, least=0) or 0)
        return None if dense else weights.experts(f, n_shared=n_shared)

    return choose


def glm_lite_latent(f):
    """Its class takes head_dim for another name of qk_rope_head_dim, so the two must agree."""
    f.same("head_dim", f["qk_rope_head_dim"])
    return readers.latent(f)


def glm_lite(f, i: int) -> weights.Experts | None:
    """GLM 4.7: the class knows no first_k_dense_replace; without mlp_layer_types one layer is dense."""
    f.same("first_k_dense_replace", 1)
    sparse = f.names("mlp_layer_types", {"dense": False, "sparse": True}, f["num_hidden_layers"])
    return weights.experts(f, n_shared="n_shared_experts") if (sparse[i] if sparse else i >= 1) else None


def ernie(f, i: int) -> weights.Experts | None:
    """Every moe_layer_interval-th layer from moe_layer_start_index to moe_layer_end_index (-1: the last)."""
    first, last = f.whole_number("moe_layer_start_index", 0), f.whole_number("moe_layer_end_index", -1)
    placed = first <= i and (i <= last or last == -1) and (i + 1) % f["moe_layer_interval"] == 0
    return weights.experts(f, n_shared="moe_num_shared_experts") if placed else None


def listed(dense: int, n_shared: str | None = None, shared: str | None = None):
    """mlp_layer_types says which layers have experts; where it is silent, all but the first `dense`.

    A first_k_dense_replace that is given beats `dense`. Experts that are always used: as many as the field
    n_shared says, or of the width in the field `shared`.
    """

    def choose(f, i: int) -> weights.Experts | None:
        first = f.whole_number("first_k_dense_replace", 0) if "first_k_dense_replace" in f else dense
        sparse = f.names("mlp_layer_types", {"dense": False, "sparse": True}, f["num_hidden_layers"])
        if not (sparse[i] if sparse else i >= first):
            return None
        return weights.experts(f, shared=f.whole_number(shared, 0) if shared else 0, n_shared=n_shared)

    return choose


def windowed(is_full, dense: int, **shared) -> Architecture:
    """Windows where `is_full(i, n_layers)` is false, experts in all but the first `dense` layers."""
    return Architecture(readers.listed(is_full), feed_forward=weights.mixture(listed(dense, **shared)))


def dots1(f):
    """The layers from max_window_layers on slide, if sliding_window is not null."""
    n_layers, window = readers.depth(f), f.nullable("sliding_window")
    first = f.whole_number("max_window_layers", least=0)
    kinds = ["sliding" if window and i >= first else "full" for i in range(n_layers)]
    return readers.placed(f, kinds, window)


def longcat(f):
    """LongCat: two latents a layer, each with an entry of its own in the cache."""
    return 2 * readers.latent(f)


def minimax_m2(f):
    """All full; some configs say so in attn_type_list too, as MiniMax-01's does."""
    f.names("attn_type_list", {1: "full"}, readers.depth(f))
    return readers.full(f)


def cohere2_moe(f):
    """As Cohere 2; the layers before first_k_dense_replace have a period of their own."""
    n_layers, dense = (
        readers.depth(f),
        f.whole_number("first_k_dense_replace", 0) if "first_k_dense_replace" in f else 0,
    )
    first, rest = f["prefix_dense_sliding_window_pattern"], f["sliding_window_pattern"]
    places = [(i + 1) % first if i < dense else (i - dense + 1) % rest for i in range(n_layers)]
    return readers.placed(
        f, ["sliding" if place else "full" for place in places], f.nullable("sliding_window")
    )


def laguna(f):
    """Layers may differ in their query heads; the KV heads are the same."""
    layers, n_kv_heads = readers.listed(lambda i, n: True)(f), f["num_key_value_heads"]
    queries = f.get("num_attention_heads_per_layer")
    good = queries is None or isinstance(queries, list | tuple) and len(queries) == len(layers)
    if not good or any(type(n) is not int or n < 1 or n % n_kv_heads for n in queries or ()):
        f.refuse(
            "num_attention_heads_per_layer",
            f"a multiple of the {n_kv_heads} KV heads is needed for each layer",
        )
    return layers


def afmoe(f):
    """Every global_attn_every_n_layers-th layer is full."""
    return readers.periodic(4, "global_attn_every_n_layers")(f)


# For other families another spelling of sliding_window.
BEFORE = "tokens_before"


def mimo(f):
    """Sliding layers have twice the KV heads; values are narrower than keys.

    A published config says the same in fields of its own, which transformers does not read, and its
    sliding_window_size leaves out the token itself.
    """
    n_layers = readers.depth(f)
    kinds = ["full" if i == 0 or (i + 1) % 6 == 0 else "sliding" for i in range(n_layers)]
    f.same("hybrid_layer_pattern", [int(kind == "sliding") for kind in kinds])
    n_heads, n_kv_heads, head_dim = readers.heads(f)
    values = f["v_head_dim"]
    own = {"num_attention_heads": n_heads, "num_key_value_heads": 2 * n_kv_heads, "head_dim": head_dim}
    for name, value in {**own, "v_head_dim": values}.items():
        f.same(f"swa_{name}", value)
    readers.divides(f, "num_key_value_heads", 2 * n_kv_heads, n_heads)
    f.ignore("attention_chunk_size")
    before = f.nullable(BEFORE)
    f.ignore("sliding_window")
    window = before + 1 if before else f["sliding_window"]
    layers = readers.placed(f, kinds, window)
    return [
        replace(one, v_head_dim=values, n_kv_heads=n_kv_heads * (2 if one.kind == "sliding" else 1))
        for one in layers
    ]


def mimo_attention(f, layer, kept: int) -> int:
    """The output is as narrow as the values; a sliding layer has a sink for each query head."""
    hidden, n_heads = f["hidden_size"], f["num_attention_heads"]
    sinks = n_heads if layer.kind == "sliding" else 0
    return hidden * (n_heads * (layer.head_dim + layer.v_head_dim) + kept) + sinks


def step(f):
    """Step 3.7: layers may differ in their query heads; lists may also have the layers that predict ahead."""
    n_layers, ahead = readers.depth(f), f.nullable("num_nextn_predict_layers", 0) or 0
    for name in ("layer_types", "mlp_layer_types"):
        value = f.given.get(name)
        if isinstance(value, list | tuple) and len(value) == n_layers + ahead:
            f.given[name] = value[:n_layers]
    n_heads, n_kv_heads, head_dim = readers.heads(f)
    other = f.object("attention_other_setting")
    for name, value in {"num_attention_groups": n_kv_heads, "head_dim": head_dim}.items():
        if other.get(name, value) != value:
            f.refuse("attention_other_setting", f"{name} = {value} is needed there too")
    for layer in f.object("per_layer_config").values():
        if not isinstance(layer, Mapping) or layer.keys() - {"num_attention_heads"}:
            f.refuse("per_layer_config", "layers that differ in num_attention_heads alone are read")
            break
    f.read |= {"num_sliding_attention_heads", "share_expert_dim", "share_expert_dims", "moe_layers_enum"}
    return readers.placed(f, ["full"] * n_layers, f.nullable("sliding_window"))


SHARED = "num_shared_experts"
AFTER_DENSE = weights.mixture(after("first_k_dense_replace", n_shared="n_shared_experts"))
MIXTURE = Architecture(readers.full, feed_forward=weights.mixture())
DEEPSEEK = Architecture(
    readers.latent, weights.latent_attention, feed_forward=AFTER_DENSE, names={"head_dim": None}
)
# GLM's output matrix has no bias, whatever attention_bias says.
GLM_ATTENTION = weights.attention_with(qkv="attention_bias", out=False)
RECORDS = {
    **each("granitemoe flex_olmo", MIXTURE),
    "olmoe": replace(MIXTURE, layers=readers.divided_full),
    "minimax_m2": replace(MIXTURE, layers=minimax_m2),
    "afmoe": Architecture(afmoe, whole=weights.uncounted),
    "aria_text": replace(MIXTURE, whole=weights.uncounted),
    "beam": windowed(lambda i, n: (i + 1) % 6 == 0 or i == n - 1, dense=3),
    "cohere2_moe": Architecture(cohere2_moe, whole=weights.uncounted),
    "dots1": Architecture(dots1, feed_forward=weights.mixture(listed(0, "n_shared_experts"))),
    "ernie4_5_vl_moe_text": replace(MIXTURE, whole=weights.uncounted),
    "exaone_moe": Architecture(llama.exaone4, feed_forward=weights.mixture(listed(1, SHARED))),
    "flint": windowed(
        lambda i, n: i < 2 or i % 4 == 1 or i == n - 1, dense=2, shared="shared_expert_intermediate_size"
    ),
    "glm4v_text": Architecture(readers.full, GLM_ATTENTION, norms=4),
    "glm4v_moe_text": Architecture(readers.full, GLM_ATTENTION, feed_forward=AFTER_DENSE),
    "granitemoe_swa": Architecture(readers.listed(llama.every_fourth), feed_forward=granite),
    "hunyuan_v1_moe": replace(MIXTURE, whole=weights.uncounted),
    "hy_v3": replace(MIXTURE, feed_forward=weights.mixture(listed(1, SHARED))),
    "kolibri1": windowed(lambda i, n: (i + 1) % 5 == 0, dense=0, shared="shared_expert_intermediate_size"),
    "laguna": Architecture(laguna, whole=weights.uncounted),
    "mellum": windowed(lambda i, n: True, dense=0),
    "mimo_v2_flash": Architecture(
        mimo,
        mimo_attention,
        feed_forward=weights.mixture(listed(1, "n_shared_experts")),
        names={"sliding_window_size": BEFORE},
    ),
    "step3p5": Architecture(step, whole=weights.uncounted),
    "muse_spark_text": Architecture(readers.listed(llama.before_the_last), whole=weights.uncounted),
    "solar_open": replace(MIXTURE, feed_forward=weights.mixture(listed(0, "n_shared_experts"))),
    "granitemoeshared": replace(MIXTURE, feed_forward=granite),
    "mixtral": replace(MIXTURE, layers=readers.windowed),
    "phimoe": replace(MIXTURE, layers=readers.windowed, norms=4),
    "gpt_oss": Architecture(
        readers.periodic(2),
        weights.attention_with(qkv=True, out=True),
        feed_forward=weights.mixture(bias=True),
        llama_cpp_windows=True,
    ),
    **each("deepseek_v2 deepseek_v3", DEEPSEEK),
    "axk1": replace(DEEPSEEK, feed_forward=weights.mixture(listed(1, "n_shared_experts"))),
    **each("minicpm3 youtu", replace(DEEPSEEK, feed_forward=weights.gated)),
    "mistral4": DEEPSEEK,
    "longcat_flash": replace(
        DEEPSEEK, layers=longcat, whole=weights.uncounted, names={"num_layers": "num_hidden_layers"}
    ),
    "kimi_k2": replace(DEEPSEEK, defaults="deepseek_v3"),
    "deepseek": Architecture(readers.full, feed_forward=AFTER_DENSE, defaults=None),
    "glm": Architecture(readers.full, GLM_ATTENTION),
    "glm4": Architecture(readers.full, GLM_ATTENTION, norms=4),
    "glm4_moe": Architecture(readers.full, GLM_ATTENTION, feed_forward=AFTER_DENSE),
    "glm4_moe_lite": replace(DEEPSEEK, layers=glm_lite_latent, feed_forward=weights.mixture(glm_lite)),
    "ernie4_5_moe": Architecture(readers.full, feed_forward=weights.mixture(ernie)),
}
