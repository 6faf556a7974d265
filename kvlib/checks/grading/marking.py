"""The answers of a submission, run in a process of their own and marked here."""

import time
from dataclasses import dataclass, field

from ...units import fmt
from ..answers import BLANK, mark_plain
from ..calls import SECONDS, Outcome
from ..cells import raised
from ..feedback import earned
from ..plain import Callee, clean
from ..questions import QUESTIONS
from ..wire import decode, encode
from .process import Ended, Limits, Process
from .released import Exercise
from .staging import Stage
from .submission import Plan, Read, Run

HOWS = ("gives", "raises", "runs")


@dataclass(frozen=True)
class Mark:
    """The mark of an exercise.

    points  None where a person gives them (`status` "manual")
    status  "right", "partly", "wrong", "blank", "error" (its code raises before there is an answer),
            "stopped" (it took too long or too much, or ended Python), "manual"
    """

    name: str
    points: float | None
    max_points: int
    feedback: str
    status: str


@dataclass
class Marking:
    """The marks of one submission as they come about.

    seed     draws the cases that functions are tried on
    variant  the seed of the notebook's numbers, "" for the book's
    """

    stage: Stage
    way: str
    limits: Limits
    seed: int
    variant: str = ""
    process: Process | None = None
    done: list[Run] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    faults: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def marks(self, plan: Plan) -> list[Mark]:
        """The mark of every exercise of the notebook, in its order."""
        exercises, found = plan.released.exercises, {}
        self.until = time.monotonic() + self.limits.seconds * (len(exercises) + 2)
        try:
            for step in plan.steps:
                if time.monotonic() > self.until:
                    self.notes.append(
                        "The whole notebook took too long; what had not been reached by then is not marked."
                    )
                    break
                if isinstance(step, Run):
                    self._run(step)
                elif (found.get(step.exercise.question) or (0, BLANK))[1] == BLANK:
                    found[step.exercise.question] = self._read(step)
        finally:
            self._end()
        return [self._mark(exercise, found.get(exercise.question), plan) for exercise in exercises]

    def _mark(self, exercise: Exercise, found, plan: Plan) -> Mark:
        name, points = exercise.question, QUESTIONS[exercise.question].points
        status, fault = self.faults.get(name, ("", ""))
        if QUESTIONS[name].manual:
            return Mark(name, None, points, "A person reads this answer and gives its points.", "manual")
        if fault and (found is None or found[1] == BLANK or status == "stopped" and not found[0]):
            return Mark(name, 0, points, fault, status)
        if found is None:
            where = f"Your cell for this answer gives no value to {exercise.variable}."
            if name in plan.missing:
                where = "The cell for this answer is not in the notebook."
            return Mark(name, 0, points, where, "blank")
        share, said = found
        status = "right" if share == 1 else "partly" if share else "blank" if said == BLANK else "wrong"
        return Mark(name, earned(share, points), points, said, status)

    # running

    def ask(self, exercise: Exercise | None, **request) -> dict:
        """The reply to a request, in the time that is left to its exercise; Ended if there is none."""
        name = exercise.question if exercise else ""
        left = self.limits.seconds - (self.spent.get(name, 0.0) if exercise else 0.0)
        left = max(min(left, self.until - time.monotonic()), 0.01)
        process = self._alive()
        began = time.monotonic()
        try:
            return process.ask(request | {"seconds": left} if "value" not in request else request, left)
        except Ended:
            self.process = None
            raise
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.monotonic() - began

    def _alive(self) -> Process:
        """The process, or a new one that has run the cells that did no harm."""
        while self.process is None:
            process = Process(self.stage, self.way, self.limits)
            for step in list(self.done):
                seconds = self.limits.seconds
                try:
                    process.ask({"cell": step.source, "name": step.name, "seconds": seconds}, seconds)
                except Ended:  # this time it does
                    self.done.remove(step)
                    break
            else:
                self.process = process
        return self.process

    def _end(self):
        if self.process:
            self.process.close()
        self.process = None

    def _run(self, step: Run):
        try:
            reply = self.ask(step.exercise, cell=step.source, name=step.name)
            how, error = reply.get("how"), reply.get("error")
        except Ended as ended:
            self._stopped(step, str(ended))
            return
        if how == "runs":
            self._stopped(step, f"did not end within {self.limits.seconds:g} seconds.")
            return
        kind, message, line = [*(error if isinstance(error, list) else []), None, None, None][:3]
        if kind == "MemoryError":
            self._stopped(step, f"took more than {fmt(self.limits.memory)} of memory.")
            self._end()  # with what it has taken
            return
        self.done.append(step)
        if how == "raises" and step.exercise:
            self.faults[step.exercise.question] = "error", raised(kind, message, line)

    def _stopped(self, step: Run, why: str):
        if step.exercise:
            self.faults[step.exercise.question] = "stopped", f"Your code for this exercise {why}"
        else:
            self.notes.append(f"A cell of your own ({step.name}) {why.removesuffix('.')}; it was left out.")

    # reading

    def _read(self, step: Read):
        """(share, feedback) of an answer, or None if its name has no value."""
        exercise = step.exercise
        if self.faults.get(exercise.question, ("",))[0] == "stopped" or QUESTIONS[exercise.question].manual:
            return None
        try:
            reply = self.ask(exercise, value=exercise.variable)
            if reply.get("missing"):
                return None
            answer = decode(reply.get("value"), lambda number, name: Remote(self, exercise, number, name))
        except Ended as ended:
            self.faults[exercise.question] = "stopped", f"Your code for this exercise {ended}"
            return None
        except (ValueError, RecursionError):
            return 0, "Not yet. This answer cannot be read."
        try:
            share, said = mark_plain(QUESTIONS[exercise.question].build(self.variant), answer)
        except RecursionError:
            return 0, "Not yet. This answer cannot be read."
        return share, said.replace(f"within {SECONDS:g} s", f"within {self.limits.seconds:g} s")


class Remote(Callee):
    """A function or class that an answer has handed over, called where it lives."""

    def __init__(self, marking: Marking, exercise: Exercise, number, name: str):
        self.marking, self.exercise, self.number, self.name = marking, exercise, number, name
        self.process, self.seed = marking.process, marking.seed

    def run(self, cases: list, peak: bool = False) -> list[Outcome]:
        """The outcome of each case; from the first that runs out of time on, all have."""
        outcomes: list[Outcome] = []
        for case in cases:
            if outcomes and outcomes[-1].how == "runs" or self.marking.process is not self.process:
                outcomes.append(Outcome("runs"))
                continue
            try:
                reply = self.marking.ask(self.exercise, call=self.number, case=encode(case), peak=peak)
                outcomes.append(_outcome(reply.get("outcome")))
            except Ended as ended:
                said = f"Your code for this exercise {ended}"
                self.marking.faults[self.exercise.question] = "stopped", said
                outcomes.append(Outcome("runs"))
            except (ValueError, TypeError, RecursionError):
                outcomes.append(Outcome("raises", error=("an error", "what it gives cannot be read")))
        return outcomes


def _outcome(sent) -> Outcome:
    """What the process says of a case. Raises ValueError or TypeError for what no honest one would say."""
    how, value, error, peak, printed, changed = sent
    kind, message = error
    if how not in HOWS or not isinstance(kind, str) or not isinstance(message, str) or type(peak) is not int:
        raise ValueError("no outcome")
    error = clean(kind, 60), clean(message)
    return Outcome(how, decode(value), error, peak, printed is True, changed is True)
