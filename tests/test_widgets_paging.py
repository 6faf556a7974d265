"""Paging: what it shows is what kvlib.serving's frames hold, over many settings."""

import random

import pytest

from kvlib.serving import Request
from kvlib.widgets import Paging
from kvlib.widgets.paging import BLOCK_SIZES, key

from .browser import chromium, page, show  # noqa: F401
from .drive import drive
from .serving_words import events, followed, letter, queue, rows

READ = r"""el => {
    el.querySelector(".kv-data").open = true;
    const text = (s, at = el) => at.querySelector(s).textContent, all = (s, at) => [...at.querySelectorAll(s)];
    // The rectangles of a path as places in a grid of 32 columns whose first row is at `top`.
    const places = (path, cell, top) => [...(path?.getAttribute("d") ?? "").matchAll(/M([\d.-]+) ([\d.-]+)h([\d.-]+)/g)]
        .flatMap(([, x, y, w]) => { const n = Math.round((Number(w) + 2) / cell);
            const from = Math.round((Number(y) - 0.5 - top) / 17) * 32 + Math.round((Number(x) - 0.5) / cell);
            return Array.from({ length: n }, (_, i) => from + i); });
    const side = (e) => {
        const svg = e.querySelector("svg[role=img]"), cell = (svg.viewBox.baseVal.width - 2) / 32;
        const top = Number(svg.querySelector(".kv-slots").getAttribute("d").match(/ ([\d.]+)h/)[1]) - 0.5;
        const of = (node, kind) => places(node.querySelector(kind), cell, top).sort((a, b) => a - b);
        const point = svg.querySelector(".kv-paging-point")?.getAttribute("d").match(/[\d.-]+ [\d.-]+(?=h)/g).map((p) => p.split(" ").map(Number));
        return {
            head: text(".kv-heading", e), queue: text(".kv-queue", e), numbers: all(".kv-paging-key strong", e).map((n) => Number(n.textContent)),
            used: Object.fromEntries(all("[data-request]", svg).map((g) => [g.dataset.request, of(g, ".kv-used")])),
            come: Object.fromEntries(all("[data-request]", svg).map((g) => [g.dataset.request, of(g, ".kv-come")])),
            shared: all(".kv-paging-shared", svg).map((g) => [of(g, ".kv-used"), g.textContent]),
            entries: all(".kv-paging-entry text", svg).map((t) => t.textContent),
            several: all(".kv-paging-several text", svg).map((t) => t.textContent),
            now: all(".kv-paging-now text", svg).map((t) => t.textContent),
            own: all(".kv-paging-own .kv-used", svg).flatMap((n) => places(n, cell, 20)),
            point: point?.map(([x, y], i) => Math.round((y - (i ? top : 20)) / 17) * 32 + Math.round(x / cell)) ?? null,
            copies: all(".kv-paging-copy", svg).map((n) => places(n, cell, top)), sources: all(".kv-paging-source", svg).map((n) => places(n, cell, top)),
            thrown: all(".kv-paging-thrown", svg).map((n) => places(n, cell, top)),
        };
    };
    return { happened: text(".kv-paging-happened"), followed: text(".kv-paging-followed"),
        sides: all(".kv-side", el).map(side), rows: all(".kv-data tbody tr", el).map((tr) => [...tr.cells].map((c) => c.textContent)) };
}"""  # noqa: E501


def settings(seed, n):
    """Every other one at a step at which something happens: a copy, a preemption, or a return."""
    rng = random.Random(seed)
    points = []
    for i in range(n):
        times = rng.choice([0, 0, 1, 3, 6])
        point = {
            "added": "_".join(f"{rng.randrange(60)}.{rng.randrange(3)}" for _ in range(times)),
            "block_size": rng.choice(BLOCK_SIZES),
            "share_prefix": rng.random() < 0.5,
            "request": rng.randrange(16 + times),
            "token": rng.randrange(104),
        }
        w = Paging(**point)
        frames = w.runs[key(w.block_size, w.share_prefix)].frames
        gone = {one.request for f in frames for one in f.preempted}
        events = [f.step for f in frames if f.preempted or f.copied or gone & {*f.admitted}]
        last = rng.choice([40, 90, w.limits["step"][1]])
        points.append(point | {"step": rng.choice(events) if i % 2 and events else rng.randrange(last + 1)})
    return points


