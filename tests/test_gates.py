"""The gates hold for every notebook and text, and each of them can say no."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import notebooks, prose

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))
SKELETON = [
    "The question", "The idea", "The figure to play with", "The formula", "The code", "The measurement",
    "Pause and recall", "The exercise", "What stays",
]  # fmt: skip


def source(cell):
    return "".join(cell["source"])


def test_notebooks_are_canonical(capsys):
    assert notebooks.main([]) == 0, capsys.readouterr().err


def test_prose_is_true(capsys):
    assert prose.main() == 0, capsys.readouterr().err


def notebook(*cells):
    made = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# T"]},
        {"cell_type": "markdown", "id": "links", "metadata": {}, "source": [""]},
        {
            "cell_type": "code",
            "id": "setup",
            "metadata": {"tags": ["remove-cell"]},
            "source": [""],
            "outputs": [],
            "execution_count": 1,
        },
    ]
    return {"cells": [*made, *cells], "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 5}


def markdown(text, name="some-words"):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": [text]}


def code(text, outputs=(), name="some-code", tags=()):
    return {
        "cell_type": "code", "id": name, "metadata": {"tags": list(tags)}, "source": [text],
        "outputs": list(outputs), "execution_count": 7,
    }  # fmt: skip


DRAWING = {"output_type": "display_data", "data": {"image/png": "x", "text/plain": "fig"}, "metadata": {}}
WARNING = {"output_type": "stream", "name": "stderr", "text": ["careful"]}


@pytest.mark.parametrize(
    "cell, said",
    [
        (markdown("```{note}\nhello\n```"), "MyST"),
        (markdown("see {ref}`there`"), "MyST"),
        (markdown(":::{tip}\nhello\n:::"), "MyST"),
        (markdown("(label)=\n## Section"), "MyST"),
        (markdown("text", name="1a2b3c4d"), "an id is"),
        (markdown("text", name="title"), "stands twice"),
        (code("x = 1\n" * 16), "at most 15"),
        (code("plot()", [DRAWING]), "it draws"),
        (code("warn()", [WARNING]), "error or warning"),
    ],
)
def test_a_faulty_cell_is_named(cell, said):
    path = ROOT / "book" / "x.ipynb"
    nb = notebooks.canonical(notebook(cell), path, "https://github.com/a/b")
    faults = notebooks.faults(nb, path)
    assert len(faults) == 1 and said in faults[0] and repr(cell["id"]) in faults[0]


def test_a_setup_that_the_page_would_show_is_a_fault():
    path, nb = ROOT / "book" / "x.ipynb", notebook()
    assert notebooks.faults(nb, path) == []
    nb["cells"][2]["metadata"] = {}
    [said] = notebooks.faults(nb, path)
    assert "'setup'" in said and "remove-cell" in said


def test_canonical_form_prunes_drawings_and_widgets():
    nb = notebook(code("plot()", [DRAWING], tags=[notebooks.IGNORE]), code("1", name="one"))
    made = notebooks.canonical(nb, ROOT / "book" / "x.ipynb", "https://github.com/a/b")
    drawing, plain = made["cells"][3:]
    assert "widgets" not in made["metadata"]
    assert (drawing["outputs"], drawing["execution_count"]) == ([], None)
    assert plain["execution_count"] == 3, "a kept count is the cell's place"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_canonical_mends_what_jupyterlab_saves(path):
    text = path.read_text()
    saved = json.loads(text)
    saved["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    saved["metadata"]["language_info"]["version"] = "3.13.0"
    saved["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    for place, cell in enumerate(saved["cells"]):
        cell["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}, "collapsed": False}
        if cell["cell_type"] == "code":
            drawn = notebooks.IGNORE in cell["metadata"].get("tags", [])
            if drawn:
                cell["outputs"] = [DRAWING]
            if drawn or cell["execution_count"] is not None:
                cell["execution_count"] = 40 + place
        cell["source"] = source(cell)
    assert notebooks.dump(notebooks.canonical(saved, path, notebooks.repository())) == text


@pytest.mark.parametrize("path", notebooks.notebooks(), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_setup_and_links_follow_the_config(path):
    cells = {c["id"]: source(c) for c in json.loads(path.read_text())["cells"]}
    url = notebooks.repository()
    assert url in cells["setup"] and url.removeprefix("https://github.com/") in cells["links"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("It takes 128 KiB.", "no claim"),
        ("It takes 50 % of it.", "no claim"),
        ("It takes 129 KiB<!-- = fmt(131072) -->.", "129 KiB"),
        ("It takes 2128 KiB<!-- = fmt(131072) -->.", "2128 KiB"),
        ("It takes 128 KiB<!-- = fmt(1310 -->.", "fails"),
        ("It takes 128 KB.", "write KiB"),
    ],
)
def test_untrue_prose_is_named(text, said):
    faults = prose.check(text, "here", prose.namespace())
    assert faults and any(said in fault for fault in faults)


@pytest.mark.parametrize(
    "text",
    [
        "It takes 128 KiB<!-- = fmt(131072) -->.",
        "It takes **2,147,483,648 bytes<!-- = 2**31 -->**.",
        "“128 KB”<!-- quoted -->, they say; 3.35 TB/s<!-- given --> is a fact of the card.",
        "In code, `x = 128 KB`, anything goes; and 32 layers need no claim.",
    ],
)
def test_true_prose_passes(text):
    assert prose.check(text, "here", prose.namespace()) == []


def test_the_six_chapters_are_there():
    assert [p.stem for p in CHAPTERS][:6] == [
        "01-why-a-cache", "02-the-formula", "03-worked-7b", "04-sharing-heads", "05-paging",
        "06-scaling-limits",
    ]  # fmt: skip


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapters_keep_the_skeleton(path):
    cells = json.loads(path.read_text())["cells"]
    text = "\n".join(source(c) for c in cells if c["cell_type"] == "markdown")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [h for h in headings if h in SKELETON] == SKELETON
    stays = text[text.index("## What stays") :]
    assert len(re.findall(r"^\d\. ", stays, re.MULTILINE)) == 3, "three sentences stay"


def test_repository_url_is_refused_when_it_is_none(tmp_path):
    for arguments in ([], ["http://github.com/a/b"], ["https://github.com/a"]):
        done = subprocess.run(
            [sys.executable, "-m", "tools.repo", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 2 and "URL=https://github.com/NAME/REPOSITORY" in done.stderr


def test_a_display_that_fails_is_noticed_where_its_output_is_not_kept(tmp_path):
    """The cell itself succeeds then."""
    source = "class Bad:\n    def _repr_html_(self):\n        raise ValueError('no picture')\ndisplay(Bad())"
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nb.cells[0].metadata["tags"] = ["nbval-ignore-output"]
    nbformat.write(nb, tmp_path / "x.ipynb")
    with pytest.raises(RuntimeError, match="ValueError: no picture"):
        notebooks.run(tmp_path / "x.ipynb")
