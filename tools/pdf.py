"""`make pdf`: the built book as one PDF, printed by Chromium: a contents page, bookmarks, page numbers.

Each page of the book is printed by itself, as its print button does it: answers open, figures as they begin.
pypdf joins them; a link from one page of the book to another becomes one inside the file.
"""

import io
import sys
import tempfile
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, NullObject, TextStringObject

from tests.browser import launch, served

from . import chapters
from .head import NAME, pages_address
from .notebooks import ROOT, repository

HTML, FILE = ROOT / "_build" / "html", ROOT / "_build" / "kv-cache-course.pdf"
PAPER = {"format": "A4", "print_background": True}
MARGINS = {"top": "16mm", "bottom": "20mm", "left": "16mm", "right": "16mm"}
OPEN = """() => {
    dispatchEvent(new Event("beforeprint"));
    for (const folded of document.querySelectorAll(".bd-article details")) {
        if (!folded.closest(".kv-figure")) folded.open = true;
    }
}"""
FRONT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>
body {{ font: 12pt/1.6 system-ui, sans-serif; margin: 0 }} h1 {{ font-size: 30pt; margin: 50mm 0 10mm }}
li {{ display: flex; gap: 1em }} li b {{ margin-left: auto; font-weight: normal }}
ol {{ list-style: none; padding: 0; max-width: 120mm }}</style></head>
<body><h1>{name}</h1><ol>{lines}</ol></body></html>"""
NUMBERS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><style>@page {{ size: A4; margin: 0 }}
body {{ margin: 0 }} div {{ height: 296mm; position: relative; break-after: page; overflow: hidden }}
div:last-child {{ break-after: auto }}
span {{ position: absolute; bottom: 9mm; width: 100%; text-align: center; }}
span {{ font: 9pt system-ui; color: #48566b }}
</style></head><body>{pages}</body></html>"""


def printed(page, **options) -> PdfReader:
    return PdfReader(io.BytesIO(page.pdf(**PAPER, **options)))


def page_of(browser, address: str) -> PdfReader:
    """A page of the book as it is printed, whole: what was folded away is open."""
    page = browser.new_page(color_scheme="light")
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate(OPEN)
    reader = printed(page, margin=MARGINS)
    page.close()
    return reader


def front(browser, starts: dict[str, int]) -> PdfReader:
    """The first page: the contents. `starts` has for each page of the book its number in the file."""
    lines = "".join(
        f"<li><span>{escape(heading(name))}</span><b>{number}</b></li>" for name, number in starts.items()
    )
    page = browser.new_page()
    page.set_content(FRONT.format(name=NAME, lines=lines))
    reader = printed(page, margin=MARGINS)
    page.close()
    return reader


def heading(name: str) -> str:
    number = f"{int(name[:2])}. " if name[:2].isdigit() else ""
    return number + chapters.title(name)


def stamp(browser, writer: PdfWriter) -> None:
    """Number every page but the first at its foot."""
    count = len(writer.pages)
    page = browser.new_page()
    page.set_content(
        NUMBERS.format(pages="".join(f"<div><span>{n}</span></div>" for n in range(2, count + 1)))
    )
    numbers = printed(page)
    page.close()
    if len(numbers.pages) != count - 1:
        raise RuntimeError(f"{len(numbers.pages)} numbers were printed for {count - 1} pages")
    for sheet, number in zip(writer.pages[1:], numbers.pages, strict=True):
        sheet.merge_page(number)


def lead_inside(writer: PdfWriter, served_at: str, starts: dict[str, int], published: str) -> None:
    """Let the links to this machine's server lead inside the file, or to the published book, or nowhere."""
    for sheet in writer.pages:
        kept = ArrayObject()
        for reference in sheet.get("/Annots", []):
            link = reference.get_object()
            target = str(link.get("/A", {}).get("/URI", ""))
            path = target.removeprefix(f"{served_at}/")
            name = path.partition("#")[0].removeprefix("book/").removesuffix(".html")
            if path != target and name in starts:
                del link["/A"]
                place = writer.pages[starts[name] - 1].indirect_reference
                link[NameObject("/Dest")] = ArrayObject(
                    [place, NameObject("/XYZ"), *[NullObject() for _ in range(3)]]
                )
            elif path != target:
                if not published:
                    continue
                link["/A"][NameObject("/URI")] = TextStringObject(published + path)
            kept.append(reference)
        if kept or "/Annots" in sheet:
            sheet[NameObject("/Annots")] = kept


def book(html: Path, names: list[str], file: Path) -> dict[str, int]:
    """Print these pages of the book in the folder `html` into `file`; returns the page each begins at."""
    with served(html) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        parts = {name: page_of(browser, f"{address}/book/{name}.html") for name in names}
        starts, next_ = {}, 2
        for name, part in parts.items():
            starts[name] = next_
            next_ += len(part.pages)
        writer = PdfWriter()
        writer.append(front(browser, starts), import_outline=False)
        for name, part in parts.items():
            writer.append(part, outline_item=heading(name), import_outline=False)
        lead_inside(writer, address, starts, pages_address(repository()))
        stamp(browser, writer)
        browser.close()
    writer.add_metadata({"/Title": NAME, "/Author": "The authors of the KV cache course"})
    writer.compress_identical_objects()
    for sheet in writer.pages:
        sheet.compress_content_streams()
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as made:
        writer.write(made)
    Path(made.name).replace(file)
    return starts


def main() -> int:
    book(HTML, chapters.pages(), FILE)
    print(f"{FILE} ({FILE.stat().st_size / 1e6:.1f} MB, {len(PdfReader(FILE).pages)} pages)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
