"""The tables in book/for-instructors.md: what a chapter takes and aims at, and its exercises.

    python -m tools.exercise_table            write it, the mutants tried anew (minutes)
    python -m tools.exercise_table 02-held    the same, but for the mutants of other exercises
    python -m tools.exercise_table --check    exit 1 and say where the page differs; no mutant is tried

They stand between two markers, which no reader sees. What a question says of itself is read from the
questions; the points and exercises of a chapter from solutions/; how long it is to read from its notebook;
what it needs and its objectives, each with the exercises that test it, from book/objectives.json.
"""

import argparse
import difflib
import json
import re
import sys

from kvlib.checks import Choice, Each, Function, Number, Words
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.questions.common import KINDS

from . import solution_mutants as mutants
from .chapters import minutes
from .notebooks import ROOT, notebooks

PAGE = ROOT / "book" / "for-instructors.md"
BEGIN, END = "<!-- exercises: make exercises writes this -->", "<!-- exercises: end -->"
BETWEEN = re.compile(re.escape(BEGIN) + r"\n(.*?)" + re.escape(END), re.DOTALL)


def misconceptions(marker) -> int:
    """How many mistakes a question knows by name, besides wrong units, which every number knows."""
    if isinstance(marker, Each):
        return sum(misconceptions(part) for part in marker.parts.values())
    if isinstance(marker, Choice):
        return len(marker.wrong)
    if isinstance(marker, (Number, Function)):
        return len(marker.slips)
    if isinstance(marker, Words):
        return len(marker.rows)
    parts = [part for part in vars(marker).values() if hasattr(part, "mark")]
    if parts:
        return sum(misconceptions(part) for part in parts)
    return sum(len(of) for of in vars(marker).values() if isinstance(of, dict))  # all that hold, of several


def title(path) -> str:
    """A chapter's heading, as its exercises' notebook has it, without the word before it."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    heading = "".join(cells[0]["source"]).splitlines()[0].lstrip("# ")
    said = heading.partition(":")[2].strip() or heading
    return said[0].upper() + said[1:]


def chapters() -> dict[str, list]:
    """{a notebook of solutions/: the questions that it asks, in their order}."""
    found = {}
    for path in notebooks("solutions"):
        text = "\n".join("".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"])
        found[path] = [QUESTIONS[m[1]] for m in re.finditer(r'kvlib\.check\("([\w-]+)"', text)]
    return found


def objectives() -> dict[str, dict]:
    """{a chapter: what it needs, whether it uses a GPU, its objectives}, as book/objectives.json has it."""
    return json.loads((ROOT / "book" / "objectives.json").read_text(encoding="utf-8"))


def rows(tried: dict[str, str]) -> str:
    """The tables; `tried` has the cell about mutants for each question of code."""
    asked, aims = chapters(), objectives()
    every = [question for questions in asked.values() for question in questions]
    lines = [
        "| chapter | exercises | points | minutes | for code, analysis, evaluation | minutes to read it |",
        "|---|---|---|---|---|---|",
    ]
    for path, questions in asked.items():
        lines.append(f"| {path.stem[:2]} {title(path)} | {_sums(questions)} | {minutes(path.stem)} |")
    lines += [f"| all | {_sums(every)} | {sum(minutes(path.stem) for path in asked)} |", ""]
    lines += ["| chapter | needs | a GPU | whoever has read it can | tested by |", "|---|---|---|---|---|"]
    for path in asked:
        aim, place = aims[path.stem], f"{path.stem[:2]} {title(path)}"
        of = [place, aim["needs"], aim["gpu"]]
        for objective in aim["objectives"]:
            lines.append(f"| {' | '.join([*of, objective['can'], ', '.join(objective['exercises'])])} |")
            of = ["", "", ""]
    lines += ["", "| exercise | kind | points | minutes | misconceptions | mutants caught (named) |"]
    lines += ["|---|---|---|---|---|---|"]
    for question in every:
        kind = f"{question.kind}, read by a person" if question.manual else question.kind
        line = f"| {question.name} | {kind} | {question.points} | {question.minutes} |"
        lines.append(f"{line} {misconceptions(question.build())} | {tried.get(question.name, '')} |")
    return "\n".join(lines) + "\n"


def _sums(questions) -> str:
    """How many exercises, their points and minutes, and the share of the points that is deep, as cells."""
    points, took = (sum(getattr(q, of) for q in questions) for of in ("points", "minutes"))
    return f"{len(questions)} | {points} | {took} | {_deep(questions)}"


def _deep(questions) -> str:
    """The share of the points for more than recall and arithmetic, in whole per cent."""
    deep = sum(q.points for q in questions if KINDS[q.kind] not in ("recall", "arithmetic"))
    return f"{round(100 * deep / sum(q.points for q in questions))} %<!-- given -->"


def try_mutants(names) -> dict[str, str]:
    """{a question of code: "14 of 15 (6)"}: caught, of all that differ from the solution, and named."""
    found = {}
    for name in names:
        verdicts = mutants.verdicts(name)
        caught, named = (sum(test(v) for v in verdicts) for test in (_is_caught, _is_named))
        found[name] = f"{caught} of {len(verdicts)} ({named})"
        print(f"{name}: {found[name]}", flush=True)
    return found


def _is_caught(verdict) -> bool:
    return not verdict.accepted


def _is_named(verdict) -> bool:
    return verdict.named and not verdict.accepted


def stands() -> dict[str, str]:
    """What the page says now of each question's mutants."""
    found = re.findall(r"^\| (\d[\w-]*) \|(?:[^|]*\|){4} ([^|]*) \|$", _between(), re.MULTILINE)
    return {name: said for name, said in found if said}


def _between() -> str:
    match = BETWEEN.search(PAGE.read_text(encoding="utf-8"))
    if not match:
        raise ValueError(f"{PAGE.name} has no {BEGIN} … {END}")
    return match[1]


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="EXERCISE", help="try these mutants alone (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing, say whether the page is true")
    args = parser.parse_args(argv)
    code, kept = mutants.answers(), stands()
    if args.check:
        differ = [f"{name}: its mutants were not tried, or it is gone" for name in code.keys() ^ kept.keys()]
        rest = difflib.unified_diff(
            _between().splitlines(), f"\n{rows(kept)}\n".splitlines(), lineterm="", n=0
        )
        differ += list(rest)[2:]
        if differ:
            print(
                f"{PAGE.name}: not what the exercises are; run `make exercises`:",
                *differ,
                sep="\n",
                file=sys.stderr,
            )
        return 1 if differ else 0
    if unknown := set(args.names) - code.keys():
        raise SystemExit(f"no exercise of code: {', '.join(sorted(unknown))}")
    tried = {name: said for name, said in kept.items() if name in code} | try_mutants(args.names or code)
    for said in mutants.stale():
        print(f"equivalent_mutants.json: there is no such mutant now: {said}", file=sys.stderr)
    text = PAGE.read_text(encoding="utf-8")
    table = f"{BEGIN}\n\n{rows(tried)}\n{END}"
    PAGE.write_text(BETWEEN.sub(lambda match: table, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
