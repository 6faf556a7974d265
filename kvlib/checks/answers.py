"""The kinds of answer that a question can ask for, and how each is marked.

A kind holds the right answer and the known mistakes ("slips"), each with the feedback that names it. Its
`mark(answer)` gives the share of the points from 0 to 1 and the feedback. An answer can be any
object: use the function `mark`, which never raises.
"""

import contextlib
import copy
import inspect
import io
import math
import numbers
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from ..units import UNITS

STEPS = 200_000  # lines that a function under test may run before it counts as endless


def mark(question, answer) -> tuple[float, str]:
    """The share of the points that `answer` earns, from 0 to 1, and the feedback on it."""
    if answer is None or answer is ...:
        return 0, "Not answered yet."
    sink = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            warnings.simplefilter("ignore")
            return question.mark(answer)
    except KeyboardInterrupt:
        return 0, "Interrupted."
    except BaseException:  # an answer can be any object, and any of its methods can raise anything
        return 0, "Not yet. This answer cannot be read."


@dataclass(frozen=True)
class Number:
    """One number is asked for.

    slips  what is said of a wrong number -> that number
    tol    how far an answer may be off, relative to it; 0 asks for the exact number
    idea   what is said of a wrong number that no slip explains
    """

    right: float
    slips: dict[str, float] = field(default_factory=dict)
    tol: float = 0.0
    idea: str = ""

    @classmethod
    def of_bytes(cls, right, unit, slips=None, tol=0.005, idea="") -> "Number":
        """`right` and `slips` are in bytes and asked for in `unit`; answers in other units are slips too."""
        size = UNITS[unit]
        all_slips = {said: nbytes / size for said, nbytes in (slips or {}).items()}
        for other, other_size in UNITS.items():
            if other_size != size:
                other = "bytes" if other == "B" else other
                said = f"The amount is right, but in {other}; the question asks for {unit}."
                all_slips[said] = right / other_size
        return cls(right / size, all_slips, tol, idea)

    def mark(self, answer):
        if isinstance(answer, str):
            return 0, "Not yet. Give a number without quotes and without its unit."
        if isinstance(answer, bool) or not isinstance(answer, numbers.Real):
            return 0, f"Not yet. Give one number, not {_kind(answer)}."
        value = float(answer)
        if not math.isfinite(value):
            return 0, "Not yet. Give a finite number."
        if self._is(value, self.right):
            return 1, "Right."
        said = [words for words, slip in self.slips.items() if self._is(value, slip)]
        if not said and self.tol == 0 and value % 1:
            return 0, "Not yet. The answer is a whole number."
        if not said:
            said = [f"Your number is too {'large' if value > self.right else 'small'}."]
            said += [self.idea] if self.idea else []
            return 0, " ".join(["Not yet.", *said])
        return 0, "Not yet. " + " Or: ".join(said)

    def _is(self, value, target) -> bool:
        return value == target if self.tol == 0 else abs(value - target) <= self.tol * abs(target)


@dataclass(frozen=True)
class Choice:
    """One of several words or letters; `wrong` maps each other one to what is said of it."""

    right: str
    wrong: dict[str, str]

    def mark(self, answer):
        allowed = sorted([self.right, *self.wrong], key=str.lower)
        if not isinstance(answer, str):
            return 0, f"Not yet. Answer in quotes with one of: {', '.join(allowed)}."
        by_lower = {word.lower(): word for word in allowed}
        word = by_lower.get(str.strip(answer).lower())
        if word is None:
            return 0, f"Not yet. Answer with one of: {', '.join(allowed)}."
        return (1, "Right.") if word == self.right else (0, f"Not yet. {self.wrong[word]}")


@dataclass(frozen=True)
class Each:
    """Several questions in one dict; each counts alike."""

    parts: dict

    def mark(self, answer):
        if not isinstance(answer, dict):
            return 0, f"Not yet. {self._keys()}"
        marks = {name: mark(part, answer.get(name)) for name, part in self.parts.items()}
        share = sum(m[0] for m in marks.values()) / len(marks)
        if all(said == "Not answered yet." for _, said in marks.values()):
            return 0, f"Not yet. {self._keys()}" if answer.keys() - self.parts.keys() else "Not answered yet."
        if share == 1:
            return 1, "Right."
        lines = [f"  {name}: {said}" for name, (_, said) in marks.items()]
        return share, "\n".join(["Partly right:" if share else "Not yet:", *lines])

    def _keys(self) -> str:
        return f"Give a dict with the keys {', '.join(map(repr, self.parts))}."


