"""The mark of any answer to any question."""

import warnings

from ..calls import Here
from ..plain import plain

BLANK = "Not answered yet."


def mark(question, answer) -> tuple[float, str]:
    """The share of the points that `answer` earns, from 0 to 1, and the feedback on it. Never raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mark_plain(question, plain(answer, Here))
    except KeyboardInterrupt:
        return 0, "Interrupted."
    except Exception:  # a fault of ours; who answers must not meet it as a traceback
        return 0, "Not yet. This answer cannot be read."


def mark_plain(question, answer) -> tuple[float, str]:
    """`mark` of an answer in plain values, its functions `Here` or in another process."""
    if answer is None or answer is ...:
        return 0, BLANK
    return question.mark(answer)


def joined(marks: dict) -> tuple[float, str]:
    """The mark of several parts, each counting alike, from `marks`: name -> (share, feedback)."""
    if all(said == BLANK for _, said in marks.values()):
        return 0, BLANK
    share = sum(part for part, _ in marks.values()) / len(marks)
    if share == 1:
        return 1, "Right."
    lines = [f"  {name}: {said.replace(chr(10), chr(10) + '  ')}" for name, (_, said) in marks.items()]
    return share, "\n".join(["Partly right:" if share else "Not yet:", *lines])
