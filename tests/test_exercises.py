"""Exercises come from solutions, tell no answer, can be drawn anew, and grade as nbgrader grades."""

import ast
import contextlib
import importlib
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

import kvlib
from kvlib.checks import Each, Function, Number, variants
from kvlib.checks.questions import CHAPTERS, QUESTIONS
from kvlib.checks.questions.common import KINDS, apart
from tools import exercises, notebooks

ROOT = Path(__file__).resolve().parent.parent
NAMES = [path.stem for path in notebooks.notebooks("solutions")]
CHECK = re.compile(r'kvlib\.check\("([\w-]+)", (\w+)(?:, "\w+")?\)')
HEADING = re.compile(r"## \d+\. .+\n+\*(?P<points>\d+) points?, about (?P<minutes>\d+) minutes?\*\n")
SEEDS = [f"{n:08x}" for n in range(20)]


def read(folder, name):
    return json.loads((ROOT / folder / f"{name}.ipynb").read_text())


def source(cell):
    return "".join(cell["source"])


def code(nb):
    return [c for c in nb["cells"] if c["cell_type"] == "code"]


def marks(cell):
    return cell["metadata"].get("nbgrader", {})


def checks(nb):
    return [c for c in code(nb) if CHECK.fullmatch(source(c))]


def asked_in(name):
    """The questions of the notebook `name`, by their names."""
    return {q: question for q, question in QUESTIONS.items() if q.startswith(name[:3])}


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
    chapters = [p.stem for p in notebooks.notebooks("book") if p.stem[:2].isdigit()]
    written = [name for name in NAMES if name in chapters]  # exercises can come before their chapter
    assert written == chapters[: len(written)] and len(NAMES) >= 6
    assert [p.stem for p in notebooks.notebooks("exercises")] == NAMES
    for name, chapter in zip(NAMES, CHAPTERS, strict=True):
        assert chapter.__name__.rpartition(".")[2] == name[3:].replace("-", "_")


def test_exercises_are_what_the_solutions_give(capsys):
    assert exercises.main(["--check"]) == 0, capsys.readouterr().err


