"""Grades for others: nbgrader's plugins for a CSV of everything, and for the columns of Canvas and Moodle.

    nbgrader export                                                               grades.csv
    nbgrader export --exporter=kvlib.checks.classroom.export.Canvas               canvas.csv
    nbgrader export --exporter=kvlib.checks.classroom.export.Moodle               moodle.csv

Where there is no grade there is no number: a submission that could not be graded has the reason in
grades.csv, and an empty cell for Canvas, `-` for Moodle, which both take as no grade.
"""

import csv
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin

from ..grading.report import cell
from .folder import here
from .states import GRADED, State, states


class _Table(ExportPlugin):
    """Writes the rows of a subclass to `file`, or where --to says."""

    file = ""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file; `--student` and `--assignment` narrow it down."""
        path = Path(self.to or self.file)
        wanted, chosen = set(map(str, self.assignment)), set(map(str, self.student))
        of_each = {}
        for assignment in gradebook.assignments:
            if not wanted or assignment.name in wanted:
                found = states(here(), gradebook, assignment.name)
                of_each[assignment.name] = [s for s in found if not chosen or s.student.id in chosen]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(self.rows(of_each))
        left = sum(state.state != GRADED for found in of_each.values() for state in found)
        self.log.info("Wrote %s; %d without a grade, which `kvlib course list` names", path, left)

    def rows(self, of_each: dict[str, list[State]]):
        raise NotImplementedError


class Grades(_Table):
    """A row for each student and assignment: nbgrader's columns, then the state, its reason, and notes."""

    file = "grades.csv"

    def rows(self, of_each):
        yield [
            "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
            "raw_score", "late_submission_penalty", "score", "max_score", "state", "reason", "notes",
        ]  # fmt: skip
        for assignment, found in of_each.items():
            for s in found:
                who = s.student.id, s.student.last_name, s.student.first_name, s.student.email
                points = [
                    _number(s.points),
                    _number(None if s.points is None else s.penalty),
                    _number(s.score),
                ]
                row = [assignment, s.due, s.timestamp, *map(cell, who), *points, _number(s.max_points)]
                yield [*row, s.state, cell(s.reason), cell("; ".join(s.notes))]


class Canvas(_Table):
    """Canvas's gradebook import (lib/gradebook_importer.rb of instructure/canvas-lms).

    A student is found by ID, else by SIS Login ID, else by name; a column is an assignment by its title.
    """

    file = "canvas.csv"

    def rows(self, of_each):
        names = list(of_each)
        yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names]
        most = [_number(max((s.max_points for s in found), default=0)) for found in of_each.values()]
        yield ["Points Possible", "", "", "", "", *most]
        for s, scores in _by_student(of_each):
            name = ", ".join(filter(None, [s.last_name, s.first_name])) or s.id
            yield [cell(name), cell(s.lms), "", cell(s.id), "", *(_number(score) for score in scores)]


class Moodle(_Table):
    """Moodle's grade import: `Email address` or `ID number` finds the user, a column is mapped to its item.

    `-` is no grade (grade/import/csv/classes/load_data.php of moodle/moodle).
    """

    file = "moodle.csv"

    def rows(self, of_each):
        yield ["First name", "Last name", "ID number", "Email address", *of_each]
        for s, scores in _by_student(of_each):
            who = s.first_name, s.last_name, s.id, s.email
            yield [*map(cell, who), *(_number(score) or "-" for score in scores)]


def _by_student(of_each):
    """(student, the score in each assignment, None where there is no grade that counts)."""
    students = {state.student.id: state.student for found in of_each.values() for state in found}
    for student in students.values():
        by_id = [{state.student.id: state for state in found} for found in of_each.values()]
        scores = [found.get(student.id) for found in by_id]
        yield student, [s.score if s and s.state == GRADED else None for s in scores]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
