"""A submitted file, read leniently: its cells, or the reason why it cannot be graded.

What an editor or a mail program does to a file is no mistake of its author's. A byte-order mark, another
encoding, characters that are none, an older format and missing metadata are all read.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ..plain import clean

MOST = 64 << 20  # bytes of a file
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
CONFLICT = re.compile(r"^\s*(?:<{7}|>{7}|={7})(?:\s|$)", re.M)
NO_NOTEBOOK = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "a page of HTML or XML"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
)


class NotGraded(Exception):
    """Why a submission cannot be graded, as the end of "not graded: …". That is no 0."""


@dataclass(frozen=True)
class Cell:
    """A cell as it was submitted: `ids` are the names it is known by, its own first."""

    kind: str
    ids: tuple[str, ...]
    source: str


def read(path: Path) -> list[Cell]:
    """The cells of the notebook at `path`. Raises NotGraded if it has none that can be read."""
    return cells(parse(content(path)))


def content(path: Path) -> bytes:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise NotGraded("it is a folder")
        if not stat.S_ISREG(found.st_mode):
            raise NotGraded("it is no ordinary file")
        if found.st_size > MOST:
            raise NotGraded(
                f"the file has {found.st_size / 2**20:.0f} MiB; {MOST >> 20} MiB are read at most"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise NotGraded(f"the file cannot be read ({error.strerror})") from None


def parse(data: bytes) -> dict:
    """The notebook that a file's bytes hold."""
    if not data.strip(b"\0 \t\r\n"):
        raise NotGraded("the file is empty")
    text = _text(data)
    try:
        found = json.loads(text)
    except RecursionError:
        raise NotGraded("it is nested too deeply to be a notebook") from None
    except ValueError as error:
        raise NotGraded(_no_json(data, text, error)) from None
    if not isinstance(found, dict) or not isinstance(found.get("cells", found.get("worksheets")), list):
        raise NotGraded("it is JSON, but not a notebook: it has no list of cells")
    return found


def _text(data: bytes) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if data[1:2] == b"\0" or data[:1] == b"\0":  # UTF-16 without a mark: every other byte of ASCII is 0
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    return data.decode("utf-8", "replace")


def _no_json(data: bytes, text: str, error: ValueError) -> str:
    if match := CONFLICT.search(text):
        line = text.count("\n", 0, match.end()) + 1
        return f"it holds the marks of a merge that git could not finish, at line {line}"
    for start, what in NO_NOTEBOOK:
        if data.lstrip().startswith(start):
            return f"it is {what}, not a notebook"
    if isinstance(error, json.JSONDecodeError):
        whole_text = text.strip()
        if whole_text[0] == "{" and (whole_text[-1] != "}" or error.pos >= len(text.rstrip())):
            return f"it ends in the middle, at line {error.lineno}; the file was not saved or sent as a whole"
        return f"it is not a notebook: line {error.lineno} is not JSON ({clean(error.msg)})"
    return f"it is not a notebook ({clean(str(error))})"


def cells(notebook: dict) -> list[Cell]:
    """The cells of a notebook of any version of the format."""
    listed = notebook.get("cells")
    if not isinstance(listed, list):  # version 3
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        listed = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
    found = [_cell(cell) for cell in listed if isinstance(cell, dict)]
    if not any(cell.kind == "code" for cell in found):
        raise NotGraded("it has no cell of code")
    return found


def _cell(cell: dict) -> Cell:
    """Colab keeps a cell's id in its metadata; the classic notebook keeps none, but nbgrader's name of it."""
    metadata = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    marks = metadata["nbgrader"] if isinstance(metadata.get("nbgrader"), dict) else {}
    ids = [cell.get("id"), metadata.get("id"), marks.get("grade_id")]
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    kind = cell.get("cell_type")
    return Cell(
        kind if isinstance(kind, str) else "",
        tuple(dict.fromkeys(i for i in ids if isinstance(i, str) and i)),
        whole(source) if isinstance(source, str) else "",
    )


def whole(text: str) -> str:
    """`text` with lines as Python ends them and without halves of characters, which no code can hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
