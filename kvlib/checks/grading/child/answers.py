"""What the process of the answers is asked: run a cell, give the value of a name, call a function."""

import sys
import tracemalloc
from types import SimpleNamespace

import kvlib

from ... import calls, feedback
from ...cells import namespace, run
from ...plain import kind, plain
from ...wire import decode, encode

MEASURE = ("start", "stop", "clear_traces", "reset_peak", "get_traced_memory")


def no_check(name, answer=None, variant="") -> int:
    """Stands for `kvlib.check`: the marks are given elsewhere."""
    return 0


def keep_measure():
    """Leave the measure of memory to `calls`: to answers it does nothing, and none stops or resets it."""
    calls.tracemalloc = SimpleNamespace(**{name: getattr(tracemalloc, name) for name in MEASURE})
    for module in (tracemalloc, sys.modules["_tracemalloc"]):
        for name in MEASURE:
            setattr(module, name, lambda *args: (0, 0))


class Answers:
    """The namespace of a notebook's cells, and the functions that were handed over from it."""

    def __init__(self):
        kvlib.check = feedback.check = no_check
        keep_measure()
        self.names = namespace()
        self.callees = []

    def answer(self, request: dict) -> dict:
        """The reply to {"cell": …}, {"value": …} or {"call": …}; what each holds is said at its method."""
        if "cell" in request:
            return self.cell(request["cell"], request["name"], request["seconds"])
        if "value" in request:
            return self.value(request["value"])
        return self.call(**request)

    def cell(self, source: str, name: str, seconds: float) -> dict:
        """Run a cell; {"how": "gives"}, "runs", or "raises" with the "error": [class, message, line]."""
        try:
            with calls.limit(seconds):
                error = run(source, name, self.names)
        except calls.TooLong:
            return {"how": "runs"}
        return {"how": "raises", "error": error} if error else {"how": "gives"}

    def value(self, name: str) -> dict:
        """The value of a name, its functions numbered: {"value": …}, or {"missing": True}."""
        if name not in self.names:
            return {"missing": True}
        return {"value": encode(plain(self.names[name], _Callee), self._number)}

    def call(self, call: int, case, peak: bool, seconds: float) -> dict:
        """The outcome of one case: {"outcome": [how, value, error, peak, printed, changed]}."""
        got = calls.call(self.callees[call], decode(case), seconds, peak)
        value = encode(plain(got.value))
        return {"outcome": [got.how, value, list(got.error), got.peak, got.printed, got.changed]}

    def _number(self, callee) -> int:
        self.callees.append(callee.thing)
        return len(self.callees) - 1


class _Callee:
    """A function or class that an answer hands over."""

    def __init__(self, thing):
        self.thing, self.name = thing, kind(thing)
