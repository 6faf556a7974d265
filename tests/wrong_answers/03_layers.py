"""Wrong answers to the functions of chapter 03, which count layers with and without a window."""


def size(layers, tokens, batch, number_bytes):
    """The right bytes."""
    kept = [tokens if w is None else min(tokens, w) for *_, w in layers]
    return 2 * batch * number_bytes * sum(h * d * k for (h, d, _), k in zip(layers, kept, strict=True))


def keeps(kept):
    """A size in which a layer with a window keeps something else."""

    def wrong(layers, tokens, batch, number_bytes):
        total = 0
        for heads, dim, window in layers:
            total += 2 * heads * dim * (tokens if window is None else kept(tokens, window))
        return total * batch * number_bytes

    return wrong


def everywhere(layers, tokens, batch, number_bytes):
    window = min((w for *_, w in layers if w is not None), default=tokens)
    return size([(h, d, window) for h, d, _ in layers], tokens, batch, number_bytes)


def on_full_layers(layers, tokens, batch, number_bytes):
    window = min((w for *_, w in layers if w is not None), default=None)
    return size([(h, d, w or window) for h, d, w in layers], tokens, batch, number_bytes)


def returns_early(layers, tokens, batch, number_bytes):
    for layer in layers:
        return size([layer], tokens, batch, number_bytes)


def all_alike(layers, tokens, batch, number_bytes):
    return size(layers[:1], tokens, batch, number_bytes) * len(layers)


def one_shape(layers, tokens, batch, number_bytes):
    heads, dim, _ = layers[0]
    return size([(heads, dim, w) for *_, w in layers], tokens, batch, number_bytes)


def no_window_is_none(layers, tokens, batch, number_bytes):
    return size([(h, d, min(tokens, w)) for h, d, w in layers], tokens, batch, number_bytes)


def shared_window(layers, tokens, batch, number_bytes):
    return size(layers, tokens * batch, 1, number_bytes)


def smallest_batch(layers, tokens, batch, number_bytes):
    """Adds the batch where it multiplies."""
    return size(layers, tokens, 1, number_bytes) + batch


def in_mib(layers, tokens, batch, number_bytes):
    return size(layers, tokens, batch, number_bytes) / 2**20


def by_layer(layers, tokens, batch, number_bytes):
    return [size([layer], tokens, batch, number_bytes) for layer in layers]


def last_alone(layers, tokens, batch, number_bytes):
    for heads, dim, window in layers:
        total = size([(heads, dim, window)], tokens, batch, number_bytes)
    return total


def average(layers, tokens, batch, number_bytes):
    """Every layer keeps the average."""
    kept = sum(tokens if w is None else min(tokens, w) for *_, w in layers) / len(layers)
    return 2 * batch * number_bytes * kept * sum(h * d for h, d, _ in layers)


def squared(layers, tokens, batch, number_bytes):
    return size(layers, tokens, batch, number_bytes) * tokens


