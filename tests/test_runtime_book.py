"""Python in the built book: nothing of it before a press, then the book's kvlib, under a policy, offline."""

import zipfile

import pytest
from playwright.sync_api import sync_playwright

import kvlib
from tools.archive import NAME, archive
from tools.runtime.archive import files, packed

from .browser import launch, served
from .runtime_site import needs_runtime
from .site import HTML, PAGES, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book

PANEL = "references"  # a page that asks for nothing but the panel
STARTS = 600_000  # milliseconds
POLICY = "default-src 'self'; img-src 'self' data:"
RUNS = f"{POLICY}; script-src 'self' 'wasm-unsafe-eval'"


def press(page):
    """Press "Run here" and wait; what kvlib then says of itself."""
    page.set_default_timeout(STARTS)
    page.get_by_role("button", name="Run here").first.click()
    page.get_by_role("button", name="End Python").first.wait_for()
    return page.evaluate("kvRun.call('about')")


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


# offline


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The book as `make archive` zips it, unpacked in another folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    archive(HTML, folder / "book.zip")
    zipfile.ZipFile(folder / "book.zip").extractall(folder)
    return folder / NAME


@pytest.fixture(scope="module")
def shut():
    """A browser that finds no host but this machine."""
    with sync_playwright() as playwright:
        browser = launch(playwright, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        yield browser
        browser.close()


@pytest.mark.browser
def test_unpacked_elsewhere_and_served_without_a_network_it_is_the_whole_course(elsewhere, shut):
    needs_runtime()
    page, wrong = shut.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    with served(elsewhere) as address:
        page.on("request", lambda r: None if r.url.startswith((address, "data:")) else wrong.append(r.url))
        page.goto(f"{address}/index.html")
        page.wait_for_url("**/book/index.html")
        page.get_by_role("link", name="References").first.click()
        assert press(page)["kvlib"] == kvlib.__version__
    page.close()
    assert wrong == []


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_unpacked_elsewhere_a_page_opens_from_its_file(elsewhere, shut, name):
    page, wrong = shut.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(r.url))
    page.goto((elsewhere / "book" / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    figures = page.locator(".kv-page").count()
    assert page.locator(".kv-figure :is(input, select, button)").count() >= figures
    if page.locator("[data-run=panel]").count():
        assert "`make serve`" in page.get_by_role("status").first.inner_text()
    page.close()
    assert wrong == []
