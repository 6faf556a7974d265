"""The picture of a measurement: each line is the rows it was given, and can be told from the others."""

import pytest
from matplotlib.figure import Figure

from kvlib.measure import plots
from kvlib.measure.decode import CACHES
from kvlib.widgets import palette
from kvlib.widgets.drawings import show


def row(cache, context, seconds, batch=1):
    return {"cache": cache, "batch": batch, "context": context, "seconds": seconds, "floor_seconds": 0.001}


ROWS = [row(name, context, context / 1e5) for context in (200, 100) for name in ("contiguous", "int4")]
UNMEASURED = {"cache": "int8", "batch": 1, "context": 100, "failed": "does not fit"}
RECORD = {"device": "NVIDIA T4", "date": "2026-01-01", "rows": [row("int4", 100, 0.5), row("paged", 100, 1)]}


def curves(axes):
    """(colour, style, transparency) -> [(x, y)] of every line."""
    return {
        (line.get_color(), line.get_linestyle(), line.get_alpha()): [
            (float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)
        ]
        for line in axes.lines
    }


def labels(figure):
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_cache_is_a_line_of_its_times_beside_its_floor():
    figure = plots.step_times([*ROWS, UNMEASURED])
    assert isinstance(figure, Figure)
    found = curves(figure.axes[0])
    red, teal = palette.color("red"), palette.color("teal")
    assert found == {
        (hue, style, 1): points
        for hue in (red, teal)
        for style, points in (("-", [(100, 1.0), (200, 2.0)]), ("--", [(100, 1.0), (200, 1.0)]))
    }
    assert labels(figure) == ["contiguous", "int4", "floor"]


def test_the_rows_of_a_record_are_paler_and_named():
    figure = plots.step_times(ROWS, [RECORD], label="my T4")
    found = curves(figure.axes[0])
    assert found[palette.color("teal"), "-", plots.PALE] == [(100, 500.0)]
    assert labels(figure) == ["contiguous", "int4", "paged", "floor", "my T4", "NVIDIA T4, 2026-01-01"]
    # Without rows of one's own the record is all there is.
    assert labels(plots.step_times([], [RECORD])) == ["int4", "paged", "floor", "NVIDIA T4, 2026-01-01"]


def test_every_cache_has_a_colour_and_a_marker_of_its_own():
    assert set(plots.LOOKS) == set(CACHES)
    hues, markers = zip(*plots.LOOKS.values(), strict=True)
    assert len({palette.color(hue) for hue in hues}) == len(set(markers)) == len(CACHES)


def test_a_batch_is_a_panel():
    figure = plots.step_times([*ROWS, row("paged", 100, 1, batch=16)])
    assert [axes.get_title("left") for axes in figure.axes] == ["batch 1", "batch 16"]
    assert len(figure.axes[1].lines) == 2


def test_times_far_apart_are_drawn_on_logarithms():
    near = plots.step_times(ROWS).axes[0]
    assert near.get_yscale() == "linear" and near.get_ylim()[0] == 0
    assert plots.step_times([*ROWS, row("none", 100, 1)]).axes[0].get_yscale() == "log"


def test_it_can_be_drawn_on_axes_that_are_there():
    axes = Figure().subplots()
    assert plots.step_times(ROWS, ax=axes) is axes.figure
    assert len(axes.lines) == 4 and len(axes.get_legend().get_texts()) == 3
    with pytest.raises(ValueError, match="one batch"):
        plots.step_times([*ROWS, row("paged", 100, 1, batch=16)], ax=axes)


def test_a_page_shows_it_in_the_palette():
    svg = show(plots.step_times(ROWS, [RECORD]), "Four lines, each above its floor.").svg()
    assert "var(--kv-teal)" in svg and "#" not in svg.split("<defs>")[0]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="rows must not be empty"):
        plots.step_times([UNMEASURED])
