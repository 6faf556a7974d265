"""A faulty function as the question; as the answer, an input that shows the fault and the function mended."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..calls import Here
from ..plain import Unreadable
from .function import Function
from .marking import BLANK, joined
from .slips import Slip

STILL = "This is still the faulty function: it does what it did before on everything tried."


@dataclass(frozen=True)
class Bug:
    """A fault to be shown and mended; half of the points for each.

    faulty  the function that has it
    fix     marks the mended function; its reference is right, and what it names are wrong ways to mend
    fits    an input's arguments -> "" or why they are none, such as a table that names a missing block
    hint    what is said of an input on which the faulty function is right

    The answer is a dict: "input", the arguments in a tuple, and "fix", a function. The fix is tried on the
    drawn cases and on the answer's own input.
    """

    faulty: Callable
    fix: Function
    fits: Callable
    hint: str = ""

    def example(self) -> dict:
        """An answer that is right."""
        shows = (case for case in self.fix.draw() if self._shows(case, "")[0])
        return {"input": next(shows), "fix": self.fix.reference}

    def mark(self, answer):
        if not isinstance(answer, dict):
            return 0, 'Not yet. Give a dict with the keys "input" and "fix".'
        given, fault = self._given(answer.get("input"))
        return joined({"input": self._shows(given, fault), "fix": self._mends(answer.get("fix"), given)})

    def _given(self, answer) -> tuple[tuple | None, str]:
        """(the arguments, "") of an input, or (None, what is wrong with it)."""
        wanted = f"Give its arguments in a tuple: ({', '.join(self.fix.names)})."
        if answer is None or answer is ...:
            return None, BLANK
        if isinstance(answer, dict) and set(answer) == set(self.fix.names):
            answer = [answer[name] for name in self.fix.names]
        if isinstance(answer, Unreadable) or not isinstance(answer, (list, tuple)):
            return None, f"Not yet. {wanted}"
        if len(answer) != len(self.fix.names):
            return None, f"Not yet. Your input has {len(answer)} values, not {len(self.fix.names)}. {wanted}"
        try:
            fault = self.fits(*answer)
        except Exception:  # whatever `fits` meets in place of what it expects
            fault = wanted
        return (None, f"Not yet. {fault}") if fault else (tuple(answer), "")

    def _shows(self, given, fault):
        if given is None:
            return 0, fault
        got, want = (Here(thing).run([given])[0] for thing in (self.faulty, self.fix.reference))
        if not self.fix.agree(given, got, want):
            return 1, "Right."
        return 0, f"Not yet. On this input the faulty function is right. {self.hint}".strip()

    def _mends(self, answer, given):
        if answer is None or answer is ...:
            return 0, BLANK
        own = [] if given is None else [given]
        slips = (Slip(STILL, self.faulty), *self.fix.slips)
        fix = replace(self.fix, cases=lambda rng: [*self.fix.cases(rng), *own], slips=slips)
        return fix.mark(answer)
