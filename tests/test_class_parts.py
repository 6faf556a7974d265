"""The parts of a class by themselves: names in downloads, late work, words read by a person, own numbers."""

import json
import re

import pytest
from nbgrader.api import Gradebook

from kvlib.checks import variants
from kvlib.checks.classroom import collecting, folder, late, lms, states
from kvlib.checks.questions import QUESTIONS

from . import classroom
from .classroom import ALL, NAME
from .test_class import activated, course_of, sh, table

pytestmark = pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own
assert activated  # a fixture of this file too

CLASS = [
    lms.Student("ada", "Ada", "Lovelace", "ada@example.org", "4711"),
    lms.Student("s17", "Émile", "Dupont-Noir", "", "4712"),
    lms.Student("twin1", "Kim", "Lee"),
    lms.Student("twin2", "Kim", "Lee"),
]


@pytest.mark.parametrize(
    "path, student, file, known",
    [
        ("lovelaceada_4711_90210_02-the-formula.ipynb", "ada", "02-the-formula.ipynb", True),
        ("lovelaceada_LATE_4711_90210_a_b.ipynb", "ada", "a_b.ipynb", True),
        ("somebodyelse_99_1_a.ipynb", "99", "a.ipynb", False),
        ("lovelaceada_4711_90210_mine.zip/deep/a.ipynb", "ada", "a.ipynb", True),
        ("Ada Lovelace_17_assignsubmission_file/02.ipynb", "ada", "02.ipynb", True),
        ("Ada Lovelace_17_assignsubmission_file_02.ipynb", "ada", "02.ipynb", True),
        ("Course-1/Emile DUPONT NOIR_18_assignsubmission_file/x/y.ipynb", "s17", "x/y.ipynb", True),
        ("Dupont-Noir Émile_18_assignsubmission_file/y.ipynb", "s17", "y.ipynb", True),
        ("Kim Lee_19_assignsubmission_file/y.ipynb", "participant-19", "y.ipynb", False),
        ("Participant_20_assignsubmission_file/y.ipynb", "participant-20", "y.ipynb", False),
        ("s17/02-the-formula.ipynb", "s17", "02-the-formula.ipynb", True),
        ("S17_02-the-formula.ipynb", "s17", "S17_02-the-formula.ipynb", True),
        ("../../ada.ipynb", "ada", "ada.ipynb", True),
    ],
)
def test_whose_file_it_is(path, student, file, known):
    found = lms.named(path, CLASS)
    assert (found.student, found.file, found.known) == (student, file, known)
    assert found.late == ("LATE" in path)


def test_a_name_that_tells_nobody_is_said():
    with pytest.raises(ValueError, match=r"notebook\.ipynb: the name tells no student"):
        lms.named("stuff/notebook.ipynb", CLASS)


def test_a_download_is_unpacked_whatever_is_in_it(tmp_path):
    inner = classroom.zipped({"a.ipynb": "{}", "__MACOSX/._a.ipynb": "", "../../up.ipynb": "up"})
    outer = tmp_path / "all.zip"
    outer.write_bytes(classroom.zipped({"x/mine.zip": inner, "x/broken.zip": "PK\x03\x04rubbish", "b": ""}))
    found = {file.path: file for file in collecting.unpacked(outer)}
    assert found.keys() == {"x/mine.zip/a.ipynb", "x/mine.zip/../../up.ipynb", "x/broken.zip", "b"}
    assert "broken" in found["x/broken.zip"].fault
    (tmp_path / "half.zip").write_bytes(outer.read_bytes()[:60])
    with pytest.raises(ValueError, match="half.zip is a broken zip"):
        list(collecting.unpacked(tmp_path / "half.zip"))
    with pytest.raises(ValueError, match="nothing is no file and no folder"):
        list(collecting.unpacked(tmp_path / "nothing"))


@pytest.mark.parametrize("name", ["../../evil", "/etc/x", "..", "a/b", "", "\x00"])
def test_a_students_id_cannot_leave_the_course(name):
    safe = collecting._safe(name)
    assert safe and "/" not in safe and safe.strip(".") == safe and "\x00" not in safe


