"""A notebook of its own numbers for each student of the class."""

import json
import shutil

from ..plain import clean
from ..variants import drawn, seed
from .folder import Course
from .lms import Student


def write(course: Course, assignment: str, students: list[Student]) -> list[str]:
    """Write variants/ASSIGNMENT/STUDENT/ASSIGNMENT.ipynb for each student; returns their ids.

    From then on the assignment is marked with each student's own numbers. Raises ValueError where there is no
    student or no released notebook.
    """
    path = course.released(assignment)
    if not path.exists():
        raise ValueError(f"{assignment} is not released yet: nbgrader generate_assignment {assignment}")
    if not students:
        raise ValueError("the class has no students: nbgrader db student import students.csv")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    folder = course.variants(assignment)
    shutil.rmtree(folder, ignore_errors=True)
    for student in students:
        if clean(student.id) != student.id or "/" in student.id or student.id.startswith("."):
            raise ValueError(f"{student.id!r} cannot be the name of a folder; give the student another id")
        target = folder / student.id / path.name
        target.parent.mkdir(parents=True)
        own = drawn(notebook, seed(student.id, course.secret))
        target.write_text(json.dumps(own, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [student.id for student in students]
