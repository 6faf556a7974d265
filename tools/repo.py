"""Say where the repository lives: `make repo URL=https://github.com/NAME/REPOSITORY`.

The URL stands in _config.yml; the notebooks' setup cells and Colab links are made from it.
"""

import re
import subprocess
import sys

from .notebooks import ROOT


def main(argv) -> int:
    if len(argv) != 1 or not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", argv[0].rstrip("/")):
        print("usage: make repo URL=https://github.com/NAME/REPOSITORY", file=sys.stderr)
        return 2
    config = ROOT / "_config.yml"
    text, n = re.subn(r"(?m)^(  url: )\S+$", rf"\g<1>{argv[0].rstrip('/')}", config.read_text())
    assert n == 1, "one `  url:` line in _config.yml"
    config.write_text(text)
    return subprocess.call([sys.executable, ROOT / "tools" / "notebooks.py", "--write"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
