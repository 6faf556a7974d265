"""The edge of the budget's cache: dragged by mouse, by touch and by keys; a verdict that stays in view."""

import random

import pytest

from kvlib import fmt
from kvlib.widgets import BudgetWidget

from .browser import chromium, document, page, show  # noqa: F401
from .test_widgets_base import kv
from .test_widgets_budget import python, quiet

EDGE = ".kv-budget-edge"
READ = """() => {
    const edge = document.querySelector('.kv-budget-edge'), s = edge.getBoundingClientRect();
    return { text: edge.getAttribute('aria-valuetext'), now: Number(edge.getAttribute('aria-valuenow')),
        most: Number(edge.getAttribute('aria-valuemax')), big: document.querySelector('.kv-big').textContent,
        x: s.x + parseFloat(edge.style.getPropertyValue('--kv-line')) };
}"""
# Models whose cache grows evenly, grows in a bend, hardly grows, and one that leaves no room.
SETTINGS = [
    {"model": "llama-3.1-8b", "gpu": "H100", "context": 8192, "batch": 16},
    {"model": "gemma-3-27b", "gpu": "H200", "context": 4096, "batch": 2},
    {"model": "gpt2", "gpu": "B200", "gpus": 8, "context": 1024, "batch": 3},
    {"model": "llama-2-7b", "gpu": "T4", "weights": "q4_0", "context": 4096, "batch": 1},
    {"model": "llama-2-7b", "gpu": "T4", "context": 2048, "batch": 1},
]
OFFERED = sorted({s["model"] for s in SETTINGS} | {"mamba-130m", "mistral-7b-v0.1"})


def says_what_kvlib_says(w, shown):
    """The setting reached fits, or does not, as kvlib.Budget has it, and the edge says so too."""
    b = quiet(w.budget)
    needed = b.weights_bytes + b.overhead_bytes + b.cache_bytes(w.context, w.batch)
    if b.fits(w.context, w.batch):
        verdict = f"Fits, with {fmt(b.usable - needed)} to spare"
    else:
        verdict = f"Does not fit: {fmt(b.short_by(w.context, w.batch))} short"
    n, one = (w.batch, "sequence") if w.moves == "sequences" else (w.context, "token")
    cache = fmt(b.cache_bytes(w.context, w.batch))
    assert shown["big"] == verdict
    assert shown["text"] == f"{n:,} {one}{'s' if n > 1 else ''}: cache {cache}. {verdict}"
    assert shown["now"] == n <= shown["most"]


def follows_the_pointer(w, x, bar):
    """No other number of sequences (or multiple of 256 tokens) lies nearer to the pointer, in bytes."""
    b = quiet(w.budget)
    of = {"sequences": ("batch", 4096), "context": ("context", 2**24)}[w.moves]
    name, most = of
    n, before = getattr(w, name), b.weights_bytes + b.overhead_bytes
    pixel = 1.25 * b.gpu.memory * b.gpus / (bar["width"] - 2)
    asked = (x - bar["x"] - 1) * pixel - before

    def off(n):
        cache = b.cache_bytes(w.context, n) if name == "batch" else b.cache_bytes(n, w.batch)
        return abs(cache - asked)

    usable = bar["x"] + 1 + b.usable / pixel
    fits = b.max_sequences(w.context) if name == "batch" else b.max_context(w.batch)
    if fits and abs(usable - x) < 3.9:  # near the line, the last that fits
        assert n == min(most, fits)
    elif not fits or abs(usable - x) > 4.1:
        grain = 1 if name == "batch" else 256
        others = [m for m in (n - grain, n + grain) if 1 <= m <= most]
        assert all(off(n) <= off(m) + pixel for m in others), (n, x)


def pull(page, touch, x, y, targets):  # noqa: F811
    """Takes the edge at x, y through each target; yields it once it is there."""
    if not touch:
        page.mouse.move(x, y)
        page.mouse.down()
        for target in targets:
            page.mouse.move(target, y + 3, steps=2)
            yield target
        page.mouse.up()
        return
    cdp = page.context.new_cdp_session(page)

    def send(kind, points):
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", [{"x": x, "y": y}])
    send("touchMove", [{"x": x - 30, "y": y}])  # past the slop that a browser lets a finger have
    for target in targets:
        send("touchMove", [{"x": target, "y": y}])
        yield target
    send("touchEnd", [])


