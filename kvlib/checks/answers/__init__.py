"""The kinds of answer that a question can ask for, and how each is marked.

slips     a known mistake as a formula with one thing wrong, and two of them together
marking   `mark`, of any answer to any question; never raises
number, choice, each, function, bug, words   the kinds, a file each

A kind holds what is right and the known mistakes. Its `mark(answer)` gives the share of the points from
0 to 1 and the feedback, which names the mistake and never the answer.
"""

from .bug import Bug
from .choice import Choice, Several
from .each import Each
from .function import Function
from .marking import BLANK, joined, mark, mark_plain
from .number import Number
from .slips import Slip
from .words import Words

__all__ = [
    "BLANK",
    "Bug",
    "Choice",
    "Each",
    "Function",
    "Number",
    "Several",
    "Slip",
    "Words",
    "joined",
    "mark",
    "mark_plain",
]
