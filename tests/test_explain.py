"""`kvlib explain` on lines of public reports, and on what nobody should paste."""

import json
import random
import re
import time

import pytest

import kvlib
from kvlib.cli import main
from kvlib.engines import engine
from kvlib.explain import Explanation, explain
from kvlib.units import GiB

from .engine_lines import LINES, OLLAMA, TORCH, VLLM
from .test_cli import answer, run

LLAMA = kvlib.layout("llama-3.1-8b")
CASES = [(kind, report) for kind, of in LINES.items() for report in of]


def explained(kind, report) -> Explanation:
    text, options, _ = LINES[kind][report]
    return explain(text, **options)


def test_there_are_enough_lines():
    assert len(CASES) >= 25
    engines = {explained(kind, report).engine for kind, report in CASES}
    assert engines == {"vllm", "sglang", "llama.cpp", "ollama", "tensorrt-llm", "torch"}


@pytest.mark.parametrize(("kind", "report"), CASES, ids=[report for _, report in CASES])
def test_a_public_line(kind, report):
    found = explained(kind, report)
    text = found.text()
    for said in LINES[kind][report][2]:
        assert said in text, f"{said!r} is not in\n{text}"
    assert found.facts and not found.unread, text


@pytest.mark.parametrize("report, printed", [("vllm 10517, 20k", 1952 * 16), ("vllm 10517, 29k", 1478 * 16)])
def test_what_a_flag_makes_of_the_cache_is_what_was_printed_and_what_it_buys(report, printed):
    bought = [flag for flag in explained("vllm", report).flags if flag.tokens]
    assert len(bought) >= 2
    for flag in bought:
        assert f"{printed + flag.tokens:,} in all" in flag.why


@pytest.mark.parametrize(("kind", "report"), CASES, ids=[report for _, report in CASES])
def test_an_answer_has_at_most_two_sentences_and_every_flag_says_what_it_does(kind, report):
    found = explained(kind, report)
    assert found.verdict.endswith(".") and len(re.findall(r"[.!?](?= |$)", found.verdict)) <= 2, found.verdict
    assert len(found.verdict) < 320
    for flag in found.flags:
        assert flag.flag and flag.why and "None" not in flag.why
    if report not in ("vllm 27073",):
        assert found.flags


def test_what_a_flag_buys_is_the_policys():
    found = explain(*VLLM["vllm 10517, 29k"][:1], model="llama-3.1-8b")
    bought = {flag.flag: flag.tokens for flag in found.flags}

    def tokens(gib, **options):
        from_llama = engine("vllm", **options)
        return from_llama.capacity(LLAMA, int(gib * GiB), 29_000).tokens

    now = tokens(2.89)
    assert bought["--max-model-len 23648"] == 0
    assert bought["--kv-cache-dtype fp8"] == tokens(2.89, kv_cache_dtype="fp8") - now == 23_673
    share = bought["--gpu-memory-utilization 0.95"]
    assert share == tokens(2.89 + 0.05 * 23.58) - now


