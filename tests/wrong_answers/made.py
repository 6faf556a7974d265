"""How rows of the tables are made: one part of an answer wrong, or one line of a program."""

from kvlib.checks.questions import QUESTIONS


def each(name, **wrong):
    """The right answers to all parts of the question `name`, but for the `wrong` ones; the points left."""
    question = QUESTIONS[name]
    parts = {key: part.right for key, part in question.build().parts.items()}
    points = question.points * (len(parts) - len(wrong)) / len(parts)
    return parts | wrong, int(points) if points == int(points) else round(points, 2)


def rows(name, answers):
    """Rows for {part: [(wrong answer, what is said of it)]}, all other parts right."""
    for key, wrong in answers.items():
        for answer, said in wrong:
            given, points = each(name, **{key: answer})
            yield name, given, said, points


def edited(source: str, name: str, *changes: tuple[str, str]):
    """What `name` is in the program `source` after each (old, new) of `changes`."""
    for old, new in changes:
        assert old in source, f"{old!r} is not in the program"
        source = source.replace(old, new)
    names: dict = {}
    exec(source, names)
    return names[name]
