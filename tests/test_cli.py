"""The command line as a reader runs it: a process, its output, its status."""

import json
import os
import subprocess
import sys

import pytest

import kvlib
from kvlib.budget import Budget
from kvlib.cli import main
from kvlib.configs import parameters
from kvlib.engines import engine

LLAMA = "llama-3.1-8b"


def run(*args, **options):
    command = [sys.executable, "-m", "kvlib", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def answer(capsys, *args):
    """What the command prints, in this process: status, stdout, stderr."""
    try:
        status = main([str(arg) for arg in args])
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def found(capsys, *args):
    status, out, err = answer(capsys, *args, "--json")
    assert status == 0, err
    return json.loads(out)


# size


def test_size_as_a_process():
    done = run("size", LLAMA, "--context", 4096, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    size = json.loads(done.stdout)
    assert (size["bytes"], size["state_bytes"], size["per_token"]) == (536_870_912, 0, 131_072)
    assert [layer["kind"] for layer in size["layers"]] == ["full"] * 32
    assert size["layers"][0]["elements"] == 2048
    assert sum(row["bytes"] for row in size["rows"]) == size["bytes"]


def test_size_multiplies_before_the_readers_eyes(capsys):
    status, out, err = answer(capsys, "size", LLAMA, "--context", 4096, "--batch", 2)
    assert (status, err) == (0, "")
    assert "8 KV heads × (128 in a key + 128 in a value) × 2 bytes = 4,096 bytes per token" in out
    assert "32 layers × 4,096 tokens × 4,096 bytes × 2 sequences = 1,073,741,824 bytes" in out
    assert "total 1,073,741,824 bytes = 1 GiB (1.074 GB)" in out
    assert "131,072 bytes = 128 KiB" in out


@pytest.mark.parametrize(
    "model", ["gpt2", "gemma-3-1b", "deepseek-v3", "jamba-v0.1", "gemma-3n-e4b", "gpt-oss-20b"]
)
@pytest.mark.parametrize(("context", "batch"), [(1, 1), (511, 3), (1000, 2)])
def test_size_is_the_layouts(capsys, model, context, batch):
    layout = kvlib.layout(model)
    size = found(capsys, "size", model, "--context", context, "--batch", batch)
    assert size["bytes"] == layout.bytes(context, batch)
    assert size["state_bytes"] == layout.breakdown(context, batch).state
    assert size["per_token"] == layout.bytes_per_token()
    assert len(size["layers"]) == layout.n_layers


@pytest.mark.parametrize(
    ("options", "policy", "dtype"),
    [
        (["--engine", "transformers"], engine("transformers"), "bf16"),
        (["--engine", "vllm"], engine("vllm"), "bf16"),
        (
            ["--engine", "vLLM", "--tp", "8", "--block-size", "32"],
            engine("vllm", tp=8, block_size=32),
            "bf16",
        ),
        (["--engine", "vllm", "--dtype", "fp8"], engine("vllm"), "fp8"),
        (
            ["--engine", "vllm", "--kv-cache-dtype", "fp8_per_token_head"],
            engine("vllm", kv_cache_dtype="fp8_per_token_head"),
            "bf16",
        ),
        (["--engine", "llama.cpp", "--dtype", "q4_0"], engine("llama.cpp"), "q4_0"),
    ],
)
def test_size_under_an_engine(capsys, options, policy, dtype):
    size = found(capsys, "size", "gemma-2-2b", "--context", 5000, *options)
    assert size["bytes"] == policy.bytes(kvlib.layout("gemma-2-2b"), 5000, dtype=dtype)
    assert (size["engine"], size["dtype"]) == (policy.name, policy.stored_as(dtype))
    status, out, _ = answer(capsys, "size", "gemma-2-2b", "--context", 5000, *options)
    assert status == 0 and f"total {size['bytes']:,} bytes" in out


def test_size_says_what_groups_cost(capsys):
    _, out, _ = answer(capsys, "size", "gemma-3-1b", "--context", 32768, "--engine", "vllm")
    assert "6 groups of 4 layers, room for 2 more unused" in out


def test_size_of_an_encoders_output(capsys):
    whisper = kvlib.layout("whisper-large-v3")
    size = found(capsys, "size", "whisper-large-v3", "--context", 10, "--source-len", 1500)
    assert size["cross_bytes"] == 1500 * 163_840
    assert size["bytes"] == whisper.bytes(10, source_len=1500) == 1510 * 163_840
    status, out, err = answer(capsys, "size", "whisper-large-v3", "--context", 10)
    assert (status, out) == (2, "") and "source_len is needed: whisper-large-v3" in err


def test_size_of_state_and_shared_layers(capsys):
    _, out, _ = answer(capsys, "size", "jamba-v0.1", "--context", 10)
    assert f"state {kvlib.layout('jamba-v0.1').breakdown(10).state:,} bytes" in out
    _, out, _ = answer(capsys, "size", "gemma-3n-e4b", "--context", 10)
    assert "15 shared layers\n  0 bytes: they read an earlier layer's keys and values" in out


def test_size_reads_a_config(capsys, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(kvlib.config(LLAMA)))
    for given in (path, tmp_path):
        assert found(capsys, "size", given, "--context", 7)["bytes"] == 7 * 131072


def test_size_beyond_the_models_context_warns(capsys):
    status, out, err = answer(capsys, "size", "llama-3-8b", "--context", 8193, "--json")
    assert status == 0 and json.loads(out)["bytes"] == 8193 * 131072
    assert err.splitlines() == [
        "kvlib: warning: context 8,193 is beyond the 8,192 tokens llama-3-8b was made for"
    ]


# fit


def test_fit_is_the_budgets(capsys):
    fit = found(capsys, "fit", LLAMA, "--gpu", "h100:2", "--context", 8192, "--batch", 3, "--overhead", 1.5)
    numbers = parameters(kvlib.config(LLAMA))
    weights, read = 2 * numbers.total, 2 * (numbers.total - numbers.embedding)  # it is looked up
    policy = engine("vllm", tp=2, max_num_batched_tokens=8192)
    given = {"gpus": 2, "overhead_bytes": 3 * 2**29, "engine": policy, "weights_read_bytes": read}
    budget = Budget(kvlib.layout(LLAMA), weights, "H100", utilization=0.92, **given)
    assert (fit["gpu"], fit["gpus"], fit["engine"], fit["fits"]) == ("H100", 2, "vllm", True)
    assert fit["weights_bytes"] == weights and fit["overhead_bytes"] == 3 * 2**29
    assert fit["usable_bytes"] == budget.usable and fit["room_bytes"] == budget.room
    assert fit["cache_bytes"] == budget.cache_bytes(8192, 3) == 3 * 8192 * 131072
    assert fit["max_sequences"] == budget.max_sequences(8192) and fit["max_context"] == budget.max_context(3)
    assert fit["decode_floor_seconds"] == pytest.approx(budget.decode_floor(8192, 3))
    assert fit["tokens_per_second"] == pytest.approx(3 / fit["decode_floor_seconds"])


def test_fit_gives_the_line_that_serves(capsys):
    args = ["fit", LLAMA, "--gpu", "H100:2", "--context", 8192, "--utilization", 0.85]
    fit = found(capsys, *args, "--dtype", "fp8", "--block-size", 32)
    assert fit["vllm"] == (
        f"vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 --max-num-seqs {fit['max_sequences']} "
        "--kv-cache-dtype fp8 --tensor-parallel-size 2 --gpu-memory-utilization 0.85 --block-size 32"
    )
    _, out, _ = answer(capsys, *args, "--batch", 5)
    assert out.splitlines()[-1].startswith(
        "vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 --max-num-seqs 5 "
    )
    assert "--kv-cache-dtype bfloat16" in out


def test_fit_says_by_how_much_it_does_not(capsys):
    args = ["fit", "llama-3.1-70b", "--gpu", "RTX4090", "--context", 8192]
    fit = found(capsys, *args)
    assert fit["fits"] is False and fit["vllm"] is None and fit["max_sequences"] == 0 == fit["max_context"]
    needed = fit["weights_bytes"] + fit["overhead_bytes"] + fit["cache_bytes"]
    assert fit["short_by"] == needed - fit["usable_bytes"] and fit["overhead_bytes"] > 0
    status, out, _ = answer(capsys, *args)
    assert status == 0 and "does not fit: " in out and "vllm serve" not in out


def test_fit_counts_the_latent_on_every_gpu(capsys):
    fit = found(capsys, "fit", "deepseek-v3", "--gpu", "H200:8", "--context", 32768, "--weights-dtype", "fp8")
    assert fit["cache_bytes"] == 8 * 32768 * 70272
    # A byte each, and one more for embeddings, output, routers and norms.
    total = parameters(kvlib.config("deepseek-v3")).total
    assert fit["weights_bytes"] == total + fit["weights_wide_bytes"] // 2
    assert 2 * 2 * 129_280 * 7168 < fit["weights_wide_bytes"] < total // 150
    # Only the experts at work are read.
    assert fit["decode_floor_seconds"] < fit["weights_bytes"] / (8 * 4.8e12) / 5


def test_fit_falls_back_and_says_why(capsys):
    fit = found(capsys, "fit", "bamba-9b", "--gpu", "A100-80GB:2", "--context", 4096)
    assert (fit["engine"], fit["vllm"]) == ("ideal", None) and "does not run bamba" in fit["remark"]
    assert (fit["utilization"], fit["overhead_bytes"], fit["engine_version"]) == (0.9, 0, None)
    fit = found(capsys, "fit", LLAMA, "--gpu", "H100:3", "--context", 4096)
    assert "32 query heads over 3 GPUs" in fit["remark"]
    _, out, _ = answer(capsys, "fit", LLAMA, "--gpu", "H100", "--context", 4096, "--dtype", "q8_0")
    assert "counted as ideal" in out and "not vllm: engine vllm keeps no cache in dtype 'q8_0'" in out


def test_fit_names_a_quantized_checkpoint(capsys):
    _, out, _ = answer(capsys, "fit", LLAMA, "--gpu", "T4", "--context", 4096, "--weights-dtype", "int4")
    assert "(with a checkpoint whose weights are in int4)" in out


# models


def test_models(capsys):
    status, out, _ = answer(capsys, "models")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == kvlib.models()
    line = next(line for line in out.splitlines() if line.startswith(LLAMA + " "))
    assert line.split() == [
        LLAMA,
        "131,072",
        "bytes",
        "per",
        "token",
        "in",
        "bf16",
        "meta-llama/Llama-3.1-8B",
    ]


# What goes wrong


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["siz"], "unknown command 'siz'; did you mean size?"),
        (["fit", LLAMA, "--contxt", "4"], "unknown option of kvlib fit: '--contxt'; did you mean --context"),
        (
            ["size", LLAMA, "--sourcelen=4"],
            "unknown option of kvlib size: '--sourcelen'; did you mean --source",
        ),
        (["models", "--jsn"], "unknown option of kvlib models: '--jsn'"),
        (["size", "whisper-tiny", "--context", "9"], "--source-len: source_len is needed"),
        (["fit", LLAMA, "--context", "9", "--gpu", "H100", "--source-len", "0"], "must be left out, not 0"),
        (["size", "lama-3.1-8b", "--context", "1"], "did you mean llama-3.1-8b"),
        (["size", LLAMA, "--context", "0"], "context must be a whole number of at least 1, not 0"),
        (["size", LLAMA, "--context", "-5"], "context must be a whole number"),
        (["size", LLAMA, "--context", "4q"], "--context: must be a whole number such as 4096"),
        (["size", LLAMA, "--context", "1.5"], "not '1.5'"),
        (["size", LLAMA, "--context", "٤"], "--context"),
        (["size", LLAMA, "--context", "9" * 5000], "--context"),
        (["size", LLAMA, "--context", "1", "--batch", "0"], "batch must be"),
        (["size", LLAMA, "--context", "1", "--dtype", "bf17"], "did you mean bf16"),
        (["size", LLAMA, "--context", "1", "--engine", "vlm"], "did you mean vllm"),
        (
            ["size", LLAMA, "--context", "1", "--engine", "ideal", "--tp", "2"],
            "unknown option of engine ideal: 'tp'",
        ),
        (["size", LLAMA, "--context", "1", "--engine", "vllm", "--tp", "0"], "tp must be"),
        (["size", LLAMA, "--context", "1", "--engine", "vllm", "--tp", "5"], "tp must divide"),
        (["size", LLAMA, "--context", "1", "--engine", "vllm", "--block-size", "0"], "block_size must be"),
        (
            ["size", LLAMA, "--context", "1", "--engine", "vllm", "--dtype", "int8"],
            "no cache in dtype 'int8'",
        ),
        (["size", LLAMA, "--context", "1", "--source-len", "0"], "source_len must be left out, not 0"),
        (["size", LLAMA], "required: --context"),
        (["size", LLAMA, "--context"], "expected one argument"),
        (["size", LLAMA, "--contxt", "4"], "--context"),
        (["size", "missing.json", "--context", "1"], "missing.json"),
        (["size", "text.json", "--context", "1"], "not JSON"),
        (["size", "bytes.json", "--context", "1"], "not JSON"),
        (["size", "list.json", "--context", "1"], "list.json"),
        (["size", "deep.json", "--context", "1"], ""),
        (["size", "unknown.json", "--context", "1"], "model_type 'martian'"),
        (["size", "empty", "--context", "1"], "config.json"),
        (["size", "folder.json", "--context", "1"], "config.json"),
        (["size", "", "--context", "1"], ""),
        (["fit", LLAMA, "--context", "1"], "required: --gpu"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H10"], "did you mean H100"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100:0"], "COUNT"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100:"], "COUNT"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100:two"], "COUNT"),
        (["fit", LLAMA, "--context", "1", "--gpu", ""], "unknown GPU"),
        (["fit", LLAMA, "--context", "0", "--gpu", "H100"], "context must be"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--batch", "0"], "batch must be"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--utilization", "0"], "utilization must be"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--utilization", "nan"], "utilization must be"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--utilization", "most"], "--utilization"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--overhead", "-1"], "--overhead"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--overhead", "inf"], "--overhead"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--overhead", "2gib"], "bytes such as 24GiB"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--weights-dtype", "int5"], "did you mean int"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--dtype", "bf17"], "did you mean bf16"),
        (["fit", "bamba-9b", "--context", "1", "--gpu", "H100", "--engine", "vllm"], "does not run bamba"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100:4", "--pp", "3"], "--pp must divide the 4 GPUs"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100:4", "--tp", "2"], "--tp × --pp must be the 4 GPUs"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--engine-version", "1"], "such as 0.33.0"),
        (
            [
                "fit",
                LLAMA,
                "--context",
                "1",
                "--gpu",
                "H100",
                "--engine",
                "sglang",
                "--engine-version",
                "0.5",
            ],
            "only vLLM's versions",
        ),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--weights", "-1"], "--weights"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--graphs", "2gib"], "--graphs"),
        (["fit", LLAMA, "--context", "1", "--gpu", "H100", "--max-num-seqs", "0"], "sequences must be"),
        (["fit", LLAMA, "--context", "1", "--gpu", "48GiB@1"], "MEMORY@BANDWIDTH"),
        ([], "COMMAND"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.json").write_text("no json {")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "unknown.json").write_text('{"model_type": "martian"}')
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.json").mkdir()
    status, out, err = answer(capsys, *args)
    assert (status, out) == (2, "")
    assert said in err and "Traceback" not in err


def test_a_refusal_as_a_process(tmp_path):
    done = run("size", tmp_path / "none.json", "--context", 1)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kvlib: ") and len(done.stderr.splitlines()) == 1


def test_an_unreadable_config(capsys, tmp_path):
    path = tmp_path / "config.json"
    path.symlink_to(path)  # a link to itself: no user can open it
    status, _, err = answer(capsys, "size", path, "--context", 1)
    assert status == 2 and "config.json" in err


def test_a_reader_that_stops_early():
    # `kvlib models | head -0`: the other end of the pipe is closed before anything is written.
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "kvlib", "models"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_help(capsys):
    for command in ([], ["size"], ["fit"], ["models"], ["measure"]):
        status, out, _ = answer(capsys, *command, "--help")
        assert status == 0 and out.startswith("usage: kvlib")


@pytest.mark.parametrize(
    "args",
    [
        ["size", LLAMA, "--context", "9"],
        ["fit", LLAMA, "--gpu", "H100", "--context", "9"],
        ["models"],
        ["measure", "--help"],
    ],
)
def test_no_torch(args):
    code = (
        "import sys\nfrom kvlib.cli import main\n"
        f"try: main({args!r})\nexcept SystemExit: pass\n"
        "print(*({'torch', 'transformers', 'numpy'} & {*sys.modules}), 'end', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1:] == ["end"], done.stderr


def test_measure_without_torch_says_what_to_install():
    # None in sys.modules is how Python says that a module cannot be imported.
    code = "import sys\nsys.modules['torch'] = None\nfrom kvlib.cli import main\nsys.exit(main(['measure']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kvlib: kvlib measure needs torch, which is not installed: pip install torch\n"


def test_version(capsys):
    status, out, _ = answer(capsys, "--version")
    assert (status, out) == (0, f"kvlib {kvlib.__version__}\n")


def test_the_installed_command():
    command = os.path.join(os.path.dirname(sys.executable), "kvlib")
    done = subprocess.run([command, "size", "gpt2", "--context", "1"], capture_output=True, text=True)
    assert done.returncode == 0 and "36,864 bytes" in done.stdout
