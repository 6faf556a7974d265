"""Questions of chapter 03 about layers with a window beside layers without.

A layer is (KV heads, d_head, window); window is None for one that looks back on everything.
"""

from ....layouts import CacheLayout, LayerKV
from ...answers import Function, Slip
from ..common import BITS, FACTOR_2, NUMBERS, question


def layout_of(layers) -> CacheLayout:
    return CacheLayout(
        tuple(
            LayerKV("full", heads, dim) if window is None else LayerKV("sliding", heads, dim, window=window)
            for heads, dim, window in layers
        )
    )


def cache_bytes(layers, tokens, batch, number_bytes):
    return layout_of(layers).bytes(tokens, batch, "int8") * number_bytes


def _counted(kept):
    """The bytes if a layer with `window` keeps kept(tokens, window) tokens."""

    def count(layers, tokens, batch, number_bytes):
        rows = sum(h * d * (tokens if w is None else kept(tokens, w)) for h, d, w in layers)
        return 2 * batch * number_bytes * rows

    return count


def _windows(change):
    """A slip's change of the layers: change(window, the others' windows) in each layer's place."""

    def changed(numbers):
        windows = [w for _, _, w in numbers["layers"] if w is not None]
        return [(h, d, change(w, windows)) for h, d, w in numbers["layers"]]

    return changed


def random_layers(rng, longest=600):
    count, shape = rng.randint(2, 6), (rng.randint(1, 8), rng.choice([64, 96, 128]))
    window = rng.randint(2, longest)
    layers = []
    for _ in range(count):
        if rng.random() < 0.3:
            shape = rng.randint(1, 8), rng.choice([64, 96, 128])
        layers.append((*shape, rng.choice([None, window, window, rng.randint(2, longest)])))
    return layers


NO_WINDOWS = Slip(
    "It ignores the windows: such a layer drops what it can no longer look back on.",
    layers=_windows(lambda w, windows: None),
)
ON_ALL = Slip(
    "It gives every layer the same window. Those without one keep all tokens.",
    layers=_windows(lambda w, windows: min(windows, default=None)),
)
ON_FULL = Slip(
    "It gives the layers without a window one of the others'. They keep all tokens.",
    layers=_windows(lambda w, windows: min(windows, default=None) if w is None else w),
)
FIRST_LAYER = Slip("It counts one layer only: go on to the others.", layers=lambda n: n["layers"][:1])
ALIKE = Slip(
    "It takes the first layer for all of them; they differ in heads, width and window.",
    layers=lambda n: n["layers"][:1] * len(n["layers"]),
)
SHAPED = Slip(
    "It takes the first layer's heads and width for all of them.",
    layers=lambda n: [(*n["layers"][0][:2], w) for _, _, w in n["layers"]],
)


