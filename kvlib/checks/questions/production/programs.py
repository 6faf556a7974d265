"""A scheduler's step with chunked prefill, and the rollback of speculative decoding."""

from ...answers import Function, Slip
from ..common import question


def _planner(
    first="decodes",
    chunked=True,
    skips=False,
    limit=True,
    over="",
    order=lambda waiting, left: waiting,
    decode=lambda room, chunk: (min(1, room), min(1, room)),
    evenly=False,
    alone=False,
    together=False,
    whole_off=False,
    give=lambda tokens, left: tokens,
):
    """A scheduler's step, right or with one thing done otherwise."""

    def plan(left, budget, chunk):
        tokens, room = [0] * len(left), budget
        running = [i for i, n in enumerate(left) if n == 0]
        waiting = order([i for i, n in enumerate(left) if n > 0], left)
        queue = {"decodes": [*running, *waiting], "prompts": [*waiting, *running]}.get(
            first, range(len(left))
        )
        share = max(1, (budget - len(running)) // max(1, len(waiting)))
        stopped = False
        for i in queue:
            if left[i] == 0:
                tokens[i], spent = decode(room, chunk)
                room -= spent
                continue
            whole = min(left[i], chunk) if limit else left[i]
            whole = min(whole, share) if evenly else whole
            if stopped or alone and any(tokens[j] for j in waiting):
                continue
            if not chunked and whole > room:
                stopped = not skips
                continue
            tokens[i] = whole if over == "always" or over == "once" and room > 0 else min(whole, room)
            room = max(0, room - (chunk if whole_off else tokens[i]))
            chunk -= tokens[i] if together else 0
        return give(tokens, left)

    return plan


def _queues(rng):
    yield from (([0], 8, 4), ([5], 8, 8), ([5], 3, 8), ([20], 64, 8), ([0, 6, 0], 4, 16), ([9, 0, 4], 32, 16))
    yield from (([0, 0, 0, 0], 2, 8), ([30, 5], 20, 16), ([3, 10, 0, 2], 8, 16), ([12, 3, 1], 8, 16))
    for _ in range(26):
        left = [rng.choice([0, 0, rng.randint(1, 40)]) for _ in range(rng.randint(2, 7))]
        yield left, rng.randint(2, 60), rng.choice([4, 8, 16, 64])


@question("10-step", points=5, kind="code", minutes=14)
def _step():
    def by(key):
        return lambda waiting, left: sorted(waiting, key=key(left))

    wrong = {
        "It serves the prompts before those that decode; decoding requests come first.": dict(
            first="prompts"
        ),
        "It goes by arrival alone; all that decode come before any prompt.": dict(first="arrival"),
        "It begins no prompt that does not fit whole; give it what is left of the budget.": dict(
            chunked=False
        ),
        "It passes over a prompt that does not fit whole and takes a later one; give it what is left.": dict(
            chunked=False, skips=True
        ),
        "It does not look at chunk: no prompt gets more than that in a step.": dict(limit=False),
        "It does not count the decoded tokens in the budget.": dict(
            decode=lambda room, chunk: (min(1, room), 0)
        ),
        "It goes over the budget with the last prompt; give it what is left.": dict(over="once"),
        "It gives prompts more than is left of the budget; what is left is the most they get.": dict(
            over="always"
        ),
        "It takes the shortest prompt first; they come in the order of arrival.": dict(
            order=by(lambda left: left.__getitem__)
        ),
        "It takes the longest prompt first; they come in the order of arrival.": dict(
            order=by(lambda left: lambda i: -left[i])
        ),
        "It takes the last prompt first; they come in the order of arrival.": dict(
            order=lambda waiting, left: waiting[::-1]
        ),
        "It gives nothing to requests that decode; each gets one token.": dict(
            decode=lambda room, chunk: (0, 0)
        ),
        "It takes a token off the budget for each that decodes, and does not give it.": dict(
            decode=lambda room, chunk: (0, min(1, room))
        ),
        "It shares the budget among the prompts; the first to come takes as much as it can.": dict(
            evenly=True
        ),
        "It serves one prompt in a step; what is left of the budget goes to the next.": dict(alone=True),
        "It gives a decoding request a whole chunk; a decode step makes one token.": dict(
            decode=lambda room, chunk: 2 * (min(chunk, room),)
        ),
        "It gives all prompts together no more than a chunk; each may have one.": dict(together=True),
        "It takes a whole chunk off the budget, though a prompt got less.": dict(whole_off=True),
        "It leaves out the requests that get nothing; each has its place, with 0.": dict(
            give=lambda tokens, left: [n for n in tokens if n]
        ),
        "It gives what is left of the prompts afterwards; the tokens of this step are asked for.": dict(
            give=lambda tokens, left: [n - t for n, t in zip(left, tokens, strict=True)]
        ),
    }
    return Function(
        _planner(),
        _queues,
        tuple(Slip(said, _planner(**one)) for said, one in wrong.items()),
        where={
            "It is wrong just where the budget is smaller than the number of requests that decode.": (
                lambda left, budget, chunk: budget < left.count(0)
            ),
            "It is wrong just where some requests decode.": lambda left, budget, chunk: 0 in left,
            "It is wrong just where a prompt is longer than chunk.": lambda left, budget, chunk: (
                max(left) > chunk
            ),
            "It is wrong just where there is a prompt.": lambda left, budget, chunk: any(left),
            "It is wrong just where the budget does not reach for all.": (
                lambda left, budget, chunk: sum(min(n or 1, chunk) for n in left) > budget
            ),
        },
        idea="Follow one step by hand: first a token for each that decodes, then the prompts in their order.",
    )


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
):
    """What a verified draft leaves, right or with one thing done otherwise."""

    def settle(draft, target, table, length, block_size):
        agree = agrees(draft, target)
        accepted = agree.index(False) if prefix and False in agree else sum(agree)
        new = draft[:accepted]
        if corrected and (bonus or accepted < len(draft)):
            wrong = first_drafted and accepted < len(draft)
            new = [*new, draft[accepted] if wrong else choice(target, accepted)]
        held = kept(length, accepted, len(draft))
        return pack(target if everything else new, held, give(table, needed(held, block_size)))

    return settle


def _drafts(rng):
    yield [90, 91, 92, 93, 94], [10, 11, 12, 13, 14, 15], [8, 3, 9, 1, 4], 4, 2  # several blocks go
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


@question("10-rollback", points=5, kind="code", minutes=14)
def _rolled():
    keys = "What the cache keeps is the newest token and the accepted ones"
    wrong = {
        "It counts every token that agrees; after the first that differs, the rest is void.": dict(
            prefix=False
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
        tuple(Slip(said, _rollback(**one)) for said, one in wrong.items()),
        where={
            "It is wrong just where the whole draft is accepted.": all_right,
            "It is wrong just where a drafted token is refused.": lambda *case: not all_right(*case),
            "It is wrong just where the first drafted token is refused.": lambda draft, target, *_: (
                draft[0] != target[0]
            ),
        },
        idea="Follow a draft of 3 by hand, its second token refused: what is in the cache before and after?",
    )
