"""Reading a config.json field by field, and refusing what is not understood.

A field left out takes the default of transformers' config class (defaults.json, written by
tools/config_defaults.py). A field that nobody read must be on the list of those known not to
matter, or be switched off; if its name smells of the cache, the config is refused.
"""

import json
import re
from functools import cache
from pathlib import Path

from ..units import whole_number


class UnsupportedConfig(ValueError):
    """This config's cache is not known to the byte; the message says which field, and what is needed."""


# One name for one thing. The right-hand names are those the families read.
SYNONYMS = {
    "num_local_experts": "num_experts", "n_routed_experts": "num_experts", "moe_num_experts": "num_experts",
    "moe_k": "num_experts_per_tok", "num_mtp_layers": "num_nextn_predict_layers",
    "layers_block_type": "layer_types", "sliding_window_size": "sliding_window",
    "attention_window_size": "sliding_window",
}  # fmt: skip
STANDARD = {
    "num_hidden_layers", "num_attention_heads", "hidden_size", "head_dim", "max_position_embeddings",
}  # fmt: skip

SMELL = re.compile(
    r"attn|attention|window|head|cache|latent|share|state|kv|sliding|layer_types|block_type|hybrid|pattern"
    r"|chunk|lora|mla|recurr|ssm|mamba|conv|linear_|cross|per_layer_config|indexer|index_|compress|sparse"
    r"|num_layers|n_layer|group|bidirectional|encoder_decoder|full_att|multi_query|new_decoder|mqa|gqa"
    r"|text_config|llm_config|language_config|memory"
)
REEKS = re.compile(r"kv|cache|window|compress|share|latent")

HARMLESS_ENDING = re.compile(
    r"(dropout|drop|drop_rate|layerdrop|_bias|multiplier|softcapping|_soft_cap|_token_id|_token_index|_scale"
    r"|_factor|_coef|_coefficient|_init|_std|_eps|_act|_dtype_original|_in_fp32)$"
)

HARMLESS = set(
    """
    use_cache cache_implementation output_attentions output_hidden_states _attn_implementation
    _attn_implementation_internal _attn_implementation_autoset attn_implementation attn_impl
    use_flash_attention use_flash_attn flash_attention
    _flash_attn_2_enabled use_flash_attention_2 attention_multiplier attn_scale
    attn_temperature_tuning scale_attn_weights scale_attn_by_inverse_layer_idx reorder_and_upcast_attn
    attention_bias attention_out_bias attention_logit_cap attention_probs_dropout_prob attention_layernorm
    qkv_bias use_qkv_bias mlp_bias clip_qkv qk_layernorm use_qk_norm use_query_pre_attn_scalar
    query_pre_attn_scalar parallel_attn num_ln_in_parallel_attn attn_uses_sequence_id attn_rotary_emb
    n_shared_experts num_shared_experts moe_num_shared_experts shared_expert_intermediate_size
    shared_intermediate_size shared_moe_mode moe_shared_expert_intermediate_size moe_shared_expert_overlap
    moe_latent_size decoder_sparse_step mlp_layer_types use_embedding_sharing
    lm_head_bias num_logits_to_keep chunk_size_feed_forward max_window_layers
    chunk_size mamba_chunk_size mamba_conv_bias mamba_proj_bias mamba_dt_rank mamba_hidden_act
    mamba_norm_before_gate mamba_rms_norm use_mamba_kernels use_mambapy use_falcon_mambapy
    use_conv_bias conv_bias
    time_step_rank residual_in_fp32 use_shared_attention_adapter num_mem_blocks mtp_layers_block_type
    mtp_hybrid_override_pattern num_nextn_predict_layers norm_before_gate ssm_cfg ssm_multipliers
    conv_use_xavier_init block_use_xavier_init attention_in_multiplier attention_out_multiplier
    layernorm_full_attention_alpha layernorm_full_attention_beta layernorm_linear_attention_alpha
    layernorm_linear_attention_beta activation_sparsity_pattern n_group topk_group num_expert_group group_norm
    relative_attention_num_buckets relative_attention_max_distance is_decoder tie_encoder_decoder
    encoder_attention_heads encoder_layers attention_dropout_prob rope_interleave use_mem_rope
    pre_allocate_kv_cache pad_key_length scale_attention_softmax_in_fp32 attention_softmax_in_fp32
    full_attn_alpha_factor full_attn_beta_factor linear_attn_alpha_factor linear_attn_beta_factor
    pruned_heads block_size hidden_act classifier_dropout mm_tokens_per_image
    image_seq_length tie_last_hidden_states context_window_size prefill_chunk_size
    """.split()
)

REFUSED = {
    "per_layer_config": "layers that differ one by one are not read from it",
    "cross_attention_hidden_size": "a decoder that also attends to an encoder of another width",
}


def needs(field: str, value, need: str) -> UnsupportedConfig:
    """The refusal that names a field, what it says, and what would be needed."""
    return UnsupportedConfig(f"{field} = {value!r}: {need}")


@cache
def class_defaults() -> dict:
    """model_type -> {"fields": {...}, "aliases": {...}}, the facts of defaults.json."""
    return json.loads((Path(__file__).parent / "defaults.json").read_text())