def test_what_a_smaller_type_buys_is_the_policys():
    """Of gpt-oss the windowed pool hardly grows, so smaller types buy more than their bits."""
    text, options, _ = LINES["llama.cpp"]["gpt-oss-120b with -c 65535, in a comment of a public script"]
    bought = {flag.flag: flag.tokens for flag in explain(text, **options).flags}
    after = bought["--cache-type-k q8_0 --cache-type-v q8_0"] + 65_536
    layout = kvlib.layouts.CacheLayout(kvlib.layout("gpt-oss-120b").layers)
    now, then = (engine("llama.cpp", unified=True, type_k=kind, type_v=kind) for kind in ("fp16", "q8_0"))
    room = now.bytes(layout, 65_536 // 4, 4)
    assert then.bytes(layout, after // 4, 4) <= room < then.bytes(layout, after // 4 + 1, 4)


def test_a_timestamp_a_prefix_and_colours_change_nothing():
    plain = explain(VLLM["vllm 10517, 20k"][0], model="llama-3.1-8b")
    dressed = "\n".join(
        f"\x1b[36m(EngineCore_0 pid=123)\x1b[0m INFO 11-20 10:12:33 [kv_cache_utils.py:1087] {line}\r"
        for line in VLLM["vllm 10517, 20k"][0].splitlines()
    )
    found = explain(dressed, model="llama-3.1-8b")
    assert (found.steps, found.verdict, found.flags) == (plain.steps, plain.verdict, plain.flags)
    assert "\x1b" not in found.text() and "[36m" not in found.text()


def test_a_message_wrapped_by_a_terminal_is_read():
    text, _, said = TORCH["text-generation-inference 3105"]
    words, lines = text.split(" "), [""]
    for word in words:
        lines = [*lines[:-1], f"{lines[-1]} {word}"] if len(lines[-1]) < 60 else [*lines, word]
    found = explain("\n".join(lines))
    assert len(lines) > 3 and all(one in found.text() for one in said)


def test_of_several_gpus_the_fullest_decides():
    text = "Available KV cache memory: 8.02 GiB\nAvailable KV cache memory: 8.11 GiB\n"
    found = explain(f"{text}GPU KV cache size: 178,880 tokens", model="qwen-3-235b-a22b", tp=4)
    assert "to the log's rounding" in found.verdict  # 8.02 GiB hold as many, 8.11 more


def test_old_versions_print_whole_blocks_and_new_ones_whole_sequences():
    text = "kv_cache_size=60.00GiB\n{}\nMaximum concurrency for 29000 tokens per request: 16.94x"
    for printed in ("# GPU blocks: 30720", "GPU KV cache size: 491,384 tokens"):  # 30720 × 29000 / 1813
        assert "to the log's rounding" in explain(text.format(printed), model="llama-3.1-8b").verdict
    off = explain(text.format("GPU KV cache size: 491,000 tokens"), model="llama-3.1-8b")
    assert "not as assumed" in off.verdict


def test_the_options_that_explain_a_figure_are_named():
    found = explain(
        "Available KV cache memory: 8.02 GiB\nGPU KV cache size: 178,880 tokens", model="qwen-3-235b-a22b"
    )
    assert "it would be so with" in found.text() and "--tp 4" in found.text()


def test_a_model_that_the_log_names_is_taken_and_said():
    text = "config: model='Qwen/Qwen3-8B', tensor_parallel_size=2, kv_cache_dtype=auto\n"
    found = explain(f"{text}Available KV cache memory: 10.00 GiB\nGPU KV cache size: 145,632 tokens")
    assert "Qwen/Qwen3-8B" in found.verdict and "over 2 × 1 GPUs" in found.text()
    args = text.replace("config: model=", "non-default args: {'model': ").replace(", tensor", ", 'tensor")
    assert "Qwen/Qwen3-8B" in explain(f"{args}GPU KV cache size: 145,632 tokens").verdict
    named = explain(f"{text}GPU KV cache size: 145,632 tokens", model="gpt2")
    assert "Qwen" not in named.verdict


def test_what_the_command_says_is_taken():
    """vLLM prints the arguments that are not its defaults, and people paste the command itself."""
    args = (
        "non-default args: {'model': 'Qwen/Qwen3-8B', 'max_model_len': 40960, 'gpu_memory_utilization': 0.9}"
    )
    log = "Available KV cache memory: 4.13 GiB\nGPU KV cache size: 30,064 tokens"
    command = (
        "vllm serve Qwen/Qwen3-8B --max-model-len 40960 --gpu-memory-utilization 0.9 --kv-cache-dtype=auto"
    )
    for said in (args, command):
        found = explain(f"{said}\n{log}", gpu="4090")
        assert "30,064 tokens, less than a sequence of 40,960" in found.verdict and not found.missing
        assert "--gpu-memory-utilization 0.95" in [flag.flag for flag in found.flags]
        assert found.verdict.endswith("to the log's rounding.")


def test_missing_options_are_asked_for():
    text = "GPU KV cache size: 178,880 tokens"
    assert [one[:7] for one in explain(text).missing] == ["--model", "--gpu N"]
    assert explain(text, model="gpt2", gpu="H100").missing == ()


def test_what_is_not_understood_is_quoted():
    found = explain(
        "kv_cache_manager v9: 17 widgets of memory\nGPU KV cache size: 178,880 tokens\nall is well"
    )
    assert found.unread == ("kv_cache_manager v9: 17 widgets of memory",)
    assert "not understood:\n  kv_cache_manager v9" in found.text()
    nothing = explain("hello\nworld")
    assert nothing.unread == ("hello", "world") and "No line" in nothing.verdict
    assert "Nothing was pasted" in explain(" \n\t").verdict and explain("--tp 4").facts


def test_many_lines_not_understood_are_counted():
    found = explain("\n".join(f"cache memory {i}" for i in range(1000)))
    assert len(found.unread) == 5 and found.more_unread == 995


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": "no-such"}, "unknown model"),
        ({"gpu": "TPU"}, "unknown GPU"),
        ({"tp": -1}, "tp"),
        ({"dtype": "x"}, "x"),
    ],
)
def test_a_wrong_option_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        explain("GPU KV cache size: 178,880 tokens", **options)


