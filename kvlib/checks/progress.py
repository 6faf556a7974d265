"""The record of what was tried and solved: one JSON file in the notebook's folder, never sent anywhere.

A check writes it where a reader runs it, in a notebook's kernel. Tests, nbval, nbgrader and the runs of
`make` leave it alone: they would count as attempts what nobody has tried.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = ".kvlib-progress.json"
VERSION = 1
# Set by pytest (and so in the kernels that nbval starts) and by nbgrader.
MACHINES = ("PYTEST_CURRENT_TEST", "NBGRADER_EXECUTION")


@dataclass(frozen=True)
class Tried:
    """One question: the checks of an answer until it was solved, and the best share of its points."""

    attempts: int = 0
    share: float = 0.0

    @property
    def solved(self) -> bool:
        return self.share >= 1


def wanted() -> bool:
    """Whether the check that runs now is a reader's. KVLIB_PROGRESS=off says that it is not."""
    if os.environ.get("KVLIB_PROGRESS", "").lower() in ("off", "0", "no") or any(
        name in os.environ for name in MACHINES
    ):
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def note(name: str, share: float) -> None:
    """Count one attempt at the question `name`, which earned `share` of its points. Never raises.

    A file that cannot be read is left as it is, and so is one that cannot be written: a check does not
    depend on it, and `kvlib progress` says what is wrong.
    """
    try:
        if wanted():
            tried = read(Path.cwd())
            before = tried.get(name, Tried())
            if not before.solved:
                tried[name] = Tried(before.attempts + 1, max(before.share, round(float(share), 4)))
                _write(Path.cwd() / FILE, tried)
    except Exception:  # whatever a reader's folder, shell or file holds
        pass


def read(folder: Path) -> dict[str, Tried]:
    """{question: how it went} of the file in `folder`; {} where there is none.

    Raises ValueError for a file that no check wrote, OSError for one that cannot be opened.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        text = ""
    try:
        kept = json.loads(text)
        if kept["version"] != VERSION:
            raise ValueError
        return {name: _tried(**of) for name, of in kept["questions"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError(
            f"{path} is not what the checks wrote there; delete it or move it away, and it begins anew"
        ) from None


def _tried(attempts, share) -> Tried:
    if type(attempts) is not int or attempts < 1 or not 0 <= float(share) <= 1:
        raise ValueError
    return Tried(attempts, float(share))


def _write(path: Path, tried: dict[str, Tried]) -> None:
    """The whole file or nothing: a kernel that dies here leaves the old one."""
    kept = {"version": VERSION, "questions": {name: asdict(tried[name]) for name in sorted(tried)}}
    fresh = path.with_name(f"{FILE}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
