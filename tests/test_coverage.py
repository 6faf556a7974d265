"""The map of the book: what was to be covered, and where a reader finds it (tests/data/coverage.json).

An item is of the source lessons, a mistake in them, or a question that people ask in public. It names pages
of the book and headings, and words that must stand between that heading and the next of its rank.
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
    assert item["where"] and item["kind"] in ("lesson", "mistake", "question")
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
    assert [kinds.count(kind) for kind in ("lesson", "mistake", "question")] == [25, 24, 25]
