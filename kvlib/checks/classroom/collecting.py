"""A download from Canvas or Moodle, or a folder of files, into nbgrader's folder of submissions."""

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

from ..grading.notebook import MOST
from ..plain import clean
from . import ledger
from .folder import Course
from .lms import Named, named
from .marking import forget
from .mending import keep, receive
from .states import roster

ALL = 4 << 30  # bytes that a download may unpack to
HIDDEN = re.compile(r"(?:^|/)(?:\.[^/.][^/]*|__MACOSX|Thumbs\.db)(?:/|$)")
NOTEBOOK = re.compile(r"\.ipynb", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A file of a download: `path` in it, `data`, or in `fault` why it could not be unpacked."""

    path: str
    data: bytes = b""
    fault: str = ""


@dataclass
class Collected:
    """What a download held: the entry of each student, and the files that name no student."""

    entries: dict[str, ledger.Entry]
    changed: list[str]
    nobody: list[str]


def collect(course: Course, assignment: str, downloads: list[Path], times: Path | None = None) -> Collected:
    """Put what `downloads` (zips, folders, notebooks) hold of an assignment into submitted/.

    times  a CSV of `student,timestamp`: when each handed in, which the downloads do not say

    A file that is there already changes nothing; one that differs takes the place of an older one, whose
    grade goes with it. Raises ValueError for a download that is none, and for an assignment that was not
    released.
    """
    if not course.released(assignment).exists():
        raise ValueError(f"{assignment} is not released yet: nbgrader generate_assignment {assignment}")
    when = _times(times)
    with Gradebook(course.gradebook) as book:
        students = roster(book)
        by_student: dict[str, list[tuple[Named, Found]]] = {}
        nobody = []
        for download in downloads:
            for file in unpacked(download):
                try:
                    of = named(file.path, students)
                    by_student.setdefault(_safe(of.student), []).append((of, file))
                except ValueError as error:
                    nobody.append(str(error))
                    keep(course, assignment, "_nobody", file.path.rpartition("/")[2], file.data)
        done = Collected({}, [], nobody)
        for student, files in sorted(by_student.items()):
            before = ledger.entries(course.received(assignment)).get(student)
            entry = _receive(course, assignment, student, files)
            done.entries[student] = entry
            if before is None or before.digest != entry.digest or before.unreadable != entry.unreadable:
                done.changed.append(student)
                _undo(course, book, assignment, student)
            if student in when:
                folder = course.step("submitted", student, assignment)
                (folder / "timestamp.txt").write_text(when[student] + "\n", encoding="utf-8")
    return done


def _receive(course, assignment, student, files) -> ledger.Entry:
    """Take one student's files: the notebook that they hold, or the reason why they hold none."""
    kept = [(of, keep(course, assignment, student, of.file, file.data), file) for of, file in files]
    notebooks = [one for one in kept if NOTEBOOK.search(one[0].file)] or kept
    of, path, file = max(notebooks, key=lambda one: _natural(one[2].path))
    more = []
    if len(notebooks) > 1:
        more.append(f"{len(notebooks)} notebooks were handed in; this is the last, {clean(of.file)}")
    if not of.known:
        more.append("no student of the class has this name or number; see received/ for whose it is")
    if of.late:
        more.append("Canvas marks it late; how late, its download does not say")
    return receive(course, assignment, student, path, file.data, more, file.fault)


def _natural(path: str) -> list:
    """Numbers as numbers, so that attempt 10 comes after attempt 9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path)]


def _undo(course, book, assignment, student):
    """What was made of an older submission goes: its grade would be read as that of the new one."""
    forget(book, assignment, student)
    for step in ("autograded", "feedback"):
        shutil.rmtree(course.step(step, student, assignment), ignore_errors=True)


def unpacked(path: Path) -> Iterator[Found]:
    """Every file of a download, also those of zips in it. Raises ValueError where it is no download."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and not file.is_symlink() and not HIDDEN.search(name):
                # The folder's own name counts, as that of a student's folder may.
                yield from _opened(
                    f"{path.name}/{name}", file.read_bytes() if file.stat().st_size <= MOST else b""
                )
    elif path.is_file():
        yield from _opened(path.name, path.read_bytes(), outer=True)
    else:
        raise ValueError(f"{path} is no file and no folder; name the download of your learning platform")


def _opened(name: str, data: bytes, outer=False, depth=0) -> Iterator[Found]:
    if not data.startswith(b"PK\x03\x04") or depth > 2:
        yield Found(name, data)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            total = 0
            for member in archive.infolist():
                if member.is_dir() or HIDDEN.search(member.filename):
                    continue
                total += member.file_size
                path = member.filename if outer else f"{name}/{member.filename}"
                if member.file_size > MOST or total > ALL:
                    yield Found(path, b"", f"a file of {member.file_size >> 20} MiB was not unpacked")
                    continue
                yield from _member(path, archive, member, depth)
    except zipfile.BadZipFile:
        if outer:
            raise ValueError(f"{name} is a broken zip; download it again") from None
        yield Found(name, data, "a zip inside the download is broken")


def _member(path, archive, member, depth):
    try:
        data = archive.read(member)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError, EOFError) as error:
        yield Found(path, b"", f"a file could not be unpacked ({clean(str(error))})")
    else:
        yield from _opened(path, data, depth=depth + 1)


def _safe(student: str) -> str:
    """A student's id as the name of a folder."""
    name = re.sub(r"[^\w.@+ -]", "_", student).strip(". ")[:100]
    return name or "_"


def _times(path: Path | None) -> dict[str, str]:
    """{student: timestamp} of a CSV. Raises ValueError for a column or a time that cannot be read."""
    if path is None:
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        if not row.get("student") or not row.get("timestamp"):
            raise ValueError(
                f"{path} needs the columns student and timestamp, as in: ada,2026-12-01 18:05:00 UTC"
            )
        try:
            parse_utc(row["timestamp"])
        except (ValueError, OverflowError):
            raise ValueError(
                f"{path}: {row['timestamp']!r} is no time; write 2026-12-01 18:05:00 UTC"
            ) from None
        found[row["student"]] = row["timestamp"]
    return found
