"""Say where the repository lives: `make repo URL=https://github.com/NAME/REPOSITORY`.

The URL stands in _config.yml; the notebooks' setup cells and Colab links, the package's links, CITATION.cff
and the workflow for a class's repositories are made from it.
"""

import re
import subprocess
import sys

from . import notebooks

USAGE = "usage: make repo URL=https://github.com/NAME/REPOSITORY"
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
REPOSITORY = r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
PLACEHOLDERS = ("NAME/REPOSITORY", "YOUR_ACCOUNT/kv-cache-course")
FILES = ("_config.yml", "pyproject.toml", "CITATION.cff", "kvlib/checks/classroom/static/grade.yml")


def address(url: str) -> str:
    """`url` as https://github.com/owner/repository, without `/` or `.git` at its end.

    Raises ValueError for anything that is no repository on GitHub, and for the placeholder itself.
    """
    path = re.sub(r"^(https://github\.com/|git@github\.com:|ssh://git@github\.com/)", "", url.strip())
    path = path.rstrip("/").removesuffix(".git")
    if path in PLACEHOLDERS:
        raise ValueError(f"{url!r} is the placeholder: put your own account and repository in its place")
    if path == url.strip() or not re.fullmatch(f"{OWNER}/{REPOSITORY}", path):
        raise ValueError(f"{url!r} is no repository's address on GitHub")
    return f"https://github.com/{path}"


def origin() -> str | None:
    """The address of this checkout's origin, if it has one on GitHub."""
    try:
        done = subprocess.run(
            ["git", "remote", "get-url", "origin"], cwd=notebooks.ROOT, capture_output=True, text=True
        )
        return address(done.stdout)
    except (OSError, ValueError):  # no git, no origin, another host
        return None


def write(url: str) -> None:
    """Put `url` in place of the old one wherever it stands outside the notebooks."""
    old = notebooks.repository()
    for name in FILES:
        file = notebooks.ROOT / name
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{name} does not say {old}"
        file.write_text(re.sub(re.escape(old) + r"(?![\w.-])", url, text), encoding="utf-8")


def main(argv) -> int:
    try:
        if len(argv) != 1:
            raise ValueError("one address is needed")
        url = address(argv[0])
    except ValueError as error:
        print(f"{error}\n{USAGE}", file=sys.stderr)
        if here := origin():
            print(f"For this checkout's origin: make repo URL={here}", file=sys.stderr)
        return 2
    write(url)
    return notebooks.main(["--write"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
