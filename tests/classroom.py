"""A class: what its students hand in, right, partly, by accident and in bad faith, and what each earns."""

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from kvlib.checks import Function
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.variants import CHECK

ROOT = Path(__file__).resolve().parent.parent
NAME = "02-the-formula"


@dataclass(frozen=True)
class Work:
    """The files of a student (name -> content), and what they earn, or None and why nothing can be graded."""

    files: dict
    points: float | None
    reason: str = ""


def read(folder) -> dict:
    return json.loads((ROOT / folder / f"{NAME}.ipynb").read_text(encoding="utf-8"))


def marks(cell) -> dict:
    return cell["metadata"].get("nbgrader", {})


MARKERS = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
ANSWERS = {
    cell["id"]: MARKERS.sub("", "".join(cell["source"]))
    for cell in read("solutions")["cells"]
    if marks(cell).get("solution") and not marks(cell).get("grade")
}
POINTS = {name: QUESTIONS[f"{NAME[:2]}-{name.removeprefix('answer-')}"].points for name in ANSWERS}
ALL = sum(POINTS.values())
# With what a person gives for words; they stand blank in this class's work, which is 0 without a person.
MOST = sum(question.points for name, question in QUESTIONS.items() if name.startswith(f"{NAME[:2]}-"))
FIRST = next(iter(ANSWERS))
# An answer that is a function, in which code runs when it is called.
CODE = next(
    name
    for name in ANSWERS
    if isinstance(QUESTIONS[f"{NAME[:2]}-{name.removeprefix('answer-')}"].build(), Function)
)
ASKED = {  # variable -> question
    match["answer"]: match["question"]
    for cell in read("exercises")["cells"]
    if (match := CHECK.search("".join(cell["source"])))
}
VARIABLE = next(v for v, question in ASKED.items() if question[3:] == FIRST.removeprefix("answer-"))


def fill(answers, released=None) -> dict:
    """The released notebook with these answers typed in."""
    nb = released or read("exercises")
    cells = [cell | {"source": answers.get(cell["id"], "".join(cell["source"]))} for cell in nb["cells"]]
    return nb | {"cells": cells}


def file(nb, name=f"{NAME}.ipynb") -> dict:
    return {name: json.dumps(nb)}


def without(nb, *kinds) -> dict:
    """The notebook without metadata ("metadata"), ids ("ids") or checks ("checks")."""
    cells = [dict(cell) for cell in nb["cells"]]
    if "checks" in kinds:
        cells = [cell for cell in cells if not cell["id"].startswith("check-")]
    for cell in cells:
        if "metadata" in kinds:
            cell["metadata"] = {}
        if "ids" in kinds:
            del cell["id"]
    return nb | {"cells": cells} | ({"nbformat_minor": 4} if "ids" in kinds else {})


def edited(nb, source) -> dict:
    """The notebook with every check replaced."""
    return fill({cell["id"]: source for cell in nb["cells"] if cell["id"].startswith("check-")}, nb)


def gathered(nb, on_top=False) -> dict:
    """The notebook with all answers in one cell; on top, with the cells for them deleted."""
    own = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "execution_count": None}
    own["source"] = "\n".join(ANSWERS.values())
    blank = read("exercises")["cells"]
    if not on_top:
        return nb | {"cells": [*blank, own]}
    kept = [cell for cell in blank if cell["id"] not in ANSWERS]
    return nb | {"cells": [*kept[:3], own, *kept[3:]]}


def saved(nb) -> dict:
    """The notebook with outputs that say that all is right."""
    output = {"output_type": "execute_result", "execution_count": 9, "metadata": {}}
    cells = [
        cell | {"outputs": [output | {"data": {"text/plain": "99"}}], "execution_count": 9}
        if cell["id"].startswith("check-")
        else cell
        for cell in nb["cells"]
    ]
    return nb | {"cells": cells}


