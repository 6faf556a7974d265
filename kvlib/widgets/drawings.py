"""The book's drawings that stand still: one style, one function a figure.

Every function takes data, never computes bytes, and returns a matplotlib Figure; `show` puts it on
the page with its text alternative, as inline SVG that follows the page's light or dark theme.

    show(context_chart(llama2_7b), "The cache of Llama 2 7B doubles with every doubled context.")
"""

import functools
import html
import io
import re

import matplotlib
from matplotlib.figure import Figure

from ..units import GiB, KiB, fmt, unknown
from . import palette

STYLE = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": palette.LIGHT["quiet"],
    "axes.labelcolor": palette.LIGHT["ink"],
    "axes.titlecolor": palette.LIGHT["ink"],
    "text.color": palette.LIGHT["ink"],
    "xtick.color": palette.LIGHT["quiet"],
    "ytick.color": palette.LIGHT["quiet"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": palette.LIGHT["rule"],
    "grid.linewidth": 0.8,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "hatch.linewidth": 0.8,
    "figure.facecolor": palette.LIGHT["paper"],
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "kvlib",
}

# A line is told by its hue, its dash and its marker; the order is the legend's.
HUES = ("red", "blue", "ochre", "teal", "plum", "grey")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "x")


def styled(draw):
    """Draw in the book's style, whatever the reader's own matplotlib settings are."""

    @functools.wraps(draw)
    def inside(*args, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **options)

    return inside


def _axes(width=7.0, height=3.4, columns=1, **options):
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


def _some(argument, values):
    if not len(values):
        raise ValueError(f"{argument} must not be empty")
    return values


def _lines(axes, curves, markers=True):
    """One line a name, named at its end where there is room for that, else in a legend."""
    for i, (name, (x, y)) in enumerate(_some("curves", curves).items()):
        if len(x) != len(y):
            raise ValueError(f"curves[{name!r}] must be two lists of one length, not {len(x)} and {len(y)}")
        look = {"color": palette.colour(HUES[i % 6]), "linestyle": DASHES[i % 6]}
        if markers:
            look["marker"] = MARKERS[i % 6]
        axes.plot(x, y, label=name, markevery=max(1, len(x) // 12), **look)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    if len(curves) > 1:
        axes.legend(frameon=False, handlelength=3.2)


@styled
def time_per_token(curves, title="Time for one more token"):
    """`curves`: name -> (context lengths, seconds per token)."""
    figure, axes = _axes()
    _lines(axes, {name: (x, [1000 * s for s in y]) for name, (x, y) in curves.items()})
    axes.set(xlabel="tokens so far", ylabel="milliseconds per token", title=title)
    return figure


@styled
def decode_floor(curves, title="The least time a decode step can take"):
    """`curves`: name -> (contexts, seconds): bytes that must move / bandwidth."""
    figure, axes = _axes()
    _lines(axes, {name: (x, [1000 * s for s in y]) for name, (x, y) in curves.items()})
    axes.set(xlabel="context, tokens", ylabel="milliseconds per step", title=title)
    return figure


@styled
def context_chart(layout, contexts=(512, 1024, 2048, 4096, 8192), batch=1, dtype="bf16"):
    """The cache in GiB at each context, on a linear scale."""
    figure, axes = _axes(height=2.9)
    sizes = [layout.bytes(context, batch, dtype) for context in _some("contexts", contexts)]
    names = [f"{context:,}" for context in contexts]
    bars = axes.barh(names, [size / GiB for size in sizes], color=palette.colour("cache"), height=0.62)
    axes.bar_label(bars, [fmt(size) for size in sizes], padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="cache, GiB", ylabel="context, tokens")
    return figure


@styled
def heads(n_heads=8, n_kv_heads=(8, 2, 1)):
    """Query heads above the KV heads they read: MHA, GQA and MQA side by side."""
    from matplotlib.patches import FancyBboxPatch

    figure, all_axes = _axes(7.6, 2.3, columns=len(_some("n_kv_heads", n_kv_heads)), squeeze=False)

    def box(axes, x, y, width, hue):
        shape = FancyBboxPatch(
            (x - width / 2, y), width, 0.5, boxstyle="round,pad=0,rounding_size=0.12", lw=0, fc=hue
        )
        axes.add_patch(shape)

    for axes, kv in zip(all_axes[0], n_kv_heads, strict=True):
        if n_heads % kv:
            raise ValueError(f"n_kv_heads must divide n_heads ({n_heads}), not {kv}")
        group = n_heads // kv
        for i in range(n_heads):
            box(axes, i, 1.6, 0.66, palette.colour("queries"))
            centre = (i // group) * group + (group - 1) / 2
            axes.plot([i, centre], [1.6, 0.5], color=palette.colour("quiet"), lw=1)
        for j in range(kv):
            box(axes, j * group + (group - 1) / 2, 0, 0.66, palette.colour("keys"))
        kind = "MHA" if kv == n_heads else "MQA" if kv == 1 else "GQA"
        share = "as many as query heads" if kv == n_heads else f"1/{group} of the cache"
        axes.set_title(f"{kind}: {kv} KV head{'s' if kv > 1 else ''}", loc="center")
        axes.text((n_heads - 1) / 2, -0.35, share, ha="center", va="top", color=palette.colour("quiet"))
        axes.set(xlim=(-0.6, n_heads - 0.4), ylim=(-0.85, 2.25))
        axes.axis("off")
    left = all_axes[0][0]
    left.text(-0.7, 1.85, "queries", ha="right", va="center", color=palette.colour("queries"))
    left.text(-0.7, 0.25, "K and V", ha="right", va="center", color=palette.colour("keys"))
    return figure


@styled
def bytes_per_token(layouts, dtype="bf16"):
    """`layouts`: name -> CacheLayout. What one token keeps in each model, the largest on top."""
    sizes = {name: layout.bytes_per_token(dtype) for name, layout in _some("layouts", layouts).items()}
    names = sorted(sizes, key=sizes.get)
    figure, axes = _axes(height=0.9 + 0.34 * len(names))
    bars = axes.barh(names, [sizes[n] / KiB for n in names], color=palette.colour("cache"), height=0.66)
    axes.bar_label(bars, [fmt(sizes[n]) for n in names], padding=5)
    axes.margins(x=0.16, y=0.02)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="cache of one token, KiB")
    return figure


@styled
def utilization(runs, title="Of the slots taken, how many hold a token"):
    """`runs`: name -> trace.Run. Tokens held / slots taken after each step, in percent."""
    figure, axes = _axes()
    curves = {}
    for name, run in _some("runs", runs).items():
        frames = [f for f in run.frames if f.taken]
        curves[name] = ([f.step for f in frames], [100 * f.utilization for f in frames])
    _lines(axes, curves, markers=False)
    axes.set(ylim=(0, 103), xlabel="step", ylabel="%", title=title)
    return figure


@styled
def vram(weights, cache, overhead, memory, title=None):
    """One bar of a GPU's memory, bytes: weights, cache, overhead and what is free (or missing)."""
    figure, axes = _axes(height=1.75)
    at = 0
    parts = [("weights", weights, ""), ("cache", cache, "//"), ("overhead", overhead, "\\\\")]
    free = memory - weights - cache - overhead
    if free > 0:
        parts.append(("free", free, None))
    for name, size, hatch in parts:
        look = {"facecolor": palette.colour(name), "edgecolor": palette.colour("paper"), "hatch": hatch}
        if name == "free":
            look |= {"facecolor": "none", "edgecolor": palette.colour("quiet")}
        axes.barh([0], [size / GiB], left=at / GiB, height=0.6, label=f"{name} {fmt(size, digits=1)}", **look)
        at += size
    axes.axvline(memory / GiB, color=palette.colour("ink"), lw=2)
    end = f"the GPU ends here: {fmt(memory, digits=1)}"
    if free < 0:
        end = f"{fmt(-free, digits=1)} too much; {end}"
    axes.text(memory / GiB, 0.42, end + " ", ha="right", va="bottom")
    axes.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.4))
    axes.set(yticks=[], ylim=(-0.4, 0.75), xlim=(0, max(at, memory) * 1.01 / GiB), xlabel="GiB")
    axes.spines["left"].set_visible(False)
    if title:
        axes.set_title(title)
    return figure


