"""The records that the book shows: what was measured once, on what, when and by which command.

    record("quality")["precision"][0]["perplexity"]
    read("my-gpu.json")["rows"]

In a checkout they lie in book/measurements, where `kvlib measure --json` writes them. A wheel
carries copies (setup.py), so a chapter runs from any folder and on Colab.
"""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKED = HERE / "records"  # in a wheel
CHECKOUT = HERE.parents[1] / "book" / "measurements"


def record(name: str) -> dict:
    """The record `name` as it was written, say "quality".

    Raises ValueError for a name that is none of `names()`, FileNotFoundError if no record is there.
    """
    known = names()
    if not known:
        raise FileNotFoundError(f"no records: neither {PACKED} nor {CHECKOUT} holds a .json file")
    if name not in known:
        raise ValueError(f"record: there is no {name!r}; there are {', '.join(known)}")
    return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))


def read(given) -> dict:
    """The record that `given` names: one of `names()`, or the path of a JSON file.

    Raises ValueError for another name or a file that holds no record.
    """
    path = Path(given)
    if path.suffix != ".json":
        return record(str(given))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"record: there is no file {path}") from None
    except ValueError as error:
        raise ValueError(f"record: {path} is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"record: {path} holds no JSON object")
    return found


def names() -> list[str]:
    """The names of the records that are here, in order."""
    return sorted(path.stem for path in folder().glob("*.json"))


def folder() -> Path:
    return PACKED if PACKED.is_dir() else CHECKOUT
