"""What was found in a pasted text: facts, each with the line it stands in, and the lines not understood."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from .lines import LINES, value

MOST = 16 * 2**20  # characters that are read; of a longer text its end, which says why an engine stopped
LONGEST = 240  # characters of a line that are quoted
NEAR_BEFORE, NEAR_AFTER = 200, 400  # characters around an anchor in which its pattern is tried
REPEATS = 200  # of one anchor that are looked at: the first and the last hundred
_TERMINAL = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[A-Za-z]|\][^\x07\x1b]{0,200}\x07)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]+")
# What a line not understood must speak of to be worth quoting.
_SPEAKS = ("kv", "cache", "memory", "oom", "preempt", "max_model_len", "context")


@dataclass(frozen=True)
class Fact:
    """`name` is `value` (bytes, tokens, …), give or take `error`, as `engine` says in `line`."""

    engine: str
    name: str
    value: Any
    error: Any
    line: str


@dataclass(frozen=True)
class Facts:
    """All facts of a text in their order, and lines that speak of memory and were not understood."""

    found: tuple[Fact, ...]
    unread: tuple[str, ...]
    more_unread: int = 0

    def get(self, name: str, engine: str | None = None) -> Fact | None:
        """The last fact of that name, of that engine or of none in particular."""
        of = (fact for fact in reversed(self.found) if fact.name == name)
        return next((fact for fact in of if engine is None or fact.engine in (engine, "")), None)

    def value(self, name: str, engine: str | None = None):
        fact = self.get(name, engine)
        return None if fact is None else fact.value

    def least(self, name: str, engine: str) -> Fact | None:
        """The smallest of that name: of several GPUs the fullest decides."""
        of = [fact for fact in self.found if fact.name == name and fact.engine == engine]
        return min(of, key=lambda fact: fact.value, default=None)


def read(text: str | bytes) -> Facts:
    """The facts of a text, whatever it holds."""
    if isinstance(text, bytes | bytearray):
        text = bytes(text[-MOST:]).decode("utf-8", errors="replace")
    text = text[-MOST:]
    lines = [" ".join(line.split()) for line in _CONTROL.sub("", _TERMINAL.sub("", text)).splitlines()]
    lines = [line for line in lines if line]
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    whole = " ".join(lines)  # a message may have been wrapped where a terminal ended
    found: dict[int, list[Fact]] = {}
    understood = set()
    for known in LINES:
        for place in _places(whole, known.anchor):
            begin = max(0, place - NEAR_BEFORE)
            near = whole[begin : place + len(known.anchor) + NEAR_AFTER]
            for match in known.regex.finditer(near):
                if not match.start() + begin <= place + len(known.anchor) <= match.end() + begin + NEAR_AFTER:
                    continue
                number = bisect_right(starts, begin + match.start()) - 1
                understood.add(number)
                understood.add(bisect_right(starts, begin + match.end() - 1) - 1)
                for name, said in match.groupdict().items():
                    if said is not None and (fact := _fact(known.engine, name, said, lines[number])):
                        found.setdefault(begin + match.start(), []).append(fact)
    ordered = [fact for place in sorted(found) for fact in found[place]]
    missed = [line for n, line in enumerate(lines) if n not in understood and _worth_quoting(line)]
    if not ordered and not missed:
        missed = lines
    return Facts(tuple(dict.fromkeys(ordered)), tuple(map(_short, missed[:5])), max(0, len(missed) - 5))


def _places(whole: str, anchor: str):
    """Where the anchor stands: its first and its last hundred times."""
    places: list[int] = []
    at = whole.find(anchor)
    while at >= 0 and len(places) < REPEATS // 2:
        places.append(at)
        at = whole.find(anchor, at + 1)
    last = whole.rfind(anchor)
    while at >= 0 and last >= at and len(places) < REPEATS:
        places.append(last)
        last = whole.rfind(anchor, 0, last)
    return places


def _fact(engine, name, said, line) -> Fact | None:
    try:
        found, error = value(name, said)
    except ValueError:
        return None
    return Fact(engine, name, found, error, _short(line))


def _worth_quoting(line: str) -> bool:
    lower = line[: 4 * LONGEST].lower()
    return any(word in lower for word in _SPEAKS) and any(c.isdigit() for c in lower)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