class Fields:
    """The fields of one (text) config under their standard names.

    get     the value, or the class's default if the field is left out
    count   the same as a whole number; refused if it is missing, fractional, too small
    whole   the same, or None where the config says null or the class has no number
    same    refuses a field that is given and disagrees with what other fields say
    finish  refuses the fields that nobody read and that might change the answer
    """

    def __init__(
        self, config: dict, model_type: str, *, nested: bool = False, defaults_of: str | None = None
    ):
        entry = class_defaults().get(defaults_of or model_type, {})
        aliases = {} if model_type == "whisper" else dict(entry.get("aliases", {}))
        if aliases.get("head_dim") == "qk_rope_head_dim":  # GLM 4.7's latent has no head_dim of its own
            del aliases["head_dim"]
        self._names = {field: alias for alias, field in aliases.items() if alias in STANDARD}
        self._names |= {alias: field for alias, field in aliases.items() if alias not in STANDARD} | SYNONYMS
        self.model_type, self.nested = model_type, nested
        self.defaults = {self.standard(name): value for name, value in entry.get("fields", {}).items()}
        self.given, self.spelt, self.read = {}, {}, set()
        for name, value in config.items():
            standard = self.standard(name)
            if standard in self.given and self.given[standard] != value:
                other = f"{self.spelt[standard]} = {self.given[standard]!r}"
                raise needs(name, value, f"disagrees with {other}; keep the one that holds")
            self.given[standard], self.spelt[standard] = value, name

    def standard(self, name: str) -> str:
        name = self._names.get(name, name)
        return SYNONYMS.get(name, name)

    def spelling(self, name: str) -> str:
        """How this config writes a standard name, or how its class would."""
        back = {standard: own for own, standard in self._names.items() if own not in SYNONYMS}
        return self.spelt.get(name, back.get(name, name))

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def get(self, name: str, default=None):
        self.read.add(name)
        return self.given[name] if name in self.given else self.defaults.get(name, default)

    def refuse(self, name: str, need: str) -> UnsupportedConfig:
        return needs(self.spelling(name), self.get(name), need)

    def size(self, name: str) -> int:
        """A field that every published config of its own names; left out, its default is seldom meant."""
        if name not in self.given and (not self.nested or name not in self.defaults):
            shown = self.spelling(name)
            raise UnsupportedConfig(f"{shown} is missing: a {self.model_type} config must name it")
        return self.count(name)

    def count(self, name: str, least: int = 1) -> int:
        value = self.get(name)
        if value is None and name not in self.given:
            shown = self.spelling(name)
            raise UnsupportedConfig(
                f"{shown} is missing, and {self.model_type} has no default for it: name it"
            )
        try:
            return whole_number(self.spelling(name), value, least)
        except ValueError:
            raise self.refuse(name, f"a whole number of at least {least} is needed") from None

    def whole(self, name: str) -> int | None:
        """A whole number, or None: null where the class takes null, or nothing given and no default."""
        if self.get(name) is None and (name not in self.given or self.defaults.get(name, 0) is None):
            return None
        return self.count(name)

    def nullable(self, name: str) -> int | None:
        """A whole number, or None where the config says null: "there is none" for windows and the like."""
        return None if self.get(name) is None else self.count(name)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.get(name, default)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false is needed")
        return value

    def names(self, name: str, allowed: dict, length: int) -> list | None:
        """A list of `length` entries of `allowed`, each as what it stands for; None if absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != length:
            raise self.refuse(name, f"a list of {length} entries is needed, one a layer")
        for entry in value:
            if isinstance(entry, bool) or not isinstance(entry, str | int) or entry not in allowed:
                raise needs(self.spelling(name), entry, f"known here: {', '.join(map(str, allowed))}")
        return [allowed[entry] for entry in value]

    def indices(self, name: str, length: int) -> set[int]:
        """A list of distinct layer numbers below `length`."""
        value = self.get(name)
        good = isinstance(value, list | tuple) and all(type(i) is int and 0 <= i < length for i in value)
        if not good or len(set(value)) != len(value):
            raise self.refuse(name, f"a list of distinct layers from 0 to {length - 1} is needed")
        return set(value)

    def same(self, name: str, value) -> None:
        """Refuse a field that is given, is not null, and is not `value`."""
        if self.given.get(name, None) is not None and self.given[name] != value:
            raise self.refuse(name, f"the other fields of a {self.model_type} config make it {value!r}")
        self.read.add(name)

    def ignore(self, *names: str) -> None:
        """Fields that this family gives and does not use; they must still be whole numbers or null."""
        for name in names:
            if self.given.get(name) is not None:
                self.count(name)
            self.read.add(name)

    def finish(self) -> None:
        """Judge every field that was not read."""
        for standard, value in self.given.items():
            name = self.spelt[standard]
            off = value is None or value is False or value == 0 or value == [] or value == {} or value == ""
            if standard in self.read or off:
                continue
            if name in REFUSED:
                raise needs(name, value, REFUSED[name])
            if name in HARMLESS or (HARMLESS_ENDING.search(name) and not REEKS.search(name.lower())):
                continue
            if SMELL.search(name.lower()):
                need = f"{self.model_type} is not known to read it, and by its name it could change the cache"
                raise needs(name, value, f"{need}; remove it if it does not")
