"""An exercise of the page: the cell with the reader's answer is run, and marked as its notebook marks it."""

from importlib.util import find_spec

import kvlib

from ..checks.answers import BLANK, mark
from ..checks.cells import namespace, raised, run
from ..checks.feedback import earned, sentence
from ..checks.questions import QUESTIONS
from ..units import unknown


def check(given: dict) -> dict:
    """The points that an answer earns, and what `kvlib.check` says of it.

    given    "question": its name; "code": the cell that answers it; "variable": the name whose value is the
             answer; "before": the cells that its notebook gives before it, [] where left out; "variant": the
             seed of its numbers, "" (the book's) where left out
    returns  "points" earned, "of" so many, and "said", the sentence

    A cell that raises and leaves no answer earns nothing; the sentence then is the grader's, with the line.
    Raises ValueError for an unknown question, and for one that needs a package that is not here.
    """
    name, variable = given["question"], given["variable"]
    if name not in QUESTIONS:
        raise unknown("question", name, QUESTIONS)
    question = QUESTIONS[name]
    if lacking := [package for package in question.needs if not _is_here(package)]:
        needed = " and ".join(lacking)
        raise ValueError(f"This exercise needs {needed}, which the page has not: open its notebook.")
    names = namespace() | {"kvlib": kvlib}
    for source in given.get("before", []):
        run(source, "given", names)
    error = run(given["code"], "answer", names)
    share, said = mark(question.build(given.get("variant", "")), names.get(variable))
    if error and said == BLANK:
        said = raised(*error)
    return {
        "points": earned(share, question.points),
        "of": question.points,
        "said": sentence(said, share, question.points),
    }


def _is_here(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # sys.modules holds None in its place
        return False
