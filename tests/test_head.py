"""What a link's preview, a search engine and a lost reader get: descriptions, addresses, 404.html."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from tools import chapters, head

from .site import HTML

SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
ADDRESS = "https://ada.github.io/kv-course/"


@pytest.mark.parametrize(
    "url, address",
    [
        ("https://github.com/Ada/kv-course", ADDRESS),
        ("https://github.com/ada/ada.github.io", "https://ada.github.io/"),
        ("https://github.com/YOUR_ACCOUNT/kv-cache-course", ""),
    ],
)
def test_the_book_is_where_github_pages_shows_the_repository(url, address):
    assert head.pages_address(url) == address


def content(html, name):
    return [
        unescape(said) for said in re.findall(rf'<meta (?:name|property)="{name}" content="([^"]*)"', html)
    ]


def test_each_page_has_a_description_of_its_own():
    said = [head.description(name) for name in chapters.pages()]
    assert len(set(said)) == len(said)
    assert all(30 <= len(text) <= head.LONGEST and not re.search(r"[*`<\[]", text) for text in said)


@pytest.mark.parametrize("name", chapters.pages())
def test_without_an_address_no_tag_has_one(name):
    html = head.tags(name, "")
    assert len(content(html, "description")) == len(content(html, "og:title")) == 1
    assert "http" not in html and "og:image" not in html


@pytest.mark.parametrize("name", chapters.pages())
def test_with_an_address_the_page_and_its_picture_are_named_whole(name):
    html = head.tags(name, ADDRESS)
    assert content(html, "og:url") == [f"{ADDRESS}book/{name}.html"]
    [picture] = content(html, "og:image")
    assert picture.startswith(f"{ADDRESS}_static/pictures/")
    assert (chapters.BOOK / "_static" / "pictures" / picture.rpartition("/")[2]).exists()


def build(folder, url, monkeypatch):
    """A book of one stub page, with this extension alone, whose repository is at `url`."""
    monkeypatch.setattr(head, "repository", lambda: url)
    (folder / "book").mkdir()
    (folder / "index.rst").write_text("Book\n====\n\n.. toctree::\n\n   book/02-the-formula\n")
    (folder / "book" / "02-the-formula.rst").write_text("The formula\n===========\n\nText.\n")
    with docutils_namespace():
        settings = {"extensions": ["tools.head"], "html_theme": "basic"}
        Sphinx(
            str(folder), None, str(folder / "out"), str(folder / "trees"), "html", settings, status=None
        ).build()
    return folder / "out"


def test_a_book_whose_address_is_known_has_a_sitemap(tmp_path, monkeypatch):
    out = build(tmp_path, "https://github.com/ada/kv-course", monkeypatch)
    page = (out / "book" / "02-the-formula.html").read_text()
    assert content(page, "description") == [head.description("02-the-formula")]
    assert f'<link rel="canonical" href="{ADDRESS}book/02-the-formula.html"' in page
    places = [place.text for place in ElementTree.parse(out / "sitemap.xml").iter(f"{{{SPACE}}}loc")]
    assert places == [f"{ADDRESS}book/{name}.html" for name in chapters.pages()]
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (out / "robots.txt").read_text()
    assert f'<base href="{ADDRESS}">' in (out / "404.html").read_text()


def test_a_book_whose_address_is_not_known_has_none(tmp_path, monkeypatch):
    out = build(tmp_path, "https://github.com/YOUR_ACCOUNT/kv-cache-course", monkeypatch)
    assert not (out / "sitemap.xml").exists() and not (out / "robots.txt").exists()
    assert "canonical" not in (out / "book" / "02-the-formula.html").read_text()
    lost = (out / "404.html").read_text()
    assert '<base href="/">' in lost
    assert re.findall(r'href="book/([\w-]+)\.html"', lost) == chapters.pages()


@pytest.mark.book
@pytest.mark.parametrize("file", ["index.html", "404.html"])
def test_a_page_outside_the_book_has_its_icon(file):
    icon = re.search(r'<link rel="icon" href="([^"]+)"', (HTML / file).read_text(encoding="utf-8"))[1]
    assert (HTML / icon).is_file()


@pytest.mark.book
@pytest.mark.parametrize("name", chapters.pages())
def test_a_built_page_is_described_once(name):
    html = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
    assert content(html, "description") == [head.description(name)]
    assert content(html, "og:title") == [chapters.title(name)]
