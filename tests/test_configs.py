"""Configs: the facts readers know, the defaults that files leave out, and what is refused."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from kvlib.configs import (
    UnsupportedConfig,
    architectures,
    config,
    layout,
    models,
    source,
)
from kvlib.configs.families import RECORDS, class_of
from kvlib.configs.fields import Fields, class_defaults

from . import oracle

ROOT = Path(__file__).parents[1]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
}
MIXED = ["full_attention", "sliding_attention"]


@pytest.mark.parametrize(
    "name, per_token",
    [
        ("gpt2", 36_864),
        ("llama-2-7b", 524_288),
        ("llama-2-13b", 819_200),
        ("llama-3-8b", 131_072),
        ("llama-3.1-8b", 131_072),
        ("llama-3.1-70b", 327_680),
        ("llama-3.1-405b", 516_096),
        ("llama-3.2-3b", 112 * 1024),
        ("qwen-2.5-3b", 36 * 1024),
        ("qwen-2.5-7b", 56 * 1024),
        ("mistral-7b-v0.1", 131_072),
        ("gemma-2-27b", 368 * 1024),
        ("deepseek-v3", 70_272),
        ("kimi-k2", 70_272),
        ("smollm2-135m", 23_040),
        ("falcon-7b", 2 * 32 * 64 * 2),
        ("starcoder", 2 * 40 * 128 * 2),
    ],
)
def test_bytes_per_token(name, per_token):
    assert layout(name).bytes_per_token() == per_token


def test_windows_hold_back_growth():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gemma = layout("gemma-2-27b")
        assert gemma.bytes(8192) == 23 * 8192 * (8192 + 4096)
        assert gemma.bytes(131072) == 23 * 8192 * (131072 + 4096)
        oss = layout("gpt-oss-20b")
        assert [layer.kind for layer in oss.layers[:2]] == ["sliding", "full"]
        assert oss.bytes(1000) == 12 * 2048 * (1000 + 128)


def kinds(name):
    found = {}
    for layer in layout(name).layers:
        found[layer.kind] = found.get(layer.kind, 0) + 1
    return found


@pytest.mark.parametrize(
    "name, expected",
    [
        ("gemma-3-4b", {"sliding": 29, "full": 5}),
        ("gemma-3n-e4b", {"sliding": 16, "full": 4, "shared": 15}),
        ("gemma-4-e4b", {"sliding": 20, "full": 4, "shared": 18}),
        ("llama-4-scout", {"chunked": 36, "full": 12}),
        ("qwen-3-next-80b", {"state": 36, "full": 12}),
        ("jamba-v0.1", {"state": 28, "full": 4}),
        ("nemotron-h-8b", {"state": 24, "none": 24, "full": 4}),
        ("recurrentgemma-2b", {"state": 18, "sliding": 8}),
        ("falcon-h1-34b", {"full": 72}),
        ("deepseek-v3", {"latent": 61}),
        ("llama-3.2-11b-vision", {"full": 32, "cross": 8}),
        ("whisper-tiny", {"full": 4}),
    ],
)
def test_layer_kinds(name, expected):
    assert kinds(name) == expected


def test_shared_layers_read_the_last_of_their_kind():
    layers = layout("gemma-3n-e4b").layers
    for layer in layers:
        if layer.kind == "shared":
            assert layer.shares_with in (18, 19)
    assert layers[24].shares_with == 19  # the 25th is a full layer, as is the 20th
    assert layers[25].shares_with == 18


def test_states_and_source_sequences_are_counted_apart():
    assert layout("falcon-h1-34b").breakdown(1, 2).state == 2 * 72 * (5120 * 4 * 2 + 32 * 128 * 256 * 4)
    assert layout("whisper-tiny").breakdown(1, source_len=1500).cross == 4 * 2 * 384 * 1500 * 2
    assert layout("t5-base").breakdown(1, batch=3, source_len=10).cross == 3 * 12 * 2 * 768 * 10 * 2
    assert layout("mamba-130m").bytes_per_token() == 0


def test_a_state_is_told_tensor_by_tensor():
    """mamba-codestral-7b as transformers keeps it and as vLLM does: model's dtype, kernel - 1."""
    codestral = layout("mamba-codestral-7b")
    assert codestral.bytes(1) == 273_678_336
    tensors = [tensor for layer in codestral.layers for tensor in layer.state]
    assert sum(t.nbytes("bf16", t.kernel and t.kernel - 1) for t in tensors) == 138_149_888


