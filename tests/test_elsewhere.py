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
        ({"model_type": "internvl_chat", "llm_config": INTERNLM2, "vision_config": {}}, 32 * 2 * 8 * 128 * 2),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else None,
)
def test_bytes_per_token(given, per_token):
    assert layout(given).bytes_per_token() == per_token
    with pytest.raises(UnsupportedConfig, match="does not count its weights"):
        parameters(given)


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
