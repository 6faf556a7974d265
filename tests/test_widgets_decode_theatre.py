"""The decode theatre: what the page shows is what the recording holds and what kvlib counts."""

import json
import random
import re

import pytest

from kvlib import layout
from kvlib.widgets import DecodeTheatre
from kvlib.widgets.decode_theatre import PHASES, counts
from kvlib.widgets.recorded import recording, unpacked

from .browser import chromium, page, show  # noqa: F401
from .drive import drive

RECORDED = recording("decode")
TOKENS = [text.strip() for text in RECORDED["tokens"]]
PROMPT, KEPT = RECORDED["prompt_tokens"], len(TOKENS) - 1
STEPS = len(TOKENS) - PROMPT
LAYOUT = layout("smollm2-135m")


def settings(n, seed):
    rng = random.Random(seed)
    return [
        {"moment": 1 + i % (4 * STEPS), "cached": rng.random() < 0.5, "layer": rng.randrange(30),
         "head": rng.randrange(9), "token": rng.randrange(1, KEPT + 1)}
        for i in range(n)
    ]  # fmt: skip


def at(point):
    """step, phase and tokens so far of a setting."""
    step = (point["moment"] - 1) // 4 + 1
    return step, PHASES[(point["moment"] - 1) % 4], PROMPT + step - 1


def kept_how(point, i):
    """What the page says at the end of token i's line: where its key and value are by now."""
    step, phase, T = at(point)
    if not point["cached"]:
        return "; both are thrown away" if phase == "write" else ""
    new = step == 1 or i == T - 1
    return "; not in the cache yet" if new and phase == "project" else "; 23,040 bytes in the cache"


def row(name, point):
    """The newest token's numbers, straight from the recording."""
    step, _, T = at(point)
    first = sum(range(PROMPT, T))
    return unpacked(RECORDED[name])[point["layer"], point["head"], first : first + T].astype(int).tolist()


def test_recomputing_counts_15_against_6():
    assert [counts(4, 3)[way]["all_projections"] for way in ("without", "with")] == [15, 6]
    thousand = counts(1, 1000)
    assert round(thousand["without"]["all_scores"] / thousand["with"]["all_scores"], 1) == 667.0


def test_a_token_takes_23_040_bytes():
    w = DecodeTheatre()
    assert w.bytes_kept(1) == LAYOUT.bytes_per_token("bf16") == 23_040
    assert "161,280" == f"{w.bytes_kept(7):,}"


# ---- the words and numbers of the page


def test_the_page_says_what_was_recorded(page):  # noqa: F811
    points = settings(160, 1)
    read = """el => [".kv-moment .kv-heading", ".kv-noted", ".kv-moment p:last-child"]
        .map(s => el.querySelector(s).textContent)
        .concat([[...el.querySelectorAll(".kv-tally tbody td")].map(td => td.textContent)])
        .concat([[...el.querySelectorAll(".kv-bars tr")].map(
            tr => [...tr.querySelectorAll("th, td:last-child")].map(e => e.textContent))])"""
    for point, (head, told, said, work, next_) in zip(
        points, drive(page, DecodeTheatre(), points, read), strict=True
    ):
        step, phase, T = at(point)
        assert head == f"Step {step} of {STEPS}: {phase}"
        i, asks = point["token"] - 1, phase in ("score", "write")
        if i >= T:
            assert told == f"Token {i + 1}, “{TOKENS[i]}”: not read yet."
        else:
            length = {n: unpacked(RECORDED[n])[point["layer"], i] / 100 for n in ("keys", "values")}
            score = f"{row('scores', point)[i] / 5:.1f}".replace("-", "−")
            assert told == (
                f"Token {i + 1}, “{TOKENS[i]}”: "
                + (f"weight {row('weights', point)[i]} %, score {score}; " if asks else "")
                + f"in layer {point['layer']} its key is {length['keys']:.2f} long, "
                + f"its value {length['values']:.2f}"
                + kept_how(point, i)
                + "."
            )
        n = counts(PROMPT, step)
        assert work == [
            cell
            for way, kept in (("with", f"{23_040 * T:,} bytes"), ("without", "0 bytes"))
            for cell in (
                f"{n[way]['projections']} in all {n[way]['all_projections']}",
                f"{n[way]['scores']:,} in all {n[way]['all_scores']:,}",
                kept,
            )
        ]
        likeliest = [["a line break" if t == "\n" else f"“{t.strip()}”", f"{p / 10:.1f} %"] for t, p in
                     RECORDED["next"][step - 1]]  # fmt: skip
        assert next_ == (likeliest if phase == "write" else [["…", "–"]] * len(likeliest))
        weights = row("weights", point)
        if phase == "score":
            most = weights.index(max(weights))
            assert f"layer {point['layer']}, head {point['head']}, most weight, {weights[most]} %" in said
            assert said.endswith(f"lies on token {most + 1}, “{TOKENS[most]}”.")
            fresh = step == 1 or not point["cached"]
            assert f"{T * T if fresh else T} scores of each head" in said
        if phase == "keep" and point["cached"]:
            assert f"{23_040 * T:,} bytes" in said


