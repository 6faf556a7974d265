"""A question of chapter 05: an allocator of blocks. What scripts of classes have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...answers import Function, Slip
from ...answers.symptoms import shown
from ...calls import Call, Result, same
from ..common import question

AT_FIRST = (
    "It refuses though every block is free. A new pool begins with all of them, whatever pools there were"
    " before: keep them in self, and not in the class."
)
LEAKS = (
    "A new pool meets what an earlier one left behind. Keep the blocks in self, set in __init__, and not in"
    " the class or in a default value."
)


@dataclass(frozen=True)
class Scripts(Function):
    """A class held to scripts; `read` says step by step what came of each, in words.

    faults  what a wrong step came to -> the mistake. Of a step that raises: "raises: " and what was right

    The first and the last script are the same, so that pools which share a state give themselves away.
    """

    faults: Mapping = field(default_factory=dict)

    def _known(self, cases, got):
        ended = all(outcome.how != "runs" for outcome in got)
        if ended and not same(got[0].value, got[-1].value):
            return LEAKS
        return super()._known(cases, got) or self._fault(cases, got)

    def _nothing(self, outcome):
        """Whether it did nothing, as a class without methods or bodies does."""
        bare = outcome.how == "raises" and "takes no arguments" in outcome.error[1]
        return super()._nothing(outcome) or bare and outcome.value == []

    def _fault(self, cases, got):
        wrong = []
        for case, outcome in zip(cases, got, strict=True):
            [want] = self.outcomes(self.reference, [case])
            if not self.agree(case, outcome, want):
                seen, right = self._read(case, outcome), self._read(case, want)
                if outcome.how == "raises" and len(seen) < len(right):
                    seen = [*seen, f"raises: {right[len(seen)]}"]
                wrong.append((len(case), case, outcome, seen))
        if (
            wrong
            and all(o.printed for *_, o, _ in wrong)
            and all(v is None for *_, o, _ in wrong for v in o.value)
        ):
            return "It prints; hand the result back with return."
        for _, case, outcome, seen in sorted(wrong, key=lambda w: w[0]):
            if known := [self.faults[s] for s in seen if s in self.faults]:
                return f"{known[0]} {shown(case, outcome, outcome, [])}"
        return ""


class _Pool:
    """What 05-allocator asks for."""

    def __init__(self, num_blocks):
        self.unused = list(range(num_blocks))

    def allocate(self, n):
        if n > len(self.unused):
            return None
        taken, self.unused = self.unused[:n], self.unused[n:]
        return taken

    def free(self, blocks):
        self.unused = self.unused + list(blocks)


class _Leaky(_Pool):
    def free(self, blocks):
        pass


class _Aliasing(_Pool):
    """Keeps the caller's own list, which the caller may change."""

    def free(self, blocks):
        blocks += self.unused
        self.unused = blocks


def _lives(rng):
    """Scripts of an allocator's life; what is freed is a list that was handed out and is still held."""

    def script(num_blocks, *verbs, spoil=False):
        steps, held, free = [Call("", (num_blocks,))], [], num_blocks
        for verb, n in verbs:
            if verb == "allocate":
                if n <= free:
                    held.append((len(steps), n))
                    free -= n
                steps.append(Call("allocate", (n,)))
            elif held:
                step, size = held.pop(n % len(held))
                free += size
                steps.append(Call("free", (Result(step),), spoil))
        return steps

    first = script(4, ("allocate", 3), ("allocate", 2), ("allocate", 1))
    yield first
    yield script(4, ("allocate", 3), ("allocate", 1))
    yield script(4, ("allocate", 3), ("free", 0), ("allocate", 1), ("allocate", 3))
    yield script(4, ("allocate", 1), ("allocate", 0), ("allocate", 3))
    for spoil in (False, True):
        yield script(3, ("allocate", 3), ("free", 0), ("allocate", 1), ("allocate", 2), spoil=spoil)
        yield script(4, ("allocate", 2), ("allocate", 1), ("free", 0), ("allocate", 3), spoil=spoil)
    for _ in range(30):
        verbs = [("allocate", 2)]
        for _ in range(7):
            verbs.append(
                ("free", rng.randint(0, 3)) if rng.random() < 0.4 else ("allocate", rng.randint(1, 4))
            )
        yield script(rng.randint(3, 8), *verbs)
    yield first


