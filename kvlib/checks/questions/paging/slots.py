"""A question of chapter 05: the slots of a batch's new tokens."""

from ...answers import Function, Slip
from ..common import question

LATE = "It is one token late: a sequence of n tokens has them at 0 to n − 1, and n comes next."
EARLY = LATE.replace("late", "early")


def _slots(tables, lengths, new, block_size, of=None, first=0, last=0, table=True):
    """What 05-slot asks for; the last arguments spoil it."""
    slots = []
    for blocks, length, n in zip(tables, lengths, new, strict=True):
        for token in range(length + first, length + n + last):
            number, offset = divmod(token, block_size)
            block = blocks[number] if table else number
            slots.append(block * block_size + offset if of is None else of(block, offset, block_size))
    return slots


def _several(rng):
    yield [[7, 3, 9]], [20], [1], 16
    yield [[5]], [0], [3], 4
    yield [[5, 1]], [3], [2], 4
    for _ in range(20):
        size, n = rng.choice([2, 4, 8]), rng.randint(2, 4)
        free = rng.sample(range(40), 24)
        tables, lengths, new = [], [], []
        for _ in range(n):
            table = [free.pop() for _ in range(rng.randint(2, 5))]
            room = len(table) * size
            lengths.append(rng.randint(0, room - 1))
            new.append(rng.randint(0, room - lengths[-1]))
            tables.append(table)
        yield tables, lengths, new, size


@question("05-slot", points=3, kind="code", minutes=8)
def _slot():
    def spoilt(said, **wrong):
        return Slip(said, lambda *a: _slots(*a, **wrong))

    def ahead(tables, lengths, new, size):
        """As if each table's blocks were neighbours."""
        begin = [_slots([t], [n], [1], size)[0] if n < len(t) * size else 0
                 for t, n in zip(tables, lengths, strict=True)]  # fmt: skip
        return [b + i for b, n in zip(begin, new, strict=True) for i in range(n)]

    return Function(
        lambda tables, lengths, new, block_size: _slots(tables, lengths, new, block_size),
        _several,
        (
            spoilt("It ignores the block tables, which say where a token's block lies.", table=False),
            spoilt("It gives blocks; a slot is a place within one.", of=lambda block, offset, size: block),
            spoilt(
                "It gives the first slot of the block: the token may stand further in.",
                of=lambda block, offset, size: block * size,
            ),
            spoilt(
                "It adds the block's number; block b begins at slot b × block_size.",
                of=lambda block, offset, size: block + offset,
            ),
            spoilt(
                "It gives pairs of block and place; a slot is one number: block × block_size + place.",
                of=lambda block, offset, size: (block, offset),
            ),
            Slip(
                "It adds the token's number to where its block begins; add its place within the block.",
                lambda tables, lengths, new, size: [
                    blocks[t // size] * size + t
                    for blocks, n, m in zip(tables, lengths, new, strict=True)
                    for t in range(n, n + m)
                ],
            ),
            Slip(
                "It puts all new tokens into the last block of the table.",
                lambda tables, lengths, new, size: _slots(
                    [[t[-1]] * len(t) for t in tables], lengths, new, size
                ),
            ),
            Slip(
                "It stops at token new[i]; the new ones go from lengths[i] to lengths[i] + new[i] − 1.",
                lambda tables, lengths, new, size: _slots(
                    tables, lengths, [max(0, m - n) for n, m in zip(lengths, new, strict=True)], size
                ),
            ),
            spoilt(
                "It gives the place within the block; which block is it?",
                of=lambda block, offset, size: offset,
            ),
            Slip(
                "It begins each sequence at its first token; the new ones come after those it has.",
                lambda tables, lengths, new, size: _slots(tables, [0] * len(tables), new, size),
            ),
            Slip(
                "It gives the slots of all the tokens; only the new ones are asked for.",
                lambda tables, lengths, new, size: _slots(
                    tables, [0] * len(tables), [a + b for a, b in zip(lengths, new, strict=True)], size
                ),
            ),
            Slip(
                "It looks at the first sequence alone.",
                lambda tables, lengths, new, size: _slots(tables[:1], lengths[:1], new[:1], size),
            ),
            Slip(
                "It looks up every sequence's tokens in the first table; each has its own.",
                lambda tables, lengths, new, size: _in_first(tables, lengths, new, size),
            ),
            Slip("It counts on from a sequence's first new slot; the next block may lie elsewhere.", ahead),
            Slip(
                "It gives a list for each sequence; one list of all the slots is asked for.",
                lambda tables, lengths, new, size: [
                    _slots([t], [n], [m], size) for t, n, m in zip(tables, lengths, new, strict=True)
                ],
            ),
            Slip(
                "It sorts the slots; they stand in the order of the tokens.",
                then=lambda v: sorted(v),
            ),
            Slip("It takes blocks of 16 tokens for all; block_size says how many.", block_size=16),
            spoilt(LATE, first=1, last=1),
            spoilt(EARLY, first=-1, last=-1),
            spoilt("It gives one slot too many for each sequence: new[i] are asked for.", last=1),
            Slip(
                "It has the two numbers of divmod the wrong way round: the first says which block.",
                lambda tables, lengths, new, size: [
                    blocks[t % size] * size + t // size
                    for blocks, n, m in zip(tables, lengths, new, strict=True)
                    for t in range(n, n + m)
                ],
            ),
            Slip(
                "It looks up every sequence's tokens in the first table; each has its own.",
                lambda tables, lengths, new, size: _slots(tables[:1] * len(tables), lengths, new, size),
            ),
            Slip(
                "It stops at the first sequence that gets no new token: go on to the next one.",
                lambda tables, lengths, new, size: _slots(
                    *(a[: [*new, 0].index(0)] for a in (tables, lengths, new)), size
                ),
            ),
            Slip("It gives one slot too few for each sequence.", lambda *a: _slots(*a, last=-1)),
            Slip(
                LATE,
                lambda tables, lengths, new, size: _late(tables, lengths, new, size, 1),
            ),
            Slip(
                EARLY,
                lambda tables, lengths, new, size: _late(tables, lengths, new, size, -1),
            ),
        ),
        where={
            "It is wrong only where there are several sequences.": lambda tables, *a: len(tables) > 1,
            "It is wrong only where a sequence gets no new token.": lambda _, lengths, new, size: 0 in new,
            "It is wrong only where a sequence gets no new token, or several.": lambda _, had, new, size: (
                set(new) != {1}
            ),
        },
        idea="Which block of the table is each new token in, and how far into it?",
    )


def _late(tables, lengths, new, size, by):
    """Slots of tokens `by` further on, in tables that go on with their last block."""
    longer = [[*table, table[-1]] for table in tables]
    return _slots(longer, [max(0, n + by) for n in lengths], new, size)


def _in_first(tables, lengths, new, size):
    return _slots([[*tables[0], *tables[0], *tables[0]]] * len(tables), lengths, new, size)
