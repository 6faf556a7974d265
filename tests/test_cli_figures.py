"""Every figure that `size` and `fit` print, for every shipped model under every engine, holds together."""

import json
import math
import re
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

import kvlib
from kvlib.cli.options import both
from kvlib.engines import ENGINES, engine
from kvlib.hardware import gpu
from kvlib.units import fmt

from .test_cli import answer

BATCH, CONTEXT, SOURCE = 3, 300, 77


@cache
def layout_of(model):
    return kvlib.layout(model)


def arguments(command, model, name):
    source = ["--source-len", SOURCE] if layout_of(model).needs_source_len else []
    given = [command, model, "--context", CONTEXT, "--batch", BATCH, "--engine", name, *source]
    return given + (["--gpu", "H100:1"] if command == "fit" else [])


def printed(capsys, args):
    """(json, text) of a command, or None where the engine refuses the model."""
    status, out, err = answer(capsys, *args, "--json")
    if status:
        assert (status, out) == (2, "") and re.match("kvlib: (engine|tp|head_dim)", err), err
        return None
    status, text, _ = answer(capsys, *args)
    assert status == 0
    return json.loads(out), text


def holds_together(found, policy, layout, dtype="bf16"):
    """What holds of size and fit alike."""
    source = SOURCE if layout.needs_source_len else None
    given = (layout, CONTEXT, BATCH, dtype, source)
    assert found["bytes"] == policy.bytes(*given) == policy.breakdown(*given).total
    assert found["bytes"] == found["tokens_bytes"] + found["state_bytes"] + found["cross_bytes"]
    assert found["per_token"] == policy.bytes_per_token(layout, dtype)
    assert found["dtype"] == policy.stored_as(dtype)
    if all(layer.window is None for layer in layout.layers):
        layout = replace(layout, max_context=None)
        # A whole number of each layer's blocks or cells, so that a difference is one too.
        step = math.lcm(
            *(row.tokens for row in policy.rows(layout, 1, 1, dtype, source) if row.part == "tokens")
        )
        rise = policy.bytes(layout, step + 1, 1, dtype, source) - policy.bytes(layout, 1, 1, dtype, source)
        assert found["per_token"] * step == rise


@pytest.mark.parametrize("name", ENGINES)
def test_size(capsys, name):
    counted = 0
    for model in kvlib.models():
        layout = layout_of(model)
        shown = printed(capsys, arguments("size", model, name))
        if shown is None:
            continue
        counted += 1
        found, text = shown
        holds_together(found, engine(name), layout)
        for part in ("tokens", "state", "cross"):
            of_part = sum(row["bytes"] for row in found["rows"] if row["part"] == part)
            assert of_part == found[f"{part}_bytes"], (model, part)
        if name == "ideal":
            source = SOURCE if layout.needs_source_len else None
            assert found["bytes"] == layout.bytes(CONTEXT, BATCH, "bf16", source)
        assert f"total {found['bytes']:,} bytes" in text and f"{found['per_token']:,} bytes =" in text
        for row in found["rows"]:
            assert f"{row['bytes']:,} bytes\n" in text
        for part in ("state", "cross"):
            assert (f"  {part} {found[f'{part}_bytes']:,} bytes" in text) == (
                found["state_bytes"] > 0 if part == "state" else layout.needs_source_len
            ), (model, part)
    assert counted > (90 if name in ("ideal", "transformers") else 60) * len(kvlib.models()) // 100


# What an engine takes of the memory unless told, and what it spends of that beside weights and cache.
SHARES = {"ideal": 0.9, "transformers": 0.9, "vllm": 0.92, "llama.cpp": 1}
SPENT = {
    "vllm": {"activations", "kernels", "graphs"},
    "sglang": {"cuda context"},
    "llama.cpp": {"compute buffer", "cuda context"},
}


