"""What measuring asks of CUDA, where CUDA is a stand-in: no GPU is needed."""

import contextlib
import subprocess
from types import SimpleNamespace

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout
from kvlib.measure import command, decode, memory, record, rows, timing
from kvlib.measure.random_model import random_decoder
from kvlib.units import GiB, MiB

LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=128)
LAUNCH = 10e-6  # seconds from a call to the start of its kernel, where the device has nothing else to do


class Card:
    """A device that takes kernels in order, beside a host: each with its own clock, in seconds."""

    def __init__(self):
        self.host = self.device = 0.0

    def kernel(self, seconds):
        """The host hands a kernel over; the device runs it when it has done all others."""
        self.host += LAUNCH
        self.device = max(self.device, self.host) + seconds

    def synchronize(self, device=None):
        self.host = max(self.host, self.device)

    def Event(self, enable_timing):
        assert enable_timing
        event = SimpleNamespace(synchronize=self.synchronize)
        event.record = lambda: setattr(event, "at", max(self.device, self.host))
        event.elapsed_time = lambda end: 1000 * (end.at - event.at)
        return event


@pytest.fixture
def card(monkeypatch):
    card = Card()
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", card.Event)
    monkeypatch.setattr(torch.cuda, "synchronize", card.synchronize)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: card.kernel(cycles / 1.7e9))
    return card


# time


def test_the_device_is_timed_from_its_first_kernel_to_its_last(card):
    def call():
        for _ in range(3):
            card.kernel(1e-3)

    assert timing.once(call, "cuda") == pytest.approx(3e-3, abs=1e-9)  # and no launch latency
    assert timing.timed({"call": call}, 2, "cuda")["call"] == pytest.approx([3e-3] * 2, abs=1e-9)


def test_waiting_for_the_host_counts(card):
    def call():
        for _ in range(3):
            card.host += 2e-3
            card.kernel(1e-3)

    # The host has begun before the clock has, by at most what the device was kept waiting.
    assert timing.once(call, "cuda") == pytest.approx(7e-3, rel=0.01)
    # Where it is far ahead, the device alone is timed.
    ahead = 10 * timing.ALL_KERNELS
    assert timing.once(call, "cuda", ahead) == pytest.approx(3e-3, abs=1e-9)
    assert timing.timed({"call": call}, 1, "cuda", head_start=ahead)["call"] == pytest.approx(
        [3e-3], abs=1e-9
    )


def test_work_from_before_does_not_count(card):
    card.kernel(1.0)
    assert timing.once(lambda: card.kernel(1e-3), "cuda") == pytest.approx(1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("free", "nbytes"),
    [(80 * GiB, 2 * GiB), (4 * GiB, 2 * GiB), (4 * GiB - 1, GiB), (1.5 * GiB, 512 * MiB), (0, 256 * MiB)],
)
def test_a_copy_takes_2_gib_or_what_has_room(monkeypatch, free, nbytes):
    monkeypatch.setattr(timing, "room", lambda device: free)
    assert timing.copy_bytes("cuda") == nbytes


def bare(device):
    """A decoder of which only the shape is asked."""
    return SimpleNamespace(device=torch.device(device), layout=LAYOUT, dtype=torch.float16, max_context=128)


@pytest.mark.parametrize(("device", "copies"), [("cuda", 1), ("cpu", 4)])
def test_a_gpu_copies_once_and_a_cpu_beside_each_context(monkeypatch, device, copies):
    asked = []
    monkeypatch.setattr(decode, "copy_bandwidth", lambda *args: asked.append(args) or 1e9)
    monkeypatch.setattr(decode, "_row", lambda *args: {})
    _, bandwidth = decode.decode_times(bare(device), [8, 16], ["int4"], [1, 2], copy_bytes=GiB)
    assert bandwidth == 1e9 and asked == [(torch.device(device), GiB)] * copies


# memory


def test_what_is_free_is_read_after_the_allocator_is_emptied(monkeypatch):
    free, kept = GiB, [MiB, 2 * MiB]  # the second of a tensor that only a circle still holds

    def collect():
        kept[:1] = [sum(kept)]
        del kept[1:]

    def empty_cache():
        nonlocal free
        free += kept.pop(0)

    monkeypatch.setattr(memory.gc, "collect", collect)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 16 * GiB))
    assert memory.room("cuda") == GiB + 3 * MiB


def test_the_peak_is_of_tensors_since_it_was_reset(monkeypatch, card):
    reset = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    memory.reset_peak("cuda")
    assert reset == ["cuda"] and memory.peak("cuda") == 7


