"""The budget figure's table: what follows from a setting, row by row, alone or beside another setting.

budget.model.js writes the same rows; tests/test_widgets_budget.py holds the two together.
"""

from dataclasses import dataclass, replace

from ..budget import Budget
from ..units import fmt, fmt_seconds
from .budget_settings import Setting

# What a reader can set, as the comparison names it; what has its own row among ROWS is left out.
SET = {
    "model": "model",
    "gpu": "GPU",
    "gpus": "GPUs",
    "weights": "weights' precision",
    "dtype": "cache's precision",
    "context": "context",
    "batch": "sequences",
    "source_len": "source",
    "utilization": "usable share, %",
}
ROWS = {
    "weights": "bytes",
    "overhead, all GPUs together": "bytes",
    "cache": "bytes",
    "usable": "bytes",
    "free, or short by where below 0": "bytes",
    "most sequences of this context": "count",
    "longest context of these sequences": "count",
    "decode step, at the least": "seconds",
    "tokens a second, at the most": "rate",
}
NO_VALUE = {"count": "no end", "seconds": "does not fit", "rate": "does not fit"}


@dataclass(frozen=True)
class Row:
    """One of ROWS; value is None where there is none, and `NO_VALUE` says why."""

    name: str
    value: int | float | None
    note: str = ""

    @property
    def kind(self) -> str:
        return ROWS[self.name]

    def cells(self) -> list[str]:
        """The row of a setting alone: name, value, exact bytes."""
        name, value, exact = self.name, self.value, ""
        if name.startswith("free"):
            name, value = ("fits, free", value) if value >= 0 else ("does not fit, short by", -value)
        if self.kind == "bytes":
            exact = f"{value:,}"
        return [name, _spelt(self.kind, value) + (f", {self.note}" if self.note else ""), exact]


def rows(s: Setting, budget: Budget) -> list[Row]:
    """What follows from the setting `s`, whose Budget is given, in the order of ROWS."""
    ends = budget.layout.max_context
    b = replace(budget, layout=replace(budget.layout, max_context=None))  # the page says where the model ends
    at = (s.context, s.batch)
    cache, fits = b.cache_bytes(*at), b.fits(*at)
    longest, note = b.max_context(s.batch), ""
    if ends is not None and (longest is None or longest > ends):
        note = f"where the model ends; memory for {'any' if longest is None else f'{longest:,}'}"
        longest = ends
    values = (
        b.weights_bytes,
        b.overhead_bytes,
        cache,
        b.usable,
        b.usable - b.weights_bytes - b.overhead_bytes - cache,
        b.max_sequences(s.context),
        longest,
        b.decode_floor(*at) if fits else None,
        b.tokens_per_second(*at) if fits else None,
    )
    found = [Row(name, value) for name, value in zip(ROWS, values, strict=True)]
    found[6] = replace(found[6], note=note)
    return found


def compared(a: tuple[Setting, Budget], b: tuple[Setting, Budget]) -> list[list[str]]:
    """Rows of name, A, B and B − A: first what is set otherwise, then what follows, both in the same unit."""
    cross = any(budget.source_len is not None for _, budget in (a, b))
    first = []
    for key, name in SET.items():
        x, y = getattr(a[0], key), getattr(b[0], key)
        if x != y and (cross or key != "source_len"):
            first.append([name, x, y, ""] if isinstance(x, str) else [name, *beside("count", x, y)])
    pairs = zip(rows(*a), rows(*b), strict=True)
    return first + [[x.name, *beside(x.kind, x.value, y.value)] for x, y in pairs]


def beside(kind, a, b) -> list[str]:
    """a, b and b − a in one unit: that of the larger, or a value's own where it would read 0 in that."""
    unit = None
    if kind == "bytes":
        unit = fmt(max(abs(a), abs(b))).split(" ")[1]
    known = [n for n in (a, b) if n is not None]
    change = b - a if len(known) == 2 else None
    if change is None:
        said = ""
    elif change == 0:
        said = "the same"
    else:
        said = ("+" if change > 0 else "−") + _in_unit(kind, abs(change), unit)
    return [_in_unit(kind, a, unit), _in_unit(kind, b, unit), said]


def _in_unit(kind, n, unit) -> str:
    if n is None or kind in ("count", "rate"):
        return _spelt(kind, n)
    if kind == "bytes":
        text = fmt(n, unit).replace("-", "−")
    else:
        text = f"{1000 * n:,.3f}".rstrip("0").rstrip(".") + " ms"
    return _spelt(kind, n) if n and text.startswith(("0 ", "−0 ")) else text


def _spelt(kind, n) -> str:
    if n is None:
        return NO_VALUE[kind]
    if kind == "bytes":
        return fmt(n).replace("-", "−")
    if kind == "seconds":
        return fmt_seconds(n)
    return f"{n:,}" if kind == "count" else f"{n:,.0f}"
