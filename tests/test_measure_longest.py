"""The longest context: predicted from the memory, reached, and refused beyond it."""

from types import SimpleNamespace

import pytest
import torch

from kvlib.configs import layout
from kvlib.layouts import CacheLayout
from kvlib.measure import decode, longest
from kvlib.measure.longest import DoesNotFit, Memory, quarter_decoder, reach, refused, too_long
from kvlib.measure.random_model import random_decoder
from kvlib.measure.shapes import MAX_CONTEXT, SHAPES
from kvlib.units import GiB, KiB

LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=100_000)
PER_TOKEN = {"contiguous": 1024, "paged": 1024, "int8": 288, "int4": 160, "int2": 96}  # bytes, by hand


@pytest.fixture(scope="module")
def tiny():
    return random_decoder(LAYOUT, hidden=32, ffn=48, vocab=40)


@pytest.fixture
def memory(tiny):
    return Memory(tiny, budget=tiny.weights_bytes + 400 * KiB)


@pytest.mark.parametrize("name", PER_TOKEN)
def test_what_is_predicted_is_reached(tiny, memory, name):
    room = int(memory.total * longest.UTILIZATION) - tiny.weights_bytes
    predicted = memory.longest(name)
    assert predicted == room // PER_TOKEN[name]
    if name == "paged":
        predicted -= predicted % 16  # a block that is begun is a block set aside
    of = reach(tiny, name, memory, predicted)
    assert of.context == predicted and of.predicted == predicted * PER_TOKEN[name] == of.measured
    assert of.seconds > 0


def test_what_is_larger_than_all_that_is_free_is_refused_before_it_is_allocated(tiny, memory, monkeypatch):
    assert memory.free == 400 * KiB
    beyond = too_long(tiny, "contiguous", memory)
    assert beyond == 401 and refused(tiny, "contiguous", memory, beyond)
    assert not refused(tiny, "contiguous", memory, beyond - 1)
    made, real = [], decode.make_cache

    def make_cache(*args, device, **options):
        made.append(device)
        return real(*args, device=device, **options)

    monkeypatch.setattr(decode, "make_cache", make_cache)
    with pytest.raises(DoesNotFit, match="410,624 bytes asked for, 409,600 free"):
        reach(tiny, "contiguous", memory, beyond)
    assert made == ["meta"]


def test_a_context_that_the_decoder_ends_before_the_memory_is_its_limit(tiny):
    memory = Memory(tiny, budget=GiB)
    assert memory.longest("int4") == 100_000 and too_long(tiny, "int4", memory) is None


def test_weights_that_do_not_fit_leave_nothing(tiny):
    memory = Memory(tiny, budget=1000)
    assert (memory.free, memory.longest()) == (0, 0)


@pytest.mark.parametrize("name", ["none", "sliding", "contigous"])
def test_only_a_cache_that_keeps_every_token_has_a_longest_context(memory, name):
    with pytest.raises(ValueError, match="unknown cache"):
        memory.longest(name)


@pytest.mark.parametrize("bad", [None, 0, 1.5])
def test_a_processors_memory_must_be_pretended(tiny, bad):
    with pytest.raises(ValueError, match="budget"):
        Memory(tiny, bad)


def test_the_quarter_is_a_quarter_in_every_count(monkeypatch):
    monkeypatch.setattr(longest, "random_decoder", lambda layout, *widths, **rest: (layout, widths, rest))
    small, widths, rest = quarter_decoder(dtype="fp16", device="meta")
    whole = layout(SHAPES["7b-gqa"])
    assert (small.n_layers, small.n_heads, small.n_kv_heads) == (
        whole.n_layers // 4, whole.n_heads // 4, whole.n_kv_heads // 4,
    )  # fmt: skip
    assert small.head_dim == whole.head_dim and small.max_context == MAX_CONTEXT
    assert widths == (4096 // 4, 11008 // 4, 32000 // 4) and rest == {"dtype": "fp16", "device": "meta"}


# What a GPU would say, where there is none.


@pytest.fixture
def t4(monkeypatch):
    """A decoder of the 7B shape on a T4 that has 200 MiB of its own in use."""
    total, weights = int(14.56 * GiB), 11_866_742_784
    monkeypatch.setattr(longest, "room", lambda device: total - weights - 200 * 2**20)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (None, total))
    return SimpleNamespace(
        device=torch.device("cuda"), weights_bytes=weights, layout=layout(SHAPES["7b-gqa"]),
        dtype=torch.float16, max_context=MAX_CONTEXT,
    )  # fmt: skip


def test_a_gpu_says_itself_what_it_has(t4):
    memory = Memory(t4)
    assert (memory.total, memory.other) == (int(14.56 * GiB), 200 * 2**20)
    assert memory.free == longest.room("cuda")
    room = int(memory.total * 0.975) - memory.weights - memory.other
    assert memory.longest("contiguous") == room // (128 * KiB)
    assert memory.longest("int4") == room // (40 * KiB)
    assert too_long(t4, "contiguous", memory) == memory.free // (128 * KiB) + 1
    with pytest.raises(ValueError, match="budget"):
        Memory(t4, budget=GiB)


def test_a_gpu_that_runs_out_does_not_fit_and_gives_back_what_it_had_given(t4, monkeypatch):
    memory, given_back = Memory(t4), []

    def make_cache(*args, **options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")

    monkeypatch.setattr(decode, "make_cache", make_cache)
    monkeypatch.setattr(longest, "room", given_back.append)
    with pytest.raises(DoesNotFit, match="3.00 GiB"):
        memory.make_cache("contiguous", 30_000)
    assert given_back == [torch.device("cuda")] * 2  # older caches before, and what did fit after
    assert refused(t4, "int4", memory, 90_000)


def test_on_a_gpu_the_allocator_is_asked_what_is_in_use(tiny, memory, monkeypatch):
    counted = iter([7000, 7000 + 10 * 1024 + 512])  # it rounds up
    memory.on_cuda = True
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: next(counted))
    of = reach(tiny, "contiguous", memory, 10)
    assert (of.predicted, of.measured) == (10 * 1024, 10 * 1024 + 512)
