"""A class from the download to the grades, by nbgrader's commands with the plugins of kvlib.checks."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_core.application import NoStart
from nbgrader.apps import NbGraderApp

import kvlib.cli

from . import classroom
from .classroom import ALL, MOST, NAME, ROOT

pytestmark = pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own


@pytest.fixture(scope="module", autouse=True)
def activated():
    """As with .venv activated, for nbgrader calls alembic by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        yield


def sh(folder, command, status=0) -> str:
    """What a command prints, run in `folder` but in this process: each start of nbgrader takes seconds."""
    program, *argv = shlex.split(command)
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        ended = {"kvlib": kvlib.cli.main, "nbgrader": nbgrader}[program](argv)
    assert ended == status, f"{command}\n{printed.getvalue()}"
    return printed.getvalue()


def nbgrader(argv) -> int:
    app = NbGraderApp.instance()
    try:
        app.initialize(argv)
        app.start()
        return 0
    except NoStart:  # a subcommand has done it
        return 0
    except SystemExit as ended:
        return ended.code or 0
    finally:
        while app:
            type(app).clear_instance()
            app = app.subapp


def table(folder, file) -> dict[str, dict]:
    """{student: row} of a CSV."""
    rows = list(csv.DictReader(io.StringIO((folder / file).read_text(encoding="utf-8"))))
    key = next(k for k in ("student_id", "SIS Login ID", "ID number") if k in rows[0])
    return {row[key]: row for row in rows}


def course_of(folder, students) -> Path:
    """A course folder with a class, and the assignment released."""
    root = folder / "course"
    sh(ROOT, f"kvlib course make {root}")
    lines = [f"{name},{name},Sam,{name}@example.org,{1000 + i}" for i, name in enumerate(students)]
    (root / "students.csv").write_text(
        "id,last_name,first_name,email,lms_user_id\n" + "\n".join(lines) + "\n"
    )
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text().replace("c.Mark.seconds = 10.0", "c.Mark.seconds = 4.0"))
    sh(root, "nbgrader db student import students.csv")
    sh(root, f"nbgrader generate_assignment {NAME}")
    return root


def downloads(folder, work) -> list[Path]:
    """The class's files as Canvas and as Moodle would pack them, every other student each."""
    paths = [folder / "canvas.zip", folder / "moodle.zip"]
    packed = [zipfile.ZipFile(path, "w") for path in paths]
    for i, (student, of) in enumerate(work.items()):
        for n, (name, content) in enumerate(of.files.items()):
            name = (
                f"Sam {student}_{9000 + i}_assignsubmission_file/{name}"
                if i % 2
                else f"{student.replace('-', '')}sam_{1000 + i}_{5000 + 10 * i + n}_{name}"
            )
            packed[i % 2].writestr(name, content)
    for archive in packed:
        archive.close()
    return paths


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    """The class of `classroom`, graded: its folder, its work, and what was printed and exported."""
    folder = tmp_path_factory.mktemp("class")
    work = classroom.honest() | classroom.dishonest(folder / "course")
    root = course_of(folder, [*work, "absent"])
    zips = " ".join(map(str, downloads(folder, work)))
    collected = sh(root, f"kvlib course collect {NAME} {zips}")
    (root / "submitted" / "no-file" / NAME).mkdir(parents=True)
    sh(root, f"nbgrader autograde {NAME}")
    listed = sh(root, f"kvlib course list {NAME}")
    sh(root, f"nbgrader generate_feedback {NAME} --student=one-wrong")
    sh(root, "nbgrader export")
    for to in ("Canvas", "Moodle"):
        sh(root, f"nbgrader export --exporter=kvlib.checks.classroom.export.{to}")
    return SimpleNamespace(root=root, work=work, zips=zips, collected=collected, listed=listed)


def test_the_class_is_large_enough(klass):
    assert len(klass.work) >= 40 and len(classroom.dishonest(klass.root)) >= 14


def test_every_submission_earns_what_it_deserves_or_says_why_not(klass):
    grades = table(klass.root, "grades.csv")
    wrong = {}
    for student, work in klass.work.items():
        row = grades[student]
        got = float(row["score"]) if row["score"] else None
        if got != work.points or work.reason not in row["reason"]:
            wrong[student] = (row["score"], row["state"], row["reason"], row["notes"])
        assert row["state"] == ("not graded" if work.points is None else "graded"), row
        assert bool(row["reason"]) == (work.points is None)
    assert wrong == {}


def test_nobody_is_lost(klass):
    grades = table(klass.root, "grades.csv")
    assert grades.keys() == {*klass.work, "absent", "no-file"}
    assert (grades["absent"]["state"], grades["absent"]["score"]) == ("not handed in", "")
    assert (grades["no-file"]["state"], grades["no-file"]["score"]) == ("not graded", "")
    assert "holds no notebook" in grades["no-file"]["reason"]


def test_every_file_is_kept_as_it_came(klass):
    for student, work in klass.work.items():
        kept = [path.read_bytes() for path in (klass.root / "received" / NAME / student).iterdir()]
        for name, content in work.files.items():
            if name.endswith(".zip"):
                continue
            content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
            assert content in kept, (student, name)


