"""Batching: what it says and draws is what kvlib.serving.serve computes, over many settings."""

import random
import re

import pytest

from kvlib import fmt, fmt_seconds
from kvlib.serving.batching import POLICIES
from kvlib.widgets import Batching
from kvlib.widgets.batching import DOCUMENT, LATEST, STREAMS, held_bytes, served

from .batching_words import at, letters, outside, pieces, said, state
from .browser import chromium, page, show  # noqa: F401
from .drive import drive

TITLES = {"static": "Static batching", "prefill first": "Prefill first", "chunked": "Chunked prefill"}
KINDS = ("waits", "prefill", "decode", "pause", "empty")
LEFT = 20

READ = r"""el => {
    el.querySelector(".kv-data").open = true;
    el.querySelector(".kv-data").dispatchEvent(new Event("toggle"));
    const text = (s, at = el) => at.querySelector(s).textContent, all = (s, at = el) => [...at.querySelectorAll(s)];
    // The marks of a class, [x, y, width, height] each; a line has no height.
    const marks = (node) => [...node.getAttribute("d").matchAll(/M([\d.-]+) ([\d.-]+)h([\d.-]+)(?:v([\d.-]+))?/g)].map(
        ([, ...n]) => n.map((one) => Number(one ?? 0)));
    const drawn = (svg) => Object.fromEntries(["waits", "prefill", "decode", "pause", "empty"].map((kind) => [kind,
        [false, true].map((later) => all(`path.kv-batching-${kind}`, svg).filter((p) =>
            p.classList.contains("kv-batching-later") === later).flatMap(marks))]));
    return {
        said: text(".kv-batching-said"), chosen: all(".kv-batching-run.kv-chosen strong").map((e) => e.textContent),
        runs: all(".kv-batching-run").map((run) => [text(".kv-batching-name", run), drawn(run.querySelector("svg")),
            run.querySelector("svg").viewBox.baseVal.width, run.querySelector("svg").getAttribute("aria-label")]),
        now: all(".kv-batching-now tbody tr").map((tr) => [...tr.cells].map((c) => c.textContent)),
        rows: all(".kv-data tbody tr").map((tr) => [...tr.cells].map((c) => c.textContent)),
        step: all(".kv-batching-step").map((e) => [Number(e.getAttribute("x")), Number(e.getAttribute("width"))]),
    };
}"""  # noqa: E501


