"""`kvlib course`: what a class needs around nbgrader's commands. All but `make` run in the course folder."""

from pathlib import Path

from nbgrader.api import Gradebook

from . import collecting, folder, own
from .states import GRADED, NOT, roster, states


def add_arguments(parser):
    parser.epilog = (
        "The chapter for instructors has each step of a class, with nbgrader's commands beside these."
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    step = steps.add_parser("make", help="lay out a course folder, or add to one what is missing")
    step.add_argument("folder", nargs="?", default="course", type=Path, help="(default: course)")
    step.add_argument(
        "--solutions", default="solutions", type=Path, help="the notebooks (default: solutions)"
    )
    step = steps.add_parser("collect", help="take in a download from Canvas or Moodle, or a folder of files")
    _assignment(step)
    step.add_argument("download", nargs="+", type=Path, help="zips, folders or notebooks")
    step.add_argument("--times", type=Path, metavar="CSV", help="student,timestamp: when each handed in")
    step = steps.add_parser("list", help="where each student stands, and why who has no grade has none")
    _assignment(step)
    step.add_argument("--failed", action="store_true", help="only those whose work could not be graded")
    step = steps.add_parser("variants", help="a notebook of its own numbers for each student")
    _assignment(step)


def _assignment(step):
    step.add_argument("assignment", help="its name, as 02-the-formula")


def run(args) -> int:
    """Run a step and say what came of it; returns the exit status."""
    if args.step == "make":
        made = folder.make(args.folder, args.solutions)
        print(f"{args.folder}: {', '.join(made) if made else 'nothing was missing'}")
        return 0
    course = folder.here()
    if args.step == "collect":
        return _collect(course, args)
    with Gradebook(course.gradebook) as book:
        if args.step == "variants":
            names = own.write(course, args.assignment, roster(book))
            print(f"variants/{args.assignment}/: a notebook for each of {len(names)} students")
            return 0
        return _list(states(course, book, args.assignment), args.failed)


def _collect(course, args) -> int:
    done = collecting.collect(course, args.assignment, args.download, args.times)
    for student, entry in done.entries.items():
        said = f"not graded: {entry.unreadable}" if entry.unreadable else "collected"
        if student not in done.changed:
            said += " (as before)"
        print(f"{student}: {'; '.join([said, *entry.notes])}")
    for said in done.nobody:
        print(f"kept in received/{args.assignment}/_nobody: {said}")
    print(f"{len(done.entries)} students, {len(done.changed)} new or changed")
    return 1 if done.nobody else 0


def _list(found, failed: bool) -> int:
    shown = [s for s in found if s.state == NOT] if failed else found
    width = max((len(s.student.id) for s in shown), default=0)
    for s in shown:
        points = f"{s.score:g} of {s.max_points:g}" if s.score is not None else ""
        said = "; ".join(filter(None, [points, s.reason, *s.notes]))
        print(f"{s.student.id:{width}}  {s.state:13}  {said}".rstrip())
    graded = sum(s.state == GRADED for s in found)
    print(f"{graded} of {len(found)} graded, {sum(s.state == NOT for s in found)} could not be graded")
    return 0
