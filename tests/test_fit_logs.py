"""`kvlib fit`, from model and GPU alone, held to the tokens that engines printed in public reports.

Within 10 % of vLLM of the version named, and never more than 5 % optimistic. One row misses, and says why.
"""

import json

import pytest

import kvlib

from .test_cli import found

# meta-llama/Llama-3.1-405B-FP8 as of July 2024: 16 KV heads (each of the 8 twice); attention, the first and
# the last feed-forward stay in 16 bits.
LAYERS_405B = [f"model.layers.{i}.self_attn.{name}_proj" for i in range(126) for name in "qkvo"]
LAYERS_405B += [f"model.layers.{i}.mlp.{name}_proj" for i in (0, 125) for name in ("gate", "up", "down")]
LLAMA_405B_FP8 = {
    "num_key_value_heads": 16,
    "quantization_config": {
        "quant_method": "fbgemm_fp8",
        "modules_to_not_convert": ["lm_head", *LAYERS_405B],
    },
}
W8A8 = {
    "quantization_config": {
        "quant_method": "compressed-tensors", "format": "int-quantized", "ignore": ["lm_head"],
        "config_groups": {
            "group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel"}},
        },
    }
}  # fmt: skip
BLOCKS = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
QWEN_14B = {
    "model_type": "qwen2", "hidden_size": 5120, "intermediate_size": 13824, "num_attention_heads": 40,
    "num_key_value_heads": 8, "num_hidden_layers": 48, "vocab_size": 152064, "tie_word_embeddings": False,
}  # fmt: skip
CODER_7B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
    "num_key_value_heads": 32, "num_hidden_layers": 32, "vocab_size": 32256, "tie_word_embeddings": False,
}  # fmt: skip

ROWS = {
    "vllm 10517, 20k": ("llama-3.1-8b", {}, "RTX3090", "0.6.4", 20_000, 31_232, []),
    "vllm 10517, 29k": ("llama-3.1-8b", {}, "RTX3090", "0.6.4", 29_000, 23_648, []),
    "vllm 6746": ("llama-3.1-405b", LLAMA_405B_FP8, "H100:8", "0.5.3.post1", 131_072, 79_392, []),
    "vllm 2418": ("gemma-7b", {}, "RTX4090", "0.3.2", 8192, 3664, []),
    "vllm 5248": (CODER_7B, {}, "T4:2", "0.4.2", 16_384, 8112, []),
    "vllm 12569": ("llama-3.1-70b", W8A8, "H100", "0.7.0-v1", 2048, 22_096, ["--utilization", 0.98]),
    "vllm 13061": (QWEN_14B, {}, "RTX4090:2", "0.7.2", 131_072, 81_536, ["--utilization", 0.98]),
    "vllm 21348": ("qwen-3-235b-a22b", BLOCKS, "H100:4", "0.9.2", 40_960, 178_880, []),
    "sglang, in vllm 21348": (
        "qwen-3-235b-a22b", BLOCKS, "H100:4", None, 40_960, 367_404,
        ["--engine", "sglang", "--utilization", 0.93],
    ),
}  # fmt: skip
# vllm 5248 had 4.8 GiB less for its cache than weights and this estimate leave; what took them on a T4 is not
# known, and a version of 2024 cannot be run here.
MISSES = {"vllm 5248": 150}


def fitted(capsys, tmp_path, row):
    """(tokens that fit, what `kvlib fit` answers) for a row."""
    model, changes, card, version, context, _, options = ROWS[row]
    config = {**(kvlib.config(model) if isinstance(model, str) else model), **changes}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    given = ["--engine-version", version] if version else []
    answer = found(capsys, "fit", path, "--gpu", card, "--context", context, *given, *options)
    return answer["max_context"], answer


@pytest.mark.parametrize("row", ROWS)
def test_tokens(capsys, tmp_path, row):
    tokens, _ = fitted(capsys, tmp_path, row)
    error = 100 * (tokens / ROWS[row][5] - 1)
    if row in MISSES:
        assert error == pytest.approx(MISSES[row], abs=2)
    else:
        assert -10 < error < 5, f"{error:+.1f} %"


# What the logs print of the parts, in GiB on each GPU.


@pytest.mark.parametrize(
    ("row", "weights"), [("vllm 10517, 20k", 14.9888), ("vllm 6746", 57.752), ("vllm 12569", 67.7229)]
)
def test_weights_of_the_logs(capsys, tmp_path, row, weights):
    _, answer = fitted(capsys, tmp_path, row)
    assert answer["weights_bytes"] / answer["gpus"] / 2**30 == pytest.approx(weights, rel=0.003)


@pytest.mark.parametrize(("row", "peak"), [("vllm 10517, 20k", 17.06), ("vllm 10517, 29k", 17.98)])
def test_the_peak_of_a_profiling_run(capsys, tmp_path, row, peak):
    _, answer = fitted(capsys, tmp_path, row)
    activations = next(part for part in answer["overhead_parts"] if part["name"] == "activations")
    assert activations["bytes"] / 2**30 == pytest.approx(peak - 14.9888, abs=0.015)


def test_the_default_of_today(capsys):
    # LMCache 3430: Qwen3 8B on a card of 23.53 GiB, vLLM 0.21: 0.52 GiB of graphs, 6.37 GiB for the cache,
    # which the estimate's kernels and graphs are taken from.
    answer = found(
        capsys, "fit", "qwen-3-8b", "--gpu", "23.53GiB@936GB/s", "--context", 16384, "--utilization", 0.9764
    )
    assert answer["room_bytes"] / 2**30 == pytest.approx(6.37, abs=0.01)
