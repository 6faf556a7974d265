"""Chromium for the tests: `from .browser import chromium, page, show` (fixtures and a helper).

`page` fails its test when the page logs an error or asks the network for anything.
"""

import contextlib
import functools
import http.server
import shutil
import threading
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Error, sync_playwright

from kvlib.widgets import palette

from .depth import FULL

# Theme and width in which a page is looked at: each of them once, or all together.
LOOKS = [("light", 1280), ("dark", 360), *([("light", 360), ("dark", 1280)] if FULL else [])]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


def system():
    """The path of the system's Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def launch(playwright, *flags):
    """The system's Chromium, else Playwright's own."""
    return playwright.chromium.launch(executable_path=system(), args=[*FLAGS, *flags])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args, policy=None, **options):
        self.policy = policy
        super().__init__(*args, **options)

    def log_message(self, *args):
        pass

    def end_headers(self):
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()


@contextlib.contextmanager
def served(folder, policy=None):
    """The address at which `folder` is served on this machine, under this policy, while the block lasts."""
    handler = functools.partial(_Quiet, directory=folder, policy=policy)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


# One browser a module, not a session: Playwright's event loop would disturb other tests' asyncio.
@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@functools.cache
def window(browser):
    """One window of `browser` for many pages: opening it takes far longer than looking at a page."""
    context = browser.new_context()
    context.new_page()  # it holds the window open
    return context


@contextlib.contextmanager
def tab(browser, width=1280, color_scheme="light"):
    """A page in the browser's window; what it keeps in the reader's browser is gone afterwards."""
    page = window(browser).new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=color_scheme)
    yield page
    with contextlib.suppress(Error):  # about:blank has no storage
        page.evaluate("localStorage.clear()")
    page.close()


@pytest.fixture
def page(chromium):
    with tab(chromium) as page:
        wrong = []
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(r.url))
        yield page
    assert wrong == []


def document(*figures, theme="light") -> str:
    """A bare page of the book with these figures in it."""
    return (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Figures</title>'
        f"<style>body {{ margin: 16px; font-family: system-ui; background: {palette.color('paper', theme)}; "
        f"color: {palette.color('ink', theme)} }}</style></head>"
        f"<body><main><h1>Figures</h1><h2>All of them</h2>{''.join(f.html() for f in figures)}</main></body>"
        "</html>"
    )


def show(page, folder, *figures, theme="light", hash=""):
    """Open a page with these figures from a file, at this address; returns the page."""
    file = folder / "figures.html"
    file.write_text(document(*figures, theme=theme), encoding="utf-8")
    page.goto("about:blank")
    page.goto(file.as_uri() + hash)
    return page


def violations(page, within="body", seen_elsewhere=()) -> list[str]:
    """What axe-core finds wrong, best practices too: "rule: element", one a line.

    seen_elsewhere  selectors of what another test looks at: the contrast of texts in it, which takes most of
                    the time, is left out, but for KVLIB_ORACLE=full
    """
    page.add_script_tag(path=Path(axe_playwright_python.__file__).with_name("axe.min.js"))
    contrast = {"include": [within], "exclude": [] if FULL else [*seen_elsewhere]}
    found = page.evaluate(
        """async ([within, contrast]) => {
            const rest = { preload: false, rules: { "color-contrast": { enabled: false } } };
            const found = [
                await axe.run(within, rest),
                await axe.run(contrast, { preload: false, runOnly: ["color-contrast"] }),
            ];
            return found.flatMap(results => results.violations);
        }""",
        [within, contrast],
    )
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


@contextlib.contextmanager
def opening(opened, *given):
    """A function that opens a page, `opened(*given, …)`; afterwards each is closed, and none complained."""
    pages = []

    def open_page(*what, **options):
        pages.append(opened(*given, *what, **options))
        return pages[-1]

    yield open_page
    wrong = [said for page in pages for said in page.wrong]
    for page in pages:
        page.close()
    assert wrong == []