def test_a_model_that_the_engine_does_not_run_is_no_error():
    found = explain(
        "Available KV cache memory: 8.11 GiB\nGPU KV cache size: 178,880 tokens", model="mamba-130m"
    )
    assert "not computed" in found.text()


# Hostile pastes


HOSTILE = {
    "empty": "",
    "spaces": " " * 10_000_000,
    "newlines": "\n" * 10_000_000,
    "anchors": "K (" * 3_000_000,
    "digits": "1" * 10_000_000,
    "half a message": "(24.0 GiB KV cache is " * 450_000,
    "one line": "x" * 9_999_000 + " Tried to allocate 2.00 GiB. ",
    "the same line": "GPU KV cache size: 178,880 tokens\n" * 290_000,
    "escapes": "\x1b[" * 3_000_000 + "\x1b]" * 1_000_000,
    "bytes": bytes(range(256)) * 39_000,
    "not utf-8": b"\xff\xfeGPU KV cache size: 178,880 tokens\xc3\n" * 1000,
    "other letters": "記憶 memory 5 КВ\n" * 600_000,
}


def test_of_a_long_paste_the_end_is_read_and_that_is_said(tmp_path, capsys):
    long = "all is well\n" * 1_000_000
    found = explain(f"GPU KV cache size: 1 tokens\n{long}GPU KV cache size: 178,880 tokens")
    assert "178,880 tokens" in found.verdict and found.unread[0].startswith("… all before the last 8,388,608")
    (tmp_path / "log").write_text(f"{long}GPU KV cache size: 178,880 tokens")
    assert "all before the last" in answer(capsys, "explain", tmp_path / "log")[1]
    assert explain("x" * 8 * 2**20).more_unread == 0 and "before" not in explain("x" * 8 * 2**20).unread[0]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_paste_is_answered(kind):
    """10 MB within seconds of work, whatever the machine: nothing in it grows faster than the text."""
    began = time.process_time()
    found = explain(HOSTILE[kind], model="llama-3.1-8b", gpu="H100")
    assert found.verdict and len(found.text()) < 20_000
    assert time.process_time() - began < 10


WORDS = [
    "GPU KV cache size:",
    "K (",
    "n_ctx =",
    "= ",
    "(",
    ")",
    " ",
    "\n",
    "GiB",
    "0",
    "-1",
    "1e9",
    "9" * 30,
    "q8_0",
    "x",
]
NUMBERS = [
    "0",
    "-5",
    "0.0",
    "1",
    "99999999999999999999",
    "1.2.3",
    ",",
    ",,1",
    "１２",
    "inf",
    "nan",
    "1e5",
    "",
]


def test_two_thousand_spoilt_lines():
    """Known lines with their numbers changed, cut and mixed: an answer each, no traceback."""
    rng = random.Random(5)
    texts = [LINES[kind][report] for kind, report in CASES]
    for _ in range(2000):
        text, options, _ = rng.choice(texts)
        text = re.sub(
            r"[0-9][0-9,.]*", lambda m: rng.choice([m[0], *NUMBERS]) if rng.random() < 0.4 else m[0], text
        )
        if rng.random() < 0.3:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(WORDS) + rng.choice(texts)[0][rng.randrange(20) :]
        found = explain(text, **({} if rng.random() < 0.3 else options))
        assert found.verdict and found.text()


# The command


def test_the_command(tmp_path, capsys):
    log = tmp_path / "vllm.log"
    log.write_text(VLLM["vllm 10517, 29k"][0])
    status, out, err = answer(capsys, "explain", log, "--model", "llama-3.1-8b", "--gpu", "3090")
    assert (status, err) == (0, "") and "what would help:" in out and "+23,673 tokens" in out
    status, out, _ = answer(capsys, "explain", log, "--json")
    found = json.loads(out)
    assert status == 0 and found["engine"] == "vllm" and found["flags"][0]["flag"] == "--max-model-len 23648"
    assert {"engine", "facts", "steps", "verdict", "flags", "missing", "unread"} <= found.keys()


def test_standard_input_as_a_process():
    done = run("explain", "--gpu", "2x4090", input=OLLAMA["ollama 12000"][0])
    assert done.returncode == 0 and done.stdout.startswith("Ollama needs 11.4 GiB")


@pytest.mark.parametrize("path", [".", "no/such/file", "\x00"])
def test_a_log_that_cannot_be_read(capsys, path):
    assert main(["explain", path]) == 2
    assert capsys.readouterr().err.startswith("kvlib: ")
