"""The same for a reader, by nbval, in the reader's own kernel: `kvlib grade --nbval FILE`.

Nothing shuts the answers in: it is for those who wrote them.
"""

import subprocess
import sys
from pathlib import Path

from ...needs import require

PLUGIN = "kvlib.checks.grading.plugin"


def run(files: list[Path]) -> int:
    """Check the notebooks by pytest and nbval; 0 if every check gives all its points, 1 if not."""
    for package in ("pytest", "nbval"):
        require(package, "kvlib grade --nbval")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", PLUGIN]
    command += ["-p", "no:cacheprovider", "--no-header", "-q"]
    return subprocess.run([*command, *map(str, files)], check=False).returncode
