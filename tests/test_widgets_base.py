"""What every figure promises, held on three of them: alone in a page, for everyone, two-way with Python."""

import json
import re
import sys

import pytest
import traitlets
from IPython.core.formatters import DisplayFormatter

from kvlib import CacheLayout
from kvlib.layouts import LayerKV
from kvlib.widgets import BudgetWidget, DecodeTheatre, FormulaBox, palette
from kvlib.widgets.base import STATIC, Figure

from .browser import chromium, document, page, show, violations  # noqa: F401

TOYS = {
    "toy": (CacheLayout.uniform(32, 8, 128, max_context=131072), 8_030_261_248, 8_030_261_248),
    "windowed": (
        CacheLayout((LayerKV("full", 16, 128), LayerKV("sliding", 16, 128, window=4096)) * 23),
        27_227_128_320,
        27_227_128_320,
    ),
}


def figures():
    return [FormulaBox(), DecodeTheatre(), BudgetWidget("toy", models=TOYS)]


def kv(page, label):  # noqa: F811
    """The number field with this label."""
    return page.get_by_role("spinbutton", name=label, exact=True)


# ---- the page without a kernel


def test_the_page_holds_all_it_needs():
    html = document(*figures())
    assert not re.search(r"""(src|href)=|@import|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)""", html)


def test_every_occurrence_has_an_id_of_its_own():
    w = FormulaBox()
    ids = re.findall(r' id="([^"]+)"', w.html() + w.html())
    assert len(ids) == len(set(ids)) == 4


def test_state_cannot_end_its_script():
    class Odd(FormulaBox):
        note = traitlets.Unicode("</script><b>&<!--<script>").tag(sync=True)

    html = Odd().html()
    state = re.search(r'-state">(.*?)</script>', html).group(1)
    assert json.loads(state)["note"] == "</script><b>&<!--<script>" and "<" not in state


def test_two_figures_do_not_disturb_each_other(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox(), FormulaBox(context=512))
    kv(page, "Layers").first.fill("16")
    big = page.locator(".kv-big")
    assert big.all_inner_texts() == ["1,073,741,824 bytes", "268,435,456 bytes"]


@pytest.mark.parametrize("index", range(3))
def test_without_javascript_a_table_stands(chromium, tmp_path, index):  # noqa: F811
    context = chromium.new_context(java_script_enabled=False)
    figure = figures()[index]
    page = show(context.new_page(), tmp_path, figure)  # noqa: F811
    cells = page.locator(".kv-static td").all_inner_texts()
    assert cells == [str(cell) for row in figure.table().rows for cell in row[1:]]
    context.close()


def test_a_state_that_cannot_be_read_leaves_the_table_and_says_so(page, tmp_path):  # noqa: F811
    file = tmp_path / "broken.html"
    file.write_text(
        document(FormulaBox(), FormulaBox()).replace('-state">{', '-state">{broken', 1), encoding="utf-8"
    )
    assert "{broken" in file.read_text(encoding="utf-8")
    page.goto(file.as_uri())
    assert page.locator(".kv-static table").count() == 1
    assert "could not start" in page.locator(".kv-static .kv-notice").inner_text()
    assert page.locator(".kv-big").count() == 1  # the other one is alive


@pytest.mark.parametrize(
    "typed, held, said",
    [
        ("0", "1", "Layers is a whole number from 1 to 256: held at 1."),
        ("-5", "1", "held at 1."),
        ("9999", "256", "held at 256."),
        ("2.5", "2", "held at 2."),
        ("", "32", "held at 32."),
    ],
)
def test_a_bad_value_is_held_at_its_bound_and_said_so(page, tmp_path, typed, held, said):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    kv(page, "Layers").fill(typed)
    kv(page, "Layers").press("Enter")
    assert kv(page, "Layers").input_value() == held
    assert said in page.locator(".kv-notice").inner_text()
    kv(page, "Layers").fill("8")
    assert page.locator(".kv-notice").inner_text() == ""


def test_a_live_region_speaks_the_result(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    kv(page, "Layers").fill("16")
    page.wait_for_function("document.querySelector('.kv-spoken').textContent.startsWith('1 GiB')")
    assert page.locator(".kv-spoken").get_attribute("role") == "status"


# ---- for everyone


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(page, tmp_path, theme, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 900})
    show(page, tmp_path, *figures(), theme=theme)
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []


def test_axe_finds_nothing_without_javascript(chromium, tmp_path):  # noqa: F811
    page = chromium.new_page()  # noqa: F811
    show(page, tmp_path, *figures())
    page.evaluate("document.querySelectorAll('.kv-page').forEach(p => p.replaceChildren())")
    statics = "".join(f.html().split("<script")[0] for f in figures())
    page.evaluate(
        "html => document.querySelector('main').innerHTML = '<h1>Figures</h1><h2>All of them</h2>' + html",
        statics,
    )
    assert violations(page) == []
    page.close()


def test_all_by_keyboard(page, tmp_path):  # noqa: F811
    """Tab reaches every control that is shown, of every figure, once and in order."""
    show(page, tmp_path, *figures())
    every = page.locator(".kv-figure :is(input, select, button, summary):not([disabled])")
    controls = every.evaluate_all("all => all.filter(e => e.checkVisibility()).length")
    seen = []
    for _ in range(controls):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert len(set(seen)) == controls and seen == sorted(seen)


