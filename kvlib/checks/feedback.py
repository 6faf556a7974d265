"""Check the answer to an exercise: print feedback, return points.

    kvlib.check("05-blocks", 62)

The points are a plain number, so that nbgrader can give part of them and nbval can compare them.
"""

from ..units import unknown
from .answers import mark
from .questions import QUESTIONS


def check(name: str, answer) -> float:
    """Print the feedback on `answer` to the question `name`; return the points it earns.

    None and ... mean that there is no answer yet. Raises ValueError for an unknown name
    and nothing else.
    """
    if name not in QUESTIONS:
        raise unknown("question", name, QUESTIONS)
    points = QUESTIONS[name].points
    share, said = mark(QUESTIONS[name].build(), answer)
    earned = points * share
    earned = int(earned) if earned == int(earned) else earned
    print(said, f"{earned} of {points} point{'s' * (points != 1)}.", sep="\n" if "\n" in said else " ")
    return earned
