"""Chapter 07's positions, counted by what is held: an input that shows the fault, and the function mended."""

from ...answers import Bug, Function, Slip
from ..common import question
from .inputs import whole


def _distances(chunks, window):
    """How far behind the newest token each held key lies, oldest first."""
    return list(range(min(window, sum(chunks)) - 1, -1, -1))


def _turned(chunks, window, first=len, at=None, evict=True, before=None):
    """The same by the positions that turn keys and query, `first` that of a chunk's first token."""
    held, seen = [], 0
    for i, chunk in enumerate(chunks):
        begin = first(held) if first else seen
        begin = before(chunks, i) if before and i else begin
        held += range(begin, begin + chunk)
        held = held[-window:] if evict else held
        seen += chunk
    query = held[-1] if at is None else at(held, seen)
    return [query - position for position in held]


def _evicts_first(chunks, window):
    before, last = sum(chunks[:-1]), chunks[-1]
    return list(range(min(before, window) + last - 1, -1, -1))


@question("07-positions", points=4, kind="bugs", minutes=10)
def _positions_bug():
    def cases(rng):
        yield from (
            ([3], 4),
            ([6], 4),
            ([3, 1], 4),
            ([4, 1], 4),
            ([6, 1], 4),
            ([6, 1, 1, 1], 4),
            ([2, 5, 3], 1),
        )
        for _ in range(24):
            yield [rng.randint(1, 9) for _ in range(rng.randint(1, 5))], rng.randint(1, 12)

    def fits(chunks, window):
        if type(chunks) not in (list, tuple) or not 1 <= len(chunks) <= 100:
            return "chunks is a list of at least one count of tokens."
        fault = next((f for f in (whole(1, chunk=c) for c in chunks) if f), "")
        return fault.replace("chunk is", "Each chunk is") or whole(1, window=window)

    return Bug(
        _turned,
        Function(
            _distances,
            cases,
            (
                Slip(
                    "It begins every chunk at position 0; a chunk goes on where the one before it ended.",
                    lambda c, w: _turned(c, w, lambda held: 0),
                ),
                Slip(
                    "The query's position is that of the last slot; it counts all tokens that came.",
                    lambda c, w: _turned(c, w, None, lambda held, seen: len(held) - 1),
                ),
                Slip(
                    "Its distances are one too far: the newest key lies at 0.",
                    lambda c, w: _turned(c, w, None, lambda held, seen: seen),
                ),
                Slip(
                    "The keys' positions still count what is held; only the query's counts what came.",
                    lambda c, w: _turned(c, w, len, lambda held, seen: seen - 1),
                ),
                Slip(
                    "It evicts nothing, so keys are held that the window has left.",
                    lambda c, w: _turned(c, w, None, evict=False),
                ),
                Slip(
                    "It forgets the chunks before the last one; their keys are still in the window.",
                    lambda c, w: _distances(c[-1:], w),
                ),
                Slip(
                    "It evicts before it writes a chunk, so too many are held after it: evict behind it.",
                    _evicts_first,
                ),
                Slip(
                    "It begins a chunk at the length of the one before; all tokens that came count.",
                    lambda c, w: _turned(
                        c, w, None, lambda held, seen: held[-1], before=lambda c, i: c[i - 1]
                    ),
                ),
                Slip("It gives the newest key first; give the oldest first.", then=lambda v: v[::-1]),
                Slip(
                    "It gives the positions of the keys; give how far behind the newest they lie.",
                    lambda c, w: list(range(max(0, sum(c) - w), sum(c))),
                ),
                Slip(
                    "It gives key less query; the oldest key lies farthest behind.",
                    then=lambda v: [-x for x in v],
                ),
                Slip(
                    "It leaves the newest token out; its key is held too, at distance 0.",
                    then=lambda v: v[:-1],
                ),
                Slip("It keeps one key too many.", window=lambda a: a["window"] + 1),
                Slip("It keeps one key too few.", window=lambda a: a["window"] - 1),
                Slip("It forgets the chunks after the first one.", chunks=lambda a: a["chunks"][:1]),
                Slip(
                    "It skips a position at the start of a chunk: one behind the newest key is enough.",
                    lambda c, w: _turned(c, w, lambda held: held[-1] + 2 if held else 0),
                ),
                Slip(
                    "It counts the last position twice: a chunk goes on one behind it.",
                    lambda c, w: _turned(c, w, lambda held: held[-1] if held else 0),
                ),
                Slip(
                    "It gives a window's distances even where fewer tokens have come.",
                    lambda c, w: list(range(w - 1, -1, -1)),
                ),
            ),
            where={
                "It is wrong only once a token has been evicted.": lambda c, w: sum(c) > w,
                "It is wrong only for more than one chunk.": lambda c, w: len(c) > 1,
            },
            idea="Two keys side by side in the text are one position apart, whatever has been evicted.",
        ),
        fits=fits,
        hint="Its positions go wrong for a chunk that comes after an eviction.",
    )
