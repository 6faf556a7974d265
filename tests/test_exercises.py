"""Exercises come from solutions, fail on their checks alone, and grade as nbgrader grades."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import kvlib
from kvlib.checks import Each, Function, Number
from kvlib.checks.questions import CHAPTERS, QUESTIONS
from tools import exercises, notebooks

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    "01-why-a-cache",
    "02-the-formula",
    "03-worked-7b",
    "04-sharing-heads",
    "05-paging",
    "06-scaling-limits",
]
CHECK = re.compile(r'kvlib\.check\("([\w-]+)", (\w+)\)')


def read(folder, name):
    return json.loads((ROOT / folder / f"{name}.ipynb").read_text())


def source(cell):
    return "".join(cell["source"])


def code(nb):
    return [c for c in nb["cells"] if c["cell_type"] == "code"]


def marks(cell):
    return cell["metadata"].get("nbgrader", {})


def checks(nb):
    return [c for c in nb["cells"] if marks(c).get("grade")]


def play(nb) -> dict:
    """Run a notebook's cells in one namespace, no kernel; {question: (points, what is printed)}."""
    names, graded = {"kvlib": kvlib}, {}
    for cell in code(nb):
        if cell["id"] == "setup":  # it holds magics, and kvlib is there
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if match := CHECK.fullmatch(source(cell)):
                points = eval(source(cell), names)
                graded[match[1]] = (points, printed.getvalue())
            else:
                exec(source(cell), names)
    return graded


def test_there_is_a_notebook_for_each_chapter():
    for folder in ("solutions", "exercises"):
        assert [p.stem for p in notebooks.notebooks(folder)] == NAMES
    for name, chapter in zip(NAMES, CHAPTERS, strict=True):
        assert chapter.__name__.rpartition(".")[2] == name[3:].replace("-", "_")


def test_exercises_are_what_the_solutions_give(capsys):
    assert exercises.main(["--check"]) == 0, capsys.readouterr().err


def test_drift_and_strays_are_named_and_mended(tmp_path, monkeypatch, capsys):
    for folder in ("solutions", "exercises", "book"):
        (tmp_path / folder).mkdir()
    for path in notebooks.notebooks("solutions", "exercises"):
        (tmp_path / path.parent.name / path.name).write_text(path.read_text())
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    monkeypatch.setattr(exercises, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    drifted, stray = (
        tmp_path / "exercises" / "02-the-formula.ipynb",
        tmp_path / "exercises" / "99-stray.ipynb",
    )
    drifted.write_text(drifted.read_text().replace("The 2", "The 3"))
    stray.write_text("{}")
    assert exercises.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and drifted.name in said and stray.name in said
    assert exercises.main([]) == 0 and exercises.main(["--check"]) == 0 and not stray.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "### BEGIN SOLUTION\nx = 1",
        "x = 1\n### END SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
    ],
)
def test_markers_that_do_not_pair_up_are_refused(wrong):
    with pytest.raises(ValueError, match="solution"):
        exercises.without_solutions(wrong)


