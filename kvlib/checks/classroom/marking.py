"""nbgrader's marks, given from outside: its preprocessors that have a submission graded and keep the scores.

nbgrader would run a notebook in a kernel and believe what its checks print. Here the answers are run by
`kvlib.checks.grading`, and the points and sentences that come of it are put into the check cells as their
outputs, from which nbgrader takes the scores and makes the feedback.
"""

import atexit
import functools

from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from traitlets import Float, Integer

from ..feedback import sentence
from ..grading.folder import Submission
from ..grading.grader import Grader
from ..grading.process import Limits
from ..variants import CHECK
from . import ledger
from .folder import here


def forget(book: Gradebook, assignment: str, student: str) -> None:
    """Take the automatic scores of a submission away; a person's stay."""
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return
    for notebook in submission.notebooks:
        notebook.late_submission_penalty = None
        for grade in notebook.grades:
            grade.auto_score, grade.needs_manual_grade = None, True
    book.db.commit()


class Forget(NbGraderPreprocessor):
    """The scores of an older run go before a new one begins: if that fails, there are none."""

    def preprocess(self, nb, resources):
        of = resources["nbgrader"]
        with Gradebook(of["db_url"]) as book:
            forget(book, of["assignment"], of["student"])
        return nb, resources


class Mark(SaveAutoGrades):
    """Grade a submission from outside and keep its scores."""

    seconds = Float(10.0, help="what an exercise may take").tag(config=True)
    memory = Integer(2048, help="MiB that an exercise may take").tag(config=True)

    def preprocess(self, nb, resources):
        of = resources["nbgrader"]
        course = here()
        folder, student = course.received(of["assignment"]), of["student"]
        entry = ledger.entries(folder).get(student, ledger.Entry())
        given = course.step("submitted", student, of["assignment"]) / f"{of['notebook']}.ipynb"
        marks, notes, reason = {}, (), entry.unreadable
        if ledger.digest(given.read_bytes()) != entry.digest:
            reason = "what lies in submitted/ could not be taken in; nbgrader's log says why"
        if not reason:
            secret = course.secret if course.variants(of["assignment"]).is_dir() else ""
            limits = Limits(seconds=self.seconds, memory=self.memory << 20)
            # The file as it came: what nbgrader was given in its place is for people to read.
            file = Submission(course.root / entry.file, student, of["assignment"])
            report = grader(secret, limits).grade(file, of["notebook"])
            marks, reason, notes = {mark.name: mark for mark in report.exercises}, report.reason, report.notes
            ledger.failed(folder, student, reason)
        for cell in nb.cells:
            if is_grade(cell) and not is_solution(cell):
                match = CHECK.search(cell.source)
                cell.outputs = _outputs(cell, marks.get(match["question"] if match else ""), reason)
        nb, resources = super().preprocess(nb, resources)
        self._not_graded(nb, of)
        if notes:
            nb.cells.insert(0, new_markdown_cell("\n\n".join(notes)))
        return nb, resources

    def _not_graded(self, nb, of):
        """A check without a mark has no score, which is no 0; nbgrader asks a person to look at it."""
        with Gradebook(of["db_url"]) as book:
            for cell in nb.cells:
                if is_grade(cell) and not is_solution(cell) and len(cell.outputs) == 1:
                    names = (
                        cell.metadata.nbgrader["grade_id"],
                        of["notebook"],
                        of["assignment"],
                        of["student"],
                    )
                    grade = book.find_grade(*names)
                    grade.auto_score, grade.needs_manual_grade = None, True
            book.db.commit()


@functools.lru_cache(maxsize=8)
def grader(secret: str, limits: Limits) -> Grader:
    """One for a run of nbgrader, which asks for each notebook anew."""
    made = Grader(secret, limits=limits)
    made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    return made


def _outputs(cell, mark, reason: str) -> list:
    """What stands under a check: the sentence and the points, or why there are none."""
    if mark is None or mark.points is None:
        return [_said(f"Not graded: {reason or 'the grader says nothing of this exercise'}.")]
    share = mark.points / mark.max_points
    points = share * float(cell.metadata.nbgrader["points"])
    result = new_output("execute_result", {"text/plain": f"{points:g}"}, execution_count=1)
    return [_said(sentence(mark.feedback, share, mark.max_points)), result]


def _said(text: str):
    return new_output("stream", name="stdout", text=text + "\n")
