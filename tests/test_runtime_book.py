"""Python in the built book, once it is pressed for: the book's kvlib, under a policy."""

import pytest

import kvlib
from tools.runtime.archive import files, packed

from .browser import served
from .runtime_site import STARTS, needs_runtime, press
from .site import HTML, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book

PANEL = "references"  # a page that asks for nothing but the panel
POLICY = "default-src 'self'; img-src 'self' data:"
RUNS = f"{POLICY}; script-src 'self' 'wasm-unsafe-eval'"


def test_pressed_it_answers_with_the_books_kvlib_and_asks_no_other_host(site, visit):  # noqa: F811
    needs_runtime()
    page = visit(f"{site}{PANEL}.html")
    assert press(page)["kvlib"] == kvlib.__version__
    assert page.get_by_role("status").inner_text() == "Python runs in this page."


def test_it_runs_under_a_policy_that_allows_webassembly(visit):  # noqa: F811
    needs_runtime()
    with served(HTML, RUNS) as address:
        assert press(visit(f"{address}/book/{PANEL}.html"))["kvlib"] == kvlib.__version__


def test_under_a_policy_that_forbids_it_the_page_says_so(chromium):  # noqa: F811
    needs_runtime()
    page = chromium.new_page()
    page.set_default_timeout(STARTS)
    with served(HTML, POLICY) as address:
        page.goto(f"{address}/book/{PANEL}.html")
        page.get_by_role("button", name="Run here").click()
        page.get_by_role("button", name="Try again").wait_for()
        assert "'wasm-unsafe-eval'" in page.get_by_role("status").inner_text()
    page.close()


def test_the_books_kvlib_is_the_checkouts():
    needs_runtime()
    there = [path.name for path in (HTML / "_static" / "run").glob("kvlib-*.zip")]
    assert there == [packed(files())[0]]
