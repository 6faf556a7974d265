"""`make repo`: one address, everywhere; and what a notebook says while there is none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import notebooks, repo

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "https://github.com/ada/kv-course"


@pytest.fixture
def checkout(tmp_path):
    """A copy of what `make repo` changes, with its own origin."""
    for name in ("book", "solutions", "exercises", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_static", "__pycache__"))
    for name in (*repo.FILES, "requirements-model.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def make_repo(folder, *arguments):
    command = [sys.executable, "-m", "tools.repo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "url",
    [ADDRESS, f"{ADDRESS}/", f"{ADDRESS}.git", "git@github.com:ada/kv-course.git", f" {ADDRESS}.git\n"],
)
def test_an_address_is_taken_in_every_form_that_git_gives(url):
    assert repo.address(url) == ADDRESS


@pytest.mark.parametrize(
    "url, said",
    [
        ("", "no repository"),
        ("http://github.com/a/b", "no repository"),
        ("https://github.com/a", "no repository"),
        ("https://github.com/a/b/tree/main", "no repository"),
        ("https://github.com/a/..", "no repository"),
        ("https://github.com/a/.", "no repository"),
        ("https://github.com/../b", "no repository"),
        ("https://github.com/a/.git", "no repository"),
        ("https://github.com/-a/b", "no repository"),
        ("https://gitlab.com/a/b", "no repository"),
        ("ada/kv-course", "no repository"),
        ("https://github.com/NAME/REPOSITORY", "placeholder"),
        ("https://github.com/NAME/REPOSITORY.git", "placeholder"),
        ("https://github.com/YOUR_ACCOUNT/kv-cache-course", "placeholder"),
    ],
)
def test_what_is_no_address_is_refused(url, said):
    with pytest.raises(ValueError, match=said):
        repo.address(url)


def test_repo_writes_the_address_and_nothing_else(checkout):
    before, old = contents(checkout), notebooks.repository()
    done = make_repo(checkout, f"{ADDRESS}.git")
    assert (done.returncode, done.stderr) == (0, "")
    after = contents(checkout)
    changed = {p for p in after if ".git" not in p.parts and after[p] != before.get(p)}
    assert {p for p in changed if p.suffix != ".pyc"} == {
        *map(Path, repo.FILES), *(p.relative_to(ROOT) for p in notebooks.notebooks())
    }  # fmt: skip
    assert not any(old.encode() in after[p] for p in changed)
    for path in notebooks.notebooks():
        cells = json.loads(after[path.relative_to(ROOT)])["cells"]
        [setup] = ["".join(c["source"]) for c in cells if c["id"] == "setup"]
        assert f"%pip install -q git+{ADDRESS}\n" in setup and setup.endswith("import kvlib")


def test_repo_offers_the_checkouts_origin(checkout):
    assert "origin" not in make_repo(checkout).stderr
    git(checkout, "remote", "add", "origin", "git@github.com:ada/kv-course.git")
    done = make_repo(checkout)
    assert done.returncode == 2 and f"make repo URL={ADDRESS}\n" in done.stderr


@pytest.mark.parametrize("name", repo.FILES)
def test_every_file_says_the_address_of_the_config(name):
    assert notebooks.repository() in (ROOT / name).read_text()


def test_without_an_address_the_setup_cell_says_what_to_do(monkeypatch):
    """Where kvlib is missing, as on Colab before the course is published."""
    monkeypatch.setitem(sys.modules, "kvlib", None)
    with pytest.raises(ModuleNotFoundError, match="make lab.*make repo URL=") as raised:
        exec(notebooks.setup_source("https://github.com/YOUR_ACCOUNT/kv-cache-course"), {})
    assert raised.value.__suppress_context__, "the reader sees one sentence and not two errors"
