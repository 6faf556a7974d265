"""A smaller cache by precision, by window and by rank: memory against the perplexity measured."""

import json
from pathlib import Path

import traitlets

from ..configs import layout as as_layout
from ..units import fmt, unknown
from .base import Figure, Table, Whole, constant
from .recorded import lacking

WAYS = {
    "precision": ("name", "dtype", "k_groups", "bytes_per_token", "perplexity"),
    "window": ("window", "sinks", "perplexity"),
    "rank": ("rank", "perplexity"),
}
ABOUT = ("model", "device", "versions", "date", "command", "commit", "tokens")
BASE = "bf16"


def points(record) -> dict:
    """What cheaper_caches.js draws of a record, or a ValueError that names what it lacks.

    Each way is a list of {"name", "tokens", "bytes", "perplexity"}: the tokens that are kept at
    most (None: all) and the bytes of each. A rank's and a window's bytes are those in bf16.
    Each way must hold its own full cache, which its other points are compared with: bf16, window
    None, the full rank. (Ranks are measured on another stretch of text than the rest.)
    """
    lacking("record", record, (*ABOUT, *WAYS))
    for way, fields in WAYS.items():
        if not record[way]:
            raise ValueError(f"record[{way!r}] must have at least one row")
        for i, row in enumerate(record[way]):
            lacking(f"record[{way!r}][{i}]", row, fields)
            if not row["perplexity"] >= 1:
                raise ValueError(f"record[{way!r}][{i}]['perplexity'] must be at least 1")
    layout = as_layout(record["model"].lower())
    whole, width = layout.bytes_per_token(BASE), layout.n_kv_heads * layout.head_dim
    for way, field, value in (
        ("precision", "name", BASE),
        ("window", "window", None),
        ("rank", "rank", width),
    ):
        if not any(row[field] == value for row in record[way]):
            raise ValueError(f"record[{way!r}] lacks the full cache: a row whose {field!r} is {value!r}")

    def window(row) -> tuple[str, int | None]:
        if row["window"] is None:
            return "all tokens", None
        sinks = f" and the first {row['sinks']}" if row["sinks"] else ""
        return f"last {row['window']:,}{sinks}", row["window"] + row["sinks"]

    def point(name, tokens, nbytes, row):
        return {"name": name, "tokens": tokens, "bytes": nbytes, "perplexity": row["perplexity"]}

    return {
        "precision": [point(r["name"], None, r["bytes_per_token"], r) for r in record["precision"]],
        "window": [point(*window(r), whole, r) for r in record["window"]],
        "rank": [
            point(f"{r['rank']} of {width}", None, whole * r["rank"] // width, r) for r in record["rank"]
        ],
    }


class CheaperCaches(Figure):
    """Three ways to a smaller cache; each one's bytes at `context`, and the perplexity it was measured at.

    CheaperCaches(record): a record of `kvlib measure`, or the path of its JSON file. `precision`,
    `window` and `rank` are the names of points (`choices` has them). `nbytes` is each way's bytes.
    Raises ValueError for a record that lacks a field, and names it.
    """

    script = "cheaper_caches.js"
    title = constant("Cheaper caches")

    context = Whole(4096, most=2**20)
    precision = traitlets.Unicode().tag(sync=True)
    window = traitlets.Unicode().tag(sync=True)
    rank = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, record, **rest):
        if not isinstance(record, dict):
            record = json.loads(Path(record).read_text(encoding="utf-8"))
        self._points = points(record)
        for way, found in self._points.items():
            # The middle point of each way, so that both a saving and its cost show.
            rest.setdefault(way, found[len(found) // 2]["name"])
        super().__init__(**rest)
        about = f"{record['model']}: perplexity of a text of {record['tokens']:,} tokens"
        if record.get("rank_tokens", record["tokens"]) != record["tokens"]:
            about += f" (for ranks, of its last {record['rank_tokens']:,})"
        about += f", measured on {record['device']}, {record['date']}"
        self._full = {
            "precision": self._named("precision", BASE),
            "window": next(p for p in self._points["window"] if p["tokens"] is None),
            "rank": max(self._points["rank"], key=lambda p: p["bytes"]),
        }
        self._about = about
        about += ". Each way by itself, against its own full cache: no two were measured together."
        self.set_trait("lead", about)
        self.set_trait("data", {"points": self._points, "full": self._full, "measured": record["tokens"]})
        self.set_trait("limits", {"context": [1, 2**20], **self.choices})

    @property
    def choices(self) -> dict:
        """The names that `precision`, `window` and `rank` can take."""
        return {way: [p["name"] for p in found] for way, found in self._points.items()}

    @traitlets.validate("precision", "window", "rank")
    def _validate_name(self, proposal):
        way, value = proposal["trait"].name, proposal["value"]
        if value not in self.choices[way]:
            raise unknown(way, value, self.choices[way])
        return value

    def _named(self, way, name):
        return next(p for p in self._points[way] if p["name"] == name)

    def _bytes(self, point):
        kept = self.context if point["tokens"] is None else min(self.context, point["tokens"])
        return kept * point["bytes"]

    @property
    def nbytes(self) -> dict:
        """Bytes of the cache at `context` for the chosen precision, window and rank, each by itself."""
        return {way: self._bytes(self._named(way, getattr(self, way))) for way in WAYS}

    def table(self) -> Table:
        rows = [
            [
                f"{way}: {p['name']}",
                fmt(self._bytes(p)),
                f"{p['perplexity']:.2f}",
                f"{self._full[way]['perplexity']:.2f}",
            ]
            for way, found in self._points.items()
            for p in found
        ]
        return Table(
            f"{self._about}; bytes at {self.context:,} tokens",
            ["saving", "cache", "perplexity", "the full cache's"],
            rows,
        )
