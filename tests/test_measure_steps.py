"""One-token steps beside each other, and what a pass needs in memory."""

from types import SimpleNamespace

import pytest
import torch

from kvlib.cache import CacheFull, make_cache
from kvlib.layouts import CacheLayout
from kvlib.measure import decode, footprint as needs, steps
from kvlib.measure.decode import WARM, fill
from kvlib.measure.footprint import Tensors, footprint
from kvlib.measure.random_model import random_decoder

LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=600)
VOCAB = 5000


@pytest.fixture(scope="module")
def tiny():
    return random_decoder(LAYOUT, hidden=32, ffn=48, vocab=VOCAB)


def filled(capacity, context=10):
    cache = make_cache("contiguous", LAYOUT, capacity=capacity)
    fill(cache, context)
    return cache


# steps


def test_a_step_is_the_median_of_those_after_the_first(tiny, monkeypatch):
    cache, took = filled(10 + WARM + 3), iter([5.0, 1.0, 2.0])

    def once(call, device):
        call()
        return next(took)

    monkeypatch.setattr(decode, "once", once)
    assert steps.step_seconds(tiny, cache, steps=3) == 2.0
    assert cache.length == 10 + WARM + 3
    with pytest.raises(CacheFull):
        steps.step_seconds(tiny, cache, steps=1)
    with pytest.raises(ValueError, match="steps"):
        steps.step_seconds(tiny, cache, steps=0)


def test_caches_take_turns_and_the_least_counts(tiny, monkeypatch):
    calls, times = [], {"a": iter([3.0, 2.0]), "b": iter([1.0, 4.0])}

    def step_seconds(decoder, cache, n):
        calls.append(cache)
        return next(times[cache])

    monkeypatch.setattr(steps, "step_seconds", step_seconds)
    assert steps.in_turn(tiny, {"a": "a", "b": "b"}, steps=2) == {"a": 2.0, "b": 1.0}
    assert calls == ["a", "b", "a", "b"]


def on_cuda(**more):
    return SimpleNamespace(device=torch.device("cuda"), dtype=torch.float16, **more)


def test_the_graph_is_switched_and_left_as_it_was(monkeypatch):
    decoder, capacities = on_cuda(graph="as it was"), []
    monkeypatch.setattr(steps, "fill", lambda cache, context: None)
    monkeypatch.setattr(steps, "step_seconds", lambda decoder, cache, n: 1.0 if decoder.graph else 2.0)
    made = steps.graph_off_and_on(decoder, lambda capacity: capacities.append(capacity), context=40, steps=5)
    assert made == {"off": 2.0, "on": 1.0} and decoder.graph == "as it was"
    assert capacities == [40 + 5 + WARM] * 2  # a cache each, for both begin at one length

    def fails(decoder, cache, n):
        raise RuntimeError

    monkeypatch.setattr(steps, "step_seconds", fails)
    with pytest.raises(RuntimeError):
        steps.graph_off_and_on(decoder, lambda capacity: None)
    assert decoder.graph == "as it was"


def test_on_a_processor_there_is_no_graph(tiny):
    with pytest.raises(ValueError, match="no graph to switch"):
        steps.graph_off_and_on(tiny, None)


# memory


def test_tensors_are_counted_while_they_live():
    before = torch.ones(5000)
    with torch.inference_mode(), Tensors() as made:
        a = torch.ones(1000)
        b = a * 2  # 8,000 bytes live
        del a
        c = b + 1  # again
        view = c.view(10, 100)  # nothing new
        c.add_(1)
        before.mul_(2)  # was there before
        del b, c
        assert made.now == 4000  # `view` still holds it
        del view
    assert (made.most, made.now) == (8000, 0)


def test_a_pass_needs_the_logits_that_it_returns(tiny):
    rows = footprint(tiny, [64, 128])
    for row in rows:
        T = row["context"]
        assert row["weights"] == tiny.weights_bytes and row["cache"] == T * 2 * 2 * 2 * 32 * 4
        assert row["share"] == row["cache"] / (row["cache"] + row["weights"])
        # What a layer has in use at once is given back before the logits are made.
        assert row["every"] >= T * VOCAB * 4 > row["last"] > T * 32 * 4
    assert rows[1]["every"] == pytest.approx(2 * rows[0]["every"], rel=0.02)


@pytest.mark.parametrize(("contexts", "said"), [([0], "contexts"), ([64, 601], "at most 600")])
def test_a_context_that_cannot_be_read_is_refused(tiny, contexts, said):
    with pytest.raises(ValueError, match=said):
        footprint(tiny, contexts)


def test_on_a_gpu_the_allocators_peak_is_read_from_where_it_stood(monkeypatch):
    done = []
    monkeypatch.setattr(needs, "room", lambda device: done.append("emptied"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: done.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 1700)

    class Decoder(SimpleNamespace):
        def __call__(self, tokens, cache, logits_to_keep):
            done.append(logits_to_keep)

    assert needs._most(Decoder(device=torch.device("cuda")), None, None, 0) == 700
    assert done == ["emptied", "reset", 0]
