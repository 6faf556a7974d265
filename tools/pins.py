"""`make pins`: constraints.txt, one set of pins that holds for every Python that pyproject.toml names.

    python -m tools.pins               pin what is new, keep the other pins
    python -m tools.pins --upgrade     pin the newest versions
    python -m tools.pins --check       resolve the pins for each Python, exit 1 where they fail

A package that gave up an older Python has two lines, each with a marker; pip takes the one that holds.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "constraints.txt"
UV = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate"]


def pythons() -> list[str]:
    """Every Python that pyproject.toml names, oldest first, as "3.11"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.search(r"Python :: (3\.\d+)$", line) for line in project["classifiers"]]
    return [match[1] for match in found if match]


def lines() -> list[str]:
    """The pins themselves, without comments."""
    return [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def write(*options) -> int:
    command = ["pyproject.toml", "--all-extras", "--universal", "--python-version", pythons()[0]]
    command += ["--custom-compile-command", "make pins", "--output-file", PINS, *options]
    return subprocess.run([*UV, *command], cwd=ROOT).returncode


def resolve(python: str, pins=PINS) -> str:
    """Why these pins cannot be installed from wheels under this Python; "" if they can."""
    command = ["pyproject.toml", "--all-extras", "--constraints", pins, "--python-version", python]
    command += ["--only-binary", ":all:", "--no-header"]
    done = subprocess.run([*UV, *command], cwd=ROOT, capture_output=True, text=True)
    return done.stderr.strip() or "uv failed without a word" if done.returncode else ""


def offline(failed: str) -> bool:
    """Whether `resolve` failed for want of a network and not of a solution."""
    return "No solution found" not in failed and bool(
        re.search(r"(?i)dns|connect|network|timed? ?out", failed)
    )


def main(argv) -> int:
    if argv != ["--check"]:
        return write(*argv)
    failures = {python: resolve(python) for python in pythons()}
    for python, failed in failures.items():
        print(f"Python {python}: {failed or 'the pins hold'}")
    return 1 if any(failures.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
