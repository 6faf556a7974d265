"""A submitted file as nbgrader can read it.

nbgrader finds a cell by its metadata and stops at a file that is no proper notebook. What an editor, a merge
or a copy did to a file is no fault of an answer: the student's cells are put into the form of the released
notebook, each as the cell that it is, and what the student has added stands where it stood.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ..grading.notebook import MARKS, Cell, NotGraded, cells, content, parse
from ..grading.released import read
from ..grading.submission import roles_of, which
from ..variants import CHECK, drawn, seed
from . import ledger
from .folder import Course, here
from .ledger import Entry


@dataclass(frozen=True)
class Mended:
    """A notebook for nbgrader, and in `notes` what it is not as it was handed in."""

    notebook: dict
    notes: tuple[str, ...]


def released(course: Course, assignment: str, student: str) -> dict:
    """The notebook that this student was handed: the released one, or the student's own variant of it."""
    path = course.released(assignment)
    if not path.exists():
        raise ValueError(f"{assignment} is not released yet: nbgrader generate_assignment {assignment}")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return drawn(notebook, seed(student, course.secret)) if course.variants(assignment).is_dir() else notebook


def mend(data: bytes, name: str, handed_out: dict) -> Mended:
    """The submission of the notebook `name` that a file's bytes hold. Raises NotGraded if it holds none."""
    found = cells(parse(data))
    if (other := which(found)) != name:
        raise NotGraded(f"it is the notebook {other}, handed in for {name}")
    order = [cell["id"] for cell in handed_out["cells"]]
    by_id = {cell["id"]: cell for cell in handed_out["cells"]}
    role = _roles(found, name, handed_out)
    new: list[dict] = []
    for i, cell in enumerate(found):
        if role[i] is None:
            new += [_own(cell, i)] if cell.source.strip() else []
        elif role[i] not in role[:i]:
            new.append(_known(cell, by_id[role[i]]))
    for place, missing in enumerate(order):
        if missing not in role:
            before = next((i for i, c in enumerate(new) if place and c["id"] == order[place - 1]), -1)
            new.insert(before + 1, _blank(by_id[missing]))
    metadata = {k: v for k, v in handed_out["metadata"].items() if k in ("kernelspec", "language_info")}
    notebook = {"cells": new, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return Mended(notebook, tuple(_notes(data, found, role, by_id)))


def _roles(found: list[Cell], name: str, handed_out: dict) -> list[str | None]:
    """For each cell the id of the released cell that it is."""
    of_code = iter(roles_of([cell for cell in found if cell.kind == "code"], read(name, handed_out)))
    texts = {cell["id"] for cell in handed_out["cells"] if cell["cell_type"] != "code"}
    return [
        next(of_code) if cell.kind == "code" else next((i for i in cell.ids if i in texts), None)
        for cell in found
    ]


def _marks(cell: dict) -> dict:
    return cell["metadata"].get("nbgrader", {})


def _known(cell: Cell, known: dict) -> dict:
    """The released cell with the student's source, but for a check, which is as it was released."""
    locked = _marks(known).get("grade") and not _marks(known).get("solution")
    return _blank(known) | ({} if locked else {"source": cell.source})


def _own(cell: Cell, number: int) -> dict:
    kind = cell.kind if cell.kind in ("code", "markdown") else "raw"
    own = {"cell_type": kind, "id": f"own-{number}", "metadata": {}, "source": cell.source}
    return own | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _blank(known: dict) -> dict:
    return known | ({"outputs": [], "execution_count": None} if known["cell_type"] == "code" else {})


def _notes(data: bytes, found: list[Cell], role, by_id) -> list[str]:
    """What a person should know of how the file came."""
    notes = []
    if any(data.startswith(mark) for mark, _ in MARKS):
        notes.append("it began with a byte-order mark")
    if not any(name in by_id for cell in found for name in cell.ids):
        notes.append("the names of its cells are lost; answers were found by what they give a value to")
    checks = {"put back": [], "edited, and is the released one again": [], "there more than once": []}
    for name, cell in by_id.items():
        places = [i for i, of in enumerate(role) if of == name]
        if _marks(cell).get("solution"):
            notes += [] if places else [f"it has no cell {name}"]
        elif _marks(cell).get("grade"):
            source = _unseeded("".join(cell["source"]))
            edited = any(_unseeded(found[i].source) != source for i in places)
            for said, holds in zip(checks, (not places, edited, len(places) > 1), strict=True):
                checks[said] += [name] * holds
    return notes + [f"{', '.join(names)}: {said}" for said, names in checks.items() if names]


def _unseeded(check: str) -> str:
    """A check without the seed of a variant, which is no edit of the student's."""
    return CHECK.sub(lambda match: f"{match['question']} {match['answer']}", check.strip())


def receive(
    course: Course, assignment: str, student: str, file: str, data: bytes, more=(), fault: str = ""
) -> Entry:
    """Put a student's file into submitted/, mended, or a blank notebook with the reason in the ledger.

    file   where the file lies as it came, relative to the course folder
    more   further notes
    fault  why there are no `data`, if there are none
    """
    handed_out, notes, unreadable = released(course, assignment, student), [*more], ""
    try:
        if fault:
            raise NotGraded(fault)
        mended = mend(data, assignment, handed_out)
        notebook = mended.notebook
        notes += mended.notes + _variant(course, assignment, student, data, handed_out)
    except NotGraded as why:
        notebook, unreadable = handed_out, str(why)
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    target = course.step("submitted", student, assignment) / f"{assignment}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text, encoding="utf-8")
    digest, before = ledger.digest(text.encode()), ledger.entries(course.received(assignment)).get(student)
    failed = before.failed if before and before.digest == digest else ""
    entry = Entry(file, digest, unreadable, failed, tuple(notes))
    ledger.write(course.received(assignment), student, entry)
    return entry


def _variant(course, assignment, student, data, handed_out) -> tuple[str, ...]:
    """A note on a notebook whose numbers are somebody else's, where each student has numbers of their own."""
    if not course.variants(assignment).is_dir():
        return ()
    seeds = {m["seed"] or "" for cell in cells(parse(data)) for m in CHECK.finditer(cell.source)}
    if seeds <= {seed(student, course.secret)}:
        return ()
    owners = {seed(path.name, course.secret): path.name for path in course.variants(assignment).iterdir()}
    whose = ", ".join(sorted(owners.get(s, "nobody in the class") if s else "the book" for s in seeds))
    return (f"it was made from a notebook with the numbers of {whose}; it is marked by this student's own",)


def mend_submitted(assignment: str, student: str, notebooks: list) -> None:
    """nbgrader's hook before it grades: mend what came into submitted/ without `kvlib course collect`.

    `notebooks` are the files of one submission; the list is changed in place, since nbgrader goes on with it.
    """
    course = here()
    paths = [Path(path) for path in notebooks]
    name, student = paths[0].parent.name, paths[0].parent.parent.name
    entry = ledger.entries(course.received(name)).get(student)
    target = paths[0].parent / f"{name}.ipynb"
    if not (entry and target in paths and ledger.digest(target.read_bytes()) == entry.digest):
        chosen = target if target in paths else paths[-1]
        more = [f"{len(paths)} notebooks were handed in; this is {chosen.name}"] if len(paths) > 1 else []
        try:
            data = content(chosen)
            receive(course, name, student, keep(course, name, student, chosen.name, data), data, more)
        except NotGraded as why:
            receive(course, name, student, "", b"", more, str(why))
    notebooks[:] = [str(target)]


def keep(course: Course, assignment: str, student: str, file: str, data: bytes) -> str:
    """Keep a file as it came; returns where, relative to the course folder. The same file is kept once."""
    safe = "".join(c if c.isalnum() or c in "._- " else "_" for c in file)[-80:].lstrip(".")
    path = course.received(assignment) / student / f"{ledger.digest(data)[:8]}-{safe}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
    return path.relative_to(course.root).as_posix()
