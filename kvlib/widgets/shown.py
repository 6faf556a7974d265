"""A drawing on the page: inline SVG in the palette's variables, with its text alternative."""

import html
import io
import re
import textwrap
from contextlib import contextmanager

from ..units import unknown
from . import palette


class Shown:
    """A figure and its text alternative, as a notebook displays them."""

    def __init__(self, figure, alt):
        self.figure, self.alt = figure, alt

    def svg(self, width=None) -> str:
        """The drawing as an <svg> whose colours are the palette's CSS variables.

        With `width`, in inches, it is drawn for a page so narrow, and its axes one below the other.
        """
        if width is None:
            return self._svg(self.alt)
        with _narrowed(self.figure, width):
            return self._svg(f"{self.alt} narrow")

    def _svg(self, salt) -> str:
        import matplotlib

        text = io.StringIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
            self.figure.savefig(
                text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
            )
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
        svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
        # Rotations by nothing, names of groups and indents, which nobody sees either.
        svg = re.sub(r' transform="rotate\(-?0 [^"]*"', "", svg)
        svg = re.sub(r"\n +", "\n", re.sub(r'<g id="[^"]*"', "<g", svg))
        # Its one rule is for this drawing, and not for all that stands in the page.
        svg = svg.replace(">*{", ">.kv-plot svg *{")
        # A tenth of a point is not seen, and the rest of matplotlib's digits weigh as much as all else.
        svg = re.sub(r' (?:d|x|y)="[^"]{8,}"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)
        svg = _lighter(svg)
        for name, value in palette.LIGHT.items():
            svg = svg.replace(value, f"var(--kv-{name})")
        size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
        assert size is not None, "matplotlib begins an SVG with its size"
        width = float(size[1]) * 4 / 3
        look = f"width:{width:.0f}px;max-width:100%;height:auto"
        head = f'role="img" aria-label="{html.escape(self.alt)}" style="{look}"'
        return svg.replace(size[0], head, 1)

    def png(self) -> bytes:
        """The drawing as a PNG on white, for a viewer that shows no HTML."""
        data = io.BytesIO()
        self.figure.savefig(data, format="png", dpi=144, metadata={"Software": None})
        return data.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        wide, narrow = self.svg(), self.svg(NARROW)
        drawing = f'<figure class="kv-figure kv-plot"><div>{wide}</div><div>{narrow}</div></figure>'
        page = f"{drawing}<style>{palette.css()}{PAGE}</style>"
        return {"text/html": page, "image/png": self.png(), "text/plain": self.alt}


def _lighter(svg: str) -> str:
    """The same drawing without what says nothing: line breaks, unused ids, groups without a meaning."""
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda ident: ident[0] if ident[1] in used else "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    # The page has its own sans serif; the drawing was measured in a wider one. An older matplotlib writes
    # "font: …" for it.
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"(font: [^'\";]*?px) [^\";]*", r"\1 system-ui, sans-serif", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg).strip().replace("> <", "><")
    bare: list[bool] = []  # of the groups that are open, whether they say anything

    def group(tag):
        if tag[0] != "</g>":
            bare.append(tag[0] == "<g>")
            return "" if bare[-1] else tag[0]
        return "" if bare.pop() else tag[0]

    return re.sub(r"<g>|<g [^>]*(?<!/)>|</g>", group, svg.replace("<g/>", ""))


NARROW = 3.4  # inches: what a phone of 360 pixels leaves of its width
# A narrow page shows the drawing that was made for it. In the dark, the book's theme puts every HTML output
# on a light card, which a drawing does not need.
PAGE = """
.kv-figure.kv-plot { margin: 0.5em 0; padding: 0; border: 0; max-width: none; print-color-adjust: exact; }
.kv-plot svg { display: block; font-family: system-ui, sans-serif; }
.kv-plot > :last-child { display: none; }
@media (max-width: 560px) {
  .kv-plot > :first-child { display: none; }
  .kv-plot > :last-child { display: block; }
}
.cell_output .text_html:has(.kv-plot) { background: none !important; padding: 0 !important; }
"""


@contextmanager
def _narrowed(figure, width):
    """`figure` while the block lasts: `width` inches wide, its axes in a column, long titles in two lines."""
    from matplotlib.gridspec import GridSpec

    inches, axes = figure.get_size_inches().copy(), figure.axes
    places = [a.get_subplotspec() for a in axes]
    titles = [(a.title, a.title.get_text()) for a in axes] + [
        (a._left_title, a.get_title("left")) for a in axes
    ]
    figure.set_size_inches(width, inches[1] * (1 if len(axes) == 1 else 0.85 * len(axes)))
    for a, place in zip(axes, GridSpec(len(axes), 1, figure=figure), strict=True):
        a.set_subplotspec(place)
    for title, text in titles:
        title.set_text(textwrap.fill(text, 30))
    try:
        yield
    finally:
        figure.set_size_inches(inches)
        for a, place in zip(axes, places, strict=True):
            a.set_subplotspec(place)
        for title, text in titles:
            title.set_text(text)


def show(figure, alt) -> Shown:
    """`figure` as a page shows it, with `alt`: a sentence that says what a reader would see in it.

    Raises ValueError without one.
    """
    if not isinstance(alt, str) or len(alt.split()) < 4:
        raise ValueError(f"alt must be a sentence that says what the figure shows, not {alt!r}")
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise unknown("figure", type(figure).__name__, ["Figure"])
    return Shown(figure, " ".join(alt.split()))
