"""The rollback of speculative decoding: what a verified draft leaves in the cache."""

from ...answers import Function, Slip
from ..common import question


def _rollback(
    kept=lambda length, accepted, drafted: length + 1 + accepted,
    prefix=True,
    corrected=True,
    bonus=True,
    first_drafted=False,
    choice=lambda target, accepted: target[accepted],
    agrees=lambda draft, target: [d == t for d, t in zip(draft, target, strict=False)],
    needed=lambda kept, size: -(-kept // size),
    give=lambda table, needed: table[needed:],
    pack=lambda new, held, back: (new, held, back),
    everything=False,
    last=False,
    before=False,
    source="",
):
    """What a verified draft leaves, right or with one thing done otherwise."""

    def settle(draft, target, table, length, block_size):
        agree = agrees(draft, target)
        accepted = agree.index(False) if prefix and False in agree else sum(agree)
        accepted = max((i + 1 for i, same in enumerate(agree) if same), default=0) if last else accepted
        new = draft[:accepted]
        if corrected and (bonus or accepted < len(draft)):
            wrong = first_drafted and accepted < len(draft)
            new = [*new, draft[accepted] if wrong else choice(target, accepted)]
        new = {"draft": draft, "target": target}[source][: accepted + 1] if source else new
        held = kept(length, accepted, len(draft))
        back = give(table, needed(length if before else held, block_size))
        if pack is None:
            return new, len(draft) - accepted, back
        return pack(target if everything else new, held, back)

    return settle


def _drafts(rng):
    yield [90, 91, 92, 93, 94], [10, 11, 12, 13, 14, 15], [8, 3, 9, 1, 4], 4, 2  # several blocks go
    yield [5, 6, 7], [6, 5, 7, 5], [2, 9, 4], 6, 4  # chosen, but for other places
    yield [7, 5], [7, 7, 5], [3, 8], 5, 4
    for case in range(36):
        drafted = rng.randint(1, 6)
        target = [rng.randint(10, 99) for _ in range(drafted + 1)]
        draft = target[:drafted]
        wrong = rng.randint(0, drafted - 1) if case % 4 else drafted
        for i in range(wrong, drafted):
            if i == wrong or rng.random() < 0.4:
                draft[i] += 100
        length, size = rng.randint(1, 40), rng.choice([2, 4, 8])
        blocks = -(-(length + 1 + drafted) // size)
        yield draft, target, rng.sample(range(100), blocks), length, size


def _from_target(wrong):
    """The mistakes of counting once more, the new tokens cut from the model's choices in one piece."""
    for said, one in wrong.items():
        if one.keys() & {"prefix", "last", "agrees"}:
            yield said, one | dict(source="target")
        if "first_drafted" in one:
            yield said, dict(source="draft")


@question("10-rollback", points=5, kind="code", minutes=14)
def _rolled():
    keys = "What the cache keeps is the newest token and the accepted ones"
    wrong = {
        "It counts every token that agrees; after the first that differs, the rest is void.": dict(
            prefix=False
        ),
        "It accepts up to the last token that agrees; the first that differs ends it.": dict(last=True),
        "It looks for a drafted token anywhere among the model's choices; it must stand in its place.": dict(
            agrees=lambda draft, target: [d in target for d in draft]
        ),
        "It gives the model's own token alone; the accepted ones are new, too.": dict(
            pack=lambda new, held, back: (new[-1:], held, back)
        ),
        "It sorts the blocks; they are wanted in the order of the table.": dict(
            give=lambda table, needed: sorted(table[needed:])
        ),
        "It gives the blocks' places in the table; their numbers are asked for.": dict(
            give=lambda table, needed: list(range(needed, len(table)))
        ),
        f"{keys}. It gives how many were accepted; the tokens before count, too.": dict(
            kept=lambda n, accepted, drafted: accepted
        ),
        f"{keys}. It gives how many were refused.": dict(pack=None),
        "It gives back the blocks behind the length before the step; the new tokens need room.": dict(
            before=True
        ),
        "It leaves out the model's own token after the accepted ones.": dict(corrected=False),
        "Where all are accepted, the model's next token comes on top.": dict(bonus=False),
        "It takes the drafted token that was refused; the model's own stands there.": dict(
            first_drafted=True
        ),
        "It takes the model's choice behind the whole draft; the one behind the accepted ones counts.": dict(
            choice=lambda target, accepted: target[-1]
        ),
        "It takes the model's choice a place too far.": dict(
            choice=lambda target, accepted: target[accepted + 1]
        ),
        "It compares each drafted token with the model's choice for the next place.": dict(
            agrees=lambda draft, target: [d == t for d, t in zip(draft, target[1:], strict=True)]
        ),
        f"{keys}; it forgets the newest token.": dict(kept=lambda n, accepted, drafted: n + accepted),
        f"{keys}. The model's own new token has no keys and values yet.": dict(
            kept=lambda n, accepted, drafted: n + 2 + accepted
        ),
        f"{keys}. It keeps the refused ones too.": dict(kept=lambda n, accepted, drafted: n + 1 + drafted),
        f"{keys}. It goes back to the length before the step.": dict(kept=lambda n, accepted, drafted: n),
        f"{keys}, behind the length that was there. It counts the new ones alone.": dict(
            kept=lambda n, accepted, drafted: 1 + accepted
        ),
        "It gives no block back.": dict(give=lambda table, needed: []),
        "It gives back a block that is still in use: round up.": dict(needed=lambda kept, size: kept // size),
        "It keeps a block too many: full blocks need no other.": dict(
            needed=lambda kept, size: kept // size + 1
        ),
        "It gives the blocks that stay; those that go are asked for.": dict(
            give=lambda table, needed: table[:needed]
        ),
        "Where no block goes, it gives them all: table[-0:] is the whole table.": dict(
            give=lambda table, needed: table[-(len(table) - needed) :]
        ),
        "It gives back a block too few.": dict(give=lambda table, needed: table[needed + 1 :]),
        "It gives the blocks back from the end; they are wanted in the order of the table.": dict(
            give=lambda table, needed: table[needed:][::-1]
        ),
        "The new tokens are not all that the model chose: what follows a refused token is void.": dict(
            everything=True
        ),
        "It gives the three things in another order: new tokens, tokens kept, blocks.": dict(
            pack=lambda new, held, back: (held, new, back)
        ),
        "It gives two things: new tokens, tokens kept and blocks are wanted.": dict(
            pack=lambda new, held, back: (new, held)
        ),
        "It says how many tokens are new; the tokens are wanted.": dict(
            pack=lambda new, held, back: (len(new), held, back)
        ),
        "It gives the number of blocks; their numbers in the table are asked for.": dict(
            give=lambda table, needed: len(table[needed:])
        ),
    }

    def all_right(draft, target, *_):
        return draft == target[:-1]

    return Function(
        _rollback(),
        _drafts,
        tuple(Slip(said, _rollback(**one)) for said, one in [*wrong.items(), *_from_target(wrong)]),
        where={
            "It is wrong just where the whole draft is accepted.": all_right,
            "It is wrong just where a drafted token is refused.": lambda *case: not all_right(*case),
            "It is wrong just where the first drafted token is refused.": lambda draft, target, *_: (
                draft[0] != target[0]
            ),
        },
        idea="Follow a draft of 3 by hand, its second token refused: what is in the cache before and after?",
    )
