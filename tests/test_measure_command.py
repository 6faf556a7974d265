"""`kvlib measure`: the table, the record that it writes, and two records side by side."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kvlib import cli
from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout
from kvlib.measure import command, compare, decode, record, records
from kvlib.measure.random_model import random_decoder
from kvlib.measure.shapes import SHAPES
from kvlib.units import MiB, fmt

ROOT = Path(__file__).parents[1]
LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=128)


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


# the command


def test_measure_is_known_without_torch():
    code = (
        "import argparse, sys, kvlib.measure as m; m.add_arguments(argparse.ArgumentParser());"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.fixture
def model(monkeypatch):
    class LM:
        decoder = random_decoder(LAYOUT, hidden=32, ffn=48, vocab=40)

    monkeypatch.setattr(decode, "copy_bandwidth", lambda device, nbytes: 1e9)

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
    assert kept["copy_bytes"] == 256 * MiB and f"a copy of {fmt(256 * MiB)}: 1.0 GB/s" in out
    assert kept["command"].startswith("kvlib measure --device cpu") and kept["copy_bandwidth"] == 10**9
    assert [row["cache"] for row in kept["rows"]] == ["none", "contiguous", "int4"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("--shape 9b", "unknown shape"), ("--caches ring --contexts 8", "unknown cache"),
     ("--contexts 900", "contexts must be at most"), ("--threads 0", "threads"),
     ("--no-graph", "no-graph is for CUDA")],
)  # fmt: skip
def test_the_command_refuses_with_status_2(model, capsys, arguments, said):
    assert cli.main(["measure", "--device", "cpu", *arguments.split()]) == 2
    assert said in capsys.readouterr().err


def test_a_step_is_a_graph_unless_it_must_not_be(model, monkeypatch):
    """On a card; this test has one in name only."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(record, "device_name", lambda device: "a card")
    monkeypatch.setattr(record, "gpu", lambda device: {})
    monkeypatch.setattr(command, "copy_bytes", lambda device: MiB)
    ran = []

    def decode_times(decoder, *rest, **named):
        ran.append(decoder.graph)
        return [], 1e9

    monkeypatch.setattr(decode, "decode_times", decode_times)
    for option in [], ["--no-graph"]:
        assert cli.main(["measure", "--device", "cuda", "--dtype", "fp16", *option]) == 0
    assert ran == [True, False]


def test_what_has_no_time_is_listed_with_its_figures(model, monkeypatch, capsys):
    monkeypatch.setattr(decode, "room", lambda device: 100)
    assert cli.main("measure --device cpu --contexts 16 --caches none,int4 --steps 2".split()) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2].split() == ["int4", "1", "16", "does", "not", "fit"]
    cache = make_cache("quantized", LAYOUT, codes="int4", capacity=16 + 2 + decode.WARM)
    asked = fmt(int(decode.SLACK * cache.reserved_bytes))
    assert out[-1] == f"int4, batch 1, context 16: does not fit: asked for {asked}, 100 B free"


def test_every_shape_has_contexts_and_batches():
    assert set(command.CONTEXTS) == set(command.BATCHES) == {"smollm2", *SHAPES}


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a CUDA GPU")
def test_cuda_is_refused_where_there_is_none(model, capsys):
    assert cli.main(["measure", "--device", "cuda"]) == 2
    assert "no CUDA GPU" in capsys.readouterr().err


# two records


def made(seconds, device="a card", model="smollm2", **also):
    """A record: {(cache, batch, context): seconds, or None for a row without a time}."""
    rows = []
    for (cache, batch, context), took in seconds.items():
        row = {"cache": cache, "batch": batch, "context": context}
        if took is None:
            row |= {"failed": "out of memory", "asked_bytes": 2048, "free_bytes": 1024}
        else:
            row |= {"seconds": took, "floor_seconds": 0.01, "fraction": 0.01 / took}
        rows.append(row)
    return {"model": model, "device": device, "date": "2026-01-02", "dtype": "fp16", "rows": rows} | also


@pytest.fixture
def files(tmp_path):
    a = made({("int4", 1, 16): 0.02, ("int4", 1, 32): 0.04, ("paged", 2, 16): 0.1, ("int8", 1, 16): None})
    b = made({("int4", 1, 16): 0.05, ("int8", 1, 16): 0.04, ("int8", 1, 32): 0.04}, "another card")
    record.write(tmp_path / "a.json", a)
    record.write(tmp_path / "b.json", b)
    return tmp_path


