"""Two records of decode times side by side."""

from . import records
from .rows import reached, takes

# What a record says of all its rows, and each of its rows of itself.
ABOUT = ("model", "device", "date", "dtype", "rows")
WHICH = ("cache", "batch", "context")
TIMES = ("seconds", "floor_seconds", "fraction")


def read(given) -> dict:
    """The record of decode times that `given` names or is the path of.

    Raises ValueError for a record of something else, and names what it lacks.
    """
    found = records.read(given)
    lacks = [name for name in ABOUT if name not in found]
    if lacks or not isinstance(found["rows"], list):
        raise ValueError(
            f"record: {given} is none of decode times: it lacks {' and '.join(lacks) or 'a list of rows'}; "
            "`kvlib measure --json FILE` writes one"
        )
    for i, row in enumerate(found["rows"]):
        needed = WHICH + (TIMES if isinstance(row, dict) and "seconds" in row else ())
        if lacks := [name for name in needed if not isinstance(row, dict) or name not in row]:
            raise ValueError(f"record: {given}: row {i} lacks {' and '.join(lacks)}")
    return found


def about(record) -> str:
    """Where, in what and when a record was measured, in a line."""
    return f"{record['device']}, {record['dtype']}, {record['date']}"


def pairs(a, b) -> list[tuple[dict, dict]]:
    """The rows that both records have, in a's order."""
    of_b = {_which(row): row for row in b["rows"]}
    return [(row, of_b[_which(row)]) for row in a["rows"] if _which(row) in of_b]


def alone(record, other) -> list[str]:
    """What `record` has and `other` has not, a line for each cache and batch."""
    there, found = {_which(row) for row in other["rows"]}, {}
    for row in record["rows"]:
        if _which(row) not in there:
            found.setdefault((row["cache"], row["batch"]), []).append(f"{row['context']:,}")
    return [f"{cache}, batch {batch}, context {' and '.join(of)}" for (cache, batch), of in found.items()]


def _which(row):
    return tuple(row[name] for name in WHICH)


def _ratio(a, b):
    return f"{b['seconds'] / a['seconds']:.2f}" if "seconds" in a and "seconds" in b else ""


# Of a pair.
COLUMNS = {
    "cache": lambda pair: pair[0]["cache"],
    "batch": lambda pair: pair[0]["batch"],
    "context": lambda pair: f"{pair[0]['context']:,}",
    "A takes": lambda pair: takes(pair[0]),
    "B takes": lambda pair: takes(pair[1]),
    "B / A": lambda pair: _ratio(*pair),
    "A reached": lambda pair: reached(pair[0]),
    "B reached": lambda pair: reached(pair[1]),
}
