"""The check of an answer, the questions, and the mistakes they know.

plain      any object, read as plain values without trusting it
calls      a function under test, called in bounded time; `wire` says the same in JSON
cells      a notebook's cells, run one by one in one namespace
answers    the kinds of answer and how each is marked; stands on these
questions  what is asked, a file per chapter; stands on answers
progress   what a reader has solved, kept in one file beside the notebooks
feedback   `check`, which looks a question up and marks an answer to it; stands on all
           progress_report is `kvlib progress`

Nothing here needs numpy or torch at import, so the checks also run where neither is installed.
"""

from .answers import Bug, Choice, Each, Function, Number, Several, Slip, Words, mark
from .feedback import check

__all__ = ["Bug", "Choice", "Each", "Function", "Number", "Several", "Slip", "Words", "check", "mark"]
