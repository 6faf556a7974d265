"""Refusing a config: the error, how it shows a value, and the fields that may be passed over unread.

A field that no reader asked for must be on the list of those known not to matter, or be switched
off; if its name suggests that it could change the cache, the config is refused.
"""

import re
import reprlib


class UnsupportedConfig(ValueError):
    """This config's cache is not known to the byte.

    problems  one sentence for every field refused: its name, its value, what is needed
    """

    def __init__(self, *problems: str):
        self.problems = problems
        if len(problems) > 1:
            problems = (f"{len(problems)} fields are refused:", *(f"  {problem}" for problem in problems))
        super().__init__("\n".join(problems))


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 8
_SHORT.maxlevel = 3


def shown(value) -> str:
    """A value in a message: as Python writes it, cut short where it is long or deep."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python will not write out an integer of thousands of digits
        return "a number of thousands of digits"


def needs(field: str, value, need: str) -> str:
    """The problem of one field: what it says, and what would be needed."""
    return f"{field} = {shown(value)}: {need}"


SUSPECT = re.compile(
    r"attn|attention|window|head|cache|latent|share|state|kv|sliding|layer_types|block_type|hybrid|pattern"
    r"|chunk|lora|mla|recurr|ssm|mamba|conv|linear_|cross|per_layer_config|indexer|index_|compress|sparse"
    r"|num_layers|n_layer|group|bidirectional|encoder_decoder|full_att|multi_query|new_decoder|mqa|gqa"
    r"|text_config|llm_config|language_config|memory"
)
# Not excused by a harmless ending.
ALWAYS_SUSPECT = re.compile(r"kv|cache|window|compress|share|latent")

HARMLESS_ENDING = re.compile(
    r"(dropout|drop|drop_rate|layerdrop|_bias|multiplier|softcapping|_soft_cap|_token_id|_token_index|_scale"
    r"|_factor|_coef|_coefficient|_init|_std|_eps|_act|_dtype_original|_in_fp32)$"
)

HARMLESS = set(
    """
    use_cache cache_implementation output_attentions output_hidden_states _attn_implementation
    _attn_implementation_internal _attn_implementation_autoset attn_implementation attn_impl
    use_flash_attention use_flash_attn flash_attention attn_output_gate mtp_num_hidden_layers
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


def unread(model_type: str, name: str, value) -> str | None:
    """The problem of a field that no reader asked for; None if it cannot change the cache."""
    if value is None or value is False or value in (0, "") or value in ([], {}):
        return None
    if name in REFUSED:
        return needs(name, value, REFUSED[name])
    lower = name.lower()
    if name in HARMLESS or (HARMLESS_ENDING.search(name) and not ALWAYS_SUSPECT.search(lower)):
        return None
    if not SUSPECT.search(lower):
        return None
    need = f"{model_type} is not known to read it, and by its name it could change the cache"
    return needs(name, value, f"{need}; remove it if it does not")
