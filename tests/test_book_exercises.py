"""The book's own pages with their exercises and quizzes, and the Python that the book holds."""

import json
import re

import pytest

from kvlib import page as kvlib_page
from kvlib.checks.questions import QUESTIONS

from .browser import LOOKS, violations
from .exercise_site import asked, cells, checked, one
from .runtime_site import needs_runtime
from .site import CHAPTERS, HTML, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book
FORMULA = "02-the-formula"
WITH = [name for name in CHAPTERS if (HTML.parents[1] / "exercises" / f"{name}.ipynb").exists()]


def begun(visit, site, name, **options):  # noqa: F811
    page = visit(f"{site}{name}.html", **options)
    page.locator(".kv-answer-here").click()
    page.locator(".kv-points").wait_for()
    return page


# ---- read, without a script


@pytest.mark.parametrize("name", WITH)
def test_a_chapter_ends_with_its_exercises_as_text(name):
    page = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
    shown = re.findall(r"<h3>(\d+\. .*?)<a", page)
    assert len(shown) == len(asked(name))
    places = re.findall(r'class="kv-asked" data-question="([\w-]+)"', page)
    assert places == [exercise["question"] for exercise in asked(name)]
    assert (
        page.count("Hint 1</summary>") == len(shown) and "kvlib.check(" not in page.split("kv-exercises")[1]
    )
    assert page.index("kv-exercises") < page.index('id="what-stays"')


def test_without_scripts_everything_is_read(chromium, site):  # noqa: F811
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site}{FORMULA}.html")
    assert page.locator(".kv-asked pre").count() == len(asked(FORMULA))
    assert page.get_by_text("What does bytes, the last factor, depend on?").is_visible()
    assert not page.locator(".kv-answer-here").is_visible()
    assert page.locator("#pause-and-recall details").count() == 4
    assert page.get_by_text("On the size of the vocabulary.", exact=True).is_visible()
    page.context.close()


# ---- quizzes


@pytest.mark.parametrize("name", WITH)
def test_a_quiz_is_asked_before_it_is_answered(site, visit, name):  # noqa: F811
    page = visit(f"{site}{name}.html")
    forms = page.locator(".kv-quiz")
    answers = page.locator("#pause-and-recall details")
    assert forms.count() == answers.count() >= 3
    for form, answer in zip(forms.all(), answers.all(), strict=True):
        assert not answer.is_visible()
        right = "".join(
            c for c in answer.locator("strong").first.inner_text(timeout=0).lower() if c.isalnum()
        ) or (answer.locator("strong").first.text_content())
        choices = form.get_by_role("radio")
        if choices.count():
            form.get_by_role("button", name="Answer").click()
            assert form.get_by_role("status").inner_text() == "Choose one first."
            wrong = [c for c in choices.all() if bare(c.get_attribute("value")) != bare(right)]
            wrong[0].check()
        else:
            form.get_by_role("textbox").fill("nothing")
        form.get_by_role("button", name="Answer").click()
        assert form.get_by_role("status").inner_text() == "Not so: read why."
        assert answer.is_visible() and answer.get_attribute("open") is not None
        if choices.count():
            next(c for c in choices.all() if bare(c.get_attribute("value")) == bare(right)).check()
        else:
            form.get_by_role("textbox").fill(f" {right.upper()}. ")
        form.get_by_role("button", name="Answer").click()
        assert form.get_by_role("status").inner_text() == "Right."


def bare(text):
    return "".join(c for c in text.lower() if c.isalnum())


# ---- open for answers


@pytest.mark.parametrize("theme, width", LOOKS)
@pytest.mark.parametrize("name", WITH)
def test_axe_finds_nothing_where_exercises_are_answered(site, visit, name, theme, width):  # noqa: F811
    page = begun(visit, site, name, width=width, color_scheme=theme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert violations(page, "#the-exercise", ["pre"]) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hints_open_one_at_a_time(site, visit):  # noqa: F811
    page = begun(visit, site, FORMULA)
    section = page.locator("section", has=page.locator('.kv-asked[data-question="02-steps"]')).last
    section.get_by_text("Hint 1").click()
    assert not section.get_by_text("Each later step is the step before").is_visible()
    section.get_by_text("Hint 2").click()
    assert section.get_by_text("Each later step is the step before").is_visible()


def test_from_a_file_answers_are_taken_and_the_page_says_how_to_have_them_checked(visit):  # noqa: F811
    page = visit((HTML / "book" / f"{FORMULA}.html").as_uri())
    page.locator(".kv-answer-here").click()
    one(page, "02-bytes").get_by_role("radio").last.check()
    one(page, "02-bytes").get_by_role("button", name="Check").click()
    assert "make serve" in one(page, "02-bytes").locator(".kv-told").inner_text()


# ---- checked by the Python that the book holds


@pytest.fixture
def python():
    needs_runtime()


def put(page, question, code):
    place = one(page, question)
    if not place.locator(".kv-editor").count():
        place.get_by_role("button", name="Answer in Python").click()
    place.locator(".kv-editor textarea").fill(code)
    return place


@pytest.mark.parametrize("name", WITH)
def test_in_the_page_the_starter_earns_nothing_and_the_solution_all(python, site, visit, name):  # noqa: F811
    page = begun(visit, site, name)
    given, solved = cells("exercises", name), cells("solutions", name)
    page.set_default_timeout(120_000)
    for exercise in asked(name):
        if exercise["needs"]:
            continue
        place = put(page, exercise["question"], given[exercise["answer"]])
        assert checked(place).startswith("Not answered yet. 0 of ")
        put(page, exercise["question"], solved[exercise["answer"]])
        assert checked(place).startswith("Right. "), exercise["question"]
    most = sum(x["points"] for x in asked(name))
    earned = sum(x["points"] for x in asked(name) if not x["needs"])
    assert page.locator(".kv-points").inner_text() == f"{earned} of {most} points."


WRONG = {
    "02-forgotten": "def forgotten(claim, factors):\n    return ['T']",
    "02-seventy": "seventy_gb = 262.144",
    "02-doubles": "doubles = 'B'",
    "02-forum": "audit = {'wrong': {'c'}, 'MiB': 448, 'times': 28}",
    "02-steps": "steps = {}",
    "02-held": "held_kib = undefined",
}


def test_in_the_page_a_mistake_is_told_as_here(python, site, visit):  # noqa: F811
    page = begun(visit, site, FORMULA)
    page.set_default_timeout(120_000)
    for question, code in WRONG.items():
        variable = next(x["variable"] for x in asked(FORMULA) if x["question"] == question)
        given = {"question": question, "variable": variable, "code": code, "before": []}
        here = json.loads(kvlib_page.answer("check", json.dumps(given)))
        assert checked(put(page, question, code)) == here["said"]
        assert here["points"] < QUESTIONS[question].points


def test_an_endless_loop_is_stopped_and_the_next_check_begins_afresh(python, site, visit):  # noqa: F811
    page = begun(visit, site, FORMULA)
    page.set_default_timeout(120_000)
    place = put(page, "02-bytes", "while True:\n    pass")
    place.get_by_role("button", name="Check").click()
    page.wait_for_function("kvRun.state === 'busy'")
    assert page.evaluate("1 + 1") == 2, "the page answers meanwhile"
    place.get_by_role("button", name="Stop").click()
    place.get_by_text("Stopped.").wait_for()
    assert checked(put(page, "02-bytes", "last_factor = 'd'")) == "Right. 1 of 1 point."
