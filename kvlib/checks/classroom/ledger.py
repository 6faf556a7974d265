"""What was received for an assignment, a line for each student: kept as JSON beside the files themselves."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """What became of one student's file.

    file        the file as it came, relative to the course folder
    digest      of the notebook that was put into submitted/
    unreadable  why it could not be read, "" if it could
    failed      why its grading failed the last time, "" if it did not
    notes       what was mended, and what whoever teaches should know
    """

    file: str = ""
    digest: str = ""
    unreadable: str = ""
    failed: str = ""
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why there is no grade; "" if nothing stands against one."""
        return self.unreadable or self.failed


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entries(folder: Path) -> dict[str, Entry]:
    """{student: entry} of the assignment received in `folder`. Raises ValueError for what is no ledger."""
    path = folder / "ledger.json"
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {student: Entry(**of | {"notes": tuple(of["notes"])}) for student, of in kept.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is not what kvlib wrote there; move it away and collect again") from None


def write(folder: Path, student: str, entry: Entry) -> None:
    """Put one student's entry in the place of an older one."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = entries(folder) | {student: entry}
    fresh = folder / f"ledger.json.{os.getpid()}"
    text = json.dumps({name: asdict(kept[name]) for name in sorted(kept)}, indent=1, ensure_ascii=False)
    fresh.write_text(text + "\n", encoding="utf-8")
    os.replace(fresh, folder / "ledger.json")


def failed(folder: Path, student: str, why: str) -> None:
    """Note why the grading of a student's submission failed; "" that it did not."""
    entry = entries(folder).get(student, Entry())
    if entry.failed != why:
        write(folder, student, replace(entry, failed=why))