def test_what_was_mended_is_said(klass):
    grades = table(klass.root, "grades.csv")
    notes = {student: grades[student]["notes"] for student in klass.work}
    assert "byte-order mark" in notes["byte-order-mark"]
    assert "names of its cells are lost" in notes["no-names"]
    assert notes["no-checks"].endswith(": put back")
    assert notes["edited-checks"].endswith(": edited, and is the released one again")
    assert notes["copied-check"].endswith(": there more than once")
    assert "2 notebooks were handed in; this is the last, b.ipynb" in notes["two-files"]
    assert notes["right"] == notes["half"] == notes["own-cells"] == ""


def test_no_grade_is_no_number_in_canvas_and_moodle(klass):
    canvas, moodle = table(klass.root, "canvas.csv"), table(klass.root, "moodle.csv")
    header, most, *_ = (klass.root / "canvas.csv").read_text().splitlines()
    assert header == f"Student,ID,SIS User ID,SIS Login ID,Section,{NAME}"
    assert most == f"Points Possible,,,,,{MOST}"
    for student, work in klass.work.items():
        assert canvas[student][NAME] == ("" if work.points is None else f"{work.points:g}")
        assert moodle[student][NAME] == ("-" if work.points is None else f"{work.points:g}")
    assert canvas["absent"][NAME] == "" and moodle["absent"][NAME] == "-"
    assert canvas["half"]["Student"] == "half, Sam" and canvas["half"]["ID"] == "1001"
    assert moodle["half"]["Email address"] == "half@example.org"


def test_the_list_names_those_without_a_grade(klass):
    listed = {line.split()[0]: line for line in klass.listed.splitlines()}
    assert re.search(r"not graded +it is a PDF, not a notebook", listed["pdf"])
    assert f"graded         {ALL} of {MOST}" in listed["right"]
    failed = sh(klass.root, f"kvlib course list {NAME} --failed").splitlines()[:-1]
    without = {student for student, work in klass.work.items() if work.points is None}
    assert {line.split()[0] for line in failed} == without | {"no-file"}


def test_feedback_has_the_checks_sentence_and_no_answer(klass):
    page = (klass.root / "feedback" / "one-wrong" / NAME / f"{NAME}.html").read_text()
    assert "Not yet." in page and f"0 of {classroom.POINTS[classroom.FIRST]} point" in page
    assert "BEGIN SOLUTION" not in page


def test_collecting_again_changes_nothing(klass):
    before = table(klass.root, "grades.csv")
    said = sh(klass.root, f"kvlib course collect {NAME} {klass.zips}")
    assert f"{len(klass.work)} students, 0 new or changed" in said
    sh(klass.root, "nbgrader export")
    assert table(klass.root, "grades.csv") == before


def test_an_old_grade_goes_with_the_work_it_was_for(klass, tmp_path):
    """Handed in again, and it cannot be read: the old score would be taken for the new one's."""
    folder = tmp_path / "from-mail"
    folder.mkdir()
    (folder / f"{NAME}.ipynb").write_text("{")
    sh(klass.root, f"kvlib course collect {NAME} {folder}", status=1)  # whose is it?
    (folder / f"{NAME}.ipynb").rename(folder / f"empty_{NAME}.ipynb")
    said = sh(klass.root, f"kvlib course collect {NAME} {folder}")
    assert "empty: not graded: it ends in the middle" in said
    assert not (klass.root / "autograded" / "empty" / NAME).exists()
    sh(klass.root, "nbgrader export")
    row = table(klass.root, "grades.csv")["empty"]
    assert (row["state"], row["score"]) == ("not graded", "") and "ends in the middle" in row["reason"]
    sh(klass.root, f"nbgrader autograde {NAME} --student=empty --force")
    sh(klass.root, "nbgrader export")
    assert table(klass.root, "grades.csv")["empty"] == row


def test_a_regrade_that_fails_leaves_no_old_score(klass):
    """nbgrader itself stops: the source of the assignment has gone from its database's view."""
    submitted = klass.root / "submitted" / "half" / NAME / f"{NAME}.ipynb"
    whole = submitted.read_text()
    config = klass.root / "nbgrader_config.py"
    text = config.read_text()
    config.write_text(text + '\nc.Autograde.autograde_preprocessors = ["tests.test_class.Fails"]\n')
    try:
        sh(klass.root, f"nbgrader autograde {NAME} --student=half --force", status=1)
    finally:
        config.write_text(text)
    assert submitted.read_text() == whole
    sh(klass.root, "nbgrader export")
    row = table(klass.root, "grades.csv")["half"]
    assert (row["state"], row["score"]) == ("not graded", "")
    assert f"nbgrader autograde {NAME} --student=half" in row["reason"]
    sh(klass.root, f"nbgrader autograde {NAME} --student=half")
    sh(klass.root, "nbgrader export")
    assert float(table(klass.root, "grades.csv")["half"]["score"]) == klass.work["half"].points


class Fails:
    """A preprocessor that stands for anything that can go wrong in nbgrader."""

    enabled = True

    def __init__(self, **_):
        pass

    def __call__(self, nb, resources):
        raise RuntimeError("anything at all")


def test_work_put_into_submitted_by_other_ways_is_mended_too(klass):
    folder = klass.root / "submitted" / "absent" / NAME
    folder.mkdir(parents=True)
    (folder / "Untitled.ipynb").write_text("\ufeff" + json.dumps(classroom.fill(classroom.ANSWERS)))
    sh(klass.root, f"nbgrader autograde {NAME} --student=absent")
    sh(klass.root, "nbgrader export")
    row = table(klass.root, "grades.csv")["absent"]
    assert (row["state"], float(row["score"])) == ("graded", ALL) and "byte-order" in row["notes"]
