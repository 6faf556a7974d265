"""The book as `make archive` zips it: unpacked anywhere, without a network, it is the whole course."""

import zipfile

import pytest
from playwright.sync_api import sync_playwright

import kvlib
from tools.archive import NAME, archive

from .browser import launch, served
from .runtime_site import needs_runtime, press
from .site import HTML, PAGES

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The book as `make archive` zips it, unpacked in another folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    archive(HTML, folder / "book.zip")
    zipfile.ZipFile(folder / "book.zip").extractall(folder)
    return folder / NAME


@pytest.fixture(scope="module")
def chromium():
    """A browser that finds no host but this machine."""
    with sync_playwright() as playwright:
        browser = launch(playwright, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        yield browser
        browser.close()


def test_unpacked_elsewhere_and_served_without_a_network_it_is_the_whole_course(elsewhere, chromium):
    needs_runtime()
    page, wrong = chromium.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    with served(elsewhere) as address:
        page.on("request", lambda r: None if r.url.startswith((address, "data:")) else wrong.append(r.url))
        page.goto(f"{address}/index.html")
        page.wait_for_url("**/book/index.html")
        page.get_by_role("link", name="References").first.click()
        assert press(page)["kvlib"] == kvlib.__version__
    page.close()
    assert wrong == []


@pytest.mark.parametrize("name", PAGES)
def test_unpacked_elsewhere_a_page_opens_from_its_file(elsewhere, chromium, name):
    page, wrong = chromium.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(r.url))
    page.goto((elsewhere / "book" / f"{name}.html").as_uri())
    figures = page.locator(".kv-page").count()
    assert page.locator(".kv-figure :is(input, select, button)").count() >= figures
    if page.locator("[data-run=panel]").count():
        assert "`make serve`" in page.get_by_role("status").first.inner_text()
    page.close()
    assert wrong == []