@pytest.mark.parametrize("touch", [False, True])
@pytest.mark.parametrize("moves", ["sequences", "context"])
def test_what_a_drag_reaches_fits_as_kvlib_says(chromium, tmp_path, moves, touch):  # noqa: F811
    rng = random.Random(3)
    width = 400 if touch else 1000
    context = chromium.new_context(viewport={"width": width, "height": 900}, has_touch=touch)
    page, verdicts = context.new_page(), set()  # noqa: F811
    for setting in SETTINGS:
        w = BudgetWidget(models=OFFERED, moves=moves, **setting)
        show(page, tmp_path, w)
        bar = page.locator(".kv-stack").first.bounding_box()
        box, at = page.locator(EDGE).bounding_box(), page.evaluate(READ)["x"]
        usable = bar["x"] + 1 + (bar["width"] - 2) * 0.8 * 0.9
        targets = [rng.uniform(bar["x"], bar["x"] + bar["width"]) for _ in range(5)]
        targets = [round(x) for x in [*targets, usable - 3, usable + 2, bar["x"] - 50, bar["x"] + width]]
        grip = box["x"] + box["width"] / 2
        for target in pull(page, touch, grip, box["y"] + box["height"] - 6, targets):
            page.evaluate("() => new Promise(requestAnimationFrame)")
            shown = page.evaluate(READ)
            setattr(w, "batch" if moves == "sequences" else "context", shown["now"])
            says_what_kvlib_says(w, shown)
            verdicts.add(shown["big"].split(",")[0].split(":")[0])
            inside = max(bar["x"] + 1, min(target - grip + at, bar["x"] + bar["width"] - 1))
            follows_the_pointer(w, inside, bar)
            assert page.locator(".kv-spoken").inner_text() == ""  # not while it is dragged
        page.wait_for_function("document.querySelector('.kv-spoken').textContent.length > 20")
        field = kv(page, "Sequences" if moves == "sequences" else "Context")
        assert int(field.input_value()) == shown["now"]
        assert page.evaluate("scrollY") == 0  # a finger on the edge does not scroll the page
    assert verdicts == {"Fits", "Does not fit"}
    context.close()


@pytest.mark.parametrize("moves", ["sequences", "context"])
def test_the_edge_is_a_slider_to_the_keyboard(page, tmp_path, moves):  # noqa: F811
    w = BudgetWidget(models=OFFERED, moves=moves, batch=16, context=8192)
    show(page, tmp_path, w)
    edge = page.get_by_role("slider", name=f"The cache's edge: {moves}")
    name, step = ("batch", 1) if moves == "sequences" else ("context", 256)
    for key, by in (
        ("ArrowRight", 1),
        ("ArrowUp", 1),
        ("ArrowLeft", -1),
        ("ArrowDown", -1),
        ("PageUp", 16),
        ("PageDown", -16),
    ):
        edge.press(key)
        setattr(w, name, getattr(w, name) + by * step)
        says_what_kvlib_says(w, page.evaluate(READ))
    edge.press("Home")
    python(w, {name: 1})
    says_what_kvlib_says(w, page.evaluate(READ))
    edge.press("ArrowLeft")  # and no further
    assert page.evaluate(READ)["now"] == 1
    edge.press("ArrowRight")
    assert page.evaluate(READ)["now"] == (2 if name == "batch" else 256)
    edge.press("End")
    shown = page.evaluate(READ)
    python(w, {name: shown["now"]})
    says_what_kvlib_says(w, shown)
    assert shown["now"] == shown["most"] and shown["big"].startswith("Does not fit")
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.startsWith('Does not fit')")


def test_a_button_takes_it_to_the_last_that_fits(page, tmp_path):  # noqa: F811
    w = BudgetWidget(models=OFFERED, context=3000, batch=5)
    show(page, tmp_path, w)
    page.get_by_role("button", name="As many as fit").press("Enter")
    assert page.evaluate(READ)["now"] == w.budget.max_sequences(3000)
    page.get_by_label("The cache's edge moves").select_option("context")
    kv(page, "Sequences").fill("30")
    longest = page.get_by_role("button", name="As long as fits")
    longest.press("Enter")
    assert page.evaluate(READ)["now"] == w.budget.max_context(30)
    kv(page, "Sequences").fill("1")
    longest.press("Enter")
    assert page.evaluate(READ)["now"] == 131_072 < w.budget.max_context(1)  # where the model ends
    page.get_by_label("GPU", exact=True).select_option("T4")
    longest.press("Enter")
    assert page.locator(".kv-notice").inner_text() == "Not one of these tokens fits."
    page.get_by_label("GPU", exact=True).select_option("H100")
    page.get_by_label("Model", exact=True).select_option("mamba-130m")
    longest.press("Enter")
    assert page.locator(".kv-notice").inner_text() == "Memory sets no end here."


