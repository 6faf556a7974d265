"""README names what is there: each path of its tree, each verb of the Makefile."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
TREE = re.search(r"## The tree\n\n```\n(.*?)```", README, re.DOTALL)[1]
VERBS = set(re.findall(r"^([a-z]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def paths():
    """Every path that the tree names; two spaces further in is one folder deeper."""
    folders = []
    for line in TREE.splitlines():
        if match := re.match(r"( *)(\S+)", line):
            depth = len(match[1]) // 2
            if depth < 3:  # beyond are the descriptions
                folders[depth:] = [match[2]]
                yield "/".join(part.rstrip("/") for part in folders)


@pytest.mark.parametrize("path", list(paths()))
def test_a_path_of_the_tree_is_there(path):
    assert (ROOT / path).exists()


def test_the_tree_names_every_module_of_kvlib():
    there = {p.stem for p in (ROOT / "kvlib").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    named = {Path(path).stem for path in paths() if path.startswith("kvlib/")}
    assert there - {"__init__", "__main__"} <= named


def test_the_tree_names_the_verbs_of_the_makefile():
    [listed] = re.findall(r"^Makefile +(.*)$", TREE, re.MULTILINE)
    assert set(re.findall(r"[a-z]+", listed)) - {"make"} == VERBS - {"lint", "browser", "clean"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "book/for-instructors.md", "CHANGELOG.md"])
def test_a_page_names_only_verbs_that_there_are(page):
    said = re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert set(said) <= VERBS


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_page_names_only_files_that_are_there(page):
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`((?:kvlib|tests|tools|book|solutions|exercises|\.github)/[\w./-]*)`", text))
    named |= {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
