"""What a page of the theme lacks: icons without a font, names, landmarks, boxes for wide tables.

`mend(html, repository)` takes a built page and gives it mended. It knows the HTML of the theme that
constraints.txt pins; tests/test_theme.py fails where another theme's HTML is no longer known.
"""

import re
from html import unescape

# The book's own drawings, 24 units square, for the theme's names of its font's icons.
ICONS = {
    "magnifying-glass": "M16 10a6 6 0 1 1-12 0 6 6 0 0 1 12 0zM15 15l6 6",
    "list": "M9 6h11M9 12h11M9 18h11M4 6h.1M4 12h.1M4 18h.1",
    "bars": "M4 6h16M4 12h16M4 18h16",
    "file": "M6 3h8l4 4v14H6zM14 3v4h4",
    "file-pdf": "M6 3h8l4 4v14H6zM14 3v4h4M9 13h6M9 17h6",
    "expand": "M4 9V4h5M15 4h5v5M4 15v5h5M20 15v5h-5",
    "download": "M12 4v11M7 11l5 5 5-5M4 20h16",
    "github": "M9 5a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM9 19a2 2 0 1 1-4 0 2 2 0 0 1 4 0z"
    "M19 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM7 7v10M17 10c0 5-8 3-9.5 7",
    "arrow-up": "M12 20V4M6 10l6-6 6 6",
    "angle-left": "M15 5l-7 7 7 7",
    "angle-right": "M9 5l7 7-7 7",
    "rocket": "M8 5l11 7-11 7z",
    "sun": "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM12 2v3M12 19v3M2 12h3M19 12h3"
    "M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
    "moon": "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
    "circle-half-stroke": "M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0zM12 4v16M15 5v14M17.5 7v10",
    "chevron-down": "M5 9l7 7 7-7",
    "colab": "M12 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM20 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z",
}
COLAB = re.compile(r'<img alt="Colab logo"[^>]*>')  # a picture of 7 kB on every page
ICON = re.compile(
    r'<(i|span) class="([^"]*\bfa[srb]?\b[^"]*|[^"]*\bfa-(?:solid|brands|regular)\b[^"]*)"([^>]*)></\1>'
)
# The icons' font, and what serves tabs, cards and toggled cells, of which this book has none.
UNUSED = re.compile(
    r"\s*<(?:link|script)[^>]*(?:fontawesome|togglebutton|sphinx-design|design-tabs)[^>]*>(?:</script>)?"
    r"|\s*<script>(?:let toggle\w+|var togglebuttonSelector) = [^<]*</script>"
)
WRITTEN = re.compile(r"<script>\s*document\.write\(`(.*?)`\);\s*</script>", re.DOTALL)
BOX = '<div class="pst-scrollable-table-container">'  # the theme's own around a table of the text
TABLE = re.compile(
    r'(?<!data-name="Table">)<table (?=[^>]*class="[^"]*\b(?:docutils|dataframe)\b)[^>]*>.*?</table>',
    re.DOTALL,
)
EXERCISE = re.compile(
    r'<code class="docutils literal notranslate"><span class="pre">(exercises/[\w-]+\.ipynb)</span></code>'
)
WIDEST = 110  # characters: lines as long as the house's code allows are columns or code, longer ones prose
CODE = re.compile(r'(<div class="highlight">)<pre>(.*?)</pre>', re.DOTALL)
TO_TOP = re.compile(
    r'<button type="button" class="btn rounded-pill" id="pst-back-to-top">.*?</button>', re.DOTALL
)
SEARCH_FIELD = re.compile(
    r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"'
)

PRIMARY, SECONDARY = "The book's contents", "This page's contents"
# Part of the theme's HTML, and what is written behind it within the same tag.
GIVEN = {
    # Landmarks for what stands outside them.
    '<div class="bd-sidebar-primary bd-sidebar"': ' role="navigation" aria-label="The book"',
    '<nav class="bd-toc-nav page-toc"': ' aria-label="This page"',
    # Names.
    'id="pst-primary-sidebar-checkbox"': f' aria-label="{PRIMARY}"',
    'id="pst-secondary-sidebar-checkbox"': f' aria-label="{SECONDARY}"',
    'title="Toggle primary sidebar"': f' aria-label="{PRIMARY}"',
    'title="Toggle secondary sidebar"': f' aria-label="{SECONDARY}"',
    'class="btn btn-sm btn-source-repository-button"': ' aria-label="Source repository"',
    'class="btn btn-sm btn-fullscreen-button"': ' aria-label="Fullscreen mode"',
}
# Handlers, which a page's policy may forbid: book.js has them.
HANDLERS = {
    'onclick="window.print()"': 'data-does="print"',
    'onclick="toggleFullScreen()"': 'data-does="fullscreen"',
}


def icon(name: str, classes: str = "", attributes: str = "") -> str:
    """An icon as inline SVG, as high as the text around it. KeyError for a name that is not drawn."""
    return (
        f'<svg class="{" ".join(["kv-icon", *classes.split()])}"{attributes} viewBox="0 0 24 24" '
        f'aria-hidden="true"><path d="{ICONS[name]}"/></svg>'
    )


def _icon(match) -> str:
    names = match[2].split()
    name = next((n.removeprefix("fa-") for n in names if n.removeprefix("fa-") in ICONS), None)
    if name is None:
        raise ValueError(f"tools/theme.py draws no icon for {match[2]!r}: add one to ICONS")
    rest = [n for n in names if not re.fullmatch(r"fa[srb]?|fa-.*", n)]
    return icon(name, " ".join(rest), match[3])


def _measured(match) -> str:
    """A block of code or output that says how long its longest line is; book.css makes it fit."""
    longest = max(map(len, unescape(re.sub(r"<[^>]*>", "", match[2])).splitlines()), default=0)
    prose = ' class="kv-prose"' if longest > WIDEST else ""
    return f'{match[1]}<pre{prose} style="--n: {max(1, longest)}">{match[2]}</pre>'


def mend(html: str, repository: str) -> str:
    """The page `html` with its icons inline, its names and landmarks, and its wide tables in boxes.

    `repository` is the address that the exercises' names link to.
    """
    html = WRITTEN.sub(r"\1", UNUSED.sub("", html))
    html = ICON.sub(_icon, html)
    html = COLAB.sub(lambda _: icon("colab"), html)
    for part, given in GIVEN.items():
        html = html.replace(part, part + given)
    for handler, mark in HANDLERS.items():
        html = html.replace(handler, mark)
    html = SEARCH_FIELD.sub(r"\1", html)
    html = html.replace(BOX, f'{BOX[:-2]} kv-wide" data-name="Table">')
    html = TABLE.sub(lambda table: f'<div class="kv-wide" data-name="Table">{table[0]}</div>', html)
    html = CODE.sub(_measured, html)
    html = EXERCISE.sub(rf'<a class="reference external" href="{repository}/blob/main/\1">\g<0></a>', html)
    # Shown once the reader has scrolled, and then part of the text.
    if button := TO_TOP.search(html):
        html = html.replace(button[0], "", 1)
        html = re.sub(r'<main id="main-content"[^>]*>', lambda main: main[0] + button[0], html, count=1)
    return html
