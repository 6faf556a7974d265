"""Models that no class of transformers runs: figures worked out by hand from what their configs say.

The decisive fields are those of published configs, as mlc-ai/mlc-llm@79d603f has them in
python/mlc_llm/model/model_preset.py, and ai-dynamo/aiconfigurator@095f58a in model_configs.
"""

import json

import pytest

from kvlib.cli import main
from kvlib.configs import UnsupportedConfig, layout, parameters

from . import oracle

INTERNLM2 = {
    "model_type": "internlm2", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "attn_implementation": "eager",
}  # fmt: skip
CHATGLM3 = {
    "model_type": "chatglm", "hidden_size": 4096, "num_layers": 28, "num_attention_heads": 32,
    "kv_channels": 128, "multi_query_attention": True, "multi_query_group_num": 2, "add_qkv_bias": True,
    "apply_query_key_layer_scaling": True, "seq_length": 8192,
}  # fmt: skip
QWEN = {
    "model_type": "qwen", "hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16,
    "kv_channels": 128, "use_logn_attn": True, "seq_length": 8192,
}  # fmt: skip
BAICHUAN = {"model_type": "baichuan", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
PHI = {"model_type": "phi-msft", "n_embd": 2560, "n_head": 32, "n_layer": 32, "n_head_kv": None}
LING = {
    "model_type": "bailing_moe_v2", "hidden_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8,
    "num_key_value_heads": 2, "head_dim": 128, "use_qkv_bias": False, "first_k_dense_replace": 1,
}  # fmt: skip
MINICPM = {
    "model_type": "minicpm", "hidden_size": 2304, "num_hidden_layers": 40, "num_attention_heads": 36,
    "num_key_value_heads": 36, "scale_depth": 1.4, "dim_model_base": 256, "scale_emb": 12,
}  # fmt: skip
SMALL = {"hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 2}
MINICPM_V = {
    **SMALL, "model_type": "minicpmv", "query_num": 64, "drop_vision_last_layer": False, "vision_config": {},
}  # fmt: skip
SLIDES_NOT = {"use_sliding_window": False, "sliding_window": 131072, "max_window_layers": 28}
MLA = {
    "model_type": "deepseek_v2", "hidden_size": 2048, "num_hidden_layers": 27, "num_attention_heads": 16,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
NAS = {
    "model_type": "nemotron-nas", "hidden_size": 8192, "num_hidden_layers": 3, "num_attention_heads": 64,
    "num_key_value_heads": None, "intermediate_size": None,
}  # fmt: skip
KDA = {"num_heads": 96, "head_dim": 128, "short_conv_kernel_size": 4}
KIMI_K3 = {
    "model_type": "kimi_linear", "hidden_size": 7168, "num_hidden_layers": 4, "num_attention_heads": 96,
    "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
    "hidden_act": "situ", "mla_use_nope": True,
    "linear_attn_config": {**KDA, "full_attn_layers": [4], "kda_layers": [1, 2, 3]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "per_token"),
    [
        (INTERNLM2, 32 * 2 * 8 * 128 * 2),
        ({**INTERNLM2, "num_key_value_heads": None}, 32 * 2 * 32 * 128 * 2),
        (CHATGLM3, 28 * 2 * 2 * 128 * 2),
        ({**CHATGLM3, "multi_query_attention": False}, 28 * 2 * 32 * 128 * 2),
        (QWEN, 24 * 2 * 2048 * 2),
        (BAICHUAN, 32 * 2 * 4096 * 2),
        (PHI, 32 * 2 * 2560 * 2),
        (LING, 2 * 2 * 2 * 128 * 2),
        (MINICPM, 40 * 2 * 2304 * 2),
        ({**SMALL, "model_type": "orion", "num_key_value_heads": 32}, 32 * 2 * 2560 * 2),
        ({**SMALL, "model_type": "Yi"}, 32 * 2 * 2 * 80 * 2),
        ({**BAICHUAN, "model_type": "xverse"}, 32 * 2 * 4096 * 2),
        ({**BAICHUAN, "model_type": "internlm", "bias": True}, 32 * 2 * 4096 * 2),
        ({**SMALL, "model_type": "solar", "head_dim": 128, "bskcn_1": [12, 20]}, 32 * 2 * 2 * 128 * 2),
        ({**SMALL, "model_type": "phi3_v"}, 32 * 2 * 2 * 80 * 2),
        (MINICPM_V, 32 * 2 * 2 * 80 * 2),
        ({**MINICPM_V, **SLIDES_NOT, "version": 2.6}, 32 * 2 * 2 * 80 * 2),
        ({**MINICPM_V, "version": "4.0", "head_dim": 128}, 32 * 2 * 2 * 128 * 2),
        ({**MINICPM_V, "version": "4.5", "hidden_size": 4096}, 32 * 2 * 2 * 128 * 2),
        ({**MINICPM_V, **SLIDES_NOT, "model_type": "minicpmo", "version": "2.6"}, 32 * 2 * 2 * 80 * 2),
        ({"model_type": "internvl_chat", "llm_config": INTERNLM2, "vision_config": {}}, 32 * 2 * 8 * 128 * 2),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else None,
)
def test_bytes_per_token(given, per_token):
    assert layout(given).bytes_per_token() == per_token
    with pytest.raises(UnsupportedConfig, match="does not count its weights"):
        parameters(given)


def test_phi_4_with_pictures_slides_where_it_says_so():
    of = layout({**SMALL, "model_type": "phi4mm", "sliding_window": 4096, "full_attn_mod": 1})
    assert of.bytes(100_000) == of.bytes(4096) == 4096 * 32 * 2 * 2 * 80 * 2


def test_a_latent_has_to_be_one():
    of = layout({"model_type": "deepseek_vl_v2", "language_config": {**MLA, "use_mla": True}})
    assert of.bytes_per_token() == 27 * (512 + 64) * 2
    with pytest.raises(UnsupportedConfig, match="use_mla"):
        layout({"model_type": "deepseek_vl_v2", "language_config": {**MLA, "use_mla": False}})


def searched(**attention):
    return {"attention": {"n_heads_in_group": 8, "no_op": False, "window_length": None, **attention}}


def test_nemotrons_search_leaves_attention_out():
    blocks = [searched(), searched(no_op=True, n_heads_in_group=None), searched(n_heads_in_group=16)]
    of = layout({**NAS, "block_configs": blocks})
    assert [layer.n_kv_heads for layer in of.layers] == [8, 0, 4]
    assert of.bytes(100) == 100 * 2 * 2 * 128 * (8 + 4)
    for wrong in (searched(window_length=8192), searched(n_heads_in_group=7), {}, 3):
        with pytest.raises(UnsupportedConfig, match="block_configs"):
            layout({**NAS, "block_configs": [*blocks[:2], wrong]})


def test_kimi_k3_keeps_a_latent_or_a_state():
    of = layout({"model_type": "kimi_k3", "text_config": KIMI_K3, "vision_config": {}})
    assert [layer.kind for layer in of.layers] == ["state", "state", "state", "latent"]
    parts = of.breakdown(100)
    # Three convolutions of 96 × 128 channels, 4 positions in bf16, and a square fp32 state a head.
    assert parts.state == 3 * (3 * 96 * 128 * 4 * 2 + 96 * 128 * 128 * 4)
    assert parts.tokens == 100 * (512 + 64) * 2
    broken = {**KIMI_K3, "linear_attn_config": {**KDA, "full_attn_layers": [4], "kda_layers": [1, 2]}}
    with pytest.raises(UnsupportedConfig, match="linear_attn_config"):
        layout({"model_type": "kimi_k3", "text_config": broken})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({**CHATGLM3, "kv_channels": 64}, "kv_channels"),
        ({**CHATGLM3, "multi_query_group_num": 5}, "multi_query_group_num"),
        ({**QWEN, "kv_channels": 64}, "kv_channels"),
        ({**LING, "use_sliding_window": True}, "use_sliding_window"),
        ({**BAICHUAN, "num_key_value_heads": 8}, "num_key_value_heads"),
        ({**INTERNLM2, "head_dim": 64}, "head_dim"),
        ({**MINICPM, "num_key_value_heads": None}, "num_key_value_heads"),
        ({**MINICPM, "head_dim": 128}, "head_dim"),
        ({**MINICPM, "sparse_config": {"kernel_size": 32}}, "sparse_config"),
        ({**BAICHUAN, "model_type": "Yi"}, "num_key_value_heads is missing"),
        ({**BAICHUAN, "model_type": "bailing_moe"}, "num_key_value_heads is missing"),
        ({**SMALL, "model_type": "solar", "sliding_window": 2047}, "sliding_window"),
        ({**LING, "sliding_window": 4096}, "sliding_window"),
        ({**SMALL, "model_type": "phi3_v", "head_dim": 128}, "head_dim"),
        ({**SMALL, **SLIDES_NOT, "model_type": "phi4mm"}, "use_sliding_window"),
        ({**MINICPM_V, "version": "4.6"}, "version"),
        ({**MINICPM_V, "version": None}, "version"),
        ({**MINICPM_V, "version": "2.6", "head_dim": 128}, "head_dim"),
        ({**MINICPM_V, "version": "2.6", "use_sliding_window": True}, "use_sliding_window"),
        ({**MINICPM_V, "version": "4.5"}, "head_dim is missing"),
        ({**MINICPM_V, "model_type": "minicpmo"}, "version"),
        ({**MINICPM_V, "model_type": "minicpmo", "version": 4.5}, "version"),
        ({"model_type": "internvl_chat", "llm_config": {**SMALL, "architectures": ["Qwen2"]}}, "llm_config"),
    ],
)
def test_refused(given, named):
    with pytest.raises(UnsupportedConfig, match=named):
        layout(given)


def test_size_says_what_an_indexer_keeps(capsys, tmp_path):
    given = oracle.published()["deepseek-ai/DeepSeek-V3.2"]
    (tmp_path / "config.json").write_text(json.dumps(given))
    assert main(["size", str(tmp_path), "--context", "8192"]) == 0
    printed = capsys.readouterr().out
    assert "(576 numbers + 128 in an indexer's key) × 2 bytes = 1,408 bytes per token" in printed
    assert f"total {61 * 1408 * 8192:,} bytes" in printed
