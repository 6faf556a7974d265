"""Paging: the page unfolds exactly the frames that the allocator played."""

import json
import random

import pytest

from kvlib.serving import ALLOCATIONS, Request, requests, simulate
from kvlib.widgets import Paging
from kvlib.widgets.base import code
from kvlib.widgets.paging import BLOCK_SIZES, key, packed

from .browser import chromium, page, show  # noqa: F401
from .drive import drive


def as_the_page_has_it(frame, allocation):
    place = (lambda h: list(h.blocks)) if allocation == "paged" else (lambda h: [h.start, h.size])
    prefix = frame.prefixes[0][1] if frame.prefixes else None
    return {
        "running": [{"request": h.request, "tokens": h.tokens, "place": place(h)} for h in frame.running],
        "waiting": list(frame.waiting),
        "prefix": prefix and {"tokens": prefix.tokens, "place": list(prefix.blocks)},
        "used": frame.used,
        "taken": frame.taken,
    }


def test_ten_thousand_frames_unfold_as_they_were_played(page):  # noqa: F811
    rng = random.Random(1)
    runs = []
    while sum(len(run.frames) for run in runs) < 10_000:
        stream = requests(
            rng.randrange(1, 20), rng.random(), gap=rng.randrange(4), prefix_tokens=rng.choice([0, 7, 24])
        )
        runs.append(
            simulate(
                stream, rng.randrange(160, 500), rng.choice(ALLOCATIONS),
                block_size=rng.choice([4, 8, 16]), share_prefix=rng.random() < 0.5,
            )
        )  # fmt: skip
    assert any(frame.preempted for run in runs for frame in run.frames)
    page.goto("about:blank")
    page.add_script_tag(content=code("paging.js"))
    sent = [
        [packed(run), [[r.arrival, r.prompt_tokens, r.new_tokens, r.prefix_tokens] for r in run.requests],
         len(run.frames), run.block_size]
        for run in runs
    ]  # fmt: skip
    said = page.evaluate(
        """text => JSON.parse(text).map(([run, requests, steps, size]) =>
            Array.from({ length: steps }, (_, step) => unfold(run, requests, step, size ?? undefined)))""",
        json.dumps(sent),
    )
    for run, frames in zip(runs, said, strict=True):
        assert frames == [as_the_page_has_it(frame, run.allocation) for frame in run.frames]


def test_the_page_says_what_the_frames_hold(page):  # noqa: F811
    w = Paging()
    rng = random.Random(2)
    points = [
        {"step": rng.randrange(w.limits["step"][1] + 1), "block_size": rng.choice(BLOCK_SIZES),
         "share_prefix": rng.random() < 0.5, "request": rng.randrange(16)}
        for _ in range(60)
    ]  # fmt: skip
    read = """el => [...el.querySelectorAll(".kv-side .kv-heading")].map(p => p.textContent)
        .concat([...el.querySelectorAll(".kv-blocks li")].map(li => li.textContent))"""
    for point, (left, right, *blocks) in zip(points, drive(page, w, points, read), strict=True):
        w.set_state(point)
        for said, name, frame, run in zip(
            (left, right),
            ("Reserved", "Paged"),
            w.frames,
            (w.runs["reserved"], w.runs[key(w.block_size, w.share_prefix)]),
            strict=True,
        ):
            done = f"{name}: done after {len(run.frames)} steps"
            assert said == (f"{name}: {len(frame.running)} running" if frame else done)
        mine = next((h for h in (w.frames[1].running if w.frames[1] else ()) if h.request == w.request), None)
        shared = {b for _, h in (w.frames[1].prefixes if w.frames[1] else ()) for b in h.blocks}
        size = w.block_size
        assert blocks == [
            f"{i} → {b} {min(size, mine.tokens - i * size)}/{size}{' shared' if b in shared else ''}"
            for i, b in enumerate(mine.blocks if mine else ())
        ]


