"""A question of chapter 05: blocks with owners counted, and copied before they are written."""

from ...answers import Slip
from ...calls import Call, Result
from ..common import question
from .allocator import AT_FIRST, Scripts

RIGHT = ("fresh", "None", "shared", "freed", "nobody's", "in place", "copied")  # what a step may come to


class _Shared:
    """What 05-owners asks for."""

    def __init__(self, num_blocks):
        self.owners = [0] * num_blocks

    def allocate(self):
        if 0 not in self.owners:
            return None
        block = self.owners.index(0)
        self.owners[block] = 1
        return block

    def share(self, block):
        self.owners[block] += 1

    def free(self, block):
        if self.owners[block] == 0:
            return False
        self.owners[block] -= 1
        return True

    def write(self, block):
        if self.owners[block] == 1:
            return block
        copy = self.allocate()
        if copy is not None:
            self.owners[block] -= 1
        return copy


class _InPlace(_Shared):
    def write(self, block):
        return block


class _Forgets(_Shared):
    def write(self, block):
        return block if self.owners[block] == 1 else self.allocate()


class _Falsy(_Shared):
    """Takes block 0 for none."""

    def write(self, block):
        if self.owners[block] == 1:
            return block
        copy = self.allocate()
        self.owners[block] -= bool(copy)
        return copy


def _lives(rng):
    """Scripts of blocks that are shared, written and freed; an owner is the step that gave it its block."""

    def script(num_blocks, *verbs):
        steps, owners, counts = [Call("", (num_blocks,))], [], {}
        # owners: (step that gave the block, its name here); counts: name -> owners
        for verb, which in verbs:
            step, name = owners[which % len(owners)] if owners else (None, None)
            if verb == "allocate":
                if len(counts) < num_blocks:
                    owners.append((len(steps), len(steps)))
                    counts[len(steps)] = 1
                steps.append(Call("allocate"))
            elif name is None:
                continue
            elif verb == "share":
                owners.append((step, name))
                counts[name] += 1
                steps.append(Call("share", (Result(step),)))
            elif verb == "write":
                if counts[name] > 1 and len(counts) < num_blocks:
                    owners[which % len(owners)] = (len(steps), len(steps))
                    counts[name] -= 1
                    counts[len(steps)] = 1
                steps.append(Call("write", (Result(step),)))
            else:
                owners.pop(which % len(owners))
                counts[name] -= 1
                steps.append(Call("free", (Result(step),)))
                if not counts[name]:
                    del counts[name]
                    if verb == "free twice":
                        steps.append(Call("free", (Result(step),)))
        return steps

    def of(*verbs):
        return [tuple(v) if isinstance(v, tuple) else (v, 0) for v in verbs]

    first = script(3, *of("allocate", "share", "write", ("write", 1)))
    yield first
    yield script(2, *of("allocate", "allocate", "allocate"))
    yield script(1, *of("allocate", "free", "allocate"))
    yield script(2, *of("allocate", "free twice", "allocate", "allocate"))
    yield script(1, *of("allocate", "share", "free", "allocate"))
    yield script(2, *of("allocate", "write"))
    yield script(2, *of("allocate", "share", "allocate", "write", "free", "write"))
    yield script(2, *of("allocate", "share", "allocate", "write", "free", "allocate"))
    yield script(2, *of("allocate", "share", "write", "free", "free", "allocate", "allocate"))
    for shared, freed in ((1, 0), (0, 1)):  # the copy is block 0, from whichever end blocks are handed out
        sharing = ("share", shared), ("free", freed), ("write", 0), ("write", 1)
        yield script(2, *of("allocate", "allocate", *sharing, "allocate"))
    kinds = ("allocate", "allocate", "share", "write", "write", "free", "free twice")
    for _ in range(40):
        verbs = [("allocate", 0), *((rng.choice(kinds), rng.randrange(6)) for _ in range(9))]
        yield script(rng.randint(2, 5), *verbs)
    yield first


