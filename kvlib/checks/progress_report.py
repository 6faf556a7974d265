"""`kvlib progress`: what is solved, in how many attempts, and what comes next."""

import json
from itertools import groupby
from pathlib import Path

from .feedback import earned
from .progress import FILE, Tried, read
from .questions import QUESTIONS

BAR = 20  # characters


def add_arguments(parser):
    parser.epilog = (
        f"The checks of a notebook keep {FILE} in the notebook's folder; nothing is sent anywhere. "
        "Delete the file to begin anew."
    )
    parser.add_argument(
        "folder", nargs="?", metavar="FOLDER",
        help="the notebooks' folder (default: this one, or exercises/ in it)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(args) -> int:
    """What `kvlib progress` prints; returns the exit status."""
    folder = find(args.folder)
    tried = read(folder)
    if args.json:
        print(json.dumps(as_json(tried), indent=1))
    else:
        print(text(tried, folder))
    return 0


def find(named: str | None) -> Path:
    """The folder whose record is asked for. Raises ValueError where it is none."""
    if named is not None:
        folder = Path(named)
        if not folder.is_dir():
            raise ValueError(f"{named} is no folder; name the one that holds the notebooks, as exercises/")
        return folder
    here = Path(".")
    below = here / "exercises"
    return below if below.is_dir() and not (here / FILE).exists() else here


def chapters() -> list[tuple[str, list]]:
    """(a chapter's number, its questions), in the book's order."""
    ordered = sorted(QUESTIONS.values(), key=_chapter)  # stable: within a chapter as they are asked
    return [(number, list(asked)) for number, asked in groupby(ordered, key=_chapter)]


def _chapter(question) -> str:
    return question.name.partition("-")[0]


def as_json(tried: dict[str, Tried]) -> dict:
    """Points in all, and of each question its points, attempts and whether it is solved."""
    exercises = [
        {
            "name": question.name,
            "points": _points(question, tried),
            "max_points": question.points,
            "attempts": tried.get(question.name, Tried()).attempts,
            "solved": tried.get(question.name, Tried()).solved,
        }
        for _, asked in chapters()
        for question in asked
    ]
    return {
        "points": _tidy(sum(e["points"] for e in exercises)),
        "max_points": sum(e["max_points"] for e in exercises),
        "exercises": exercises,
    }


def text(tried: dict[str, Tried], folder: Path) -> str:
    """A bar for each chapter, under it what was tried there, and at the end what comes next."""
    lines, following = [], ""
    everything = chapters()
    titles = {number: _notebook(number, folder) for number, _ in everything}
    width = max(map(len, titles.values()))
    for number, asked in everything:
        lines.append(_row(titles[number], asked, tried, width))
        solved = [f"{_short(q)} ({tried[q.name].attempts})" for q in asked if _is_solved(q, tried)]
        open_ = [q for q in asked if q.name in tried and not _is_solved(q, tried)]
        if solved:
            lines.append(f"    solved (attempts): {', '.join(solved)}")
        lines += [f"    open: {_short(q)}, {_how(q, tried)}" for q in open_]
        rest = [*open_, *(q for q in asked if q.name not in tried)]
        if rest and not following:
            following = f'Next: "{_short(rest[0])}" in {titles[number]}, {rest[0].points} point'
            following += f"{'s' * (rest[0].points != 1)}, about {rest[0].minutes} minutes."
    lines.append(_row("all", list(QUESTIONS.values()), tried, width))
    if not tried:
        lines.insert(0, f"Nothing was checked in {folder.resolve()} yet.\n")
    return "\n".join([*lines, "", following or "All is solved."])


def _row(title, asked, tried, width) -> str:
    got, of = sum(_points(q, tried) for q in asked), sum(q.points for q in asked)
    full = BAR if got >= of else min(BAR - 1, int(BAR * got / of))
    bar = "#" * full + "." * (BAR - full)
    solved = sum(_is_solved(q, tried) for q in asked)
    return f"{title:{width}}  [{bar}]  {solved} of {len(asked)} solved, {_tidy(got)} of {of} points"


def _points(question, tried) -> float:
    return earned(tried.get(question.name, Tried()).share, question.points)


def _tidy(points: float) -> float:
    """A sum of points without what adding them in binary leaves behind."""
    points = round(points, 2)
    return int(points) if points == int(points) else points


def _is_solved(question, tried) -> bool:
    return tried.get(question.name, Tried()).solved


def _how(question, tried) -> str:
    of = tried[question.name]
    return (
        f"{_points(question, tried)} of {question.points} points after {of.attempts} attempt"
        f"{'s' * (of.attempts != 1)}"
    )


def _short(question) -> str:
    return question.name.partition("-")[2]


def _notebook(number: str, folder: Path) -> str:
    """A chapter's notebook by its file in `folder`; its number where there is none."""
    return next((path.name for path in sorted(folder.glob(f"{number}-*.ipynb"))), number)