def test_the_page_says_the_utilization_over_the_whole_run(page):  # noqa: F811
    w = Paging(block_size=8)
    runs = [w.runs["reserved"], w.runs[key(8, False)]]
    read = """el => [...el.querySelectorAll(".kv-time p, .kv-time svg")].map(
        e => e.getAttribute("aria-label") ?? e.textContent).join(" ")"""
    [said] = drive(page, w, [{"step": 1}], read)
    reserved, paged = (f"{100 * run.summary()['utilization']:,.0f} %" for run in runs)
    assert f"reserved, {reserved} over the whole run" in said and f"paged, {paged}. Dotted" in said
    assert f"Over the whole run {reserved} of the slots taken hold a token" in said


def test_the_drawing_fills_the_slots_that_hold_a_token(page):  # noqa: F811
    w = Paging(block_size=8)
    read = r"""el => [...el.querySelectorAll(".kv-side svg")].map(s => {
        const cell = (s.viewBox.baseVal.width - 2) / 32;
        const paths = [...s.querySelectorAll(".kv-used")].map(p => p.getAttribute("d")).join("");
        return paths.match(/h[\d.]+/g).reduce((n, h) => n + Math.round((Number(h.slice(1)) + 2) / cell), 0);
    })"""
    [[left, right]] = drive(page, w, [{"step": 30}], read)
    w.step = 30
    assert [left, right] == [frame.used for frame in w.frames]


def test_by_keyboard(page, tmp_path):  # noqa: F811
    w = Paging(step=0)
    show(page, tmp_path, w)
    page.get_by_role("button", name="Next: Step").press("Enter")
    assert page.get_by_role("spinbutton", name="Step").input_value() == "1"
    page.get_by_role("slider", name="Step, slider").press("End")
    assert page.locator(".kv-side .kv-heading").nth(1).inner_text().startswith("Paged: done after")
    page.get_by_label("Request", exact=True).select_option("3")
    assert "Request D: its block table" in page.locator(".kv-body").inner_text()
    page.get_by_role("checkbox", name="Share the system prompt").press("Space")
    page.get_by_label("Block size").select_option("8")
    steps = len(w.runs["8+"].frames)
    assert f"Paged: done after {steps} steps" in page.locator(".kv-body").inner_text()


def test_a_block_can_be_pointed_at(page, tmp_path):  # noqa: F811
    show(page, tmp_path, Paging())
    block = page.locator(".kv-side").nth(1).locator("[data-request]").last
    pointed = block.get_attribute("data-request")
    assert page.get_by_label("Request", exact=True).input_value() != pointed
    block.locator("text").first.click()
    assert page.get_by_label("Request", exact=True).input_value() == pointed


def test_it_plays_and_pauses(page, tmp_path):  # noqa: F811
    show(page, tmp_path, Paging(step=0))
    page.get_by_role("button", name="Play: Step").click()
    page.wait_for_function("document.querySelector('input[type=number]').value >= 2")
    page.get_by_role("button", name="Pause: Step").click()
    assert page.get_by_role("button", name="Play: Step").inner_text() == "Play"


@pytest.mark.parametrize("seed", range(5))
def test_at_first_both_sides_run_the_request_shown(seed):
    w = Paging(seed=seed)
    assert all(w.request in {h.request for h in frame.running} for frame in w.frames)


def test_a_stream_of_one_s_own():
    stream = [Request(0, 0, 20, 10), Request(1, 3, 8, 4)]
    w = Paging(stream, memory=64, max_tokens=32)
    assert [len(run.frames) for run in w.runs.values()] == [10] * 9
    assert (w.step, w.request, w.frames[1].running[0].tokens) == (3, 0, 24)
    assert Paging(stream, memory=64, max_tokens=32, step=0, request=1).frames[1].running[0].tokens == 21
    assert Paging(seed=7).data["requests"] != Paging().data["requests"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step": 5000}, "step must be at most"),
        ({"step": -1}, "step must be a whole number of at least 0"),
        ({"block_size": 5}, r"block_size must be one of \(4, 8, 16, 32\), not 5"),
        ({"request": 16}, "request must be at most 15"),
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
