"""Recorded numbers in a figure: where they lie, what they must have, how their arrays travel to the page."""

import base64
import json
from pathlib import Path

from ..units import unknown

HERE = Path(__file__).resolve().parent
PACKED = HERE / "recordings"  # in a wheel: copies of those in the checkout
CHECKOUT = HERE.parents[1] / "book" / "recordings"  # `make recordings` writes them

KINDS = ("u1", "i1", "u2", "i2", "f4")  # unsigned and signed whole numbers, floats; the bytes of each


def recording(name: str) -> dict:
    """The recording `name` of the book, say "decode". ValueError for a name that is none."""
    folder = PACKED if PACKED.is_dir() else CHECKOUT
    known = sorted(path.stem for path in folder.glob("*.json"))
    if name not in known:
        raise unknown("recording", name, known)
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def lacking(where: str, held, fields) -> None:
    """Raise a ValueError that names the first of `fields` that the dict `held` lacks; `where` is its name."""
    for field in fields:
        if field not in held:
            raise ValueError(f"{where} lacks {field!r}; it must have {', '.join(fields)}")


def packed(values, kind: str) -> dict:
    """`values`, an array or nested lists, as recorded.js unpacks it: {"kind", "shape", "data" in base64}.

    `kind` is one of KINDS. Raises ValueError for another, and for a value that it cannot hold exactly
    ("f4" rounds to the nearest float32).
    """
    import numpy as np

    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    given = np.asarray(values)
    held = given.astype(f"<{kind}")
    if kind != "f4" and not np.array_equal(held, given):
        raise ValueError(f"values must fit {kind} exactly; they lie from {given.min()} to {given.max()}")
    return {"kind": kind, "shape": list(given.shape), "data": base64.b64encode(held.tobytes()).decode()}


def unpacked(held: dict):
    """The array of what `packed` made."""
    import numpy as np

    return np.frombuffer(base64.b64decode(held["data"]), f"<{held['kind']}").reshape(held["shape"])
