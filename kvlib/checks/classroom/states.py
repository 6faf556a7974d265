"""Where each student of the class stands with an assignment."""

from dataclasses import dataclass

from nbgrader.api import Gradebook, MissingEntry

from . import ledger
from .folder import Course
from .lms import Student

GRADED, READ, NOT, NOTHING = "graded", "to be read", "not graded", "not handed in"


@dataclass(frozen=True)
class State:
    """One student's assignment.

    state    "graded"; "to be read", where answers in words wait for a person; "not graded", for a
             reason; "not handed in"
    points   before the penalty of a late submission; None where there is no grade, which is no 0
    """

    student: Student
    state: str
    points: float | None = None
    penalty: float = 0.0
    max_points: float = 0.0
    timestamp: str = ""
    due: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """What counts: the points less the penalty, or None where there is no grade."""
        return None if self.points is None else round(max(0.0, self.points - self.penalty), 2)


def states(course: Course, book: Gradebook, assignment: str) -> list[State]:
    """The state of every student of the class, and of whoever else handed something in.

    Raises ValueError for an assignment that is not in the gradebook.
    """
    try:
        found = book.find_assignment(assignment)
    except MissingEntry:
        known = ", ".join(a.name for a in book.assignments) or "none"
        raise ValueError(f"no assignment {assignment!r} in the gradebook; there is: {known}") from None
    kept = ledger.entries(course.received(assignment))
    students = {s.id: s for s in roster(book)}
    handed_in = {path.parent.name for path in course.root.glob(f"submitted/*/{assignment}")}
    for name in sorted((handed_in | kept.keys()) - students.keys()):
        students[name] = Student(name)
    due, most = str(found.duedate or ""), found.max_score
    return [
        _state(course, book, assignment, s, kept.get(s.id, ledger.Entry()), due, most)
        for s in students.values()
    ]


def roster(book: Gradebook) -> list[Student]:
    """The class, as the gradebook has it."""
    return [
        Student(s.id, s.first_name or "", s.last_name or "", s.email or "", s.lms_user_id or "")
        for s in book.students
    ]


def _state(course, book, assignment, student, entry, due, most) -> State:
    common = {"max_points": most, "due": due, "notes": entry.notes}
    folder = course.step("submitted", student.id, assignment)
    try:
        submission = book.find_submission(assignment, student.id)
    except MissingEntry:
        submission = None
    if submission is None and not folder.exists():
        return State(student, NOTHING, **common)
    if submission is None or not submission.notebooks:
        return State(student, NOT, reason=entry.reason or _not_yet(folder, assignment), **common)
    common["timestamp"] = str(submission.timestamp or "")
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    open_ = [grade for grade in grades if grade.auto_score is None and grade.manual_score is None]
    if any(grade.name.startswith("check-") for grade in open_):
        return State(student, NOT, reason=entry.reason or _not_yet(folder, assignment), **common)
    state = READ if open_ or any(grade.needs_manual_grade for grade in grades) else GRADED
    return State(student, state, submission.score, submission.late_submission_penalty or 0.0, **common)


def _not_yet(folder, assignment: str) -> str:
    if not folder.exists():
        return "what was graded is no longer in submitted/"
    if not any(folder.glob("*.ipynb")):
        return "its folder in submitted/ holds no notebook"
    again = f"nbgrader autograde {assignment} --student={folder.parent.name}"
    return f"it is new, or nbgrader stopped at it: {again}"
