"""The map of the book: what was to be covered, and where a reader finds it (tests/data/coverage.json).

An item is of the source lessons, a mistake in them, a question that people ask in public, or one of a kind
of reader: who reads, who runs it on a GPU, who does the exercises, who teaches. It names pages of the book
and headings, and words that must stand between that heading and the next of its rank. The page of questions
has each question with a link to every such place.
"""

import json
import re
from pathlib import Path

import pytest

from tools.chapters import markdown

MAP = json.loads((Path(__file__).parent / "data" / "coverage.json").read_text(encoding="utf-8"))


def sections(page):
    """heading -> what stands under it, its smaller headings included."""
    found, written = {}, markdown(page)
    marks = list(re.finditer(r"^(#+) (.+)$", written, re.MULTILINE))
    for i, mark in enumerate(marks):
        ends = (m.start() for m in marks[i + 1 :] if len(m[1]) <= len(mark[1]))
        found[mark[2]] = written[mark.end() : next(ends, len(written))]
    return found


@pytest.mark.parametrize("item", MAP, ids=lambda item: item["item"])
def test_what_was_to_be_covered_stands_where_the_map_says(item):
    assert item["where"] and item["kind"] in ("lesson", "mistake", "question", "reader")
    for place in item["where"]:
        there = sections(place["page"])
        assert place["heading"] in there, f"{place['page']} has no heading {place['heading']!r}: {[*there]}"
        for words in place["says"]:
            assert words in there[place["heading"]], (
                f"{place['page']}, {place['heading']}: {words!r} is not there"
            )


def test_the_map_is_whole():
    kinds = [item["kind"] for item in MAP]
    assert len({item["item"] for item in MAP}) == len(MAP)
    assert [kinds.count(kind) for kind in ("lesson", "mistake", "question", "reader")] == [25, 24, 25, 20]


def slug(heading):
    """A heading's name in a link, as MyST makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_the_page_of_questions_has_each_with_a_link_to_every_place_that_answers_it():
    entries = re.findall(r"^\*\*(.+?)\*\* (.+)$", markdown("questions"), re.MULTILINE)
    linked = {asked: set(re.findall(r"\(([\w-]+)\.(?:md|ipynb)#([\w-]+)\)", said)) for asked, said in entries}
    asked = [item for item in MAP if item["kind"] in ("question", "reader")]
    assert len(entries) == len(linked)
    assert linked == {
        item["item"]: {(place["page"], slug(place["heading"])) for place in item["where"]} for item in asked
    }