@pytest.mark.parametrize(
    "changes, shape",
    [
        ({"model_type": "llama"}, ("full", 8, 8, None)),
        ({"model_type": "llama", "head_dim": 32}, ("full", 8, 32, None)),
        ({"model_type": "mistral"}, ("sliding", 8, 8, 4096)),
        ({"model_type": "mistral", "sliding_window": None}, ("full", 8, 8, None)),
        ({"model_type": "mixtral"}, ("full", 8, 8, None)),
        ({"model_type": "gemma", "num_key_value_heads": 1}, ("full", 1, 256, None)),
        ({"model_type": "qwen3", "num_key_value_heads": 4}, ("full", 4, 128, None)),
        ({"model_type": "qwen2", "num_key_value_heads": 4, "sliding_window": 16}, ("full", 4, 8, None)),
        ({"model_type": "falcon"}, ("full", 1, 8, None)),
        ({"model_type": "falcon", "multi_query": False}, ("full", 8, 8, None)),
        ({"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 2}, ("full", 2, 8, None)),
    ],
)
def test_what_a_config_leaves_out(changes, shape):
    first = layout({**LLAMA, **changes}).layers[0]
    assert (first.kind, first.n_kv_heads, first.head_dim, first.window) == shape


def test_a_nested_config_may_leave_out_its_sizes():
    llava = layout({"model_type": "llava", "text_config": {"model_type": "llama"}})
    assert llava.bytes_per_token() == layout("llama-2-7b").bytes_per_token()
    for missing in ("num_hidden_layers", "num_attention_heads", "hidden_size"):
        with pytest.raises(UnsupportedConfig, match=missing):
            layout({k: v for k, v in LLAMA.items() if k != missing})


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"model_type": "no_such"}, "no_such"),
        ({"model_type": None}, "model_type"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"num_key_value_heads": 16}, "num_key_value_heads"),
        ({"num_key_value_heads": True}, "num_key_value_heads"),
        ({"head_dim": 0}, "head_dim"),
        ({"head_dim": 8.5}, "head_dim"),
        ({"head_dim": "8"}, "head_dim"),
        ({"num_hidden_layers": -2}, "num_hidden_layers"),
        ({"hidden_size": 63}, "hidden_size"),
        ({"sliding_window": 4096}, "sliding_window"),
        ({"layer_types": ["full_attention"]}, "layer_types"),
        ({"layer_types": ["full_attention", "odd_attention"]}, "odd_attention"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "sliding_attention"),
        ({"kv_lora_rank": 512}, "kv_lora_rank"),
        ({"is_encoder_decoder": True}, "is_encoder_decoder"),
        ({"num_kv_shared_layers": 1}, "num_kv_shared_layers"),
        ({"some_new_cache_trick": 4}, "some_new_cache_trick"),
        ({"per_layer_config": {"0": {"head_dim": 4}}}, "per_layer_config"),
        ({"cache_implementation": "quantized"}, "cache_implementation"),
        ({"quantization_config": {"kv_cache_scheme": {"num_bits": 8}}}, "kv_cache_scheme"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ({"model_type": "gemma2", "sliding_window": None}, "sliding_window"),
        (
            {"model_type": "qwen2", "num_key_value_heads": 4, "layer_types": MIXED},
            "sliding_window",
        ),
        ({"model_type": "llava"}, "text_config"),
        ({"model_type": "mpt", "attn_config": {"attn_type": "multiquery_attention"}}, "attn_config"),
        ({"model_type": "deepseek_v3", "kv_lora_rank": None}, "kv_lora_rank"),
        ({"model_type": "nemotron_h"}, "hybrid_override_pattern"),
    ],
)
def test_a_refusal_names_the_field(changes, named):
    with pytest.raises(UnsupportedConfig, match=named):
        layout({**LLAMA, **changes})


