"""The pictures of chapter 8: what a race, a filled memory, a batch and a growing context look like.

Every function takes what the measurement returned and gives a matplotlib Figure for `drawings.show`.
matplotlib is imported when something is drawn.
"""

from ..units import GiB, MiB, fmt
from ..widgets import palette
from ..widgets.look import HUES, lines, new_figure, some, styled


@styled
def race_curves(lanes):
    """Tokens written over seconds, a curve for each `Lane` of `race`."""
    figure, axes = new_figure()
    curves = {
        lane.name: ([0, *lane.seconds], list(range(len(lane.tokens) + 1))) for lane in some("lanes", lanes)
    }
    lines(axes, curves, markers=False)
    axes.set_xlim(left=0)
    axes.set(xlabel="seconds", ylabel="tokens written")
    return figure


@styled
def memory_bars(memory, reached):
    """Two bars for each cache: the memory as it was predicted, and as it was reached.

    memory   the `Memory` that the weights lie in
    reached  name -> `Reached`
    """
    unit, name = (GiB, "GiB") if memory.total >= 4 * GiB else (MiB, "MiB")
    figure, axes = new_figure(height=1.6 + 0.8 * len(some("reached", reached)))
    for i, (cache, of) in enumerate(reached.items()):
        for said, size, at in (("predicted", of.predicted, 0.0), ("reached", of.measured, 0.36)):
            parts = {"weights": memory.weights, "overhead": memory.other, "cache": size}
            left = 0
            for part, nbytes in parts.items():
                look = {"facecolor": palette.color(part), "edgecolor": palette.color("paper")}
                look["hatch"] = {"weights": "", "overhead": "\\\\", "cache": "//"}[part]
                axes.barh([i + at], [nbytes / unit], left=left / unit, height=0.32, **look)
                left += nbytes
            free = max(0, memory.total - left)
            axes.barh([i + at], [free / unit], left=left / unit, height=0.32, facecolor="none",
                      edgecolor=palette.color("quiet"))  # fmt: skip
            axes.text(0.01 * memory.total / unit, i + at, f"{cache} {said}: cache {fmt(size, name, 2)}",
                      va="center", color=palette.color("paper"))  # fmt: skip
        axes.text(memory.total / unit, i - 0.24, f"{of.context:,} tokens", ha="right", va="bottom")
    _memory_legend(axes, memory.other)
    axes.axvline(memory.total / unit, color=palette.color("ink"), lw=2)
    axes.set(yticks=[], ylim=(len(reached) - 0.3, -0.55), xlim=(0, 1.01 * memory.total / unit), xlabel=name)
    axes.spines["left"].set_visible(False)
    return figure


def _memory_legend(axes, other):
    from matplotlib.patches import Patch

    parts = [("weights", ""), ("cache", "//"), *([("overhead", "\\\\")] if other else [])]
    edge = palette.color("paper")
    handles = [
        Patch(facecolor=palette.color(part), edgecolor=edge, hatch=hatch, label=part) for part, hatch in parts
    ]
    handles.append(Patch(facecolor="none", edgecolor=palette.color("quiet"), label="free"))
    axes.legend(handles=handles, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.28))


@styled
def batch_curves(rows):
    """Tokens a second over the batch, of all sequences together, beside what the floor allows.

    rows  of one cache and context, as `decode_times` gives them; those without a time are left out
    """
    timed = some("rows", [row for row in rows if "seconds" in row])
    batches = [row["batch"] for row in timed]
    figure, axes = new_figure()
    curves = {
        "measured": (batches, [row["batch"] / row["seconds"] for row in timed]),
        "at the floor": (batches, [row["batch"] / row["floor_seconds"] for row in timed]),
    }
    lines(axes, curves)
    axes.set_xlim(left=0)
    axes.set(xlabel="sequences in the batch", ylabel="tokens per second, all together")
    return figure


@styled
def footprint_curves(rows, decoder, longest):
    """Two panels over the context: bytes of memory, and the cache's share of weights and cache.

    rows     what `footprint` measured of `decoder`: points
    longest  the context up to which lines say what its layout and vocabulary predict
    """
    weights, vocab = decoder.weights_bytes, decoder.head.shape[1]
    dtype = str(decoder.dtype).removeprefix("torch.")
    contexts = [longest * i // 64 for i in range(1, 65)]
    cache = [decoder.layout.bytes(context, 1, dtype) for context in contexts]
    logits = [context * vocab * decoder.dtype.itemsize for context in contexts]
    unit, name = (GiB, "GiB") if weights + cache[-1] + logits[-1] >= 4 * GiB else (MiB, "MiB")
    figure, (left, right) = new_figure(8.4, 3.8, columns=2)

    def line(sizes, label, hue, **look):
        left.plot(contexts, [size / unit for size in sizes], color=palette.color(hue), label=label, **look)

    def points(key, label, hue, marker):
        x = [row["context"] for row in some("rows", rows)]
        y = [(row["weights"] + row["cache"] + row[key]) / unit for row in rows]
        left.plot(x, y, marker, color=palette.color(hue), label=label)

    line([weights] * len(contexts), "weights", "weights", ls="--")
    line([weights + c for c in cache], "and the cache", "cache")
    line([weights + c + x for c, x in zip(cache, logits, strict=True)], "and all logits", "plum", ls="-.")
    points("last", "measured, last logits", "cache", "o")
    points("every", "measured, all logits", "plum", "^")
    left.set(xlabel="context, tokens", ylabel=name)
    right.plot(contexts, [100 * c / (weights + c) for c in cache], color=palette.color("cache"))
    right.set(xlabel="context, tokens", ylabel="cache, % of weights and cache")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y")
    left.legend(frameon=False, fontsize=9)
    return figure


@styled
def step_bars(seconds):
    """A bar for each of `seconds` {name: seconds}: milliseconds per step."""
    figure, axes = new_figure(height=0.9 + 0.5 * len(some("seconds", seconds)))
    names, times = list(seconds), [1000 * s for s in seconds.values()]
    bars = axes.barh(names, times, color=[palette.color(HUES[i % 6]) for i in range(len(names))], height=0.6)
    axes.bar_label(bars, [f"{t:.3g} ms" for t in times], padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="milliseconds per step")
    return figure