def slots(held, size):
    """The slots of a request's tokens, in their order."""
    if held.start is not None:
        return [held.start + t for t in range(held.tokens)]
    return [held.blocks[t // size] * size + t % size for t in range(held.tokens)]


def check_memory(side, frame, before, run, mine, token):
    """Every mark of one memory's drawing."""
    size = run.block_size
    running = frame.running if frame else ()
    prefix = set(frame.prefixes[0][1].blocks) if frame and frame.prefixes else set()
    free_of_prefix = {
        h.request: [s for s in slots(h, size) if not size or s // size not in prefix] for h in running
    }
    assert side["used"] == {str(id): sorted(places) for id, places in free_of_prefix.items()}
    to_come = sum(len(places) for places in side["come"].values())
    assert to_come == (frame.to_come if frame else 0)
    stored = [slots(h, size) for _, h in frame.prefixes] if frame else []
    assert sorted(s for places, _ in side["shared"] for s in places) == sorted(sum(stored, []))
    for places, label in side["shared"]:
        assert label.endswith(f"×{frame.refs[places[0] // size]}")
    held = next((h for h in running if h.request == mine), None)
    if held is None:
        assert side["entries"] == [] and side["point"] is None
        return
    assert side["own"] == list(range(held.tokens))
    if size is None:
        assert side["entries"] == [f"starts at {held.start}"]
    else:
        assert side["entries"] == [f"{i}→{block}" for i, block in enumerate(held.blocks)]
        assert side["several"] == [f"{i}→{b}" for i, b in enumerate(held.blocks) if frame.refs[b] > 1]
    if token < held.tokens:
        assert side["point"] == [token, slots(held, size)[token]]
        assert side["now"] == [side["entries"][token // size if size else 0]]
    else:
        assert side["point"] is None and side["now"] == []
    assert side["copies"] == [[c.target * size + t for t in range(c.tokens)] for c in frame.copied]
    assert side["sources"] == [[c.source * size + t for t in range(c.tokens)] for c in frame.copied]
    gone = {p.request for p in frame.preempted}
    lost = [h.blocks for h in (before.running if before else ()) if h.request in gone]
    expected = [[b * size + t for b in blocks if frame.refs[b] == 0 for t in range(size)] for blocks in lost]
    assert sorted(side["thrown"]) == sorted(expected)


@pytest.mark.parametrize("seed", range(3))
def test_all_that_is_shown_is_in_the_frames(page, seed):  # noqa: F811
    w = Paging()
    points = settings(seed, 60)
    seen = dict.fromkeys(("preempted", "copied", "back", "shared", "waits"), 0)
    for point, shown in zip(points, drive(page, w, [{"step": 1}, *points], READ)[1:], strict=True):
        w.set_state(point)
        runs = w.runs["reserved"], w.runs[key(w.block_size, w.share_prefix)]
        held = [next((h for h in f.running if h.request == w.request), None) if f else None for f in w.frames]
        lengths = [h.tokens for h in held if h]
        token = w.token if not lengths or w.token < max(lengths) else min(lengths) - 1
        for side, frame, run, name in zip(shown["sides"], w.frames, runs, ("Reserved", "Paged"), strict=True):
            done = f"{name}: done after {len(run.frames)} steps"
            assert side["head"] == (f"{name}: {len(frame.running)} running" if frame else done)
            counts = (frame.used, frame.to_come, frame.internal, frame.free) if frame else (0, 0, 0, 512)
            assert side["numbers"] == list(counts)
            assert side["queue"] == queue(run, w.step)
            before = run.frames[w.step - 1] if 0 < w.step <= len(run.frames) else None
            check_memory(side, frame, before, run, w.request, token)
        assert shown["happened"] == f"Paged: {events(runs[1], w.step)}"
        assert shown["followed"] == followed(w, token)
        assert shown["rows"] == rows(w)
        if frame := w.frames[1]:
            seen["preempted"] += len(frame.preempted)
            seen["copied"] += len(frame.copied)
            seen["shared"] += max(frame.refs) > 1
            seen["waits"] += len(frame.waiting)
        seen["back"] += "is back" in shown["happened"]
    assert min(seen.values()) > 0, seen


def test_the_page_says_the_utilization_over_the_whole_run(page):  # noqa: F811
    w = Paging(block_size=8)
    runs = [w.runs["reserved"], w.runs[key(8, False)]]
    read = """el => [...el.querySelectorAll(".kv-time p, .kv-time svg")].map(
        e => e.getAttribute("aria-label") ?? e.textContent).join(" ")"""
    [said] = drive(page, w, [{"step": 1}], read)
    reserved, paged = (f"{100 * run.summary()['utilization']:,.0f} %" for run in runs)
    assert f"reserved, {reserved} over the whole run" in said and f"paged, {paged}. Dotted" in said
    assert f"Over the whole run {reserved} of the slots taken hold a token" in said


def test_the_time_line_has_every_stay_and_every_preemption(page):  # noqa: F811
    """A bar for each unbroken stay, and a cross where it ended with being thrown out."""
    w = Paging(block_size=32)
    w.added = "10.2_12.2"
    run = w.runs[key(32, False)]
    thrown = sum(len(frame.preempted) for frame in run.frames)
    stays = sum(len(frame.admitted) for frame in run.frames)
    read = "el => ['.kv-paged', '.kv-reserved', '.kv-paging-cross'].map(s => el.querySelectorAll(s).length)"
    [counts] = drive(page, Paging(block_size=32), [{"added": w.added}], read)
    assert counts == [stays, 18, thrown] and thrown > 3 and stays == 18 + thrown


def test_reserved_and_paged_have_the_chapter_s_colours(page, tmp_path):  # noqa: F811
    """Those of palette.ROLES, by which `drawings.utilization` draws its lines."""
    show(page, tmp_path, Paging())
    colour = "e => getComputedStyle(e).fill"
    for name, hue in (("reserved", "rgb(184, 67, 42)"), ("paged", "rgb(44, 101, 150)")):
        assert page.locator(f".kv-paging-{name} [data-request] .kv-used").first.evaluate(colour) == hue
    assert page.locator(".kv-paged").first.evaluate(colour) == "rgb(44, 101, 150)"
    stroke = "e => getComputedStyle(e).stroke"
    assert page.locator(".kv-line").evaluate_all(f"all => all.map({stroke})") == [
        "rgb(184, 67, 42)",
        "rgb(44, 101, 150)",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_at_first_both_sides_run_the_request_shown(seed):
    w = Paging(seed=seed)
    assert all(w.request in {h.request for h in frame.running} for frame in w.frames)


def test_at_first_a_request_is_thrown_out():
    assert Paging().frames[1].preempted and Paging(share_prefix=True, block_size=32).frames[1].preempted
    assert Paging(block_size=8, share_prefix=True).step == 42  # nobody is: a third of the way through


def test_a_stream_of_one_s_own():
    stream = [Request(0, 0, 20, 10), Request(1, 3, 8, 4)]
    w = Paging(stream, memory=64, max_tokens=32)
    assert [len(run.frames) for run in w.runs.values()] == [10] * 9
    assert (w.step, w.request, w.frames[1].running[0].tokens) == (3, 0, 24)
    assert Paging(stream, memory=64, max_tokens=32, step=0, request=1).frames[1].running[0].tokens == 21
    assert Paging(seed=7).data["requests"] != Paging().data["requests"]


def test_requests_that_are_added_are_served():
    w = Paging(added="5.0_7.2")
    short, long = w.requests[16:]
    assert (short.id, short.arrival, short.tokens) == (16, 5, min(r.tokens for r in w.requests))
    assert (long.id, long.arrival, long.tokens) == (17, 7, max(r.tokens for r in w.requests))
    assert any(17 in frame.admitted for frame in w.runs["16"].frames)
    w.set_state({"added": "5.0", "request": 16})
    assert w.request == 16 and len(w.requests) == 17
    assert w.table().caption == "17 requests on 512 token slots"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step": 5000}, "step must be at most"),
        ({"step": -1}, "step must be a whole number of at least 0"),
        ({"block_size": 5}, r"block_size must be one of \(4, 8, 16, 32\), not 5"),
        ({"request": 16}, "request must be at most 15"),
        ({"token": 104}, "token must be at most 103, the longest request's last"),
        ({"added": "5.3"}, "added must be up to 6 of step.size"),
        ({"added": "_".join(["5.1"] * 7)}, "added must be up to 6 of step.size"),
        ({"memory": 500}, "memory must be a multiple of 32"),
        ({"memory": 96}, "memory must be at least 128"),
        ({"max_tokens": 10}, "max_tokens"),
        ({"requests": [Request(3, 0, 4, 4)]}, "requests must have the ids 0, 1, 2"),
        (
            {"requests": [Request(0, 0, 4, 4, "a", 2), Request(1, 0, 4, 4, "b", 2)]},
            "requests must share at most one prefix",
        ),
    ],
)
def test_bad_input_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        Paging(**arguments)


def test_letters():
    assert (letter(0), letter(25), letter(26)) == ("A", "Z", "26")
