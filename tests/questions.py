"""What the tests of the exercises share: the leaves of a question, its right answer, its known mistakes."""

from kvlib.checks import Choice, Each, Function, Number, Several, Words
from kvlib.checks.answers.slips import evaluate


def leaves(marker, path=()):
    """(names of the parts, marker that is not an Each) for every leaf."""
    if isinstance(marker, Each):
        for name, part in marker.parts.items():
            yield from leaves(part, (*path, name))
    else:
        yield path, marker


def right_answer(marker):
    """An answer that earns every point."""
    if isinstance(marker, Each):
        return {name: right_answer(part) for name, part in marker.parts.items()}
    if isinstance(marker, Function):
        return marker.reference
    if isinstance(marker, Several):
        return set(marker.holds)
    if isinstance(marker, Words):
        return {"text": "word " * marker.least, **dict.fromkeys(marker.rows, True)}
    return marker.right if isinstance(marker, (Number, Choice)) else marker.example()


def mistakes(marker):
    """(wrong answer, what must be said of it) for every known mistake of a leaf."""
    if isinstance(marker, Choice):
        return list(marker.wrong.items())
    if isinstance(marker, Several):
        left_out = [(set(marker.holds) - {name}, said) for name, said in marker.holds.items()]
        return left_out + [({*marker.holds, name}, said) for name, said in marker.others.items()]
    if isinstance(marker, Number):
        return [(marker.value(slip), slip.said) for slip in marker.slips]
    if isinstance(marker, Function):
        return [(slipped(marker, slip), slip.said) for slip in marker.slips]
    return []


def slipped(marker, slip):
    """A function or class that makes the mistake `slip`."""
    if slip.instead is not None and not slip.changes and slip.then is None:
        return slip.instead
    return lambda *args: evaluate(
        marker.reference, dict(zip(marker.names, args, strict=False)), [slip], by_name=False
    )
