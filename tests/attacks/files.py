"""What happens to a file on its way."""

import json

from .accident import accident, data
from .sheets import code, put, sheet

accident("nothing at all")(lambda sheet: sheet.solved())


@accident("a byte-order mark")
def _(sheet):
    return b"\xef\xbb\xbf" + data(sheet)


@accident("UTF-16")
def _(sheet):
    return data(sheet).decode().encode("utf-16")


@accident("Windows' encoding")
def _(sheet):
    notebook = put(sheet.solved(), "", "# caf\u00e9")
    return json.dumps(notebook, ensure_ascii=False).encode("cp1252", "replace")


@accident("Windows' line ends")
def _(sheet):
    return json.dumps(sheet.solved(), indent=1).replace("\\n", "\\r\\n").replace("\n", "\r\n").encode()


@accident("half a character")
def _(sheet):
    return json.dumps(put(sheet.solved(), sheet.exercises[0].answer, "# \ud83d oh")).encode()


@accident("half a character, as bytes that are no text")
def _(sheet):
    return data(sheet).replace(b"Exercises", b"Ex\xed\xa0\xbdercises", 1)


@accident("marks of a merge", reason="merge that git could not finish, at line 4")
def _(sheet):
    lines = json.dumps(sheet.solved(), indent=1).split("\n")
    return "\n".join(
        [*lines[:3], "<<<<<<< HEAD", *lines[3:6], "=======", *lines[3:6], ">>>>>>> main", *lines[6:]]
    )


@accident("cut short", reason="ends in the middle")
def _(sheet):
    return data(sheet)[:3000]


@accident("a comma too many", reason="line 1 is not JSON")
def _(sheet):
    return data(sheet).replace(b'"cells": [', b'"cells": [,', 1)


accident("an empty file", reason="the file is empty")(lambda sheet: b"")
accident("zeros, as a full disk leaves them", reason="the file is empty")(lambda sheet: b"\0" * 4096)
accident("a PDF by the notebook's name", reason="a PDF, not a notebook")(lambda sheet: b"%PDF-1.7\n...")
accident("a page of HTML", reason="a page of HTML")(lambda sheet: b"<!DOCTYPE html><html></html>")
accident("a zip", reason="a zip archive")(lambda sheet: b"PK\x03\x04" + b"\0\1" * 99)
accident("Python in place of a notebook", reason="line 1 is not JSON")(lambda sheet: b'two = "b"\n')
accident("JSON that is no notebook", reason="no list of cells")(lambda sheet: b'{"answers": [1, 2]}')
accident("JSON that is nested too deeply", reason="nested too deeply")(lambda sheet: b"[" * 200_000)
accident("no cells", reason="no cell of code")(lambda sheet: sheet.blank() | {"cells": []})


@accident("another notebook altogether", reason="none of its cells answers an exercise of this course")
def _(sheet):
    return sheet.blank() | {"cells": [code("x = 1"), code("print(x)")]}


@accident("two notebooks in one", reason="not clear which notebook it is")
def _(given):
    other = sheet("05-paging" if given.name != "05-paging" else "02-the-formula")
    return given.solved() | {"cells": given.solved()["cells"] + other.solved()["cells"]}
