"""Make exercises/ from solutions/: the same notebooks without the answers.

    python -m tools.exercises            write exercises/
    python -m tools.exercises --check    exit 1 and name what has drifted

A solution stands between ### BEGIN SOLUTION and ### END SOLUTION, nbgrader's own markers. Neither
answers, checks nor cells tagged `uses-answer` keep an output: no `Right.` stands under a blank answer.
"""

import argparse
import json
import sys

from .notebooks import ROOT, canonical, dump, notebooks, repository

STUB = "# YOUR CODE HERE"


def without_solutions(source: str) -> str:
    """`source` with each solution replaced by STUB. Raises ValueError where a marker has no partner."""
    lines, inside = [], False
    for line in source.splitlines():
        begins, ends = "BEGIN SOLUTION" in line, "END SOLUTION" in line
        if begins and inside or ends and not inside:
            raise ValueError(f"solution markers do not pair up: {line!r}")
        if begins:
            lines.append(line[: len(line) - len(line.lstrip())] + STUB)
        elif not ends and not inside:
            lines.append(line)
        inside = (inside or begins) and not ends
    if inside:
        raise ValueError("a solution begins and does not end")
    return "\n".join(lines)


def exercise(nb: dict) -> dict:
    """The solution notebook `nb` without answers and without the outputs that show them."""
    cells = []
    for cell in nb["cells"]:
        source, marks = "".join(cell["source"]), cell["metadata"].get("nbgrader", {})
        new = cell | {"source": without_solutions(source)}
        if new["source"] != source and not marks.get("solution"):
            raise ValueError(f"cell {cell['id']!r} holds a solution and is not marked as one")
        if cell["cell_type"] == "code" and (
            marks.get("solution")
            or source.startswith("kvlib.check(")
            or "uses-answer" in cell["metadata"].get("tags", [])
        ):
            new |= {"outputs": [], "execution_count": None}
        cells.append(new)
    return nb | {"cells": cells}


def generated() -> dict:
    """Path in exercises/ -> the text that belongs there."""
    texts = {}
    for path in notebooks("solutions"):
        target = ROOT / "exercises" / path.name
        texts[target] = dump(canonical(exercise(json.loads(path.read_text())), target, repository()))
    return texts


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, name what has drifted")
    args = parser.parse_args(argv)
    texts, there = generated(), set(notebooks("exercises"))
    drifted = [p for p, text in texts.items() if p not in there or p.read_text() != text]
    strays = sorted(there - texts.keys())
    if args.check:
        for path in drifted + strays:
            print(
                f"{path.relative_to(ROOT)}: not what its solution gives; run `make exercises`",
                file=sys.stderr,
            )
        return 1 if drifted or strays else 0
    for path in drifted:
        path.write_text(texts[path])
    for path in strays:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
