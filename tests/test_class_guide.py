"""The guide for instructors: its commands run as written in a clean folder, and its table is true."""

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from kvlib.checks import Function, Number, Slip
from kvlib.checks.classroom.folder import TEMPLATE
from tools import exercise_table, solution_mutants, syntax_mutants

from . import classroom
from .classroom import NAME, ROOT

GUIDE = (ROOT / "book" / "for-instructors.md").read_text(encoding="utf-8")
FENCE = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in FENCE.finditer(GUIDE)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The guide followed from its first command to its last, by a shell in a copy of the repository."""
    root = tmp_path_factory.mktemp("guide") / "repository"
    root.mkdir()
    for name in ("kvlib", "solutions", "exercises", "book/measurements"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "Makefile",
        "requirements.txt",
        "constraints.txt",
        "requirements-model.txt",
        "pyproject.toml",
        "setup.py",
    ):
        shutil.copy(ROOT / name, root / name)
    (root / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (root / ".venv" / name).symlink_to((ROOT / ".venv" / name).resolve())
    for stamp in (".book", ".class", ".test", ".lab"):  # what they install is there
        (root / ".venv" / stamp).touch()
    home = root.parent / "home"
    (home / "Downloads").mkdir(parents=True)
    files = {}
    for name, answers in (("Ada Lovelace", classroom.ANSWERS), ("Grace Hopper", {})):
        text = json.dumps(classroom.fill(answers))
        files[f"{name}_{len(name)}_assignsubmission_file/{NAME}.ipynb"] = text
    (home / "Downloads" / "submissions.zip").write_bytes(classroom.zipped(files))
    script = ["set -e", f"cd {shlex.quote(str(root))}"]
    for kind, text in blocks():
        if kind == "text":  # what the guide has a teacher write
            target = "students.csv" if text.startswith("id,") else "times.csv"
            script.append(f"cat > {target} <<'EOF'\n{text}EOF")
        else:
            script += [
                line
                for command in text.splitlines()
                for line in (f"echo {shlex.quote('$ ' + command)}", command)
            ]
    environment = {
        n: v for n, v in os.environ.items() if n not in ("VIRTUAL_ENV", "MAKEFLAGS", "KVLIB_SECRET")
    }
    environment |= {"HOME": str(home), "PYTHONPATH": str(root)}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], env=environment, capture_output=True, text=True, cwd=home
    )
    return root, done


def test_the_guides_commands_run_as_written(ran):
    root, done = ran
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = done.stdout
    assert "Success! Your notebook passes all the tests." in said
    assert "a notebook for each of 2 students" in said
    assert re.search(r"ada +graded +\d+ of \d+", said) and re.search(r"grace +graded +0 of ", said)
    assert "way: " in said and "Next: " in said


def test_the_guide_leaves_what_it_promises(ran):
    course = ran[0] / "course"
    for name in ("grades.csv", "canvas.csv", "moodle.csv", f"feedback/ada/{NAME}/{NAME}.html"):
        assert (course / name).exists(), name
    row = next(line for line in (course / "grades.csv").read_text().splitlines() if ",grace," in line)
    assert ",2026-12-02 09:30:00," in row and ",graded," in row
    assert (course / "variants" / NAME / "grace" / f"{NAME}.ipynb").exists()


def test_the_guide_has_every_step():
    commands = " ".join(text for kind, text in blocks() if kind == "sh")
    steps = [
        "make course",
        "activate",
        "student import",
        "duedate",
        "generate_assignment",
        "validate",
        "variants",
    ]
    steps += [
        "collect",
        "--times",
        "autograde",
        "--force",
        "course list",
        "feedback",
        "Canvas",
        "Moodle",
        "--isolation",
    ]
    assert [step for step in steps if step not in commands] == []
    said = ["rubric", "Similar submissions", "answers are public", "personal data", "zip", "course/"]
    assert [word for word in said if word not in GUIDE] == []


def test_what_the_guide_says_of_the_configuration_stands_in_it():
    for option in re.findall(r"`c\.(\w+(?:\.\w+)?)", GUIDE):
        assert f"c.{option}" in TEMPLATE.read_text(), option


def test_no_retired_service_is_named():
    """GitHub Classroom was retired on 28 August 2026 (github.com/orgs/community/discussions/205975)."""
    texts = [
        GUIDE,
        *(
            p.read_text()
            for p in (ROOT / "kvlib" / "checks" / "classroom").rglob("*.*")
            if p.suffix != ".pyc"
        ),
    ]
    assert [text[:60] for text in texts if "GitHub Classroom" in text] == []


# the table of exercises


def test_the_table_of_exercises_is_true(capsys):
    assert exercise_table.main(["--check"]) == 0, capsys.readouterr().err


def test_the_mutants_in_the_table_are_those_of_now():
    """Of one question, tried anew; `make exercises` tries them all."""
    name = min(exercise_table.stands())
    verdicts = solution_mutants.verdicts(name)
    caught = sum(not v.accepted for v in verdicts)
    named = sum(v.named and not v.accepted for v in verdicts)
    assert exercise_table.stands()[name] == f"{caught} of {len(verdicts)} ({named})"


def test_a_table_that_says_otherwise_is_found(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text(GUIDE.replace("| 02-", "| 03-", 1))
    monkeypatch.setattr(exercise_table, "PAGE", page)
    assert exercise_table.main(["--check"]) == 1 and "make exercises" in capsys.readouterr().err
    page.write_text("nothing")
    with pytest.raises(ValueError, match="page.md has no"):
        exercise_table.main(["--check"])


SOURCE = '''
def blocks(tokens, size=16):
    """How many."""
    if tokens < 0:
        raise ValueError("no")
    return max(0, -(-tokens // size))

example = (1, 2)
'''


def test_mutants_change_one_thing_inside_a_function():
    found = [mutant.what.partition(": ")[2] for mutant in syntax_mutants.mutants(SOURCE)]
    assert "if tokens < 0: → if tokens <= 0:" in found and "if tokens < 0: → if tokens >= 0:" in found
    assert "return max(0, -(-tokens // size)) → return max(0, -(-tokens / size))" in found
    assert "return max(0, -(-tokens // size)) → return max(1, -(-tokens // size))" in found
    assert any(what.endswith("→ pass") for what in found)
    assert not any("example" in what or "How many" in what or "size), 0" in what for what in found)
    assert len(found) == len(set(found)) > 8


def test_a_mutant_is_caught_named_or_accepted(monkeypatch):
    """On a check that tries too little: it never looks at what has no whole number of blocks."""
    reference = Function(
        lambda tokens, size: -(-tokens // size), lambda rng: [(32, 16), (48, 16)],
        (Slip("One too many.", lambda tokens, size: tokens // size + 1),),
    )  # fmt: skip
    question = type("Q", (), {"build": lambda self: reference})()
    monkeypatch.setitem(solution_mutants.QUESTIONS, "90-blocks", question)
    cell = "def blocks(tokens, size):\n    return -(-tokens // size)\n"
    solved = solution_mutants.Solved(cell, (), (), "blocks")
    monkeypatch.setattr(solution_mutants, "answers", lambda: {"90-blocks": solved})
    spoilt = [
        syntax_mutants.Mutant("down", cell.replace("-(-tokens // size)", "tokens // size")),
        syntax_mutants.Mutant("up", cell.replace("-(-tokens // size)", "tokens // size + 1")),
        syntax_mutants.Mutant("none", cell.replace("-(-tokens // size)", "0")),
        syntax_mutants.Mutant("endless", cell.replace("return", "while True: pass\n    return")),
        syntax_mutants.Mutant("same", cell),
    ]
    monkeypatch.setattr(solution_mutants, "mutants", lambda source: spoilt)
    monkeypatch.setattr(solution_mutants, "EQUIVALENT", {"90-blocks": {"same": "it is the solution"}})
    monkeypatch.setattr(solution_mutants, "SECONDS", 0.3)
    found = {v.mutant.what: (v.accepted, v.named) for v in solution_mutants.verdicts("90-blocks")}
    assert found == {
        "down": (True, False), "up": (False, True), "none": (False, False), "endless": (False, False),
    }  # fmt: skip


def test_every_mutant_called_equivalent_has_a_reason():
    reasons = [why for known in solution_mutants.EQUIVALENT.values() for why in known.values()]
    assert reasons and all(len(why) > 10 for why in reasons)


def test_an_equivalent_mutant_that_is_none_any_more_is_named(monkeypatch):
    cell = "def twice(n):\n    return 2 * n\n"
    solved = solution_mutants.Solved(cell, (), (), "twice")
    monkeypatch.setattr(solution_mutants, "answers", lambda: {"90-twice": solved})
    known = {"line 2: return 2 * n → return 3 * n": "it is none", "line 9: x → y": "gone"}
    monkeypatch.setattr(solution_mutants, "EQUIVALENT", {"90-twice": known, "90-other": {"z": "gone"}})
    assert solution_mutants.stale() == ["90-twice: line 9: x → y"]


def test_misconceptions_are_counted_in_every_kind_of_answer():
    slip = Slip("a", 2)
    both = Number(1, {}, (slip, slip))
    holder = type("Bug", (), {})()
    holder.fix, holder.hint = Function(len, lambda rng: [], (slip,)), ""
    assert exercise_table.misconceptions(both) == 2 and exercise_table.misconceptions(holder) == 1
