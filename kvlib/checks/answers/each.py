"""Several questions in one answer, a dict."""

from dataclasses import dataclass

from .marking import BLANK, joined, mark_plain
from .number import Number


@dataclass(frozen=True)
class Each:
    """Several questions in one dict; each counts alike.

    A part that `follows` an earlier one is right, too, if it follows from what was answered there, as long
    as that is a mistake that is known: who slips once and calculates on loses one part.
    """

    parts: dict

    def mark(self, answer):
        if not isinstance(answer, dict):
            return 0, f"Not yet. {self._keys()}"
        marks = {name: mark_plain(part, answer.get(name)) for name, part in self.parts.items()}
        for name, part in self.parts.items():
            if marks[name][0] == 0 and self._follows(part, answer.get(name), answer, marks):
                marks[name] = 1, f'Right, as it follows from your answer to "{part.follows[0]}".'
        share, said = joined(marks)
        if said == BLANK and answer.keys() - self.parts.keys():
            return 0, f"Not yet. {self._keys()}"
        return share, said

    def _follows(self, part, given, answer, marks) -> bool:
        """Whether `given` follows from a wrong answer to an earlier part, wrong in a way that is known."""
        if not isinstance(part, Number) or part.follows is None or given is None or given is ...:
            return False
        name, onward = part.follows
        earlier = self.parts[name]
        before, fault = earlier.read(answer.get(name))
        value, fault_here = part.read(given)
        if fault or fault_here or not before or earlier.is_(before, earlier.right):
            return False
        carried = marks[name][0] == 1  # itself right because it follows
        return (carried or bool(earlier.diagnose(before))) and part.is_(value, onward(before))

    def _keys(self) -> str:
        return f"Give a dict with the keys {', '.join(map(repr, self.parts))}."
