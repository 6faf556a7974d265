"""What the process of the answers can see: Python, its packages, and kvlib without the questions."""

import contextlib
import os
import shutil
import site
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...measure import records

PACKAGE = Path(__file__).resolve().parents[2]
# What the copy lacks, beside all of grading but the program of the answers' process.
LEFT_OUT = {"checks/questions", "checks/classroom", "measure/records"}
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/opt/nvidia")


@dataclass(frozen=True)
class Stage:
    """Folders of one run.

    folder   holds `kvlib`, a copy without the questions
    path     further folders of packages
    visible  the paths that may be read
    hidden   those within them that may not
    """

    folder: Path
    path: tuple[str, ...]
    visible: tuple[str, ...]
    hidden: tuple[str, ...]


@contextlib.contextmanager
def staged():
    """The Stage of a run; what it made is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="kvlib-grade-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        folder.chmod(0o755)
        shutil.copytree(PACKAGE, folder / "kvlib", ignore=_left_out)
        shutil.copytree(records.folder(), folder / "kvlib" / "measure" / "records", dirs_exist_ok=True)
        questions = folder / "kvlib" / "checks" / "questions"
        questions.mkdir()
        (questions / "__init__.py").write_text("QUESTIONS = {}  # they stay with the grader\n")
        path = packages()
        visible = [str(folder / "kvlib"), *python(), *path]
        yield Stage(folder, path, tuple(sorted(visible, key=len)), hidden(visible))


def _left_out(folder, names):
    here = Path(folder).relative_to(PACKAGE).as_posix()
    if here == "checks/grading":
        return [name for name in names if name not in ("__init__.py", "child")]
    return [name for name in names if f"{here}/{name}".removeprefix("./") in LEFT_OUT]


def packages() -> tuple[str, ...]:
    """The folders in which this Python's packages lie, as real paths."""
    known = [*site.getsitepackages(), site.getusersitepackages()]
    on = {os.path.realpath(folder) for folder in sys.path if folder}
    return tuple(dict.fromkeys(real for folder in known if (real := os.path.realpath(folder)) in on))


def python() -> list[str]:
    """Where Python and the libraries of the system lie."""
    own = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    if sys.base_prefix not in ("/usr", "/usr/local", "/"):
        own.append(f"{sys.base_prefix}/lib")
    own = [os.path.realpath(folder) for folder in own]
    return [path for path in dict.fromkeys([*SYSTEM, *own]) if os.path.lexists(path)]


def hidden(visible) -> tuple[str, ...]:
    """What lies within the visible paths and must not be seen: an installed kvlib, solutions, this folder."""
    candidates = [os.path.join(folder, "kvlib") for folder in packages()]
    candidates += [str(PACKAGE), str(PACKAGE.parent / "solutions"), str(PACKAGE.parent / ".git"), os.getcwd()]
    within = [path for path in candidates if any(_within(path, shown) for shown in visible)]
    return tuple(path for path in within if os.path.lexists(path))


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
