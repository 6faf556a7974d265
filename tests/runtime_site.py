"""A small served page with the book's runtime, and a kvlib that runs the test's code: the fixture `bench`."""

import os
import shutil
from pathlib import Path

import pytest

from tools.runtime.archive import files
from tools.runtime.link import Runtime
from tools.runtime.place import here, left_out

from .browser import served

ROOT = Path(__file__).resolve().parent.parent
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title>'
    '<link rel="icon" href="data:,"></head>'
    '<body><main><h1>Bench</h1><div data-run="panel"></div></main></body></html>'
)
STARTS = 600_000  # milliseconds that a start may take: a slow machine fails no test
# In place of what says the versions: the page's calls run what the test gives.
TRIAL = b"""
def about(given):
    scope = {}
    exec(given.get("code", ""), scope)
    return {"value": scope.get("value")}
"""


def needs_runtime():
    """Skip where Pyodide was left out of the book, or could not be fetched; but for CI, where it must be."""
    if left_out() or (not here() and "CI" not in os.environ):
        pytest.skip("`make book` has not fetched Pyodide: without a network, or with RUNTIME=no")
    assert here()


def lay_out(folder: Path) -> Path:
    """The page and what it loads, in `folder`; returns the page's file."""
    run = folder / "_static" / "run"
    shutil.copytree(ROOT / "book" / "_static" / "run", run)
    file = folder / "book" / "index.html"
    file.parent.mkdir()
    runtime = Runtime(run, files() | {"kvlib/page/about.py": TRIAL})
    file.write_text(runtime.link(PAGE, "../_static/run"), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    needs_runtime()
    folder = tmp_path_factory.mktemp("bench")
    lay_out(folder)
    with served(folder) as address:
        yield f"{address}/book/index.html"


def press(page):
    """Press "Run here" and wait; what kvlib then says of itself."""
    page.set_default_timeout(STARTS)
    page.get_by_role("button", name="Run here").first.click()
    page.get_by_role("button", name="End Python").first.wait_for()
    return page.evaluate("kvRun.call('about')")
