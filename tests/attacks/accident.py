"""How an accident is written down."""

import copy
import json
import zlib
from dataclasses import dataclass, field

from .sheets import Sheet, put

ACCIDENTS: dict = {}


@dataclass(frozen=True)
class Accident:
    """`make` gives what is handed in.

    loses   Sheet -> the questions whose points are lost; all others earn them
    reason  what is said of it if it cannot be graded
    says    a part of what is said of the lost ones
    hangs   it takes all the time that it is given
    """

    make: object
    loses: object = field(default=lambda sheet: set())
    reason: str = ""
    says: str = ""
    hangs: bool = False


def accident(name, **more):
    def register(make):
        ACCIDENTS[name] = Accident(make, **more)
        return make

    return register


def value(sheet: Sheet) -> set:
    return {sheet.kind("").question}


def function(sheet: Sheet) -> set:
    return {sheet.kind("def ").question}


def in_value(name, before="", after="", **more):
    """Something stands before or after the first answer that is a value, in its cell."""

    def make(sheet: Sheet):
        exercise = sheet.kind("")
        source = f"{before}{sheet.solutions[exercise.answer]}\n{after}"
        return sheet.solved(instead={exercise.question: source})

    ACCIDENTS[name] = Accident(make, **more)


def in_function(name, source, **more):
    """The first function to write is `source`, a function of its name."""

    def make(sheet: Sheet):
        exercise = sheet.kind("def ")
        return sheet.solved(instead={exercise.question: source(exercise.variable)})

    ACCIDENTS[name] = Accident(make, **({"loses": function} | more))


def own_cell(name, source, last=False, **more):
    """A cell of the student's own, before the first answer or at the end."""

    def make(sheet: Sheet):
        return put(sheet.solved(), "" if last else sheet.exercises[0].answer, source)

    ACCIDENTS[name] = Accident(make, **more)


def cells_of(sheet, change):
    """The solved notebook with `change` done to each cell, a copy; what gives None is left out."""
    notebook = sheet.solved()
    changed = [change(copy.deepcopy(cell)) for cell in notebook["cells"]]
    notebook["cells"] = [cell for cell in changed if cell is not None]
    return notebook


def new(cell) -> str:
    return f"{zlib.crc32(cell['id'].encode()):08x}"


def data(sheet) -> bytes:
    return json.dumps(sheet.solved(), ensure_ascii=False).encode()
