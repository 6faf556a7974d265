"""nbval for an exercise: the released notebook is run with the reader's answers put in.

nbval compares a cell with the output that was saved under it, so work that was run and saved would pass
whatever it says, and so would a check that was edited. Here a check passes if it gives all of its points, and
otherwise its own sentence is what the reader sees. exercises/conftest.py takes it for `pytest --nbval`.
"""

import ast
import queue
import time
from collections import defaultdict

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from ..plain import clean
from ..questions import QUESTIONS
from .notebook import NotGraded, cells, content, parse
from .released import released
from .submission import Plan, Read, Run, plan, which

SECONDS = 60.0  # a cell may take


class Failed(Exception):
    """A check that does not give all its points, or a cell that fails; the text is what the reader sees."""


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """In place of nbval's own reading of an exercise."""
    found = yield
    if parent.config.option.nbval and file_path.suffix == ".ipynb":
        return [Exercises.from_parent(parent, path=file_path)]
    return found


class Exercises(IPyNbFile):
    """A reader's notebook."""

    def collect(self):
        """The reader's cells and the released checks, in their order."""
        try:
            found = cells(parse(content(self.path)))
            steps = plan(found, released(which(found)))
        except NotGraded as why:
            raise self.CollectError(f"not graded: {why}") from None
        self.nb = nbformat.v4.new_notebook()
        for number, step in enumerate(once(steps)):
            cell = nbformat.v4.new_code_cell(step.source)
            kind = Check if step.name in steps.released.checks else Given
            item = kind.from_parent(
                self, name=step.name, cell_num=number, cell=cell, options=defaultdict(bool)
            )
            item.points = QUESTIONS[step.exercise.question].points if step.exercise else 0
            yield item


def once(steps: Plan) -> list[Run]:
    """The steps, each answer read once, by its check: where the notebook has it or, if the answer's cell is
    as it was handed out, at the last place where a cell of the reader's own may have given it."""
    of = steps.released
    sources, stubs = dict(of.cells), {e.question: dict(of.cells)[e.answer] for e in of.exercises}
    untouched = {
        step.exercise.question
        for step in steps.steps
        if isinstance(step, Run) and step.exercise and same(step.source, stubs[step.exercise.question])
    }
    places = {}
    for place, step in enumerate(steps.steps):
        if isinstance(step, Read):
            name = step.exercise.question
            places[name] = place if name in untouched or name not in places else places[name]
    chosen = []
    for place, step in enumerate(steps.steps):
        if isinstance(step, Run):
            chosen.append(step)
        elif places[step.exercise.question] == place:
            chosen.append(Run(sources[step.exercise.check], step.exercise.check, step.exercise))
    absent = [e for e in of.exercises if e.question not in places]
    return chosen + [Run(sources[e.check], e.check, e) for e in absent]


def same(source: str, stub: str) -> bool:
    """Whether two cells are the same but for comments."""
    try:
        return ast.dump(ast.parse(source)) == ast.dump(ast.parse(stub))
    except (SyntaxError, ValueError):
        return source.strip() == stub.strip()


class Given(IPyNbCell):
    """A cell that is run and need not print what it printed before."""

    def setup(self):
        """Nothing: nbval expects what follows a cell without an end to fail."""

    def runtest(self):
        """Run the cell: `said` is what it prints, `given` what it gives."""
        kernel, file = self.parent.kernel, self.parent
        if not kernel.is_alive():
            raise Failed("Python has ended before this cell, by exit() or a crash.")
        sent = kernel.execute_cell_input(self.cell.source, allow_stdin=False)
        self.said, self.given = "", None
        seconds = min(SECONDS, self.config.option.nbval_cell_timeout)
        until, error = time.monotonic() + seconds, None
        while True:
            try:
                message = file.get_kernel_message(timeout=0.5)
            except queue.Empty:
                if not kernel.is_alive():
                    raise Failed("Python has ended in this cell, by exit() or a crash.") from None
                if time.monotonic() > until:
                    kernel.stop()  # what a call into C does cannot be interrupted
                    raise Failed(f"It does not end within {seconds:g} seconds.") from None
                continue
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != sent:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "stream":
                self.said += content["text"]
            elif kind == "execute_result":
                self.given = content["data"].get("text/plain")
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"
        if error:
            raise Failed(clean(error))

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"

    def repr_failure(self, excinfo):
        """Its own sentence and nothing else."""
        return str(excinfo.value) if isinstance(excinfo.value, Failed) else super().repr_failure(excinfo)


class Check(Given):
    """A check as it was released; it passes if the answer earns all of its points."""

    def runtest(self):
        super().runtest()
        if self.given != str(self.points):
            raise Failed(self.said.strip() or "This check gives no points.")