def check_marks(drawn, width, run, ms, end, followed):
    """Every mark is in its lane and where its time is; what is past and what is to come are told apart."""
    pitch, high, t = (15, 12, ms / 1000) if followed else (9, 7, ms / 1000)

    def px(s):
        return LEFT + s / end * (width - LEFT - 2)

    expected = {kind: ([], []) for kind in KINDS}
    for kind, place, a, b in pieces(run):
        whole = kind in ("prefill", "decode")
        if b <= t or whole and a < t:
            expected[kind][0].append((place, a, b))
        elif a >= t:
            expected[kind][1].append((place, a, b))
        else:
            expected[kind][0].append((place, a, t))
            expected[kind][1].append((place, t, b))
    for kind, sides in expected.items():
        for wanted, shown in zip(sides, drawn[kind], strict=True):
            shown = sorted((int(y // pitch), x, x + w, h) for x, y, w, h in shown)
            assert len(shown) == len(wanted), (kind, shown, wanted)
            for (place, a, b), (lane, x0, x1, tall) in zip(sorted(wanted), shown, strict=True):
                assert lane == place
                inset = 1.1 if kind == "empty" else 0.1
                assert abs(x0 - px(a)) <= inset and -1.2 <= x1 - px(b) <= 0.9, (kind, x0, x1, px(a), px(b))
                assert tall <= high


def settings(seed, n):
    rng = random.Random(seed)
    points = []
    for _ in range(n):
        point = {
            "policy": rng.choice(POLICIES),
            "stream": rng.choice(STREAMS),
            "token_budget": rng.choice([128, 200, 512, 512, 1000, 2048, 8192]),
            "rate": rng.randrange(8, 65),
        }
        run = Batching(**point).runs[point["policy"]]
        ends = [int(1000 * (step.at + step.seconds)) for step in run.steps]
        points.append(point | {"time": rng.choice([*rng.sample(ends, 3), rng.randrange(LATEST + 1), 0])})
    return points


@pytest.mark.parametrize("seed", range(3))
def test_all_that_is_shown_is_what_serve_computes(page, seed):  # noqa: F811
    w, points = Batching(), settings(seed, 40)
    seen = dict.fromkeys(("pause", "must wait", "empty", "outside", "Nobody", "All are done"), 0)
    for point, shown in zip(points, drive(page, w, points, READ), strict=True):
        w.set_state(point)
        runs, ms, run = w.runs, w.time, w.runs[w.policy]
        end = max(one.steps[-1].at + one.steps[-1].seconds for one in runs.values())
        assert shown["said"] == said(run, ms)
        assert shown["chosen"] == [TITLES[w.policy]]
        for policy, (head, drawn, width, alt), now in zip(POLICIES, shown["runs"], shown["now"], strict=True):
            s, (_, step) = runs[policy].summary(), at(runs[policy], ms)
            assert head == (
                f"{TITLES[policy]} TTFT {fmt_seconds(s['ttft'])}, TPOT {fmt_seconds(s['tpot'])}, "
                f"longest pause {fmt_seconds(s['stall'])}"
            )
            inside = step.inside if step else ()
            held = sum(tokens for _, tokens in inside)
            size = fmt(held_bytes(step) if step else 0, "GiB", 2)
            assert now == [policy, str(len(inside)), str(len(outside(runs[policy], ms))), f"{held:,}", size]
            check_marks(drawn, width, runs[policy], ms, end, policy == w.policy)
            last = runs[policy].steps[-1]
            assert f"all done after {fmt_seconds(last.at + last.seconds)}. At {ms:,} ms" in alt
        _, step = at(run, ms)
        width = shown["runs"][0][2]
        assert len(shown["step"]) == (step is not None)
        for x, wide in shown["step"]:
            assert abs(x + 1 - LEFT - step.at / end * (width - LEFT - 2)) < 0.1
            assert abs(wide - 2 - step.seconds / end * (width - LEFT - 2)) < 0.1
        assert shown["rows"] == [
            [
                letters([place]), fmt_seconds(s.request.at), str(s.request.prompt), str(s.request.new),
                fmt_seconds(s.ttft), fmt_seconds(s.tpot), fmt_seconds(s.stall), state(run, place, ms),
            ]
            for place, s in enumerate(run.served)
        ]  # fmt: skip
        for words in seen:
            seen[words] += words in shown["said"]
    assert min(seen.values()) > 0, seen


def test_at_first_a_prompt_stops_six_answers_and_static_has_emptied_two_places(page, tmp_path):  # noqa: F811
    w = Batching()
    _, step = at(w.runs["prefill first"], w.time)
    assert [n for _, n in step.prompts] == [2950] and not step.decoding and len(step.inside) == 7
    show(page, tmp_path, w)
    assert "B, C, E, F, G and H pause in their answers." in page.locator(".kv-batching-said").inner_text()
    rows = {row[0]: row[1:] for row in w.table().rows}
    assert rows["static"][2] == "170 ms" and rows["prefill first"][2] == "119 ms"
    assert rows["chunked"][2] == "7.85 ms"


def test_next_goes_from_step_to_step_and_at_last_to_the_end(page, tmp_path):  # noqa: F811
    run = Batching().runs["chunked"]
    ends = [int(1000 * (step.at + step.seconds)) for step in run.steps]
    assert len(set(ends)) == len(ends)
    show(page, tmp_path, Batching(policy="chunked", time=ends[4]))
    field = page.get_by_role("spinbutton", name="Time", exact=True)
    for end in ends[5:9]:
        page.get_by_role("button", name="Next: Time").press("Enter")
        assert field.input_value() == str(end)
    slider = page.get_by_role("slider", name="Time, slider")
    slider.press("End")
    assert "All are done after 664 ms." in page.locator(".kv-batching-said").inner_text()
    slider.press("ArrowLeft")
    assert field.input_value() == str(ends[-1])
    page.get_by_role("combobox", name="Requests").select_option(STREAMS[1])  # the slider follows other steps
    other = Batching(policy="chunked", stream=STREAMS[1], time=ends[-1]).runs["chunked"]
    assert slider.get_attribute("max") == str(len(other.steps) + 1)


@pytest.mark.parametrize("touch", [False, True])
def test_a_click_on_the_lanes_goes_there_and_follows_them(chromium, tmp_path, touch):  # noqa: F811
    context = chromium.new_context(has_touch=touch, viewport={"width": 360, "height": 740})
    page = show(context.new_page(), tmp_path, Batching())  # noqa: F811
    lanes = page.locator("svg[data-policy=static]")
    lanes.scroll_into_view_if_needed()
    box = lanes.bounding_box()
    spot = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.touchscreen.tap(*spot) if touch else page.mouse.click(*spot)
    page.wait_for_function("document.querySelector('.kv-chosen strong').textContent === 'Static batching'")
    run = Batching().runs["static"]
    ms = int(page.get_by_role("spinbutton", name="Time", exact=True).input_value())
    assert ms in {int(1000 * (step.at + step.seconds)) for step in run.steps}
    end = run.steps[-1].at + run.steps[-1].seconds
    wanted = 1000 * end * (box["width"] / 2 - LEFT) / (box["width"] - LEFT - 2)
    assert abs(ms - wanted) < 1000 * max(step.seconds for step in run.steps)
    context.close()


def test_a_link_holds_the_setting(page, tmp_path):  # noqa: F811
    hash = "#batching.policy=static&batching.token_budget=300&batching.rate=21&batching.time=500"
    show(page, tmp_path, Batching(), hash=hash)
    w = Batching(policy="static", token_budget=300, rate=21, time=500)
    assert page.locator(".kv-batching-said").inner_text() == said(w.runs["static"], 500)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_setting_is_done_while_time_is_shown_and_each_step_has_its_own_ms(stream):
    for rate in (8, 9, 16, 64):
        for budget in (128, 512, 8192):
            for run in served(stream, rate, budget).values():
                last = run.steps[-1]
                assert 1000 * (last.at + last.seconds) < LATEST - 200
                assert min(step.seconds for step in run.steps) > 0.002
    assert served(STREAMS[1], 16, 512)["static"].served[DOCUMENT].request.prompt == 8000


def test_the_table_has_each_policy_in_numbers():
    w = Batching(token_budget=1000)
    for policy, row in zip(POLICIES, w.table().rows, strict=True):
        run = w.runs[policy]
        assert row[0] == policy and row[5] == len(run.steps)
        assert row[1] == fmt_seconds(run.summary()["ttft"])
        assert row[7] == fmt(max(map(held_bytes, run.steps)), digits=1)
    assert re.search("token budget 1,000: llama-3.1-8b on an H100", w.table().caption)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"policy": "chunk"}, "policy"),
        ({"stream": "mixed"}, "stream"),
        ({"token_budget": 100}, "token_budget must be a whole number of at least 128"),
        ({"rate": 65}, "rate must be at most 64"),
        ({"time": 2501}, "time must be at most 2,500"),
        ({"budget": 512}, "argument of Batching"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        Batching(**arguments)
