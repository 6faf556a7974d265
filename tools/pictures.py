"""`make pictures`: the README's pictures, taken of the built book."""

import sys

from playwright.sync_api import sync_playwright

from tests.browser import launch, served

from .notebooks import ROOT

PICTURES = {"page": ("index", 1280, 1000, "light"), "paging-dark": ("05-paging", 1280, 1000, "dark")}


def main() -> int:
    with served(ROOT / "_build" / "html") as address, sync_playwright() as playwright:
        browser = launch(playwright)
        for name, (chapter, width, height, theme) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.goto(f"{address}/book/{chapter}.html")
            page.wait_for_load_state("networkidle")
            if chapter != "index":
                page.locator(".kv-page").first.scroll_into_view_if_needed()
                page.evaluate("document.querySelector('.kv-page').scrollIntoView()")
                page.wait_for_timeout(500)
            page.screenshot(path=ROOT / "book" / "_static" / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
