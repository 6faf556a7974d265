"""Whose file it is, by the name that a learning management system gave it.

Canvas names the files of "Download Submissions"

    lovelaceada_LATE_4711_90210_02-the-formula-1.ipynb

name, LATE where it is, Canvas's id of the user, its id of the file, the file's own name
(lib/content_zipper.rb of instructure/canvas-lms). Moodle names the folders of "Download all submissions"

    Ada Lovelace_90210_assignsubmission_file/02-the-formula.ipynb

name and the participant's number in this assignment; without folders all is in the file's name
(mod/assign/classes/downloader.php of moodle/moodle). That number is not a user's, so a student is found by
name.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

CANVAS = re.compile(r"(?P<name>[^_/]*)(?P<late>_LATE)?_(?P<user>\d+)_\d+_(?P<file>[^/]+)")
MOODLE = re.compile(r"(?P<name>[^/]*)_(?P<user>\d+)_assignsubmission_\w+?[/_](?P<file>.+)")


@dataclass(frozen=True)
class Student:
    """A student of the class; `lms` is the id that Canvas knows the student by."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms: str = ""


@dataclass(frozen=True)
class Named:
    """What a path in a download says: an id, and whether a student of the class has it."""

    student: str
    file: str
    known: bool
    late: bool = False


def named(path: str, students: Iterable[Student]) -> Named:
    """Whose file `path` of a download is. Raises ValueError where its name tells no student."""
    students = list(students)
    path = PurePosixPath(path.replace("\\", "/"))
    parts = [part for part in path.parts if part not in ("/", "..", ".")]
    for start in range(len(parts)):
        rest = "/".join(parts[start:])
        if match := MOODLE.fullmatch(rest):
            found = [s.id for s in students if _same(match["name"], s)]
            fallback = f"participant-{match['user']}"
            return Named(found[0] if len(found) == 1 else fallback, match["file"], len(found) == 1)
    for part in reversed(parts):  # a zip that a student handed in is a folder here
        if match := CANVAS.fullmatch(part):
            found = [s.id for s in students if s.lms == match["user"]]
            file = match["file"] if part == parts[-1] else parts[-1]
            return Named(found[0] if found else match["user"], file, bool(found), bool(match["late"]))
    # A folder or a file that bears a student's id: ada/02-the-formula.ipynb, ada_02-the-formula.ipynb.
    ids = {s.id.lower(): s.id for s in students}
    for part in reversed(parts):
        stem = PurePosixPath(part).stem
        for word in (part, stem, *re.split(r"[_\s]+", stem)):
            if word.lower() in ids:
                return Named(ids[word.lower()], parts[-1], True)
    raise ValueError(
        f"{path}: the name tells no student of the class; name it as Canvas or Moodle do, or put it into "
        "a folder named by the student's id"
    )


def _same(written: str, student: Student) -> bool:
    """Whether `written` is the student's name, in either order."""
    first, last = student.first_name, student.last_name
    return bool(first or last) and _plain(written) in (_plain(first + last), _plain(last + first))


def _plain(name: str) -> str:
    """A name without case, accents, spaces and signs, since the two systems clean them differently."""
    bare = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in bare if c.isalnum())