WINDOW = [
    (keeps(lambda t, w: t), "It ignores the windows"),
    (keeps(lambda t, w: t + w), "adds the window to the context"),
    (everywhere, "gives every layer the same window"),
    (on_full_layers, "gives the layers without a window one of the others'"),
    (keeps(lambda t, w: min(t, w + 1)), "one token more than the window"),
    (keeps(lambda t, w: min(t, w - 1)), "one token fewer than the window"),
    (keeps(max), "the larger of context and window"),
    (keeps(lambda t, w: w), "even where there are fewer tokens"),
    (keeps(lambda t, w: max(0, t - w)), "what lies outside the window"),
    (keeps(lambda t, w: t % w), "only where a window is full"),
    (keeps(lambda t, w: 0), "leaves the layers with a window out"),
    (lambda ls, *a: size([x for x in ls if x[2] is not None], *a), "leaves the layers without a window out"),
    (returns_early, "counts one layer only"),
    (last_alone, "counts the last layer only"),
    (all_alike, "takes the first layer for all of them"),
    (one_shape, "the first layer's heads and width"),
    (no_window_is_none, "only where a layer has no window"),
    (shared_window, "shares one window among the batch"),
    (lambda ls, t, b, n: size(ls, t, 1, n), "forgets the batch"),
    (lambda ls, t, b, n: size(ls, t, b, n) // 2, "the keys or the values, not both"),
    (lambda ls, t, b, n: size(ls, t, b, 1), "counts numbers, not bytes"),
    (lambda ls, t, b, n: size(ls, t, b, 2), "always takes 2 bytes per number"),
    (lambda ls, t, b, n: 8 * size(ls, t, b, n), "counts bits"),
    (lambda ls, t, b, n: size([(1, d, w) for _, d, w in ls], t, b, n), "leaves the heads out"),
    (lambda ls, t, b, n: size([(h, 1, w) for h, _, w in ls], t, b, n), "leaves d_head out"),
    (lambda ls, t, b, n: keeps(lambda t, w: t)(ls, t, 1, n), "forgets the batch"),
    (lambda ls, t, b, n: keeps(lambda t, w: min(t, w + 1))(ls, t, b, n) // 2, "the keys or the values"),
    (in_mib, "divides by a power of 1024"),
    (by_layer, "It gives a list where an int is wanted"),
    (average, "the average number of tokens for every layer"),
    (squared, None),
    (smallest_batch, None),
    (lambda *a: print(size(*a)), "hand the result back with return"),
    (lambda *case: 0, "It adds nothing up"),
    (lambda a: 0, None),
]


# 03-longest


def longest(room, layers, batch, none=None):
    """A right context."""
    windows = [w for *_, w in layers]
    if None not in windows and size(layers, max(windows), batch, 2) <= room:
        return none
    tokens = 0
    while size(layers, tokens + 1, batch, 2) <= room:
        tokens += 1
    return tokens


def but(change):
    """The right context, changed; None stays."""

    def wrong(*case):
        found = longest(*case)
        return None if found is None else change(found, *case)

    return wrong


def per_token(room, layers, batch):
    return room // size(layers, 1, batch, 2)


def per_full_token(room, layers, batch):
    full = [layer for layer in layers if layer[2] is None]
    return room // size(full, 1, batch, 2) if full else None


def rounded(room, layers, batch):
    return round(room / size(layers, 1, batch, 2))


def strictly(room, layers, batch):
    windows = [w for *_, w in layers]
    if None not in windows and size(layers, max(windows), batch, 2) < room:
        return None
    tokens = 0
    while size(layers, tokens + 1, batch, 2) < room:
        tokens += 1
    return tokens


def too_far(room, layers, batch):
    windows = [w for *_, w in layers]
    if None not in windows and size(layers, max(windows), batch, 2) <= room:
        return None
    tokens = 0
    while size(layers, tokens, batch, 2) <= room:
        tokens += 1
    return tokens


def windowed_is_unlimited(room, layers, batch):
    """None wherever all layers have a window, fit or not."""
    return None if None not in [w for *_, w in layers] else longest(room, layers, batch)


def any_window_is_unlimited(room, layers, batch):
    return None if any(w is not None for *_, w in layers) else longest(room, layers, batch)


def capped(room, layers, batch):
    found, windows = longest(room, layers, batch), [w for *_, w in layers if w is not None]
    return found if found is None else min([found, *windows])


def up_to(most):
    def wrong(room, layers, batch):
        found = longest(room, layers, batch, none=most)
        return min(found, most)

    return wrong


def in_steps(room, layers, batch):
    """Looks at every tenth length."""
    found = longest(room, layers, batch)
    return found if found is None else found // 10 * 10


def fraction(room, layers, batch):
    windows = [w for *_, w in layers]
    if None not in windows:
        return longest(room, layers, batch)
    found = longest(room, layers, batch)
    here = size(layers, found, batch, 2)
    return found + (room - here) / (size(layers, found + 1, batch, 2) - here)


def up(room, layers, batch):
    found = longest(room, layers, batch)
    return found if found is None else found + (size(layers, found, batch, 2) < room)


LONGEST = [
    (per_token, "It ignores the windows"),
    (per_full_token, "full windows take room, too"),
    (rounded, None),
    (strictly, "a cache that fills the room exactly fits"),
    (too_far, "the first length that does not fit"),
    (up, "It rounds up"),
    (fraction, None),
    (but(lambda n, *_: max(1, n)), "one token where not even one fits"),
    (but(lambda n, *_: max(0, n - 1)), "a token short"),
    (but(lambda n, room, layers, batch: n * batch), "tokens of all sequences together"),
    (but(lambda n, room, layers, batch: n // batch), "divides by the batch once too often"),
    (lambda r, ls, b: longest(r, ls, 1), "forgets the batch"),
    (lambda r, ls, b: longest(2 * r, ls, b), "Its token is half as large"),
    (lambda r, ls, b: longest(r // 2, ls, b), "takes 4 bytes per number"),
    (lambda r, ls, b: longest(r // 8, ls, b), "counts bits"),
    (lambda r, ls, b: longest(r, ls[:1], b), "counts one layer only"),
    (lambda r, ls, b: longest(r, ls[:1] * len(ls), b), "takes the first layer for all of them"),
    (lambda r, ls, b: longest(r, [(*ls[0][:2], w) for *_, w in ls], b), "the first layer's heads and width"),
    (lambda r, ls, b: longest(r, ls, b, none=0), "there is no limit: give None"),
    (lambda r, ls, b: longest(r, ls, b, none=float("inf")), "there is no limit: give None"),
    (lambda r, ls, b: longest(r, ls, b, none=-1), "there is no limit: give None"),
    (lambda r, ls, b: longest(r, ls, b, none=max(w or 0 for *_, w in ls)), "it gives the window"),
    (lambda r, ls, b: longest(r, ls, b, none="no limit"), "only where there is no limit"),
    (windowed_is_unlimited, "as soon as all layers have a window"),
    (any_window_is_unlimited, "as soon as one layer has a window"),
    (capped, "It stops at the window"),
    (up_to(500), None),
    (in_steps, None),
    (lambda r, ls, b: {"tokens": longest(r, ls, b)}, "It gives a dict where an int is wanted"),
    (lambda r, ls, b: print(longest(r, ls, b)), "hand the result back with return"),
    (lambda r, ls: 0, None),
]

WRONG = [("03-window", answer, said) for answer, said in WINDOW]
WRONG += [("03-longest", answer, said) for answer, said in LONGEST]


def with_kvlib(layers, tokens, batch, number_bytes):
    from kvlib import CacheLayout, LayerKV

    kept = [LayerKV("full", h, d) if w is None else LayerKV("sliding", h, d, window=w) for h, d, w in layers]
    return CacheLayout(tuple(kept)).bytes(tokens, batch, "int8") * float(number_bytes)


def solved(room, layers, batch):
    """Piece by piece, without trying lengths."""
    start, used = 0, 0
    for end in [*sorted({w for *_, w in layers if w is not None}), None]:
        per_token = 4 * batch * sum(h * d for h, d, w in layers if w is None or w > start)
        if not per_token:
            return None
        more = (room - used) // per_token
        if end is None or more < end - start:
            return start + more
        used += (end - start) * per_token
        start = end
    return None


RIGHT = [
    ("03-window", size),
    ("03-window", keeps(lambda t, w: t if t < w else w)),
    ("03-window", with_kvlib),
    ("03-longest", longest),
    ("03-longest", solved),
]
