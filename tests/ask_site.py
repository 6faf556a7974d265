"""A page with a form of tools/ask_page.py, and figures: `opened(chromium, folder, "config")` for the tests.

Its Python is this one, as in exercise_site.py; the book's own is in tests/test_book_ask.py.
"""

import shutil
from pathlib import Path

from kvlib.page import answer
from tools.ask_page import bar

from .exercise_site import PAGE, RUN, STANDS_IN


def write(folder: Path, what: str, *figures) -> Path:
    """The page as a file in `folder`."""
    shutil.copytree(RUN, folder / "_static" / "run", dirs_exist_ok=True)
    shutil.copy(RUN.parent / "book.css", folder / "_static")
    body = "".join(figure.html() for figure in figures) + f"<h2>Your own</h2>{bar(what)}"
    file = folder / f"{what}.html"
    file.write_text(PAGE.format(theme="light", body=body), encoding="utf-8")
    return file


def opened(chromium, folder, what="config", *figures, width=1280, hash="", press=True, python=STANDS_IN):
    """The page, its form open; `page.wrong` is what it complained of, `page.asked` what it asked kvlib."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.wrong, page.asked = [], []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)

    def answers(name, payload):
        page.asked.append(payload)
        return answer(name, payload)

    page.expose_function("kvlibAnswers", answers)
    page.add_init_script(python)
    page.goto(write(folder, what, *figures).as_uri() + hash)
    if press:
        page.locator(".kv-ask button").first.click()
        page.locator(".kv-ask form").wait_for()
    return page
