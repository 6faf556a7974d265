"""Python in the built book: nothing of it before a press, then the book's kvlib, under a policy."""

import pytest

import kvlib
from tools.runtime.archive import files, packed

from .browser import served
from .runtime_site import STARTS, needs_runtime, press
from .site import HTML, PAGES, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book

PANEL = "references"  # a page that asks for nothing but the panel
POLICY = "default-src 'self'; img-src 'self' data:"
RUNS = f"{POLICY}; script-src 'self' 'wasm-unsafe-eval'"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_it_is_loaded_before_a_press(site, chromium, name):  # noqa: F811
    page, asked = chromium.new_page(), []
    page.on("request", lambda request: asked.append(request.url.split("/")[-1].split("?")[0]))
    page.goto(f"{site}{name}.html")
    page.wait_for_load_state("networkidle")
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(200)
    workers = len(page.workers)
    page.close()
    assert workers == 0 and f"{name}.html" in asked
    loaded = ("worker.js", "pyodide", "python_stdlib", "kvlib-", "runtime-")
    assert [file for file in asked if file.startswith(loaded)] == []


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
