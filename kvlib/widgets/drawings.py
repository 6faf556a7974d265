"""The book's drawings that stand still, a function each.

Every function takes data, never computes bytes, and returns a matplotlib Figure; `show` puts it on
the page with its text alternative, as inline SVG that follows the page's light or dark theme.

    show(context_chart(llama2_7b), "The cache of Llama 2 7B doubles with every doubled context.")

matplotlib is imported when something is drawn.
"""

from ..units import GiB, KiB, fmt
from . import palette
from .look import HUES, MARKERS, lines, new_figure, some, styled
from .shown import show

__all__ = [
    "bytes_per_token", "context_chart", "decode_floor", "heads", "perplexity", "show", "singular_values",
    "time_per_token", "utilization", "vram",
]  # fmt: skip


@styled
def time_per_token(curves, title="Time for one more token"):
    """`curves`: name -> (context lengths, seconds per token)."""
    figure, axes = new_figure()
    lines(axes, {name: (x, [1000 * s for s in y]) for name, (x, y) in curves.items()})
    axes.set(xlabel="tokens written", ylabel="milliseconds per token", title=title)
    return figure


@styled
def decode_floor(curves, title="The least time a decode step can take"):
    """`curves`: name -> (contexts, seconds): bytes that must move / bandwidth."""
    figure, axes = new_figure()
    lines(axes, {name: (x, [1000 * s for s in y]) for name, (x, y) in curves.items()})
    axes.set(xlabel="context, tokens", ylabel="milliseconds per step", title=title)
    return figure


@styled
def context_chart(layout, contexts=(512, 1024, 2048, 4096, 8192), batch=1, dtype="bf16"):
    """The cache in GiB at each context, on a linear scale."""
    figure, axes = new_figure(height=2.9)
    sizes = [layout.bytes(context, batch, dtype) for context in some("contexts", contexts)]
    names = [f"{context:,}" for context in contexts]
    bars = axes.barh(names, [size / GiB for size in sizes], color=palette.color("cache"), height=0.62)
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

    figure, all_axes = new_figure(7.6, 2.3, columns=len(some("n_kv_heads", n_kv_heads)), squeeze=False)

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
            box(axes, i, 1.6, 0.66, palette.color("queries"))
            center = (i // group) * group + (group - 1) / 2
            axes.plot([i, center], [1.6, 0.5], color=palette.color("quiet"), lw=1)
        for j in range(kv):
            box(axes, j * group + (group - 1) / 2, 0, 0.66, palette.color("keys"))
        kind = "MHA" if kv == n_heads else "MQA" if kv == 1 else "GQA"
        share = "as many as query heads" if kv == n_heads else f"1/{group} of the cache"
        axes.set_title(f"{kind}: {kv} KV head{'s' if kv > 1 else ''}", loc="center")
        axes.text((n_heads - 1) / 2, -0.35, share, ha="center", va="top", color=palette.color("quiet"))
        axes.set(xlim=(-0.6, n_heads - 0.4), ylim=(-0.85, 2.25))
        axes.axis("off")
    left = all_axes[0][0]
    left.text(-0.7, 1.85, "queries", ha="right", va="center", color=palette.color("queries"))
    left.text(-0.7, 0.25, "K and V", ha="right", va="center", color=palette.color("keys"))
    return figure


@styled
def bytes_per_token(layouts, dtype="bf16"):
    """`layouts`: name -> CacheLayout. What one token keeps in each model, the largest on top."""
    sizes = {name: layout.bytes_per_token(dtype) for name, layout in some("layouts", layouts).items()}
    names = sorted(sizes, key=sizes.get)
    figure, axes = new_figure(height=0.9 + 0.34 * len(names))
    bars = axes.barh(names, [sizes[n] / KiB for n in names], color=palette.color("cache"), height=0.66)
    axes.bar_label(bars, [fmt(sizes[n]) for n in names], padding=5)
    axes.margins(x=0.16, y=0.02)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="cache of one token, KiB")
    return figure


