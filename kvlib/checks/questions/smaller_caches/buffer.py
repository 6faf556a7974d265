"""Chapter 07's buffer: it shows what an earlier request left, and keeps a key once for every reader."""

from ...answers import Bug, Function, Slip
from ..common import question
from .inputs import whole


def _served(requests, n_heads):
    """(numbers held, [what each query head reads]) of the last request."""
    rows = requests[-1]
    return sum(map(len, rows)), _read(rows, n_heads)


def _read(rows, n_heads, head=lambda h, n_heads, n_kv: h * n_kv // n_heads):
    return [[row[head(h, n_heads, len(row))] for row in rows] for h in range(n_heads)]


def _buffered(requests, n_heads, stale=True, wide=True):
    rows = []
    for request in requests:
        rows = list(request) + (rows[len(request) :] if stale else [])
    read = _read(rows, n_heads)
    return len(rows) * n_heads if wide else sum(map(len, rows)), read


@question("07-buffer", points=5, kind="bugs", minutes=12)
def _buffer_bug():
    def cases(rng):
        yield [[[1, 2]]], 2
        yield [[[1, 2], [3, 4]]], 4
        yield [[[1], [2], [3]], [[4]]], 1
        yield [[[1], [2], [3]], []], 1
        for _ in range(24):
            n_kv = rng.choice([1, 2, 4])
            requests = [
                [[rng.randint(1, 99) for _ in range(n_kv)] for _ in range(rng.randint(1, 6))]
                for _ in range(rng.randint(1, 4))
            ]
            yield requests, n_kv * rng.choice([1, 2, 3])

    def fits(requests, n_heads):
        lists = (list, tuple)
        if type(requests) not in lists or not 1 <= len(requests) <= 100:
            return "requests is a list of at least one request."
        if any(
            type(r) not in lists or len(r) > 100 or any(type(row) not in lists for row in r) for r in requests
        ):
            return "A request is a list of rows, one for each token, each a list of numbers."
        if any(type(x) not in (int, float) for r in requests for row in r for x in row):
            return "A row holds one number for each KV head."
        widths = {len(row) for r in requests for row in r}
        if len(widths) > 1 or widths == {0}:
            return "Every row has the same number of KV heads, at least one."
        fault = whole(1, n_heads=n_heads)
        if not fault and widths and n_heads % min(widths):
            return "n_heads is a multiple of the KV heads."
        return fault

    def tiled(h, n_heads, n_kv):
        return h % n_kv

    def all_of_them(requests, n_heads):
        return _served([[row for request in requests for row in request]], n_heads)

    by_token = "It reads a list for each token; give one for each query head."
    return Bug(
        _buffered,
        Function(
            _served,
            cases,
            (
                Slip(
                    "It still keeps each key once for every query head that reads it; keep one per KV head.",
                    lambda r, h: _buffered(r, h, stale=False),
                ),
                Slip(
                    "It still shows what an earlier, longer request left in the buffer.",
                    lambda r, h: _buffered(r, h, wide=False),
                ),
                Slip("It keeps all requests; the last one sees its own rows alone.", all_of_them),
                Slip(
                    "It gives the first request's rows; the last one reads the buffer.",
                    lambda r, h: _served(r[:1], h),
                ),
                Slip(
                    "It hands the KV heads out in turn; neighbouring query heads share one.",
                    lambda r, h: (_served(r, h)[0], _read(r[-1], h, tiled)),
                ),
                Slip(
                    "It reads one list per KV head; give one for each query head.",
                    lambda r, h: (_served(r, h)[0], [list(column) for column in zip(*r[-1], strict=True)]),
                ),
                Slip(
                    "It reads one list per KV head; give one for each query head.",
                    lambda r, h: (_served(r, h)[0], _read(r[-1], len(r[-1][0]))),
                ),
                Slip(
                    "It divides by the KV heads; divide by the query heads that share one of them.",
                    lambda r, h: (
                        _served(r, h)[0],
                        _read(r[-1], h, lambda h, n_heads, n_kv: min(h // n_kv, n_kv - 1)),
                    ),
                ),
                Slip(
                    by_token,
                    lambda r, h: (
                        _served(r, h)[0],
                        [list(row) for row in zip(*_read(r[-1], h), strict=True)],
                    ),
                ),
                Slip(by_token, lambda r, h: (_served(r, h)[0], r[-1])),
                Slip(
                    "Every query head reads the first KV head; each reads the one that it shares.",
                    lambda r, h: (_served(r, h)[0], _read(r[-1], h, lambda h, n_heads, n_kv: 0)),
                ),
                Slip(
                    "It divides by the KV heads; divide by the query heads that share one of them.",
                    lambda r, h: (_served(r, h)[0], _read(r[-1], h, lambda h, n_heads, n_kv: h // n_kv)),
                ),
                Slip(
                    "It counts a key and a value; here a row stands for the keys alone.",
                    then=lambda v: (2 * v[0], v[1]),
                ),
                Slip(
                    "It counts rows; a row holds one number for each KV head.",
                    lambda r, h: (len(r[-1]), _read(r[-1], h)),
                ),
                Slip(
                    "It counts the numbers of all requests; the buffer holds the last one's.",
                    lambda r, h: (sum(len(row) for request in r for row in request), _read(r[-1], h)),
                ),
                Slip("It gives only what is read; the numbers held come first.", then=lambda v: v[1]),
                Slip(
                    "It gives only the numbers held; give what each query head reads too.",
                    then=lambda v: v[0],
                ),
                Slip("It gives its two parts the other way round.", then=lambda v: (v[1], v[0])),
            ),
            where={
                "It is wrong only for more than one request.": lambda r, h: len(r) > 1,
                "It is wrong only where there are more query heads than KV heads.": lambda r, h: (
                    bool(r[-1]) and h > len(r[-1][0])
                ),
                "It is wrong only where the last request is empty.": lambda r, h: not r[-1],
            },
            idea="Begin each request with an empty buffer, and widen its rows only when they are read.",
        ),
        fits=fits,
        hint="Either an earlier request was longer, or there are more query heads than KV heads.",
    )
