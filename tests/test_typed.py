"""What people type: contexts, dtypes, GPUs and models by the names that they know; and anything else."""

import json
import random
import time

import pytest

import kvlib

from .cli_fuzz import command
from .test_cli import answer, found

LLAMA = "llama-3.1-8b"


@pytest.mark.parametrize(
    ("typed", "tokens"),
    [("128k", 128_000), ("128Ki", 131_072), ("8_192", 8192), ("8,192", 8192), ("32K", 32_768)],
)
def test_contexts(capsys, typed, tokens):
    assert found(capsys, "size", LLAMA, "--context", typed)["bytes"] == tokens * 131_072


@pytest.mark.parametrize(
    ("options", "kept", "each"),
    [
        (["--dtype", "FP8"], "fp8", 65_536),
        (["--dtype", "fp8_e4m3fn"], "fp8", 65_536),
        (["--dtype", "torch.bfloat16"], "bf16", 131_072),
        (["--dtype", "f16"], "fp16", 131_072),
        (["--dtype", "nvfp4"], "nvfp4", 36_864),
        (["--engine", "vllm", "--kv-cache-dtype", "fp16"], "fp16", 131_072),
        (["--engine", "vLLM", "--kv-cache-dtype", "FP8_E5M2"], "fp8_e5m2", 65_536),
        (["--engine", "sglang", "--kv-cache-dtype", "fp8_e4m3"], "fp8", 65_536),
        (["--engine", "llamacpp", "--cache-type-k", "Q8_0", "--cache-type-v", "q4_0"], "q8_0/q4_0", 53_248),
        (["--engine", "llama_cpp"], "bf16", 131_072),
    ],
)
def test_dtypes_by_any_engines_name(capsys, options, kept, each):
    size = found(capsys, "size", LLAMA, "--context", 1024, *options)
    assert (size["dtype"], size["per_token"]) == (kept, each)


@pytest.mark.parametrize(
    ("typed", "card", "gpus"),
    [
        ("RTX 4090", "RTX4090", 1), ("4090:2", "RTX4090", 2), ("2x4090", "RTX4090", 2),
        ("8 x H100", "H100", 8),
        ("4090 x2", "RTX4090", 2), ("RTX3090", "RTX3090", 1),
        ("M4 Max 64GB", "M4 Max 64GB", 1),
        ("48GiB@1.0TB/s:2", "48GiB@1.0TB/s", 2),
    ],
)  # fmt: skip
def test_gpus_and_how_many(capsys, typed, card, gpus):
    fit = found(capsys, "fit", LLAMA, "--gpu", typed, "--context", 1024)
    assert (fit["gpu"], fit["gpus"]) == (card, gpus)


def test_an_apple_chip_is_counted_as_llama_cpp_allocates(capsys):
    fit = found(capsys, "fit", LLAMA, "--gpu", "M2 Max 32GB", "--context", 8192, "--weights-dtype", "q4_k_m")
    assert (fit["engine"], fit["gpu_memory_bytes"]) == ("llama.cpp", 32 * 2**31 // 3)
    assert [part["name"] for part in fit["overhead_parts"]] == ["compute buffer"]
    assert (
        found(capsys, "fit", LLAMA, "--gpu", "M2 Max 32GB", "--context", 9, "--engine", "vllm")["engine"]
        == "vllm"
    )


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        ("meta-llama/Llama-3.1-8B", LLAMA), ("https://huggingface.co/meta-llama/Llama-3.1-8B", LLAMA),
        ("https://huggingface.co/meta-llama/Llama-3.1-8B/tree/main", LLAMA), ("Llama 3.1 8B", LLAMA),
        ("llama3.1:8b", LLAMA), ("Qwen3 8B", "qwen-3-8b"), ("qwen3-8b", "qwen-3-8b"), ("GPT-2", "gpt2"),
    ],
)  # fmt: skip
def test_models_as_people_spell_them(typed, model):
    layout = kvlib.layout(typed)
    assert (layout.name, layout.layers) == (model, kvlib.layout(model).layers)


def test_an_id_that_is_not_shipped_is_answered_with_how_to_get_its_config(capsys):
    _, _, err = answer(capsys, "size", "meta-llama/Llama-3.1-8B-Instruct", "--context", 8192)
    assert "did you mean" in err and len(err) < 500
    assert (
        "`hf download meta-llama/Llama-3.1-8B-Instruct config.json --local-dir Llama-3.1-8B-Instruct`" in err
    )


def test_a_folder_and_a_byte_order_mark(capsys, tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(kvlib.config("gpt2")).encode())
    assert found(capsys, "size", tmp_path, "--context", 512)["per_token"] == 36_864


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (["siez", LLAMA], "did you mean size"),
        (["size", LLAMA, "--contxt", "8"], "--context"),
        (["size", "lama-3.1-8b", "--context", "8"], "llama-3.1-8b"),
        (["size", LLAMA, "--context", "1e5"], "128k (128,000)"),
        (["fit", LLAMA, "--gpu", "RTX", "--context", "8k"], "RTX4090"),
        (["fit", LLAMA, "--gpu", "M4 Max", "--context", "8k"], "M4 Max comes with 36, 48, 64, 128 GB"),
        (["size", LLAMA, "--context", "8", "--dtype", "q8"], "q8_0"),
    ],
)
def test_a_typo_is_answered_with_what_is_right(capsys, line, hint):
    status, out, err = answer(capsys, *line)
    assert (status, out) == (2, "") and hint in err and len(err) < 2000


def test_two_thousand_command_lines(capsys, monkeypatch, tmp_path):
    """An answer or a line that says what is wrong; no traceback, and none takes two seconds of work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    rng, answered = random.Random(8), 0
    for _ in range(2000):
        line, began = command(rng), time.process_time()
        status, out, err = answer(capsys, *line)
        assert time.process_time() - began < 2, line
        assert status == 0 or (status == 2 and err.strip()), line
        assert "Traceback" not in err and len(err) < 20_000, line
        answered += status == 0
    assert answered > 100