def test_every_column_is_where_the_moment_has_it(page):  # noqa: F811
    """Which burn, which are held, which are thrown away, which are not there yet."""
    points = [p | {"cached": c} for p in settings(4 * STEPS, 2) for c in (True, False)]
    read = """el => [...el.querySelectorAll(".kv-pile")].map(
        g => g.getAttribute("class").replace("kv-pile", "").trim())"""
    for point, columns in zip(points, drive(page, DecodeTheatre(), points, read), strict=True):
        step, phase, T = at(point)
        fresh = step == 1 or not point["cached"]

        def state(i, T=T, phase=phase, fresh=fresh, cached=point["cached"]):
            if i >= T:
                return "kv-soon"
            if phase == "project" and (fresh or i == T - 1):
                return "kv-burns kv-above" if cached else "kv-burns"
            return "kv-lost" if phase == "write" and not cached else ""

        assert columns == [state(i) for i in range(KEPT)]


def test_bars_and_shades_are_the_recorded_numbers(page):  # noqa: F811
    points = [
        p | {"moment": 4 * random.Random(i).randrange(STEPS) + 3} for i, p in enumerate(settings(40, 3))
    ]
    read = """el => [
        ["kv-scored", "kv-weighed"].map(name => [...el.querySelector("." + name).getAttribute("d")
            .matchAll(/h[\\d.]+v([\\d.]+)h/g)].map(m => Number(m[1]))),
        [...el.querySelectorAll(".kv-percent")].map(e => e.textContent),
        [...el.querySelectorAll(".kv-pile")].map(g => ["keys", "values"].map((kind, k) => {
            const layers = [];
            [...g.querySelectorAll(".kv-cells")].slice(5 * k, 5 * k + 5).forEach((path, level) => {
                const top = Number(g.querySelectorAll(".kv-case")[k].getAttribute("y")) + 1.5;
                for (const m of path.getAttribute("d").matchAll(/M[\\d.]+ ([\\d.]+)h/g))
                    layers[Math.round((Number(m[1]) - top) / 4)] = level + 1;
            });
            return layers;
        }))]"""
    for point, ([scored, weighed], shares, columns) in zip(
        points, drive(page, DecodeTheatre(), points, read), strict=True
    ):
        scores, weights = row("scores", point), row("weights", point)
        low, high = min(scores), max(scores)
        assert scored == pytest.approx([max(0.8, 34 * (s - low) / (high - low)) for s in scores], abs=0.06)
        assert weighed == pytest.approx([max(0.8, 64 * w / 100) for w in weights], abs=0.06)
        assert shares == [str(w) for w in weights if w >= 5]
        for k, kind in enumerate(("keys", "values")):
            lengths = unpacked(RECORDED[kind]).astype(int)
            shades = (-(-5 * lengths // lengths.max(axis=1, keepdims=True))).clip(1)
            assert [column[k] for column in columns] == shades.T.tolist()


@pytest.mark.parametrize("cached", [True, False])
def test_the_table_is_python_s(page, tmp_path, cached):  # noqa: F811
    w = DecodeTheatre(cached=cached, layer=3, head=7)
    show(page, tmp_path, w)
    page.locator("summary").click()
    rows = page.locator(".kv-data tbody tr").evaluate_all(
        "all => all.map(r => [...r.cells].map(c => c.innerText))"
    )
    assert rows == [[str(cell) for cell in r] for r in w.table().rows] and len(rows) == STEPS


def test_pointing_at_a_token_shows_its_column(page, tmp_path):  # noqa: F811
    show(page, tmp_path, DecodeTheatre())
    told = page.locator(".kv-noted")
    page.locator(".kv-sentence li").nth(3).hover()
    assert told.inner_text().startswith("Token 4, “France”: weight ")
    page.locator("h1").hover()
    assert told.inner_text().startswith("Token 11, “Italy”: weight 93 %")
    box = page.locator(".kv-stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 5.5 / len(TOKENS), box["y"] + 120)
    page.locator("h1").hover()
    assert told.inner_text().startswith("Token 6, “Paris”: weight ")
    assert page.get_by_label("Point at").input_value() == "6"


def test_playing_goes_through_every_moment(page, tmp_path):  # noqa: F811
    show(page, tmp_path, DecodeTheatre(moment=1))
    heads = []
    for _ in range(4 * STEPS):
        heads.append(page.locator(".kv-moment .kv-heading").inner_text())
        page.get_by_role("button", name="Next: Moment").press("Enter")
    assert heads == [f"Step {s} of {STEPS}: {phase}" for s in range(1, STEPS + 1) for phase in PHASES]
    visible = page.locator(".kv-sentence li:not(.kv-ahead)").all_inner_texts()
    assert visible == TOKENS


# ---- what is refused


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"layer": 30}, "layer must be from 0 to 29, not 30"),
        ({"head": 9}, "head must be from 0 to 8, not 9"),
        ({"token": 20}, "token must be from 1 to 19, not 20"),
        ({"moment": 33}, "moment must be from 1 to 32, not 33"),
        ({"moment": 0}, "moment must be a whole number of at least 1"),
        ({"recorded": {"model": "smollm2-135m"}}, "recorded lacks 'device'"),
        (
            {"recorded": json.loads(json.dumps(RECORDED)) | {"keys": RECORDED["scores"]}},
            "recorded['keys'] must be of shape [30, 19], not [30, 9, 124]",
        ),
    ],
)
def test_what_is_out_of_bounds_is_refused(arguments, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        DecodeTheatre(**arguments)


def test_its_room_is_kept_before_it_comes(page, tmp_path):  # noqa: F811
    """Else what follows would move when the drawing takes the table's place."""
    show(page, tmp_path, DecodeTheatre())
    room = page.locator(".kv-page").evaluate("e => parseFloat(getComputedStyle(e).minHeight)")
    assert room >= 900 and room < page.locator(".kv-page").bounding_box()["height"]
