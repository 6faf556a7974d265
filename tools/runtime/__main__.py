"""Fetch the runtime, and write into _build/.runtime what the book will have of it, if that has changed."""

import sys

from .fetch import fetch
from .place import ROOT, left_out, wanted

STATE = ROOT / "_build" / ".runtime"


def main() -> int:
    failed = "" if left_out() else fetch()
    if failed:
        said = f"The book is built without the Python of its pages, which was not fetched ({failed})."
        print(f"{said} `make book` tries again.", file=sys.stderr)
    state = "left out\n" if left_out() else "not fetched\n" if failed else f"pyodide {wanted()}\n"
    if (
        not STATE.exists() or STATE.read_text() != state
    ):  # make builds the book again where this file is newer
        STATE.write_text(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
