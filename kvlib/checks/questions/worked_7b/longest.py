"""A question of chapter 03: the longest context that fits, with windows in some layers."""

from ...answers import Function, Slip
from ..common import question
from .mixed import ALIKE, FIRST_LAYER, NO_WINDOWS, ON_FULL, SHAPED, layout_of, random_layers


def longest(room, layers, batch):
    """The most tokens that each of `batch` sequences can have in `room` bytes, bf16; None without a limit."""
    layout = layout_of(layers)
    far = max((w for *_, w in layers if w is not None), default=0) + room + 1  # a token takes a byte at least
    if all(w is not None for *_, w in layers) and layout.bytes(far, batch) <= room:
        return None
    low, high = 0, far
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if layout.bytes(middle, batch) <= room else (low, middle)
    return low


def _limited(change):
    """`change` of a number of tokens; None stays."""
    return lambda v: v if v is None else change(v)


def _fractional(room, layers, batch):
    found = longest(room, layers, batch)
    if found is None:
        return None
    layout = layout_of(layers)
    here = layout.bytes(found, batch) if found else 0
    return found + (room - here) / (layout.bytes(found + 1, batch) - here)


def _rounded_up(room, layers, batch):
    found = _fractional(room, layers, batch)
    return found if found is None else -int(-found // 1)


def _strictly(room, layers, batch):
    return longest(room - 1, layers, batch)


def _full_alone(room, layers, batch):
    full = [layer for layer in layers if layer[2] is None]
    return longest(room, full, batch) if full else None


EARLY = "It stops a token early: a cache that fills the room exactly fits."


@question("03-longest", points=4, kind="code", minutes=15)
def _longest():
    def cases(rng):
        token, both, mixed = 4 * 2 * 64, [(2, 64, 20), (2, 64, 20)], [(2, 64, 20), (2, 64, None)]
        drawn = [(room, [(2, 64, None)], 1) for room in (100 * token, 100 * token - 1, token - 1)]
        drawn += [
            (50 * token, mixed, 1),
            (30 * token, mixed, 1),
            (40 * token, both, 1),
            (39 * token, both, 1),
            (25 * token, [(2, 64, 10), (2, 64, 20)], 1),
        ]
        for _ in range(18):
            layers, batch = random_layers(rng, 300), rng.randint(1, 4)
            room = layout_of(layers).bytes(rng.randint(1, 900), batch) + rng.choice([0, 0, 5, 300])
            drawn.append((room, layers, batch))
        # Those without a limit last: a loop that does not end there has shown by then that it ends elsewhere.
        return sorted(drawn, key=lambda case: longest(*case) is None)

    def unlimited(value):
        return lambda room, layers, batch: value if (v := longest(room, layers, batch)) is None else v

    limit = "Where all layers have a window and all windows fit, there is no limit: give None."
    return Function(
        longest,
        cases,
        (
            NO_WINDOWS,
            ON_FULL,
            FIRST_LAYER,
            ALIKE,
            SHAPED,
            Slip("It rounds up: a token that fits in part does not fit.", _rounded_up),
            Slip("It gives a fraction of a token: round down to whole ones.", _fractional),
            Slip("It gives the first length that does not fit.", then=_limited(lambda v: v + 1)),
            Slip(EARLY, _strictly),
            Slip(EARLY, lambda *case: None if longest(*case) is None else _strictly(*case)),
            Slip("It is a token short.", then=_limited(lambda v: max(0, v - 1))),
            Slip("It gives one token where not even one fits.", then=_limited(lambda v: max(1, v))),
            Slip("It forgets the batch: each sequence gets its part of the room.", batch=1),
            Slip(
                "It gives the tokens of all sequences together, not of each.",
                lambda room, layers, batch: (
                    None if (v := longest(room, layers, batch)) is None else v * batch
                ),
            ),
            Slip(
                "Its token is half as large as it is: keys and values are kept, in 2 bytes a number.",
                room=lambda n: 2 * n["room"],
            ),
            Slip("It takes 4 bytes per number; bf16 takes 2.", room=lambda n: n["room"] // 2),
            Slip("It counts bits: a byte has 8 of them.", room=lambda n: n["room"] // 8),
            Slip("It forgets that full windows take room, too.", _full_alone),
            *(Slip(limit, unlimited(value)) for value in (0, -1, float("inf"))),
            Slip(
                "Where no layer grows further, it gives the window. There is no limit then: give None.",
                lambda room, layers, batch: (
                    max(w for *_, w in layers) if (v := longest(room, layers, batch)) is None else v
                ),
            ),
            Slip(
                "It finds no limit as soon as all layers have a window: the room may end earlier.",
                lambda room, layers, batch: (
                    None if all(w is not None for *_, w in layers) else longest(room, layers, batch)
                ),
            ),
            Slip(
                "It finds no limit as soon as one layer has a window: those without one go on growing.",
                lambda room, layers, batch: (
                    None if any(w is not None for *_, w in layers) else longest(room, layers, batch)
                ),
            ),
            Slip(
                "It finds no limit as soon as the smallest window fits: the cache grows until the largest one"
                " is full.",
                lambda room, layers, batch: (
                    None
                    if all(w is not None for *_, w in layers)
                    and layout_of(layers).bytes(min(w for *_, w in layers), batch) <= room
                    else longest(room, layers, batch)
                ),
            ),
            Slip(
                "It divides by the batch once too often.",
                lambda room, layers, batch: v if (v := longest(room, layers, batch)) is None else v // batch,
            ),
            Slip(
                "It stops at the window; the layers without one go on.",
                lambda room, layers, batch: (
                    v
                    if (v := longest(room, layers, batch)) is None
                    else min([v, *(w for *_, w in layers if w is not None)])
                ),
            ),
        ),
        where={
            "It is wrong only where there is no limit.": lambda *case: longest(*case) is None,
            "It is wrong only where not even one token fits.": lambda *case: longest(*case) == 0,
            "It is wrong only where a layer has a window.": (
                lambda room, layers, batch: any(w is not None for *_, w in layers)
            ),
            "It is wrong only where layers with and without a window are mixed.": (
                lambda room, layers, batch: 0 < sum(w is None for *_, w in layers) < len(layers)
            ),
            "It is wrong only for a batch of several.": lambda room, layers, batch: batch > 1,
            "It is wrong only where the context is longer than a window.": (
                lambda room, layers, batch: (
                    (v := longest(room, layers, batch)) is not None
                    and any(w is not None and v > w for *_, w in layers)
                )
            ),
            "It is wrong only where the cache does not fill the room to the last byte.": (
                lambda room, layers, batch: (
                    bool(v := longest(room, layers, batch)) and layout_of(layers).bytes(v, batch) < room
                )
            ),
            "It is wrong only where the cache fills the room to the last byte.": (
                lambda room, layers, batch: (
                    bool(v := longest(room, layers, batch)) and layout_of(layers).bytes(v, batch) == room
                )
            ),
        },
        idea="Count the bytes of a length as in the exercise before, and look for the last length that fits.",
    )
