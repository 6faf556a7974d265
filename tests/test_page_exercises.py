"""An exercise of the page is marked as its notebook marks it: kvlib.page beside kvlib.check, in CPython."""

import ast
import contextlib
import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import kvlib
from kvlib import page
from kvlib.checks import calls
from kvlib.checks.questions import QUESTIONS
from tools import exercises_page
from tools.exercise_forms import form

from .test_wrong_answers import CHAPTERS, FILES, feedback, rows

ROOT = Path(__file__).resolve().parent.parent
NAMES = [path.stem for path in sorted((ROOT / "exercises").glob("*.ipynb"))]
ASKED = {
    asked["question"]: (asked, name)
    for name in NAMES
    for asked in exercises_page.exercises(exercises_page.notebook(name))
}
# What rows hold that no source can say, as a function; a cell takes it from here by its number.
HANDED: list = []


def cells(folder, name) -> dict[str, str]:
    notebook = json.loads((ROOT / folder / f"{name}.ipynb").read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


def payload(question, code) -> dict:
    """What the page sends when `code` is the answer's cell."""
    asked, name = ASKED[question]
    given = cells("exercises", name)
    before = [given[cell] for cell in asked["before"]]
    return {"question": question, "variable": asked["variable"], "code": code, "before": before}


def told(question, code) -> dict:
    return json.loads(page.answer("check", json.dumps(payload(question, code))))


def cell_of(question, answer) -> str:
    """A cell that gives `answer`: its source where that says it, else a cell that fetches it from here."""
    variable = ASKED[question][0]["variable"]
    with contextlib.suppress(ValueError, SyntaxError):
        if ast.literal_eval(repr(answer)) == answer:
            return f"{variable} = {answer!r}"
    HANDED.append(answer)
    return f"from tests.test_page_exercises import HANDED\n{variable} = HANDED[{len(HANDED) - 1}]"


def fresh(kind, chapter) -> list:
    """The rows of a chapter, made anew: some classes of theirs remember between their objects."""
    for file in FILES:
        if file.startswith(chapter):
            importlib.reload(importlib.import_module(f"tests.wrong_answers.{file}"))
    return rows(kind, chapter)


def test_every_question_is_asked_in_a_page():
    assert sorted(ASKED) == sorted(QUESTIONS)


@pytest.mark.parametrize("question", ASKED)
def test_an_untouched_answer_earns_nothing(question):
    asked, name = ASKED[question]
    said = told(question, cells("exercises", name)[asked["answer"]])
    points = QUESTIONS[question].points
    sentence = f"Not answered yet. 0 of {points} point{'s' * (points != 1)}."
    assert said == {"points": 0, "of": points, "said": sentence}


@pytest.mark.parametrize("question", ASKED)
def test_the_solution_earns_every_point(question):
    asked, name = ASKED[question]
    said = told(question, cells("solutions", name)[asked["answer"]])
    points = QUESTIONS[question].points
    assert (said["points"], said["of"]) == (points, points) and said["said"].startswith("Right. ")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_wrong_answer_is_told_what_its_notebook_tells_it(chapter, monkeypatch):
    monkeypatch.setattr(calls, "SECONDS", 1.0)
    in_notebook = [feedback(question, answer) for question, answer, *_ in fresh("WRONG", chapter)]
    for (question, answer, *_), expected in zip(fresh("WRONG", chapter), in_notebook, strict=True):
        said = told(question, cell_of(question, answer))
        assert (said["points"], said["said"] + "\n") == expected, question


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_right_answer_in_an_odd_form_is_right_in_the_page_too(chapter):
    for question, answer in rows("RIGHT", chapter):
        assert told(question, cell_of(question, answer))["points"] == QUESTIONS[question].points, question


def test_code_that_raises_is_told_where_and_what_it_printed_is_shown():
    said = told("02-bytes", "print('here')\nlast_factor = 1 / 0")
    assert said["said"] == (
        "Your code for this exercise stops with ZeroDivisionError on line 2 of its cell: division by zero."
        " 0 of 1 point."
    )
    assert said["printed"] == "here\n"
    # What was answered before it raised counts, as it does in a notebook.
    assert told("02-bytes", "last_factor = 'd'\n1 / 0")["said"] == "Right. 1 of 1 point."


def test_code_cannot_end_the_page_nor_replace_its_check():
    for code in ("raise SystemExit", "import os\nraise KeyboardInterrupt", "del kvlib\nlast_factor = None"):
        assert told("02-bytes", code)["points"] == 0
    before = kvlib.check
    told("02-bytes", "import sys\nkvlib = None\nlast_factor = 'd'")
    assert kvlib.check is before
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        kvlib.check("02-bytes", "d")
    assert printed.getvalue() == "Right. 1 of 1 point.\n"


def test_a_variants_seed_is_taken():
    seed = "0000002a"
    numbers = QUESTIONS["04-factor"].numbers(seed)
    given = payload("04-factor", f"times_smaller = {numbers['heads'] / numbers['kv_heads']}")
    assert json.loads(page.answer("check", json.dumps(given | {"variant": seed})))["points"] == 2
    assert json.loads(page.answer("check", json.dumps(given)))["points"] == 0


def test_an_unknown_question_is_named():
    given = {"question": "02-byte", "variable": "x", "code": "x = 1"}
    said = json.loads(page.answer("check", json.dumps(given)))
    assert said == {"error": "unknown question '02-byte'; did you mean 02-bytes or 07-bytes or 02-note?"}


WITHOUT_NUMPY = """
import json, sys

for heavy in ("numpy", "torch", "matplotlib", "numba", "IPython"):
    sys.modules[heavy] = None
from kvlib import page

print(json.dumps([json.loads(page.answer("check", text)) for text in json.load(sys.stdin)]))
"""


def test_without_numpy_a_question_is_marked_or_says_what_it_needs():
    """The page's Python has none."""
    sent = [
        json.dumps(payload(question, cells("solutions", name)[asked["answer"]]))
        for question, (asked, name) in ASKED.items()
    ]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    needing = set()
    for question, said in zip(ASKED, json.loads(run.stdout), strict=True):
        if QUESTIONS[question].needs:
            assert "needs numpy" in said["error"]
            needing.add(question)
        else:
            assert said["points"] == QUESTIONS[question].points, (question, said)
    assert needing == {"01-step", "01-rotary", "04-grouped"}


def test_exercises_follow_the_cell_that_speaks_of_them_and_no_chapter_lacks_it():
    text = (ROOT / "book" / "02-the-formula.ipynb").read_text(encoding="utf-8")
    ids = [cell["id"] for cell in json.loads(exercises_page.with_exercises(text, "02-the-formula"))["cells"]]
    at = ids.index("exercise")
    assert ids[at + 1 : at + 3] == ["exercise-0", "exercise-1"] and ids[-1] == "stays"
    assert exercises_page.with_exercises(text, "glossary") == text
    with pytest.raises(ValueError, match="02-the-formula.ipynb needs one cell with the id 'exercise'"):
        exercises_page.with_exercises(text.replace('"id": "exercise"', '"id": "other"'), "02-the-formula")


# ---- the fields of an answer's cell


@pytest.mark.parametrize("question", ASKED)
def test_a_form_with_nothing_in_it_is_the_cell_as_it_is_handed_out(question):
    asked, name = ASKED[question]
    fields = asked["form"]
    if fields is None:
        assert QUESTIONS[question].kind != "recall"
        return
    stub = cells("exercises", name)[asked["answer"]]
    if fields["fields"][0]["kind"] == "text":
        begin, end = fields["pieces"]
        assert stub.startswith(f'{begin}{{"text": ""') and stub.endswith(f"}}{end}")
    else:
        assert "None".join(fields["pieces"]) == stub


def test_choices_by_letter_say_what_they_stand_for():
    [field] = ASKED["02-bytes"][0]["form"]["fields"]
    assert field["options"][3] == ["d", "the format that the cache is stored in"]
    why, slow = (ASKED["06-log"][0]["form"]["fields"][i]["options"] for i in (1, 3))
    assert why[0] == ["a", "the weights grow while they are loaded"]
    assert slow[3] == ["d", "the queue is too long"]
    causes = dict(ASKED["10-log"][0]["form"]["fields"][0]["options"])
    assert causes["d"] == "others hold memory that vLLM wants"


def test_a_cell_that_is_no_form_has_none():
    marker = QUESTIONS["02-held"].build()
    assert form("held_kib = 3", "held_kib", marker) is None
    assert form("def held_kib():\n    pass", "held_kib", marker) is None
    steps = QUESTIONS["02-steps"].build()
    assert form('steps = {"bytes of one layer": None}', "steps", steps) is None


def test_what_a_page_holds_tells_no_answer():
    """Choices stand in the order of the alphabet, and of a question goes along what a reader is to know."""
    for asked, _ in ASKED.values():
        assert set(asked) == {
            "question", "title", "points", "needs", "manual", "answer", "variable", "before", "form"
        }  # fmt: skip
        for field in asked["form"]["fields"] if asked["form"] else ():
            words = [word for word, _ in field.get("options", ())]
            assert words == sorted(words, key=str.lower)
