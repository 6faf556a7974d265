"""The part of kvlib that runs in a page, as one zip: the same bytes for the same files."""

import hashlib
import io
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KVLIB = ROOT / "kvlib"
KEPT = {".py", ".json", ".txt"}
# Rooms, and modules of the core, that compute with torch, numpy or processes, or draw; all else is kept.
LEFT_OUT = (
    "attention.py", "cache/", "decoder.py", "generate.py", "smollm2.py", "speculative.py", "kernels/",
    "measure/", "parallel/", "widgets/", "checks/classroom/", "checks/grading/", "__main__.py",
)  # fmt: skip
# What questions, and what a page says of a config, read of rooms that are left out.
YET = (
    "measure/__init__.py", "measure/records.py",
    "widgets/__init__.py", "widgets/groups.py", "widgets/budget_settings.py",
)  # fmt: skip
RECORDS = ROOT / "book" / "measurements"  # in their place in a wheel


def files() -> dict[str, bytes]:
    """Every file of the archive by its name in it."""
    found = {}
    for path in KVLIB.rglob("*"):
        name = path.relative_to(KVLIB).as_posix()
        if path.suffix in KEPT and (name in YET or not name.startswith(LEFT_OUT)):
            found[f"kvlib/{name}"] = path.read_bytes()
    for path in RECORDS.glob("*.json"):
        found[f"kvlib/measure/records/{path.name}"] = path.read_bytes()
    return found


def packed(held: dict[str, bytes]) -> tuple[str, bytes]:
    """The zip of these files, and its name, which has its hash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(held):
            archive.writestr(zipfile.ZipInfo(name), held[name], zipfile.ZIP_DEFLATED, 9)
    data = buffer.getvalue()
    return f"kvlib-{hashlib.sha256(data).hexdigest()[:12]}.zip", data
