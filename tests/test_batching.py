"""Serving in time: no token is lost, each step takes what it must, and the policies differ where they say."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from kvlib import configs
from kvlib.budget import Arithmetic, Budget
from kvlib.hardware import GPU
from kvlib.serving import Arrival, Costs, arrivals, batching, serve

NAME = "llama-3.1-8b"
LAYOUT, COUNTED = configs.layout(NAME), configs.parameters(NAME)
BUDGET = Budget(LAYOUT, 2 * COUNTED.total, "H100", overhead_bytes=2**30, weights_read_bytes=2 * COUNTED.read)
COSTS = Costs(BUDGET, Arithmetic(LAYOUT, COUNTED.read, COUNTED.embedding))

streams = st.builds(
    arrivals,
    st.integers(1, 12),
    st.sampled_from([0.5, 8.0, 400.0]),
    st.integers(0, 99),
    prompt=st.just((1, 900)),
    new=st.just((1, 40)),
)


@settings(max_examples=80, deadline=None)
@given(
    stream=streams,
    policy=st.sampled_from(batching.POLICIES),
    most=st.integers(1, 6),
    budget=st.integers(7, 2000),
)
def test_no_token_is_lost_and_no_step_overlaps(stream, policy, most, budget):
    line = serve(stream, COSTS, policy, max_sequences=most, token_budget=budget)
    assert [s.request for s in line.served] == sorted(stream, key=lambda r: r.at)
    for s in line.served:
        assert len(s.times) == s.request.new and s.times == sorted(set(s.times))
        assert s.ttft > 0 and s.tpot <= s.stall or s.request.new == 1
    computed = sum(step.tokens for step in line.steps)
    assert computed == sum(r.prompt + r.new - 1 for r in stream)
    if policy == "chunked":
        assert max(step.tokens for step in line.steps) <= budget
    ends = sorted({t for s in line.served for t in s.times})
    least = COSTS.budget.read_floor(0)
    assert all(b - a >= least * (1 - 1e-9) for a, b in pairwise(ends))
    alive = [(s.times[0], s.times[-1]) for s in line.served]
    for start, _ in alive:
        assert sum(a <= start <= b for a, b in alive) <= most + (policy == "static")


def test_a_request_alone_takes_its_floors():
    [s] = serve([Arrival(3.0, 2000, 5)], COSTS, "prefill first").served
    flops = COSTS.arithmetic.prefill(2000)
    assert s.ttft == pytest.approx(flops / 989.4e12, rel=2e-3)
    assert s.ttft == pytest.approx(BUDGET.compute_floor(flops))
    steps = [b - a for a, b in pairwise(s.times)]
    assert steps == pytest.approx([BUDGET.decode_floor(2001 + i) for i in range(4)])


@settings(max_examples=40, deadline=None)
@given(stream=streams, policy=st.sampled_from(batching.POLICIES), budget=st.integers(20, 2000))
def test_the_steps_say_what_each_request_lived_through(stream, policy, budget):
    line = serve(stream, COSTS, policy, token_budget=budget)
    times, past = [[] for _ in line.served], [0] * len(line.served)
    for before, step in zip([None, *line.steps], line.steps, strict=False):
        assert before is None or step.at >= before.at + before.seconds
        for request, tokens in step.prompts:
            assert line.served[request].request.at <= step.at and tokens > 0
            past[request] += tokens
        done = [r for r, _ in step.prompts if past[r] == line.served[r].request.prompt]
        for request in (*step.decoding, *done):
            times[request].append(step.at + step.seconds)
        # The newest token of an answer is not in the cache yet.
        assert dict(step.inside) == {r: past[r] + max(0, len(times[r]) - 1) for r, _ in step.inside}
        assert {r for r, _ in step.prompts} | {*step.decoding} <= {r for r, _ in step.inside}
    assert times == [s.times for s in line.served]


def test_chunks_add_up_to_the_whole_prompt():
    whole = COSTS.arithmetic.prefill(1000)
    parts = [(0, 300), (300, 300), (600, 400)]
    done = sum(
        COSTS.arithmetic.prefill(past + n) - (COSTS.arithmetic.prefill(past) if past else 0)
        for past, n in parts
    )
    assert done == whole
    # A chunk of few tokens reads the weights for them: bound by reading, whatever the prompt's length.
    assert COSTS.seconds([(0, 10)]) == BUDGET.read_floor(BUDGET.cache_read_bytes(10))


def test_a_step_computes_what_arithmetic_counts():
    contexts, prompts = [100, 5000], [(0, 700), (512, 512)]
    operations = sum(map(COSTS.arithmetic.decode, contexts))
    operations += COSTS.arithmetic.prefill(700)
    operations += COSTS.arithmetic.prefill(1024) - COSTS.arithmetic.prefill(512)
    read = sum(map(BUDGET.cache_read_bytes, [*contexts, 700, 1024]))
    least = max(BUDGET.read_floor(read), BUDGET.compute_floor(operations))
    assert COSTS.seconds(prompts, contexts) == pytest.approx(least, rel=1e-12)


def test_what_each_policy_is_for():
    stream = arrivals(60, 8, seed=1, prompt=(200, 4000), new=(50, 300))
    runs = {policy: serve(stream, COSTS, policy).summary() for policy in batching.POLICIES}
    assert runs["static"]["ttft"] > 5 * runs["prefill first"]["ttft"]  # who comes late waits for the batch
    assert runs["prefill first"]["stall"] > 2 * runs["chunked"]["stall"]  # a whole prompt stops all answers
    short, long = (serve(stream, COSTS, token_budget=n).summary() for n in (256, 4096))
    assert short["stall"] < long["stall"] and short["ttft"] > long["ttft"]


def test_a_cached_prefix_is_not_computed_again():
    fresh, cached = (serve([Arrival(0, 4000, 1, cached=n)], COSTS).served[0].ttft for n in (0, 3968))
    assert cached < fresh / 8
    assert cached == pytest.approx(BUDGET.read_floor(BUDGET.cache_read_bytes(4000)))


def test_requests_wait_for_room():
    tight = dataclasses.replace(BUDGET, overhead_bytes=BUDGET.room + 2**30 - 3000 * 131_072)
    costs = Costs(tight, COSTS.arithmetic)
    line = serve([Arrival(0, 1400, 100)] * 3, costs, "prefill first")
    first, second, third = (s.times for s in line.served)
    assert second[0] < first[-1] <= third[0]
    with pytest.raises(ValueError, match="takes 375.125 MiB of cache, and there is room for 375 MiB"):
        serve([Arrival(0, 2900, 101)], costs)


@pytest.mark.parametrize(
    "bad, named",
    [
        (lambda: Arrival(-1, 5, 5), "at must be at least 0"),
        (lambda: Arrival(0, 0, 5), "prompt must be"),
        (lambda: Arrival(0, 5, 5, cached=5), "cached must be less than prompt, 5"),
        (lambda: arrivals(3, 0), "rate must be more than 0"),
        (lambda: serve([], COSTS), "stream must hold at least one"),
        (lambda: serve([Arrival(0, 1, 1)], COSTS, "chunks"), "policy"),
        (lambda: serve([Arrival(0, 1, 1)], COSTS, token_budget=0), "token_budget must be"),
        (
            lambda: Costs(
                dataclasses.replace(BUDGET, gpu=GPU("mine", 2**34, 1e12, "here")), COSTS.arithmetic
            ),
            "the peak arithmetic of mine is not known",
        ),
    ],
)
def test_bad_input_is_refused_by_name(bad, named):
    with pytest.raises(ValueError, match=named):
        bad()