def test_a_solution_is_replaced_by_an_indented_stub():
    stripped = exercises.without_solutions(
        "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\nf()"
    )
    assert stripped == "def f():\n    # YOUR CODE HERE\nf()"
    with pytest.raises(ValueError, match="'a-cell'"):
        cell = {"id": "a-cell", "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1}
        exercises.exercise({"cells": [cell | {"source": "### BEGIN SOLUTION\n### END SOLUTION"}]})


@pytest.mark.parametrize("name", NAMES)
def test_solutions_earn_every_point(name):
    graded = play(read("solutions", name))
    assert {q: points for q, (points, _) in graded.items()} == {
        q: QUESTIONS[q].points for q in QUESTIONS if q.startswith(name[:3])
    }


@pytest.mark.parametrize("name", NAMES)
def test_untouched_exercises_run_and_earn_nothing(name):
    for question, (points, said) in play(read("exercises", name)).items():
        assert (
            points == 0
            and said
            == f"Not answered yet. 0 of {QUESTIONS[question].points} points.\n".replace("1 points", "1 point")
        )


@pytest.mark.parametrize("name", NAMES)
def test_cells_carry_nbgraders_metadata(name):
    nb = read("solutions", name)
    assert 4 <= len(checks(nb)) <= 7
    ids = [marks(c)["grade_id"] for c in nb["cells"] if marks(c)]
    assert len(ids) == len(set(ids))
    asked = None
    for cell in nb["cells"]:
        assert (
            len(source(cell).splitlines()) <= 15 + 14 * ("solution" in marks(cell))
            or cell["cell_type"] == "markdown"
        )
        if "BEGIN SOLUTION" in source(cell):
            assert marks(cell)["solution"] and not marks(cell)["grade"] and not marks(cell)["locked"]
            assert not cell["outputs"]
            asked = cell["id"].removeprefix("answer-")
        if marks(cell).get("grade"):
            question, _ = CHECK.fullmatch(source(cell)).groups()
            assert question == f"{name[:2]}-{asked}" and cell["id"] == f"check-{asked}"
            assert marks(cell)["locked"] and not marks(cell)["solution"]
            assert marks(cell)["points"] == QUESTIONS[question].points
            assert cell["execution_count"] and len(cell["outputs"]) == 2, (
                "nbval compares it, nbgrader reads it"
            )


def test_every_question_is_asked_once():
    asked = [CHECK.fullmatch(source(c))[1] for name in NAMES for c in checks(read("solutions", name))]
    assert sorted(asked) == sorted(QUESTIONS)


def leaves(question):
    parts = question.parts.values() if isinstance(question, Each) else [question]
    return [leaf for part in parts for leaf in (leaves(part) if isinstance(part, Each) else [part])]


def said_as(value) -> set[str]:
    """The ways in which a text could tell this number."""
    forms = {
        f"{value:,.10g}",
        f"{value:.10g}",
        f"{value:.3g}",
        f"{value:.4g}",
        f"{value:.5g}",
        f"{value:,.2f}",
    }
    return {form for form in forms if "e" not in form}


@pytest.mark.parametrize("name", NAMES)
def test_no_exercise_tells_its_answer(name):
    nb, solved = read("exercises", name), read("solutions", name)
    whole = "\n".join(source(c) for c in nb["cells"])
    sections = re.split(r"(?m)^## ", whole)[1:]
    for cell in checks(nb):
        question, variable = CHECK.fullmatch(source(cell)).groups()
        own = next(s for s in sections if source(cell) in s)
        for leaf in leaves(QUESTIONS[question].build()):
            if isinstance(leaf, Number):
                for form in said_as(leaf.right):
                    where = whole if len(re.sub(r"\D", "", form)) > 3 else own
                    assert not re.search(rf"(?<![\w.,]){re.escape(form)}(?!\w|[.,]\d)", where), (
                        question,
                        form,
                    )
        assert f'{variable} = "' not in own
    for cell in solved["cells"]:
        for region in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", source(cell), re.DOTALL):
            for line in region.splitlines():
                line = line.strip()
                if len(line) > 8 and not line.endswith("{"):
                    assert line not in whole, f"{name}: {line!r}"
    assert "SOLUTION" not in whole


@pytest.fixture(scope="session")
def strict(tmp_path_factory):
    """Strict nbval on the untouched exercises: {(notebook, code cell): failure or None}."""
    report = tmp_path_factory.mktemp("nbval") / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        "exercises",
    ]
    subprocess.run(
        command, cwd=ROOT, capture_output=True, env=os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    )
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        failure = case.find("failure")
        place = Path(case.get("classname").replace(".", "/").removesuffix("/ipynb")).name
        found[place, int(case.get("name").removeprefix("Cell "))] = None if failure is None else failure.text
    return found


