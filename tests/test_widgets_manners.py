"""How every figure behaves: its address, its way back, what it says and when; the page keeps still."""

import re

import pytest

from kvlib import CacheLayout
from kvlib.widgets import BudgetWidget, DecodeTheatre, FormulaBox, LayerRace, SharingHeads, palette

from .browser import chromium, page, show  # noqa: F401
from .test_widgets_promises import ALL

PLAYED = {
    "DecodeTheatre": "Moment", "FormulaBox": "Step", "Paging": "Step", "Damage": "Written",
    "ByteRiver": "Elapsed", "LayerRace": "Context", "PrefixCache": "Moment",
    "Batching": "Time",
}  # fmt: skip
SETTING = """() => [...document.querySelectorAll('.kv-figure :is(input, select)')].map(
    e => e.type === 'checkbox' ? e.checked : e.value)"""


def body(page):  # noqa: F811
    page.wait_for_function("!document.querySelector('.kv-figure [aria-busy=true]')")  # it still computes
    return page.locator(".kv-body").inner_text()


def change(page):  # noqa: F811
    """Move every slider and every list of the figure; what its controls and its body then say."""
    for slider in page.get_by_role("slider").all():
        slider.press("ArrowLeft" if slider.evaluate("e => Number(e.value) > Number(e.min)") else "ArrowRight")
    for box in page.get_by_role("combobox").all():
        box.press("ArrowUp" if box.evaluate("e => e.selectedIndex > 0") else "ArrowDown")
    return page.evaluate(SETTING), body(page)


# ---- the address


@pytest.mark.parametrize("name", ALL)
def test_after_going_back_or_a_reload_the_controls_say_what_the_figure_says(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name]())
    changed = change(page)
    page.wait_for_url(re.compile("#.*="))  # the address is written after a rest, which may lie in between
    page.get_by_role("button", name="Copy a link").press("Enter")  # and now holds all of the setting
    address = page.url
    page.goto("about:blank")
    page.go_back()
    page.wait_for_url(address)
    assert (page.evaluate(SETTING), body(page)) == changed
    page.reload()
    assert (page.evaluate(SETTING), body(page)) == changed


def test_what_a_browser_fills_in_is_put_right(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    shown = page.evaluate(SETTING)
    page.evaluate("document.querySelectorAll('.kv-figure input').forEach(e => { e.value = 3; })")
    page.evaluate("document.querySelectorAll('.kv-figure select').forEach(e => { e.selectedIndex = 1; })")
    assert page.evaluate(SETTING) != shown
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")
    assert page.evaluate(SETTING) == shown


@pytest.mark.parametrize("name", ALL)
def test_reset_brings_the_first_setting_back(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name]())
    first = page.evaluate(SETTING), body(page)
    assert change(page) != first
    page.get_by_role("button", name="Reset").press("Enter")
    page.wait_for_timeout(50)
    assert (page.evaluate(SETTING), body(page)) == first


def test_a_second_link_in_the_same_tab_is_followed(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox(), hash="#formula.n_layers=16&formula.dtype=fp8")
    layers = page.get_by_role("spinbutton", name="Layers", exact=True)
    assert layers.input_value() == "16"
    page.evaluate("location.hash = '#formula.n_layers=48'")
    page.wait_for_function("document.querySelector('.kv-big').textContent.startsWith('3,221,225,472')")
    assert layers.input_value() == "48"
    assert (
        page.get_by_label("Precision").input_value() == "bf16"
    )  # what a link does not name is the first one
    page.evaluate("location.hash = '#a-heading'")
    page.wait_for_timeout(50)
    assert layers.input_value() == "48"


def test_a_link_goes_to_its_figure_and_a_reload_stays_where_it_was(page, tmp_path):  # noqa: F811
    page.add_init_script(
        "Element.prototype.scrollIntoView = function () { globalThis.went = this.className; }"
    )
    show(page, tmp_path, DecodeTheatre(), FormulaBox(), hash="#formula.n_layers=16")
    page.wait_for_function("globalThis.went === 'kv-figure'")
    page.reload()
    page.wait_for_timeout(200)
    assert page.evaluate("globalThis.went ?? null") is None
    page.evaluate("location.hash = '#formula.n_layers=17'")
    page.wait_for_function("globalThis.went === 'kv-figure'")