@pytest.mark.parametrize("name", ENGINES)
def test_fit(capsys, name):
    for model in kvlib.models():
        shown = printed(capsys, arguments("fit", model, name))
        if shown is None:
            continue
        found, text = shown
        layout = layout_of(model)
        options = {"max_num_batched_tokens": 8192} if name == "vllm" else {}
        if name == "vllm" and layout.architecture == "qwen3_next":
            options |= {"checkpoints": 1, "block_size": 64}  # as on every Hopper
        policy = engine(name, **options)
        holds_together(found, policy, layout)
        assert found["cache_bytes"] == found["bytes"]
        card = gpu(found["gpu"])
        assert found["gpu_memory_bytes"] == card.memory
        assert SHARES.get(name, found["utilization"]) == found["utilization"] <= 1
        assert found["usable_bytes"] == math.floor(Fraction(str(found["utilization"])) * card.memory)
        parts = found["overhead_parts"]
        assert found["overhead_bytes"] == sum(part["bytes"] for part in parts)
        assert {part["name"] for part in parts} >= SPENT.get(name, set())
        for part in parts:
            flag = "--" + part["name"].replace(" ", "-")
            assert re.search(f"\n  {part['name']} {re.escape(fmt(part['bytes']))}: .+ \\({flag}\\)\n", text)
        spent = found["weights_bytes"] + found["overhead_bytes"]
        assert found["room_bytes"] == max(0, found["usable_bytes"] - spent)
        missing = spent + found["bytes"] - found["usable_bytes"]
        assert found["short_by"] == max(0, missing) and found["fits"] == (missing <= 0)
        read = found["weights_read_bytes"] + found["cache_read_bytes"]
        assert found["decode_floor_seconds"] == pytest.approx(read / card.bandwidth)
        assert found["tokens_per_second"] == pytest.approx(BATCH / found["decode_floor_seconds"])
        assert found["weights_read_bytes"] <= found["weights_bytes"]
        at_limits(found, layout, policy)
        for figure in ("usable", "weights", "overhead", "cache"):
            assert re.search(f"\n{figure} +{re.escape(both(found[f'{figure}_bytes']))}", text), figure
        most = found["max_sequences"]
        assert f"tokens: {'no end' if most is None else f'{most:,}'}\n" in text


def at_limits(found, layout, policy):
    """What fits is what the bytes say: the most that fits does, and one more does not."""
    source = SOURCE if layout.needs_source_len else None
    layout = replace(layout, max_context=None)
    if found["max_sequences"]:
        at = [policy.bytes(layout, CONTEXT, found["max_sequences"] + n, "bf16", source) for n in (0, 1)]
        assert at[0] <= found["room_bytes"] < at[1]
    if found["max_context"]:
        at = [policy.bytes(layout, found["max_context"] + n, BATCH, "bf16", source) for n in (0, 1)]
        assert at[0] <= found["room_bytes"] < at[1]


@pytest.mark.parametrize(
    ("options", "policy", "dtype", "per_token"),
    [
        (["--kv-cache-dtype", "fp8"], {"kv_cache_dtype": "fp8"}, "fp8", 73_728),
        (["--kv-cache-dtype", "fp8", "--tp", 16], {"kv_cache_dtype": "fp8", "tp": 16}, "fp8", 147_456),
        (["--tp", 16], {"tp": 16}, "bf16", 294_912),
        (["--kv-cache-dtype", "bfloat16"], {"kv_cache_dtype": "bfloat16"}, "bf16", 147_456),
        (
            ["--kv-cache-dtype", "fp8_per_token_head"],
            {"kv_cache_dtype": "fp8_per_token_head"},
            "fp8_per_token_head",
            76_032,
        ),
        (["--dtype", "fp8", "--block-size", 64], {"block_size": 64}, "fp8", 73_728),
    ],
)
def test_under_vllm_the_dtype_and_a_tokens_bytes_are_the_engines(capsys, options, policy, dtype, per_token):
    args = ["size", "qwen-3-8b", "--context", 8192, "--engine", "vllm", *options]
    found, text = printed(capsys, args)
    assert (found["dtype"], found["per_token"]) == (dtype, per_token)
    assert found["bytes"] == 8192 * per_token == sum(row["bytes"] for row in found["rows"])
    asked = "fp8" if "--dtype" in options else "bf16"
    assert found["bytes"] == engine("vllm", **policy).bytes(kvlib.layout("qwen-3-8b"), 8192, dtype=asked)
    assert f"8,192 tokens, {dtype}, engine vllm" in text
    if "--tp" in options:
        assert "bytes per token as vllm keeps it" in text  # not heads × numbers × bytes: there are copies


# llama.cpp 1862's report and the small configs of other engines' states, by hand.


@pytest.mark.parametrize(
    ("model", "name", "batch", "state"),
    [
        ("mamba-codestral-7b", "vllm", 1, 138_149_888),
        ("mamba-codestral-7b", "transformers", 1, 273_678_336),
        # 64 layers × (10,240 channels × 3 inputs + 8,192 × 128 numbers) × 4 bytes
        ("mamba-codestral-7b", "llama.cpp", 2, 2 * 64 * (10_240 * 3 + 8_192 * 128) * 4),
    ],
)
def test_state_is_that_of_the_engine(capsys, model, name, batch, state):
    found, text = printed(capsys, ["size", model, "--context", 8192, "--batch", batch, "--engine", name])
    assert (found["state_bytes"], found["bytes"]) == (state, state)
    assert f"state {state:,} bytes" in text


