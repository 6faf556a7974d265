"""The notebooks that were handed out, and their exercises.

In a checkout they lie in exercises/. A wheel carries copies (setup.py), so that a notebook can be graded
wherever kvlib is installed.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from ...units import unknown
from ..variants import CHECK, drawn

HERE = Path(__file__).resolve().parent
PACKED = HERE / "released"  # in a wheel
CHECKOUT = HERE.parents[2] / "exercises"


@dataclass(frozen=True)
class Exercise:
    """A question as a notebook asks it: `answer` is the id of the cell that answers it, `check` that of its
    check, `variable` the name whose value is the answer."""

    question: str
    variable: str
    answer: str
    check: str


@dataclass(frozen=True)
class Released:
    """A notebook as it is handed out: its code cells in their order, as (id, source), and its exercises."""

    name: str
    notebook: dict
    cells: tuple[tuple[str, str], ...]
    exercises: tuple[Exercise, ...]

    @property
    def answers(self) -> dict[str, Exercise]:
        return {exercise.answer: exercise for exercise in self.exercises}

    @property
    def checks(self) -> dict[str, Exercise]:
        return {exercise.check: exercise for exercise in self.exercises}


def folder() -> Path:
    return PACKED if PACKED.is_dir() else CHECKOUT


def names() -> list[str]:
    """The names of the notebooks that there are: "02-the-formula" and so on."""
    return sorted(path.stem for path in folder().glob("*.ipynb"))


@functools.lru_cache(maxsize=1024)
def released(name: str, variant: str = "") -> Released:
    """The notebook `name`, with the numbers of a variant. Raises ValueError for a name that there is not."""
    if name not in names():
        raise unknown("notebook", name, names())
    notebook = json.loads((folder() / f"{name}.ipynb").read_text(encoding="utf-8"))
    return read(name, drawn(notebook, variant) if variant else notebook)


def read(name: str, notebook: dict) -> Released:
    """A notebook in the form of exercises/: what answers a check is the last cell to fill in before it."""
    cells, exercises, answer = [], [], ""
    for cell in notebook["cells"]:
        source, marks = "".join(cell["source"]), cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] != "code":
            continue
        cells.append((cell["id"], source))
        if marks.get("solution"):
            answer = cell["id"]
        elif match := CHECK.fullmatch(source.strip()):
            exercises.append(Exercise(match["question"], match["answer"], answer, cell["id"]))
    return Released(name, notebook, tuple(cells), tuple(exercises))
