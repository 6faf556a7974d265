"""The built book in a browser: whole, alone, alive. `make book` builds what is tested."""

import re

import pytest

from .browser import LOOKS, violations
from .site import CHAPTERS, CUT_OFF, HTML, PAGES, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book

FIGURES = [*CHAPTERS, "index"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_foreign_script_style_or_picture(name):
    html = (HTML / "book" / f"{name}.html").read_text()
    tags = re.findall(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"(https?:[^\"]+)", html)
    tags += re.findall(r"<link\b(?![^>]*rel=\"(?:canonical|next|prev)\")[^>]*href=\"(https?:[^\"]+)", html)
    assert tags == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_formulas_are_drawn_without_a_script(name):
    html = (HTML / "book" / f"{name}.html").read_text()
    assert "<math" in html and "mathjax" not in "".join(re.findall(r"<script[^>]*>", html)).lower()


# ---- one opening of a page, for all that must hold of it in a theme and at a width

SHIFTS = """new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.moved = (globalThis.moved ?? 0) + entry.value;
}).observe({ type: 'layout-shift', buffered: true })"""  # noqa: E501


@pytest.mark.parametrize("theme, width", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_in_order(site, visit, name, theme, width):  # noqa: F811
    """It asks no other host for anything (`visit`); its figure stands within the first two screens; it does
    not move while it loads; it does not scroll sideways, and nothing is cut off; axe finds nothing in the
    whole of it, the theme's own parts included."""
    page = visit(f"{site}{name}.html", width, before=SHIFTS, color_scheme=theme)
    page.wait_for_load_state("networkidle")
    if width == 1280 and name in FIGURES:
        assert page.locator(".kv-page").first.bounding_box()["y"] < 2 * page.viewport_size["height"]
    page.mouse.wheel(0, 900)
    page.wait_for_timeout(200)
    assert page.evaluate("globalThis.moved ?? 0") < 0.05
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # On a phone what a cell printed scrolls, by keyboard too: broken lines would mix its columns up.
    cut = page.evaluate(CUT_OFF)
    assert [text for printed, text in cut if width > 360 or not printed] == []
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    # Figures have their own test, and code has the same colours on every page.
    assert violations(page, seen_elsewhere=[] if name == "02-the-formula" else [".kv-page", "pre"]) == []
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(100)
    page.mouse.wheel(0, -200)  # the way back is offered to who turns round, and nothing else is new
    page.wait_for_timeout(100)
    assert violations(page, "#pst-back-to-top") == []


# ---- figures


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_answers_the_keyboard(site, visit, name):  # noqa: F811
    page = visit(f"{site}{name}.html")
    figures = page.locator(".kv-page .kv-figure:not(.kv-static)")
    figures.first.wait_for()
    for figure in figures.all():
        control = figure.locator("input[type=range]:visible, select:visible").first
        control.focus()
        before = figure.inner_text(), control.input_value()
        for key in ("ArrowRight", "ArrowDown", "ArrowUp"):  # one of them moves it, wherever it stands
            control.press(key)
            if control.input_value() != before[1]:
                break
        page.wait_for_timeout(50)
        assert control.input_value() != before[1] and figure.inner_text() != before[0]
        said = figure.locator("[aria-live]:not(:empty), [role=status]:not(:empty)")
        said.first.wait_for(state="attached", timeout=5000)


def test_a_page_keeps_its_figures_state_once(site):  # noqa: F811
    for name in PAGES:
        html = (HTML / "book" / f"{name}.html").read_text()
        assert "jupyter.widget-state" not in html and "thebe" not in html.lower()


def test_the_budget_on_the_front_page_answers(site, visit):  # noqa: F811
    import kvlib

    page = visit(f"{site}index.html")
    figure = page.locator(".kv-figure").last
    figure.get_by_label("Model").select_option("llama-2-7b")
    context = figure.get_by_role("spinbutton", name="Context")
    context.fill("4096")
    context.press("Enter")
    cache = kvlib.fmt(kvlib.layout("llama-2-7b").bytes(4096, batch=16))
    figure.get_by_text(f"Cache {cache}").first.wait_for(timeout=5000)


def test_every_page_is_in_the_contents(site, visit):  # noqa: F811
    page = visit(f"{site}index.html")
    links = {link.get_attribute("href").split("#")[0] for link in page.query_selector_all("nav.bd-links a")}
    assert {f"{p}.html" for p in PAGES if p != "index"} <= links
