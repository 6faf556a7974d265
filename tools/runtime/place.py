"""Puts the runtime into a built book: what a page loads of Pyodide, kvlib's archive, and the list of both."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from .archive import files, packed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".venv" / "runtime"
PACKAGE = CACHE / "node_modules" / "pyodide"
LOADED = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")


def left_out() -> bool:
    """Whether the book is to be built without it: `make book RUNTIME=no`."""
    return os.environ.get("RUNTIME") == "no"


def wanted() -> str:
    """The version that package-lock.json pins."""
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    return lock["packages"]["node_modules/pyodide"]["version"]


def here() -> bool:
    """Whether that version has been fetched, whole."""
    try:
        version = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError):
        return False
    return version == wanted() and all((PACKAGE / name).is_file() for name in LOADED)


def place(folder: Path, kvlib: dict[str, bytes] | None = None) -> str:
    """Write the runtime into `folder`; returns the name of its list there, which run.js is told.

    kvlib   the files of kvlib's archive, by name, if not the checkout's
    """
    home = f"pyodide-{wanted()}/"
    (folder / home).mkdir(parents=True, exist_ok=True)
    for name in LOADED:
        shutil.copyfile(PACKAGE / name, folder / home / name)
    archive, data = packed(files() if kvlib is None else kvlib)
    (folder / archive).write_bytes(data)
    lock = json.loads((PACKAGE / "pyodide-lock.json").read_text(encoding="utf-8"))
    held = {
        "folder": home,
        "kvlib": archive,
        "files": {name: (folder / name).stat().st_size for name in (*(home + n for n in LOADED), archive)},
        "lock": {"info": lock["info"], "packages": {}},  # none of Pyodide's own packages is in the book
    }
    text = json.dumps(held, indent=1)
    listed = f"runtime-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    (folder / listed).write_text(text, encoding="utf-8")
    return listed
