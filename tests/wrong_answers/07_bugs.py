"""Wrong answers to chapter 07's faulty caches: inputs that show nothing, functions mended wrongly."""


def mended_ring(window, sinks, tokens):
    every = list(range(tokens))
    return every if tokens <= sinks + window else every[:sinks] + every[-window:]


def slots(window, sinks, tokens, place):
    found = []
    for token in range(tokens):
        if len(found) < sinks + window:
            found.append(token)
        else:
            found[sinks + place(token, window, sinks)] = token
    return found


def faulty_ring(window, sinks, tokens):
    found = slots(window, sinks, tokens, lambda t, w, s: t % w)
    start = sinks + (tokens - sinks) % window
    return found[:sinks] + found[start:] + found[sinks:start]


def ring_over_all(window, sinks, tokens):
    found = [None] * (window + sinks)
    for token in range(tokens):
        found[token % len(found)] = token
    return sorted(token for token in found if token is not None)


def ring(answer=None, fix=mended_ring):
    return {"input": answer or (4, 1, 6), "fix": fix}


def mended_distances(chunks, window):
    return list(range(min(window, sum(chunks)) - 1, -1, -1))


def turned(begin, query=None):
    """A function of chunks and window that turns a chunk's first key by `begin(held, seen)`."""

    def wrong(chunks, window):
        held, seen = [], 0
        for chunk in chunks:
            first = begin(held, seen)
            held = [*held, *range(first, first + chunk)][-window:]
            seen += chunk
        at = query(held, seen) if query else held[-1]
        return [at - position for position in held]

    return wrong


def distances(answer=None, fix=mended_distances):
    return {"input": answer or ([6, 1], 4), "fix": fix}


def of_right(change):
    return distances(fix=lambda chunks, window: change(mended_distances(chunks, window)))


