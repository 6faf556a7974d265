"""What every figure promises (see test_widgets_base.py), held on sharing, paging, layers and caches."""

import gzip

import pytest

from kvlib.widgets import CheaperCaches, LayerStrip, Paging, SharingHeads

from .browser import chromium, document, page, show, violations  # noqa: F401
from .quality_record import record

FIGURES = {
    "SharingHeads": SharingHeads,
    "Paging": lambda: Paging(share_prefix=True),
    "LayerStrip": LayerStrip,
    "CheaperCaches": lambda: CheaperCaches(record()),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(page, tmp_path, theme, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 900})
    show(page, tmp_path, *(make() for make in FIGURES.values()), theme=theme)
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []


@pytest.mark.parametrize("name", FIGURES)
def test_without_javascript_a_table_stands(chromium, tmp_path, name):  # noqa: F811
    figure = FIGURES[name]()
    context = chromium.new_context(java_script_enabled=False)
    page = show(context.new_page(), tmp_path, figure)  # noqa: F811
    cells = page.locator(".kv-static td").all_inner_texts()
    assert cells == [str(cell) for row in figure.table().rows for cell in row[1:]] != []
    context.close()


@pytest.mark.parametrize("name", FIGURES)
def test_360_pixels_are_enough(page, tmp_path, name):  # noqa: F811
    page.set_viewport_size({"width": 360, "height": 740})
    show(page, tmp_path, FIGURES[name]())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = """[...document.querySelectorAll('.kv-figure :is(input, select, button, summary)')]
        .filter(e => e.offsetHeight && e.offsetHeight < 24 && e.type !== 'checkbox').map(e => e.outerHTML)"""
    assert page.evaluate(small) == []


@pytest.mark.parametrize("name", FIGURES)
def test_all_by_keyboard(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, FIGURES[name]())
    controls = ".kv-figure :is(input, select, button, summary, [tabindex]):not([disabled])"
    stops = page.locator(controls).evaluate_all("all => all.filter(e => e.checkVisibility()).length")
    seen = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert len(set(seen)) == stops and seen == sorted(seen)


@pytest.mark.parametrize("name", FIGURES)
def test_a_live_region_speaks(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, FIGURES[name]())
    page.get_by_role("combobox").nth(0).press("ArrowDown")
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.length > 20")


@pytest.mark.parametrize("name", FIGURES)
def test_every_state_can_be_drawn_and_redrawn_at_any_width(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, FIGURES[name](), FIGURES[name]())
    for width in (1280, 700, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(50)
        wide = page.locator(".kv-figure svg").evaluate_all("a => a.map(s => s.getBoundingClientRect().right)")
        assert max(wide) <= width


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_s_figure_is_light(name):
    assert len(gzip.compress(document(FIGURES[name]()).encode())) <= 20_000


def test_reduced_motion_takes_play_away(chromium, tmp_path):  # noqa: F811
    for motion, plays in (("no-preference", 1), ("reduce", 0)):
        context = chromium.new_context(reduced_motion=motion)
        page = show(context.new_page(), tmp_path, Paging())  # noqa: F811
        assert page.get_by_role("button", name="Play or pause: Step").count() == plays
        context.close()
