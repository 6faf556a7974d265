"""What a reader has solved: kept by the checks in a notebook's kernel alone, shown by `kvlib progress`."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import kvlib
from kvlib import cli
from kvlib.checks import Choice, Each, Function, Number, progress, progress_report
from kvlib.checks.progress import FILE, Tried
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.questions.common import Question

ROOT = Path(__file__).resolve().parent.parent
REAL = next(iter(QUESTIONS))
OWN = {
    "91-two": Question("91-two", 1, lambda: Choice("b", {"a": "No.", "c": "Nor this."}), {}, "recall", 2),
    "91-steps": Question("91-steps", 4, lambda: Each({"one": Number(1), "two": Number(2)}), {}, "by hand", 5),
    "90-code": Question("90-code", 2, lambda: Function(lambda n: 2 * n, lambda rng: [(3,)]), {}, "code", 9),
}  # fmt: skip


@pytest.fixture(autouse=True)
def questions(monkeypatch):
    """Questions of this file, so that a rewritten chapter changes nothing here."""
    for name in list(QUESTIONS):
        monkeypatch.delitem(QUESTIONS, name)
    for name, question in OWN.items():
        monkeypatch.setitem(QUESTIONS, name, question)


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """A reader's kernel, as far as a check can tell, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    )
    monkeypatch.delenv("KVLIB_PROGRESS", raising=False)
    monkeypatch.setattr(progress, "MACHINES", ())  # this is pytest
    return tmp_path


def shown(capsys, *args):
    capsys.readouterr()
    status = cli.main(["progress", *args])
    out = capsys.readouterr()
    return status, out.out, out.err


def test_attempts_are_counted_until_the_question_is_solved(kernel):
    for answer in ("a", "c", "b", "a", "b"):
        kvlib.check("91-two", answer)
    assert progress.read(kernel) == {"91-two": Tried(3, 1.0)}
    assert os.listdir(kernel) == [FILE]


def test_an_untouched_answer_is_no_attempt(kernel):
    kvlib.check("91-two", None)
    kvlib.check("91-steps", {"one": None, "two": ...})

    def doubled(n):
        """What the released notebook holds."""

    kvlib.check("90-code", doubled)
    assert not (kernel / FILE).exists()


def test_the_best_of_partly_right_answers_is_kept(kernel):
    progress.note("91-steps", 0.5)
    progress.note("91-steps", 0.25)
    assert progress.read(kernel) == {"91-steps": Tried(2, 0.5)}


@pytest.mark.parametrize("name", ["KVLIB_PROGRESS", "PYTEST_CURRENT_TEST", "NBGRADER_EXECUTION"])
def test_runs_of_machines_are_not_counted(kernel, monkeypatch, name):
    monkeypatch.setattr(progress, "MACHINES", ("PYTEST_CURRENT_TEST", "NBGRADER_EXECUTION"))
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    progress.note("91-two", 1)
    assert progress.read(kernel)
    (kernel / FILE).unlink()
    monkeypatch.setenv(name, "off")
    progress.note("91-two", 1)
    assert not (kernel / FILE).exists()


def test_outside_a_kernel_nothing_is_written(kernel, monkeypatch):
    for ipython in (None, SimpleNamespace(get_ipython=lambda: None)):
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        kvlib.check("91-two", "b")
    assert not (kernel / FILE).exists()