def test_drift_and_strays_are_named_and_mended(tmp_path, monkeypatch, capsys):
    for folder in ("solutions", "exercises", "book"):
        (tmp_path / folder).mkdir()
    for path in notebooks.notebooks():
        (tmp_path / path.parent.name / path.name).write_text(path.read_text())
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    monkeypatch.setattr(exercises, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    drifted, stray = (
        tmp_path / "exercises" / "02-the-formula.ipynb",
        tmp_path / "exercises" / "99-stray.ipynb",
    )
    drifted.write_text(drifted.read_text().replace("# Exercises 2", "# Exercises 3"))
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
    full = {q: question.points for q, question in asked_in(name).items()}
    assert {q: points for q, (points, _) in graded.items()} == full
    assert all(said.startswith("Right. ") for _, said in graded.values())


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
    assert len(checks(nb)) >= 7
    ids = [marks(c)["grade_id"] for c in nb["cells"] if marks(c)]
    assert len(ids) == len(set(ids))
    asked = None
    for cell in nb["cells"]:
        assert (
            len(source(cell).splitlines()) <= 15 + 14 * ("solution" in marks(cell))
            or cell["cell_type"] == "markdown"
        )
        if "BEGIN SOLUTION" in source(cell):
            assert marks(cell)["solution"] and not cell["outputs"]
            asked = cell["id"].removeprefix("answer-")
            question = QUESTIONS[f"{name[:2]}-{asked}"]
            assert marks(cell)["grade"] == question.manual and not marks(cell)["locked"]
            assert marks(cell).get("points") == (question.points if question.manual else None)
        if match := CHECK.fullmatch(source(cell)):
            assert match[1] == f"{name[:2]}-{asked}" and cell["id"] == f"check-{asked}"
            assert cell["execution_count"] and len(cell["outputs"]) == 2, "nbval compares it"
            if question.manual:
                assert not marks(cell).get("grade"), "a person gives the points"
                continue
            assert marks(cell)["grade"] and marks(cell)["locked"] and not marks(cell)["solution"]
            assert marks(cell)["points"] == question.points
        else:
            assert not marks(cell).get("grade") or question.manual


@pytest.mark.parametrize("name", NAMES)
def test_nothing_stands_under_a_check(name):
    """A "Right." under a blank answer would be read as said of it."""
    for cell in checks(read("exercises", name)):
        assert cell["outputs"] == [] and cell["execution_count"] is None
    assert "Right. " not in json.dumps(read("exercises", name))


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_its_points_and_minutes_and_has_hints(name):
    texts = {c["id"]: source(c) for c in read("solutions", name)["cells"]}
    for question in asked_in(name).values():
        text = texts[f"ask-{question.name[3:]}"]
        heading = HEADING.match(text)
        assert heading, f"{question.name}: a heading, then *4 points, about 5 minutes*"
        assert (int(heading["points"]), int(heading["minutes"])) == (question.points, question.minutes)
        hints = re.findall(r"<summary>(.*?)</summary>", text)
        assert hints in ([f"Hint {n + 1}" for n in range(count)] for count in (1, 2, 3)), question.name
        closed = "</details>" * len(hints)
        assert "".join(text.split()).endswith(closed), "the next hint stands inside the one before"


@pytest.mark.parametrize("name", NAMES)
def test_half_of_the_points_are_for_code_analysis_or_evaluation(name):
    points = [(q.points, KINDS[q.kind]) for q in asked_in(name).values()]
    deep = sum(n for n, level in points if level not in ("recall", "arithmetic"))
    assert 2 * deep >= sum(n for n, _ in points)


def defined(text):
    """The public functions and classes that Python code defines at its top."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(text).body if isinstance(node, kinds) and node.name[0] != "_"}


def test_no_exercise_asks_for_a_function_that_kvlib_has():
    rooms = ["", ".cache", ".configs", ".engines", ".explain", ".measure", ".parallel", ".serving"]
    there = set().union(*(importlib.import_module(f"kvlib{room}").__all__ for room in rooms))
    assert {"kv_bytes", "CacheLayout", "ContiguousCache"} <= there
    for name in NAMES:
        for cell in code(read("solutions", name)):
            if marks(cell).get("solution"):
                assert not defined(source(cell)) & there, name


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


@pytest.mark.parametrize("name", NAMES)
def test_the_texts_numbers_are_the_questions(name):
    assert variants.faults(read("solutions", name)) == []
    texts = {c["id"]: source(c) for c in read("exercises", name)["cells"]}
    for question in asked_in(name).values():
        short = question.name[3:]
        marked = {m["name"] for m in variants.DRAWN.finditer(texts[f"ask-{short}"])}
        for match in variants.GIVEN.finditer(texts[f"answer-{short}"]):
            marked |= set(match["names"].split(", "))
        assert question.drawn.keys() <= marked, f"{question.name}: the text keeps a number that is drawn"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_in_every_variant_the_starter_earns_nothing_and_the_solution_all(name, seed):
    full = {q: question.points for q, question in asked_in(name).items()}
    for folder, expected in (("exercises", dict.fromkeys(full, 0)), ("solutions", full)):
        graded = play(variants.drawn(read(folder, name), seed))
        assert {q: points for q, (points, _) in graded.items()} == expected, folder


def test_ten_thousand_seeds_keep_right_and_wrong_numbers_apart():
    asked = [question for question in QUESTIONS.values() if question.drawn]
    for n in range(10_000):
        question = asked[n % len(asked)]
        numbers = question.numbers(f"{n:08x}")  # raises if 500 draws are refused
        assert apart(question.make(**numbers)), (question.name, numbers)


def test_the_instructors_table_is_true():
    text = (ROOT / "book" / "for-instructors.md").read_text()
    for name in NAMES:
        row = re.search(rf"\| {name[:2]} [^|]+\| (\d+) \| (\d+) \|", text)
        points = [question.points for question in asked_in(name).values()]
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
        "answer-doubles": 'doubles = "B"',
        "answer-steps": 'steps = {"numbers in one layer\'s keys": 2 * 16 * 2048 * 64}',
        "answer-forgotten": "def forgotten(*a):\n    raise OSError('what a typo can do')",
        "answer-seventy": "seventy_gb = 262.144",
        "check-doubles": "3",  # an edited check
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
            scores[student] = {g.name[6:]: g.auto_score for g in grades if g.name.startswith("check-")}
    monkeypatch.undo()
    return release, scores


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own
def test_nbgraders_release_is_the_exercise(course):
    release, _ = course
    assert [source(c) for c in release["cells"]] == [source(c) for c in read("exercises", FORMULA)["cells"]]


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own
def test_nbgrader_scores_what_the_checks_say(course):
    _, scores = course
    full = {q[3:]: question.points for q, question in asked_in(FORMULA).items() if not question.manual}
    nothing = dict.fromkeys(full, 0)
    assert scores["right"] == full
    assert scores["empty"] == nothing
    assert scores["typo"] == full | {"bytes": 0}
    assert scores["wrong"] == full | {"doubles": 0, "steps": 1, "forgotten": 0, "seventy": 0}


def test_functions_are_asked_for_in_every_notebook():
    for name in NAMES:
        built = [QUESTIONS[q].build() for q in QUESTIONS if q.startswith(name[:3])]
        assert any(isinstance(q, Function) for q in built), name