@pytest.mark.parametrize("name", [name for name in decode.CACHES if decode.CACHES[name]])
def test_a_gpu_is_asked_for_what_the_cache_sets_aside_and_no_more(monkeypatch, name):
    """CUDA says when memory runs out, so what may fit is tried."""
    kind, options = decode.CACHES[name]
    capacity = 20 + 2 + decode.WARM
    needs = make_cache(kind, LAYOUT, batch=3, capacity=capacity, dtype="fp16", **options).reserved_bytes
    monkeypatch.setattr(decode, "room", lambda device: needs - 1)
    row = decode._row(bare("cuda"), name, 3, 20, 2)
    assert (row["failed"], row["asked_bytes"], row["free_bytes"]) == ("does not fit", needs, needs - 1)


MESSAGE = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 14.56 GiB of which "
    "812.00 MiB is free. Of the allocated memory 13.10 GiB is allocated by PyTorch"
)


# Where PyTorch names no size: what the cache needs for 13 tokens, and a tenth.
@pytest.mark.parametrize(("said", "asked"), [(MESSAGE, "2.5 GiB"), ("out of memory", "28.6 KiB")])
def test_out_of_memory_is_said_with_its_figures_and_the_next_row_is_measured(monkeypatch, said, asked):
    decoder = random_decoder(LAYOUT, hidden=32, ffn=48, vocab=40)
    monkeypatch.setattr(decode, "copy_bandwidth", lambda device, nbytes: 1e9)
    monkeypatch.setattr(decode, "room", lambda device: 812 * MiB)
    fill = decode.fill

    def full(cache, context):
        if cache.batch == 2:
            raise torch.cuda.OutOfMemoryError(said)
        fill(cache, context)

    monkeypatch.setattr(decode, "fill", full)
    found, _ = decode.decode_times(decoder, [8], ["contiguous"], [2, 1], steps=2)
    assert rows.takes(found[0]) == "out of memory" and rows.reached(found[0]) == ""
    words = f"contiguous, batch 2, context 8: out of memory: asked for {asked}, 812 MiB free"
    assert rows.why(found[0]) == words
    assert "seconds" in found[1]


@pytest.mark.parametrize("captured", [{}, {"step": "a graph"}])
def test_a_row_says_whether_its_steps_were_replayed(monkeypatch, captured):
    cache = SimpleNamespace(captured=captured, nbytes=8, predicted_bytes=8, reserved_bytes=9)
    monkeypatch.setattr(decode, "make_cache", lambda *args, **options: cache)
    for name, given in (
        ("fill", None),
        ("timed_steps", [1.0]),
        ("room", GiB),
        ("reset_peak", None),
        ("peak", 7),
    ):
        monkeypatch.setattr(decode, name, lambda *args, given=given: given)
    monkeypatch.setattr(decode, "weights_read", lambda decoder: 100)
    row = decode._row(bare("cuda"), "int4", 1, 20, 2)
    assert row["graph"] is bool(captured) and row["seconds"] == 1.0 and row["bytes_read"] == 108


# the record


class Smi:
    """A stand-in for `subprocess.run`: nvidia-smi says `said`, or is not there."""

    def __init__(self, said):
        self.said, self.run = said, subprocess.run

    def __call__(self, command, **rest):
        if command[0] != "nvidia-smi":
            return self.run(command, **rest)
        if self.said is None:
            raise FileNotFoundError("nvidia-smi")
        assert "--query-gpu=driver_version" in command
        return SimpleNamespace(stdout=self.said)


@pytest.mark.parametrize("said", ["550.54.15\n", "550.54.15\n550.54.15\n", "", None])
def test_a_record_names_the_card_and_its_driver(monkeypatch, said):
    monkeypatch.setattr(record.subprocess, "run", Smi(said))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    properties = SimpleNamespace(total_memory=15642329088)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    about = record.provenance("7b", "kvlib measure", "cuda")
    card = {"device": "Tesla T4", "driver": "550.54.15", "capability": "7.5", "memory_bytes": 15642329088}
    if not said:
        del card["driver"]
    assert dict(list(about.items())[1 : 1 + len(card)]) == card
    assert list(about)[1 + len(card) :] == ["threads", "versions", "date", "command", "commit"]


def test_a_record_names_tritons_version(monkeypatch):
    monkeypatch.setattr(record.metadata, "version", lambda package: f"{package} 1")
    assert record.versions()["triton"] == "triton 1"


@pytest.mark.parametrize(
    "capability, dtype", [((7, 5), "fp16"), ((8, 0), "bf16"), ((8, 9), "bf16"), ((9, 0), "bf16")]
)
def test_a_gpu_computes_in_what_it_has_arithmetic_for(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert command.default_dtype("cuda") == dtype and command.default_dtype("cpu") == "fp32"