def test_two_records_are_compared_and_nothing_is_measured(files, monkeypatch, capsys):
    monkeypatch.setattr(command, "_measured", None)
    a, b, picture = (str(files / name) for name in ("a.json", "b.json", "c.png"))
    assert cli.main(["measure", "--compare", a, "--compare", b, "--plot", picture]) == 0
    out = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert out[0] == f"A {a}: a card, fp16, 2026-01-02".split()
    assert out[1] == f"B {b}: another card, fp16, 2026-01-02".split()
    assert out[4:] == [
        "int4 1 16 20 ms 50 ms 2.50 50% 20%".split(),
        "int8 1 16 out of memory 40 ms 25%".split(),
        "only in A: int4, batch 1, context 32".split(),
        "only in A: paged, batch 2, context 16".split(),
        "only in B: int8, batch 1, context 32".split(),
    ]
    assert (files / "c.png").read_bytes().startswith(b"\x89PNG")


def test_this_run_is_compared_with_a_record(model, files, monkeypatch, capsys):
    drawn = []

    class Drawn:
        def __init__(self, rows, others, label):
            drawn.extend(([row["cache"] for row in rows], list(others), label))

        def savefig(self, file, dpi):
            drawn.append(file)

    monkeypatch.setattr(command.plots, "step_times", Drawn)
    arguments = "measure --device cpu --contexts 16 --caches int4 --steps 1".split()
    b = str(files / "b.json")
    assert cli.main([*arguments, "--compare", b, "--plot", str(files / "c.svg")]) == 0
    out = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    beside = out.index(f"B {b}: another card, fp16, 2026-01-02".split()) - 1
    first, _, heading, _, row, *alone = out[beside:]
    assert first[:3] == ["A", "this", "run:"] and heading[:3] == ["cache", "batch", "context"]
    assert row[:3] == ["int4", "1", "16"] and len(row) == 3 + 2 + 2 + 1 + 2
    assert [" ".join(line) for line in alone] == ["only in B: int8, batch 1, context 16 and 32"]
    assert drawn == [["int4"], [b], "this run", str(files / "c.svg")]


def test_a_run_is_drawn_by_itself(model, tmp_path):
    picture = tmp_path / "a.pdf"
    arguments = "measure --device cpu --contexts 16,32 --caches int4,none --steps 1".split()
    assert cli.main([*arguments, "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--compare quality", "quality is none of decode times: it lacks dtype and rows"),
        ("--compare decod", "there is no 'decod'"),
        ("--compare none.json", "there is no file none.json"),
        ("--compare {}/broken.json", "broken.json is not JSON"),
        ("--compare {}/list.json", "list.json holds no JSON object"),
        ("--compare {}/lacking.json", "row 1 lacks floor_seconds and fraction"),
        ("--compare decode --shape 1b", "is a record of smollm2; add --shape smollm2"),
        ("--compare {0}/a.json --compare {0}/7b.json", "must be of one model, not of smollm2 and 7b"),
        ("--compare decode --compare decode", "two that differ"),
        ("--compare {0}/a.json --compare {0}/b.json --compare decode", "one record, or two"),
        ("--compare {0}/a.json --compare {0}/b.json --json {0}/c.json", "nothing is"),
        ("--compare decode --quality", "compare is for decode times"),
        ("--compare decode --retrieval", "compare is for decode times"),
        ("--plot a.png --singular-values", "plot is for decode times"),
        ("--plot a.gif", "ends in .png, .svg, .pdf, not in '.gif'"),
        ("--plot {0}/nowhere/a.png", "plot: there is no folder"),
        ("--json {0}/nowhere/a.json", "json: there is no folder"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    files, monkeypatch, capsys, arguments, said
):
    monkeypatch.setattr(command, "_decode", None)
    record.write(files / "7b.json", made({("int4", 1, 16): 0.02}, model="7b"))
    lacking = made({("int4", 1, 16): 0.02})
    lacking["rows"].append({"cache": "int4", "batch": 1, "context": 32, "seconds": 1.0})
    record.write(files / "lacking.json", lacking)
    (files / "broken.json").write_text("{")
    (files / "list.json").write_text("[]")
    assert cli.main(["measure", *arguments.format(*[files] * 2).split()]) == 2
    assert said in capsys.readouterr().err


def test_the_books_record_can_be_compared():
    assert compare.read("decode") == records.record("decode")
