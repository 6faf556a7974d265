"""A scheduler's step with chunked prefill."""

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
    need=min,
    kept=False,
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
            whole = need(left[i], chunk) if limit else left[i]
            whole = min(whole, share) if evenly else whole
            if stopped or alone and any(tokens[j] for j in waiting):
                continue
            if not chunked and whole > room:
                stopped = not skips
                continue
            tokens[i] = whole if over == "always" or over == "once" and room > 0 else min(whole, room)
            room = room if kept else max(0, room - (chunk if whole_off else tokens[i]))
            chunk -= tokens[i] if together else 0
        return give(tokens, left)

    return plan


def _prompt(pair):
    return pair[0] > 0


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
        "It gives a prompt more tokens than it has left: a whole chunk, if the budget lasts.": dict(
            need=lambda n, chunk: chunk
        ),
        "It gives a prompt one token more than it has left; it decodes from the next step on.": dict(
            need=lambda n, chunk: min(n + 1, chunk)
        ),
        "It does not take off the budget what a prompt gets.": dict(kept=True),
        "It gives what is left of the prompts; give what each gets in this step.": dict(
            give=lambda tokens, left: [n - t if n else 0 for n, t in zip(left, tokens, strict=True)]
        ),
        "It puts those that decode in front; each keeps its place, in the order of arrival.": dict(
            give=lambda tokens, left: [t for _, t in sorted(zip(left, tokens, strict=True), key=_prompt)]
        ),
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
