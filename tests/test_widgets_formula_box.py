"""The formula as a box: the page says what kvlib says, its equation is true, its drawing to scale."""

import math
import random
import re
from fractions import Fraction

import pytest

from kvlib import fmt, kv_bytes, layout
from kvlib.units import UNITS, dtype as as_dtype
from kvlib.widgets import FormulaBox
from kvlib.widgets.formula_box import PRECISIONS, VECTORS

from .browser import chromium, page, show  # noqa: F401
from .drive import drive
from .test_widgets_base import kv

FACTORS = ("head_dim", "n_kv_heads", "n_layers", "context", "batch")
ODD = {"batch": 3, "n_kv_heads": 1, "head_dim": 80, "context": 4097, "dtype": "q4_0"}


def settings(n, seed):
    """Settings from small to large, so that rows of all lengths end within a block and at its end."""
    rng = random.Random(seed)
    limits = FormulaBox().limits

    def some(most):
        return min(most, int(2 ** rng.uniform(0, 1 + math.log2(most))))

    return [
        {name: some(limits[name][1]) for name in FACTORS}
        | {"step": 1 + i % 7, "dtype": rng.choice(PRECISIONS), "vectors": rng.choice([*VECTORS])}
        for i in range(n)
    ]


def seen(page, points, read):  # noqa: F811
    """(figure, what `read` gives) at each setting."""
    said = drive(page, FormulaBox(), points, read)
    return [(FormulaBox(**point), got) for point, got in zip(points, said, strict=True)]


# ---- what Python says


def test_the_products_of_a_7b_model():
    assert [(n, int(size)) for n, size in FormulaBox().products] == [
        (1, 2), (128, 256), (256, 512), (8192, 16_384), (262_144, 524_288), (2**30, 2**31), (2**30, 2**31),
    ]  # fmt: skip
    assert FormulaBox().nbytes == layout("llama-2-7b").bytes(4096) == 2_147_483_648


def test_a_row_of_80_numbers_takes_three_blocks():
    w = FormulaBox(**ODD)
    assert w.padding == 16 and w.nbytes == 2 * 32 * 3 * 4097 * 54  # three blocks of 18 bytes
    assert [size for _, size in w.products[:5]] == [Fraction(9, 16), 45, 90, 108, 3456]
    assert [row[3] for row in w.table().rows[:4]] == ["0.5625", "45", "90", "108"]
    assert w.table().rows[3][1] == "× 1 KV head, in whole blocks"
    assert FormulaBox(**ODD | {"n_kv_heads": 2}).padding == 0  # the blocks run on from head to head


