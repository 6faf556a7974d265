"""All that the engines' policies know, said at the command line; and `fit`, line by line."""

import json
import re

import pytest

import kvlib
from kvlib.budget import Budget
from kvlib.configs import checkpoint
from kvlib.engines import engine
from kvlib.hardware import gpu
from kvlib.units import GiB, MiB, fmt

from .test_cli import LLAMA, answer, found


@pytest.mark.parametrize(
    ("model", "options", "policy", "dtype", "per_token"),
    [
        ("qwen-3-8b", ["--engine", "vllm", "--pp", 2], engine("vllm", pp=2), "bf16", 147_456),
        (
            "gpt-oss-20b", ["--engine", "vllm", "--max-num-batched-tokens", 512],
            engine("vllm", max_num_batched_tokens=512), "bf16", 49_152,
        ),
        (
            "qwen-3-next-80b", ["--engine", "vllm", "--no-prefix-caching", "--kv-cache-dtype", "FP8"],
            engine("vllm", prefix_caching=False, kv_cache_dtype="fp8"), "fp8", 12_288,
        ),
        (
            "nemotron-h-8b", ["--engine", "vllm", "--state-checkpoints", 0],
            engine("vllm", checkpoints=0), "bf16", 16_384,
        ),
        (
            "gemma-3-1b", ["--engine", "vllm", "--no-hybrid", "--no-async-scheduling"],
            engine("vllm", hybrid=False, async_scheduling=False), "bf16", 26_624,
        ),
        (
            "gpt-oss-20b", ["--engine", "sglang", "--swa-ratio", 0.5],
            engine("sglang", swa_full_tokens_ratio=0.5), "bf16", 36_864,
        ),
        (
            "qwen-3-8b", ["--engine", "vllm", "--kv-cache-dtype", "nvfp4"],
            engine("vllm", kv_cache_dtype="nvfp4"), "nvfp4", 41_472,
        ),
        (
            "deepseek-v3", ["--engine", "vllm", "--mla-expanded"],
            engine("vllm", mla_absorbed=False), "bf16", 5_996_544,
        ),
        (
            "qwen-3-8b", ["--engine", "sglang", "--tp", 2, "--block-size", 64],
            engine("sglang", tp=2, page_size=64), "bf16", 147_456,
        ),
        (
            "qwen-3-8b", ["--engine", "SGLang", "--kv-cache-dtype", "fp8_e5m2"],
            engine("sglang"), "fp8", 73_728,
        ),
        (
            LLAMA, ["--engine", "llama.cpp", "--cache-type-k", "q8_0", "--cache-type-v", "iq4_nl"],
            engine("llama.cpp", type_k="q8_0", type_v="iq4_nl"), "q8_0/iq4_nl", 53_248,
        ),
        (
            "gemma-3-1b", ["--engine", "llama.cpp", "--ubatch", 64, "--unified"],
            engine("llama.cpp", n_ubatch=64, unified=True), "bf16", 26_624,
        ),
        (
            "gemma-3-1b", ["--engine", "llama.cpp", "--swa-full"],
            engine("llama.cpp", swa_full=True), "bf16", 26_624,
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["size"], ["fit", "--gpu", "H200:8"]])
def test_options_reach_the_engine(capsys, command, model, options, policy, dtype, per_token):
    if command[0] == "fit":
        if "--tp" in options:
            command = ["fit", "--gpu", "H200:2"]
        elif policy.name in ("vllm", "sglang"):
            command = ["fit", "--gpu", f"H200:{policy.gpus}"]
            if policy.name == "vllm" and "--max-num-batched-tokens" not in options:
                policy = engine(policy, max_num_batched_tokens=8192)  # its own on this card
    shown = found(capsys, command[0], model, *command[1:], "--context", 3000, "--batch", 2, *options)
    asked = dtype if policy.name == "sglang" else "bf16"
    layout = kvlib.layout(model)
    assert (shown["engine"], shown["dtype"], shown["per_token"]) == (policy.name, dtype, per_token)
    assert shown["bytes"] == policy.bytes(layout, 3000, 2, asked)
    assert shown["per_token"] == policy.bytes_per_token(layout, asked)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "ideal", "--pp", 2], "unknown option of engine ideal: 'pp'"),
        (["--engine", "llama.cpp", "--tp", 2], "unknown option of engine llama.cpp: 'tp'; did you mean type"),
        (["--engine", "vllm", "--ubatch", 2], "unknown option of engine vllm: 'n_ubatch'"),
        (["--engine", "vllm", "--cache-type-k", "q8_0"], "unknown option of engine vllm: 'type_k'"),
        (["--engine", "sglang", "--max-num-batched-tokens", 2], "unknown option of engine sglang"),
        (["--engine", "llama.cpp", "--cache-type-v", "q9_0"], "did you mean q8_0"),
        (["--engine", "vllm", "--kv-cache-dtype", "fp7"], "did you mean fp8"),
    ],
)
def test_refusals(capsys, options, said):
    status, out, err = answer(capsys, "size", LLAMA, "--context", 1, *options)
    assert (status, out) == (2, "") and said in err and len(err.splitlines()) == 1


