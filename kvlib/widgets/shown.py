"""A drawing on the page: inline SVG in the palette's variables, with its text alternative."""

import html
import io
import re

from ..units import unknown
from . import palette


class Shown:
    """A figure and its text alternative, as a notebook displays them."""

    def __init__(self, figure, alt):
        self.figure, self.alt = figure, alt

    def svg(self) -> str:
        """The drawing as an <svg> whose colours are the palette's CSS variables."""
        import matplotlib

        text = io.StringIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.alt}):
            self.figure.savefig(
                text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
            )
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
        svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
        # The page's own sans serif; the drawing was measured in a wider one.
        svg = re.sub(r"(font: [^'\";]*?px) [^\";]*", r"\1 system-ui, sans-serif", svg)
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
        drawing = f'<figure class="kv-figure kv-plot" tabindex="0">{self.svg()}</figure>'
        page = f"{drawing}<style>{palette.css()}{PAGE}</style>"
        return {"text/html": page, "image/png": self.png(), "text/plain": self.alt}


# On a narrow page a drawing scrolls rather than shrink its text too far. In the dark, the book's theme
# puts every HTML output on a light card, which a drawing does not need.
PAGE = """
.kv-figure.kv-plot { margin: 0.5em 0; padding: 0; border: 0; overflow-x: auto; max-width: none; }
.kv-plot svg { min-width: 30em; }
@media print { .kv-plot svg { min-width: 0; } }
.cell_output .text_html:has(.kv-plot) { background: none !important; padding: 0 !important; }
"""


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
