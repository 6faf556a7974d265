"""The picture of a measurement: how long a step takes over context, each cache beside its floor.

matplotlib is imported when something is drawn.
"""

from collections.abc import Mapping

from ..widgets import palette
from ..widgets.look import HUES, MARKERS, new_figure, some, styled
from .decode import CACHES

# A cache has one colour and one marker in every picture; recomputing is none, and black.
LOOKS = {"none": ("ink", "*")} | dict(
    zip([name for name in CACHES if name != "none"], zip(HUES, MARKERS, strict=True), strict=True)
)
PALE = 0.35
# Where one cache takes so many times as long as another, a linear axis would lay the faster on the ground.
FAR = 30


@styled
def step_times(rows, records=(), ax=None, label="this run"):
    """Step time over context, a line a cache, its floor dashed; a panel for each batch. Returns the Figure.

    rows     as `decode_times` gives them; rows without a time are left out
    records  records of such rows (`records.record("decode")`), drawn paler; {label: record}, or a list,
             which the legend tells apart by device and date
    ax       matplotlib axes to draw on, where all rows are of one batch (default: a new figure)
    label    what the legend calls `rows`

    Raises ValueError where no row has a time, or for rows of several batches with `ax`.
    """
    if not isinstance(records, Mapping):
        records = {f"{record['device']}, {record['date']}": record for record in records}
    shown = [_timed(rows), *(_timed(record["rows"]) for record in records.values())]
    batches = sorted({row["batch"] for of in shown for row in of})
    some("rows", batches)
    if ax is None:
        figure, axes = new_figure(max(7.0, 4.2 * len(batches)), 4.4, columns=len(batches), squeeze=False)
        panels = dict(zip(batches, axes[0], strict=True))
    elif len(batches) == 1:
        figure, panels = ax.figure, {batches[0]: ax}
    else:
        raise ValueError(f"rows must be of one batch to be drawn on one ax, not of {batches}")
    for batch, panel in panels.items():
        parts = [[row for row in of if row["batch"] == batch] for of in shown]
        for i, part in enumerate(parts):
            _curves(panel, part, PALE if i else 1)
        times = [row["seconds"] for part in parts for row in part]
        if max(times) > FAR * min(times):
            panel.set(xscale="log", yscale="log")
            panel.set_xticks(sorted({row["context"] for part in parts for row in part}))
            panel.minorticks_off()
            panel.yaxis.set_major_formatter("{x:,g}")
        else:
            panel.set_ylim(bottom=0)
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.grid(axis="y")
        panel.set(xlabel="context, tokens", title=f"batch {batch}")
    first = panels[batches[0]]
    first.set_ylabel("milliseconds per step")
    handles = _handles(shown, [label, *records])
    if ax is None:
        figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=2)
    else:
        ax.legend(handles=handles, frameon=False)
    return figure


def _timed(rows):
    return [row for row in rows if "seconds" in row]


def _curves(axes, rows, alpha):
    for name in dict.fromkeys(row["cache"] for row in rows):
        hue, marker = LOOKS[name]
        points = sorted((row for row in rows if row["cache"] == name), key=lambda row: row["context"])
        contexts = [row["context"] for row in points]
        look = {"color": palette.color(hue), "alpha": alpha}
        for field, how in (("seconds", {"marker": marker}), ("floor_seconds", {"linestyle": "--", "lw": 1})):
            axes.plot(contexts, [1000 * row[field] for row in points], **look, **how)


def _handles(shown, labels):
    """A line for each cache, one for all floors, and, where records are drawn too, whose each line is."""
    from matplotlib.lines import Line2D

    def line(label, hue="quiet", **look):
        return Line2D([], [], color=palette.color(hue), label=label, **look)

    names = {row["cache"] for of in shown for row in of}
    handles = [
        line("no cache" if name == "none" else name, hue, marker=marker)
        for name, (hue, marker) in LOOKS.items()
        if name in names
    ]
    handles.append(line("floor", linestyle="--", lw=1))
    if len(shown) > 1:
        handles += [
            line(label, alpha=PALE if i else 1)
            for i, (of, label) in enumerate(zip(shown, labels, strict=True))
            if of
        ]
    return handles
