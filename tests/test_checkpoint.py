"""The bytes of a checkpoint: each quantization's bits, and what stays in 16 bits."""

from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

import kvlib
from kvlib.configs import UnsupportedConfig, checkpoint, parameters
from kvlib.configs.quantization import named, scheme
from kvlib.units import GB

LLAMA = {
    "model_type": "llama", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 8,
    "num_key_value_heads": 2, "num_hidden_layers": 2, "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
# By hand: queries and output 1024 × 1024, keys and values 1024 × 256; gate, up and down 1024 × 4096.
ATTENTION, FEED = 2 * 1024 * 1024 + 2 * 1024 * 256, 3 * 1024 * 4096
LINEAR = 2 * (ATTENTION + FEED)
REST = 2 * 32000 * 1024 + (2 * 2 + 1) * 1024  # embedding, output, norms


def weights(quantization, **changes):
    return checkpoint({**LLAMA, **changes, "quantization_config": quantization})


@pytest.mark.parametrize("name", kvlib.models())
def test_in_16_bits_it_is_two_bytes_a_parameter(name):
    try:
        numbers = parameters(name)
    except UnsupportedConfig:
        return
    found = checkpoint(name, "bf16")
    assert found.parameters == numbers and found.bytes == 2 * numbers.total == found.wide_bytes
    assert found.read_bytes == pytest.approx(2 * numbers.read, abs=2) and found.quantized == ""


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        ({"quant_method": "fp8"}, Fraction(8)),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8 + Fraction(32, 128 * 128)),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 4 + Fraction(20, 128)),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "zero_point": False}, 4 + Fraction(16, 64)),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, Fraction(8)),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, 4 + Fraction(20, 32)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4 + Fraction(32, 64)),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
            4 + Fraction(8, 64) + Fraction(32, 64 * 256),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "nvfp4-pack-quantized",
                "config_groups": {
                    "g": {"weights": {"num_bits": 4, "strategy": "tensor_group", "group_size": 16}}
                },
            },
            4 + Fraction(8, 16),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "config_groups": {
                    "g": {
                        "targets": ["Linear"],
                        "weights": {
                            "num_bits": 4,
                            "strategy": "group",
                            "group_size": 128,
                            "symmetric": False,
                        },
                    }
                },
            },
            4 + Fraction(20, 128),
        ),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 4 + Fraction(8, 16)),
        ({"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}, Fraction(8)),
    ],
)
def test_bits(quantization, bits):
    found = weights(quantization)
    assert found.bytes == -(-(bits * LINEAR + 16 * REST) // 8)
    assert found.wide_bytes == 2 * REST


def test_rows_bring_their_scales():
    for quantization, row in (
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 4),
        ({"quant_method": "fbgemm_fp8"}, 4),
    ):
        assert weights(quantization).bytes == LINEAR + LINEAR // 1024 * row + 2 * REST


@pytest.mark.parametrize(
    ("kept", "wide"),
    [
        (["lm_head"], 0),
        (["model.layers.*.self_attn"], 2 * ATTENTION),
        (["model.layers.0.mlp"], FEED),
        (["model.layers.1.mlp.down_proj", "model.layers.0.self_attn.k_proj"], 1024 * 4096 + 1024 * 256),
        (["re:.*q_proj$"], 2 * 1024 * 1024),
        (["model.language_model.layers.0.mlp.gate_proj"], 1024 * 4096),
        (["model.layers.10.mlp"], 0),
        (["*.k_proj", "*mlp.up*"], 2 * (1024 * 256 + 1024 * 4096)),
    ],
)
def test_what_stays_in_16_bits(kept, wide):
    found = weights({"quant_method": "fp8", "modules_to_not_convert": kept})
    assert found.bytes == LINEAR - wide + 2 * (wide + REST)


def test_thousands_of_modules_take_no_time():
    names = [f"model.layers.{i}.self_attn.q_proj" for i in range(20_000)]
    found = weights({"quant_method": "fp8", "modules_to_not_convert": names})
    assert found.bytes == LINEAR + 2 * 1024 * 1024 + 2 * REST


def test_a_gptq_output_matrix():
    found = weights({"quant_method": "gptq", "bits": 8, "group_size": -1, "lm_head": True})
    assert found.bytes == LINEAR + 32000 * 1024 + 2 * (REST - 32000 * 1024)


def test_only_the_experts_of_mxfp4():
    # As published: 65.25 and 13.76 GB of safetensors.
    assert checkpoint("gpt-oss-120b").bytes / GB == pytest.approx(65.25, rel=0.002)
    assert checkpoint("gpt-oss-20b").bytes / GB == pytest.approx(13.76, rel=0.002)
    assert checkpoint("gpt-oss-120b").quantized == "mxfp4"


def test_deepseek_v3_as_published():
    # In blocks of fp8 with an fp32 scale; what an engine loads is some 627 GiB.
    assert checkpoint("deepseek-v3").bytes / 2**30 == pytest.approx(627, abs=0.5)