def test_refusals_are_value_errors_that_say_what_is_needed():
    assert issubclass(UnsupportedConfig, ValueError)
    with pytest.raises(ValueError, match="did you mean qwen"):
        layout({**LLAMA, "model_type": "qwen33"})
    with pytest.raises(UnsupportedConfig, match="must divide the 8 query heads"):
        layout({**LLAMA, "num_key_value_heads": 3})


def test_fields_that_do_not_matter_change_nothing():
    harmless = {
        "use_cache": False,
        "attention_dropout": 0.1,
        "rope_theta": 1e6,
        "torch_dtype": "float16",
        "eos_token_id": 2,
        "attention_bias": True,
        "cache_implementation": "hybrid",
        "sliding_window": None,
        "num_labels": 2,
    }
    assert layout({**LLAMA, **harmless}).layers == layout(LLAMA).layers


def test_every_published_config_is_read():
    for name, published in oracle.published().items():
        assert layout(published).n_layers, name


def test_every_shipped_model_says_what_its_published_config_says():
    by_id = {name.lower(): published for name, published in oracle.published().items()}
    renamed = {"meta-llama/llama-3.1-8b": "meta-llama/meta-llama-3.1-8b"}
    assert len(models()) >= 50
    compared = 0
    for name in models():
        entry = source(name)
        assert entry["source"] and name == name.lower()
        assert not re.search("recall|memory", entry["source"]), name
        found = layout(name)
        assert found.layers == layout(entry["id"].upper()).layers == layout(config(name)).layers
        published = by_id.get(renamed.get(entry["id"].lower(), entry["id"].lower()))
        if published:
            compared += 1
            assert found.layers == layout(published).layers, name
    assert compared >= 80


def test_an_unknown_name_suggests_near_ones():
    with pytest.raises(ValueError, match="llama-3.1-8b"):
        layout("llama-3.1-8")
    with pytest.raises(ValueError, match="dict, a path or a shipped model's name"):
        layout(7)


def test_paths(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**LLAMA, "some_limit": float("inf")}))  # one published config has an Infinity
    assert layout(file) == layout(str(file)) == layout(tmp_path)
    with pytest.raises(ValueError, match="no file"):
        layout(tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        layout(tmp_path / "bad.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="no JSON object"):
        layout(str(tmp_path / "list.json"))


def test_a_config_is_a_copy():
    config("gpt2")["n_layer"] = 1
    assert layout("gpt2").n_layers == 12


def test_every_family_has_its_class_defaults():
    known = class_defaults()
    for model_type in RECORDS:
        of = class_of(model_type)
        assert of is None or of in known, model_type
    assert len(architectures()) >= 75


def test_class_defaults_are_those_of_transformers():
    done = subprocess.run([sys.executable, "-m", "tools.config_defaults", "--check"], cwd=ROOT)
    assert done.returncode == 0, "run python -m tools.config_defaults"


def test_a_field_under_two_names_must_agree():
    both = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 8, "num_attention_heads": 4}
    with pytest.raises(UnsupportedConfig, match="num_attention_heads"):
        layout(both)


def test_fields_keep_how_a_config_spells_a_name():
    f = Fields({"model_type": "gpt2", "n_head": 0}, "gpt2")
    with pytest.raises(UnsupportedConfig, match="n_head = 0"):
        f.whole_number("num_attention_heads")
        f.check()
