"""What measures: that it times what it says, counts the right bytes, and writes a record that holds."""

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kvlib import cli
from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout
from kvlib.measure import attention_speed as measured_attention, command, decode, record, shapes, timing
from kvlib.measure.progress import Progress, table
from kvlib.measure.random_model import random_decoder

from .test_measure_shapes import TINY

ROOT = Path(__file__).parents[1]
LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=128)


@pytest.fixture
def tiny():
    return random_decoder(LAYOUT, hidden=32, ffn=48, vocab=40)


@pytest.fixture(autouse=True)
def small_copies(monkeypatch):
    monkeypatch.setattr(measured_attention, "APART", 2**18)
    monkeypatch.setattr(measured_attention, "Copy", lambda device: timing.Copy(device, 2**16))
    monkeypatch.setattr(decode, "copy_bandwidth", lambda device: 1e9)


def tool(name):
    return importlib.import_module(f"tools.{name}")


# timing


def test_calls_take_turns_and_the_first_turns_are_not_kept():
    order = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    seconds = timing.timed(calls, repeats=3, warm=2)
    assert "".join(order) == "ab" * 5
    assert {name: len(took) for name, took in seconds.items()} == {"a": 3, "b": 3}
    assert all(s >= 0 for took in seconds.values() for s in took)


