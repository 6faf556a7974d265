"""`kvlib grade`: what it prints, writes and returns, and how it finds what was handed in."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from kvlib.checks import Number, variants
from kvlib.checks.grading import folder, released
from kvlib.checks.grading.grader import Grader
from kvlib.checks.grading.marking import Mark
from kvlib.checks.grading.report import COLUMNS, Report, cell
from kvlib.checks.questions import QUESTIONS
from kvlib.cli import main

from .attacks import sheet

NAME = "02-the-formula"


@pytest.fixture
def submitted(tmp_path):
    """write(path, made): a notebook, bytes or a text, in a folder of submissions."""

    def write(path, made=None):
        target = tmp_path / "submitted" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        made = sheet(NAME).solved() if made is None else made
        target.write_bytes(made if isinstance(made, bytes) else json.dumps(made).encode())
        return target

    return write


def answer(capsys, *args):
    """What the command prints: status, stdout, stderr."""
    try:
        status = main(["grade", *map(str, args)])
    except SystemExit as exit:
        status = exit.code
    return status, *capsys.readouterr()


def rows(text) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text)))


# one notebook


@pytest.mark.parametrize("name", released.names())
def test_a_solution_earns_every_point_and_an_exercise_none(name, capsys, submitted):
    full = sum(sheet(name).points.values())
    status, out, err = answer(capsys, submitted("full.ipynb", sheet(name).solved()), "--json")
    said = json.loads(out)
    assert (status, err, said["points"], said["max_points"]) == (0, "", full, full), out
    assert {m["name"]: m["points"] for m in said["exercises"] if m["status"] != "manual"} == sheet(
        name
    ).points
    assert said["graded"] and said["reason"] == "" and said["notebook"] == name and said["isolation"]
    status, out, _ = answer(capsys, submitted("blank.ipynb", sheet(name).blank()), "--json")
    said = json.loads(out)
    assert (status, said["points"], said["max_points"]) == (0, 0, full)
    assert {m["status"] for m in said["exercises"]} <= {"blank", "manual"}
    assert {m["feedback"] for m in said["exercises"] if m["status"] == "blank"} == {"Not answered yet."}


def test_a_notebook_as_a_reader_sees_it(capsys, submitted):
    lost = sheet(NAME).kind("")
    path = submitted("mine.ipynb", sheet(NAME).solved(but={lost.question}))
    status, out, err = answer(capsys, path)
    points = sheet(NAME).points
    assert (status, err) == (0, "") and f"{path}: {NAME}" in out
    for question, of in points.items():
        [line] = [line for line in out.splitlines() if line.startswith(f"{question} ")]
        right = f"{of} / {of}  Right." if question != lost.question else f"0 / {of}  Not answered yet."
        assert line.endswith(right)
    assert f"{sum(points.values()) - points[lost.question]} of {sum(points.values())} points" in out
    assert "seed " in out and "answers ran" in out


def test_a_seed_repeats_a_grade_and_without_one_it_is_fresh(submitted):
    exercise = sheet(NAME).kind("def ")
    wrong = f"def {exercise.variable}(*a):\n    return sum(a)"
    path = submitted("mine.ipynb", sheet(NAME).solved(instead={exercise.question: wrong}))

    def said(grader):
        report = grader.grade(path)
        return report.seed, next(m.feedback for m in report.exercises if m.name == exercise.question)

    with Grader() as fresh, Grader(seed=7) as seven:
        first, second = said(fresh), said(fresh)
        assert first[0] != second[0] and said(seven) == said(seven) and said(seven)[0] == 7
        with Grader(seed=first[0]) as again:
            assert said(again) == first


def test_a_manual_exercise_is_left_for_a_person(monkeypatch, submitted):
    read = sheet(NAME).exercises[0].question
    monkeypatch.setitem(
        QUESTIONS, read, QUESTIONS[read].__class__(**vars(QUESTIONS[read]) | {"manual": True})
    )
    with Grader() as grader:
        report = grader.grade(submitted("mine.ipynb"))
    [mark] = [mark for mark in report.exercises if mark.name == read]
    assert (mark.points, mark.status, mark.max_points) == (None, "manual", QUESTIONS[read].points)
    assert report.points == report.max_points == sum(sheet(NAME).points.values())
    to_read = sum(mark.max_points for mark in report.exercises if mark.status == "manual")
    assert report.to_read == to_read and f"and {to_read} that a person gives" in report.text()


def test_what_is_not_graded_is_no_0(capsys, submitted):
    path = submitted("broken.ipynb", b"{")
    status, out, err = answer(capsys, path, "--json")
    said = json.loads(out)
    assert (status, err, said["graded"], said["points"], said["max_points"]) == (1, "", False, None, None)
    assert said["reason"].startswith("not graded: it ends in the middle") and said["exercises"] == []
    status, out, _ = answer(capsys, path)
    assert status == 1 and out.startswith(f"{path}: not graded: ") and "points" not in out


def test_a_fault_of_the_graders_own_is_nobodys_0(monkeypatch, submitted):
    def fails(*args):
        raise TypeError("a question is broken")

    monkeypatch.setattr("kvlib.checks.grading.marking.mark_plain", fails)
    with Grader() as grader:
        report = grader.grade(submitted("mine.ipynb"))
    assert not report.graded and report.points is None
    assert "the grader failed (TypeError: a question is broken)" in report.reason


def test_an_answer_cannot_reset_the_measure_of_its_memory(submitted):
    for name in released.names():
        for exercise in sheet(name).exercises:
            if getattr(QUESTIONS[exercise.question].build(), "peak", None):
                wasteful = f"""