def test_a_file_too_large_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "MOST", 10)
    (tmp_path / "all.zip").write_bytes(classroom.zipped({"a.ipynb": "0" * 11, "b.ipynb": "0" * 10}))
    large, small = collecting.unpacked(tmp_path / "all.zip")
    assert (large.data, small.data) == (b"", b"0" * 10) and "not unpacked" in large.fault


HOUR, DAY = 3600, 24 * 3600


@pytest.mark.parametrize(
    "seconds, taken",
    [(0, None), (900, None), (901, 1), (DAY, 1), (DAY + 901, 2), (9 * DAY, 5), (99 * DAY, 5)],
)
def test_each_day_that_has_begun_costs_its_share(seconds, taken):
    policy = late.PerDay(per_day=0.1, grace_minutes=15, most=0.5)
    assert policy.late_submission_penalty("ada", 10.0, seconds) == taken
    assert late.PerDay().late_submission_penalty("ada", 10.0, seconds) is None


def test_making_a_course_again_changes_nothing(tmp_path):
    made = folder.make(tmp_path / "course", classroom.ROOT / "solutions")
    assert "nbgrader_config.py" in made and f"source/{NAME}/{NAME}.ipynb" in made
    secret = (tmp_path / "course" / "secret.txt").read_text()
    (tmp_path / "course" / "students.csv").write_text("mine")
    assert folder.make(tmp_path / "course", classroom.ROOT / "solutions") == []
    assert (tmp_path / "course" / "students.csv").read_text() == "mine"
    assert (tmp_path / "course" / "secret.txt").read_text() == secret and len(secret) > 20
    assert (tmp_path / "course" / ".gitignore").read_text().splitlines()[-1] == "*"
    with pytest.raises(ValueError, match="no notebook; run this in the repository"):
        folder.make(tmp_path / "other", tmp_path)
    with pytest.raises(ValueError, match="no course folder"):
        folder.here(tmp_path)


