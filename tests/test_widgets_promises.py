"""What every figure promises (see test_widgets_base.py), held on those of FIGURES.

What concerns the keys, JupyterLab and a kernel is held on every figure.
"""

import gzip

import pytest

from kvlib import widgets
from kvlib.widgets import (
    Batching,
    BudgetWidget,
    ByteRiver,
    CheaperCaches,
    Damage,
    DecodeTheatre,
    FormulaBox,
    LayerRace,
    Paging,
    RealKey,
    SharingHeads,
)
from kvlib.widgets.huffman import coded
from kvlib.widgets.tiny import tiny

from .browser import chromium, document, page, show, violations  # noqa: F401
from .drive import drive, live
from .quality_record import record

FIGURES = {
    "DecodeTheatre": DecodeTheatre,
    "FormulaBox": lambda: FormulaBox(step=5, n_kv_heads=3, head_dim=80, dtype="q8_0"),
    "SharingHeads": SharingHeads,
    "Paging": lambda: Paging(share_prefix=True),
    "LayerRace": LayerRace,
    "ByteRiver": ByteRiver,
    "BudgetWidget": BudgetWidget,
    "CheaperCaches": lambda: CheaperCaches(record()),
    "Damage": Damage,
    "PrefixCache": widgets.PrefixCache,
    "RealKey": RealKey,
    "Batching": Batching,
}
# A recording travels with the theatre, a simulation with paging, all shipped layouts with the budget.
HEAVY = {"DecodeTheatre": 76_000, "Paging": 23_000, "BudgetWidget": 22_000}
ALL = {name: getattr(widgets, name) for name in widgets.__all__} | FIGURES


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
        assert max(wide, default=0) <= width


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_s_figure_is_light(name):
    weights = coded(tiny()["codes"])["data"]  # they have a bound of their own
    html = document(FIGURES[name]()).replace(weights, "")
    assert len(gzip.compress(html.encode())) <= HEAVY.get(name, 20_000)


def test_reduced_motion_takes_play_away(chromium, tmp_path):  # noqa: F811
    for motion, plays in (("no-preference", 1), ("reduce", 0)):
        context = chromium.new_context(reduced_motion=motion)
        page = show(context.new_page(), tmp_path, Paging())  # noqa: F811
        assert page.get_by_role("button", name="Play: Step").count() == plays
        context.close()


# ---- keys, JupyterLab and a kernel


@pytest.mark.parametrize("name", ALL)
def test_jupyterlab_leaves_the_keys_to_every_control(page, name):  # noqa: F811
    """Its shortcuts act on the focused element unless that element itself says otherwise."""
    live(page, ALL[name]())
    focused = ":is(input, select, textarea, button, summary, [tabindex])"
    assert page.locator(f".kv-figure {focused}").count() >= 4
    bare = page.locator(f".kv-figure {focused}:not([data-lm-suppress-shortcuts])")
    assert bare.evaluate_all("all => all.map(e => e.outerHTML)") == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_shown_is_undefined(page, name):  # noqa: F811
    """A name that Python and the script spell differently shows itself as "undefined" or "NaN"."""
    figure = ALL[name]()
    points = [
        {key: low_high[end] for key, low_high in figure.limits.items() if isinstance(low_high[0], int)}
        for end in (0, 1)
    ]
    read = """el => el.outerHTML.match(/undefined|NaN|null|Infinity|\\[object/g)"""
    assert drive(page, figure, [{}, *points], read) == [None] * 3
    assert page.locator(".kv-title").inner_text() == figure.title != ""


def typed(page, keys):  # noqa: F811
    """Type into the number field of FormulaBox's layers as a hand does; what is shown and sent."""
    field = page.get_by_role("spinbutton", name="Layers", exact=True)
    field.select_text()
    for key in keys:
        page.keyboard.press(key)
    return page.locator(".kv-big").inner_text(), page.evaluate("sent")


def test_a_number_being_typed_is_sent_once(page):  # noqa: F811
    live(page, widgets.FormulaBox(step=7))
    big, sent = typed(page, "128")
    assert (big, sent) == (f"{128 * 2**26:,} bytes", [])  # drawn at every key, not sent yet
    page.wait_for_function("sent.length > 0")
    assert page.evaluate("sent") == [{"n_layers": 128}]
    page.get_by_role("spinbutton", name="Layers", exact=True).blur()
    page.wait_for_timeout(600)
    assert page.evaluate("sent") == [{"n_layers": 128}]


@pytest.mark.parametrize("end", ["Enter", "Tab"])
def test_a_number_typed_is_sent_at_once_when_its_end_is_clear(page, end):  # noqa: F811
    live(page, widgets.FormulaBox(step=7))
    assert typed(page, [*"77", end])[1] == [{"n_layers": 77}]


def test_a_held_number_is_sent_as_it_is_held(page):  # noqa: F811
    live(page, widgets.FormulaBox(step=7))
    typed(page, "778")
    page.wait_for_timeout(600)
    assert page.evaluate("sent") == []  # 77 was never meant, and 778 is no number of layers
    page.keyboard.press("Enter")
    assert page.evaluate("sent") == [{"n_layers": 256}]
    assert page.locator(".kv-big").inner_text() == f"{256 * 2**26:,} bytes"


def test_a_button_sends_what_was_typed_before_it(page):  # noqa: F811
    live(page, widgets.FormulaBox(step=7))
    typed(page, "64")
    page.get_by_role("button", name="× 2: layers").click()
    assert page.evaluate("sent") == [{"n_layers": 64}, {"n_layers": 128}]
