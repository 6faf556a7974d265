"""What a run of GitHub Actions shows of a grade: `python -m kvlib.checks.classroom.actions graded.json`.

`graded.json` is what `kvlib grade --json` printed. A table goes to the run's summary, the points to the
step's outputs; where Classroom 50's runner called, `result.json` is written as it asks
(`classroom50/result/v1` in wiki/Advanced-Autograding.md of foundation50/classroom50). It takes whole numbers
alone, so a point counts 100 there.
"""

import html
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

HUNDREDTHS = 100


def reports(text: str) -> list[dict]:
    """The reports that `kvlib grade --json` printed. Raises ValueError for anything else."""
    try:
        found = json.loads(text)
        found = found.get("submissions", [found])
        if all({"graded", "points", "max_points", "exercises", "file"} <= report.keys() for report in found):
            return found
    except (ValueError, AttributeError):
        pass
    raise ValueError("this is not what `kvlib grade --json` prints")


def summary(found: list[dict]) -> str:
    """A table in Markdown for each notebook, or why it was not graded."""
    lines = []
    for report in found:
        lines += [f"### {_cell(report.get('notebook') or Path(report['file']).name)}", ""]
        if not report["graded"]:
            lines += [f"**{_cell(report['reason'])}** That is no 0.", ""]
            continue
        lines += ["| exercise | points | |", "|---|---|---|"]
        for mark in report["exercises"]:
            points = "read by a person" if mark["points"] is None else f"{mark['points']:g}"
            of = f"{points} of {mark['max_points']}"
            lines.append(f"| {_cell(mark['name'])} | {of} | {_cell(mark['feedback'])} |")
        lines += ["", f"**{report['points']:g} of {report['max_points']} points**", ""]
        lines += [_cell(note) for note in report.get("notes", ())]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text from a submission, as text: neither HTML nor Markdown of its own."""
    text = html.escape(text, quote=False)
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text.replace("\n", "<br>")


def totals(found: list[dict]) -> tuple[float, int]:
    """The points of all notebooks that were graded, and of how many."""
    graded = [report for report in found if report["graded"]]
    points = round(sum(report["points"] for report in graded), 2)
    return points, sum(report["max_points"] for report in graded)


def result(found: list[dict], environment) -> dict:
    """`result.json` for Classroom 50, which names the rest of it by environment variables."""
    tests = [
        {
            "test-name": mark["name"],
            "passed": mark["points"] == mark["max_points"],
            "score": round(mark["points"] * HUNDREDTHS),
            "max-score": mark["max_points"] * HUNDREDTHS,
            "feedback": mark["feedback"],
        }
        for report in found
        for mark in report["exercises"]
        if mark["points"] is not None
    ]
    commit = environment.get("COMMIT_URL", "")
    return {
        "schema": "classroom50/result/v1",
        "classroom": environment.get("CLASSROOM", ""),
        "assignment": environment.get("ASSIGNMENT", ""),
        "submission": environment["SUBMISSION_TAG"],
        "commit": commit,
        "release": environment.get("RELEASE_URL", ""),
        "review": environment.get("REVIEW_URL") or commit,
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def main(argv=None) -> int:
    """Status 0 if every notebook was graded, 1 if one was not: a run that shows no grade is not green."""
    [path] = sys.argv[1:] if argv is None else argv
    found = reports(Path(path).read_text(encoding="utf-8"))
    text, (points, most) = summary(found), totals(found)
    _append("GITHUB_STEP_SUMMARY", text)
    _append("GITHUB_OUTPUT", f"points={points:g}\nmax-points={most}\n")
    failed = [report for report in found if not report["graded"]]
    if "SUBMISSION_TAG" in os.environ and not failed:
        written = json.dumps(result(found, os.environ), indent=1, ensure_ascii=False)
        Path("result.json").write_text(written + "\n", encoding="utf-8")
    print(f"{points:g} of {most} points")
    for report in failed:
        print(f"{report['file']}: {report['reason']}")
    return 1 if failed else 0


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
