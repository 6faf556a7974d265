"""The simulation: nothing is lost, and two simpler models, which only count, agree with it."""

import doctest

import pytest
from hypothesis import given, settings, strategies as st

from kvlib.serving import ALLOCATIONS, Request, memories, requests, simulate, simulation


@st.composite
def streams(draw):
    prefix = draw(st.integers(0, 9))
    return requests(
        draw(st.integers(1, 12)),
        seed=draw(st.integers(0, 999)),
        gap=draw(st.integers(0, 4)),
        prompt=(1, draw(st.integers(1, 20))),
        new=(1, draw(st.integers(1, 20))),
        prefix_tokens=prefix,
    )


@st.composite
def runs(draw, allocations=ALLOCATIONS):
    stream = draw(streams())
    allocation = draw(st.sampled_from(allocations))
    block_size, share = draw(st.sampled_from([1, 2, 3, 5, 8])), draw(st.booleans())
    least = max(r.tokens for r in stream) + stream[0].prefix_tokens + 2 * block_size
    memory = draw(st.integers(least, 4 * least))
    return simulate(stream, memory, allocation, block_size=block_size, share_prefix=share), share


@given(runs())
@settings(max_examples=150, deadline=None)
def test_no_token_and_no_slot_is_lost(case):
    run, _ = case
    final = {r.id: r for r in run.requests}
    made = dict.fromkeys(final, 0)
    for frame in run.frames:
        assert frame.used + frame.to_come + frame.internal + frame.free == run.memory
        assert min(frame.used, frame.to_come, frame.internal, frame.free, frame.external) >= 0
        assert frame.external <= frame.free
        assert 0 < frame.utilization <= 1
        for held in frame.running:
            made[held.request] += 1
            assert held.tokens == final[held.request].prompt_tokens + made[held.request]
        arrived = {r.id for r in run.requests if r.arrival <= frame.step}
        running = {h.request for h in frame.running}
        done = {r for r in arrived - running if made[r] == final[r].new_tokens}
        assert set(frame.waiting) == arrived - running - done
        assert list(frame.waiting) == sorted(frame.waiting)
    assert made == {r.id: r.new_tokens for r in run.requests}


