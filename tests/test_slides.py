"""The slides of a chapter: whole without anything beside them, and each of them on one screen."""

import re

import pytest

from tools import chapters, slides

from .browser import chromium, violations  # noqa: F401

NAMES = chapters.chapters()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_slides_stands_alone(name):
    html = slides.document(name)
    assert not re.search(r"<script|<link|src=\"(?!data:)|@import|url\(|href=\"(?!https?://)|\$\$|<!--", html)
    assert html.count("<section") >= 10


@pytest.mark.parametrize("name", NAMES)
def test_slides_have_the_headings_the_formulas_the_figure_and_what_is_asked(name):
    html = slides.document(name)
    headings = {heading for heading, _, _ in chapters.sections(name)} - slides.OWN - {"The question"}
    for heading in headings:
        assert f">{slides.escape(heading)}</h" in html, heading
    assert html.count("data:image/png") == len(chapters.pictures(name)) >= 1
    assert html.count('class="math block"') >= 1
    assert html.count("<details>") == len(chapters.recalls(name))
    assert chapters.title(name) in html and "<h2>What stays</h2>" in html


@pytest.mark.parametrize("name", ["02-the-formula", "05-paging"])
def test_a_slide_fits_a_screen_and_axe_finds_nothing(chromium, tmp_path, name):  # noqa: F811
    file = tmp_path / "slides.html"
    file.write_text(slides.document(name), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(file.as_uri())
    heights = page.locator("section").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert max(heights) <= 805 and len(heights) >= 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.emulate_media(reduced_motion="reduce")
    assert violations(page) == []
    page.close()