def _came_of(steps, values):
    """What each step came to, whichever blocks are handed out, up to the first that is wrong."""
    [num_blocks] = steps[0].args
    owners, seen = {}, []
    shared, dropped, copies, kept = set(), set(), set(), set()  # kept: a write to it was refused
    for step, value in zip(steps[1:], values[1:], strict=False):
        block = values[step.args[0].step] if step.args else None
        full = len(owners) >= num_blocks
        if step.name == "share":
            owners[block] = owners.get(block, 0) + 1
            shared.add(block)
            seen.append("shared")
        elif step.name == "free":
            seen.append(_freed(value, owners.get(block, 0), block in copies))
            if owners.get(block):
                dropped.add(block)
                _drop(owners, block)
        elif step.name == "allocate":
            seen.append(_fresh(value, owners, dropped, full, num_blocks))
            if seen[-1] == "fresh":
                owners[value] = 1
        else:
            seen.append(_written(block, value, owners, shared, full, num_blocks))
            if seen[-1] == "copied":
                _drop(owners, block)
                owners[value] = 1
                copies.add(value)
            elif seen[-1] == "None":
                kept.add(block)
        if seen[-1] not in RIGHT:
            if block in kept or seen[-1] in ("freed too early", "in use") and value in kept:
                seen[-1] = "refused and changed"
            elif seen[-1] == "not free again" and "nobody's" in seen:
                seen[-1] = "below 0"
            break
    return seen


def _drop(owners, block):
    owners[block] -= 1
    if not owners[block]:
        del owners[block]


def _freed(value, count, copy):
    if count and copy and value is False:
        return "copy without an owner"
    if count:
        return "freed" if value is True else "no True" if value is not None else "free gives nothing"
    if value is True:
        return "freed twice"
    return "nobody's" if value is False else "free gives nothing"


def _fresh(value, owners, dropped, full, num_blocks):
    if value is None:
        first = not owners and not dropped
        return "None" if full else "not free again" if dropped else "refuses at first" if first else "refuses"
    if not isinstance(value, int) or isinstance(value, bool):
        return "no block"
    if value in owners:
        return "freed too early" if value in dropped else "in use"
    return "fresh" if 0 <= value < num_blocks else "outside"


def _written(block, value, owners, shared, full, num_blocks):
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        return "no block"
    if value is not None and not 0 <= value < num_blocks:
        return "outside"
    if owners.get(block, 0) <= 1:
        if value == block:
            return "in place"
        return "last owner copies" if block in shared else "copies alone" if value is not None else "nothing"
    if value == block:
        return "writes into shared"
    got = _fresh(value, owners, (), full, num_blocks)
    return "copied" if got == "fresh" else "no copy" if value is None and not full else got


@question("05-owners", points=5, kind="code", minutes=18)
def _owners():
    raises = "It raises when no block is free; return None."
    return Scripts(
        _Shared,
        _lives,
        (
            Slip("It lets an owner write into a block that others own too: copy it first.", _InPlace),
            Slip(
                "The last owner copies. Whoever got a copy owns the old block no longer: count one fewer.",
                _Forgets,
            ),
            Slip("It takes block 0 for no block at all: ask whether there is one with `is None`.", _Falsy),
        ),
        read=_came_of,
        idea="Follow the script by hand and note how many own each block.",
        faults={
            "freed twice": "It lets a block be freed that nobody owns (a double free); return False.",
            "no True": "free must return True when an owner has given the block back.",
            "free gives nothing": "free returns nothing; return True, or False where nobody owns the block.",
            "refuses at first": AT_FIRST,
            "refuses": "It refuses though a block is free.",
            "not free again": "A block whose last owner has freed it must be free again.",
            "below 0": "It takes an owner away from a block that nobody owns; change nothing there.",
            "freed too early": "It hands out a block that still has an owner: one of several has freed it."
            " Count the owners.",
            "in use": "It hands out a block that somebody owns.",
            "outside": "It hands out a block that is not in the pool: they are 0 to num_blocks − 1.",
            "no block": "It hands out something other than the number of one block.",
            "last owner copies": "The last owner copies. A block that one owner is left of is written in"
            " place: count one owner fewer when another is given a copy, or frees it.",
            "copies alone": "It copies a block that has a single owner; such a block is written in place.",
            "nothing": "write must return the block to write into, also where nothing is copied.",
            "writes into shared": "It lets an owner write into a block that others own too: copy it first.",
            "refused and changed": "A write that is refused must change nothing: give the old block up only"
            " once there is a new one.",
            "copy without an owner": "The block that write hands out has an owner: count it.",
            "no copy": "It gives no copy of a shared block though a block is free.",
            "raises: None": raises,
            "raises: nobody's": "It raises where a block is freed that nobody owns; return False.",
            "raises: in place": "It raises where the only owner writes.",
            "raises: copied": "It raises where a shared block is written.",
            "raises: shared": "It raises where a block is shared.",
        },
    )
