"""What an editor, or its user, does to a notebook's cells."""

import copy

from .accident import accident, cells_of, new, value
from .sheets import at, code, put


@accident("metadata stripped, ids too")
def _(sheet):
    def bare(cell):
        cell.pop("id")
        return cell | {"metadata": {}}

    return cells_of(sheet, bare) | {"nbformat_minor": 4}


@accident("metadata and ids stripped, and the checks deleted")
def _(sheet):
    checks = {e.check for e in sheet.exercises}

    def bare(cell):
        return None if cell["id"] in checks else cell | {"metadata": {}, "id": ""}

    return cells_of(sheet, bare)


@accident("every id new")
def _(sheet):
    return cells_of(sheet, lambda cell: cell | {"id": new(cell)})


@accident("every id new, and no metadata")
def _(sheet):
    return cells_of(sheet, lambda cell: cell | {"id": new(cell), "metadata": {}})


@accident(
    "metadata and ids stripped, and an answer that never ends", loses=value, says="did not end", hangs=True
)
def _(sheet):
    exercise = sheet.kind("")
    cells = cells_of(sheet, lambda cell: cell | {"metadata": {}, "id": new(cell)})
    at_fault = next(c for c in cells["cells"] if c["source"] == sheet.solutions[exercise.answer])
    at_fault["source"] = f"{exercise.variable} = 1\nwhile True: pass"
    return cells


@accident("saved by the classic notebook")
def _(sheet):
    def classic(cell):
        cell.pop("id")
        cell["metadata"] |= {"collapsed": False, "trusted": True}
        return cell

    return cells_of(sheet, classic) | {"nbformat_minor": 2}


@accident("saved by Colab")
def _(sheet):
    def colab(cell):
        found = {"cell_type": cell["cell_type"], "source": cell["source"]}
        if cell["cell_type"] == "code":
            found |= {"outputs": [], "execution_count": 7}
        return found | {"metadata": {"id": cell["id"], "colab": {"base_uri": "https://localhost:8080/"}}}

    return cells_of(sheet, colab) | {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}}}


@accident("saved by VS Code")
def _(sheet):
    return cells_of(sheet, lambda cell: cell | {"metadata": {"vscode": {"languageId": "python"}}})


@accident("the format of old, with worksheets")
def _(sheet):
    def old(cell):
        cell["input" if cell["cell_type"] == "code" else "source"] = cell.pop("source")
        cell.pop("id")
        return cell

    cells = cells_of(sheet, old)["cells"]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


@accident("an answer's cell turned into text", loses=value, says="not in the notebook")
def _(sheet):
    notebook = sheet.solved()
    notebook["cells"][at(notebook, sheet.kind("").answer)]["cell_type"] = "markdown"
    return notebook


@accident("an answer's cell deleted", loses=value, says="not in the notebook")
def _(sheet):
    return cells_of(sheet, lambda cell: None if cell["id"] == sheet.kind("").answer else cell)


# Checks and cells that were given


@accident("the checks deleted")
def _(sheet):
    checks = {e.check for e in sheet.exercises}
    return cells_of(sheet, lambda cell: None if cell["id"] in checks else cell)


@accident("a check edited")
def _(sheet):
    check = sheet.exercises[0].check
    return cells_of(sheet, lambda cell: cell | {"source": "1 + 1"} if cell["id"] == check else cell)


@accident("a check's cell copied to the top")
def _(sheet):
    notebook = sheet.solved()
    copied = copy.deepcopy(notebook["cells"][at(notebook, sheet.exercises[-1].check)])
    notebook["cells"].insert(1, copied)
    return notebook


@accident("a check's cell copied to the top under a new id")
def _(sheet):
    notebook = sheet.solved()
    copied = copy.deepcopy(notebook["cells"][at(notebook, sheet.exercises[-1].check)])
    notebook["cells"].insert(1, copied | {"id": "f00f00f0"})
    return notebook


@accident("an answer's cell copied before it was filled in")
def _(sheet):
    notebook, cell_id = sheet.solved(), sheet.kind("").answer
    blank = copy.deepcopy(sheet.blank()["cells"][at(sheet.blank(), cell_id)])
    notebook["cells"].insert(at(notebook, cell_id) + 1, blank | {"id": "c0c0c0c0"})
    notebook["cells"][at(notebook, cell_id)]["id"] = "d0d0d0d0"  # a paste into the old place
    return notebook


@accident("what was given is edited, with imports of the student's own")
def _(sheet):
    notebook = sheet.solved()
    notebook["cells"][at(notebook, "setup")]["source"] = "import math, kvlib\nhandy = math.sqrt(4)\n"
    exercise = sheet.kind("")
    source = sheet.solutions[exercise.answer] + "\nassert handy == 2\n"
    notebook["cells"][at(notebook, exercise.answer)]["source"] = source
    return notebook


@accident("the setup deleted")
def _(sheet):
    return cells_of(sheet, lambda cell: None if cell["id"] == "setup" else cell)


@accident("the answer in a new cell below the one for it")
def _(sheet):
    exercise = sheet.kind("")
    return put(sheet.solved(but={exercise.question}), exercise.check, sheet.solutions[exercise.answer])


@accident("the answer in a new cell below its check")
def _(sheet):
    exercise = sheet.kind("")
    notebook = sheet.solved(but={exercise.question})
    notebook["cells"].insert(at(notebook, exercise.check) + 1, code(sheet.solutions[exercise.answer]))
    return notebook


@accident("all answers in one cell at the end")
def _(sheet):
    return put(sheet.blank(), "", "\n".join(sheet.solutions[e.answer] for e in sheet.exercises))


@accident("all answers in one cell at the top, and the cells for them deleted")
def _(sheet):
    answers = {e.answer for e in sheet.exercises}
    notebook = put(sheet.blank(), sheet.exercises[0].answer, "\n".join(sheet.solutions[a] for a in answers))
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in answers]
    return notebook


@accident("an answer and its check merged into one cell")
def _(sheet):
    exercise = sheet.kind("")
    merged = sheet.solutions[exercise.answer] + f'\n\nkvlib.check("{exercise.question}", {exercise.variable})'
    notebook = sheet.solved(instead={exercise.question: merged})
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != exercise.check]
    return notebook


@accident("the exercises in another order")
def _(sheet):
    notebook = sheet.solved()
    first, last = (at(notebook, sheet.exercises[i].answer) for i in (0, -1))
    cells = notebook["cells"]
    cells[first : first + 2], cells[last : last + 2] = cells[last : last + 2], cells[first : first + 2]
    return notebook


@accident("a helper in a cell of the student's own")
def _(sheet):
    exercise = sheet.kind("")
    source = sheet.solutions[exercise.answer] + f"\n{exercise.variable} = handed({exercise.variable})\n"
    notebook = sheet.solved(instead={exercise.question: source})
    return put(notebook, exercise.answer, "import functools\ndef handed(x):\n    return x")