def mended_serve(requests, n_heads):
    rows = requests[-1]
    return sum(map(len, rows)), [[row[h * len(row) // n_heads] for row in rows] for h in range(n_heads)]


def buffered(clear=False, narrow=False):
    def wrong(requests, n_heads):
        buffer = []
        for request in requests:
            buffer = [] if clear else buffer
            for i, row in enumerate(request):
                share = n_heads // len(row)
                buffer[i : i + 1] = [[row[h // share] for h in range(n_heads)]]
        held = sum(len(row) for row in buffer)
        if narrow and requests[-1]:
            held = len(buffer) * len(requests[-1][0])
        return held, [[wide[h] for wide in buffer] for h in range(n_heads)]

    return wrong


def buffer(answer=None, fix=mended_serve):
    return {"input": answer or ([[[1], [2]], [[3]]], 1), "fix": fix}


def reading(read):
    """A `serve` that counts rightly and reads the last request's rows as `read` says."""
    return buffer(fix=lambda requests, n: (mended_serve(requests, n)[0], read(requests[-1], n)))


def serving(change):
    return buffer(fix=lambda requests, n: change(mended_serve(requests, n), requests, n))


def by_head(head):
    return lambda rows, n: [[row[head(h, n, len(row))] for row in rows] for h in range(n)]


WRONG = [
    ("07-ring", ring((4, 0, 10)), "On this input the faulty function is right", 2),
    ("07-ring", ring((4, 1, 5)), "It is right until a token is overwritten", 2),
    ("07-ring", ring((4, 1)), "Your input has 2 values, not 3", 2),
    ("07-ring", ring(6), "Give its arguments in a tuple: (window, sinks, tokens)", 2),
    ("07-ring", ring((0, 1, 9)), "window is a whole number from 1", 2),
    ("07-ring", ring((4, -1, 9)), "sinks is a whole number from 0", 2),
    ("07-ring", ring((4.0, 1, 6)), "window is a whole number from 1", 2),
    ("07-ring", ring(fix=faulty_ring), "This is still the faulty function", 2),
    ("07-ring", ring(fix=lambda *a: sorted(faulty_ring(*a))), "the fault is where it writes a token", 2),
    (
        "07-ring",
        ring(fix=lambda *a: slots(*a, lambda t, w, s: (t - s) % w)),
        "in the order of their slots",
        2,
    ),
    ("07-ring", ring(fix=ring_over_all), "It overwrites the sinks", 2),
    ("07-ring", ring(fix=lambda w, s, t: list(range(t))[-w:]), "It loses the sinks", 2),
    (
        "07-ring",
        ring(fix=lambda w, s, t: list(range(t))[:s] + list(range(t))[-w:]),
        "It counts tokens twice",
        2,
    ),
    ("07-ring", ring(fix=lambda w, s, t: list(range(min(t, w + s)))), "It drops the newest tokens", 2),
    ("07-ring", ring(fix=lambda *a: mended_ring(*a)[::-1]), "It gives the newest first", 2),
    ("07-ring", ring(fix=lambda w, s, t: mended_ring(w + 1, s, t)), "one token too many", 2),
    ("07-ring", ring(fix=lambda w, s, t: mended_ring(w - 1, s, t)), "one token too few", 2),
    ("07-ring", ring(fix=lambda w, s, t: mended_ring(w - s, s, t)), "takes the sinks out of the window", 2),
    ("07-ring", ring(fix=lambda *a: len(mended_ring(*a))), "give the tokens", 2),
    ("07-ring", ring(fix=lambda w, s, t: list(range(t))), "It never evicts", 2),
    ("07-ring", ring(fix=lambda w, s, t: mended_ring(w, s, t)[s:]), "It gives the ring alone", 2),
    ("07-ring", ring(fix=lambda *a: [t + 1 for t in mended_ring(*a)]), "It counts tokens from 1", 2),
    ("07-ring", ring(fix=lambda *a: set(mended_ring(*a))), "It gives a frozenset where a list", 2),
    (
        "07-ring",
        ring(fix=lambda w, s, t: mended_ring(w, s, t) if t > w + s else []),
        "It is wrong only where nothing has been evicted yet",
        2,
    ),
    ("07-ring", {"input": None, "fix": faulty_ring}, "This is still the faulty function"),
    ("07-ring", faulty_ring, 'Give a dict with the keys "input" and "fix"'),
    ("07-positions", distances(([3, 1], 8)), "On this input the faulty function is right", 2),
    ("07-positions", distances(([6], 4)), "for a chunk that comes after an eviction", 2),
    ("07-positions", distances((6, 4)), "chunks is a list", 2),
    ("07-positions", distances(([6, 0, 1], 4)), "Each chunk is a whole number from 1", 2),
    (
        "07-positions",
        distances(fix=turned(lambda held, seen: len(held))),
        "This is still the faulty function",
        2,
    ),
    ("07-positions", distances(fix=turned(lambda held, seen: 0)), "It begins every chunk at position 0", 2),
    (
        "07-positions",
        distances(fix=turned(lambda held, seen: held[-1] if held else 0)),
        "It counts the last position twice",
        2,
    ),
    (
        "07-positions",
        distances(fix=turned(lambda held, seen: held[-1] + 2 if held else 0)),
        "It skips a position",
        2,
    ),
    (
        "07-positions",
        distances(fix=turned(lambda held, seen: len(held), lambda held, seen: seen - 1)),
        "The keys' positions still count what is held",
        2,
    ),
    (
        "07-positions",
        distances(fix=turned(lambda held, seen: seen, lambda held, seen: len(held) - 1)),
        "The query's position is that of the last slot",
        2,
    ),
    (
        "07-positions",
        distances(fix=lambda chunks, w: list(range(sum(chunks)))[::-1]),
        "It evicts nothing",
        2,
    ),
    ("07-positions", of_right(lambda d: d[::-1]), "It gives the newest key first", 2),
    ("07-positions", of_right(lambda d: [-x for x in d]), "It gives key less query", 2),
    ("07-positions", of_right(lambda d: [x + 1 for x in d]), "Its distances are one too far", 2),
    ("07-positions", of_right(lambda d: d[:-1]), "It leaves the newest token out", 2),
    ("07-positions", of_right(len), "It gives an int where a list is wanted", 2),
    ("07-positions", of_right(lambda d: [2 * x for x in d]), None, 2),
    ("07-positions", distances(fix=lambda c, w: mended_distances(c, w + 1)), "one key too many", 2),
    ("07-positions", distances(fix=lambda c, w: mended_distances(c, w - 1)), "one key too few", 2),
    (
        "07-positions",
        distances(fix=lambda c, w: mended_distances(c[-1:], w)),
        "It forgets the chunks before",
        2,
    ),
    ("07-positions", distances(fix=lambda c, w: mended_distances(c[:1], w)), "the chunks after", 2),
    ("07-positions", distances(fix=lambda c, w: list(range(w))[::-1]), "where fewer tokens have come", 2),
    (
        "07-positions",
        distances(fix=lambda c, w: list(range(sum(c)))[-w:]),
        "It gives the positions of the keys",
        2,
    ),
    ("07-buffer", buffer(([[[1], [2]]], 1)), "On this input the faulty function is right", 2.5),
    ("07-buffer", buffer(([[[1]], [[2], [3]]], 1)), "Either an earlier request was longer", 2.5),
    ("07-buffer", buffer(([[1, 2], [3]], 1)), "A request is a list of rows", 2.5),
    ("07-buffer", buffer(([[[1, 2]]], 3)), "n_heads is a multiple of the KV heads", 2.5),
    ("07-buffer", buffer(([[[1], [2, 3]]], 2)), "Every row has the same number of KV heads", 2.5),
    ("07-buffer", buffer(([[["key"]]], 2)), "A row holds one number for each KV head", 2.5),
    ("07-buffer", buffer(fix=buffered()), "This is still the faulty function", 2.5),
    (
        "07-buffer",
        buffer(fix=buffered(clear=True)),
        "It still keeps each key once for every query head",
        2.5,
    ),
    (
        "07-buffer",
        buffer(fix=buffered(narrow=True)),
        "It still shows what an earlier, longer request",
        2.5,
    ),
    (
        "07-buffer",
        buffer(fix=lambda requests, n: mended_serve([[row for r in requests for row in r]], n)),
        "It keeps all requests",
        2.5,
    ),
    ("07-buffer", buffer(fix=lambda r, n: mended_serve(r[:1], n)), "the first request's rows", 2.5),
    ("07-buffer", reading(by_head(lambda h, n, n_kv: h % n_kv)), "It hands the KV heads out in turn", 2.5),
    ("07-buffer", reading(by_head(lambda h, n, n_kv: 0)), "Every query head reads the first KV head", 2.5),
    ("07-buffer", reading(by_head(lambda h, n, n_kv: h // n_kv)), "It divides by the KV heads", 2.5),
    ("07-buffer", reading(lambda rows, n: rows), "It reads a list for each token", 2.5),
    (
        "07-buffer",
        reading(lambda rows, n: [list(column) for column in zip(*rows, strict=True)]),
        "It reads one list per KV head",
        2.5,
    ),
    ("07-buffer", serving(lambda right, r, n: right[1]), "the numbers held come first", 2.5),
    ("07-buffer", serving(lambda right, r, n: right[0]), "It gives only the numbers held", 2.5),
    ("07-buffer", serving(lambda right, r, n: right[::-1]), "the other way round", 2.5),
    ("07-buffer", serving(lambda right, r, n: (len(r[-1]), right[1])), "It counts rows", 2.5),
    ("07-buffer", serving(lambda right, r, n: (2 * right[0], right[1])), "stands for the keys alone", 2.5),
    (
        "07-buffer",
        serving(lambda right, r, n: (sum(len(row) for rows in r for row in rows), right[1])),
        "It counts the numbers of all requests",
        2.5,
    ),
    ("07-buffer", serving(lambda right, r, n: (right[0], right[1][::-1])), None, 2.5),
]  # fmt: skip


def slot_by_slot(window, sinks, tokens):
    held = [None] * (window + sinks)
    for token in range(tokens):
        held[token if token < sinks else sinks + (token - sinks) % window] = token
    return tuple(sorted(token for token in held if token is not None))


RIGHT = [
    ("07-ring", ring([3, 1, 5], slot_by_slot)),
    ("07-ring", ring({"window": 4, "sinks": 3, "tokens": 100})),
    ("07-positions", distances([(9, 1), 4], lambda c, w: tuple(mended_distances(c, w)))),
    (
        "07-positions",
        distances(([5, 1, 1], 4), turned(lambda held, seen: seen, lambda held, seen: seen - 1)),
    ),
    ("07-buffer", buffer(([[[1, 2]]], 4), lambda requests, n: list(mended_serve(requests, n)))),
    ("07-buffer", buffer(([[[1.5], [2]], []], 1))),
]