def test_where_every_gib_goes(capsys):
    args = ["fit", LLAMA, "--gpu", "RTX3090", "--context", 8192]
    shown = found(capsys, *args)
    _, text, _ = answer(capsys, *args)
    card = gpu("RTX3090")
    # Each line has its GiB and the option that replaces it; together they are the card.
    lines = dict(re.findall(r"^(\w+)  +([\d.]+) GiB .*\(--", text, re.MULTILINE))
    assert list(lines) == ["memory", "usable", "weights", "overhead", "cache"]
    free = float(re.search(r"^free +([\d.]+) GiB", text, re.MULTILINE)[1])
    spent = sum(float(lines[name]) for name in ("weights", "overhead", "cache")) + free
    assert spent == pytest.approx(float(lines["usable"]), abs=0.003)
    rest = card.memory - shown["usable_bytes"]
    assert f"\n  not usable: {fmt(rest)} (" in text and "cuda context 522.24 MiB" in text
    for part, flag in (("activations", "--activations"), ("kernels", "--kernels"), ("graphs", "--graphs")):
        assert re.search(rf"^  {part} .+ \({flag}\)$", text, re.MULTILINE)
    assert "0.92 of the memory, its default in vLLM 0.33.0 (--utilization)" in text
    assert "8,030,261,248 parameters in bf16 (--weights-dtype, --weights)" in text


