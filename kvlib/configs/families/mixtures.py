"""Mixtures of experts, with full, windowed or latent attention."""

from dataclasses import replace

from ..readers import full, latent, periodic, windowed
from ..record import Architecture, each
from ..weights import (
    Experts,
    always,
    attention_with,
    biased_attention,
    dense,
    experts,
    flagged,
    latent_attention,
    mixture,
    never,
)


def all_or_shared(f, i: int) -> Experts:
    """Granite: experts, and one of its own width that is always used."""
    return experts(f, shared=f.whole_number("shared_intermediate_size", least=0))


def shared_width(f, i: int) -> int:
    """Granite without experts: the shared one is the whole block."""
    return f.whole_number("shared_intermediate_size")


granite = mixture(all_or_shared, dense(3, shared_width))


def with_shared(f) -> Experts:
    """DeepSeek: n_shared_experts more that are always used, of the same width."""
    found = experts(f)
    return found._replace(shared=(f.nullable("n_shared_experts", least=0) or 0) * found.width)


def after_dense(f, i: int) -> Experts | None:
    """The first first_k_dense_replace layers are dense."""
    return with_shared(f) if i >= (f.nullable("first_k_dense_replace", least=0) or 0) else None


def after_one_dense(f, i: int) -> Experts | None:
    """GLM 4.7: the class knows no first_k_dense_replace; without mlp_layer_types one layer is dense."""
    f.same("first_k_dense_replace", 1)
    kinds = f.names("mlp_layer_types", {"dense": False, "sparse": True}, f.whole_number("num_hidden_layers"))
    return with_shared(f) if (kinds[i] if kinds else i >= 1) else None


def ernie(f, i: int) -> Experts | None:
    """Every moe_layer_interval-th layer from moe_layer_start_index to moe_layer_end_index (-1: the last)."""
    first, last = f.whole_number("moe_layer_start_index", 0), f.whole_number("moe_layer_end_index", -1)
    last = f.whole_number("num_hidden_layers") - 1 if last == -1 else last
    if (i + 1) % f.whole_number("moe_layer_interval") or not first <= i <= last:
        return None
    found = experts(f)
    return found._replace(shared=(f.nullable("moe_num_shared_experts", least=0) or 0) * found.width)


MIXTURE = Architecture(full, feed_forward=mixture())
DEEPSEEK = Architecture(latent, latent_attention, feed_forward=mixture(after_dense), names={"head_dim": None})
# GLM's output matrix has no bias, whatever attention_bias says.
GLM_ATTENTION = attention_with(qkv=flagged("attention_bias"), out=never)
RECORDS = {
    **each("olmoe granitemoe minimax_m2", MIXTURE),
    "granitemoeshared": replace(MIXTURE, feed_forward=granite),
    "mixtral": replace(MIXTURE, layers=windowed),
    "phimoe": replace(MIXTURE, layers=windowed, norms=4),
    "gpt_oss": Architecture(
        periodic(2), biased_attention, feed_forward=mixture(bias=always), llama_cpp_windows=True
    ),
    **each("deepseek_v2 deepseek_v3", DEEPSEEK),
    "kimi_k2": replace(DEEPSEEK, defaults="deepseek_v3"),
    "deepseek": Architecture(full, feed_forward=mixture(after_dense), defaults=None),
    "glm": Architecture(full, GLM_ATTENTION),
    "glm4": Architecture(full, GLM_ATTENTION, norms=4),
    "glm4_moe": Architecture(full, GLM_ATTENTION, feed_forward=mixture(after_dense)),
    "glm4_moe_lite": replace(DEEPSEEK, feed_forward=mixture(after_one_dense)),
    "ernie4_5_moe": Architecture(full, feed_forward=mixture(ernie)),
}
NESTED = {}
