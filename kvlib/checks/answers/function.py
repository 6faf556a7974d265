"""A function or a class as the answer."""

import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...units import fmt
from ..calls import Here, Outcome, same
from ..plain import Callee, kind
from .marking import BLANK
from .slips import TWO, Slip, evaluate, pairs
from .symptoms import shown, size, symptom


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
    intact     what a case hands over must be as it was afterwards
    idea       what is said of a wrong function that nothing else explains
    """

    reference: Callable
    cases: Callable
    slips: tuple[Slip, ...] = ()
    where: Mapping[str, Callable] = field(default_factory=dict)
    read: Callable | None = None
    tol: float = 1e-4
    peak: Callable | None = None
    intact: bool = False
    idea: str = ""

    def mark(self, answer):
        if not isinstance(answer, Callee):
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
        if not wrong and self.intact and any(o.changed for o in got):
            return 0, "Not yet. The result is right, but it changes what it was given: work on a copy."
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
        names = self.names

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
        """The mistake, or the two, that do the same on every case; of what always fails, only the error."""
        if all(o.how == "raises" for o in got):
            return ""
        for slip in self.slips:
            if self._does(cases, got, (slip,)):
                return slip.said
        for pair in () if self._scripted(cases[0]) else pairs(self.slips):
            if self._does(cases, got, pair):
                return f"{TWO} {pair[0].said} And: {pair[1].said}"
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
        if not said and not self.read:
            said = [symptom([(got[i], want[i]) for i in wrong], [got[i] for i in right])]
        if not any(said) and any(got[i].changed for i in wrong):
            said = ["It changes what it was given: work on a copy."]
        smallest = min(wrong, key=lambda i: (got[i].how == "runs", size(cases[i])))
        said.append(shown(cases[smallest], got[smallest], want[smallest], self.names))
        return " ".join(filter(None, [*said, self.idea]))

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

    @property
    def names(self) -> list[str]:
        """The arguments' names."""
        return list(inspect.signature(self.reference).parameters)

    @staticmethod
    def _scripted(case) -> bool:
        return isinstance(case, list)
