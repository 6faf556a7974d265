"""A number as the answer."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...units import UNITS
from ..plain import kind
from .slips import TWO, Slip, evaluate, pairs

TIMES = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
SHARES = {"%": 0.01, "a fraction": 1}
WRITTEN = re.compile(r"([-+]?[\d,_\s]*\.?\d+(?:[eE][-+]?\d+)?)\s*([^\W\d]*|%)")


def _named(unit: str) -> str:
    return "bytes" if unit == "B" else unit


@dataclass(frozen=True)
class Number:
    """One number is asked for.

    formula  a function of `numbers` by name, or the number itself
    numbers  the numbers of the question
    slips    the mistakes that are known
    unit     what is asked for: of a unit of bytes (GiB, GB, …) the formula gives bytes, of any other itself
    tol      how far an answer may be off, relative to it; 0 asks for the exact whole number
    idea     what is said of a wrong number that no slip explains
    follows  (name of an earlier part, function of its answer): what it gives of a wrong one is right too
    """

    formula: Callable | float
    numbers: Mapping = field(default_factory=dict)
    slips: tuple[Slip, ...] = ()
    unit: str = ""
    tol: float = 0.01
    idea: str = ""
    follows: tuple[str, Callable] | None = None

    @property
    def right(self) -> float:
        return self.value()

    def value(self, *slips: Slip) -> float:
        """What comes out with `slips` made, in the unit asked for."""
        return evaluate(self.formula, self.numbers, slips) / UNITS.get(self.unit, 1)

    @property
    def known(self) -> tuple[Slip, ...]:
        """The question's slips that lie apart from what is right, and those that every unit invites."""
        return (*(slip for slip in self.slips if not slip.near), *self._units())

    def _units(self):
        for units in (UNITS, TIMES, SHARES):
            if self.unit in units:
                for other, size in units.items():
                    if size != units[self.unit]:
                        said = f"You answer in {_named(other)}; the question asks for {_named(self.unit)}."
                        yield Slip(said, then=lambda v, by=units[self.unit] / size: v * by)

    def mark(self, answer):
        value, fault = self.read(answer)
        if fault:
            return 0, f"Not yet. {fault}"
        near = [slip.said for slip in self.slips if slip.near and self._exactly(value, slip)]
        if near:
            return 0, f"Not yet. {near[0]}"
        if self.is_(value, self.right):
            return 1, "Right."
        named = self.diagnose(value)
        if named:
            return 0, f"Not yet. {named}"
        if self.tol == 0 and value % 1:
            return 0, "Not yet. The answer is a whole number."
        size = "large" if value > self.right else "small"
        return 0, " ".join(filter(None, ["Not yet.", f"Your number is too {size}.", self.idea]))

    def diagnose(self, value: float) -> str:
        """The mistake that gives `value`, or two made at once; "" if none is known."""
        single = [slip.said for slip in self.known if self.is_(value, self.value(slip))]
        if single:
            return " Or: ".join(dict.fromkeys(single))
        if self._rounded(value):
            return "Nearly: give three digits."
        double = [pair for pair in pairs(self.known) if self._is_pair(value, pair)]
        if 1 <= len(double) <= 2:
            return " Or: ".join(f"{TWO} {a.said} And: {b.said}" for a, b in double)
        return ""

    def _exactly(self, value, slip) -> bool:
        return math.isclose(value, self.value(slip), rel_tol=1e-7) and not math.isclose(
            value, self.right, rel_tol=1e-7
        )

    def _is_pair(self, value, pair) -> bool:
        try:
            both = self.value(*pair)
        except ZeroDivisionError:  # the two together leave nothing to divide by
            return False
        lone = [self.right, *(self.value(slip) for slip in pair)]
        return self.is_(value, both, 0.4) and not any(self.is_(both, one) for one in lone)

    def _rounded(self, value) -> bool:
        """Whether `value` is the right number rounded to fewer digits than are asked for."""
        if not self.tol or not value or not self.right:
            return False
        if abs(value) >= 10 and abs(value / self.right - 1) > 0.1:  # 20 is no 16 that was rounded
            return False
        size = math.floor(math.log10(abs(self.right)))
        return any(math.isclose(value, round(self.right, digits - 1 - size)) for digits in (1, 2, 3))

    def is_(self, value: float, target: float, part: float = 1.0) -> bool:
        if self.tol == 0:
            return value == target
        return abs(value - target) <= self.tol * part * abs(target)

    def read(self, answer) -> tuple[float, str]:
        """(the number, "") or (nan, what is wrong with it); text may carry the unit, "3.2 GB"."""
        if isinstance(answer, str):
            return self._text(answer)
        if isinstance(answer, bool) or not isinstance(answer, (int, float)):
            return math.nan, f"Give one number, not {kind(answer)}."
        try:
            value = float(answer)
        except OverflowError:
            value = math.inf
        return (value, "") if math.isfinite(value) else (math.nan, "Give a finite number.")

    def _text(self, answer):
        match = WRITTEN.fullmatch(answer.strip()[:80])
        if not match:
            return math.nan, "Give a number" + (f" of {_named(self.unit)}." if self.unit else ".")
        value, unit = float(re.sub(r"[,_\s]", "", match[1])), match[2]
        for units in (UNITS, TIMES):
            if unit in units and self.unit in units:
                return value * units[unit] / units[self.unit], ""
        if unit in ("", self.unit) or not self.unit and unit in ("x", "times"):
            return value, ""
        return (
            math.nan,
            f"Give the number in {_named(self.unit)}." if self.unit else "Give a number without a unit.",
        )
