"""Exercises answered in a page: forms, editor, progress, a notebook out and in, keyboard, narrow pages."""

import json
import os
import re
import subprocess
import sys

import pytest

from kvlib.checks.grading.grader import Grader
from kvlib.checks.questions import QUESTIONS

from .browser import chromium, opening, violations  # noqa: F401
from .exercise_site import DENIED, ROOT, asked, cells, checked, one, opened

NAMES = [path.stem for path in sorted((ROOT / "exercises").glob("*.ipynb"))]
FORMULA = "02-the-formula"


@pytest.fixture
def open_(chromium, tmp_path):  # noqa: F811
    with opening(opened, chromium, tmp_path) as open_page:
        yield open_page


def write_code(place, code):
    """Type a whole cell in the editor."""
    if place.locator(".kv-editor").count() == 0:
        place.get_by_role("button", name="Answer in Python").click()
    place.locator(".kv-editor textarea").fill(code)


# ---- forms and cells


@pytest.mark.parametrize("name", NAMES)
def test_a_form_gives_the_cell_and_takes_it_back(open_, name):
    page, given = open_(name), cells("exercises", name)
    for exercise in asked(name):
        if not exercise["form"]:
            continue
        stub = given[exercise["answer"]]
        form = json.dumps(exercise["form"])
        empty = page.evaluate(f"kvAnswers.empty({form})")
        assert page.evaluate(f"kvAnswers.source({form}, kvAnswers.empty({form}))") == stub
        assert page.evaluate(f"values => kvAnswers.values({form}, values)", stub) == empty
        filled = [SAID[field["kind"]](field) for field in exercise["form"]["fields"]]
        values, wanted = [v for v, _ in filled], [w for _, w in filled]
        source = page.evaluate(f"values => kvAnswers.source({form}, values)", values)
        names: dict = {}
        exec(source, names)
        answer = names[exercise["variable"]]
        assert (list(answer.values()) if isinstance(answer, dict) and len(wanted) > 1 else [answer]) == wanted
        assert page.evaluate(f"source => kvAnswers.values({form}, source)", source) == values


TEXT = 'A "quoted" word,\nback\\slash, naïve ½ 😀: True, None'
SAID = {
    "number": lambda field: ("2 * (3 + 4) ** 2", 98),
    "choice": lambda field: (field["options"][-1][0], field["options"][-1][0]),
    "several": lambda field: ([w for w, _ in field["options"][1:3]], {w for w, _ in field["options"][1:3]}),
    "text": lambda field: (
        {"text": TEXT, "rows": {name: bool(i % 2) for i, (name, _) in enumerate(field["rows"])}},
        {"text": TEXT} | {name: bool(i % 2) for i, (name, _) in enumerate(field["rows"])},
    ),
}