def test_the_controls_say_what_the_figure_says_after_going_back(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    address = page.url
    kv(page, "Layers").fill("80")
    page.get_by_label("Precision").select_option("q4_0")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_url(address)
    layers, dtype = kv(page, "Layers").input_value(), page.get_by_label("Precision").input_value()
    w = FormulaBox(n_layers=int(layers), dtype=dtype)
    assert page.locator(".kv-big").inner_text() == f"{w.nbytes:,} bytes"


def test_one_token_is_not_tokens(page, tmp_path):  # noqa: F811
    one = dict.fromkeys(("n_layers", "batch", "n_kv_heads", "context", "head_dim"), 1)
    show(page, tmp_path, FormulaBox(vectors="one latent vector", dtype="int8", **one))
    assert page.locator(".kv-big").inner_text() == "1 byte"
    kv(page, "Context").fill("0")
    kv(page, "Context").press("Enter")
    assert page.locator(".kv-notice").inner_text().endswith("held at 1 token.")


def test_arrow_keys_move_a_slider(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    page.get_by_role("slider", name="Context, slider").focus()
    page.keyboard.press("ArrowRight")
    assert kv(page, "Context").input_value() == "8192"
    assert (
        page.get_by_role("slider", name="Context, slider").get_attribute("aria-valuetext") == "8,192 tokens"
    )
    assert page.locator(".kv-big").inner_text() == "4,294,967,296 bytes"


def test_360_pixels_are_enough(page, tmp_path):  # noqa: F811
    page.set_viewport_size({"width": 360, "height": 740})
    show(page, tmp_path, *figures())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = """[...document.querySelectorAll('.kv-figure :is(input, select, button, summary)')]
        .filter(e => e.offsetHeight && e.offsetHeight < 24 && e.type !== 'checkbox').map(e => e.outerHTML)"""
    assert page.evaluate(small) == []


def test_reduced_motion_is_respected(chromium, tmp_path):  # noqa: F811
    for motion, plays in (("no-preference", 1), ("reduce", 0)):
        context = chromium.new_context(reduced_motion=motion)
        page = show(context.new_page(), tmp_path, DecodeTheatre())  # noqa: F811
        assert page.get_by_role("button", name="Play: Moment").count() == plays
        show(page, tmp_path, FormulaBox())
        page.get_by_role("button", name="Next: Step").press("Enter")
        assert page.evaluate("document.getAnimations().length") == plays
        context.close()


def test_print_is_light_and_without_sliders(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox(), theme="dark")
    page.emulate_media(media="print")
    ink = page.locator(".kv-figure").evaluate("e => getComputedStyle(e).getPropertyValue('--kv-ink')")
    assert ink.strip() == palette.LIGHT["ink"]
    assert not page.get_by_role("slider").first.is_visible() and kv(page, "Layers").is_visible()


@pytest.mark.parametrize("colors", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_every_colour_can_be_read(colors):
    for name in set(colors) - {"paper", "wash", "rule"}:
        for ground in ("paper", "wash"):
            assert palette.contrast(colors[name], colors[ground]) >= 4.5, (name, ground)


def test_the_system_decides_where_the_page_does_not(chromium, tmp_path):  # noqa: F811
    for scheme, colors in (("light", palette.LIGHT), ("dark", palette.DARK)):
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()  # noqa: F811
        file = tmp_path / "plain.html"
        file.write_text(document(FormulaBox()).replace(' data-theme="light"', ""), encoding="utf-8")
        page.goto(file.as_uri())
        ink = page.locator(".kv-figure").evaluate("e => getComputedStyle(e).getPropertyValue('--kv-ink')")
        assert ink.strip() == colors["ink"]
        context.close()


def test_no_two_style_sheets_share_a_class():
    """A page's figures share one document, so a figure's own classes must be its own."""
    owner = {}
    common = set(re.findall(r"\.(kv-[\w-]+)", (STATIC / "style.css").read_text()))
    for sheet in sorted(STATIC.glob("*.css")):
        if sheet.name != "style.css":
            for name in set(re.findall(r"\.(kv-[\w-]+)", sheet.read_text())) - common:
                assert owner.setdefault(name, sheet.name) == sheet.name, name


# ---- with a kernel


def test_python_refuses_a_bad_value_by_name():
    for arguments, said in (
        ({"n_layers": 0}, "n_layers must be a whole number of at least 1"),
        ({"n_layers": 1.5}, "n_layers must be a whole number"),
        ({"context": 2**30}, "context must be at most 16,777,216"),
        ({"dtype": "bf17"}, "unknown dtype 'bf17'; did you mean bf16"),
        ({"n_layer": 3}, "unknown argument of FormulaBox 'n_layer'; did you mean n_layers"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            FormulaBox(**arguments)


def test_the_page_s_change_reaches_python():
    seen = []
    w = FormulaBox()
    w.observe(lambda change: seen.append(change["new"]), "context")
    w.set_state({"context": 1024})  # what a message from the page does
    assert (w.context, seen, w.nbytes) == (1024, [1024], 2**29)


def test_the_bundle_has_the_view_and_the_page():
    data, _ = DisplayFormatter().format(FormulaBox())  # as IPython asks, with ipywidgets 7 as with 8
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)


def test_colab_gets_the_live_view_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    data, _ = FormulaBox()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data and "text/html" not in data


def test_a_figure_must_give_its_table():
    class Bare(Figure):
        script = "formula_box.js"

    with pytest.raises(NotImplementedError):
        Bare().html()