@question("03-window", points=4, kind="code", minutes=10)
def _window():
    def cases(rng):
        for tokens in (1, 99, 100, 101, 1000):
            yield [(2, 64, 100), (2, 64, None)], tokens, 1, 2
        yield [(4, 128, None)] * 3, 500, 2, 2
        yield [(4, 128, 50)] * 3, 500, 1, 2
        for _ in range(20):
            yield random_layers(rng), rng.randint(1, 2000), rng.randint(1, 4), rng.choice([1, 2, 4])

    return Function(
        cache_bytes,
        cases,
        (
            Slip("It adds nothing up: every layer has its bytes.", lambda *case: 0),
            NO_WINDOWS,
            ON_ALL,
            ON_FULL,
            FIRST_LAYER,
            Slip(
                "It counts the last layer only: add each to what came before.",
                layers=lambda n: n["layers"][-1:],
            ),
            ALIKE,
            SHAPED,
            Slip(
                "It takes the average number of tokens for every layer: multiply layer by layer, then add.",
                _averaged,
            ),
            *(
                Slip("It divides by a power of 1024: bytes are asked for.", then=lambda v, n=n: v / 1024**n)
                for n in (1, 2, 3)
            ),
            Slip("It adds the window to the context; a window caps it.", _counted(lambda t, w: t + w)),
            Slip(
                "It takes the larger of context and window; a layer keeps no more than either.",
                _counted(max),
            ),
            Slip(
                "It takes the window even where there are fewer tokens: no more can be kept than there are.",
                _counted(lambda t, w: w),
            ),
            Slip(
                "It keeps what lies outside the window; the other part stays.",
                _counted(lambda t, w: max(0, t - w)),
            ),
            Slip(
                "Once the window is full, it keeps what lies outside it; the other part stays.",
                _counted(lambda t, w: t if t < w else t - w),
            ),
            Slip(
                "Once the window is full, it keeps the remainder and starts again; a window slides.",
                _counted(lambda t, w: t if t <= w else t % w),
            ),
            Slip("It leaves the layers with a window out.", _counted(lambda t, w: 0)),
            Slip(
                "It leaves the layers without a window out: they keep all tokens.",
                layers=lambda n: [layer for layer in n["layers"] if layer[2] is not None],
            ),
            Slip(
                "It keeps one token more than the window: the newest is one of them.",
                _counted(lambda t, w: min(t, w + 1)),
            ),
            Slip(
                "It keeps one token fewer than the window: the newest is one of them.",
                _counted(lambda t, w: min(t, w - 1)),
            ),
            Slip("It shares one window among the batch: each sequence has its own.", _shared),
            Slip("It forgets the batch: each sequence keeps keys and values of its own.", batch=1),
            Slip(FACTOR_2.replace("You count", "It counts"), then=lambda v: v / 2),
            Slip(NUMBERS.replace("You count", "It counts"), number_bytes=1),
            Slip("It always takes 2 bytes per number; number_bytes says how many.", number_bytes=2),
            Slip(BITS.replace("You count", "It counts"), then=lambda v: 8 * v),
            Slip(
                "It leaves the heads out: each keeps keys and values.",
                layers=lambda n: [(1, d, w) for _, d, w in n["layers"]],
            ),
            Slip(
                "It leaves d_head out: a key has that many numbers.",
                layers=lambda n: [(h, 1, w) for h, _, w in n["layers"]],
            ),
        ),
        where={
            "It is wrong only where a layer has no window.": lambda layers, *_: any(
                w is None for *_, w in layers
            ),
            "It is wrong only where every layer has a window.": (
                lambda layers, *_: all(w is not None for *_, w in layers)
            ),
            "It is wrong only where a layer has a window.": (
                lambda layers, *_: any(w is not None for *_, w in layers)
            ),
            "It is wrong only where layers with and without a window are mixed.": (
                lambda layers, *_: 0 < sum(w is None for *_, w in layers) < len(layers)
            ),
            "It is wrong only where there are more tokens than a window holds.": (
                lambda layers, tokens, *_: any(w is not None and tokens > w for *_, w in layers)
            ),
            "It is wrong only where a window is full.": (
                lambda layers, tokens, *_: any(w is not None and tokens >= w for *_, w in layers)
            ),
            "It is wrong only where a window is not full.": (
                lambda layers, tokens, *_: any(w is not None and tokens < w for *_, w in layers)
            ),
            "It is wrong only for a batch of several.": lambda layers, tokens, batch, _: batch > 1,
        },
        idea="Count one layer at a time: how many tokens does it keep?",
    )


def _averaged(layers, tokens, batch, number_bytes):
    kept = sum(tokens if w is None else min(tokens, w) for *_, w in layers) / len(layers)
    return 2 * batch * number_bytes * kept * sum(h * d for h, d, _ in layers)


def _shared(layers, tokens, batch, number_bytes):
    rows = sum(h * d * min(tokens * batch, w or tokens * batch) for h, d, w in layers)
    return 2 * number_bytes * rows
