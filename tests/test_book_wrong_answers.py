"""The tables of wrong answers, in the book's own Python: each is told in the page what it is told here.

The tables themselves are sent, as source, and made anew there, so that functions and classes are tried too.
Every third row, since CPython tries them all in the same way (test_page_exercises.py); all of them with
KVLIB_ORACLE=full.
"""

import importlib
import json
import re
import types
from pathlib import Path

import pytest

from kvlib import page as kvlib_page
from kvlib.checks import calls
from kvlib.checks.questions import QUESTIONS

from .browser import tab
from .depth import FULL
from .runtime_site import needs_runtime
from .site import chromium, site  # noqa: F401
from .test_page_exercises import ASKED, CHAPTERS, FILES, fresh, payload

pytestmark = pytest.mark.book
STEP = 1 if FULL else 3
TABLES = Path(__file__).with_name("wrong_answers")
# Modules of these names, and in each module the names of the file.
INSTALL = """
import sys, types
for name, source in {sources!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    module.__package__ = "tests.wrong_answers"
    exec(compile(source, name, "exec"), module.__dict__)
"""
# The page has no NumPy: rows that use it are left out, and what a table does with it comes to nothing.
NUMPY = re.compile(r"^import numpy as np$", re.MULTILINE)
ANYTHING = """
class _Anything:
    def __getattr__(self, name): return self
    def __call__(self, *args, **options): return self
    def __iter__(self): return iter(())
np = _Anything()
"""


def tables(chapter) -> list[str]:
    """The chapter's files but for one that asks nothing that the page can mark."""
    files = [file for file in FILES if file.startswith(chapter)]
    return [file for file in files if not all(QUESTIONS[row[0]].needs for row in rows_of(file))]


def rows_of(file) -> list:
    return getattr(importlib.import_module(f"tests.wrong_answers.{file}"), "WRONG", [])


def sources(chapter) -> dict[str, str]:
    """The tables of a chapter by their modules' names, `made` before them."""
    texts = {}
    for name in ["made", *tables(chapter)]:
        text = (TABLES / f"{name}.py").read_text(encoding="utf-8")
        texts[f"tests.wrong_answers.{name}"] = NUMPY.sub(ANYTHING, text)
    return {"tests": "", "tests.wrong_answers": ""} | texts


def tried(chapter) -> list[tuple[str, str, object]]:
    """(question, the cell that takes the row from its table, the row's answer) of every row there."""
    fresh("WRONG", chapter)
    found = []
    for file in tables(chapter):
        for i, (question, answer, *_) in enumerate(rows_of(file)):
            variable = ASKED[question][0]["variable"]
            taken = f"import sys\n{variable} = sys.modules['tests.wrong_answers.{file}'].WRONG[{i}][1]"
            found.append((question, taken, answer))
    return found


def uses_numpy(answer, seen=()) -> bool:
    """Whether an answer is of NumPy or calls it, itself or by what it calls."""
    if any(answer is one for one in seen):
        return False
    if isinstance(answer, dict):
        return any(uses_numpy(value, seen) for value in answer.values())
    if isinstance(answer, type):
        return any(uses_numpy(value, (*seen, answer)) for value in vars(answer).values())
    if isinstance(answer, types.FunctionType):
        names = set(names_of(answer.__code__))
        called = [answer.__globals__[name] for name in names if callable(answer.__globals__.get(name))]
        called += [cell.cell_contents for cell in answer.__closure__ or ()]
        return "np" in names or any(uses_numpy(thing, (*seen, answer)) for thing in called)
    return type(answer).__module__ == "numpy"


def names_of(code):
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from names_of(inner)


def without_message(said: str) -> str:
    """Python's own words for an error differ from version to version."""
    return re.sub(r"(raises \w+) \(.*?\)(?=\. |\.$|; )", r"\1", said, flags=re.DOTALL)


@pytest.fixture(scope="module")
def page(chromium, site):  # noqa: F811
    """One page whose Python has begun, for all tables."""
    needs_runtime()
    with tab(chromium) as page:
        page.goto(f"{site}02-the-formula.html")
        page.locator(".kv-answer-here").click()
        yield page


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_in_the_page_every_wrong_answer_is_told_as_here(page, chapter, monkeypatch):
    monkeypatch.setattr(calls, "SECONDS", 1.0)
    sent, expected = [], []
    for question, code, answer in tried(chapter)[::STEP]:
        if QUESTIONS[question].needs or uses_numpy(answer):
            continue
        said = json.loads(kvlib_page.answer("check", json.dumps(payload(question, code))))
        if "does not end" in said["said"]:
            continue  # the page's Python cannot stop itself; the page stops it
        sent.append(payload(question, code))
        expected.append(said)
    install = {"question": "02-bytes", "variable": "none", "code": INSTALL.format(sources=sources(chapter))}
    told = page.evaluate(
        """async ([install, sent]) => {
            const told = [await kvRun.call("check", install, { limit: 300 })];
            for (const given of sent) told.push(await kvRun.call("check", given, { limit: 300 }));
            return told;
        }""",
        [install, sent],
    )
    assert told[0]["said"] == "Not answered yet. 0 of 1 point.", told[0]
    assert len(sent) > 40 // STEP
    for given, here, there in zip(sent, expected, told[1:], strict=True):
        assert there.get("points") == here["points"] < QUESTIONS[given["question"]].points, there
        assert without_message(there["said"]) == without_message(here["said"]), given["code"]