def zipped(files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def attack(code) -> dict:
    """A blank notebook but for its first answer, which is an attack."""
    return file(fill({FIRST: code}))


def honest() -> dict[str, Work]:
    """Students who do what they were told, and accidents that are no fault of an answer."""
    right = fill(ANSWERS)
    half = dict(list(ANSWERS.items())[::2])
    wrong = ANSWERS | {FIRST: f"{VARIABLE} = 'none of these'"}
    text = json.dumps(right)
    copied = right["cells"].index(next(c for c in right["cells"] if c["id"].startswith("check-")))
    twice = right | {"cells": [*right["cells"], right["cells"][copied]]}
    stray = fill(ANSWERS | {FIRST: ANSWERS[FIRST] + "\n# \ud800"})
    own = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "execution_count": None}
    helped = right["cells"][:3] + [own | {"source": "factor = 2"}] + right["cells"][3:]
    needs = "def helper(n):\n    return n\n"
    lost = {FIRST: f"{ANSWERS[FIRST]}\nexit()"}
    loop = {FIRST: "while True: pass"}
    return {
        "right": Work(file(right), ALL),
        "half": Work(file(fill(half)), sum(POINTS[name] for name in half)),
        "one-wrong": Work(file(fill(wrong)), ALL - POINTS[FIRST]),
        "empty": Work(file(read("exercises")), 0),
        "blank-file": Work({f"{NAME}.ipynb": ""}, None, "the file is empty"),
        "typo": Work(file(fill(ANSWERS | {FIRST: "x = = 1"})), ALL - POINTS[FIRST]),
        "exit": Work(file(fill(ANSWERS | lost)), ALL),  # the answer stands before it
        "loop": Work(file(fill(ANSWERS | loop)), ALL - POINTS[FIRST]),
        "loop-in-c": Work(
            file(fill(ANSWERS | {FIRST: "import itertools\nsum(itertools.repeat(0))"})), ALL - POINTS[FIRST]
        ),
        "endless-output": Work(
            file(fill(ANSWERS | {FIRST: "while True: print('x' * 10000)"})), ALL - POINTS[FIRST]
        ),
        "copied-check": Work(file(twice), ALL),
        "byte-order-mark": Work({f"{NAME}.ipynb": "\ufeff" + text}, ALL),
        "utf-16": Work({f"{NAME}.ipynb": text.encode("utf-16")}, ALL),
        "surrogate": Work(file(stray), ALL),
        "no-metadata": Work(file(without(right, "metadata")), ALL),
        "no-names": Work(file(without(right, "metadata", "ids")), ALL),
        "wrong-name": Work(file(right, "Untitled1.ipynb"), ALL),
        "wrong-ending": Work(file(right, f"{NAME}.ipynb.txt"), ALL),
        "conflict": Work({f"{NAME}.ipynb": f"<<<<<<< HEAD\n{text}\n=======\n>>>>>>> x"}, None, "merge"),
        "cut-off": Work({f"{NAME}.ipynb": text[: len(text) // 2]}, None, "line 1"),
        "pdf": Work({f"{NAME}.pdf": "%PDF-1.7"}, None, "a PDF"),
        "other-notebook": Work(
            {"01-why-a-cache.ipynb": (ROOT / "exercises" / "01-why-a-cache.ipynb").read_text()},
            None,
            "01-why-a-cache",
        ),
        "in-a-zip": Work({"mine.zip": zipped(file(right))}, ALL),
        "two-files": Work(file(read("exercises"), "a.ipynb") | file(right, "b.ipynb"), ALL),
        "own-cells": Work(file(right | {"cells": helped}), ALL),
        "helper-on-top": Work(file(fill(ANSWERS | {CODE: needs + ANSWERS[CODE]})), ALL),
        "no-checks": Work(file(without(right, "checks")), ALL),
        "edited-checks": Work(file(edited(right, "3")), ALL),
        "all-at-the-end": Work(file(gathered(right)), ALL),
        "all-on-top": Work(file(gathered(right, on_top=True)), ALL),
    }


def dishonest(course: Path) -> dict[str, Work]:
    """Attacks on the class in the folder `course`: none earns a point that it should not."""
    questions = f"""
from kvlib.checks.questions import QUESTIONS
for variable, name in {ASKED}.items():
    marker = QUESTIONS[name].build()
    globals()[variable] = getattr(marker, "right", None) or getattr(marker, "reference", None)
"""
    solutions = f"""
import json, pathlib
for folder in ({str(course)!r}, {str(ROOT / "solutions")!r}):
    for path in pathlib.Path(folder).rglob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            if "SOLUTION" in "".join(cell["source"]):
                exec("".join(cell["source"]))
"""
    peer = f"""
import json, pathlib
for path in pathlib.Path({str(course)!r}).rglob("*right*/**/*.ipynb"):
    for cell in json.loads(path.read_text())["cells"]:
        if cell["id"].startswith("answer-"):
            exec("".join(cell["source"]))
"""
    gradebook = f"""
import sqlite3
book = sqlite3.connect({str(course / "gradebook.db")!r})
book.execute("update grade set auto_score = 5, manual_score = 5, needs_manual_grade = 0")
book.commit()
"""
    function = next(variable for variable in ASKED if f"def {variable}" in ANSWERS[CODE])
    frames = f"""
import sys
def {function}(*args):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if hasattr(value, "reference"):
                return value.reference(*args)
        frame = frame.f_back
"""
    always = "class Always(float):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
    always += "\n".join(f"{variable} = Always()" for variable in ASKED)
    return {
        "check-gives-points": Work(attack("import kvlib\nkvlib.check = lambda *a: 99"), 0),
        "check-gives-text": Work(attack("import kvlib\nkvlib.check = lambda *a: 'Right. 1 of 1 point.'"), 0),
        "mark-replaced": Work(
            attack(
                "import kvlib.checks.answers.marking as m, kvlib.checks.feedback as f\n"
                "m.mark = m.mark_plain = f.mark = lambda *a: (1, 'Right.')"
            ),
            0,
        ),
        "questions-read": Work(attack(questions), 0),
        "transformer": Work(
            attack("get_ipython().input_transformers_post.append(lambda lines: ['99\\n'])"), 0
        ),
        "formatter": Work(
            attack(
                "get_ipython().display_formatter.formatters['text/plain'].for_type(int, "
                "lambda n, p, c: p.text('99'))"
            ),
            0,
        ),
        "solutions-read": Work(attack(solutions), 0),
        "peer-read": Work(attack(peer), 0),
        "gradebook-written": Work(attack(gradebook), 0),
        "others-deleted": Work(
            attack(f"import shutil\nshutil.rmtree({str(course / 'submitted')!r}, ignore_errors=True)"), 0
        ),
        "reference-by-frames": Work(file(fill({CODE: frames})), 0),
        "equal-to-all": Work(attack(always), 0),
        "saved-outputs": Work(file(saved(read("exercises"))), 0),
        "checks-edited": Work(file(edited(read("exercises"), "99")), 0),
    }