@pytest.mark.parametrize(
    "typed, value",
    [
        ("402653184", 402653184), (" 1_000 ", 1000), ("-3.5e2", -350.0), (".5", 0.5), ("5.", 5.0),
        ("12,288", "12,288"), ("32.8 GB", "32.8 GB"), ("41.7%", "41.7%"), ("007", "007"), ("4 096", "4 096"),
        ("24*16", 384), ("2**10 / 4", 256.0), ("tokens * 2", 16384), ("3 # three", "3 # three"), ("", None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_written(open_, typed, value):
    page, [forum] = open_(), [x for x in asked(FORMULA) if x["question"] == "02-forum"]
    form = json.dumps(forum["form"])
    source = page.evaluate(f"typed => kvAnswers.source({form}, [[], typed, ''])", typed)
    names: dict = {}
    exec(source, names)
    assert names["audit"] == {"wrong": None, "MiB": value, "times": None}
    assert page.evaluate(f"source => kvAnswers.values({form}, source)", source)[1] == typed.strip()


def test_a_choice_a_number_and_all_that_hold_are_checked(open_):
    page = open_()
    place = one(page, "02-bytes")
    assert checked(place) == "Not answered yet. 0 of 1 point."
    place.get_by_role("radio", name="a the size of the vocabulary").check()
    assert "vocabulary" in checked(place) and "0 of 1 point." in checked(place)
    place.get_by_role("radio", name="d the format that the cache").check()
    assert checked(place) == "Right. 1 of 1 point."
    held = one(page, "02-held")
    held.get_by_role("textbox").fill("34")
    held.get_by_role("textbox").press("Enter")
    held.get_by_text("Not yet.").wait_for()
    forum = one(page, "02-forum")
    for letter in "ce":
        forum.get_by_role("checkbox", name=letter, exact=True).check()
    forum.get_by_role("textbox", name="MiB").fill("448 MiB")
    forum.get_by_role("textbox", name="times").fill("3584 * 8 / (4 * 128)")
    assert checked(forum) == "Right. 3 of 3 points."
    assert page.locator(".kv-points").inner_text() == "4 of 22 points."


def test_an_answer_in_python_says_what_it_printed_and_where_it_stops(open_):
    page = open_()
    place = one(page, "02-forgotten")
    write_code(place, "def forgotten(claim, factors):\n    return [")
    assert "stops with SyntaxError on line 2" in checked(place)
    write_code(place, "print('<b>here</b>')\ndef forgotten(claim, factors):\n    return []")
    assert "<b>here</b>" in checked(place), "as text"
    assert page.locator(".kv-told b").count() == 0


def test_given_cells_run_before_the_answer(open_):
    place = one(open_("08-measure-it"), "08-predict")
    write_code(place, cells("solutions", "08-measure-it")["answer-predict"])
    assert "6 of 6 points" in checked(place)


def test_what_the_form_cannot_hold_stays_in_python(open_):
    place = one(open_(), "02-steps")
    place.get_by_role("textbox", name="bytes of one layer", exact=False).first.fill("7")
    place.get_by_role("button", name="Answer in Python").click()
    code = place.locator(".kv-editor textarea").input_value()
    assert '"numbers in one layer\'s keys": None' in code and ": 7," in code
    place.locator(".kv-editor textarea").fill(f"{code}\nsteps['bytes of all layers'] = 5")
    place.get_by_role("button", name="Answer in the form").click()
    assert "more than the form can hold" in place.locator(".kv-told").inner_text()
    assert place.locator(".kv-editor textarea").input_value().endswith("= 5")


# ---- the editor


def test_the_editor_indents_and_lets_the_keyboard_out(open_):
    page = open_()
    area = one(page, "02-forgotten").locator("textarea")
    area.fill("")
    area.focus()
    page.keyboard.type("def f(x):")
    page.keyboard.press("Enter")
    page.keyboard.type("if x:")
    page.keyboard.press("Enter")
    page.keyboard.type("return 1")
    assert area.input_value() == "def f(x):\n    if x:\n        return 1"
    page.keyboard.press("Shift+Tab")
    assert area.input_value().endswith("\n    return 1")
    page.keyboard.press("Tab")
    assert area.input_value().endswith("\n    return 1    ")
    page.keyboard.press("Control+a")
    page.keyboard.press("Tab")
    assert area.input_value().startswith("    def f(x):\n        if x:")
    page.keyboard.press("Control+z")
    assert area.input_value().startswith("def f(x):"), "a Tab can be undone"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"


# ---- what is kept


def test_answers_are_kept_in_this_browser_and_deleted_when_asked(open_):
    page = open_()
    one(page, "02-doubles").get_by_role("radio", name="T", exact=True).check()
    checked(one(page, "02-doubles"))
    page.reload()
    assert page.locator(".kv-answer-here").inner_text() == "Go on answering here"
    page.locator(".kv-answer-here").click()
    assert page.locator(".kv-points").inner_text() == "1 of 22 points."
    assert one(page, "02-doubles").get_by_role("radio", name="T", exact=True).is_checked()
    assert one(page, "02-doubles").locator(".kv-told").inner_text() == "Right. 1 of 1 point."
    page.get_by_role("button", name="Delete all answers").click()
    page.get_by_role("button", name="Keep them").click()
    assert one(page, "02-doubles").get_by_role("radio", name="T", exact=True).is_checked()
    page.get_by_role("button", name="Delete all answers").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    assert not one(page, "02-doubles").get_by_role("radio", name="T", exact=True).is_checked()
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    "kept", ["{", "null", "[]", '{"version": 1, "answers": {"02-bytes": {"code": 7}}}', '{"version": 9}']
)
def test_what_is_kept_and_makes_no_sense_is_passed_over(open_, kept):
    page = open_(FORMULA, f"localStorage.setItem('kv-cache-course/exercises/{FORMULA}', {json.dumps(kept)})")
    assert page.locator(".kv-points").inner_text() == "0 of 22 points."


def test_a_browser_that_keeps_nothing_says_so_and_all_else_works(open_):
    page = open_(FORMULA, DENIED)
    one(page, "02-bytes").get_by_role("radio").last.check()
    assert checked(one(page, "02-bytes")) == "Right. 1 of 1 point."
    assert "keeps nothing" in page.locator(".kv-exercises").inner_text()


# ---- a notebook out and in


def downloaded(page, folder):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a notebook").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def upload(page, name, text):
    text = text.encode() if isinstance(text, str) else text
    page.get_by_label("Open a notebook").set_input_files(
        {"name": name, "mimeType": "application/json", "buffer": text}
    )


@pytest.mark.parametrize("name", NAMES)
def test_solutions_come_in_earn_all_and_go_out_as_they_are_graded(open_, name, tmp_path):
    page = open_(name)
    released = json.loads((ROOT / "exercises" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert json.loads(downloaded(page, tmp_path).read_text(encoding="utf-8")) == released
    upload(page, "mine.ipynb", (ROOT / "solutions" / f"{name}.ipynb").read_text(encoding="utf-8"))
    page.get_by_text("answers' cells were taken from mine.ipynb").wait_for()
    for exercise in asked(name):
        place = one(page, exercise["question"])
        if exercise["needs"]:
            assert place.get_by_role("button", name="Check").count() == 0
            link = place.get_by_role("link", name="open the notebook")
            assert link.get_attribute("href").endswith(f"exercises/{name}.ipynb")
        else:
            assert checked(place).startswith("Right. "), exercise["question"]
    earned = sum(x["points"] for x in asked(name) if not x["needs"])
    most = sum(x["points"] for x in asked(name))
    assert page.locator(".kv-points").inner_text() == f"{earned} of {most} points."
    file = downloaded(page, tmp_path)
    filled = json.loads(file.read_text(encoding="utf-8"))
    assert all(
        {**ours, "source": ""} == {**given, "source": ""}
        for ours, given in zip(filled["cells"], released["cells"], strict=True)
    )
    with Grader(seed=0) as grader:
        report = grader.grade(file)
    assert {mark.name: mark.points for mark in report.exercises} == {
        x["question"]: None if QUESTIONS[x["question"]].manual else x["points"] for x in asked(name)
    }


def test_a_notebook_from_the_page_passes_nbval_and_fails_where_an_answer_is_wrong(open_, tmp_path):
    page = open_()
    upload(page, "mine.ipynb", (ROOT / "solutions" / f"{FORMULA}.ipynb").read_text(encoding="utf-8"))
    page.get_by_text("answers' cells were taken from mine.ipynb").wait_for()
    one(page, "02-doubles").get_by_role("button", name="Begin anew").click()
    one(page, "02-doubles").get_by_role("radio", name="B", exact=True).check()
    file = downloaded(page, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    run = subprocess.run(
        [sys.executable, "-m", "kvlib", "grade", "--nbval", file.name],
        cwd=tmp_path, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    failed = re.findall(r"^FAILED .+::([\w-]+)", run.stdout, re.MULTILINE)
    assert failed == ["check-doubles"], run.stdout + run.stderr


@pytest.mark.parametrize(
    "file, said",
    [
        ("no notebook", "it is not JSON"),
        (b"\x89PNG\r\n\x00\xff", "it is not JSON"),
        ("[1, 2]", "no list of cells"),
        ('{"cells": {"length": 3}}', "no list of cells"),
        ('{"cells": [null, {"cell_type": "code", "source": {"a": 1}, "metadata": 3}]}', "asks no exercise"),
        ("03-worked-7b", "the exercises of chapter 3"),
        ("variant", "drawn for one student"),
        ("long", "at most 100,000 are read"),
        (" " * (9 << 20), "more than 8 MiB"),
        ("[" * 100_000, "no notebook"),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_wrong_file_is_refused_with_a_sentence(open_, file, said):
    page = open_()
    one(page, "02-bytes").get_by_role("radio").last.check()
    mine = (ROOT / "exercises" / f"{FORMULA}.ipynb").read_text(encoding="utf-8")
    if file == "variant":
        file = mine.replace('\\"02-steps\\", steps)', '\\"02-steps\\", steps, \\"1f3a\\")')
    elif file == "long":
        file = mine.replace("doubles = None", f"doubles = None  # {'x' * 100_001}")
    elif file == "03-worked-7b":
        file = (ROOT / "exercises" / f"{file}.ipynb").read_text(encoding="utf-8")
    upload(page, "theirs.ipynb", file)
    page.get_by_text("theirs.ipynb was not opened.").wait_for()
    assert said in page.locator(".kv-exercises").inner_text()
    assert one(page, "02-bytes").get_by_role("radio").last.is_checked(), "what was answered stands"


def test_a_hostile_notebook_is_text_and_nothing_else(open_):
    page = open_()
    evil = "<img src=x onerror=\"document.title='taken'\">"
    notebook = json.loads((ROOT / "exercises" / f"{FORMULA}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = [*cell["source"], f"\n{evil}"] if cell["cell_type"] == "code" else evil
    named = {"cell_type": "code", "id": "__proto__", "source": evil, "metadata": {"__proto__": 1}}
    notebook["cells"].append(named)
    text = json.dumps(notebook).replace('"metadata": {', '"__proto__": {"polluted": 1}, "metadata": {', 1)
    upload(page, f"{evil}.ipynb", text)
    page.get_by_text("answers' cells were taken").wait_for()
    assert evil in one(page, "02-bytes").locator("textarea").input_value()
    assert page.title() == "Exercises" and page.locator("main img").count() == 0
    assert page.evaluate("({}).polluted") is None


# ---- where there is no Python, and who has no mouse


def test_without_python_answers_are_kept_and_checked_nowhere(open_):
    absent = "kvRun.state = 'absent'; kvRun.sentence = 'Serve the book, with make serve.';"
    page = open_(FORMULA, absent)
    one(page, "02-bytes").get_by_role("radio").last.check()
    one(page, "02-bytes").get_by_role("button", name="Check").click()
    assert one(page, "02-bytes").locator(".kv-told").inner_text() == "Serve the book, with make serve."
    assert page.get_by_role("button", name="Download as a notebook").is_enabled()


def test_a_call_that_was_stopped_says_so(open_):
    stopped = "kvRun.call = () => Promise.reject(new Error('Stopped after 30 seconds without an end.'));"
    place = one(open_(FORMULA, stopped), "02-bytes")
    place.get_by_role("button", name="Check").click()
    place.get_by_text("Stopped after 30 seconds without an end.").wait_for()
    assert place.get_by_role("button", name="Check").is_enabled()
    assert not place.get_by_role("button", name="Stop").is_visible()


def test_the_keyboard_alone_answers(open_):
    page = open_(FORMULA, press=False)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".kv-points").wait_for()
    radio = one(page, "02-bytes").get_by_role("radio").first
    for _ in range(12):
        page.keyboard.press("Tab")
        if radio.evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    one(page, "02-bytes").get_by_text("Right. 1 of 1 point.").wait_for()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_and_nothing_runs_off_the_page(open_, name, width):
    page = open_(name, width=width)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for place in page.locator(".kv-asked").all():
        if (switch := place.get_by_role("button", name="Answer in Python")).is_visible():
            switch.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
