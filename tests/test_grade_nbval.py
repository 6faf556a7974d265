"""A reader's own check by nbval: neither saved outputs nor edited checks are the reference."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .attacks import handed_in, sheet
from .attacks.accident import ACCIDENTS
from .attacks.attack import ATTACKS

ROOT = Path(__file__).resolve().parent.parent
NAME = "02-the-formula"
SAVED = [
    "saved outputs that say Right",
    "checks edited to a number",
    "checks edited to print Right",
    "points raised and locks opened in the metadata",
    "checks deleted and points claimed in the text",
]


def run(*command, cwd=ROOT):
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The cells that `kvlib grade --nbval` finds failing in each of some notebooks, and all that it says."""
    root = tmp_path_factory.mktemp("mine")
    blank = sheet(NAME).blank()
    for cell in blank["cells"]:  # saved by an editor after a run
        if cell["cell_type"] == "code":
            cell |= {"execution_count": 1, "outputs": []}
    made = {"right": sheet(NAME).solved(), "saved": blank}
    texts = {name: json.dumps(notebook).encode() for name, notebook in made.items()}
    texts |= {name: handed_in(ATTACKS[name], NAME) for name in SAVED}
    texts["below"] = handed_in(ACCIDENTS["the answer in a new cell below its check"], NAME)
    texts["stripped"] = handed_in(ACCIDENTS["metadata stripped, ids too"], NAME)
    for name, text in texts.items():
        (root / f"{name}.ipynb").write_bytes(text)
    files = [f"{name}.ipynb" for name in texts]
    _, said = run("kvlib", "grade", "--nbval", *files, cwd=root)
    failed = {name: set() for name in texts}
    for match in re.finditer(r"^FAILED (.+)\.ipynb::([\w-]+)", said, re.M):
        failed[match[1]].add(match[2])
    return failed, said


CHECKS = {e.check for e in sheet(NAME).exercises}


@pytest.mark.parametrize("name", ["right", "below", "stripped"])
def test_right_answers_pass(checked, name):
    failed, said = checked
    assert failed[name] == set(), said


@pytest.mark.parametrize("name", ["saved", *SAVED])
def test_blank_ones_fail_whatever_was_saved(checked, name):
    failed, said = checked
    assert failed[name] == CHECKS, said
    assert "Not answered yet. 0 of 1 point." in said and "Cell outputs differ" not in said


def test_pytest_in_the_folder_of_the_exercises_says_the_same(tmp_path):
    """Typed by hand, in a copy of the repository's folder, on an exercise as it is handed out."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    for name in ("conftest.py", f"{NAME}.ipynb"):
        (folder / name).write_bytes((ROOT / "exercises" / name).read_bytes())
    wrong = sheet(NAME).kind("")
    (folder / "saved.ipynb").write_text(
        json.dumps(sheet(NAME).solved(instead={wrong.question: f"{wrong.variable} = 1j"}))
    )
    status, said = run("pytest", "--nbval", "-p", "no:cacheprovider", "exercises", cwd=tmp_path)
    failed = set(re.findall(r"^FAILED exercises/(.+)\.ipynb::([\w-]+)", said, re.M))
    assert status == 1 and failed == {(NAME, check) for check in CHECKS} | {("saved", wrong.check)}, said
    assert "Not yet. " in said


def test_why_a_notebook_is_not_checked_is_said(tmp_path):
    (tmp_path / "other.ipynb").write_text(json.dumps(sheet(NAME).blank() | {"cells": []}))
    status, said = run("kvlib", "grade", "--nbval", "other.ipynb", cwd=tmp_path)
    assert status != 0 and "not graded: it has no cell of code" in said


def test_an_answer_that_ends_python_is_said(tmp_path):
    exercise = sheet(NAME).exercises[0]
    ended = {exercise.question: "import os\nos._exit(0)"}
    (tmp_path / "mine.ipynb").write_text(json.dumps(sheet(NAME).solved(instead=ended)))
    status, said = run("kvlib", "grade", "--nbval", "mine.ipynb", cwd=tmp_path)
    assert status == 1 and said.count("Python has ended before this cell") >= len(CHECKS)
