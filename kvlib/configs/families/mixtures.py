"""Mixtures of experts, with full, windowed or latent attention."""

from dataclasses import replace

from .. import readers, weights
from ..record import Architecture, each


def all_or_shared(f, i: int) -> weights.Experts:
    """Granite: experts, and one of its own width that is always used."""
    return weights.experts(f, shared=f.whole_number("shared_intermediate_size", least=0))


# Without experts, the shared one is the whole block.
granite = weights.mixture(all_or_shared, weights.dense(3, "shared_intermediate_size"))


def with_shared(f) -> weights.Experts:
    """DeepSeek: n_shared_experts more that are always used, of the same width."""
    found = weights.experts(f)
    return found._replace(shared=(f.nullable("n_shared_experts", least=0) or 0) * found.width)


def after_dense(f, i: int) -> weights.Experts | None:
    """The first first_k_dense_replace layers are dense."""
    return with_shared(f) if i >= (f.nullable("first_k_dense_replace", least=0) or 0) else None


def after_one_dense(f, i: int) -> weights.Experts | None:
    """GLM 4.7: the class knows no first_k_dense_replace; without mlp_layer_types one layer is dense."""
    f.same("first_k_dense_replace", 1)
    kinds = f.names("mlp_layer_types", {"dense": False, "sparse": True}, f.whole_number("num_hidden_layers"))
    return with_shared(f) if (kinds[i] if kinds else i >= 1) else None


def ernie(f, i: int) -> weights.Experts | None:
    """Every moe_layer_interval-th layer from moe_layer_start_index to moe_layer_end_index (-1: the last)."""
    first, last = f.whole_number("moe_layer_start_index", 0), f.whole_number("moe_layer_end_index", -1)
    last = f.whole_number("num_hidden_layers") - 1 if last == -1 else last
    if (i + 1) % f.whole_number("moe_layer_interval") or not first <= i <= last:
        return None
    found = weights.experts(f)
    return found._replace(shared=(f.nullable("moe_num_shared_experts", least=0) or 0) * found.width)


MIXTURE = Architecture(readers.full, feed_forward=weights.mixture())
DEEPSEEK = Architecture(
    readers.latent,
    weights.latent_attention,
    feed_forward=weights.mixture(after_dense),
    names={"head_dim": None},
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
    "deepseek": Architecture(readers.full, feed_forward=weights.mixture(after_dense), defaults=None),
    "glm": Architecture(readers.full, GLM_ATTENTION),
    "glm4": Architecture(readers.full, GLM_ATTENTION, norms=4),
    "glm4_moe": Architecture(readers.full, GLM_ATTENTION, feed_forward=weights.mixture(after_dense)),
    "glm4_moe_lite": replace(DEEPSEEK, feed_forward=weights.mixture(after_one_dense)),
    "ernie4_5_moe": Architecture(readers.full, feed_forward=weights.mixture(ernie)),
}
NESTED = {}
