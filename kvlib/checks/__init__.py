"""The check of an answer, the questions, and the mistakes they know.

answers    the kinds of answer and how each is marked
questions  what is asked, a file per chapter; stands on answers
feedback   `check`, which looks a question up and marks an answer to it; stands on both

Nothing here needs numpy or torch at import, so the checks also run where neither is installed.
"""

from .answers import Choice, Each, Function, Number, mark
from .feedback import check

__all__ = ["Choice", "Each", "Function", "Number", "check", "mark"]
