"""A run of `kvlib grade`: submissions graded one by one or several at a time, in one way."""

import contextlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..plain import clean
from ..variants import seed as variant_of
from .folder import Submission
from .isolation import SHORT, WAYS, strongest
from .marking import Marking
from .notebook import NotGraded, cells, content, parse
from .process import Limits, Refused
from .released import released
from .report import Report
from .staging import staged
from .submission import plan, which


class Grader:
    """Grades submissions; a context manager, since a run has folders of its own.

    secret  draws each student's numbers from their id; "" means that all have the book's
    seed    draws the cases that functions are tried on; None draws a fresh one for each submission
    ways    the ways to shut answers in, the strongest first; the first that this machine allows is taken
    """

    def __init__(self, secret: str = "", seed: int | None = None, limits: Limits = Limits(), ways=WAYS):  # noqa: B008
        self.secret, self.seed, self.limits, self.ways = secret, seed, limits, ways

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.stage = stack.enter_context(staged())
            self.isolation = strongest(self.stage, self.ways)
            self._close = stack.pop_all().close
        return self

    def __exit__(self, *error):
        self._close()

    def grade(
        self, submission: Submission | Path | str, notebook: str = "", data: bytes | None = None
    ) -> Report:
        """The report on a submission; whatever it holds, it stops no other.

        notebook  the name of the released notebook, where that is known; otherwise its cells say it
        data      the file's bytes, where they were read already
        """
        if not isinstance(submission, Submission):
            submission = Submission(Path(submission))
        variant = variant_of(submission.student, self.secret) if self.secret else ""
        seed = int.from_bytes(os.urandom(4)) if self.seed is None else self.seed
        about = {
            "file": str(submission.file), "student": submission.student, "assignment": submission.assignment,
            "seed": seed, "variant": variant, "isolation": SHORT[self.isolation.way],
        }  # fmt: skip
        try:
            if submission.reason:
                raise NotGraded(submission.reason)
            found = cells(parse(content(submission.file) if data is None else data))
            name = notebook or which(found)
            steps = plan(found, released(name, variant))
            marking = Marking(self.stage, self.isolation.way, self.limits, seed, variant)
            marks = marking.marks(steps)
        except (NotGraded, Refused) as why:
            return Report(**about, reason=str(why))
        except Exception as error:  # a fault of the grader's own; nobody's 0
            reason = f"the grader failed ({type(error).__name__}: {clean(str(error))}); please report it"
            return Report(**about, reason=reason)
        return Report(**about, notebook=name, exercises=tuple(marks), notes=tuple(marking.notes))

    def grade_all(self, submissions: Iterable[Submission], jobs: int | None = None) -> list[Report]:
        """The reports on all of them, in their order, `jobs` at a time (default: one for each processor)."""
        pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1)
        try:
            return list(pool.map(self.grade, submissions))
        finally:  # at once where it is interrupted: what has not begun is left
            pool.shutdown(cancel_futures=True)