def test_good_news_does_not_look_like_a_mistake(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    edge = "e => getComputedStyle(e).borderLeftColor"
    page.get_by_role("button", name="Copy a link").press("Enter")
    page.wait_for_function("document.querySelector('.kv-notice').textContent")
    good = page.locator(".kv-notice").evaluate(edge)
    layers = page.get_by_role("spinbutton", name="Layers", exact=True)
    layers.fill("0")
    layers.press("Enter")
    assert page.locator(".kv-notice").evaluate(edge) != good


# ---- playing, and keeping still


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", PLAYED)
def test_nothing_moves_while_a_figure_plays(page, tmp_path, name, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 800})
    show(page, tmp_path, ALL[name]())
    scrubber = page.get_by_role("slider", name=f"{PLAYED[name]}, slider")
    scrubber.press("Home")
    places = """() => ['.kv-play', '.kv-offer', '.kv-data'].map(s =>
        document.querySelector(s).getBoundingClientRect().top + scrollY)"""
    seen = set()
    for _ in range(int(scrubber.get_attribute("max")) + 1):
        page.evaluate("() => new Promise(requestAnimationFrame)")
        seen.add(tuple(page.evaluate(places)))
        scrubber.press("ArrowRight")
    assert len(seen) == 1, seen


def test_play_says_which_it_is(page, tmp_path):  # noqa: F811
    show(page, tmp_path, DecodeTheatre())
    page.get_by_role("button", name="Play: Moment").press("Enter")
    pause = page.get_by_role("button", name="Pause: Moment")
    assert pause.inner_text() == "Pause"
    pause.press("Enter")
    assert page.get_by_role("button", name="Play: Moment").inner_text() == "Play"


COUNT = """() => {
    globalThis.spoken = [];
    for (const region of document.querySelectorAll('[role=status], [aria-live], output')) {
        new MutationObserver(() => { if (region.textContent) spoken.push(region.textContent); })
            .observe(region, { childList: true, characterData: true, subtree: true });
    }
}"""


def test_a_figure_speaks_once_when_it_has_been_played(page, tmp_path):  # noqa: F811
    show(page, tmp_path, DecodeTheatre(moment=1))
    page.evaluate(COUNT)
    page.get_by_role("button", name="Play: Moment").press("Enter")
    page.wait_for_function("Number(document.querySelector('input[type=number]').value) >= 4")
    assert page.evaluate("spoken") == []
    page.get_by_role("button", name="Pause: Moment").press("Enter")
    page.wait_for_function("spoken.length > 0")
    page.wait_for_timeout(500)
    said = page.evaluate("spoken")
    assert len(said) == 1 and said[0].startswith("Step ")


def test_a_figure_speaks_once_when_a_slider_was_dragged(page, tmp_path):  # noqa: F811
    """However slowly: between two moves of this drag lies more than the rest after which it would speak."""
    show(page, tmp_path, SharingHeads())
    page.evaluate(COUNT)
    box = page.get_by_role("slider", name="KV heads").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 3, y)
    page.mouse.down()
    for step in range(1, 4):
        page.mouse.move(box["x"] + step * box["width"] / 4, y)
        page.wait_for_timeout(500)
    assert page.evaluate("spoken") == []
    page.mouse.up()
    page.wait_for_function("spoken.length > 0")
    page.wait_for_timeout(500)
    assert len(page.evaluate("spoken")) == 1


# ---- for everyone


@pytest.mark.parametrize("name", ALL)
def test_a_figure_s_title_is_a_heading_below_the_one_before_it(page, tmp_path, name):  # noqa: F811
    figure = ALL[name]()
    assert figure.title and figure.lead
    show(page, tmp_path, figure)
    assert page.get_by_role("heading", level=3, name=figure.title).count() == 1
    assert page.locator(".kv-lead").inner_text() == figure.lead


@pytest.mark.parametrize("name", ALL)
def test_a_name_begins_with_what_is_seen(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name]())
    buttons = page.locator(".kv-figure button").evaluate_all(
        "all => all.map(e => [e.textContent, e.getAttribute('aria-label') ?? e.textContent])"
    )
    assert len(buttons) >= 2
    assert [pair for pair in buttons if not pair[1].startswith(pair[0])] == []