STUDENTS = ["ada", "bea", "cyd"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A class of three whose assignment has an answer in words too, before anything is handed in."""
    root = course_of(tmp_path_factory.mktemp("small"), STUDENTS)
    source = root / "source" / NAME / f"{NAME}.ipynb"
    nb = json.loads(source.read_text())
    graded = {"grade": True, "solution": True, "locked": False, "task": False, "schema_version": 3}
    words = {
        "cell_type": "code", "id": "answer-why", "source": "why = None", "outputs": [],
        "execution_count": None, "metadata": {"nbgrader": graded | {"grade_id": "answer-why", "points": 5}},
    }  # fmt: skip
    source.write_text(json.dumps(nb | {"cells": [*nb["cells"], words]}))
    sh(root, f"nbgrader generate_assignment {NAME} --force")
    sh(root, f'nbgrader db assignment add {NAME} --duedate="2026-12-01 18:00:00 UTC"')
    return root


def hand_in(root, tmp_path, times="", **answers):
    """Collect and grade the answers of each student, filled into the notebook that the student was handed."""
    handed_in = tmp_path / "download"
    for student, of in answers.items():
        own = root / "variants" / NAME / student / f"{NAME}.ipynb"
        released = own if own.exists() else root / "release" / NAME / f"{NAME}.ipynb"
        (handed_in / student).mkdir(parents=True)
        nb = classroom.fill(of, json.loads(released.read_text()))
        (handed_in / student / f"{NAME}.ipynb").write_text(json.dumps(nb))
    option = ""
    if times:
        (tmp_path / "times.csv").write_text(f"student,timestamp\n{times}\n")
        option = f"--times {tmp_path / 'times.csv'}"
    said = sh(root, f"kvlib course collect {NAME} {handed_in} {option}")
    sh(root, f"nbgrader autograde {NAME}")
    return said


def grades(root):
    sh(root, "nbgrader export")
    return table(root, "grades.csv")


def test_words_wait_for_a_person_and_late_work_loses_its_share(small, tmp_path):
    config = small / "nbgrader_config.py"
    config.write_text(config.read_text().replace("c.PerDay.per_day = 0.0", "c.PerDay.per_day = 0.1"))
    words = {"answer-why": "why = 'since every layer keeps keys and values'"}
    hand_in(
        small, tmp_path, "bea,2026-12-02 17:00:00 UTC",
        ada=classroom.ANSWERS | words, bea=classroom.ANSWERS,
    )  # fmt: skip
    rows = grades(small)
    assert (rows["ada"]["state"], rows["ada"]["raw_score"]) == ("to be read", str(ALL))
    assert rows["bea"]["state"] == "graded" and rows["cyd"]["state"] == "not handed in"
    assert float(rows["bea"]["late_submission_penalty"]) == pytest.approx(ALL / 10)
    assert float(rows["bea"]["score"]) == pytest.approx(0.9 * ALL)
    sh(small, "nbgrader export --exporter=kvlib.checks.classroom.export.Moodle")
    assert table(small, "moodle.csv")["ada"][NAME] == "-"
    with Gradebook(folder.Course(small).gradebook) as book:
        grade = book.find_grade("answer-why", NAME, NAME, "ada")
        grade.manual_score, grade.needs_manual_grade = 4, False
        book.db.commit()
    rows = grades(small)
    assert (rows["ada"]["state"], float(rows["ada"]["score"])) == ("graded", ALL + 4)
    sh(small, f"nbgrader autograde {NAME} --student=ada --force")
    with Gradebook(folder.Course(small).gradebook) as book:
        [ada] = [s for s in states.states(folder.Course(small), book, NAME) if s.student.id == "ada"]
    assert (ada.state, ada.points) == ("to be read", ALL + 4), (
        "a person's points stay, and are to be looked at"
    )


def test_each_student_is_marked_with_numbers_of_their_own(small, tmp_path):
    assert "a notebook for each of 3 students" in sh(small, f"kvlib course variants {NAME}")
    secret = (small / "secret.txt").read_text().strip()
    solved = json.loads((classroom.ROOT / "solutions" / f"{NAME}.ipynb").read_text())
    own = {}
    for student in STUDENTS:
        cells = variants.drawn(solved, variants.seed(student, secret))["cells"]
        own[student] = {
            c["id"]: classroom.MARKERS.sub("", "".join(c["source"]))
            for c in cells
            if c["id"] in classroom.ANSWERS
        }
        released = json.loads((small / "variants" / NAME / student / f"{NAME}.ipynb").read_text())
        assert variants.seed(student, secret) in json.dumps(released)
    said = hand_in(small, tmp_path, ada=own["ada"], bea=own["bea"], cyd=classroom.ANSWERS)
    rows = grades(small)
    assert float(rows["bea"]["raw_score"]) == ALL
    # What a person gave for the text before stays, and a person has to look at it again.
    assert (rows["ada"]["state"], float(rows["ada"]["raw_score"])) == ("to be read", ALL + 4)
    drawn = sum(QUESTIONS[q].points for q in classroom.ASKED.values() if QUESTIONS[q].drawn)
    assert float(rows["cyd"]["raw_score"]) < ALL or not drawn
    assert "cyd: collected\n" in said
    other = small / "variants" / NAME / "ada" / f"{NAME}.ipynb"
    stolen = tmp_path / "more" / "cyd"
    stolen.mkdir(parents=True)
    nb = classroom.fill(own["ada"], json.loads(other.read_text()))
    (stolen / f"{NAME}.ipynb").write_text(json.dumps(nb))
    said = sh(small, f"kvlib course collect {NAME} {stolen.parent}")
    assert re.search(r"cyd: collected.*; it was made from a notebook with the numbers of ada;", said)
    assert "edited" not in said


def test_steps_in_the_wrong_order_say_what_to_do(tmp_path, capsys):
    root = tmp_path / "course"
    sh(classroom.ROOT, f"kvlib course make {root}")
    for command in (f"collect {NAME} {tmp_path}", f"variants {NAME}"):
        sh(root, f"kvlib course {command}", status=2)
        assert f"nbgrader generate_assignment {NAME}" in capsys.readouterr().err
    sh(root, f"kvlib course list {NAME}", status=2)
    assert f"no assignment '{NAME}' in the gradebook" in capsys.readouterr().err
