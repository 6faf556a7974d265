"""Known mistakes, as formulas: what comes out if one thing, or two, go wrong.

    formula = lambda layers, batch, tokens: 2 * layers * batch * tokens
    numbers = {"layers": 24, "batch": 3, "tokens": 2048}

    Slip("You forget the batch.", batch=1)                      another number goes in
    Slip("You count the keys alone.", then=lambda v: v / 2)     something is done to what comes out
    Slip("You add the factors.", lambda **n: sum(n.values()))   another formula altogether

Nothing is typed that can be computed, so a slip follows the numbers that a variant draws; and two slips
can be put together, since each says which part it spoils.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations

TWO = "Two things, perhaps."


class Slip:
    """A mistake: `said` names it and never tells the answer.

    instead    the formula, or the number, that stands in the right one's place
    then       what is done to the result
    near       it is so near the right number that the answer's tolerance would take it in, as a window of one
               token more: it is named where it is met to the last digit, and kept out of what lies apart
    **changes  name of a number -> another number, or a function of all numbers (a dict) that gives it
    """

    def __init__(self, said: str, instead=None, *, then: Callable | None = None, near=False, **changes):
        if instead is None and then is None and not changes:
            raise ValueError(f"a slip that changes nothing: {said!r}")
        self.said, self.instead, self.then, self.near, self.changes = said, instead, then, near, changes

    def goes_with(self, other: "Slip") -> bool:
        """Whether both can be made at once: they spoil different parts."""
        twice = self.instead is not None and other.instead is not None
        return not twice and not self.changes.keys() & other.changes.keys()

    def __repr__(self):
        return f"Slip({self.said!r})"


def evaluate(formula, numbers: Mapping, slips: Iterable[Slip] = (), by_name: bool = True):
    """What `formula` (a function of the numbers, or a value) gives with `slips` made.

    It takes the numbers by name, or, where `by_name` is False, in their order.
    """
    slips, spoilt = tuple(slips), dict(numbers)
    for slip in slips:
        for name, change in slip.changes.items():
            if name not in numbers:
                raise ValueError(f"{slip!r} changes {name!r}, which is not among {', '.join(numbers)}")
            spoilt[name] = change(dict(numbers)) if callable(change) else change
        formula = formula if slip.instead is None else slip.instead
    value = formula
    if callable(formula):
        value = formula(**spoilt) if by_name else formula(*spoilt.values())
    for slip in slips:
        value = value if slip.then is None else slip.then(value)
    return value


def pairs(slips: Iterable[Slip]) -> Iterator[tuple[Slip, Slip]]:
    """Every two slips that can be made at once."""
    return (pair for pair in combinations(slips, 2) if pair[0].goes_with(pair[1]))