def test_a_step_reads_the_narrow_weights():
    found = weights({"quant_method": "fp8"})
    assert found.read_bytes == LINEAR + 2 * (REST - 32000 * 1024)


def test_a_cache_scheme_alone_quantizes_no_weights():
    only_the_cache = {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}}
    assert weights(only_the_cache).bytes == 2 * (LINEAR + REST)


@pytest.mark.parametrize(
    "quantization",
    [
        {"quant_method": "aqlm"},
        {"quant_method": "gptq"},
        {"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*": {"bits": 8}}},
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
        {"quant_method": "awq", "group_size": "many"},
        {"quant_method": "fp8", "modules_to_not_convert": ["re:("]},
        {"quant_method": "fp8", "modules_to_not_convert": ["re:(m+)+$"]},
        {"quant_method": "fp8", "modules_to_not_convert": ["re:.*.*.*.*.*.*x"]},
        {
            "quant_method": "compressed-tensors",
            "config_groups": {
                "a": {"weights": {"num_bits": 4, "strategy": "channel"}},
                "b": {"weights": {"num_bits": 8, "strategy": "channel"}},
            },
        },
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"a": {"weights": {"num_bits": 4, "strategy": "x"}}},
        },
    ],
)
def test_refused(quantization):
    with pytest.raises(UnsupportedConfig, match="size of the weights or their dtype"):
        weights(quantization)
    # The layout does not hang on it, and the weights can be said.
    assert checkpoint({**LLAMA, "quantization_config": quantization}, "bf16").bytes == 2 * (LINEAR + REST)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 200), st.floats(), st.text(max_size=8),
    st.lists(st.one_of(st.integers(-3, 3), st.text(max_size=5), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip
FIELDS = (
    "bits", "group_size", "weight_block_size", "modules_to_not_convert", "ignore", "config_groups", "format",
    "dynamic", "lm_head", "load_in_4bit", "quant_algo", "quantization", "exclude_modules", "zero_point",
)  # fmt: skip
METHODS = ("fp8", "awq", "gptq", "bitsandbytes", "mxfp4", "compressed-tensors", "modelopt", "fbgemm_fp8")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(METHODS), st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=4))
def test_whatever_is_written_there(method, fields):
    try:
        found = weights({"quant_method": method, **fields})
    except UnsupportedConfig:
        return
    assert (LINEAR + REST) // 8 <= found.bytes <= 5 * (LINEAR + REST)
    assert 0 < found.read_bytes <= found.bytes and 0 <= found.wide_bytes <= found.bytes


def test_named_formats():
    def of(name):
        return checkpoint(LLAMA, name).bytes

    assert of("fp8") == LINEAR + 2 * REST == of("FP8_E4M3")
    assert of("awq") == -(-(4 + Fraction(20, 128)) * LINEAR // 8) + 2 * REST
    assert of("nvfp4") == LINEAR * 9 // 16 + 2 * REST
    # llama.cpp's types hold for embeddings too.
    assert of("q8_0") == (LINEAR + REST) * 34 // 32
    assert checkpoint("llama-3.1-8b", "Q4_K_M").bytes / 2**30 == pytest.approx(4.58, abs=0.005)
    assert named("fp16") is None and scheme(LLAMA) is None
    with pytest.raises(ValueError, match="unknown dtype"):
        of("int5")


def test_a_given_size():
    found = checkpoint("mixtral-8x7b", weights_bytes=10**9)
    assert (found.bytes, found.quantized) == (10**9, "given")
    numbers = parameters("mixtral-8x7b")
    assert found.read_bytes == pytest.approx(10**9 * numbers.read / numbers.total, abs=2)
    # A family that is not counted is refused without it, and so is a quantization that is not known.
    kimi = {
        "model_type": "kimi_linear", "hidden_size": 2304, "num_hidden_layers": 4, "num_attention_heads": 32,
        "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "vocab_size": 163840,
        "linear_attn_config": {
            "head_dim": 128, "num_heads": 32, "short_conv_kernel_size": 4,
            "full_attn_layers": [4], "kda_layers": [1, 2, 3],
        },
    }  # fmt: skip
    with pytest.raises(UnsupportedConfig, match="does not count its weights"):
        checkpoint(kimi)
    known = checkpoint(kimi, weights_bytes=7)
    assert (known.bytes, known.read_bytes, known.parameters, known.hidden) == (7, 7, None, 2304)
    odd = {**LLAMA, "quantization_config": {"quant_method": "aqlm"}}
    assert checkpoint(odd, weights_bytes=7).bytes == 7


def test_towers():
    assert checkpoint("gemma-3n-e4b").left_out == ("audio_config", "vision_config")
    assert checkpoint("qwen-2.5-vl-7b").left_out == ()
    vision = {**kvlib.config("qwen-2.5-vl-7b"), "audio_config": {"layers": 3}}
    with pytest.raises(UnsupportedConfig, match="audio_config"):
        parameters(vision)
    assert checkpoint(vision).left_out[-1] == "audio_config"
