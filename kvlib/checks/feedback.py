"""Check the answer to an exercise: print feedback, return points.

    kvlib.check("05-blocks", 62)

The points are a plain number, so that nbgrader can give part of them and nbval can compare them.
"""

from ..units import unknown
from .answers import BLANK, mark
from .progress import note
from .questions import QUESTIONS


def check(name: str, answer, variant: str = "") -> float:
    """Print the feedback on `answer` to the question `name`; return the points it earns.

    None and ... mean that there is no answer yet. `variant` is the seed of the notebook's numbers, where they
    were drawn for one student; "" means the book's. Raises ValueError for an unknown name and nothing else.
    """
    if name not in QUESTIONS:
        raise unknown("question", name, QUESTIONS)
    question = QUESTIONS[name]
    share, said = mark(question.build(variant), answer)
    print(sentence(said, share, question.points))
    if said != BLANK:  # an untouched answer is no attempt
        note(name, share)
    return earned(share, question.points)


def earned(share: float, points: int) -> float:
    """The points of a share of them; a whole number where it is one."""
    of = points * share
    return int(of) if of == int(of) else round(of, 2)


def sentence(said: str, share: float, points: int) -> str:
    """What a reader is told: the feedback, and the points."""
    of = f"{earned(share, points)} of {points} point{'s' * (points != 1)}."
    return f"{said}{chr(10) if chr(10) in said else ' '}{of}"
