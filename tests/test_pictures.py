"""Still pictures: one of each figure and drawing, of the cell as it is now, small, and in its notebook."""

import base64
import io
import json

import pytest
from PIL import Image

from tools import chapters, notebooks, pictures

FOLDER = chapters.BOOK / "_static" / "pictures"
NAMES = [path.stem for path in notebooks.notebooks("book")]
DRAWN = [(name, cell) for name in NAMES for cell in pictures.drawn(name)]


def file(name, cell):
    return notebooks.picture(chapters.BOOK / f"{name}.ipynb", cell)


@pytest.mark.parametrize("name, cell", DRAWN)
def test_each_figure_has_a_picture_of_the_cell_as_it_is(name, cell):
    taken = Image.open(file(name, cell))
    assert taken.text["source"] == pictures.fingerprint(pictures.drawn(name)[cell]), "run `make pictures`"
    assert taken.width <= pictures.WIDTH and len(taken.convert("RGB").getcolors(1000)) > 4, "it is empty"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_its_pictures(name):
    cells = json.loads((chapters.BOOK / f"{name}.ipynb").read_text())["cells"]
    shown = {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}
    for cell in pictures.drawn(name):
        [output] = shown[cell]
        assert base64.b64decode(output["data"]["image/png"]) == file(name, cell).read_bytes()
        assert "".join(output["data"]["text/plain"]) == notebooks.STILL


def test_no_picture_is_left_over_and_all_are_light():
    there = sorted(FOLDER.glob("*.png"))
    assert there == sorted(file(*one) for one in DRAWN)
    assert sum(path.stat().st_size for path in there) < 750_000


def test_what_was_measured_on_one_machine_has_none():
    assert "curves" not in pictures.drawn("01-why-a-cache") and "widget" in pictures.drawn("01-why-a-cache")
    assert list(pictures.drawn("08-measure-it")) == ["widget"]


def test_a_picture_is_made_small_and_bears_its_cells_hash():
    big = io.BytesIO()
    Image.linear_gradient("L").resize((1520, 600)).convert("RGB").save(big, "PNG")
    taken = Image.open(io.BytesIO(pictures.small(big.getvalue(), "Paging()\n")))
    assert taken.size == (700, 276) and len(taken.getcolors()) <= pictures.COLORS
    assert taken.text["source"] == pictures.fingerprint("Paging()") != pictures.fingerprint("Paging(1)")


def test_an_editors_output_gives_way_to_the_picture(tmp_path):
    """And without a picture there is no output, as for what times."""
    cell = {
        "cell_type": "code", "id": "widget", "metadata": {"tags": [notebooks.IGNORE]}, "source": "Paging()",
        "outputs": [{"output_type": "display_data", "data": {"text/html": "x"}, "metadata": {}}],
        "execution_count": 3,
    }  # fmt: skip
    path = tmp_path / "x.ipynb"
    made = notebooks.canonical({"cells": [cell]}, path, "")["cells"][0]
    assert (made["outputs"], made["execution_count"]) == ([], None)
    still = notebooks.picture(path, "widget")
    still.parent.mkdir(parents=True)
    still.write_bytes(b"a picture")
    made = notebooks.canonical({"cells": [cell]}, path, "")["cells"][0]
    assert base64.b64decode(made["outputs"][0]["data"]["image/png"]) == b"a picture"
