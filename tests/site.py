"""The built book for the tests: `from .site import chromium, site, visit` (fixtures), and what it holds."""

import contextlib
import re
from pathlib import Path

import pytest

from .browser import chromium, served, tab  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
PAGES = sorted(p.stem for p in (ROOT / "book").iterdir() if p.suffix in (".ipynb", ".md"))
CHAPTERS = [p for p in PAGES if re.match(r"\d\d-", p)]
# What of a page is wider than its place: [whether a cell printed it and the keyboard scrolls it, its HTML].
CUT_OFF = """() => [...document.querySelectorAll('.bd-article :is(pre, .kv-wide, .kv-scroll, .kv-plot, svg)')]
    .filter(e => e.checkVisibility() && !e.closest('.kv-patterns'))
    .filter(e => e.matches('svg') ? e.getBoundingClientRect().right > innerWidth + 1
        : e.scrollWidth > e.clientWidth + 1)
    .map(e => [e.closest('.cell_output') !== null && e.matches('pre') && e.tabIndex === 0
        && e.getAttribute('aria-label') !== null, e.outerHTML.slice(0, 160)])"""


@pytest.fixture(scope="module")
def site():
    assert (HTML / "book" / "index.html").exists(), "no book to test: run `make book`"
    with served(HTML) as address:
        yield f"{address}/book/"


@pytest.fixture
def visit(chromium):  # noqa: F811
    """Opens a page, and collects what it asks of others and what it complains of."""
    wrong = []
    with contextlib.ExitStack() as pages:

        def open_(url, width=1280, before=None, **options):
            page = pages.enter_context(tab(chromium, width, **options))
            here = url.split("/book/")[0]
            page.on(
                "request",
                lambda r: None if r.url.startswith((here, "data:", "blob:")) else wrong.append(r.url),
            )
            page.on("pageerror", lambda e: wrong.append(str(e)))
            page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
            if before:
                page.add_init_script(before)
            page.goto(url)
            return page

        yield open_
    assert wrong == []
