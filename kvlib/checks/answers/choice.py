"""A choice as the answer: one of several words or letters, or all that hold of several."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..plain import Unreadable

LETTERED = re.compile(r"\(?([a-zA-Z])[).:]\s")


def _bare(text: str) -> str:
    """`text` as it is compared: "(C)" is "c", "multi-head" is "multihead"."""
    return "".join(c for c in text.lower() if c.isalnum() or c in "_%")


def _text(answer):
    """A whole number as the word it is among words: 2 is "2"."""
    return str(answer) if type(answer) is int and abs(answer) < 10**9 else answer


@dataclass(frozen=True)
class Choice:
    """One of several words or letters.

    wrong  each other one -> what is said of it
    also   another name of one -> that one
    """

    right: str
    wrong: Mapping[str, str]
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> list[str]:
        return sorted([self.right, *self.wrong], key=str.lower)

    def mark(self, answer):
        if isinstance(answer, (list, tuple, frozenset)) and len(answer) == 1:
            [answer] = answer
        word = self.read(answer)
        if word is None:
            quotes = "" if isinstance(answer, str) else " in quotes"
            return 0, f"Not yet. Answer{quotes} with one of: {', '.join(self.allowed)}."
        return (1, "Right.") if word == self.right else (0, f"Not yet. {self.wrong[word]}")

    def read(self, answer) -> str | None:
        """The allowed word that `answer` stands for, or None."""
        answer = _text(answer)
        if not isinstance(answer, str):
            return None
        words = {_bare(name): word for name, word in self.also.items()} | {_bare(w): w for w in self.allowed}
        lettered = LETTERED.match(answer.strip())  # "b) keys and values"
        return words.get(_bare(answer[:100])) or (words.get(lettered[1].lower()) if lettered else None)


@dataclass(frozen=True)
class Several:
    """All that hold, of several words or letters: a set or a list of them. All or nothing.

    holds   each that holds -> what is said where it is left out
    others  each that does not -> what is said where it is chosen
    """

    holds: Mapping[str, str]
    others: Mapping[str, str]

    def mark(self, answer):
        allowed = sorted([*self.holds, *self.others], key=str.lower)
        if isinstance(answer, str):
            answer = re.split(r"[\s,;+×·*]+", answer.strip())
            if len(answer) == 1 and max(map(len, allowed)) == 1:
                answer = list(answer[0][:20])  # "ce": letters without anything between
        words = {_bare(word): word for word in allowed}
        if isinstance(answer, Unreadable) or not isinstance(answer, (list, tuple, frozenset)):
            return 0, f"Not yet. Give a set of those that hold, of: {', '.join(allowed)}."
        chosen = {words.get(_bare(a)) if isinstance(a, str) else None for a in map(_text, answer)}
        if None in chosen:
            return 0, f"Not yet. Choose among: {', '.join(allowed)}."
        said = [self.others[w] for w in allowed if w in chosen and w in self.others]
        said += [self.holds[w] for w in allowed if w in self.holds and w not in chosen]
        return (0, "Not yet. " + " ".join(dict.fromkeys(said))) if said else (1, "Right.")
