"""`kvlib grade`: exercises graded from outside."""

import argparse
import json
import os
import sys
from pathlib import Path

from ...units import whole_number
from ..plain import clean
from . import isolation, selfcheck
from .folder import Submission, submissions
from .grader import Grader
from .process import Limits
from .report import Report, write_csv

EPILOG = """\
A folder is submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb, or holds notebooks with the students' names.
Status: 0 if everything was graded, whatever points it earned; 1 if something was not; 2 for a bad argument.
"""


def add_arguments(parser):
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "paths", nargs="*", metavar="FILE|FOLDER", help="notebooks, or folders of submissions"
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--csv", metavar="FILE", help="write a row for every submission (-: print it)")
    parser.add_argument(
        "--nbval", action="store_true", help="check your own notebook, in your own kernel, by pytest"
    )
    parser.add_argument(
        "--isolation", action="store_true", help="say what protects on this machine, and what does not"
    )
    of = parser.add_argument_group("grading")
    of.add_argument(
        "--secret", metavar="TEXT", help="each student's numbers are drawn with it (or KVLIB_SECRET)"
    )
    of.add_argument("--secret-file", metavar="FILE", help="the same, read from a file")
    of.add_argument("--student", metavar="ID", help="whose notebook FILE is (default: from its name)")
    of.add_argument("--seed", type=int, metavar="N", help="repeat a grade: the seed that it named")
    of.add_argument("--seconds", type=float, metavar="S", help="what an exercise may take (default 10)")
    of.add_argument("--memory", type=float, metavar="GIB", help="what an exercise may take (default 2)")
    of.add_argument("--jobs", type=int, metavar="N", help="submissions at a time (default: one a processor)")


def run(args) -> int:
    """What `kvlib grade` prints; returns the exit status. Raises ValueError for a bad argument."""
    if args.isolation:
        print(isolation.here().text())
        return 0
    if not args.paths:
        raise ValueError(
            "name a notebook or a folder of submissions: kvlib grade exercises/02-the-formula.ipynb"
        )
    if args.nbval:
        return selfcheck.run([_file(path) for path in args.paths])
    single = len(args.paths) == 1 and not os.path.isdir(args.paths[0])
    found = [submission for path in args.paths for submission in _submissions(path, args, single)]
    if args.csv and args.csv != "-" and not Path(args.csv).absolute().parent.is_dir():
        raise ValueError(f"--csv: there is no folder {Path(args.csv).parent}")
    jobs = None if args.jobs is None else whole_number("--jobs", args.jobs)
    with Grader(_secret(args), args.seed, _limits(args)) as grader:
        reports = grader.grade_all(found, jobs)
    if args.csv and args.csv != "-":
        with open(args.csv, "w", encoding="utf-8", newline="") as file:
            write_csv(reports, file)
    _show(reports, args, single)
    return 0 if all(report.graded for report in reports) else 1


def _file(path: str) -> Path:
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; --nbval checks a notebook")
    if not os.path.exists(path):
        raise ValueError(f"there is no file {path}")
    return Path(path)


def _submissions(path: str, args, single: bool) -> list[Submission]:
    if os.path.isdir(path):
        if args.student:
            raise ValueError("--student goes with a notebook; in a folder each has its own")
        found = submissions(Path(path))
        if not found:
            raise ValueError(f"{path} holds no submission: neither a notebook nor a folder of a student's")
        return found
    if not os.path.exists(path):
        raise ValueError(f"there is no file or folder {path}")
    if args.student and not single:
        raise ValueError("--student goes with one notebook")
    [found] = [Submission(Path(path), args.student)] if args.student else _named(Path(path))
    return [found]


def _named(path: Path) -> list[Submission]:
    from_name = next((s for s in submissions(path.parent) if s.file == path), None)
    return [Submission(path, from_name.student if from_name else path.stem)]


def _secret(args) -> str:
    if args.secret is not None and args.secret_file is not None:
        raise ValueError("give --secret or --secret-file, not both")
    secret = os.environ.get("KVLIB_SECRET", "") if args.secret is None else args.secret
    if args.secret_file is not None:
        secret = Path(args.secret_file).read_text(encoding="utf-8").strip()
    if (args.secret, args.secret_file) != (None, None) and not secret:
        raise ValueError("the secret is empty: with none, anybody could draw anybody's numbers")
    return secret


def _limits(args) -> Limits:
    seconds = Limits.seconds if args.seconds is None else args.seconds
    memory = Limits.memory if args.memory is None else args.memory * 2**30
    if not 0.1 <= seconds <= 3600:
        raise ValueError(f"--seconds must be from 0.1 to 3600, not {seconds:g}")
    if not 2**26 <= memory <= 2**40:
        raise ValueError(f"--memory must be from 0.0625 to 1024 GiB, not {args.memory:g}")
    return Limits(seconds, int(memory))


def _show(reports: list[Report], args, single: bool):
    if args.csv == "-":
        write_csv(reports, sys.stdout)
    elif args.json:
        found = [report.as_json() for report in reports]
        print(json.dumps(found[0] if single else {"submissions": found}, indent=2))
    elif single:
        print(reports[0].text())
    else:
        for report in reports:
            points = "not graded" if report.points is None else f"{report.points:g} of {report.max_points}"
            said = f": {report.reason}" if report.reason else ""
            name = clean(report.notebook or report.assignment, 30)
            print(f"{clean(report.student, 40):24} {name:20} {points}{said}")
        failed = sum(not report.graded for report in reports)
        print(f"\n{len(reports)} submissions, {failed} not graded; {reports[0].isolation}")
