"""For instructors: what a chapter takes, what it aims at and which exercise tests it, and the schedules."""

import re

import pytest

from kvlib.checks.questions import QUESTIONS
from tools import chapters, exercise_table

PAGE = (chapters.BOOK / "for-instructors.md").read_text()
README = (chapters.ROOT / "README.md").read_text()
OBJECTIVES = exercise_table.objectives()
ID = re.compile(r"\b\d\d-[a-z][\w-]*")


def test_each_chapter_has_objectives():
    assert list(OBJECTIVES) == chapters.chapters()
    for name, aim in OBJECTIVES.items():
        assert set(aim) == {"needs", "gpu", "objectives"} and len(aim["objectives"]) >= 3, name


@pytest.mark.parametrize("name", chapters.chapters())
def test_every_exercise_tests_one_objective_and_every_objective_has_one(name):
    tested = [objective["exercises"] for objective in OBJECTIVES[name]["objectives"]]
    assert all(tested)
    there = [question for question in QUESTIONS if question.startswith(name[:3])]
    assert sorted(sum(tested, [])) == sorted(there)


def test_the_time_to_read_follows_the_rule(monkeypatch):
    printed = {"output_type": "stream", "name": "stdout", "text": ["a line\n"] * 19}
    made = [
        {"id": "title", "cell_type": "markdown", "source": "# Title"},
        {"id": "links", "cell_type": "markdown", "source": "not read"},
        {"id": "setup", "cell_type": "code", "source": "not read"},
        {"id": "idea", "cell_type": "markdown", "source": "word " * 400 + "$$a + b$$"},
        {"id": "run", "cell_type": "code", "metadata": {}, "source": "x = 1", "outputs": [printed]},
        {
            "id": "widget",
            "cell_type": "code",
            "metadata": {"tags": ["nbval-ignore-output"]},
            "source": "from kvlib.widgets import Paging\n\nPaging()\n" + "\n" * 16,
            "outputs": [printed],
        },
    ]
    monkeypatch.setattr(chapters, "cells", lambda name: made)
    assert chapters.minutes("any") == 2 + 1 + 3 + 1


def test_what_a_page_says_of_the_time_is_true():
    took = [chapters.minutes(name) for name in chapters.chapters()]
    assert 10 <= min(took) and max(took) <= 30
    assert "ten chapters of ten minutes to half an hour each" in README and len(took) == 10
    assert "A chapter takes ten minutes to half an hour to read" in chapters.markdown("index")
    for words, pace in (("200 words", "words"), ("20 lines", "lines")):
        assert words in PAGE and int(words.split()[0]) == chapters.PACE[pace]
    assert "three minutes for a figure" in PAGE and round(1 / chapters.PACE["figures"]) == 3
    assert "half a minute for a drawing" in PAGE and chapters.PACE["drawings"] == 2


def schedule(heading):
    """The rows of the table under this heading: lists of cells."""
    text = PAGE[PAGE.index(f"**{heading}**") :]
    rows = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_lecture_and_its_lab_take_the_time_that_they_have():
    *lecture, lab = schedule("One lecture with a lab")
    assert sum(int(row[0]) for row in lecture) == 90
    assert sum(QUESTIONS[name].minutes for name in ID.findall(lab[2])) <= int(lab[0]) == 90


def test_four_weeks_have_every_chapter_and_exercises_of_it():
    rows = schedule("Four weeks")
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    for _, what, exercises in rows:
        said = {f"{int(number):02}" for number in re.findall(r"\d+", what)}
        assert {name[:2] for name in ID.findall(exercises)} == said
        assert 60 <= sum(QUESTIONS[name].minutes for name in ID.findall(exercises)) <= 150
    assert {name[:2] for row in rows for name in ID.findall(row[2])} == {n[:2] for n in chapters.chapters()}


def test_the_exercises_in_words_are_those_that_a_person_reads():
    [named] = re.findall(r"words \(([^)]*)\)", PAGE)
    assert sorted(ID.findall(named)) == sorted(q.name for q in QUESTIONS.values() if q.manual)
