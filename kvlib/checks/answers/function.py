"""A function or a class as the answer."""

import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...units import fmt
from ..calls import SECONDS, Call, Here, Outcome, Result, same
from ..plain import kind, short
from .marking import BLANK
from .slips import Slip, evaluate, pairs


@dataclass(frozen=True)
class Function:
    """A function (or class) to write, held to `reference` on drawn cases.

    reference  a function or class that is right
    cases      random.Random -> the cases: tuples of arguments, or for a class lists of `Call`s
    slips      the mistakes that are known. Of a function, as of a formula: `instead` takes the arguments in
               their order, and a change names an argument of `reference`. Of a class: another class
    where      what is said if it is wrong just where this holds -> a test of the case's arguments
    read       (case, value) -> what is compared, where several values are right
    tol        how far numbers may be off, relative
    peak       a case's arguments -> the bytes that it may take at most while it runs
    idea       what is said of a wrong function that nothing else explains
    """

    reference: Callable
    cases: Callable
    slips: tuple[Slip, ...] = ()
    where: Mapping[str, Callable] = field(default_factory=dict)
    read: Callable | None = None
    tol: float = 1e-4
    peak: Callable | None = None
    idea: str = ""

    def mark(self, answer):
        if not hasattr(answer, "run"):
            said = "Hand over the function or class itself: its name, without brackets."
            return 0, f"Not yet. {said}"
        cases = self.draw(answer.seed)
        got = answer.run(cases, peak=self.peak is not None)
        if all(self._nothing(o) for o in got):
            if any(o.printed for o in got):
                return 0, "Not yet. It prints; hand the result back with return."
            return 0, BLANK
        want = self.outcomes(self.reference, cases)
        wrong = [i for i, o in enumerate(got) if not self.agree(cases[i], o, want[i])]
        if not wrong:
            return self._in_memory(cases, got)
        return 0, f"Not yet. {self._known(cases, got) or self._symptom(cases, got, want, wrong)}"

    def draw(self, seed: int = 0) -> list:
        return list(self.cases(random.Random(seed)))

    def outcomes(self, thing, cases, slips=()) -> list[Outcome]:
        """What `thing`, with `slips` made, does on each case."""
        if self._scripted(cases[0]):
            thing = next((slip.instead for slip in slips), thing)
            return Here(thing).run(cases)
        names = self._names()

        def spoilt(*args):
            return evaluate(thing, dict(zip(names, args, strict=False)), slips, by_name=False)

        return Here(spoilt if slips else thing).run(cases)

    def agree(self, case, got: Outcome, want: Outcome) -> bool:
        if got.how != want.how or got.how == "runs":
            return False
        if got.how == "raises":
            return got.error[0] == want.error[0]
        if self.read is None:
            return same(got.value, want.value, self.tol)
        return same(self._read(case, got), self._read(case, want), self.tol)

    def _read(self, case, outcome):
        try:
            return self.read(case, outcome.value)
        except Exception:  # a value of a kind that `read` does not expect is a wrong one
            return "not to be read", kind(outcome.value)

    def _known(self, cases, got) -> str:
        """The mistake, or the two, that do the same on every case."""
        for slip in self.slips:
            if self._does(cases, got, (slip,)):
                return slip.said
        for pair in () if self._scripted(cases[0]) else pairs(self.slips):
            if self._does(cases, got, pair):
                return f"Two things. {pair[0].said} And: {pair[1].said}"
        return ""

    def _does(self, cases, got, slips) -> bool:
        """Whether every outcome is what these slips give. The first case that differs settles it."""
        for case, outcome in zip(cases, got, strict=True):
            [spoilt] = self.outcomes(self.reference, [case], slips)
            if not self.agree(case, outcome, spoilt):
                return False
        return True

    def _symptom(self, cases, got, want, wrong) -> str:
        """What is seen of a function whose mistake is not known: where it fails and what it gives there."""
        right = [i for i in range(len(cases)) if i not in wrong]
        said = []
        for words, holds in self.where.items():
            if right and all(holds(*cases[i]) for i in wrong) and not any(holds(*cases[i]) for i in right):
                said.append(words)
        if not said:
            said += [s for s in (self._shape(got, want, wrong), _pattern(got, want, wrong)) if s][:1]
        smallest = min(wrong, key=lambda i: (got[i].how == "runs", _size(cases[i])))
        said.append(self.shown(cases[smallest], got[smallest], want[smallest]))
        return " ".join([*said, self.idea]).strip()

    def _shape(self, got, want, wrong) -> str:
        """What is wrong with the kind of the value, rather than with the value."""
        values = [(got[i].value, want[i].value) for i in wrong if got[i].how == "gives"]
        if len(values) < len(wrong) or self.read is not None or any(_like(g, w) for g, w in values):
            return ""
        if all(g is None for g, _ in values):
            return "Some way through it ends without a return."
        g, w = next((g, w) for g, w in values if g is not None)
        return f"It gives {_kind(g)} where {_kind(w)} is wanted."

    def shown(self, case, got: Outcome, want: Outcome) -> str:
        """One case, what the answer did with it and what is right."""
        if self._scripted(case):
            return self._steps(case, got)
        names = self._names()
        given = ", ".join(f"{n} = {short(v)}" for n, v in zip(names, case, strict=False))
        if got.how == "runs":
            return f"For {given} it does not end within {SECONDS:g} seconds."
        if got.how == "raises":
            return f"For {given} it raises {_error(got)}."
        right = (
            f"; right is {short(want.value)}"
            if want.how == "gives"
            else f"; right is to raise {want.error[0]}"
        )
        return f"For {given} it gives {short(got.value)}{right}."

    def _steps(self, case, got: Outcome) -> str:
        values = got.value if isinstance(got.value, list) else []
        done = [
            _call(step) + (f" → {short(v)}" if step.name else "")
            for step, v in zip(case, values, strict=False)
        ]
        if got.how == "gives":
            return f"After {'; '.join(done[-6:])}, it is wrong."
        failed = _call(case[len(values)]) if len(values) < len(case) else "the end"
        how = f"raises {_error(got)}" if got.how == "raises" else "does not end"
        return f"After {'; '.join(done[-6:]) or 'nothing'}, {failed} {how}."

    def _in_memory(self, cases, got):
        for case, outcome in zip(cases, got, strict=True):
            if self.peak is not None and outcome.peak > self.peak(*case):
                said = f"The result is right, but it took {fmt(outcome.peak)}"
                return 0, f"Not yet. {said} where {fmt(self.peak(*case))} are enough. {self.idea}".strip()
        return 1, "Right."

    def _nothing(self, outcome: Outcome) -> bool:
        """Whether it did nothing, as a function without a body does."""
        if outcome.how != "gives":
            return False
        value = outcome.value
        return value is None or isinstance(value, list) and bool(value) and all(v is None for v in value)

    def _names(self) -> list[str]:
        return list(inspect.signature(self.reference).parameters)

    @staticmethod
    def _scripted(case) -> bool:
        return isinstance(case, list)


