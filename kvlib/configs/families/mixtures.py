"""Mixtures of experts, with full, windowed or latent attention."""

from dataclasses import replace

from .. import readers, weights
from ..record import Architecture, each


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


AFTER_DENSE = weights.mixture(after("first_k_dense_replace", n_shared="n_shared_experts"))
MIXTURE = Architecture(readers.full, feed_forward=weights.mixture())
DEEPSEEK = Architecture(
    readers.latent, weights.latent_attention, feed_forward=AFTER_DENSE, names={"head_dim": None}
)
# GLM's output matrix has no bias, whatever attention_bias says.
GLM_ATTENTION = weights.attention_with(qkv="attention_bias", out=False)
RECORDS = {
    **each("olmoe granitemoe minimax_m2", MIXTURE),
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
    "kimi_k2": replace(DEEPSEEK, defaults="deepseek_v3"),
    "deepseek": Architecture(readers.full, feed_forward=AFTER_DENSE, defaults=None),
    "glm": Architecture(readers.full, GLM_ATTENTION),
    "glm4": Architecture(readers.full, GLM_ATTENTION, norms=4),
    "glm4_moe": Architecture(readers.full, GLM_ATTENTION, feed_forward=AFTER_DENSE),
    "glm4_moe_lite": replace(DEEPSEEK, feed_forward=weights.mixture(glm_lite)),
    "ernie4_5_moe": Architecture(readers.full, feed_forward=weights.mixture(ernie)),
}
