"""Every submission of a folder, also those that hold nothing.

Two ways to lay them out are known: nbgrader's, `submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb`, where the first
folder is the student's; and a folder of notebooks, as a learning platform gives them, each named for its
student.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..plain import clean
from .released import names

IGNORED = re.compile(r"\.|__MACOSX$|__pycache__$")


@dataclass(frozen=True)
class Submission:
    """A file that was handed in, or the reason why there is none."""

    file: Path
    student: str = ""
    assignment: str = ""
    reason: str = ""


def submissions(folder: Path) -> list[Submission]:
    """All that was handed in within `folder`, in order; a folder without a notebook has its reason."""
    found = [Submission(path, student_of(path), "", _link(path)) for path in _notebooks(folder)]
    for student in _folders(folder):
        found += _of(student, student.name)
    return found


def _of(folder: Path, student: str, assignment: str = "") -> list[Submission]:
    if folder.is_symlink():
        return [Submission(folder, student, assignment, "it is a link to another folder")]
    own, inner = _notebooks(folder), _folders(folder)
    found = [Submission(path, student, assignment, _link(path)) for path in own]
    for below in inner:
        found += _of(below, student, assignment or below.name)
    return found or [Submission(folder, student, assignment, _nothing(folder))]


def _link(path: Path) -> str:
    return "it is a link to another file" if path.is_symlink() else ""


def _nothing(folder: Path) -> str:
    there = [clean(path.name, 40) for path in _listed(folder) if path.name != "timestamp.txt"]
    return (
        f"there is no notebook in the folder, only {', '.join(there[:3])}" if there else "the folder is empty"
    )


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if not IGNORED.match(name))
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.is_dir()]


def _notebooks(folder: Path) -> list[Path]:
    """The notebooks of a folder; without any, what has only had an ending put behind its name."""
    files = [path for path in _listed(folder) if not path.is_dir()]
    proper = [path for path in files if path.suffix.lower() == ".ipynb"]
    return proper or [path for path in files if ".ipynb" in path.name.lower()]


def student_of(path: Path) -> str:
    """The student whose name a file has, beside the notebook's: "ada" of ada-02-the-formula.ipynb."""
    stem = re.sub(r"\.ipynb.*$", "", path.name, flags=re.I)
    for name in names():
        stem = re.sub(
            rf"[\s_.-]*{re.escape(name)}(?:[\s_.-]*(?:copy)?[\s_.(-]*\d*\)?)?$", "", stem, flags=re.I
        )
    return stem or re.sub(r"\.ipynb.*$", "", path.name, flags=re.I)
