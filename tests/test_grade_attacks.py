"""No attack earns a point that it does not deserve, and no accident costs more than was lost by it."""

import json
import os
import subprocess
import sys

import pytest

from kvlib.checks.grading.grader import Grader
from kvlib.checks.grading.process import Limits
from kvlib.checks.questions import QUESTIONS

from .attacks import ACCIDENTS, ATTACKS, handed_in, sheet

NOTEBOOKS = ("02-the-formula", "05-paging")
HIDES = {"namespaces": {"files", "processes"}, "landlock": {"files"}, "process": set()}


@pytest.fixture(scope="module")
def graders():
    """By whether an entry takes all its time; the others get as much as they may need on a slow machine."""
    with Grader(limits=Limits(60, 1 << 29)) as patient, Grader(limits=Limits(3, 1 << 29)) as quick:
        yield {False: patient, True: quick}


def grade(graders, entry, name):
    return graders[entry.hangs].grade("mine.ipynb", data=handed_in(entry, name))


def notebook(name, entries):
    """Each entry is tried with one of the notebooks, in turn; which one is the same in every run."""
    return NOTEBOOKS[list(entries).index(name) % len(NOTEBOOKS)]


def test_the_list_is_long():
    assert len(ATTACKS) >= 50 and len(ACCIDENTS) >= 70


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_nothing(graders, name):
    """Where this machine does not hide files or processes, `kvlib grade --isolation` says so, and what needs
    them is not tried: it could succeed."""
    attack, isolation = ATTACKS[name], graders[False].isolation
    if attack.needs and attack.needs not in HIDES[isolation.way]:
        assert {"files": "read every file", "processes": "processes"}[attack.needs] in isolation.text()
        return
    report = grade(graders, attack, notebook(name, ATTACKS))
    assert report.graded, report.reason
    assert report.points == 0, [mark for mark in report.exercises if mark.points]
    assert not any("\x1b" in text or "\0" in text for text in json.dumps(report.as_json()))
    said = report.text()
    assert said.isprintable() or all(c.isprintable() or c == "\n" for c in said)


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.armed])
def test_an_attack_is_armed(name, tmp_path):
    """Run beside the questions, as a check in a notebook is, it finds right answers."""
    asked = {e.question: e.variable for n in NOTEBOOKS for e in sheet(n).exercises}
    program = f"{ATTACKS[name].armed}\nprint(sum(steal(q, v) is not None for q, v in {asked!r}.items()))"
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    if "git" in name and not os.path.exists(f"{root}/.git"):
        pytest.skip("this is no repository")
    assert int(done.stdout) > 0, done.stderr


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_costs_what_was_lost_by_it(graders, name):
    accident, of = ACCIDENTS[name], notebook(name, ACCIDENTS)
    report = grade(graders, accident, of)
    if accident.reason:
        assert (report.graded, report.points) == (False, None)
        assert accident.reason in report.reason and report.as_json()["reason"].startswith("not graded: ")
        return
    assert report.graded, report.reason
    lost = accident.loses(sheet(of))
    earned = {mark.name: mark.points for mark in report.exercises if not QUESTIONS[mark.name].manual}
    assert earned == {name: 0 if name in lost else points for name, points in sheet(of).points.items()}
    for mark in report.exercises:
        assert mark.name not in lost or accident.says in mark.feedback
