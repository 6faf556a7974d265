"""Chapter 07's ring, which is rolled wrongly: an input that shows it, and the ring mended."""

from ...answers import Bug, Function, Slip
from ..common import question
from .inputs import whole


def _held(window, sinks, tokens):
    """The tokens 0, 1, … that are held after `tokens` of them, oldest first."""
    every = list(range(tokens))
    return every if tokens <= sinks + window else every[:sinks] + every[tokens - window :]


def _ring(window, sinks, tokens, write=lambda t, w, s: t % w, start=lambda t, w, s: (t - s) % w):
    slots = []
    for token in range(tokens):
        if len(slots) < sinks + window:
            slots.append(token)
        else:
            slots[sinks + write(token, window, sinks)] = token
    first = sinks + start(tokens, window, sinks)
    return slots[:sinks] + slots[first:] + slots[sinks:first]


def _over_all(window, sinks, tokens):
    size = window + sinks
    return list(range(max(0, tokens - size), tokens))


@question("07-ring", points=4, kind="bugs", minutes=10)
def _ring_bug():
    def cases(rng):
        yield from ((4, 0, 3), (4, 0, 6), (4, 2, 1), (4, 2, 5), (4, 2, 6), (4, 2, 7), (5, 3, 30))
        for _ in range(24):
            window = rng.randint(2, 8)
            yield window, rng.randint(0, window - 1), rng.randint(0, 40)

    reads = "You mend where it reads; the fault is where it writes a token."

    def right_write(token, window, sinks):
        return (token - sinks) % window

    def mended(window, sinks, tokens):
        return _ring(window, sinks, tokens, right_write)

    return Bug(
        lambda window, sinks, tokens: _ring(window, sinks, tokens),
        Function(
            _held,
            cases,
            (
                Slip(reads, lambda w, s, t: _ring(w, s, t, start=lambda t, w, s: t % w)),
                Slip(reads, lambda w, s, t: sorted(_ring(w, s, t))),
                Slip(
                    "It holds the right tokens in the order of their slots; give the oldest first.",
                    lambda w, s, t: _ring(w, s, t, right_write, lambda t, w, s: 0),
                ),
                Slip("It overwrites the sinks: the ring begins behind them.", _over_all),
                Slip(
                    "It takes the sinks out of the window; they come on top of it.",
                    lambda w, s, t: _held(max(w - s, 0), s, t),
                ),
                Slip("It loses the sinks.", lambda w, s, t: list(range(max(0, t - w), t))),
                Slip(
                    "It counts tokens twice where the text is shorter than sinks and window.",
                    lambda w, s, t: list(range(min(s, t))) + list(range(max(0, t - w), t)),
                ),
                Slip(
                    "It drops the newest tokens and keeps the oldest.",
                    lambda w, s, t: list(range(min(t, w + s))),
                ),
                Slip("It gives the newest first; give the oldest first.", then=lambda v: v[::-1]),
                Slip("It keeps one token too few in the window.", lambda w, s, t: _held(w - 1, s, t)),
                Slip("It keeps one token too many in the window.", lambda w, s, t: _held(w + 1, s, t)),
                Slip("It gives the ring alone; the sinks are held too.", lambda w, s, t: _held(w, s, t)[s:]),
                Slip("It counts tokens from 1; the first is token 0.", then=lambda v: [t + 1 for t in v]),
                Slip("It gives how many tokens are held; give the tokens.", then=len),
                Slip(
                    "It never evicts; behind the sinks only the last window stays.",
                    lambda w, s, t: list(range(t)),
                ),
                Slip(
                    "It overwrites the sinks: the ring begins behind them.",
                    lambda w, s, t: _ring(w, s, t, lambda t, w, s: t % (w + s) - s),
                ),
                Slip(
                    "It adds the sinks to the token; the ring's first token is the one behind the sinks.",
                    lambda w, s, t: _ring(w, s, t, lambda t, w, s: (t + s) % w),
                ),
                Slip(
                    "It gives empty slots too; only tokens that have come are held.",
                    lambda w, s, t: _held(w, s, t) + [None] * max(0, w + s - t),
                ),
                Slip(
                    "It begins one slot too early where it reads; the oldest lies where the next would go.",
                    lambda w, s, t: (
                        _held(w, s, t)
                        if t <= w + s
                        else _ring(w, s, t, right_write, lambda t, w, s: (t - s - 1) % w)
                    ),
                ),
                Slip(
                    "It rolls the ring the other way round.",
                    lambda w, s, t: _ring(w, s, t, right_write, lambda t, w, s: -(t - s) % w),
                ),
            ),
            where={
                "It is wrong only where there are sinks.": lambda w, s, t: s > 0,
                "It is wrong only once a token has been evicted.": lambda w, s, t: t > w + s,
                "It is wrong only where nothing has been evicted yet.": lambda w, s, t: t <= w + s,
            },
            idea="Write down the slots by hand for a window of 3 behind one sink.",
        ),
        fits=lambda window, sinks, tokens: whole(1, window=window) or whole(0, sinks=sinks, tokens=tokens),
        hint="It is right until a token is overwritten, and where the sinks are 0 or a multiple of window.",
    )
