"""`make pictures`: the README's pictures, and a still one of each figure and drawing of the chapters.

A still picture is what a notebook shows where nothing runs: in GitHub's preview, in nbviewer, in Colab before
a cell is run. `make canonical` puts it into its cell's output; a link's preview and the slides show it too.
It is taken of the book as it was executed, so it shows what `kvlib` computed, and it bears the hash of its
cell's source, by which a test sees that it is older than the cell.
"""

import base64
import hashlib
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from tests.browser import document, launch, served

from . import notebooks
from .notebooks import ROOT

PICTURES = {"page": ("index", 1280, 1000, "light"), "paging-dark": ("05-paging", 1280, 1000, "dark")}
WIDTH = 760  # of a page's column, as the pictures are shown
COLORS = 32
FIGURE = re.compile(r"from kvlib\.widgets import (?!drawings)[A-Z]\w+|\bdrawings\.show\(")
# Drawings of what was timed or allocated on one machine, in one run: no reader's machine gives them again.
MEASURED = re.compile(r"01-why-a-cache-curves|08-measure-it-(?!widget)[\w-]+")


def drawn(name: str) -> dict[str, str]:
    """{the id of a cell of book/NAME.ipynb that has a still picture: its source}."""
    cells = json.loads((ROOT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return {
        cell["id"]: source
        for cell in cells
        if notebooks.IGNORE in cell["metadata"].get("tags", [])
        and FIGURE.search(source := "".join(cell["source"]))
        and not MEASURED.fullmatch(f"{name}-{cell['id']}")
    }


def fingerprint(source: str) -> str:
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


def small(png: bytes, source: str) -> bytes:
    """`png` in few colours, with the fingerprint of the cell that drew it."""
    info = PngInfo()
    info.add_text("source", fingerprint(source))
    kept = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.quantize(COLORS, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True, pnginfo=info)
    return kept.getvalue()


def photograph(browser, html: str) -> bytes:
    """A figure's static form as a picture, once its script has drawn it."""
    page = browser.new_page(viewport={"width": WIDTH + 32, "height": 900})
    page.set_content(document(SimpleNamespace(html=lambda: html)))
    page.locator(".kv-figure :is(input, select, button)").first.wait_for()
    page.add_style_tag(content=".kv-offer, .kv-data { display: none !important }")
    page.wait_for_timeout(300)
    png = page.locator(".kv-figure").first.screenshot()
    page.close()
    return png


def still(browser, output: dict) -> bytes:
    """The picture of what a cell gave: a drawing's own, or a figure photographed."""
    if png := output["data"].get("image/png"):
        return base64.b64decode("".join(png))
    return photograph(browser, "".join(output["data"]["text/html"]))


def stills(browser, executed: Path) -> None:
    """Take the pictures of every notebook that lies executed in the folder `executed`."""
    for path in notebooks.notebooks("book"):
        wanted = drawn(path.stem)
        if not wanted:
            continue
        cells = json.loads((executed / path.name).read_text(encoding="utf-8"))["cells"]
        given = {"".join(cell["source"]).strip(): cell.get("outputs") for cell in cells}
        for cell, source in wanted.items():
            file = notebooks.picture(path, cell)
            file.parent.mkdir(exist_ok=True)
            [output] = [o for o in given[source.strip()] if "data" in o]
            file.write_bytes(small(still(browser, output), source))


def pages(browser) -> None:
    """The README's pictures."""
    with served(ROOT / "_build" / "html") as address:
        for name, (chapter, width, height, theme) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.goto(f"{address}/book/{chapter}.html")
            page.wait_for_load_state("networkidle")
            if chapter != "index":
                page.locator(".kv-page").first.scroll_into_view_if_needed()
                page.evaluate("document.querySelector('.kv-page').scrollIntoView()")
                page.wait_for_timeout(500)
            page.screenshot(path=ROOT / "book" / "_static" / f"{name}.png")


def main() -> int:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        pages(browser)
        stills(browser, ROOT / "_build" / "jupyter_execute" / "book")
        browser.close()
    return notebooks.main(["--write"])


if __name__ == "__main__":
    sys.exit(main())
