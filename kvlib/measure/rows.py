"""A row of decode times in words."""

from ..units import fmt, fmt_seconds


def takes(row) -> str:
    """How long its step takes, or that it has no time."""
    return fmt_seconds(row["seconds"]) if "seconds" in row else row.get("failed", "not measured")


def reached(row) -> str:
    """The share of the floor's speed that it reaches; "" for a row without a time."""
    return f"{row['fraction']:.0%}" if "seconds" in row else ""


def why(row) -> str:
    """Why it has no time: "int8, batch 16, context 8,192: out of memory: asked for 2 GiB, 512 MiB free"."""
    which = f"{row['cache']}, batch {row['batch']}, context {row['context']:,}"
    memory = f"asked for {fmt(row['asked_bytes'])}, {fmt(row['free_bytes'])} free"
    return f"{which}: {row['failed']}: {memory}"


def _measured(show):
    """A cell of a row that has a time; of any other it is empty."""
    return lambda row: show(row) if "seconds" in row else ""


COLUMNS = {
    "cache": lambda row: row["cache"],
    "batch": lambda row: row["batch"],
    "context": lambda row: f"{row['context']:,}",
    "a step takes": takes,
    "floor": _measured(lambda row: fmt_seconds(row["floor_seconds"])),
    "reached": reached,
    "tokens/s": _measured(lambda row: f"{row['batch'] / row['seconds']:,.1f}"),
    "cache predicted": _measured(lambda row: fmt(row["predicted_bytes"])),
    "measured": _measured(lambda row: fmt(row["cache_bytes"])),
    "peak memory": _measured(lambda row: fmt(row["peak_bytes"])),
}
