"""What measures: that it times what it says, counts the right bytes, and writes a record that holds."""

import importlib.util
import io
from pathlib import Path

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.cache.base import zeros
from kvlib.layouts import CacheLayout
from kvlib.measure import attention_speed as measured_attention, decode, shapes, timing
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
    monkeypatch.setattr(decode, "copy_bandwidth", lambda device, nbytes: 1e9)


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
    assert timing.copy_bytes("cpu") == timing.COPY_BYTES
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


def test_calls_timed_together_share_their_time(monkeypatch):
    monkeypatch.setattr(measured_attention, "_at_once", lambda device: 4)
    read = []
    monkeypatch.setattr(measured_attention, "attention", lambda q, view: read.append(view.k.data_ptr()))

    def timed(calls, repeats, device, head_start):
        assert head_start == timing.ALL_KERNELS
        calls[64]()
        return {"copy": [1.0], 64: [2.0]}

    monkeypatch.setattr(measured_attention, "timed", timed)
    [row] = measured_attention.attention_against_copy([64], 1, 4, 2, 16)
    assert row.seconds == 0.5 and row.floor_seconds == row.bytes_read / 2**17
    assert len(read) == len(set(read)) == 4


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


@pytest.mark.parametrize("name", [name for name in decode.CACHES if decode.CACHES[name]])
def test_a_cache_is_asked_room_for_in_its_own_format(tiny, monkeypatch, name):
    kind, options = decode.CACHES[name]
    capacity = 20 + 1 + decode.WARM
    reserved = make_cache(kind, LAYOUT, batch=3, capacity=capacity, **options).reserved_bytes
    needs = int(decode.SLACK * reserved)
    monkeypatch.setattr(decode, "room", lambda device: needs)
    rows, _ = decode.decode_times(tiny, [20], [name], [3], steps=1)
    assert "seconds" in rows[0]
    monkeypatch.setattr(decode, "room", lambda device: needs - 1)
    rows, _ = decode.decode_times(tiny, [20], [name, "none"], [3], steps=1)
    assert rows[0] == {
        "cache": name, "batch": 3, "context": 20,
        "failed": "does not fit", "asked_bytes": needs, "free_bytes": needs - 1,
    }  # fmt: skip
    assert "seconds" in rows[1]


def test_a_pass_without_a_cache_is_warmed_up_and_a_long_one_run_once(tiny, monkeypatch):
    for took, runs in ((decode.LONG, 4), (decode.LONG + 1, 1)):
        calls = []

        def once(call, device, calls=calls, took=took):
            calls.append(call)
            return took

        monkeypatch.setattr(decode, "once", once)
        assert decode._without(tiny, 1, 8) == [took] * max(1, runs - 1)
        assert len(calls) == runs


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
    # 64 MiB of fresh pages: malloc could give some that earlier tests have freed, and nothing would grow.
    held = zeros(2**24, dtype=torch.float32, device="cpu").fill_(1)
    assert decode.peak("cpu") >= before + held.nbytes // 2


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
