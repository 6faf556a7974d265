"""Chapter 8's pictures: what they are given is what they draw."""

import re
from types import SimpleNamespace

import pytest
import torch

from kvlib.layouts import CacheLayout
from kvlib.measure import curves
from kvlib.measure.longest import Reached
from kvlib.measure.race import Lane
from kvlib.units import GiB, MiB
from kvlib.widgets import drawings

ALT = "A drawing with some words."
LANES = [Lane("without", [1, 2], "ab", [2.0, 5.0]), Lane("with", [1, 2], "ab", [1.0, 2.0])]
MEMORY = SimpleNamespace(total=16 * GiB, weights=11 * GiB, other=GiB // 2)
REACHED = {
    "fp16": Reached("contiguous", 24_000, 3 * GiB, 3 * GiB + 64 * MiB, 0.1),
    "int4": Reached("int4", 76_000, 3 * GiB, 3 * GiB, 0.1),
}
BATCHES = [
    {"batch": 1, "seconds": 0.1, "floor_seconds": 0.05}, {"batch": 4, "seconds": 0.2, "floor_seconds": 0.1},
    {"batch": 8, "failed": "out of memory"},
]  # fmt: skip
LAYOUT = CacheLayout.uniform(2, 2, 32)  # 1 KiB a token in fp32
DECODER = SimpleNamespace(
    layout=LAYOUT, weights_bytes=MiB, dtype=torch.float32, head=torch.empty(8, 512, device="meta")
)
FOOTPRINT = [
    {"context": 256, "weights": MiB, "cache": MiB // 4, "last": MiB // 8, "every": MiB},
    {"context": 512, "weights": MiB, "cache": MiB // 2, "last": MiB // 4, "every": 2 * MiB},
]
FIGURES = {
    "race": lambda: curves.race_curves(LANES),
    "memory": lambda: curves.memory_bars(MEMORY, REACHED),
    "batch": lambda: curves.batch_curves(BATCHES),
    "footprint": lambda: curves.footprint_curves(FOOTPRINT, DECODER, longest=1024),
    "steps": lambda: curves.step_bars({"off": 0.02, "on": 0.005}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_speaks_the_palette(name):
    svg = drawings.show(FIGURES[name](), ALT).svg()
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    assert svg == drawings.show(FIGURES[name](), ALT).svg() and len(svg) < 40_000


def points(line):
    return list(zip(*(map(float, of) for of in line.get_data()), strict=True))


def words(figure):
    axes = [text.get_text() for ax in figure.axes for text in ax.texts]
    return axes + [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().texts]


def test_a_lane_is_drawn_from_its_start():
    without, cached = FIGURES["race"]().axes[0].lines
    assert points(without) == [(0, 0), (2, 1), (5, 2)] and points(cached) == [(0, 0), (1, 1), (2, 2)]


def test_the_bars_fill_the_memory_to_its_end():
    figure = FIGURES["memory"]()
    bars = figure.axes[0].patches
    rows = [bars[i : i + 4] for i in range(0, 16, 4)]
    for row in rows:
        assert sum(bar.get_width() for bar in row) == pytest.approx(16)
    assert [row[2].get_width() for row in rows] == [3, 3.0625, 3, 3]  # the cache, predicted and reached
    said = words(figure)
    assert {"24,000 tokens", "76,000 tokens", "overhead", "free"} <= set(said)
    assert "fp16 reached: cache 3.06 GiB" in said


def test_a_small_memory_is_drawn_in_mib_and_without_what_it_has_not():
    small = SimpleNamespace(total=512 * MiB, weights=400 * MiB, other=0)
    figure = curves.memory_bars(small, {"int4": Reached("int4", 40_000, 99 * MiB, 99 * MiB, 0.1)})
    assert figure.axes[0].get_xlabel() == "MiB"
    assert "int4 predicted: cache 99 MiB" in words(figure) and "overhead" not in words(figure)


def test_tokens_per_second_are_those_of_the_whole_batch():
    measured, floor = FIGURES["batch"]().axes[0].lines
    assert points(measured) == [(1, 10), (4, 20)] and points(floor) == [(1, 20), (4, 40)]


def test_lines_are_predicted_and_points_measured():
    left, right = FIGURES["footprint"]().axes
    weights, cache, logits, last, every = left.lines
    assert points(weights)[-1] == (1024, 1)
    assert points(cache)[-1] == (1024, 2)
    assert points(logits)[-1] == (1024, 2 + 1024 * 512 * 4 / MiB)
    assert points(last) == [(256, 1.375), (512, 1.75)] and points(every) == [(256, 2.25), (512, 3.5)]
    assert points(right.lines[0])[-1] == (1024, 50)


def test_a_step_is_drawn_in_milliseconds():
    figure = FIGURES["steps"]()
    assert [bar.get_width() for bar in figure.axes[0].patches] == [20, 5]
    assert {"20 ms", "5 ms"} <= set(words(figure))


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda: curves.race_curves([]), "lanes"),
        (lambda: curves.memory_bars(MEMORY, {}), "reached"),
        (lambda: curves.batch_curves([BATCHES[2]]), "rows"),
        (lambda: curves.footprint_curves([], DECODER, 64), "rows"),
        (lambda: curves.step_bars({}), "seconds"),
    ],
)
def test_nothing_to_draw_is_refused_by_name(draw, named):
    with pytest.raises(ValueError, match=f"{named} must not be empty"):
        draw()