def test_each_line_can_be_replaced(capsys):
    args = ["fit", LLAMA, "--gpu", "H100:2", "--context", 8192]
    sizes = ["--activations", "1GiB", "--kernels", "0", "--graphs", "0.5", "--communication", "100MiB"]
    shown = found(capsys, *args, *sizes, "--weights", "20GiB", "--utilization", 0.5)
    assert shown["overhead_bytes"] == 2 * (GiB + GiB // 2)
    assert {part["name"]: part["source"] for part in shown["overhead_parts"]} == dict.fromkeys(
        ("activations", "kernels", "graphs"), "given"
    )
    assert {"name": "communication", "bytes": 100 * MiB, "source": "given"} in shown["outside_parts"]
    more = found(capsys, *args, *sizes, "--logits", "1GiB")  # a part that this version has not
    assert more["overhead_bytes"] == shown["overhead_bytes"] + 2 * GiB
    assert shown["usable_bytes"] == gpu("H100").memory
    assert shown["room_bytes"] == shown["usable_bytes"] - 20 * GiB - shown["overhead_bytes"]
    _, text, _ = answer(capsys, *args, *sizes, "--weights", "20GiB")
    assert "\nweights   20 GiB (21.475 GB), as given (" in text
    assert "\n  graphs 512 MiB on each of 2 GPUs: given (--graphs)\n" in text
    whole = found(capsys, *args, *sizes, "--overhead", "3GiB")
    assert (whole["overhead_bytes"], whole["overhead_parts"]) == (3 * GiB, [])


def test_the_batch_decides_the_activations(capsys):
    args = ["fit", LLAMA, "--gpu", "RTX4090", "--context", 8192]

    def activations(*options):
        parts = found(capsys, *args, *options)["overhead_parts"]
        return next(part["bytes"] for part in parts if part["name"] == "activations")

    hidden = 2 * 2048 * 4096
    assert activations() == hidden + 14 * 256 * 128_256
    # Few sequences: the widest layer is more than their logits.
    widest = 2 * 2048 * (3 * 4096 + 3 * 14_336)
    assert activations("--batch", 4) == activations("--max-num-seqs", 4) == widest
    assert activations("--max-num-batched-tokens", 4096, "--batch", 4) == 2 * widest
    assert activations("--engine-version", "0.6.4") == hidden * 4 + 39 * 256 * 128_256


def test_the_line_that_serves_is_what_was_counted(capsys):
    options = ["--pp", 2, "--max-num-batched-tokens", 1024, "--max-num-seqs", 8]
    line = found(capsys, "fit", LLAMA, "--gpu", "H100:4", "--context", 4096, *options)["vllm"]
    assert line == (
        "vllm serve meta-llama/Llama-3.1-8B --max-model-len 4096 --max-num-seqs 8 --kv-cache-dtype bfloat16 "
        "--tensor-parallel-size 2 --pipeline-parallel-size 2 --gpu-memory-utilization 0.92 "
        "--max-num-batched-tokens 1024"
    )
    options = ["--no-prefix-caching", "--no-hybrid", "--no-async-scheduling"]
    line = found(capsys, "fit", LLAMA, "--gpu", "H100", "--context", 4096, *options)["vllm"]
    assert line.endswith("--no-enable-prefix-caching --disable-hybrid-kv-cache-manager --no-async-scheduling")
    args = ["fit", "deepseek-v2-lite", "--gpu", "H100", "--context", 4096, "--mla-expanded"]
    assert found(capsys, *args)["vllm"].startswith("VLLM_MLA_DISABLE=1 vllm serve deepseek-ai/")
    many = found(capsys, "fit", "smollm2-135m", "--gpu", "H100", "--context", 100)
    assert many["max_sequences"] > 1024 and "--max-num-seqs 1024 " in many["vllm"]


def test_a_config_of_another_name(capsys, tmp_path):
    path = tmp_path / "awq.json"
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128}
    path.write_text(json.dumps({**kvlib.config(LLAMA), "quantization_config": awq}))
    args = ["fit", path, "--gpu", "T4", "--context", 1024]
    shown = found(capsys, *args)
    assert shown["vllm"].startswith("vllm serve MODEL ") and shown["weights_format"] == "awq 4-bit"
    assert shown["weights_bytes"] == checkpoint(path).bytes == checkpoint(LLAMA, "awq").bytes
    _, text, _ = answer(capsys, *args)
    wide = fmt(shown["weights_wide_bytes"])
    assert f"parameters in awq 4-bit, of which {wide} stay in 16 bits" in text
    assert "(MODEL: the folder or the Hugging Face id of " in text


def test_weights_that_are_not_counted_can_be_said(capsys, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**kvlib.config(LLAMA), "quantization_config": {"quant_method": "aqlm"}}))
    args = ["fit", path, "--gpu", "T4", "--context", 1024]
    status, out, err = answer(capsys, *args)
    assert (status, out) == (2, "") and "give the size of the weights or their dtype" in err
    assert found(capsys, *args, "--weights", "3GiB")["weights_bytes"] == 3 * GiB
    assert found(capsys, *args, "--weights-dtype", "int4")["weights_format"] == "int4"