DELTA_NET = {
    "model_type": "qwen3_5_text",
    "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "full_attention_interval": 4,
    "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    "vocab_size": 1000, "intermediate_size": 2048,
}  # fmt: skip
SMALL = {
    **DELTA_NET, "num_hidden_layers": 8, "hidden_size": 1024,
    "linear_num_key_heads": 4, "linear_num_value_heads": 8,
}  # fmt: skip
# The layers of Qwen3.6 27B that count here: 48 of 64 are gated delta nets.
QWEN_27B = {
    **DELTA_NET, "num_hidden_layers": 64, "hidden_size": 5120,
    "linear_num_key_heads": 16, "linear_num_value_heads": 48,
}  # fmt: skip


def test_state_of_gated_delta_nets(tmp_path, capsys):
    for config, name, batch, state in (
        (SMALL, "transformers", 1, 3_244_032),
        (SMALL, "llama.cpp", 1, 3_293_184),
        (QWEN_27B, "llama.cpp", 4, int(598.5 * 2**20)),  # as lmstudio-bug-tracker 1862 prints it
    ):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        found, _ = printed(capsys, ["size", path, "--context", 100, "--engine", name, "--batch", batch])
        assert found["state_bytes"] == state


@pytest.mark.parametrize(
    ("model", "card", "context", "source", "cache", "sequences"),
    [
        # 40 GB cards have 39.5 GiB for CUDA, so one sequence fewer fits than in 40 GiB without a picture.
        ("llama-3.2-11b-vision", "A100-40GB", 8192, 6404, 8192 * 131_072 + 6404 * 32_768, 13),
        ("llama-3.2-11b-vision", "A100-40GB", 8192, 0, 8192 * 131_072, 15),
        ("t5-base", "T4", 512, 512, 1024 * 36_864, 360),
        # vLLM: blocks of 16, and its own overhead
        ("whisper-large-v3", "T4", 448, 1500, (448 + 1504) * 163_840, 32),
    ],
)
def test_fit_counts_cross_attention(capsys, model, card, context, source, cache, sequences):
    args = ["fit", model, "--gpu", card, "--context", context]
    status, out, err = answer(capsys, *args)
    assert (status, out) == (2, "") and "source_len is needed" in err and "--source-len" in err
    found, text = printed(capsys, [*args, "--source-len", source])
    assert (found["cache_bytes"], found["max_sequences"]) == (cache, sequences)
    assert f"for a source of {source:,} tokens" in text


def test_fit_reads_only_what_a_step_must(capsys):
    args = ["fit", "mixtral-8x7b", "--gpu", "H100:2", "--context", "8Ki", "--batch"]
    numbers = kvlib.parameters("mixtral-8x7b")
    one, text = printed(capsys, [*args, 1])
    assert one["weights_read_bytes"] == 2 * (numbers.active - numbers.embedding) and "of experts" not in text
    assert f"reads {both(one['weights_read_bytes'])} of weights" in text
    four, text = printed(capsys, [*args, 4])
    assert four["weights_read_bytes"] == one["weights_read_bytes"] and "others read more" in text


@pytest.mark.parametrize("command", [["size"], ["fit", "--gpu", "H100"]])
def test_a_checkpoint_that_quantizes_its_cache_wants_the_dtype_said(capsys, tmp_path, command):
    scheme = {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**kvlib.config("llama-3.1-8b"), "quantization_config": scheme}))
    args = [command[0], path, *command[1:], "--context", 4096]
    status, out, err = answer(capsys, *args)
    assert (status, out) == (2, "") and "kv_cache_scheme" in err and "dtype" in err
    for options in (["--dtype", "fp8"], ["--engine", "vllm", "--kv-cache-dtype", "fp8"]):
        found, _ = printed(capsys, [*args, *options])
        assert (found["dtype"], found["bytes"]) == ("fp8", 4096 * 65_536)


def test_fit_says_what_card_it_counts(capsys):
    found, text = printed(capsys, ["fit", "llama-3.1-8b", "--gpu", "RTX4090", "--context", "8Ki"])
    assert found["context"] == 8192 and found["gpu_memory_bytes"] == round(23.64 * 2**30)
    assert "(23.64 GiB as CUDA reports it, 1.008 TB/s each)" in text and "torch" in found["gpu_memory_source"]


def test_fit_reads_sizes(capsys):
    args = ["fit", "llama-3.1-8b", "--gpu", "H100", "--context", "128Ki", "--overhead"]
    for given, nbytes in (("1.5", 3 * 2**29), ("1.5GiB", 3 * 2**29), ("2GB", 2 * 10**9), ("0", 0)):
        found, _ = printed(capsys, [*args, given])
        assert (found["context"], found["overhead_bytes"]) == (131072, nbytes)
