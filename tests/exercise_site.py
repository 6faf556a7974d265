"""A page with a chapter's exercises and nothing else: `opened(chromium, folder, name)` for the tests.

Its Python is this one: what the page asks of kvRun is answered by kvlib.page here. The book's own pages, and
their own Python, are in tests/test_book_exercises.py.
"""

import html
import json
import shutil
from pathlib import Path

from kvlib.page import answer
from tools import exercises_page

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "book" / "_static" / "run"
STANDS_IN = """globalThis.kvRun = {
    state: "ready", sentence: "", stopped: 0,
    panel: element => { element.textContent = "Python runs in this page."; },
    stop: () => { kvRun.stopped += 1; },
    call: async (name, payload) => JSON.parse(await kvlibAnswers(name, JSON.stringify(payload))),
};"""
DENIED = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("no", "SecurityError"); },
});"""
PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Exercises</title>
<link rel="stylesheet" href="_static/book.css"><style>body {{ margin: 16px; font-family: system-ui;
--pst-color-border: #8a94a3; --pst-color-text-muted: #48566b; --pst-color-link: #1557b8;
--pst-color-background: #fff; --pst-color-text-base: #14181e; }}</style>
<script defer src="_static/run/begin.js"></script></head>
<body><main class="bd-article"><h1>Exercises</h1>{body}</main></body></html>"""


def asked(name) -> list[dict]:
    return exercises_page.exercises(exercises_page.notebook(name))


def cells(folder, name) -> dict[str, str]:
    """The sources of a notebook of exercises/ or solutions/, by their cells' ids."""
    notebook = json.loads((ROOT / folder / f"{name}.ipynb").read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


def write(folder: Path, name: str) -> Path:
    """The page of the exercises `name` in `folder`, as a file."""
    run = folder / "_static" / "run"
    shutil.copytree(RUN, run, dirs_exist_ok=True)
    shutil.copy(ROOT / "book" / "_static" / "book.css", folder / "_static")
    of, given = exercises_page.notebook(name), cells("exercises", name)
    (run / f"{name}.js").write_text(exercises_page.data(of, name), encoding="utf-8")
    body = exercises_page.BAR.format(name=name, version="1")
    for one in asked(name):
        body += f'<section><h2>{html.escape(one["title"])}</h2><div class="kv-asked" data-question="'
        body += f'{one["question"]}"><pre>{html.escape(given[one["answer"]])}</pre></div></section>'
    file = folder / f"{name}.html"
    file.write_text(PAGE.format(theme="light", body=body), encoding="utf-8")
    return file


def opened(chromium, folder, name="02-the-formula", *before, width=1280, press=True):
    """The page, its exercises open for answers; the scripts `before` run first."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)
    page.expose_function("kvlibAnswers", answer)
    page.add_init_script("\n".join([STANDS_IN, *before]))
    page.goto(write(folder, name).as_uri())
    if press:
        page.locator(".kv-answer-here").click()
        page.locator(".kv-points").wait_for()
    return page


def one(page, question):
    """The place of an exercise in the page."""
    return page.locator(f'.kv-asked[data-question="{question}"]')


def checked(place) -> str:
    """What Check says there."""
    place.get_by_role("button", name="Check", exact=True).click()
    told = place.locator(".kv-told", has_text="point")
    told.wait_for()
    return told.inner_text()