def test_towers_are_named(capsys):
    shown = found(capsys, "fit", "gemma-3n-e4b", "--gpu", "L4", "--context", 100)
    assert shown["weights_left_out"] == ["audio_config", "vision_config"]
    _, text, _ = answer(capsys, "fit", "gemma-3n-e4b", "--gpu", "L4", "--context", 100)
    assert "\n  without vision_config: the size of this tower is not known" in text


def test_a_card_of_ones_own(capsys):
    shown = found(capsys, "fit", LLAMA, "--gpu", "48GiB@1TB/s:2", "--context", 100)
    assert (shown["gpu"], shown["gpus"], shown["gpu_memory_bytes"]) == ("48GiB@1TB/s", 2, 48 * GiB)
    assert shown["decode_floor_seconds"] == pytest.approx(
        (shown["weights_read_bytes"] + shown["cache_read_bytes"]) / 2e12
    )


def test_other_engines_spend_otherwise(capsys):
    shown = found(capsys, "fit", LLAMA, "--gpu", "24GiB@1TB/s", "--context", 8192, "--engine", "llama.cpp")
    assert (shown["utilization"], shown["overhead_parts"][0]["bytes"]) == (1, 512 * 4 * (128_256 + 4096))
    shown = found(capsys, "fit", LLAMA, "--gpu", "H100", "--context", 8192, "--engine", "sglang")
    assert (shown["utilization"], shown["engine_version"]) == (0.828, None)
    assert [part["name"] for part in shown["outside_parts"]] == ["activations and graphs"]
    budget = Budget(
        kvlib.layout(LLAMA), shown["weights_bytes"], "H100", utilization=0.828,
        overhead_bytes=shown["overhead_bytes"], engine="sglang",
    )  # fmt: skip
    assert shown["max_context"] == budget.max_context()


def test_states_by_card_and_version(capsys):
    layout = kvlib.layout("qwen-3-next-80b")

    def state(card, *options):
        return found(capsys, "fit", "qwen-3-next-80b", "--gpu", card, "--context", 100, *options)[
            "state_bytes"
        ]

    # Hopper has a checkpoint beside two blocks, and blocks in 64s; Ampere and older versions have not.
    hopper = engine("vllm", checkpoints=1, block_size=64)
    assert state("H100") == hopper.breakdown(layout, 100).state
    assert state("A100-80GB") == engine("vllm", checkpoints=0).breakdown(layout, 100).state
    assert state("H100", "--engine-version", "0.26.0") == state("A100-80GB")
    assert state("H100", "--state-checkpoints", 0, "--block-size", 16) == state("A100-80GB")
    once = engine("vllm", prefix_caching=False).breakdown(layout, 100).state
    assert state("H100", "--no-prefix-caching") == once


def test_a_share_that_is_not_free(capsys):
    args = ["fit", LLAMA, "--gpu", "RTX4090:2", "--context", 8192, "--utilization", 0.98]
    shown = found(capsys, *args)
    # CUDA's 0.51 GiB and NCCL's 0.39 are more than 2 % of 23.64.
    short = shown["startup_short_by"] / GiB
    assert short == pytest.approx(0.9 - 0.02 * 23.64, abs=0.001) and shown["vllm"] is None
    _, text, _ = answer(capsys, *args)
    assert "\n  vllm would not start: " in text and "(--utilization at most 0.96)" in text
    at_most = found(capsys, *args[:-1], 0.96)
    assert at_most["startup_short_by"] == 0 and at_most["vllm"]
    # Told that they take less, or as an older version, which did not look.
    assert found(capsys, *args, "--cuda-context", "0", "--communication", "0")["startup_short_by"] == 0
    assert found(capsys, *args, "--engine-version", "0.9.2")["startup_short_by"] == 0
    outside = found(capsys, *args[:-2], "--cuda-context", "1GiB")
    assert outside["outside_parts"][0] == {"name": "cuda context", "bytes": GiB, "source": "given"}
    assert outside["overhead_bytes"] == found(capsys, *args[:-2])["overhead_bytes"]
