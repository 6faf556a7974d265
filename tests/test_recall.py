"""What a chapter asks at "Pause and recall" is answered in one place, which says what choice is right."""

import json
import re
from pathlib import Path

import pytest

from tools.chapters import ASKED

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))


def recall(path) -> str:
    [cell] = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["id"] == "recall"]
    return re.sub(r"<!--.*?-->", "", "".join(cell["source"]))


def bare(text) -> str:
    """As book/_static/run/quiz.js compares."""
    return re.sub(r"[\W_]", "", text.lower())


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_an_answer_begins_with_the_choice_that_is_right_or_with_the_word(path):
    text = recall(path)
    asked = list(ASKED.finditer(text))
    assert len(asked) == text.count("<details>") >= 3
    for match in asked:
        choices = [bare(choice) for choice in re.findall(r"^- (.+)$", match["choices"], re.MULTILINE)]
        lead = re.match(r"\*\*(.+?)\*\*", match["answer"])
        assert lead, f"{match['question']}: the answer begins in bold with what is right"
        if choices:
            assert len(set(choices)) == len(choices) >= 2
            assert choices.count(bare(lead[1])) == 1, match["question"]
        else:
            assert len(lead[1].split()) == 1, f"{match['question']}: a word"


def test_the_right_choice_is_not_always_at_the_same_place():
    places = []
    for path in CHAPTERS:
        for match in ASKED.finditer(recall(path)):
            choices = [bare(choice) for choice in re.findall(r"^- (.+)$", match["choices"], re.MULTILINE)]
            if choices:
                places.append(choices.index(bare(re.match(r"\*\*(.+?)\*\*", match["answer"])[1])))
    assert min(places.count(place) for place in (0, 1, 2)) >= len(places) / 5