@pytest.mark.parametrize("name", NAMES)
def test_untouched_exercises_fail_nbval_exactly_on_their_checks(name, strict):
    for number, cell in enumerate(code(read("exercises", name))):
        failure = strict[name, number]
        if marks(cell).get("grade"):
            assert failure and "Cell outputs differ" in failure and "exception" not in failure
        else:
            assert failure is None, (cell["id"], failure)


def test_the_instructors_table_is_true():
    text = (ROOT / "book" / "for-instructors.md").read_text()
    for name in NAMES:
        row = re.search(rf"\| {name[:2]} [^|]+\| (\d+) \| (\d+) \|", text)
        points = [marks(c)["points"] for c in checks(read("solutions", name))]
        assert (int(row[1]), int(row[2])) == (len(points), sum(points))


# nbgrader's own pipeline on one notebook

FORMULA = "02-the-formula"


def fill(nb, answers):
    """The exercise `nb` with answers {id of an answer cell: source} typed in."""
    cells = [c | {"source": answers.get(c["id"], source(c))} for c in nb["cells"]]
    return nb | {"cells": cells}


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course with three submissions, autograded: (release, {student: {question: score}})."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    root = tmp_path_factory.mktemp("course")
    config = Config()
    config.ClearSolutions.code_stub = {"python": exercises.STUB}
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    monkeypatch = pytest.MonkeyPatch()
    # nbgrader calls alembic by its name.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    api = NbGraderAPI(config=config)

    def write(folder, nb):
        folder.mkdir(parents=True)
        (folder / f"{FORMULA}.ipynb").write_text(json.dumps(nb))

    solved = read("solutions", FORMULA)
    write(root / "source" / FORMULA, solved)
    result = api.generate_assignment(FORMULA)
    assert result["success"], result
    release = json.loads((root / "release" / FORMULA / f"{FORMULA}.ipynb").read_text())
    answers = {c["id"]: source(c) for c in solved["cells"] if marks(c).get("solution")}
    wrong = answers | {
        "answer-two": 'two = "a"',
        "answer-steps": 'steps = {"numbers in one layer\'s keys": 2 * 16 * 2048 * 64}',
        "answer-formula": "def cache_bytes(*a):\n    raise OSError('what a typo can do')",
        "answer-seventy": "seventy_gb = 262.144",
        "check-two": "3",  # an edited check
    }
    submissions = {
        "right": answers,
        "wrong": wrong,
        "empty": {},
        "typo": answers | {"answer-bytes": "last_factor = = 'd'"},
    }
    for student, typed in submissions.items():
        write(root / "submitted" / student / FORMULA, fill(release, typed))
    scores = {}
    for student in submissions:
        result = api.autograde(FORMULA, student)
        assert result["success"], result
    with Gradebook(config.CourseDirectory.db_url) as book:
        for student in submissions:
            grades = book.find_submission_notebook(FORMULA, FORMULA, student).grades
            scores[student] = {g.name.removeprefix("check-"): g.auto_score for g in grades}
    monkeypatch.undo()
    return release, scores


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own
def test_nbgraders_release_is_the_exercise(course):
    release, _ = course
    assert [source(c) for c in release["cells"]] == [source(c) for c in read("exercises", FORMULA)["cells"]]


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own
def test_nbgrader_scores_what_the_checks_say(course):
    _, scores = course
    full = {q[3:]: QUESTIONS[q].points for q in QUESTIONS if q.startswith("02")}
    nothing = dict.fromkeys(full, 0)
    assert scores["right"] == full
    assert scores["empty"] == nothing
    assert scores["typo"] == full | {"bytes": 0}
    assert scores["wrong"] == full | {"two": 0, "steps": 1, "formula": 0, "seventy": 0}


def test_functions_are_asked_for_in_every_notebook():
    for name in NAMES:
        built = [QUESTIONS[q].build() for q in QUESTIONS if q.startswith(name[:3])]
        assert any(isinstance(q, Function) for q in built), name
