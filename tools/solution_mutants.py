"""Mutants of an exercise's solution: its source with one thing wrong, each held to the exercise's check.

    python -m tools.solution_mutants 02-formula …     every mutant, and what the check says of it

A check should accept none that differs from the solution. Those that do not differ stand in
equivalent_mutants.json, each with the reason, and do not count.
"""

import contextlib
import io
import json
import re
import sys
from dataclasses import dataclass

import kvlib
from kvlib.checks import Each, Function, calls, mark
from kvlib.checks.questions import QUESTIONS

from .notebooks import ROOT, notebooks
from .syntax_mutants import Mutant, mutants

CHECK = re.compile(r'kvlib\.check\("([\w-]+)", (\w+)(?:, "\w+")?\)')
SECONDS = 2.0  # for all cases of a mutant: a loop without an end is caught by the clock
# question -> {mutant, as `Mutant.what`: why nobody can tell it from the solution}
EQUIVALENT = json.loads((ROOT / "tools" / "equivalent_mutants.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Verdict:
    """What the check made of a mutant: accepted or not, and whether it named a known mistake."""

    mutant: Mutant
    accepted: bool
    named: bool
    said: str


@dataclass(frozen=True)
class Solved:
    """A solution: its cell, the cells before it, those between it and its check, and the checked name."""

    cell: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    variable: str


def answers() -> dict[str, Solved]:
    """The solutions of the questions that ask for code."""
    found = {}
    for path in notebooks("solutions"):
        seen, solution = [], 0  # the cells that were no checks, and where the last solution stands among them
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code" or cell["id"] == "setup":
                continue
            match = CHECK.fullmatch(source.strip())
            if not match:
                solution = len(seen) if cell["metadata"].get("nbgrader", {}).get("solution") else solution
                seen.append(source)
            elif functions(QUESTIONS[match[1]]):
                before, after = tuple(seen[:solution]), tuple(seen[solution + 1 :])
                found[match[1]] = Solved(seen[solution], before, after, match[2])
    return found


def functions(question) -> list[Function]:
    """The functions that a question asks for; [] where it asks for none."""
    return _functions(question.build())


def _functions(marker) -> list[Function]:
    if isinstance(marker, Function):
        return [marker]
    parts = marker.parts.values() if isinstance(marker, Each) else vars(marker).values()
    return [found for part in parts if hasattr(part, "mark") for found in _functions(part)]


def verdicts(name: str) -> list[Verdict]:
    """What the check of the question `name` makes of each mutant that can be told from the solution."""
    solved, question = answers()[name], QUESTIONS[name].build()
    space = _run(solved.before)
    known = {slip.said for part in functions(QUESTIONS[name]) for slip in part.slips}
    found = []
    for mutant in mutants(solved.cell):
        if mutant.what in EQUIVALENT.get(name, {}):
            continue
        share, said = _marked(question, mutant, solved, space)
        named = any(sentence in said for sentence in known)
        found.append(Verdict(mutant, share == 1, named, said))
    return found


def stale() -> list[str]:
    """What stands in equivalent_mutants.json of a question that is there, and is no mutant of it any more."""
    solved = answers()
    return [
        f"{name}: {what}"
        for name in sorted(EQUIVALENT.keys() & solved.keys())
        for what in EQUIVALENT[name].keys() - {mutant.what for mutant in mutants(solved[name].cell)}
    ]


def _marked(question, mutant, solved, space) -> tuple[float, str]:
    names = dict(space)
    try:
        with _quiet(), calls.limit(SECONDS):
            for source in (mutant.source, *solved.after):
                exec(compile(source, "<mutant>", "exec"), names)
    except (Exception, calls.TooLong) as error:  # a cell that fails leaves no answer to check
        return 0, f"The cell fails: {error!r}"
    whole, calls.SECONDS = calls.SECONDS, SECONDS
    try:
        with _quiet():
            return mark(question, names.get(solved.variable))
    finally:
        calls.SECONDS = whole


def _run(cells) -> dict:
    names = {"kvlib": kvlib}
    with _quiet():
        for cell in cells:
            exec(cell, names)
    return names


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def main(argv=None) -> int:
    for name in sys.argv[1:] if argv is None else argv:
        for verdict in verdicts(name):
            word = "ACCEPTED" if verdict.accepted else "named" if verdict.named else "caught"
            print(f"{name}  {word:8}  {verdict.mutant.what}\n    {verdict.said.splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
