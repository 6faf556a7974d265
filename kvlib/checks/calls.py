"""A function or class under test, called: what it gives, or how it fails, in bounded time.

A case is a tuple of arguments, for a function; for a class it is a list of `Call`s on one object of it.
What comes back is an `Outcome` of plain values, whether the function runs here (`Here`) or in a process
of its own, which speaks the JSON of `wire`.
"""

import contextlib
import copy
import io
import math
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

from .plain import Callee, clean, kind, plain

SECONDS = 10.0  # for all cases of a question


@dataclass(frozen=True)
class Call:
    """A step of a script: the method `name` of the object, or its class where `name` is ''.

    args   plain values; `Result(i)` stands for what step i gave
    spoil  afterwards the caller empties what it was given or what it handed over, as a caller may
    """

    name: str
    args: tuple = ()
    spoil: bool = False


@dataclass(frozen=True)
class Result:
    """What step `step` of a script gave, as an argument of a later one."""

    step: int


@dataclass(frozen=True)
class Outcome:
    """How a case ended: it "gives" a `value`, "raises" an error or "runs" out of time.

    value    of a script, the list of what its steps gave, up to the one that failed
    error    the error's class and message
    peak     bytes that NumPy and Python took at most while it ran, where that was asked
    printed  whether it wrote anything
    changed  whether it changed its arguments
    """

    how: str
    value: object = None
    error: tuple[str, str] = ("", "")
    peak: int = 0
    printed: bool = False
    changed: bool = False


class Here(Callee):
    """A function or class of this process. Its cases are always the same ones, as nbval asks."""

    def __init__(self, thing: Callable):
        self.thing = thing
        self.name = kind(thing)

    def run(self, cases: list, peak: bool = False) -> list[Outcome]:
        """The outcome of each case; from the first that runs out of time on, all have."""
        outcomes, until = [], time.monotonic() + SECONDS
        for case in cases:
            late = outcomes and outcomes[-1].how == "runs"
            outcomes.append(
                Outcome("runs") if late else call(self.thing, case, until - time.monotonic(), peak)
            )
        return outcomes


def call(thing: Callable, case, seconds: float = SECONDS, peak: bool = False) -> Outcome:
    """`thing` on one case, with arguments of its own."""
    given, sink, value, begun = copy.deepcopy(case), _Sink(), None, time.monotonic()
    try:
        with (
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            limit(seconds),
            _peak(peak) as most,
        ):
            if isinstance(case, list):
                value = []
                _script(thing, given, value)
            else:
                value = plain(thing(*given))
        how, error = "gives", ("", "")
    except TooLong:
        how, error = "runs", ("", "")
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # whatever a student's code can raise, SystemExit too
        how, error = "raises", (kind(raised).split(" ", 1)[1], _message(raised))
    if time.monotonic() - begun > seconds:  # it may have caught TooLong and gone on
        how, value, error = "runs", None, ("", "")
    changed = not isinstance(case, list) and not same(plain(given), plain(case), 0)
    return Outcome(how, value, error, most[0], sink.written, changed)


def _script(thing, steps, gave):
    """Run `steps` on an object of the class `thing`; `gave` takes what each gives, in plain values."""
    real, made = [], None
    for step in steps:
        args = [real[a.step] if isinstance(a, Result) else a for a in step.args]
        result = thing(*args) if not step.name else getattr(made, step.name)(*args)
        made = result if not step.name else made
        real.append(result)
        gave.append(None if not step.name else plain(result))
        for item in (*args, result) if step.spoil else ():
            if type(item) is list:
                item.clear()


def _message(raised) -> str:
    """What an error says, if that can be had without running code of the answer's."""
    return clean(" ".join(str(a) for a in plain(raised.args) if isinstance(a, (str, int, float))))


class TooLong(BaseException):
    """Code under test ran out of time; not an Exception, so that `except Exception` lets it by."""


@contextlib.contextmanager
def limit(seconds: float):
    """Raise TooLong in the block after `seconds`, and again until it ends.

    Needs the main thread and a system with signals. Elsewhere, and in a call into C that does not return,
    nothing stops it: what must be stopped runs in a process of its own.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    running = [True]

    def stop(number, frame):
        if running[0]:
            raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), 0.5)
    try:
        yield
    finally:
        while running[0]:
            with contextlib.suppress(TooLong):  # it can come just here, and must not leave the timer behind
                running[0] = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _peak(wanted: bool):
    """[bytes taken at most in the block], or [0] where that is not asked."""
    most = [0]
    if not wanted:
        yield most
        return
    tracemalloc.start()
    try:
        yield most
        most[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class _Sink(io.TextIOBase):
    """Takes what is written and keeps only that something was."""

    written = False

    def write(self, text):
        self.written = self.written or bool(text)
        return len(text)


def same(got, want, tol: float = 1e-9) -> bool:
    """Whether two plain values agree: floats and arrays within `tol`, relative; lists and tuples alike."""
    if hasattr(want, "shape") or hasattr(got, "shape"):
        import numpy as np

        try:
            got, want = np.asarray(got), np.asarray(want)
        except ValueError:  # rows of unequal length
            return False
        if got.shape != want.shape or got.dtype.kind not in "biufc" or want.dtype.kind not in "biufc":
            return False
        size = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
        if want.dtype.kind in "biu":  # counts and codes have no tolerance
            return bool((got == want).all())
        return bool(np.allclose(got, want, rtol=tol, atol=tol * size, equal_nan=True))
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return False
        return all(same(g, w, tol) for g, w in zip(got, want, strict=True))
    if isinstance(want, dict):
        return (
            isinstance(got, dict)
            and got.keys() == want.keys()
            and all(same(got[k], want[k], tol) for k in want)
        )
    if isinstance(want, (int, float)) and not isinstance(want, bool):
        if not isinstance(got, (int, float)) or isinstance(got, bool):
            return False
        tol = min(tol, 1e-9) if isinstance(want, int) else tol  # a count has no tolerance
        try:
            return (
                got == want
                or abs(got - want) <= tol * max(abs(got), abs(want)) < math.inf  # inf is within inf of all
                or (got != got and want != want)
            )
        except OverflowError:
            return False
    return type(got) is type(want) and got == want