@dataclass(frozen=True)
class Function:
    """A function (or class) to write, held against `reference` on cases that never change.

    cases  rng -> the tuples of arguments to try
    slips  what is said of a wrong function -> a function that is wrong in that way
    drive  how one is tried: (function, *arguments) -> what is compared
    idea   what is said of a wrong function that no slip explains
    """

    reference: Callable
    cases: Callable
    slips: dict = field(default_factory=dict)
    drive: Callable | None = None
    idea: str = ""

    def mark(self, answer):
        if not callable(answer):
            return 0, "Not yet. Hand over the function or class itself: its name, without brackets."
        budget = [STEPS]
        tried = [(case, self._try(answer, case, budget)) for case in self._cases()]
        if all(got[0] == "gives" and got[1] is None for _, got in tried):
            return 0, "Not answered yet."
        expected = [self._try(self.reference, case) for case, _ in tried]
        failed = [item for item, want in zip(tried, expected, strict=True) if not _same(item[1], want)]
        if not failed:
            return 1, "Right."
        for said, slip in self.slips.items():
            if all(_same(got, self._try(slip, case)) for case, got in tried):
                return 0, f"Not yet. {said}"
        case, got = failed[0]
        said = f"Not yet. For {self._arguments(case)} yours {' '.join(map(_short, got))}."
        return 0, f"{said} {self.idea}" if self.idea else said

    def _cases(self):
        return list(self.cases(random.Random(0)))

    def _try(self, function, case, budget=None):
        """("gives", it) or ("raises", a type, a message), on arguments of its own and in bounded steps."""
        arguments, before = copy.deepcopy(case), sys.gettrace()
        try:
            if budget is not None:
                sys.settrace(_limit(budget))
            value = self.drive(function, *arguments) if self.drive else function(*arguments)
            return "gives", value
        except _Endless:
            return "runs", "without an end"
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return "raises", type(error).__name__, f"({_short(error)})"
        finally:
            sys.settrace(before)

    def _arguments(self, case) -> str:
        names = list(inspect.signature(self.drive or self.reference).parameters)
        names = names[1:] if self.drive else names
        return ", ".join(f"{name} = {_short(value)}" for name, value in zip(names, case, strict=False))


class _Endless(BaseException):
    """A function under test ran too many lines; not an Exception, so that `except Exception` lets it by."""


def _limit(budget):
    def trace(frame, event, argument):
        budget[0] -= 1
        if budget[0] < 0:
            raise _Endless
        return trace

    return trace


def _same(got, want) -> bool:
    """Whether two outcomes of `_try` agree; numbers to 9 digits, lists and tuples alike."""
    try:
        return got[0] == want[0] and _equal(got[1], want[1])
    except Exception:
        return False


def _equal(got, want) -> bool:
    if hasattr(want, "shape"):
        import numpy as np

        got = np.asarray(got)
        return got.shape == want.shape and bool(np.allclose(got, want, rtol=1e-6, atol=1e-9))
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return False
        return all(_equal(g, w) for g, w in zip(got, want, strict=True))
    if isinstance(want, numbers.Real) and not isinstance(want, bool):
        real = isinstance(got, numbers.Real) and not isinstance(got, bool)
        return real and math.isclose(got, want, rel_tol=1e-9)
    return type(got) is type(want) and got == want


def _kind(value) -> str:
    name = type(value).__name__[:40]
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _short(value) -> str:
    """A few characters that stand for `value`, whatever it is."""
    try:
        if hasattr(value, "shape"):
            return f"array {list(value.shape)}"
        if isinstance(value, (tuple, list)) and len(value) > 12:
            return f"{_kind(value)} of {len(value)}"
        text = str(value) if isinstance(value, (str, BaseException)) else repr(value)
        return text if len(text) <= 160 else text[:157] + "..."
    except BaseException:
        return _kind(value)
