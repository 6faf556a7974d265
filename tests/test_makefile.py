"""The Makefile's promises: the gate on warnings holds always, and nothing asks for root."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Stands in for jupyter-book: it warns of what it reads, and what it has read once it reads no more.
JUPYTER_BOOK = """#!/bin/sh
echo build >> calls
mkdir -p _build/html _build/.doctrees
touch _build/html/index.html
if [ -e _build/.doctrees/read ]; then exit 0; fi
touch _build/.doctrees/read
! grep -q 'broken link' book/page.md
"""

# And for `python -m tools.runtime`, which writes what the pages run on, if that has changed.
PYTHON = """#!/bin/sh
[ "$2" = tools.runtime ] || exit 1
echo "$RUNTIME" > wanted
cmp -s wanted _build/.runtime || cp wanted _build/.runtime
"""


@pytest.fixture
def course(tmp_path):
    """The Makefile with a small book, a finished .venv, and a stand-in for jupyter-book."""
    files = ["Makefile", "_config.yml", "_toc.yml", "requirements.txt", "constraints.txt"]
    tools = [str(path.relative_to(ROOT)) for path in (ROOT / "tools").glob("*.py")]
    for name in [*files, "requirements-model.txt", "pyproject.toml", "setup.py", *tools]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in {"kvlib/units.py": "", "book/page.md": "all well", ".venv/bin/python": PYTHON}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    program = tmp_path / ".venv" / "bin" / "jupyter-book"
    program.write_text(JUPYTER_BOOK)
    program.chmod(0o755)
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    (tmp_path / ".venv" / ".book").touch()
    return tmp_path


def make(folder, *arguments):
    mine = ("MAKE", "RUNTIME")  # of the make that runs the tests
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def write(file, text):
    """As an editor would, a moment after the last build: make compares times."""
    file.write_text(text)
    newest = max(p.stat().st_mtime_ns for p in (file.parents[1] / "_build").rglob("*"))
    os.utime(file, ns=(newest + 10**7, newest + 10**7))


def test_a_warning_fails_the_book_each_time_until_it_is_mended(course):
    (course / "book" / "page.md").write_text("a broken link")
    assert [make(course, "book").returncode == 0 for _ in range(3)] == [False] * 3
    write(course / "book" / "page.md", "a link")
    assert make(course, "book").returncode == 0
    write(course / "book" / "page.md", "a broken link")
    assert [make(course, "book").returncode == 0 for _ in range(2)] == [False] * 2


def test_a_book_that_is_well_is_built_once(course):
    assert [make(course, "book").returncode for _ in range(3)] == [0] * 3
    assert (course / "calls").read_text() == "build\n"


def test_the_book_is_built_again_where_its_runtime_comes_or_goes_and_only_then(course):
    for arguments in [(), (), ("RUNTIME=no",), ("RUNTIME=no",), ("RUNTIME=yes",), ()]:
        assert make(course, "book", *arguments).returncode == 0
    assert (course / "calls").read_text() == "build\n" * 3


def test_what_needs_no_browser_is_tested_before_a_browser_is_asked_for():
    said = make(ROOT, "-n", "-o", ".venv/.test", "-o", ".venv/.book", "test").stdout
    places = [
        said.index(part) for part in ("ruff", "not browser", "--nbval", "browser.sh", "browser or book")
    ]
    assert places == sorted(places)


def test_nothing_asks_for_root():
    files = [ROOT / "Makefile", *(ROOT / "tools").glob("*.*"), *(ROOT / ".github").rglob("*.yml")]
    assert [p.name for p in files if re.search(r"\bsudo\b", p.read_text())] == []


def test_an_old_python_is_told_which_is_needed():
    [check] = re.findall(r"-c '(import sys; sys.version_info.*)'$", (ROOT / "Makefile").read_text(), re.M)
    old = check.replace("sys.version_info >=", "(3, 9) >=")
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True)
    assert done.returncode == 1 and "Python 3.11 or newer is needed" in done.stderr
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