@styled
def utilization(runs, title="Of the slots taken, how many hold a token"):
    """`runs`: name -> serving.Run. Tokens held / slots taken after each step, in percent."""
    figure, axes = new_figure()
    curves = {}
    for name, run in some("runs", runs).items():
        frames = [f for f in run.frames if f.taken]
        curves[name] = ([f.step for f in frames], [100 * f.utilization for f in frames])
    lines(axes, curves, markers=False)
    axes.set(ylim=(0, 103), xlabel="step", ylabel="%", title=title)
    return figure


@styled
def vram(weights, cache, overhead, memory, title=None, usable=None):
    """One bar of a GPU's memory, bytes: weights, overhead, cache and what is free (or missing).

    With `usable`, the share of the memory that may be taken, a second line says where it ends, and only
    what lies before it counts as free. Its order and its fills are BudgetWidget's.
    """
    figure, axes = new_figure(height=2.1 if usable is None else 2.5)
    at = 0
    parts = [("weights", weights, ""), ("overhead", overhead, "xx"), ("cache", cache, "//")]
    free = (memory if usable is None else usable) - weights - cache - overhead
    if free > 0:
        parts.append(("free", free, None))
    for name, size, hatch in parts:
        look = {"facecolor": palette.color(name), "edgecolor": palette.color("paper"), "hatch": hatch}
        if name == "free":
            look |= {"facecolor": "none", "edgecolor": palette.color("quiet")}
        axes.barh([0], [size / GiB], left=at / GiB, height=0.6, label=f"{name} {fmt(size, digits=1)}", **look)
        at += size
    axes.axvline(memory / GiB, color=palette.color("ink"), lw=2)
    end = f"the GPU ends here: {fmt(memory, digits=1)}"
    if free < 0:
        end = f"{fmt(-free, digits=1)} too much; {end}"
    axes.text(memory / GiB, 0.42, end + " ", ha="right", va="bottom")
    if usable is not None:
        label = f"usable {fmt(usable, digits=1)}"
        axes.axvline(usable / GiB, ymax=0.7, color=palette.color("ink"), lw=1.5, ls="--", label=label)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, columnspacing=1, handlelength=1.4)
    axes.set(yticks=[], ylim=(-0.4, 0.75), xlim=(0, max(at, memory) * 1.01 / GiB), xlabel="GiB")
    axes.spines["left"].set_visible(False)
    if title:
        axes.set_title(title)
    return figure


@styled
def perplexity(groups, title="What a smaller cache costs in quality"):
    """`groups`: name -> [(label, bytes per token, perplexity)], each name a kind of saving."""
    figure, axes = new_figure(height=3.8)
    for i, (name, points) in enumerate(some("groups", groups).items()):
        x, y = [size / KiB for _, size, _ in points], [ppl for *_, ppl in points]
        axes.scatter(
            x, y, s=48, marker=MARKERS[i % 6], color=palette.color(HUES[i % 6]), label=name, zorder=3
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
    """`spectra`: name ("keys", "values") -> one list per layer, largest first; drawn as shares of it."""
    figure, all_axes = new_figure(7.4, 3.2, columns=len(some("spectra", spectra)), squeeze=False, sharey=True)
    for axes, (name, layers) in zip(all_axes[0], spectra.items(), strict=True):
        hue = palette.color(name) if name in palette.ROLES else palette.color("cache")
        for i, values in list(enumerate(layers))[::2]:  # every other layer: thirty lines lie on each other
            alpha = round(0.4 + 0.6 * i / max(1, len(layers) - 1), 2)
            # Six points of a line, most where it is steep: more would weigh more than they show.
            last = len(values) - 1
            shown = sorted({round(last * (i / 5) ** 2) for i in range(6)})
            axes.semilogy(
                [n + 1 for n in shown], [values[n] / values[0] for n in shown], color=hue, lw=1, alpha=alpha
            )
        axes.set(title=name, xlabel="n-th largest singular value")
        axes.grid(axis="y")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    all_axes[0][0].set_ylabel("share of the largest")
    return figure
