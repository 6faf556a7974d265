"""Whatever is pasted, the answer is a layout or a refusal in words, at once, and it names every field."""

import json
import random
import time

import pytest

from kvlib.configs import UnsupportedConfig, config, layout, parameters

from . import fuzz
from .mutants import bases

LLAMA = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8}


def test_five_thousand_spoilt_configs_are_answered_or_refused():
    """Only ValueErrors (UnsupportedConfig is one), within two seconds of work each, so that none hangs."""
    rng, known, answered = random.Random(20), fuzz.bases(), 0
    for _ in range(5000):
        spoilt = fuzz.spoilt(rng, known)
        for read in (layout, parameters):
            began = time.process_time()
            try:
                found = read(spoilt)
            except ValueError as refusal:
                assert 20 < len(str(refusal)) < 20_000
            else:
                answered += 1
                if read is parameters:
                    assert 0 <= found.embedding <= found.active <= found.total
                else:
                    assert found.n_layers and found.n_heads != 0
            assert time.process_time() - began < 2
    assert answered > 1000  # what does not matter may be wrong


def test_every_refused_field_is_named_at_once():
    spoilt = {
        **LLAMA,
        "num_attention_heads": "8",
        "head_dim": 8.5,
        "some_new_cache_trick": 4,
        "layer_types": ["odd_attention"] * 2,
        "cache_implementation": "quantized",
        "quantization_config": {"kv_cache_scheme": {"num_bits": 8}},
    }
    del spoilt["hidden_size"]
    with pytest.raises(UnsupportedConfig) as refusal:
        layout(spoilt)
    named = ["num_attention_heads = '8'", "head_dim = 8.5", "some_new_cache_trick = 4", "'odd_attention'"]
    named += ["cache_implementation = 'quantized'", "quantization_config.kv_cache_scheme"]
    assert all(name in str(refusal.value) for name in named)
    assert len(refusal.value.problems) == len(named)
    with pytest.raises(UnsupportedConfig) as refusal:
        layout({"model_type": "llama"})
    assert len(refusal.value.problems) == 3  # depth, heads and hidden size are missing


def test_what_follows_from_a_problem_is_no_problem():
    """A missing hidden size is one; that head_dim then disagrees with it is not told."""
    zamba = {**config("zamba2-7b"), "hidden_size": None}
    with pytest.raises(UnsupportedConfig) as refusal:
        layout(zamba)
    assert len(refusal.value.problems) == 1


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"model_type": "nemotron_h", "layers_block_type": []}, "layers_block_type"),
        ({"model_type": "nemotron_h", "hybrid_override_pattern": 7}, "hybrid_override_pattern"),
        ({"num_hidden_layers": 100_000_000}, "num_hidden_layers = 100000000.*no model with more than 1,000"),
        ({"hidden_size": 10**30}, "hidden_size"),
        ({"max_position_embeddings": None, "sliding_window": [[1]]}, "sliding_window"),
        (
            {"model_type": "gemma3n_text", "num_kv_shared_layers": 0, "intermediate_size": [1, "2"]},
            "intermediate",
        ),
        ({"model_type": "bloom", "n_embed": 128}, "n_embed"),
        ({"model_type": ["llama"]}, "model_type"),
        ({"model_type": "mpt", "attn_config": {"kv_n_heads": 8}}, "kv_n_heads"),
        ({"model_type": "phi3", "full_attn_mod": 4}, "full_attn_mod"),
        ({"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 4}, "only 2 experts"),
    ],
)
def test_malformed_fields_are_named(changes, named):
    with pytest.raises(UnsupportedConfig, match=named):
        parameters({**LLAMA, "intermediate_size": 256, "vocab_size": 100, **changes})


def test_near_names_do_not_mislead():
    with pytest.raises(UnsupportedConfig) as refusal:
        layout({**LLAMA, "model_type": "xlnet"})
    assert "unknown model_type 'xlnet'" in str(refusal.value) and "did you mean" not in str(refusal.value)


def test_files(tmp_path):
    file = tmp_path / "config.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(LLAMA).encode())
    assert layout(file).layers == layout(LLAMA).layers
    file.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not JSON"):
        layout(file)
    file.write_text('{"model_type": "llama", "rope_scaling": ' + '{"a":' * 60 + "1" + "}" * 61)
    with pytest.raises(ValueError, match="50 deep"):
        layout(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not JSON"):
        layout(file)


def test_a_dtype_settles_what_a_checkpoint_says_of_its_cache():
    quantized = {**LLAMA, "quantization_config": {"kv_cache_scheme": {"num_bits": 8}}}
    with pytest.raises(UnsupportedConfig, match="name the dtype"):
        layout(quantized)
    assert layout(quantized, dtype="fp8").layers == layout(LLAMA).layers
    with pytest.raises(ValueError, match="dtype 'fp9'"):
        layout(quantized, dtype="fp9")
    weights = {"intermediate_size": 256, "vocab_size": 100}
    assert parameters({**quantized, **weights}) == parameters({**LLAMA, **weights})


def test_a_nested_decoder_is_no_encoder_decoder_either():
    given = bases()["gemma3n"]
    inner = {**given["text_config"], "is_encoder_decoder": True}
    with pytest.raises(UnsupportedConfig, match="is_encoder_decoder"):
        layout({**given, "text_config": inner})
    assert layout({**given, "text_config": {**inner, "is_encoder_decoder": False}}) == layout(given)


@pytest.mark.parametrize(
    ("model_type", "name"), [("deepseek_v3", "qk_rope_head_dim"), ("gemma4", "global_head_dim")]
)
def test_rotary_positions_turn_pairs(model_type, name):
    given = bases()[model_type]
    inner = {**given.get("text_config", given), name: 3}
    with pytest.raises(UnsupportedConfig, match=f"{name} = 3: an even number is needed"):
        layout({**given, "text_config": inner} if "text_config" in given else inner)
