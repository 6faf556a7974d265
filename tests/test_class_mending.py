"""What nbgrader is given in place of a submitted file: the same answers, whatever had become of the file."""

import json

import nbformat
import pytest

from kvlib.checks.classroom.mending import mend
from kvlib.checks.grading.notebook import NotGraded

from .attacks import ACCIDENTS, ATTACKS, handed_in
from .classroom import ANSWERS, NAME, fill, marks, read

RELEASED = read("exercises")


HANDED_IN = ATTACKS | ACCIDENTS


def whole(notebook) -> bool:
    """Whether each released cell is there once, with its metadata, and nbgrader's format holds."""
    nbformat.validate(nbformat.from_dict(notebook))
    ids = [cell["id"] for cell in notebook["cells"]]
    by_id = {cell["id"]: cell for cell in notebook["cells"]}
    return all(
        ids.count(cell["id"]) == 1 and marks(by_id[cell["id"]]) == marks(cell) for cell in RELEASED["cells"]
    )


@pytest.mark.parametrize("name", HANDED_IN)
def test_whatever_is_handed_in_nbgrader_can_read_or_it_is_said_why_not(name):
    entry = HANDED_IN[name]
    data = handed_in(entry, NAME)
    reason = getattr(entry, "reason", "")
    try:
        mended = mend(data, NAME, RELEASED)
    except NotGraded as why:
        assert name in ATTACKS or reason and reason in str(why)
    else:
        assert not reason and whole(mended.notebook)


def test_a_mended_notebook_has_every_released_cell_once_with_its_metadata():
    right = fill(ANSWERS)
    for cells in (right["cells"], right["cells"][::-1], right["cells"] * 2, right["cells"][5:]):
        assert whole(mend(json.dumps(right | {"cells": cells}).encode(), NAME, RELEASED).notebook)


def test_what_a_student_has_added_stays_where_it_stood():
    right = fill(ANSWERS)
    own = [{"cell_type": kind, "metadata": {}, "source": f"mine {kind}"} for kind in ("code", "markdown")]
    cells = [*right["cells"][:4], *own, *right["cells"][4:]]
    notebook = mend(json.dumps(right | {"cells": cells}).encode(), NAME, RELEASED).notebook
    assert [cell["source"] for cell in notebook["cells"][4:6]] == ["mine code", "mine markdown"]
    assert "outputs" in notebook["cells"][4] and "outputs" not in notebook["cells"][5]