def test_a_kernel_writes_it_and_nbval_does_not(tmp_path):
    """The real thing: a notebook run as a reader's front end runs it, then by nbval."""
    import nbformat
    from nbclient import NotebookClient

    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_code_cell(f'import kvlib\nkvlib.check("{REAL}", "none of it")')]
    nbformat.write(nb, tmp_path / "one.ipynb")
    nbval = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", "one.ipynb"]
    environment = {n: v for n, v in os.environ.items() if n not in (*progress.MACHINES, "KVLIB_PROGRESS")}
    environment["PYTHONPATH"] = str(ROOT)
    assert subprocess.run(nbval, cwd=tmp_path, env=environment, capture_output=True).returncode == 0
    assert not (tmp_path / FILE).exists()
    with pytest.MonkeyPatch.context() as patch:
        for name in (*progress.MACHINES, "KVLIB_PROGRESS"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", str(ROOT))
        NotebookClient(nb, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert progress.read(tmp_path) == {REAL: Tried(1, 0.0)}


SPOILT = {
    "no JSON": "{",
    "conflict markers": "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n",
    "another version": '{"version": 9, "questions": {}}',
    "a list": "[]",
    "no attempts": '{"version": 1, "questions": {"91-two": {"attempts": 0, "share": 1}}}',
    "too large a share": '{"version": 1, "questions": {"91-two": {"attempts": 1, "share": 2}}}',
    "a field too many": '{"version": 1, "questions": {"91-two": {"attempts": 1, "share": 1, "x": 0}}}',
    "endless nesting": "[" * 100_000,
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_file_is_left_alone_and_named(kernel, capsys, what):
    (kernel / FILE).write_text(SPOILT[what])
    assert kvlib.check("91-two", "b") == 1
    assert capsys.readouterr() == ("Right. 1 of 1 point.\n", "")
    assert (kernel / FILE).read_text() == SPOILT[what] and os.listdir(kernel) == [FILE]
    status, _, err = shown(capsys)
    assert status == 2 and FILE in err and "delete it" in err


def test_bytes_that_are_no_text_and_a_folder_in_its_place(kernel, capsys):
    (kernel / FILE).write_bytes(b"\xff\xfe")
    assert kvlib.check("91-two", "b") == 1 and shown(capsys)[0] == 2
    (kernel / FILE).unlink()
    (kernel / FILE).mkdir()
    assert kvlib.check("91-two", "b") == 1 and shown(capsys)[0] == 2


def test_a_folder_that_takes_no_file_disturbs_no_check(kernel, capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(progress.os, "replace", refuse)
    assert kvlib.check("91-two", "b") == 1
    assert capsys.readouterr().out == "Right. 1 of 1 point.\n"
    assert os.listdir(kernel) == []


def test_a_write_that_fails_leaves_the_old_file(kernel, monkeypatch):
    progress.note("91-two", 0)
    before = (kernel / FILE).read_text()

    def full(self, text, **_):
        with open(self, "w") as file:
            file.write(text[:5])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    progress.note("91-two", 1)
    assert (kernel / FILE).read_text() == before and os.listdir(kernel) == [FILE]
    assert stat.S_ISREG((kernel / FILE).stat().st_mode)


def test_the_report_has_bars_attempts_points_and_what_comes_next(kernel, capsys):
    (kernel / "91-numbers.ipynb").touch()
    solved, partly = Tried(3, 1.0), Tried(2, 0.5)
    progress._write(kernel / FILE, {"91-two": solved, "91-steps": partly})
    status, out, _ = shown(capsys)
    assert status == 0
    row = next(line for line in out.splitlines() if line.startswith("91-numbers.ipynb"))
    assert "1 of 2 solved, 3 of 5 points" in row and "[############........]" in row
    assert "solved (attempts): two (3)" in out
    assert "open: steps, 2 of 4 points after 2 attempts" in out
    assert out.startswith("90 ") and out.endswith('\n\nNext: "code" in 90, 2 points, about 9 minutes.\n')


def test_what_was_begun_comes_next_before_what_was_not(kernel, capsys):
    progress._write(kernel / FILE, {"90-code": Tried(1, 1.0), "91-steps": Tried(1, 0.0)})
    assert 'Next: "steps" in 91, 4 points, about 5 minutes.' in shown(capsys)[1]
    progress._write(kernel / FILE, {name: Tried(1, 1.0) for name in QUESTIONS})
    out = shown(capsys)[1]
    assert "All is solved." in out and "." not in out.splitlines()[0].partition("[")[2].partition("]")[0]


def test_a_bar_is_full_only_where_all_is_solved():
    [asked] = [asked for number, asked in progress_report.chapters() if number == "91"]
    nearly = {q.name: Tried(1, 1.0) for q in asked} | {asked[0].name: Tried(1, 0.99)}
    assert ".]" in progress_report._row("91", asked, nearly, 2)


def test_json_gives_every_exercise(kernel, capsys):
    progress._write(kernel / FILE, {"91-steps": Tried(2, 0.5), "gone-since": Tried(1, 1.0)})
    status, out, _ = shown(capsys, "--json")
    kept = json.loads(out)
    assert status == 0 and len(kept["exercises"]) == len(QUESTIONS) and kept["points"] == 2
    [steps] = [e for e in kept["exercises"] if e["name"] == "91-steps"]
    assert steps == {"name": "91-steps", "points": 2, "max_points": 4, "attempts": 2, "solved": False}


def test_the_folder_is_this_one_or_exercises_in_it(kernel, capsys):
    assert "Nothing was checked in" in shown(capsys)[1]
    (kernel / "exercises").mkdir()
    progress._write(kernel / "exercises" / FILE, {"91-two": Tried(1, 1.0)})
    assert "two (1)" in shown(capsys)[1]
    assert "two (1)" in shown(capsys, "exercises")[1]
    status, _, err = shown(capsys, "exercise")
    assert status == 2 and "exercise is no folder" in err


def test_chapters_come_in_the_books_order_and_exercises_as_they_are_asked():
    asked = [(number, [q.name for q in questions]) for number, questions in progress_report.chapters()]
    assert asked == [("90", ["90-code"]), ("91", ["91-two", "91-steps"])]


def test_the_verbs_of_make_count_no_attempts():
    said = subprocess.run(
        ["make", "-n", "-p", "notebooks", "-o", ".venv/.book"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert "KVLIB_PROGRESS = off" in said or "KVLIB_PROGRESS := off" in said
    assert FILE in (ROOT / ".gitignore").read_text()
