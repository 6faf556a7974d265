"""The book as one PDF: in order, with what was folded away, numbered, its links inside it."""

import pytest
from pypdf import PdfReader

from tools import pdf

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title></head><body>
<main class="bd-article"><h1>Page {name}</h1><details><summary>Ask</summary><p>Answer of {name}</p></details>
<p style="break-before: page" id="end">End of {name}: <a href="02-the-formula.html#end">formula</a>
<a href="#end">here</a>
<a href="https://arxiv.org/abs/1706.03762">paper</a> <a href="../_sources/x.ipynb">source</a></p></main>
</body></html>"""
NAMES = ["index", "02-the-formula"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A book of two pages of two sheets each."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "book").mkdir()
    for name in NAMES:
        (folder / "book" / f"{name}.html").write_text(PAGE.format(name=name))
    starts = pdf.book(folder, NAMES, folder / "book.pdf")
    assert starts == {"index": 2, "02-the-formula": 4}
    return PdfReader(folder / "book.pdf")


@pytest.mark.browser
def test_the_pages_stand_in_order_with_what_was_folded_away(made):
    texts = [page.extract_text() for page in made.pages]
    assert len(texts) == 5 and "The KV cache, to the byte" in texts[0]
    for n, name in enumerate(NAMES):
        assert f"Page {name}" in texts[1 + 2 * n] and f"Answer of {name}" in texts[1 + 2 * n]
        assert f"End of {name}" in texts[2 + 2 * n]


@pytest.mark.browser
def test_every_page_but_the_first_is_numbered_and_the_contents_say_where(made):
    texts = [page.extract_text() for page in made.pages]
    assert [text.split()[-1] for text in texts[1:]] == ["2", "3", "4", "5"]
    assert texts[0].split()[-1] == "4" and "2. The formula" in texts[0]
    marks = [(mark.title, made.get_destination_page_number(mark)) for mark in made.outline]
    assert marks == [("The KV cache, to the byte", 1), ("2. The formula", 3)]


@pytest.mark.browser
def test_links_lead_inside_the_file_or_out_of_it_and_never_to_the_machine_that_made_it(made):
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(made.pages)}
    links = [note.get_object() for page in made.pages for note in page.get("/Annots", [])]
    outside = [link["/A"]["/URI"] for link in links if "/A" in link]
    assert outside == ["https://arxiv.org/abs/1706.03762"] * 2
    inside = [numbers[link["/Dest"][0].idnum] for link in links if "/Dest" in link]
    assert inside == [4, 2, 4, 4], (
        "to the place in the other page, and each page's own place of the same name"
    )
