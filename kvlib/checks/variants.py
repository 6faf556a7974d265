"""A notebook with its numbers drawn anew for one student, released, graded and explained like the book's.

A number of the text that a variant draws is followed by its name, which no reader sees, and in an answer's
cell it is given by an assignment:

    A model has layers = 24<!-- drawn layers --> …
    layers, batch = 24, 2  # drawn

The names are those of the question's numbers. The check's cell hands the seed over:
`kvlib.check("02-steps", steps, "1f3a9c02")`.
"""

import hashlib
import hmac
import re

from .plain import clean
from .questions import QUESTIONS

DRAWN = re.compile(r"(?P<said>\d[\d,]*(?:\.\d+)?)(?P<mark>[*_`]*<!--\s*drawn\s+(?P<name>\w+)\s*-->)")
GIVEN = re.compile(
    r"^(?P<indent> *)(?P<names>\w+(?:, \w+)*) = (?P<values>[^#\n]+?)(?P<mark>  # drawn)$", re.M
)
CHECK = re.compile(r'kvlib\.check\("(?P<question>[\w-]+)", (?P<answer>\w+)(?:, "(?P<seed>\w*)")?\)')


def seed(student: str, secret: str) -> str:
    """The seed of a student's numbers: the same for the same id, and not to be had without the secret."""
    if not secret:
        raise ValueError("variants need a secret: with none, anybody could draw anybody's numbers")
    return hmac.new(secret.encode(), student.encode(), hashlib.sha256).hexdigest()[:8]


def drawn(notebook: dict, seed: str) -> dict:
    """`notebook`, a released one or a solution, with the numbers of the variant `seed`.

    Raises ValueError for a mark that names no number of its exercise's question.
    """
    asked = {}
    for cell in notebook["cells"]:
        if match := CHECK.search("".join(cell["source"])):
            asked[cell["id"].removeprefix("check-")] = match["question"]
    cells = []
    for cell in notebook["cells"]:
        name = asked.get(cell["id"].partition("-")[2])
        source = "".join(cell["source"])
        if name:
            source = _text(source, QUESTIONS[name].numbers(seed), name)
            source = CHECK.sub(lambda m: _check(m["question"], m["answer"], seed), source)
        cells.append(cell | {"source": source})
    return notebook | {"cells": cells}


def _text(source, numbers, name) -> str:
    def number(match):
        value = _value(match["name"], numbers, name)
        return said(value, match["said"]) + match["mark"]

    def given(match):
        names = match["names"].split(", ")
        values = ", ".join(code(_value(n, numbers, name)) for n in names)
        return f"{match['indent']}{match['names']} = {values}{match['mark']}"

    return GIVEN.sub(given, DRAWN.sub(number, source))


def _value(number, numbers, name):
    if number not in numbers:
        raise ValueError(f"{name}: {clean(number)!r} is drawn in the text and is no number of its question")
    return numbers[number]


def said(value, like: str) -> str:
    """A number as text, with commas where `like`, the number that stood there, has them."""
    if isinstance(value, int):
        return f"{value:,}" if "," in like or len(like) < 5 <= len(str(value)) else str(value)
    return f"{value:g}"


def code(value) -> str:
    """A number as Python writes it, thousands apart from five digits on."""
    return f"{value:_}" if isinstance(value, int) and abs(value) > 9999 else repr(value)


def faults(notebook: dict) -> list[str]:
    """Where a notebook's text or code says another number than its question's own."""
    return [
        f"cell {cell['id']!r}: the drawn numbers are not the question's"
        for cell, own in zip(notebook["cells"], drawn(notebook, "")["cells"], strict=True)
        if "".join(cell["source"]) != own["source"]
    ]


def _check(question, answer, seed) -> str:
    variant = f', "{seed}"' if seed else ""
    return f'kvlib.check("{question}", {answer}{variant})'