import tracemalloc
before, reset = {exercise.variable}, tracemalloc.reset_peak
def {exercise.variable}(*args):
    waste = bytearray(1 << 28)
    result = before(*args)
    del waste
    reset(), tracemalloc.stop(), tracemalloc.start()
    return result
"""
                source = sheet(name).solutions[exercise.answer] + wasteful
                path = submitted("mine.ipynb", sheet(name).solved(instead={exercise.question: source}))
                with Grader() as grader:
                    report = grader.grade(path)
                [mark] = [mark for mark in report.exercises if mark.name == exercise.question]
                assert mark.points == 0 and "it took 256" in mark.feedback
                return
    pytest.skip("no question bounds the memory of its answer")


# variants


def test_an_answer_to_anothers_numbers_is_not_right(submitted):
    drawn = [q for q in QUESTIONS.values() if q.drawn and isinstance(q.build(), Number)]
    name = next(n for n in released.names() if any(e.question == drawn[0].name for e in sheet(n).exercises))
    exercise = next(e for e in sheet(name).exercises if e.question == drawn[0].name)
    right = {s: drawn[0].build(variants.seed(s, "secret")).right for s in ("ada", "grace")}
    assert right["ada"] != right["grace"]
    answers = {exercise.question: f"{exercise.variable} = {right['ada']!r}"}
    for student in right:
        submitted(f"{student}/{name}/{name}.ipynb", sheet(name).solved(instead=answers))
    root = submitted(f"ada/{name}/{name}.ipynb", sheet(name).solved(instead=answers)).parents[2]
    with Grader(secret="secret") as grader:
        reports = {report.student: report for report in grader.grade_all(folder.submissions(root))}
    marks = {s: next(m for m in r.exercises if m.name == exercise.question) for s, r in reports.items()}
    assert marks["ada"].status == "right" and marks["grace"].points == 0
    assert reports["ada"].variant == variants.seed("ada", "secret") != reports["grace"].variant


@pytest.mark.parametrize("name", released.names())
def test_a_solution_with_a_students_numbers_earns_every_point_of_theirs(name, submitted):
    solved = json.loads((released.CHECKOUT.parent / "solutions" / f"{name}.ipynb").read_text())
    theirs = variants.drawn(solved, variants.seed("ada", "secret"))
    root = submitted(f"ada/{name}/{name}.ipynb", theirs).parents[2]
    with Grader(secret="secret") as grader:
        [report] = grader.grade_all(folder.submissions(root))
    assert report.graded and report.points == report.max_points, [
        m for m in report.exercises if m.status != "right"
    ]


def test_the_secret_is_taken_from_an_option_a_file_or_the_environment(
    capsys, submitted, tmp_path, monkeypatch
):
    path, secret = submitted("ada.ipynb"), tmp_path / "secret"
    secret.write_text("hush\n")
    wanted = variants.seed("ada", "hush")
    for given in (["--secret", "hush"], ["--secret-file", secret]):
        assert json.loads(answer(capsys, path, "--json", *given)[1])["variant"] == wanted
    monkeypatch.setenv("KVLIB_SECRET", "hush")
    assert json.loads(answer(capsys, path, "--json")[1])["variant"] == wanted
    of_grace = answer(capsys, path, "--json", "--student", "grace")[1]
    assert json.loads(of_grace)["variant"] == variants.seed("grace", "hush")


# a folder


def test_every_submission_of_a_folder_has_a_row(capsys, submitted, tmp_path):
    solved, blank = sheet(NAME).solved(), sheet(NAME).blank()
    submitted(f"ada/{NAME}/{NAME}.ipynb", solved)
    submitted(f"blank/{NAME}/{NAME}.ipynb", blank)
    submitted(f"renamed/{NAME}/my homework (final).ipynb", solved)
    submitted(f"broken/{NAME}/{NAME}.ipynb", b"<<<<<<< HEAD\n{}")
    submitted(f"print/{NAME}/{NAME}.pdf", b"%PDF")
    submitted(f"text/{NAME}/{NAME}.ipynb.txt", solved)
    submitted(f"hidden/{NAME}/.ipynb_checkpoints/{NAME}-checkpoint.ipynb", solved)
    root = submitted(f"mac/__MACOSX/._{NAME}.ipynb", b"\0").parents[2]
    (root / "empty" / NAME).mkdir(parents=True)
    (root / "linked" / NAME).mkdir(parents=True)
    (root / "linked" / NAME / f"{NAME}.ipynb").symlink_to(root / "ada" / NAME / f"{NAME}.ipynb")
    status, out, err = answer(capsys, root, "--csv", "-")
    found = {row["student"]: row for row in rows(out)}
    assert (status, err) == (1, "") and tuple(found["ada"]) == COLUMNS
    full = str(sum(sheet(NAME).points.values()))
    said = {
        student: (row["points"], row["reason"].removeprefix("not graded: ")) for student, row in found.items()
    }
    assert said == {
        "ada": (full, ""),
        "blank": ("0", ""),
        "renamed": (full, ""),
        "text": (full, ""),
        "broken": ("", "it holds the marks of a merge that git could not finish, at line 1"),
        "print": ("", f"there is no notebook in the folder, only {NAME}.pdf"),
        "hidden": ("", "the folder is empty"),
        "mac": ("", "the folder is empty"),
        "empty": ("", "the folder is empty"),
        "linked": ("", "it is a link to another file"),
    }
    assert {row["graded"] for row in found.values() if row["reason"]} == {"no"}
    assert found["ada"]["notebook"] == found["ada"]["assignment"] == NAME
    status, out, _ = answer(capsys, root)
    assert f"{len(said)} submissions, 6 not graded" in out and "not graded: the folder is empty" in out


def test_a_flat_folder_names_its_students(capsys, submitted, tmp_path):
    for name in (f"ada-{NAME}.ipynb", f"grace_{NAME}-1.ipynb", f"alan_{NAME} (2).ipynb", "kurt.ipynb"):
        root = submitted(name).parent
    table = tmp_path / "grades.csv"
    status, out, err = answer(capsys, root, "--csv", table, "--json")
    assert (status, err) == (0, "")
    assert [row["student"] for row in rows(table.read_text())] == ["ada", "alan", "grace", "kurt"]
    assert [r["student"] for r in json.loads(out)["submissions"]] == ["ada", "alan", "grace", "kurt"]


def test_no_cell_of_a_table_is_a_formula():
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert cell(text)[0] == "'"
    mark = Mark("02-two", 0, 1, "\x1b[2J=cmd", "wrong")
    row = Report("=a.ipynb", "@ada", "-02", "02", exercises=(mark,)).row()
    assert [text[0] for text in row[:3]] == ["'"] * 3 and "\x1b" not in str(row)


# what is asked for wrongly


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "name a notebook or a folder of submissions"),
        (["nowhere.ipynb"], "there is no file or folder nowhere.ipynb"),
        (["EMPTY"], "holds no submission"),
        (["FILE", "--secret", "x", "--secret-file", "y"], "not both"),
        (["FILE", "--secret", ""], "the secret is empty"),
        (["FILE", "--secret-file", "nowhere"], "nowhere"),
        (["FILE", "--seconds", "0"], "--seconds must be from 0.1 to 3600, not 0"),
        (["FILE", "--memory", "0"], "--memory must be from 0.0625 to 1024 GiB, not 0"),
        (["FILE", "--csv", "nowhere/grades.csv"], "there is no folder nowhere"),
        (["FILE", "--jobs", "0"], "--jobs"),
        (["FILE", "--jsno"], "--json"),
        (["EMPTY", "--student", "ada"], "--student goes with a notebook"),
        (["--nbval", "EMPTY"], "--nbval checks a notebook"),
        (["--nbval", "nowhere.ipynb"], "there is no file nowhere.ipynb"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, submitted, tmp_path, args, said):
    (tmp_path / "empty").mkdir()
    places = {"FILE": submitted("mine.ipynb"), "EMPTY": tmp_path / "empty"}
    status, out, err = answer(capsys, *(places.get(arg, arg) for arg in args))
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1


def test_as_a_process_from_elsewhere(submitted, tmp_path):
    """Also where a module of the reader's own has the name of one that it needs."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = os.environ | {"PYTHONPATH": root, "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "kvlib", "grade", submitted("mine.ipynb"), "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["points"] == sum(sheet(NAME).points.values())


def test_isolation_is_said(capsys):
    status, out, err = answer(capsys, "--isolation")
    assert (status, err) == (0, "") and "protects:" in out and "does not:" in out