def _error(outcome: Outcome) -> str:
    name, message = outcome.error
    return f"{name} ({message})" if message else name


def _call(step: Call) -> str:
    args = ", ".join(f"[what step {a.step} gave]" if isinstance(a, Result) else short(a) for a in step.args)
    return f"{step.name or 'making one'}({args})"


def _size(case) -> tuple:
    """How large a case is to a reader: the smallest shows a mistake best."""
    text = repr(case)
    total = sum(abs(v) for v in case if isinstance(v, (int, float)) and not isinstance(v, bool))
    return len(text) // 12, total, text


def _kind(value) -> str:
    return f"an array of shape {list(value.shape)}" if hasattr(value, "shape") else kind(value)


def _like(got, want) -> bool:
    """Whether two values are of one kind and length."""
    if hasattr(got, "shape") or hasattr(want, "shape"):
        return getattr(got, "shape", None) == getattr(want, "shape", None)
    numbers = (int, float)
    if isinstance(want, numbers) and not isinstance(want, bool):
        return isinstance(got, numbers) and not isinstance(got, bool)
    if isinstance(want, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(got) == len(want)
    return type(got) is type(want)


def _pattern(got, want, wrong) -> str:
    """A constant difference or factor between what it gives and what is right."""
    values = [(o.value, w.value) for o, w in zip(got, want, strict=True) if o.how == w.how == "gives"]
    if len(values) < 5 or len(wrong) < len(values) - 1 or not all(map(_finite, sum(values, ()))):
        return ""
    offs = {g - w for g, w in values}
    if len(offs) == 1 and (off := offs.pop()) == int(off) and 0 < abs(off) < 100:
        return f"It is always {abs(int(off))} too {'many' if off > 0 else 'few'}."
    ratios = [g / w for g, w in values if w]
    if ratios and ratios[0] and max(ratios) - min(ratios) <= 1e-9 * abs(ratios[0]) and ratios[0] != 1:
        many, few = ratios[0], 1 / ratios[0]
        if abs(many) > 1:
            return f"It is always {many:.4g} times as large as it should be."
        return f"It is always {few:.4g} times too small."
    return ""


def _finite(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