def test_what_is_out_of_bounds_is_refused():
    for arguments, said in (
        ({"step": 8}, "step must be at most 7, not 8"),
        ({"head_dim": 0}, "head_dim must be a whole number of at least 1"),
        ({"vectors": "keys"}, "unknown vectors 'keys'; did you mean keys and values"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            FormulaBox(**arguments)


# ---- what the page says


def test_the_page_says_what_python_says(page):  # noqa: F811
    read = """el => { el.querySelector(".kv-data").open = true; return [
        el.querySelector(".kv-big").textContent,
        el.querySelector(".kv-why").textContent,
        [...el.querySelectorAll(".kv-solid-factor")].map(li => [
            li.querySelector("strong").textContent, li.querySelector(".kv-solid-off") === null]),
        el.querySelector(".kv-solid-caption:not(.kv-solid-off)").children[1].textContent,
        [...el.querySelectorAll(".kv-solid-axes div")].map(d => d.textContent)] }"""
    for w, (big, why, rows, caption, axes) in seen(page, settings(150, 1), read):
        table = w.table().rows
        assert big == f"{w.nbytes:,} byte{'' if w.nbytes == 1 else 's'}"
        units = [unit for unit in ("KiB", "MiB", "GiB", "TiB") if w.nbytes >= UNITS[unit]][-1:]
        units += [unit.replace("i", "").replace("K", "k") for unit in units]
        exact = {unit: w.nbytes * 1000 % UNITS[unit] == 0 for unit in units}
        assert why == " ".join(f"{'=' if exact[unit] else '≈'} {fmt(w.nbytes, unit)}" for unit in units)
        for i, (said, shown) in enumerate(rows):
            number, _, read_as = table[i][3].partition(" ")
            name = "byte" if number == "1" else "bytes"
            assert said == f"{number} {name}{read_as and ' ' + read_as}" and shown == (i < w.step)
        assert caption.lower().startswith(table[w.step - 1][0] + ": ") and rows[w.step - 1][0] in caption
        assert [
            text[len(axis) :].split()[0] for axis, text in zip(("B", "H_kv", "T", "D"), axes, strict=True)
        ] == [f"{n:,}" for n in (w.batch, w.n_kv_heads, w.context, w.head_dim)]


def test_the_table_is_python_s(page):  # noqa: F811
    read = """el => { const data = el.querySelector(".kv-data"); data.open = true;
        data.dispatchEvent(new Event("toggle"));
        return [...data.querySelectorAll("tbody tr")].map(r => [...r.cells].map(c => c.textContent)) }"""
    for w, rows in seen(page, settings(150, 2), read):
        assert rows == w.table().rows and len(rows) == 7


def test_the_equation_is_true_to_the_byte(page):  # noqa: F811
    points = settings(200, 3)
    padded = 0
    for w, text in seen(page, [ODD, *points], """el => el.querySelector(".kv-solid-sum").textContent"""):
        terms, result = re.fullmatch(
            r"(?:[\d,]+ blocks? of \d+: )?([\d.,× ]+) = ([\d,]+) bytes?", text
        ).groups()
        product = math.prod(Fraction(term.replace(",", "")) for term in terms.split(" × "))
        assert product == int(result.replace(",", "")) == w.nbytes, text
        padded += bool(w.padding)
        assert ("of" in text) == bool(w.padding)
    assert 40 < padded < 180


def test_what_is_said_of_doubling_is_true(page):  # noqa: F811
    points, short = settings(200, 4), 0
    for w, text in seen(page, [ODD, *points], """el => el.querySelector(".kv-solid-sum + p").textContent"""):
        by = {}
        for name in FACTORS:
            twice = {key: getattr(w, key) * (2 if key == name else 1) for key in FACTORS}
            kind, rows = as_dtype(w.dtype), twice["n_layers"] * twice["context"] * twice["batch"]
            row = kind.nbytes(twice["n_kv_heads"] * twice["head_dim"])
            by[name] = Fraction(VECTORS[w.vectors] * rows * row, w.nbytes)
        assert by["n_layers"] == by["context"] == by["batch"] == 2
        if text == "Doubling any of these factors doubles the cache.":
            assert set(by.values()) == {2}
        else:
            short += 1
            times = re.search(r"head_dim or KV heads makes it ([\d.]+) times as large", text).group(1)
            assert by["head_dim"] == by["n_kv_heads"] != 2
            assert float(times) == pytest.approx(float(by["head_dim"]), abs=0.0006)
    assert 20 < short < 150


@pytest.mark.parametrize("factor", ["layers", "batch", "KV heads", "context", "head_dim", "bytes per number"])
def test_doubling_a_factor_doubles_the_cache(page, tmp_path, factor):  # noqa: F811
    w = FormulaBox()
    show(page, tmp_path, w)
    page.get_by_role("button", name=f"× 2: {factor}").press("Enter")
    assert page.locator(".kv-big").inner_text() == f"{2 * w.nbytes:,} bytes"


def test_numbers_of_any_size_are_exact(page, tmp_path):  # noqa: F811
    largest = {name: FormulaBox().limits[name][1] for name in FACTORS}
    for factors in ({"n_layers": 80, "n_kv_heads": 8, "context": 2**20, "batch": 511}, largest):
        w = FormulaBox(**factors, dtype="fp32")
        show(page, tmp_path, w)
        shape = {name: getattr(w, name) for name in FACTORS}
        assert page.locator(".kv-big").inner_text() == f"{kv_bytes(**shape, dtype='fp32'):,} bytes"
    assert w.nbytes > 2**64


def test_the_axes_of_a_tensor_cannot_be_mistaken(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox(n_layers=16, n_kv_heads=8, head_dim=64, batch=2, context=2048))
    assert page.locator(".kv-solid-axes div").all_inner_texts() == [
        "B\n2 sequences", "H_kv\n8 KV heads", "T\n2,048 tokens", "D\n64 numbers",
    ]  # fmt: skip
    text = page.locator(".kv-body").inner_text()
    assert "32 tensors of 4 MiB: keys and values, in every layer" in text and "[2, 8, 2048, 64]" in text


# ---- the player and the controls


def test_the_7b_example_is_followed_factor_by_factor(page, tmp_path):  # noqa: F811
    w = FormulaBox()
    show(page, tmp_path, w)
    for step, row in enumerate(w.table().rows, 1):
        caption = page.locator(".kv-solid-captions").inner_text()
        assert caption.startswith(f"{step} of 7: {row[1]}") and row[3].split()[0] in caption
        assert page.locator(".kv-solid-sofar:not(.kv-solid-off)").count() == step
        page.get_by_role("button", name="Next: Step").press("Enter")
    assert "The cache: 1,073,741,824 numbers, 2,147,483,648 bytes = 2 GiB." in caption


def test_a_factor_that_is_changed_comes_into_view(page, tmp_path):  # noqa: F811
    show(page, tmp_path, FormulaBox())
    for label, step in (("head_dim", "2"), ("Layers", "5"), ("KV heads", "5"), ("Batch", "7")):
        kv(page, label).fill("7")
        assert kv(page, "Step").input_value() == step
    page.get_by_role("button", name="Reset").press("Enter")
    assert kv(page, "Step").input_value() == "1"
    page.get_by_role("button", name="× 2: context").press("Enter")
    assert kv(page, "Step").input_value() == "6"


# ---- the drawing

EDGES = """el => ({ says: el.querySelector(".kv-solid").getAttribute("aria-label"),
    ...Object.fromEntries(["edge", "dashed", "face"].map(name => [name,
        [...el.querySelectorAll(`.kv-solid-${name}`)].map(e => e.getAttribute("d"))])) })"""


def edges(d):
    """(width, height, depth to the right) of a drawn box."""
    return tuple(map(float, re.match(r"M[\d.]+ [\d.]+h([\d.]+)v([\d.]+)h[-\d.]+zl([\d.]+)", d).groups()))


def area(d):
    """Of a path of M, h, v and z, by the trapezoids under its horizontal lines."""
    x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)", d).groups())
    found = 0.0
    for letter, n in re.findall(r"([hv])(-?[\d.]+)", d):
        if letter == "h":
            found -= float(n) * y
        else:
            y += float(n)
    return abs(found)


def wide(w):
    return as_dtype(w.dtype).bytes / as_dtype(w.dtype).values


def test_a_box_is_to_scale_along_every_edge(page):  # noqa: F811
    points = [p | {"step": 5} for p in settings(120, 5)]
    true = 0
    for w, drawn in seen(page, points, EDGES):
        assert len(drawn["edge"]) == VECTORS[w.vectors]
        if "drawn thicker" in drawn["says"]:
            continue
        true += 1
        for d in drawn["edge"]:
            width, height, depth = edges(d)
            unit = width / (wide(w) * w.head_dim)
            assert height == pytest.approx(2 * w.n_kv_heads * unit, rel=0.02, abs=0.06)
            assert depth == pytest.approx(1.4 * w.n_layers * unit, rel=0.02, abs=0.06)
    assert true > 20


@pytest.mark.parametrize("factor, edge", [("head_dim", 0), ("n_kv_heads", 1), ("n_layers", 2)])
def test_double_one_and_its_edge_doubles_beside_what_the_figure_opened_with(page, factor, edge):  # noqa: F811
    point = {"step": 5, factor: 2 * getattr(FormulaBox(), factor)}
    [(_, drawn)] = seen(page, [point], EDGES)
    [before] = drawn["dashed"]
    now, then = edges(drawn["edge"][0]), edges(before)
    now, then = (now[0], 2 * now[1], now[2]), (then[0], then[1] - 6, then[2])  # a gap parts keys and values
    for i in range(3):
        assert now[i] == pytest.approx((2 if i == edge else 1) * then[i], rel=0.01), (now, then)


def test_the_places_that_stay_empty_are_drawn(page):  # noqa: F811
    points = [p | {"step": 4 + i % 2} for i, p in enumerate(settings(150, 6))]
    drawn_empty = 0
    plates = """el => [...el.querySelectorAll(".kv-solid-dashed")].map(e => e.getAttribute("d"))"""
    for point in points:
        w = FormulaBox(**point)
        if not w.padding:
            continue
        drawn = drive(page, w, [{}], plates)[0]  # as it opens: nothing else is dashed
        assert len(drawn) == VECTORS[w.vectors]
        face = edges(drive(page, w, [{}], EDGES)[0]["edge"][0])
        width = edges(drawn[0])[0]
        if min(face[0], width) > 3:
            assert width / face[0] == pytest.approx(w.padding / w.head_dim, rel=0.05)
        drawn_empty += 1
        if drawn_empty == 12:
            return
    raise AssertionError(drawn_empty)


def test_a_field_has_a_tile_for_each(page):  # noqa: F811
    points = [p | {"step": 6 + i % 2} for i, p in enumerate(settings(120, 7))]
    piece = """el => [el.querySelector(".kv-solid-piece").getAttribute("d"),
        el.querySelector(".kv-solid-face").getAttribute("d"),
        el.querySelector(".kv-solid-caption:not(.kv-solid-off) .kv-small").textContent]"""
    for w, (first, all_, says) in seen(page, points, piece):
        n, one = (w.context, "token") if w.step == 6 else (w.batch, "sequence")
        together = int((re.search(rf"Each tile is ([\d,]+) {one}s", says) or [0, "1"])[1].replace(",", ""))
        assert together & (together - 1) == 0
        assert ("the last one fewer" in says) == bool(n % together)
        if together == 1 and n > 1:
            assert area(all_) / area(first) == pytest.approx(n, rel=0.03)


def test_twice_the_context_is_twice_the_field(page):  # noqa: F811
    read = """el => [".kv-solid-face", ".kv-solid-dashed"].map(s => el.querySelector(s).getAttribute("d"))"""
    for point in ({"context": 8192}, {"head_dim": 256}, {"dtype": "fp32"}):
        [(_, (now, then))] = seen(page, [point | {"step": 6}], read)
        assert area(now) / area(then) == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("width", [1280, 360])
def test_its_room_is_kept_before_it_comes(page, tmp_path, width):  # noqa: F811
    """Else what follows would move when the figure takes the table's place."""
    page.set_viewport_size({"width": width, "height": 900})
    show(page, tmp_path, FormulaBox())
    room = page.locator(".kv-page").evaluate("e => parseFloat(getComputedStyle(e).minHeight)")
    height = page.locator(".kv-page").bounding_box()["height"]
    assert 0.85 * height < room < height


def test_on_a_phone_the_picture_stays_in_view_beside_every_factor(page, tmp_path):  # noqa: F811
    page.set_viewport_size({"width": 360, "height": 740})
    show(page, tmp_path, FormulaBox(step=5))
    places = """() => {
        const at = s => document.querySelector(s).getBoundingClientRect();
        const here = document.activeElement.getBoundingClientRect();
        return [at(".kv-verdict").bottom, at(".kv-solid").top, at(".kv-solid").bottom, here.top, here.bottom];
    }"""
    for button in page.get_by_role("button", name="× 2").all()[3:] + page.get_by_role("slider").all()[2:]:
        button.focus()
        verdict, top, bottom, here, end = page.evaluate(places)
        assert verdict - 6 <= top and bottom <= here and end <= 741, (verdict, top, bottom, here, end)