def test_a_call_is_timed_whole(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert timing.once(lambda: None) == 2.5


def test_spread_is_the_middle_half_over_the_median():
    assert timing.spread([1, 2, 3, 4, 5]) == pytest.approx(2 / 3)
    assert timing.spread([3, 3, 3]) == 0 == timing.spread([1])


def test_a_copy_copies_and_counts_what_it_reads_and_writes(monkeypatch):
    copy = timing.Copy("cpu", 4096)
    copy()
    assert copy.moved == 8192
    assert torch.equal(copy.source, copy.target)
    monkeypatch.setattr(timing, "timed", lambda calls, repeats, device: {"copy": [0.5, 1.0, 4.0]})
    assert timing.copy_bandwidth("cpu", 4096) == 8192
    with pytest.raises(ValueError, match="nbytes"):
        timing.copy_bandwidth("cpu", 0)


# attention beside a copy


def test_attention_reads_the_bytes_it_says(monkeypatch):
    read = {}

    def attention(q, view):
        k, v = view.gather()
        read.setdefault(k.shape[2], set()).add((k.data_ptr(), v.data_ptr(), k.nbytes + v.nbytes))
        assert q.shape == (3, 4, 1, 16) and k.shape == v.shape == (3, 2, k.shape[2], 16)

    monkeypatch.setattr(measured_attention, "attention", attention)
    rows = measured_attention.attention_against_copy([8, 40], 3, 4, 2, 16, "bf16", repeats=4)
    assert [row.context for row in rows] == [8, 40]
    for row in rows:
        assert row.bytes_read == CacheLayout.uniform(1, 2, 16).bytes(row.context, 3, "bf16")
        places = read[row.context]
        assert {nbytes for *_, nbytes in places} == {row.bytes_read}
        assert len(places) == 5  # each of the five calls reads another part of memory
    assert rows[1].floor_seconds == pytest.approx(5 * rows[0].floor_seconds)


def test_fraction_is_floor_over_time():
    assert measured_attention.AttentionRow(1, 100, seconds=4.0, floor_seconds=3.0).fraction == 0.75


@pytest.mark.parametrize(
    ("bad", "named"),
    [(dict(contexts=[0]), "contexts"), (dict(batch=0), "batch"), (dict(n_kv_heads=3), "heads")],
)
def test_attention_refuses_what_has_no_shape(bad, named):
    arguments = dict(contexts=[8], batch=1, n_heads=4, n_kv_heads=2, head_dim=8)
    with pytest.raises(ValueError, match=named):
        measured_attention.attention_against_copy(**(arguments | bad))


# decode


def test_every_cache_is_measured_beside_what_is_predicted(tiny):
    rows, bandwidth = decode.decode_times(tiny, [20, 40], list(decode.CACHES), [1, 2], steps=2)
    assert bandwidth == 1e9
    assert [(r["batch"], r["context"], r["cache"]) for r in rows] == [
        (b, c, name) for b in (1, 2) for c in (20, 40) for name in decode.CACHES
    ]
    for row in rows:
        assert row["cache_bytes"] == row["predicted_bytes"]
        assert row["bytes_read"] == decode.weights_read(tiny) + row["cache_bytes"]
        assert row["floor_seconds"] == pytest.approx(row["bytes_read"] / 1e9)
        assert row["fraction"] == pytest.approx(row["floor_seconds"] / row["seconds"])
        assert row["peak_bytes"] > 0
    contiguous = next(r for r in rows if (r["cache"], r["batch"], r["context"]) == ("contiguous", 2, 40))
    assert contiguous["cache_bytes"] == LAYOUT.bytes(40 + 2 + decode.WARM, 2, "fp32")
    assert all(row["cache_bytes"] == 0 for row in rows if row["cache"] == "none")


def test_what_does_not_fit_is_said_and_not_tried(tiny, monkeypatch):
    monkeypatch.setattr(decode, "room", lambda device: 100)
    rows, _ = decode.decode_times(tiny, [20], ["contiguous", "none"], steps=1)
    assert rows[0] == {
        "cache": "contiguous", "batch": 1, "context": 20,
        "short_by": int(decode.SLACK * LAYOUT.bytes(20, 1, "fp32")) - 100,
    }  # fmt: skip
    assert "seconds" in rows[1]
    assert "does not fit" in table(rows, command.COLUMNS)


@pytest.mark.parametrize(
    ("bad", "named"),
    [(dict(contexts=[0]), "contexts"), (dict(batches=[0]), "batches"), (dict(steps=0), "steps"),
     (dict(caches=["contigous"]), "did you mean contiguous"), (dict(contexts=[127]), "at most 123")],
)  # fmt: skip
def test_decode_refuses_bad_arguments(tiny, bad, named):
    with pytest.raises(ValueError, match=named):
        decode.decode_times(tiny, **(dict(contexts=[8], caches=["contiguous"], batches=[1], steps=2) | bad))


def test_an_embedding_apart_is_not_read(tiny):
    assert decode.weights_read(tiny) == tiny.weights_bytes - tiny.embedding.nbytes
    tiny.head = tiny.embedding
    assert decode.weights_read(tiny) == tiny.weights_bytes


@pytest.mark.parametrize("kind", ["contiguous", "paged", "quantized"])
def test_a_filled_cache_holds_its_context(kind):
    options = dict(group=8) if kind == "quantized" else {}
    layout = CacheLayout.uniform(2, 2, 32)
    cache = make_cache(kind, layout, batch=2, capacity=2100, **options)
    decode.fill(cache, 2077)
    assert cache.length == 2077 and cache.nbytes == cache.predicted_bytes


def test_memory_is_counted():
    assert decode.room("cpu") > 2**20
    decode.reset_peak("cpu")
    before = decode.peak("cpu")
    held = torch.ones(2**24)  # 64 MiB
    assert decode.peak("cpu") >= before + held.nbytes // 2


# the record


def test_a_record_says_where_it_comes_from():
    about = record.provenance("tiny", "kvlib measure", "cpu")
    assert list(about) == ["model", "device", "threads", "versions", "date", "command", "commit"]
    assert about["versions"]["torch"] == torch.__version__ and "cores" in about["device"]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    assert (about["commit"] or "").removesuffix("+changes") == commit


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    (tmp_path / "kvlib" / "measure").mkdir(parents=True)
    monkeypatch.setattr(record, "HERE", tmp_path / "kvlib" / "measure")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert record.commit() is None
    # Nor in another project's repository, in which an installed copy lies.
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init"], [*author, "commit", "--allow-empty", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)
    assert record.commit() is None


def test_a_record_is_read_back_as_it_was_written_a_row_a_line(tmp_path):
    kept = {"model": "é", "tokens": 3, "rows": [{"a": 1, "b": None}, {"a": 2.5, "b": "x"}], "none": []}
    record.write(tmp_path / "r.json", kept)
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == kept
    assert sum('"a"' in line for line in text.splitlines()) == 2


# what is shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_fills_and_ends_its_line():
    stream = Terminal()
    progress = Progress(2, stream)
    progress.step("one")
    half = stream.getvalue()
    progress.step("two")
    assert half.count("█") == half.count("·") == Progress.WIDTH // 2 and "1/2" in half and "one" in half
    assert stream.getvalue().endswith("two\n") and stream.getvalue().count("·") == Progress.WIDTH // 2


def test_where_nobody_looks_there_is_no_bar():
    stream = io.StringIO()
    Progress(1, stream).step("one")
    assert stream.getvalue() == ""


def test_a_table_lines_up():
    rows = [{"a": "left", "b": 5}, {"a": "x", "b": 1234}]
    shown = table(rows, {"name": lambda row: row["a"], "n": lambda row: f"{row['b']:,}"})
    assert shown.splitlines() == ["name      n", "----  -----", "left      5", "x     1,234"]


# the command


def test_measure_is_known_without_torch():
    code = (
        "import argparse, sys, kvlib.measure as m; m.add_arguments(argparse.ArgumentParser());"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.fixture
def model(tiny, monkeypatch):
    class LM:
        decoder = tiny

    monkeypatch.setattr(command, "_smollm2", lambda args, device, dtype: LM)


def test_the_command_prints_a_table_and_writes_a_record(model, tmp_path, monkeypatch, capsys):
    arguments = (
        "measure --device cpu --contexts 16,32 --caches none,contiguous,int4 --steps 2 --threads 1".split()
    )
    monkeypatch.setattr(sys, "argv", ["kvlib", *arguments, "--json", str(tmp_path / "r.json")])
    assert cli.main(sys.argv[1:]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3 + 2 + 6 and "does not fit" not in out
    kept = json.loads((tmp_path / "r.json").read_text())
    assert {"model", "device", "versions", "date", "command", "commit", "copy_bandwidth"} <= set(kept)
    assert kept["command"].startswith("kvlib measure --device cpu") and kept["copy_bandwidth"] == 10**9
    assert [row["cache"] for row in kept["rows"]] == ["none", "contiguous", "int4"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("--shape 9b", "unknown shape"), ("--caches ring --contexts 8", "unknown cache"),
     ("--contexts 900", "contexts must be at most"), ("--threads 0", "threads")],
)  # fmt: skip
def test_the_command_refuses_with_status_2(model, capsys, arguments, said):
    assert cli.main(["measure", "--device", "cpu", *arguments.split()]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a CUDA GPU")
def test_cuda_is_refused_where_there_is_none(model, capsys):
    assert cli.main(["measure", "--device", "cuda"]) == 2
    assert "no CUDA GPU" in capsys.readouterr().err


# make bench


@pytest.mark.parametrize("kind", ["contiguous", "sliding", "quantized", "paged"])
def test_bench_stores_one_token_and_reads_none(kind):
    bench = tool("bench")
    options = bench.KINDS[kind] | (dict(window=16) if kind == "sliding" else {})
    cache = make_cache(kind, bench.ADDING, capacity=64, **options)
    decode.fill(cache, 33)
    store = bench.storing(cache)
    assert [store(), store()] == [None, None]
    assert cache.length == 35


def test_bench_runs_what_cuda_would_run_on_a_small_shape(monkeypatch):
    monkeypatch.setitem(shapes.SHAPES, "tiny", TINY)
    rows = tool("bench_transformers").cuda(1, "tiny", context=24, batches=(1, 2), device="cpu")
    assert [(row["side"].split(",")[0], row["batch"]) for row in rows] == [
        ("kvlib", 1), ("kvlib", 2), ("transformers", 1), ("transformers", 2),
    ]  # fmt: skip
    assert all(row["of the floor"].endswith("%") for row in rows)


def test_bench_counts_from_token_to_token():
    assert tool("bench_transformers").intervals([5.0, 9.0, 10.0, 12.0]) == [1.0, 2.0]


@pytest.mark.parametrize(
    "capability, dtype", [((7, 5), "fp16"), ((8, 0), "bf16"), ((8, 9), "bf16"), ((9, 0), "bf16")]
)
def test_a_gpu_computes_in_what_it_has_arithmetic_for(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert command.default_dtype("cuda") == dtype and command.default_dtype("cpu") == "fp32"
