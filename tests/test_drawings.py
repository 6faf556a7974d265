"""The figures: they draw what they are given, in the palette, with a text alternative."""

import re
from contextlib import nullcontext

import matplotlib
import pytest
from matplotlib.figure import Figure

from kvlib import CacheLayout, serving
from kvlib.units import GiB
from kvlib.widgets import drawings as plots, look, palette
from kvlib.widgets.shown import NARROW, _narrowed

LLAMA = CacheLayout.uniform(32, 32, 128)
STREAM = serving.requests(12, seed=1)
CURVES = {"without": ([1, 2, 3], [0.1, 0.2, 0.3]), "with": ([1, 2, 3], [0.1, 0.1, 0.1])}
FIGURES = {
    "time_per_token": lambda: plots.time_per_token(CURVES),
    "decode_floor": lambda: plots.decode_floor(CURVES),
    "context_chart": lambda: plots.context_chart(LLAMA),
    "heads": lambda: plots.heads(),
    "bytes_per_token": lambda: plots.bytes_per_token({"a": LLAMA, "b": CacheLayout.uniform(32, 8, 128)}),
    "utilization": lambda: plots.utilization(
        {a: serving.simulate(STREAM, 384, a) for a in serving.ALLOCATIONS}
    ),
    "vram": lambda: plots.vram(14 * GiB, 6 * GiB, 2 * GiB, 24 * GiB),
    "perplexity": lambda: plots.perplexity({"precision": [("bf16", 46080, 12.0), ("int8", 23040, 12.5)]}),
    "singular_values": lambda: plots.singular_values({"keys": [[3, 2, 1]] * 4, "values": [[2, 1]] * 4}),
}
ALT = "Two bars, one four times the other."


def words(figure):
    """Every text in the drawing, as it stands in the SVG."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", plots.show(figure, ALT).svg())


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_speaks_the_palette_and_has_its_alternative(name):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    shown = plots.show(figure, ALT)
    svg = shown.svg()
    assert f'role="img" aria-label="{ALT}"' in svg
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    names = set(re.findall(r"var\(--kv-([a-z]+)\)", svg))
    assert names <= set(palette.LIGHT) and names
    assert len(svg) < 40_000
    bundle = shown._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == ALT
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", bundle["text/html"].split("<defs", 1)[1])


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_the_same_twice(name):
    assert plots.show(FIGURES[name](), ALT).svg() == plots.show(FIGURES[name](), ALT).svg()


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_travels_without_what_says_nothing(name):
    """Its paths, marks and words are all there; ids that nobody uses, line breaks and bare groups are not."""
    import io

    import matplotlib

    figure, text = FIGURES[name](), io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(text, format="svg")
    whole, svg = text.getvalue(), plots.show(figure, ALT).svg()
    for part in ("<path", "<use", "<text", "clip-path=", "stroke-opacity"):
        assert svg.count(part) == whole.count(part), part
    for ident in re.findall(r' id="([^"]+)"', svg):
        assert f"#{ident}" in svg
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(re.findall(r' id="([^"]+)"', svg))
    assert "\n" not in svg and "<g>" not in svg and "font-family" not in svg
    assert svg.count("<g") == svg.count("</g>") and len(svg) < 0.6 * len(whole)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_lines_can_be_read_in_both_themes(theme):
    paper = palette.color("paper", theme)
    for name in FIGURES:
        svg = plots.show(FIGURES[name](), ALT).svg()
        for hue in set(re.findall(r"<text[^>]*fill: var\(--kv-([a-z]+)\)", svg)):
            assert palette.contrast(palette.color(hue, theme), paper) >= 4.5, (name, hue)
    for hue in look.HUES:
        assert palette.contrast(palette.color(hue, theme), paper) >= 3


def test_the_context_chart_is_linear_and_names_its_sizes():
    figure = plots.context_chart(LLAMA)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [0.25, 0.5, 1, 2, 4]
    assert {"256 MiB", "512 MiB", "1 GiB", "2 GiB", "4 GiB"} <= set(words(figure))


def test_the_models_are_sorted_and_named():
    figure = plots.bytes_per_token({"small": CacheLayout.uniform(12, 12, 64), "large": LLAMA})
    assert [bar.get_width() for bar in figure.axes[0].patches] == [36, 512]
    assert {"36 KiB", "512 KiB"} <= set(words(figure))


def test_vram_says_what_is_free_and_what_is_missing():
    assert "free 2 GiB" in words(plots.vram(14 * GiB, 6 * GiB, 2 * GiB, 24 * GiB))
    too_much = " ".join(words(plots.vram(14 * GiB, 16 * GiB, 2 * GiB, 24 * GiB)))
    assert "8 GiB too much" in too_much and "free" not in too_much


def test_vram_counts_as_free_what_may_be_used():
    said = words(plots.vram(14 * GiB, 6 * GiB, 2 * GiB, 24 * GiB, usable=23 * GiB))
    assert "free 1 GiB" in said and "usable 23 GiB" in said
    over = " ".join(words(plots.vram(14 * GiB, 6 * GiB, 2 * GiB, 24 * GiB, usable=21 * GiB)))
    assert "1 GiB too much" in over


def test_the_allocations_have_one_hue_each_in_drawing_and_figure():
    figure = FIGURES["utilization"]()
    hues = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert hues == {name: palette.color(name) for name in serving.ALLOCATIONS}
    assert len(set(hues.values())) == 3


@pytest.mark.parametrize("width", [None, NARROW])
def test_no_two_labels_of_neighbouring_axes_collide_nor_leave_the_drawing(width):
    panels = {name: [[1, 0.5, 0.1]] * 3 for name in ("keys", "keys, rotated", "values")}
    shown = plots.show(plots.singular_values(panels), ALT)
    with _narrowed(shown.figure, width) if width else nullcontext():
        shown.figure.draw_without_rendering()
        boxes = [axes.xaxis.label.get_window_extent() for axes in shown.figure.axes]
        for i, one in enumerate(boxes):
            assert 0 <= one.x0 and one.x1 <= shown.figure.bbox.width
            assert not any(one.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("name", FIGURES)
def test_a_phone_gets_a_drawing_that_is_as_wide_as_its_page(name):
    page = plots.show(FIGURES[name](), ALT)._repr_mimebundle_()["text/html"]
    wide, narrow = map(float, re.findall(r"<svg[^>]*width:(\d+)px", page))
    assert narrow <= 328 < wide  # 360 pixels less the page's margins
    assert len(set(re.findall(r'<clipPath id="(\w+)"', page))) == page.count("<clipPath")


def test_time_is_drawn_in_milliseconds():
    line = plots.time_per_token(CURVES).axes[0].lines[0]
    assert list(line.get_ydata()) == [100, 200, 300]


def test_the_readers_own_settings_are_left_alone():
    before = dict(matplotlib.rcParams)
    FIGURES["vram"]()
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.show(FIGURES["heads"](), ""), "alt must be a sentence"),
        (lambda: plots.show(FIGURES["heads"](), None), "alt must be a sentence"),
        (lambda: plots.show("a figure", ALT), "figure"),
        (lambda: plots.heads(8, (3,)), "n_kv_heads must divide"),
        (lambda: plots.time_per_token({}), "curves must not be empty"),
        (lambda: plots.time_per_token({"a": ([1, 2], [1])}), r"curves\['a'\]"),
        (lambda: plots.bytes_per_token({}), "layouts must not be empty"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
