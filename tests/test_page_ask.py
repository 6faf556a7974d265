"""What a page says of a reader's model and of a reader's log: beside the command line, in CPython."""

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from kvlib import fmt, layout, models
from kvlib.cli import main
from kvlib.configs import config as config_of, parameters
from kvlib.engines import ENGINES, engine
from kvlib.page import answer
from kvlib.page.config import USUAL
from kvlib.widgets import BudgetWidget
from kvlib.widgets.groups import strip

from .engine_lines import LINES
from .test_gguf import SMOLLM2, file

CONTEXTS = [int(word) for word in USUAL.split()]
DATA = Path(__file__).parent / "data" / "configs.jsonl"
PUBLISHED = {row["name"]: row["config"] for row in map(json.loads, DATA.read_text().splitlines())}
REPORTS = {name: said for lines in LINES.values() for name, (said, *_) in lines.items()}


def asked(name="config", **given) -> dict:
    return json.loads(answer(name, json.dumps(given)))


def command(capsys, *argv) -> tuple[int, str, list[str]]:
    """The command's status, what it printed, and what it said on stderr but for warnings."""
    capsys.readouterr()
    status = main([str(arg) for arg in argv])
    out, err = capsys.readouterr()
    return status, out, [line for line in err.splitlines() if not line.startswith("kvlib: warning")]


def source_of(config) -> dict:
    """The options that kvlib needs for a model that keeps something of a source, or quantizes its cache."""
    try:
        of = layout(config, "bf16")
    except ValueError:
        return {}
    return {"dtype": "bf16"} | ({"source_len": "1500"} if of.needs_source_len else {})


def number(size) -> int:
    return int(size[1].replace(",", ""))


def holds(config, given):
    """The page's answer is kvlib's own figures, engine by engine."""
    said, of = asked(text=json.dumps(config), **given), replace(layout(config, "bf16"), name="config")
    source = int(given["source_len"]) if "source_len" in given else None
    assert said["contexts"] == [f"{n:,}" for n in CONTEXTS] and said["said"].startswith("config: ")
    assert [row["engine"] for row in said["engines"]] == [*ENGINES]
    for row in said["engines"]:
        kept_by = engine(row["engine"])
        try:
            right = [kept_by.bytes(of, context, source_len=source) for context in CONTEXTS]
            per_token = kept_by.bytes_per_token(of)
        except ValueError as error:
            assert row == {"engine": kept_by.name, "refused": str(error)}
        else:
            assert [number(size) for size in row["sizes"]] == right and number(row["per_token"]) == per_token
            assert [size[0] for size in row["sizes"]] == [fmt(nbytes) for nbytes in right]
    try:
        wanted = json.loads(json.dumps(strip(of)))
    except ValueError as error:
        wanted = {"refused": str(error)}
    assert said["strip"] == wanted
    return said


@pytest.mark.filterwarnings("ignore::kvlib.layouts.ContextWarning")
@pytest.mark.parametrize("name", models())
def test_every_shipped_models_config_gives_what_kvlib_counts(name):
    config = config_of(name)
    said = holds(config, source_of(config))
    counted = parameters(name)
    assert said["budget"]["total"] == counted.total and said["budget"]["weights_read"] == counted.read
    figure = BudgetWidget(name, models=[name])
    assert said["budget"] == json.loads(json.dumps(figure.models[name]))


@pytest.mark.filterwarnings("ignore::kvlib.layouts.ContextWarning")
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_config_gives_what_kvlib_counts_or_its_refusal(name, capsys, tmp_path, monkeypatch):
    config = PUBLISHED[name]
    given = source_of(config)
    if given:
        holds(config, given)
        return
    refused(config, capsys, tmp_path, monkeypatch)


def refused(config, capsys, tmp_path, monkeypatch, text=None):
    """The page refuses as the command line does, run beside the file."""
    monkeypatch.chdir(tmp_path)
    text = json.dumps(config) if text is None else text
    (tmp_path / "config.json").write_text(text)
    status, _, err = command(capsys, "size", "config.json", "--context", 8192)
    assert status == 2 and f"kvlib: {asked(text=text)['error']}".splitlines() == err


LLAMA = config_of("llama-3.1-8b")


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "brand_new"}, {}, LLAMA | {"num_attention_heads": 30, "kv_lora_rank": 512},
        LLAMA | {"num_hidden_layers": 10**9}, LLAMA | {"layer_types": ["full_attention", "mystery"] * 16},
        LLAMA | {"quantization_config": {"kv_cache_scheme": {"num_bits": 8}}},
        config_of(next(name for name in models() if layout(name).needs_source_len)),
    ],
)  # fmt: skip
def test_a_refusal_is_the_command_lines_word_for_word(config, capsys, tmp_path, monkeypatch):
    refused(config, capsys, tmp_path, monkeypatch)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "<script>alert(1)</script>", "GGU"])
def test_what_is_no_config_is_refused_word_for_word(text, capsys, tmp_path, monkeypatch):
    refused(None, capsys, tmp_path, monkeypatch, text)


def test_bytes_that_are_no_text_are_refused_word_for_word(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_bytes(b"\xff\xfe{")
    _, _, [err] = command(capsys, "size", "mine.json", "--context", 1)
    said = asked(file="mine.json", data=b64encode(b"\xff\xfe{").decode(), size=3)
    assert f"kvlib: {said['error']}" == err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"contexts": "many"}, "--context: must be a whole number such as"),
        ({"contexts": "0"}, "context must be a whole number of at least 1, not 0"),
        ({"contexts": " ".join("1234567")}, "--context: name 1 to 6 contexts"),
        ({"contexts": ",;"}, "--context: name 1 to 6 contexts"),
        ({"source_len": "1500"}, "--source-len: source_len must be left out"),
        ({"source_len": "-"}, "--source-len: must be a whole number"),
        ({"dtype": "int3"}, "unknown dtype 'int3'"),
        ({"text": '{"model_type":"\ud800"}'}, "config: config.json is not JSON"),
    ],
)
def test_an_option_that_is_wrong_is_named(given, said):
    assert asked(**{"text": json.dumps(LLAMA), **given})["error"].startswith(said)


