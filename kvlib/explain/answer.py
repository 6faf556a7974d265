"""The answer to a pasted text."""

from dataclasses import dataclass

from ..units import GiB, MiB, fmt
from .facts import Fact


@dataclass(frozen=True)
class Flag:
    """The next option to try: how it is written, the tokens of cache that it buys, and what it costs.

    tokens  None where it buys none that could be counted from what is known
    """

    flag: str
    tokens: int | None
    why: str


@dataclass(frozen=True)
class Explanation:
    """What an engine said, computed again.

    engine   whose words they are; "" where none was recognised
    facts    what was found, each with its line
    steps    (label, value) rows: the figure, step by step
    verdict  what holds and why: at most two sentences
    flags    what would help next
    missing  options that would say more: "--model", "--gpu"
    unread   lines that speak of memory and were not understood; more_unread: how many besides
    """

    engine: str
    facts: tuple[Fact, ...]
    steps: tuple[tuple[str, str], ...]
    verdict: str
    flags: tuple[Flag, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    more_unread: int = 0

    def text(self) -> str:
        """The explanation for a terminal."""
        parts = [self.verdict]
        if self.facts:
            seen: set[str] = set()
            rows = []
            for fact in self.facts:
                if fact.line not in seen and len(seen) < 12:
                    seen.add(fact.line)
                    rows.append(f"  {fact.line}")
            parts.append("\n".join([f"said by {self.engine or 'an engine'}:", *rows]))
        if self.steps:
            width = max(len(label) for label, _ in self.steps)
            parts.append("\n".join(f"{label:{width}}  {value}" for label, value in self.steps))
        if self.flags:
            parts.append("\n".join(["what would help:", *map(_flag, self.flags)]))
        if self.missing:
            parts.append("to say more, this needs:\n" + "\n".join(f"  {one}" for one in self.missing))
        if self.unread:
            more = f"\n  and {self.more_unread:,} more" if self.more_unread else ""
            parts.append("not understood:\n" + "\n".join(f"  {line}" for line in self.unread) + more)
        return "\n\n".join(parts)


def _flag(one: Flag) -> str:
    buys = "" if one.tokens is None else f"  {one.tokens:+,} tokens" if one.tokens else "  no more tokens"
    return f"  {one.flag}{buys}\n      {one.why}"


def size(nbytes) -> str:
    """Bytes in the unit that logs use, to a hundredth."""
    unit = "GiB" if abs(nbytes) >= GiB else "MiB" if abs(nbytes) >= MiB else None
    return fmt(float(nbytes), unit, digits=2)