@styled
def perplexity(groups, title="What a smaller cache costs in quality"):
    """`groups`: name -> [(label, bytes per token, perplexity)], each one a kind of saving."""
    figure, axes = _axes(height=3.8)
    for i, (name, points) in enumerate(_some("groups", groups).items()):
        x, y = [size / KiB for _, size, _ in points], [ppl for *_, ppl in points]
        axes.scatter(
            x, y, s=48, marker=MARKERS[i % 6], color=palette.colour(HUES[i % 6]), label=name, zorder=3
        )
        for label, size, value in points:
            beside = (6, 5) if i % 2 == 0 else (6, -13)
            axes.annotate(label, (size / KiB, value), xytext=beside, textcoords="offset points", fontsize=10)
    axes.grid()
    axes.margins(x=0.12, y=0.12)
    if len(groups) > 1:
        axes.legend(frameon=False)
    axes.set(xlabel="cache of one token, KiB", ylabel="perplexity (lower is better)", title=title)
    return figure


@styled
def singular_values(spectra, title="How fast the singular values fall"):
    """`spectra`: name ("keys", "values") -> one list a layer, largest first; drawn as shares of the first."""
    figure, all_axes = _axes(7.4, 3.2, columns=len(_some("spectra", spectra)), squeeze=False, sharey=True)
    for axes, (name, layers) in zip(all_axes[0], spectra.items(), strict=True):
        hue = palette.colour(name) if name in palette.ROLES else palette.colour("cache")
        for i, values in enumerate(layers):
            alpha = 0.4 + 0.6 * i / max(1, len(layers) - 1)
            axes.semilogy(
                range(1, len(values) + 1), [v / values[0] for v in values], color=hue, lw=1, alpha=alpha
            )
        axes.set(title=name, xlabel="singular value, from the largest")
        axes.grid(axis="y")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    all_axes[0][0].set_ylabel("share of the largest")
    return figure


class Shown:
    """A figure and its text alternative, as a notebook displays them."""

    def __init__(self, figure, alt):
        self.figure, self.alt = figure, alt

    def svg(self) -> str:
        """The drawing as an <svg> whose colours are the palette's CSS variables."""
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


# A narrow page scrolls a figure sooner than it makes its text too small. The theme gives every HTML
# output a light card in the dark; a figure needs none.
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
    if not isinstance(figure, Figure):
        raise unknown("figure", type(figure).__name__, ["Figure"])
    return Shown(figure, " ".join(alt.split()))
