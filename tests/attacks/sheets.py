"""A notebook as students hand it in: blank, solved, or with something done to it."""

import copy
import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from kvlib.checks.grading.released import Exercise, read
from kvlib.checks.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sheet:
    """The notebook `name` as it is handed out, and the sources of its right answers, by their cells' ids."""

    name: str
    released: dict
    solutions: dict
    exercises: tuple[Exercise, ...]

    def blank(self) -> dict:
        return copy.deepcopy(self.released)

    def solved(self, but=(), instead=None) -> dict:
        """With the right answers; those of `but` blank, and other sources `instead`, by question."""
        notebook = self.blank()
        for cell in notebook["cells"]:
            exercise = next((e for e in self.exercises if e.answer == cell["id"]), None)
            if exercise and exercise.question not in but:
                cell["source"] = (instead or {}).get(exercise.question, self.solutions[cell["id"]])
        return notebook

    def answered(self, source) -> dict:
        """With `source(exercise)` in every cell for an answer."""
        return self.solved(instead={e.question: source(e) for e in self.exercises})

    @property
    def points(self) -> dict:
        """The points of each question that is marked here, by name."""
        return {
            e.question: QUESTIONS[e.question].points
            for e in self.exercises
            if not QUESTIONS[e.question].manual
        }

    def kind(self, start: str) -> Exercise:
        """The first exercise that no other answer needs and whose own begins with "def " or "class ", or, for
        "", with neither."""
        for exercise in self.exercises:
            source = self.solutions[exercise.answer].lstrip()
            begins = source.startswith(start) if start else not source.startswith(("def ", "class ", "@"))
            others = [self.solutions[e.answer] for e in self.exercises if e is not exercise]
            used = re.search(rf"\b{exercise.variable}\b", "\n".join(others))
            if begins and not used and not QUESTIONS[exercise.question].manual:
                return exercise
        raise LookupError(f"{self.name} has no answer that begins with {start!r}")


@functools.cache
def sheet(name: str) -> Sheet:
    released = json.loads((ROOT / "exercises" / f"{name}.ipynb").read_text())
    solved = json.loads((ROOT / "solutions" / f"{name}.ipynb").read_text())
    sources = {cell["id"]: "".join(cell["source"]) for cell in solved["cells"]}
    return Sheet(name, released, sources, read(name, released).exercises)


def at(notebook: dict, cell_id: str) -> int:
    return next(i for i, cell in enumerate(notebook["cells"]) if cell["id"] == cell_id)


def code(source: str, cell_id: str = "a1b2c3d4") -> dict:
    """A cell of the student's own."""
    return {
        "cell_type": "code", "id": cell_id, "metadata": {}, "source": source, "outputs": [],
        "execution_count": None,
    }  # fmt: skip


def put(notebook: dict, before: str, *sources: str) -> dict:
    """`notebook` with cells of the student's own before the cell `before`, or "" for the end."""
    place = at(notebook, before) if before else len(notebook["cells"])
    notebook["cells"][place:place] = [code(source, f"own-{i}") for i, source in enumerate(sources)]
    return notebook