def _handed_out(steps, values):
    """What each step of a script came to, whichever blocks it hands out, up to the first that is wrong."""
    [num_blocks] = steps[0].args
    held, seen, before = {}, [], set()
    for number, (step, value) in enumerate(zip(steps, values, strict=False)):
        taken = {block for blocks in held.values() for block in blocks}
        if step.name == "free":
            held.pop(step.args[0].step, None)
            before |= {"freed", "spoilt"} if step.spoil else {"freed"}
            seen.append("")
        elif step.name == "allocate":
            short = step.args[0] > num_blocks - len(taken)
            seen.append(_came_to(step.args[0], value, taken, num_blocks, before))
            if short:
                before.add("refused")
            if seen[-1] not in ("None", f"{step.args[0]} blocks"):
                break
            if value is not None:
                held[number] = value
                before |= {"again"} if "freed" in before else set()
    return seen


def _came_to(n, value, taken, num_blocks, before):
    free = num_blocks - len(taken)
    if value is None:
        if n == 0:
            return "None for 0"
        if n <= free == num_blocks and not before:
            return "refuses at first"
        return "None" if n > free else _refused(n == free, before)
    if not isinstance(value, (list, tuple)):
        return "not None" if n > free else "a set" if isinstance(value, frozenset) else "no list"
    if n > free and not value:
        return "not None"
    if not all(isinstance(block, int) for block in value):
        return "no blocks"
    if not set(value) <= set(range(num_blocks)):
        return "outside"
    if taken & set(value):
        return "in use"
    if len(value) != n:
        return "fewer" if len(value) < n else "more"
    return f"{n} blocks" if len(set(value)) == n else "twice"


def _refused(all_of_them, before):
    """What it means that a request is refused though enough blocks are free."""
    if "spoilt" in before:
        return "aliases"
    if "freed" in before:
        return "some back" if "again" in before else "none back"
    return "loses" if "refused" in before else "refuses the last" if all_of_them else "refuses"


BACK = "It never gets blocks back: what is freed must be free again."


ALIASES = "It keeps the caller's own list. The caller may change it afterwards: copy the blocks."


@question("05-allocator", points=4, kind="code", minutes=10)
def _allocator():
    return Scripts(
        _Pool,
        _lives,
        (Slip(BACK, _Leaky), Slip(ALIASES, _Aliasing)),
        read=_handed_out,
        idea="Follow the script by hand and note who holds which block.",
        faults={
            "refuses the last": "It refuses when exactly as many are free as are asked for; that is enough.",
            "refuses at first": AT_FIRST,
            "refuses": "It refuses though enough blocks are free.",
            "None for 0": "It gives None where 0 blocks are asked for: so many are free; give an empty list.",
            "none back": BACK,
            "some back": "It takes back only some of the blocks that are freed, or loses some later.",
            "aliases": ALIASES,
            "loses": "It loses blocks when it refuses: a request that gets None must take nothing.",
            "not None": "It gives something else than None where too few blocks are free.",
            "a set": "It hands out a set; a list is asked for, which keeps the order of a sequence's blocks.",
            "no list": "It hands out no list.",
            "no blocks": "It hands out something other than numbers of blocks. What is freed is a list:"
            " take its blocks back one by one, and not as one thing.",
            "outside": "It hands out a block that is not in the pool: they are 0 to num_blocks − 1.",
            "fewer": "It hands out fewer blocks than asked for; give all of them or None.",
            "more": "It hands out more blocks than asked for.",
            "in use": "It hands out blocks that another sequence holds.",
            "twice": "It hands out a block twice at once.",
            "raises: None": "It raises when the pool runs short; return None.",
            "raises: ": "It raises when blocks are freed.",
        },
    )