@pytest.mark.parametrize("name", ALL)
def test_a_field_says_its_unit_and_shows_its_largest_number(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name]())
    for field in page.locator(".kv-figure input[type=number]:visible").all():
        unit = field.evaluate("e => e.nextElementSibling.textContent")
        said = field.evaluate("e => document.getElementById(e.getAttribute('aria-describedby'))?.textContent")
        assert (said or "") == unit
        field.fill(field.get_attribute("max"))
        assert field.evaluate("e => e.scrollWidth <= e.clientWidth"), field.get_attribute("max")


@pytest.mark.parametrize("name", ALL)
def test_no_count_of_one_has_a_plural(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name]())
    for slider in page.get_by_role("slider").all():
        slider.press("Home")
    texts = page.locator(".kv-figure").inner_text()
    assert (
        re.findall(r"(?<![\d,.×] )(?<![\d,.])\b1 (?:tokens|bytes|sequences|layers|numbers|heads)\b", texts)
        == []
    )


@pytest.mark.parametrize("name", ALL)
def test_forced_colours_leave_every_mark_to_be_seen(chromium, tmp_path, name):  # noqa: F811
    """What is drawn has another colour than what it is drawn on, and the system's own."""
    context = chromium.new_context(forced_colors="active", viewport={"width": 900, "height": 900})
    page = show(context.new_page(), tmp_path, ALL[name]())  # noqa: F811
    colours = """() => {
        const paper = getComputedStyle(document.body).backgroundColor;
        const all = [...document.querySelectorAll('.kv-body *, .kv-verdict *')];
        const shown = all.filter(e => e.checkVisibility());
        return shown.filter(e => e.matches('.kv-fill') ? getComputedStyle(e).backgroundColor === paper :
            e.matches('path, rect, circle') && !e.closest('pattern') && getComputedStyle(e).fill === paper &&
            getComputedStyle(e).stroke === 'none').map(e => e.outerHTML.slice(0, 120));
    }"""
    assert page.evaluate(colours) == []
    hue = page.locator(".kv-figure").evaluate("e => getComputedStyle(e).getPropertyValue('--kv-red').trim()")
    assert hue == "CanvasText"
    context.close()


@pytest.mark.parametrize("name", ALL)
def test_on_paper_every_bar_is_printed_in_light_colours(page, tmp_path, name):  # noqa: F811
    show(page, tmp_path, ALL[name](), theme="dark")
    page.emulate_media(media="print")
    marks = page.locator(".kv-fill, .kv-track, .kv-mark-kept")
    assert set(marks.evaluate_all("all => all.map(e => getComputedStyle(e).printColorAdjust)")) <= {"exact"}
    ink = page.locator(".kv-figure").evaluate("e => getComputedStyle(e).color")
    assert ink == "rgb(29, 33, 41)" and palette.LIGHT["ink"] == "#1d2129"


def test_what_lies_side_by_side_differs_without_its_hue():
    """Fills: weights, cache, overhead and what is free in one bar; the kinds of layers in one strip."""
    bar = [palette.TEXTURES[role] for role in ("weights", "cache", "overhead", "free")]
    assert len(set(bar)) == 4
    kinds = ("full", "sliding", "chunked", "latent", "shared", "state", "cross")
    assert len({palette.TEXTURES[kind] for kind in kinds}) == len(kinds)
    for colors in (palette.LIGHT, palette.DARK):  # what is drawn on paper is seen: WCAG 1.4.11
        for name in set(colors) - {"paper", "wash", "rule"}:
            assert palette.contrast(colors[name], colors["paper"]) >= 3


# ---- hostile words

HOSTILE = '</script><img src=x onerror="document.title=1"><!--<script>'


def test_hostile_words_in_a_name_or_an_address_stay_words(page, tmp_path):  # noqa: F811
    toy = (CacheLayout.uniform(2, 2, 8), 1000, 1000)
    figures = (
        BudgetWidget(HOSTILE, models={HOSTILE: toy, "toy": toy}),
        LayerRace(models={HOSTILE: toy[0]}),
        SharingHeads(models={HOSTILE: CacheLayout.uniform(2, 2, 8, n_heads=4)}),
    )
    hash = "#budget.gpu=<img src=x onerror=alert(1)>&budget.__proto__=1&layers.constructor=1"
    show(page, tmp_path, *figures, hash=hash)
    assert page.locator(".kv-figure").count() == 3 and page.locator("img").count() == 0
    assert page.title() == "Figures"
    assert HOSTILE in page.locator(".kv-models tbody th").all_inner_texts()
    assert "can't be read" in page.locator(".kv-notice").first.inner_text()
