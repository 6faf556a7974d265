"""Which cell of a submission answers which exercise, and the steps in which it is run and read.

A cell is known by its id, else by the name that nbgrader has given it, else by its place and by what it
gives a value to. The steps keep the order of the submission. A given cell is run as it was handed out, after
what was made of it; a check is not run, for marks are given elsewhere; a cell of the student's own is run
where it stands.
"""

from collections import Counter
from dataclasses import dataclass

from ..cells import assigned
from ..variants import CHECK
from .notebook import Cell, NotGraded
from .released import Exercise, Released, names, released


@dataclass(frozen=True)
class Run:
    """Run a cell. What goes wrong in it is its exercise's; one without belongs to none."""

    source: str
    name: str
    exercise: Exercise | None = None


@dataclass(frozen=True)
class Read:
    """Read the answer to an exercise, if it was not there to read before."""

    exercise: Exercise


@dataclass(frozen=True)
class Plan:
    """The steps of a submission; `missing` are the exercises that it has no cell for."""

    released: Released
    steps: tuple[Run | Read, ...]
    missing: frozenset[str]


def which(cells: list[Cell]) -> str:
    """The name of the released notebook that it is. Raises NotGraded if it is none, or not clear which."""
    code = [cell for cell in cells if cell.kind == "code"]
    ids = {name for cell in code for name in cell.ids}
    asked = {match["question"] for cell in code for match in CHECK.finditer(cell.source)}
    found = Counter()
    for name in names():
        for exercise in released(name).exercises:
            found[name] += exercise.question in asked or bool({exercise.answer, exercise.check} & ids)
    if not found.total():
        given = set().union(*(assigned(cell.source) for cell in code))
        for name in names():
            found[name] = sum(exercise.variable in given for exercise in released(name).exercises)
        found = Counter({name: number for name, number in found.items() if number > 1})
    if not found.total():
        raise NotGraded("none of its cells answers an exercise of this course")
    [(name, most), *others] = found.most_common()
    rivals = sorted([name, *(other for other, number in others if 2 * number >= most)])
    if len(rivals) > 1:
        raise NotGraded(
            f"it is not clear which notebook it is; it holds answers of {' and of '.join(rivals)}"
        )
    return name


def plan(cells: list[Cell], of: Released) -> Plan:
    """The steps in which `cells`, a submission of the notebook `of`, are run and its answers read."""
    code = [cell for cell in cells if cell.kind == "code"]
    roles = roles_of(code, of)
    given = {name: source for name, source in of.cells if name not in of.answers and name not in of.checks}
    stubs = {source.strip() for name, source in of.cells if name in of.answers}
    left, steps = dict(given), []
    order = [name for name, _ in of.cells]
    own = {roles[i]: i for i in range(len(code)) if roles[i] in of.answers}
    reads = _reads(code, roles, own, of)
    for i, cell in enumerate(code):
        role = roles[i]
        if role in of.answers:
            # Given cells that the submission lacks, before the answer that they stand in front of.
            for name in [n for n in left if order.index(n) < order.index(role) and n not in roles[i:]]:
                steps.append(Run(left.pop(name), name))
            steps.append(Run(cell.source, role, of.answers[role]))
        elif role in given:
            if cell.source.strip() != given[role].strip():
                steps.append(Run(cell.source, f"cell {i + 1}"))
            steps.append(Run(left.pop(role, given[role]), role))
        elif cell.source.strip() in stubs:  # a copy of an answer's cell, as it was handed out
            pass
        elif role is None or assigned(cell.source):  # a check in which something was written is run too
            steps.append(Run(cell.source, f"cell {i + 1}"))
        steps += [Read(exercise) for exercise in reads.get(i, ())]
    missing = {e.question for e in of.exercises if e.answer not in own}
    return Plan(of, tuple(steps), frozenset(missing))


def roles_of(code: list[Cell], of: Released) -> list[str | None]:
    """For each cell the id of the released cell that it is, or None for one of the student's own."""
    released_ids = {name for name, _ in of.cells}
    stubs = {name: source.strip() for name, source in of.cells}
    claims: dict[str, list[int]] = {}
    for i, cell in enumerate(code):
        name = next((name for name in cell.ids if name in released_ids), None)
        if name:
            claims.setdefault(name, []).append(i)
    roles: list[str | None] = [None] * len(code)
    for name, places in claims.items():
        if name in of.checks:
            chosen = places
        else:  # of copies: the one with the id itself, one that was filled in, the last
            chosen = [
                max(places, key=lambda i: (code[i].ids[0] == name, code[i].source.strip() != stubs[name], i))
            ]
        for i in chosen:
            roles[i] = name
    for i, cell in enumerate(code):
        if roles[i] is None and (match := CHECK.search(cell.source)) and not assigned(cell.source):
            by_question = {e.question: e.check for e in of.exercises}
            roles[i] = by_question.get(match["question"])
    _by_place(code, roles, of)
    return roles


def _by_place(code, roles, of: Released):
    """The cells whose names are lost: given ones by their text, answers by what they give a value to."""
    for name, source in of.cells:
        if name in of.checks or name in roles:
            continue
        free = [i for i, role in enumerate(roles) if role is None]
        if name not in of.answers:
            found = [i for i in free if code[i].source.strip() == source.strip()]
            if found:
                roles[found[0]] = name
            continue
        exercise = of.answers[name]
        found = [i for i in free if exercise.variable in assigned(code[i].source)]
        if exercise.check in roles:  # before its check, where there is such a cell
            check = roles.index(exercise.check)
            found = [i for i in found if i < check] or found
        if found:
            roles[found[-1]] = name
    if len(code) == len(of.cells):  # nothing was added or taken away: what is left is known by its number
        for i, (name, _) in enumerate(of.cells):
            if roles[i] is None and name not in roles:
                roles[i] = name


def _reads(code, roles, own: dict[str, int], of: Released) -> dict[int, list[Exercise]]:
    """After which cells which answers are read: at the check; where that finds none, before the next answer;
    and at the end if a later cell of the student's own gives a value."""
    reads: dict[int, list[Exercise]] = {}
    starts = sorted(own.values())
    for exercise in of.exercises:
        place = own.get(exercise.answer)
        if place is None:
            if any(exercise.variable in assigned(cell.source) for cell in code):
                reads.setdefault(len(code) - 1, []).append(exercise)
            continue
        end = next((i for i in starts if i > place), len(code)) - 1
        check = next((i for i in range(place, end + 1) if roles[i] == exercise.check), None)
        at = {end} if check is None else {check, end}
        later = range(end + 1, len(code))
        if any(roles[i] is None and exercise.variable in assigned(code[i].source) for i in later):
            at.add(len(code) - 1)
        for i in at:
            reads.setdefault(i, []).append(exercise)
    return reads