@given(runs())
@settings(max_examples=100, deadline=None)
def test_no_slot_has_two_owners_but_a_shared_prefix(case):
    run, share = case
    for frame in run.frames:
        if run.allocation == "paged":
            prefix = {b for _, held in frame.prefixes for b in held.blocks}
            own = [b for h in frame.running for b in h.blocks if b not in prefix]
            assert len(own) == len(set(own))
            assert not prefix or share
            for held in frame.running:
                assert len(held.blocks) == -(-held.tokens // run.block_size)
            assert frame.taken == run.block_size * len(prefix | set(own))
        else:
            at = 0
            for held in sorted(frame.running, key=lambda h: h.start):
                assert held.start >= at and held.tokens <= held.size
                at = held.start + held.size
            assert at <= run.memory


@given(runs(["paged"]))
@settings(max_examples=100, deadline=None)
def test_paged_wastes_less_than_a_block_for_each_table(case):
    run, _ = case
    for frame in run.frames:
        tables = len(frame.running) + len(frame.prefixes)
        assert frame.to_come + frame.internal <= (run.block_size - 1) * tables


@given(streams(), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_reserved_is_a_queue_with_as_many_servers_as_fit(stream, servers):
    longest = max(r.tokens for r in stream)
    run = simulate(stream, servers * longest + longest // 2, "reserved")
    free_at, starts = [0] * servers, {}
    for r in stream:  # the simpler model: each request takes the server that is free first
        free_at.sort()
        starts[r.id] = max(r.arrival, free_at[0], *starts.values(), 0)
        free_at[0] = starts[r.id] + r.new_tokens
    first = {}
    for frame in run.frames:
        for held in frame.running:
            first.setdefault(held.request, frame.step)
    assert first == starts
    assert run.summary()["steps"] == max(free_at)


@given(runs(["paged"]))
@settings(max_examples=150, deadline=None)
def test_a_frame_says_who_came_who_was_thrown_out_and_what_it_computes_again(case):
    run, share = case
    lost, before = {}, {}  # id -> tokens
    by_id = {r.id: r for r in run.requests}
    for frame in run.frames:
        here = {h.request: h.tokens for h in frame.running}
        came = [id for id in here if id not in before]
        assert list(frame.admitted) == came and not (frame.preempted and came)
        for one in frame.preempted:
            kept = by_id[one.request].prefix_tokens if frame.prefixes and share else 0
            assert one.tokens == before[one.request] - kept
            assert one.by == one.request or one.by in here or one.by in {p.request for p in frame.preempted}
            lost[one.request] = before[one.request]
        for id in came:  # who returns stores all it had, and one token more
            assert here[id] == lost.pop(id, by_id[id].prompt_tokens) + 1
        gone = {id for id in before if id not in here} - {one.request for one in frame.preempted}
        assert all(before[id] == by_id[id].tokens for id in gone)
        before = here
    assert not lost


@given(runs(["paged"]))
@settings(max_examples=150, deadline=None)
def test_owners_are_counted_and_a_partly_filled_shared_block_is_copied(case):
    run, _ = case
    for frame in run.frames:
        tables = [h.blocks for h in frame.running] + [h.blocks for _, h in frame.prefixes]
        assert frame.refs == tuple(
            sum(block in table for table in tables) for block in range(run.memory // run.block_size)
        )
        inside = frame.prefixes[0][1].tokens % run.block_size if frame.prefixes else 0
        # Every fork writes behind the prefix, and so copies its last block if that is not full.
        assert [copy.request for copy in frame.copied] == (list(frame.admitted) if inside else [])
        for copy in frame.copied:
            table = next(h.blocks for h in frame.running if h.request == copy.request)
            prefix = frame.prefixes[0][1].blocks
            assert (copy.source, copy.tokens) == (prefix[-1], inside)
            assert table[len(prefix) - 1] == copy.target and frame.refs[copy.target] == 1


@given(streams(), st.sampled_from([1, 2, 4, 7]), st.booleans(), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_paged_agrees_with_a_model_that_only_counts_blocks(stream, size, share, extra):
    shared = stream[0].prefix_tokens if share else 0
    memory = (-(-max(r.tokens for r in stream) // size) + -(-shared // size)) * size + extra
    run = simulate(stream, memory, "paged", block_size=size, share_prefix=share)

    def blocks(r):  # beyond the whole blocks of the shared prefix
        return -(-(r.prompt_tokens + made[r.id]) // size) - shared // size

    made, waiting, running, step = dict.fromkeys([r.id for r in stream], 0), list(stream), [], 0
    expected = []
    while waiting or running:
        thrown = False
        for r in list(running):
            if r not in running:
                continue
            made[r.id] += 1
            started = bool(shared) and any(made[q.id] < q.new_tokens or q in running for q in stream)
            pinned = -(-shared // size) if started else 0
            while r in running and sum(map(blocks, running)) + pinned > memory // size:
                last = running.pop()
                # A request later in line has not had its token of this step yet.
                made[last.id] -= last is r
                waiting.insert(0, last)
                thrown = True
        while waiting and waiting[0].arrival <= step and not thrown:
            made[waiting[0].id] += 1
            pinned = -(-shared // size)
            if sum(map(blocks, [*running, waiting[0]])) + pinned > memory // size:
                made[waiting[0].id] -= 1
                break
            running.append(waiting.pop(0))
        expected.append([(r.id, r.prompt_tokens + made[r.id]) for r in running])
        running = [r for r in running if made[r.id] < r.new_tokens]
        step += 1
    assert [[(h.request, h.tokens) for h in f.running] for f in run.frames] == expected


@given(streams(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_every_block_is_free_again_at_the_end(stream, share):
    pools = []

    class Watched(memories.BlockPool):
        def __init__(self, *args):
            super().__init__(*args)
            pools.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories, "BlockPool", Watched)
        simulate(stream, 120, "paged", block_size=4, share_prefix=share)
    assert [p.num_free for p in pools] == [30]


def test_a_stream_is_the_same_for_the_same_seed():
    assert requests(20, seed=5) == requests(20, seed=5) != requests(20, seed=6)
    first = requests(3, seed=1)
    assert [(r.arrival, r.prompt_tokens, r.new_tokens) for r in first] == [
        (0, 12, 11),
        (3, 36, 28),
        (4, 14, 5),
    ]
    assert [r.arrival for r in requests(4, gap=0)] == [0, 0, 0, 0]


def test_paging_serves_more_at_once_from_the_same_memory():
    stream = requests(40, seed=0, gap=1)
    reserved, exact, paged = (simulate(stream, 512, p).summary() for p in ALLOCATIONS)
    assert reserved["utilization"] < exact["utilization"] < paged["utilization"]
    assert reserved["peak_running"] < paged["peak_running"]
    assert reserved["steps"] > paged["steps"]


def test_a_request_thrown_out_waits_first_and_loses_no_token():
    stream = (Request(0, 0, 8, 12), Request(1, 0, 8, 12), Request(2, 1, 4, 2))
    run = simulate(stream, 32, "paged", block_size=4)
    thrown = [f for f in run.frames if f.preempted]
    assert thrown and thrown[0].preempted[-1].request == thrown[0].waiting[0]
    assert run.summary()["preempted"] >= 1


def test_a_shared_prefix_is_stored_once():
    stream = [Request(i, 0, 20, 4, "system", 16) for i in range(4)]
    alone = simulate(stream, 256, block_size=8).frames[0]
    shared = simulate(stream, 256, block_size=8, share_prefix=True).frames[0]
    assert alone.used == 4 * 21
    assert shared.used == 16 + 4 * 5
    assert {h.blocks[:2] for h in shared.running} == {shared.prefixes[0][1].blocks}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Request(0, 0, 0, 1), "prompt_tokens"),
        (lambda: Request(0, 0, 1, 2.5), "new_tokens"),
        (lambda: Request(0, -1, 1, 1), "arrival"),
        (lambda: Request(0, 0, 4, 1, "system", 5), "prefix_tokens must be at most"),
        (lambda: Request(0, 0, 4, 1, prefix_tokens=2), "prefix_tokens needs"),
        (lambda: requests(0), "n must be"),
        (lambda: requests(3, prompt=(9, 2)), "prompt must be"),
        (lambda: simulate([], 64), "requests must hold"),
        (lambda: simulate([Request(0, 0, 1, 1)] * 2, 64), "id of their own"),
        (lambda: simulate(requests(3), 64, "pages"), "unknown allocation 'pages'; did you mean paged"),
        (lambda: simulate([Request(0, 0, 60, 10)], 64, "reserved"), "memory must be at least 70"),
        (lambda: simulate([Request(0, 0, 60, 10)], 64, "paged"), "memory must be at least 80"),
        (lambda: simulate([Request(0, 0, 60, 10)], 999, "reserved", max_tokens=69), "max_tokens"),
        (lambda: simulate(requests(3), 512, block_size=0), "block_size"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_docstring_runs():
    assert doctest.testmod(simulation).failed == 0
