"""Where a chapter asks about a reader's own model or log, its page has a form, and a notebook a sentence."""

import json
import re

import pytest

from tools import ask_page
from tools.ask_page import BOOK, MARKER, PRESS, with_forms

PLACES = {
    "index": "config", "06-scaling-limits": "config", "09-any-model": "config",
    "10-production": "explain", "numbers-to-distrust": "explain",
}  # fmt: skip


def notebook(*sources) -> str:
    cells = [
        {"cell_type": "markdown", "id": f"c{n}", "metadata": {}, "source": s} for n, s in enumerate(sources)
    ]
    return json.dumps({"cells": cells})


def test_the_chapters_say_where_and_how_it_is_asked_without_the_page():
    found = {}
    for path in BOOK.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if asked := MARKER.findall(text):
                found[path.stem] = asked[0]
                assert "At the command line" in text or "at the command line" in text
                assert re.search(r"`kvlib (size|fit|explain) ", text), path.stem
    assert found == PLACES


def test_a_marker_becomes_a_button_and_the_rest_stays():
    made = json.loads(with_forms(notebook("a", ["### Own\n", "\n", "<!-- ask: config -->\n", "\n", "b"])))
    first, second = (cell["source"] for cell in made["cells"])
    assert first == "a" and second.startswith("### Own\n\n<div class=") and second.endswith("</div>\n\nb")
    assert 'id="ask-config"' in second and PRESS["config"] in second and "<p hidden>" in second
    assert "data-run-later" in second, "what run.js is to be told"


def test_a_page_without_a_marker_is_left_as_it_is():
    for text in (notebook("a <!-- = fmt(1) -->", "b"), "# Markdown\n<!-- ask: config -->"):
        assert with_forms(text) == text


def test_a_marker_that_nobody_answers_is_named():
    with pytest.raises(ValueError, match="<!-- ask: modle -->: a page can ask config or explain"):
        with_forms(notebook("<!-- ask: modle -->"))
    with pytest.raises(ValueError, match="more than once"):
        with_forms(notebook("<!-- ask: config -->", "<!-- ask: config -->"))


def test_a_changed_script_is_loaded_anew(monkeypatch, tmp_path):
    before = ask_page.version()
    monkeypatch.setattr(ask_page, "STATIC", tmp_path)
    (tmp_path / "ask.js").write_text("// another")
    assert ask_page.version() != before
