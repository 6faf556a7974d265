"""Wrong answers are told what is wrong with them, and right ones in an odd form are right."""

import contextlib
import importlib
import io
from pathlib import Path

import pytest

from kvlib.checks import Function, calls, check
from kvlib.checks.questions import QUESTIONS

FILES = sorted(path.stem for path in (Path(__file__).parent / "wrong_answers").glob("[0-9]*.py"))
CHAPTERS = sorted({name[:2] for name in FILES})
NAMED = 0.85  # of a chapter's wrong answers
LEAST = 45  # wrong answers a chapter
# What is said of any wrong answer names no mistake.
UNNAMED = ("Your number is too", " it gives ", " raises ", " it does not end within ", "it is wrong.")
ANYTHING = ("Not yet", "Right", "Give ", "Answer", " of ", "points", "Your number", "For ", "Or: ")


def rows(name, chapter):
    modules = [importlib.import_module(f"tests.wrong_answers.{f}") for f in FILES if f[:2] == chapter]
    return [row for module in modules for row in getattr(module, name, ())]


def cases(name):
    found = []
    for chapter in CHAPTERS:
        for number, row in enumerate(rows(name, chapter)):
            found.append(
                pytest.param(*row, *(0,) * (name == "WRONG" and len(row) < 4), id=f"{row[0]}-{number}")
            )
    return found


def feedback(question, answer):
    """(points, what is printed) of an answer to the book's own numbers."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        points = check(question, answer)
    return points, printed.getvalue()


@pytest.mark.parametrize("question, answer, said, points", cases("WRONG"))
def test_a_wrong_answer_is_told_what_is_wrong(question, answer, said, points):
    earned, told = feedback(question, answer)
    assert points < QUESTIONS[question].points
    assert earned == points, told
    if said is None:
        assert any(words in told for words in UNNAMED), f"it is named, so say how: {told}"
    else:
        assert len(said) >= 8 and said not in ANYTHING, "a part of the sentence that only this mistake gets"
        assert said in told


@pytest.mark.parametrize("question, answer, said, points", cases("WRONG"))
def test_a_wrong_function_is_wrong_on_cases_of_other_seeds_too(question, answer, said, points, monkeypatch):
    """A grader draws its own: no mistake may go unseen for want of a case."""
    marker = QUESTIONS[question].build()
    if not isinstance(marker, Function) or not callable(answer):
        return
    monkeypatch.setattr(calls, "SECONDS", 1.0)
    for seed in range(1, 4):
        callee = calls.Here(answer)
        callee.seed = seed
        drawn = marker.draw(seed)
        pairs = zip(drawn, callee.run(drawn), marker.outcomes(marker.reference, drawn), strict=True)
        seen = any(not marker.agree(case, got, want) for case, got, want in pairs)
        assert seen or marker.mark(callee)[0] == 0, seed


@pytest.mark.parametrize("question, answer", cases("RIGHT"))
def test_a_right_answer_in_an_odd_form_is_right(question, answer):
    earned, told = feedback(question, answer)
    assert earned == QUESTIONS[question].points, told


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_enough_wrong_answers_and_most_are_named(chapter):
    wrong = rows("WRONG", chapter)
    named = sum(row[2] is not None for row in wrong)
    assert len(wrong) >= LEAST
    assert named / len(wrong) >= NAMED, f"{named} of {len(wrong)}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_of_a_chapter_has_wrong_and_right_answers(chapter):
    asked = {name for name in QUESTIONS if name[:2] == chapter}
    assert {row[0] for row in rows("WRONG", chapter)} == asked
    assert {row[0] for row in rows("RIGHT", chapter)} == asked
