"""How the built book's pages look and weigh: what is in view, print, focus, policy, kilobytes."""

import gzip
import re

import pytest

from .browser import served
from .site import CHAPTERS, CUT_OFF, HTML, PAGES, chromium, site, visit  # noqa: F401

pytestmark = pytest.mark.book

FIGURES = [*CHAPTERS, "index"]


# ---- what is in view


def test_the_verdict_stays_in_view_at_the_last_control(site, visit):  # noqa: F811
    page = visit(f"{site}06-scaling-limits.html", 360)
    page.get_by_role("slider", name="Usable share, slider").scroll_into_view_if_needed()
    page.get_by_role("slider", name="Usable share, slider").press("ArrowLeft")
    header = page.locator(".bd-header-article").bounding_box()
    budget = page.locator(".kv-of-budget")
    for part in (".kv-verdict .kv-big", ".kv-stack"):
        box = budget.locator(part).first.bounding_box()
        assert header["y"] + header["height"] - 1 <= box["y"] and box["y"] + box["height"] <= 900
    hidden = page.evaluate(
        """() => { const b = document.querySelector('.kv-of-budget .kv-big').getBoundingClientRect();
        return document.elementFromPoint(b.x + 20, b.y + b.height / 2).className; }"""
    )
    assert "kv-big" in hidden


def test_the_compared_models_keep_their_header_and_their_last_column(site, visit):  # noqa: F811
    page = visit(f"{site}04-sharing-heads.html")
    box = page.locator(".kv-compared")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    box.evaluate("e => { e.scrollTop = 300; }")
    head = page.locator(".kv-compared thead th").last.bounding_box()
    assert abs(head["y"] - box.bounding_box()["y"]) < 2


# ---- paper


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_a_dark_page_is_ink_on_white_with_every_answer_open(site, visit, name):  # noqa: F811
    page = visit(f"{site}{name}.html", 700, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".bd-article details:not([open], .kv-data)").count() == 0
    pale = page.evaluate(PALE)
    assert pale == []
    assert page.evaluate(CUT_OFF) == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".bd-article details[open]").count() == 0


# What is printed and has less than 4.5 to 1 on white (a link's, a figure's and a syntax colour among them).
PALE = """() => {
    const light = c => {
        const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = new Set();
    const walk = document.createTreeWalker(document.querySelector('.bd-article'), NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('button, svg, script, style, .kv-hidden')) continue;
        const color = getComputedStyle(e).color;
        if (1.05 / (light(color) + 0.05) < 4.5) found.add(`${color} ${e.outerHTML.slice(0, 90)}`);
    }
    return [...found];
}"""  # noqa: E501


# ---- the theme's own parts


def test_the_focus_is_seen_on_every_button_and_link_of_the_theme(site, visit):  # noqa: F811
    page = visit(f"{site}05-paging.html")
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        look = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [s.outlineStyle, parseFloat(s.outlineWidth), e.outerHTML.slice(0, 90)]; }"""
        )
        if look[0] == "none" or look[1] < 2:
            unseen.append(look)
    assert unseen == []


@pytest.mark.parametrize("name", ["index", "05-paging", "references"])
def test_a_name_has_what_is_seen_in_it(site, visit, name):  # noqa: F811
    """WCAG 2.5.3: who speaks to the page says what stands on a button."""
    page = visit(f"{site}{name}.html")
    named = page.locator("button[aria-label], a[aria-label], [role=button][aria-label]").evaluate_all(
        """all => all.filter(e => e.checkVisibility())
            .map(e => [e.innerText.trim(), e.getAttribute('aria-label')])"""
    )
    assert [pair for pair in named if pair[0].lower() not in pair[1].lower()] == []


def test_every_page_has_headings_of_the_second_level(site):  # noqa: F811
    for name in set(PAGES) - {"glossary"}:  # which is one table under its title
        assert "<h2>" in (HTML / "book" / f"{name}.html").read_text(), name


def test_no_two_headings_of_the_chapters_are_the_same():
    """Ten chapters have one skeleton; their numbers tell a list of headings, or of search results, apart."""
    pages = [(HTML / "book" / f"{name}.html").read_text() for name in CHAPTERS]
    headings = [re.sub(r"<[^>]+>", "", h) for page in pages for h in re.findall(r"<h2>(.*?)<a", page)]
    assert len(headings) > 80 and len(set(headings)) == len(headings)


def test_the_exercises_are_linked():
    for name in CHAPTERS[:6]:
        html = (HTML / "book" / f"{name}.html").read_text()
        assert re.search(rf'<a [^>]*href="https://github\.com/[^"]*/exercises/{name}\.ipynb"', html), name


# ---- under a policy, and by weight

POLICY = "default-src 'self'; img-src 'self' data:"


@pytest.fixture(scope="module")
def strict_site():
    with served(HTML, POLICY) as address:
        yield f"{address}/book/"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_under_a_strict_policy(strict_site, visit, name):  # noqa: F811
    """`visit` fails on what Chromium refuses: it says so as an error."""
    page = visit(f"{strict_site}{name}.html")
    assert page.locator(".kv-static").count() == 0
    if name in FIGURES:
        assert page.locator(".kv-figure :is(input, select)").count() >= 3
    html = (HTML / "book" / f"{name}.html").read_text()
    assert re.findall(r"<style|<[^>]+ style=|<[^>]+ on[a-z]+=|<script>", html) == []


def weighed(page, url):
    """Compressed bytes of all that the page asks for, by address; a font or picture is as it is."""
    sizes = {}

    def note(response):
        body = response.body() if response.status == 200 else b""
        packed = response.url.endswith((".png", ".woff2", ".jpg"))
        sizes[response.url] = len(body if packed else gzip.compress(body, 9))

    page.on("response", note)
    page.goto(url)
    page.wait_for_load_state("networkidle")
    return sizes


# Page -> bytes, where it is not 60 KB: a recording travels with the theatre, weights with the tiny model.
OWN_LIMIT = {"01-why-a-cache": 100_000, "index": 100_000, "07-smaller-caches": 100_000}


# What comes with a press alone: the Python that runs in the page, and what an exercise's form is made of.
PRESSED = re.compile(
    r"/(worker\.js|pyodide|python_stdlib|kvlib-|runtime-|answers\.js|fields\.js|exercises\.js|\d\d-[\w-]+\.js)"
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_and_asks_for_nothing_that_was_not_pressed_for(site, chromium, name):  # noqa: F811
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    sizes = weighed(page, f"{site}{name}.html")
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(200)
    workers = len(page.workers)
    page.close()
    assert workers == 0 and [url for url in sizes if PRESSED.search(url)] == []
    if name in CHAPTERS:
        assert {"begin.js", "quiz.js"} <= {url.rpartition("/")[2].partition("?")[0] for url in sizes}
    own = sum(n for url, n in sizes.items() if "/_static/" not in url or "/_static/kv/" in url)
    assert own <= OWN_LIMIT.get(name, 60_000), sizes
    assert sum(sizes.values()) <= 200_000, sizes
    assert not [url for url in sizes if "webfonts" in url or "fontawesome" in url]