def test_a_cache_that_does_not_grow_leaves_the_context_as_it_is(page, tmp_path):  # noqa: F811
    w = BudgetWidget("mamba-130m", models=OFFERED, context=5000, moves="context")
    show(page, tmp_path, w)
    box = page.locator(EDGE).bounding_box()
    for _ in pull(page, False, box["x"] + 14, box["y"] + box["height"] - 6, [300, 700]):
        assert kv(page, "Context").input_value() == "5000"
    page.get_by_label("Model", exact=True).select_option("mistral-7b-v0.1")  # all its layers have a window
    box = page.locator(EDGE).bounding_box()
    for _ in pull(page, False, box["x"] + 14, box["y"] + box["height"] - 6, [box["x"] + 300]):
        page.evaluate("() => new Promise(requestAnimationFrame)")
    assert kv(page, "Context").input_value() == "4096"


# ---- the verdict, and what has the focus


CLEAR = """() => {
    const e = document.activeElement, r = e.getBoundingClientRect();
    const within = (b) => b.top > -1 && b.bottom < innerHeight + 1;
    const at = (part) => document.elementFromPoint(r.x + r.width / 2, r.y + part * r.height);
    const tall = r.height > 400;  // a table, of which a part is seen
    const own = (part) => at(part) && (e.contains(at(part)) || at(part).contains(e));
    const clear = (tall ? [0.5] : [0.1, 0.5, 0.9]).every(own);
    return { what: e.outerHTML.slice(0, 90), figure: e.closest('.kv-figure') !== null,
        clear: (tall || within(r)) && clear, at: [r.top, r.bottom, scrollY],
        verdict: ['.kv-big', '.kv-budget-bar'].every(
            s => within(document.querySelector(s).getBoundingClientRect())) };
}"""


@pytest.mark.parametrize("pinned", [False, True])
def test_on_a_phone_the_verdict_stays_and_covers_nothing_that_has_the_focus(page, tmp_path, pinned):  # noqa: F811
    page.set_viewport_size({"width": 360, "height": 640})
    w = BudgetWidget(pinned=pinned, a_model="llama-2-7b", a_gpu="T4")
    file = tmp_path / "tall.html"
    room = '<p style="height: 900px"></p>'
    html = document(w).replace("<h2>", f"{room}<h2>").replace("</main>", f"{room}<a href='#'>on</a></main>")
    file.write_text(html, encoding="utf-8")
    page.goto(file.as_uri())
    stops = 0
    for key in ("Tab", "Shift+Tab"):
        while True:
            page.keyboard.press(key)
            page.evaluate("() => new Promise(requestAnimationFrame)")
            seen = page.evaluate(CLEAR)
            if not seen["figure"]:
                break
            stops += 1
            assert seen["clear"], seen
            past = "kv-presets" in page.evaluate("document.activeElement.parentElement.className")
            assert seen["verdict"] or past, seen
    assert stops > 50


def test_while_a_slider_is_dragged_on_a_phone_the_verdict_is_seen(page, tmp_path):  # noqa: F811
    page.set_viewport_size({"width": 360, "height": 640})
    show(page, tmp_path, BudgetWidget())
    for slider in page.locator(".kv-figure input[type=range]:visible").all():
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + box["height"] / 2, steps=3)
        for part in (".kv-big", ".kv-budget-bar"):
            seen = page.locator(part).bounding_box()
            assert seen["y"] >= 0 and seen["y"] + seen["height"] <= 640
            assert seen["y"] + seen["height"] <= box["y"]  # and it does not lie on the slider
        page.mouse.up()


@pytest.mark.parametrize("width", [1280, 360])
def test_what_is_drawn_stays_within_its_figure(page, tmp_path, width):  # noqa: F811
    """The grip too, at either end of the bar, and where more is needed than the bar can show."""
    page.set_viewport_size({"width": width, "height": 900})
    for setting in ({"overhead_mib": 0, "batch": 1, "model": "gpt2", "context": 1}, {"batch": 4096}):
        show(page, tmp_path, BudgetWidget(**setting))
        figure, edge = page.locator(".kv-verdict").bounding_box(), page.locator(EDGE).bounding_box()
        assert figure["x"] <= edge["x"] and edge["x"] + edge["width"] <= figure["x"] + figure["width"]
        torn = page.locator(".kv-budget-torn").get_attribute("d")
        assert bool(torn) == (setting["batch"] == 4096)
        assert min(edge["width"], edge["height"]) >= 24  # WCAG 2.5.8