def test_contexts_and_a_precision_are_taken_as_the_command_takes_them():
    said = asked(text=json.dumps(LLAMA), contexts="1, 32Ki; 128k", dtype="q8_0")
    assert said["contexts"] == ["1", "32,768", "128,000"]
    ideal = next(row for row in said["engines"] if row["engine"] == "ideal")
    assert number(ideal["sizes"][1]) == layout("llama-3.1-8b").bytes(32768, dtype="q8_0")
    vllm = next(row for row in said["engines"] if row["engine"] == "vllm")
    assert vllm["refused"].startswith("engine vllm keeps no cache in dtype 'q8_0'")
    assert asked(text=json.dumps(LLAMA), contexts="131073")["warnings"] == [
        "context 131,073 is beyond the 131,072 tokens config was made for"
    ]


def test_with_a_gpu_it_says_what_kvlib_fit_says(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    for gpu in ("H100:2", "4090"):
        _, out, _ = command(capsys, "fit", "config.json", "--gpu", gpu, "--context", 8192)
        assert asked(text=json.dumps(LLAMA), gpu=gpu)["fit"] == out
    _, _, [err] = command(capsys, "fit", "config.json", "--gpu", "H1000", "--context", 8192)
    assert f"kvlib: {asked(text=json.dumps(LLAMA), gpu='H1000')['fit']['refused']}" == err


@pytest.mark.parametrize("name", ["llama-3.1-8b", "../../gpt2", "-x", "a\\b\\gpt2", "..", "😀" * 90])
def test_a_files_name_names_nothing_but_the_file(name):
    said = asked(text=json.dumps(config_of("qwen-3-8b")), file=name, gpu="H100")
    ideal = said["engines"][0]
    assert number(ideal["per_token"]) == layout("qwen-3-8b").bytes_per_token()
    counted = f"{parameters('qwen-3-8b').total:,} parameters"
    assert counted in said["fit"] and said["weights"].endswith(f"{counted} in bf16")


# ---- a GGUF file


def test_of_a_gguf_file_its_header_is_enough():
    data, size = SMOLLM2.read_bytes(), SMOLLM2.stat().st_size
    whole = asked(file="smol.gguf", data=b64encode(data).decode(), size=size, gpu="4090", contexts="2048")
    begun = asked(file="smol.gguf", data=b64encode(data[:4_000_000]).decode(), size=size, gpu="4090",
                  contexts="2048")  # fmt: skip
    assert begun == whole and whole["said"].startswith("smol: 30 layers of llama, 22.5 KiB a token")
    assert number(whole["engines"][0]["sizes"][0]) == layout("smollm2-135m").bytes(2048)
    assert "parameters as the file has them" in whole["weights"]
    assert "counted as llama.cpp keeps it" in whole["fit"]


def test_a_header_that_is_cut_off_says_so(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = SMOLLM2.read_bytes()[:1000]
    said = asked(file="smol.gguf", data=b64encode(begun).decode(), size=10**8)
    assert said["error"].startswith("config: only the first 1,000 B of smol.gguf were read in this page")
    # A file that ends there is none, and the command says it.
    (tmp_path / "smol.gguf").write_bytes(begun)
    _, _, [err] = command(capsys, "size", "smol.gguf", "--context", 1)
    assert f"kvlib: {asked(file='smol.gguf', data=b64encode(begun).decode(), size=1000)['error']}" == err
    assert "used" not in err and "its header" in err
    other = asked(file="big.json", data=b64encode(b"{").decode(), size=10**8)
    assert other["error"].startswith("config: only the first 1 B of big.json")


def test_one_part_of_several_says_that_its_size_is_not_known():
    keys = {"general.architecture": "llama", "llama.block_count": 32, "llama.embedding_length": 4096,
            "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8,
            "llama.feed_forward_length": 14336, "llama.vocab_size": 128256, "split.count": 3}  # fmt: skip
    data = file(keys)
    said = asked(file="part.gguf", data=b64encode(data).decode(), size=len(data), gpu="H100")
    assert number(said["engines"][0]["per_token"]) == 131072
    assert "one part of several" in said["weights"]["refused"] and "one part of" in said["fit"]["refused"]


# ---- a log


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_log_is_explained_word_for_word(report, capsys, tmp_path):
    (tmp_path / "log").write_text(report)
    _, out, _ = command(capsys, "explain", tmp_path / "log")
    assert asked("explain", text=report)["text"] + "\n" == out
    options = ["--model", "llama-3.1-8b", "--gpu", "H100:2", "--tp", "2"]
    _, out, _ = command(capsys, "explain", tmp_path / "log", *options)
    assert asked("explain", text=report, model="llama-3.1-8b", gpu="H100:2", tp="2")["text"] + "\n" == out


@pytest.mark.parametrize(
    "options", [{"model": "lama-3"}, {"gpu": "H1000"}, {"model": "config.json"}, {"tp": "-1"}]
)
def test_what_the_command_refuses_of_a_log_it_refuses(options, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").write_text("nothing")
    [(name, value)] = options.items()
    status, _, [err] = command(capsys, "explain", "log", f"--{name}={value}")
    said = asked("explain", text="nothing", **options)
    assert status == 2 and f"kvlib: {said['error']}" == err


def test_a_number_of_gpus_that_is_none_is_named():
    assert asked("explain", text="", tp="two")["error"].startswith("--tp: must be a whole number")
