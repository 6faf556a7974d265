"""The workflow for a class on GitHub: its commands, run as they stand with the runner's variables faked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kvlib.checks.classroom import actions

from . import classroom
from .classroom import ALL, NAME, ROOT

WORKFLOW = ROOT / "kvlib" / "checks" / "classroom" / "static" / "grade.yml"
STEPS = yaml.safe_load(WORKFLOW.read_text())["jobs"]["grade"]["steps"]


def run(folder, **more):
    """The workflow's own steps after the installation, as the runner's bash runs them."""
    temp = folder.parent / "runner"
    temp.mkdir(exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    faked = {name: str(temp / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    environment = (
        os.environ | faked | {"RUNNER_TEMP": str(temp), "PATH": path, "PYTHONPATH": str(ROOT)} | more
    )
    for step in [step for step in STEPS if "run" in step][1:]:
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(bash, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            break
    return done, {name: Path(file).read_text() for name, file in faked.items() if Path(file).exists()}


@pytest.fixture
def repository(tmp_path):
    """A student's repository as GitHub checks it out."""
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    return folder


def test_the_workflow_reads_no_more_than_the_repository_and_runs_what_there_is():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) == {"push", "workflow_dispatch"}  # YAML reads `on` as true
    assert [step["uses"] for step in STEPS if "uses" in step] == [
        "actions/checkout@v4",
        "actions/setup-python@v5",
    ]
    assert STEPS[2]["run"] == 'pip install --quiet "git+$COURSE"'


def test_a_push_shows_its_points_and_sentences(repository):
    nb = classroom.fill(classroom.ANSWERS | {classroom.FIRST: f"{classroom.VARIABLE} = 'none of these'"})
    (repository / f"{NAME}.ipynb").write_text(json.dumps(nb))
    done, said = run(repository)
    points = ALL - classroom.POINTS[classroom.FIRST]
    assert done.returncode == 0 and f"{points} of {ALL} points" in done.stdout, done.stderr
    assert said["GITHUB_OUTPUT"] == f"points={points}\nmax-points={ALL}\n"
    table = said["GITHUB_STEP_SUMMARY"]
    assert f"### {NAME}" in table and f"**{points} of {ALL} points**" in table and "Not yet." in table
    assert not (repository / "result.json").exists()


def test_classroom_50_finds_its_result(repository):
    (repository / f"{NAME}.ipynb").write_text(json.dumps(classroom.fill(classroom.ANSWERS)))
    runner = {"SUBMISSION_TAG": "submit/1", "CLASSROOM": "kv", "ASSIGNMENT": "two", "COMMIT_URL": "https://c"}
    done, _ = run(repository, RELEASE_URL="https://r", **runner)
    assert done.returncode == 0, done.stderr
    result = json.loads((repository / "result.json").read_text())
    assert result["schema"] == "classroom50/result/v1" and result["review"] == result["commit"] == "https://c"
    assert (result["score"], result["max-score"]) == (100 * ALL, 100 * ALL)
    assert all(type(test[of]) is int for test in result["tests"] for of in ("score", "max-score"))
    assert [test["passed"] for test in result["tests"]] == [True] * len(classroom.POINTS)


def test_a_notebook_that_cannot_be_graded_is_no_zero(repository):
    (repository / f"{NAME}.ipynb").write_text("<<<<<<< HEAD\n{}\n")
    done, said = run(repository, SUBMISSION_TAG="submit/1")
    assert done.returncode == 1 and "merge" in done.stdout
    assert "That is no 0." in said["GITHUB_STEP_SUMMARY"] and not (repository / "result.json").exists()


def test_a_repository_without_a_notebook_fails_before_anything_is_shown(repository):
    done, said = run(repository)
    assert done.returncode and "holds no submission" in done.stderr and said == {}


def test_a_submissions_text_is_no_markup():
    mark = {"name": "02-x", "points": 0, "max_points": 1, "feedback": "<img src=x> | **Right.**\n[a](b)"}
    report = {"file": "a", "notebook": "n", "graded": True, "points": 0, "max_points": 1, "exercises": [mark]}
    table = actions.summary([report])
    assert "<img" not in table and "**Right" not in table and "[a]" not in table
    assert table.count("\n|") == 3, "one row, however many lines"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"submissions": [{}]}', "null"])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(ValueError, match="not what `kvlib grade --json` prints"):
        actions.reports(text)
