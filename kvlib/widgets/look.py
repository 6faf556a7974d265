"""How the book's drawings look: one style, hues, dashes and markers, over the one palette."""

import functools

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

# Lines differ by hue, dash and marker, taken in this order.
HUES = ("red", "blue", "ochre", "teal", "plum", "grey")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "x")


def styled(draw):
    """Draw in the book's style, whatever the reader's own matplotlib settings are."""

    @functools.wraps(draw)
    def inside(*args, **options):
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **options)

    return inside


def new_figure(width=7.0, height=3.4, columns=1, **options):
    """A figure of `width` × `height` inches with `columns` axes in a row, and those axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


def some(argument, values):
    """`values`, or a ValueError that names `argument` where there are none."""
    if not len(values):
        raise ValueError(f"{argument} must not be empty")
    return values


def lines(axes, curves, markers=True):
    """Draw `curves`, name -> (x, y), a line each; a legend names them where there are several.

    Raises ValueError where there are none, or where an x and its y differ in length.
    """
    for i, (name, (x, y)) in enumerate(some("curves", curves).items()):
        if len(x) != len(y):
            raise ValueError(f"curves[{name!r}] must be two lists of one length, not {len(x)} and {len(y)}")
        hue = name if name in palette.ROLES else HUES[i % 6]
        look = {"color": palette.color(hue), "linestyle": DASHES[i % 6]}
        if markers:
            look["marker"] = MARKERS[i % 6]
        axes.plot(x, y, label=name, markevery=max(1, len(x) // 12), **look)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    if len(curves) > 1:
        axes.legend(frameon=False, handlelength=3.2)
