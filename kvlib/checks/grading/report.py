"""The marks of a submission, as a table, as JSON and as a row of CSV."""

import csv
import textwrap
from dataclasses import asdict, dataclass

from ..plain import clean
from .marking import Mark

COLUMNS = (
    "student", "assignment", "file", "notebook", "graded", "points", "max_points", "to_read", "reason",
    "exercises",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What became of one submission.

    reason     why it was not graded; "" if it was
    exercises  the marks
    seed       what functions were tried on: the same seed gives the same marks
    variant    the seed of its numbers, "" for the book's
    notes      what else its author should know
    """

    file: str
    student: str = ""
    assignment: str = ""
    notebook: str = ""
    reason: str = ""
    exercises: tuple[Mark, ...] = ()
    seed: int = 0
    variant: str = ""
    notes: tuple[str, ...] = ()
    isolation: str = ""

    @property
    def graded(self) -> bool:
        return not self.reason

    @property
    def points(self) -> float | None:
        """What the exercises earn that are marked here; None, which is no 0, if it was not graded."""
        if not self.graded:
            return None
        total = round(sum(mark.points for mark in self.exercises if mark.points is not None), 2)
        return int(total) if total == int(total) else total

    @property
    def max_points(self) -> int | None:
        return sum(m.max_points for m in self.exercises if m.status != "manual") if self.graded else None

    @property
    def to_read(self) -> int:
        """How many points a person gives."""
        return sum(mark.max_points for mark in self.exercises if mark.status == "manual")

    def as_json(self) -> dict:
        """It as JSON has it; the reason of what was not graded begins with "not graded: "."""
        return {
            "file": self.file,
            "student": self.student,
            "assignment": self.assignment,
            "notebook": self.notebook,
            "graded": self.graded,
            "reason": said(self.reason),
            "points": self.points,
            "max_points": self.max_points,
            "exercises": [asdict(mark) for mark in self.exercises],
            "notes": list(self.notes),
            "seed": self.seed,
            "variant": self.variant,
            "isolation": self.isolation,
        }

    def text(self) -> str:
        """It as a reader sees it in a terminal."""
        if not self.graded:
            return f"{clean(self.file)}: {said(self.reason)}"
        lines = [f"{clean(self.file)}: {self.notebook}", ""]
        width = max(len(mark.name) for mark in self.exercises)
        for mark in self.exercises:
            points = f"{'–' if mark.points is None else f'{mark.points:g}':>4} / {mark.max_points}"
            feedback = [_wrapped(line) for line in mark.feedback.split("\n")]
            lines.append(f"{mark.name:{width}}  {points}  {feedback[0]}".rstrip())
            lines += feedback[1:]
        lines += ["", f"{self.points:g} of {self.max_points} points"]
        if self.to_read:
            lines[-1] += f", and {self.to_read} that a person gives"
        lines += [_wrapped(note) for note in self.notes]
        lines += [
            f"seed {self.seed}"
            + (f", variant {self.variant}" if self.variant else "")
            + f"; {self.isolation}"
        ]
        return "\n".join(lines)

    def row(self) -> list:
        """Its values under COLUMNS, none of which a spreadsheet takes for a formula."""
        exercises = " ".join(
            f"{mark.name}={'?' if mark.points is None else f'{mark.points:g}'}/{mark.max_points}"
            for mark in self.exercises
        )
        return [
            cell(self.student), cell(self.assignment), cell(self.file), cell(self.notebook),
            "yes" if self.graded else "no", "" if self.points is None else self.points,
            "" if self.max_points is None else self.max_points, self.to_read if self.graded else "",
            cell(said(self.reason)), cell(exercises),
        ]  # fmt: skip


def said(reason: str) -> str:
    return f"not graded: {reason}" if reason else ""


def cell(text: str) -> str:
    """`text` on one line, with a quote before what a spreadsheet would take for a formula."""
    text = clean(text, 400)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _wrapped(text: str) -> str:
    return "\n    ".join(textwrap.wrap(text, 100, subsequent_indent="") or [""])


def write_csv(reports: list[Report], file):
    """A row for every report, under COLUMNS."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(report.row() for report in reports)
