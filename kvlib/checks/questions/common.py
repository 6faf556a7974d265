"""What the chapters' questions share: the register, and the formula with one thing wrong."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from ...layouts import kv_bytes

FACTOR_2 = "You count the keys or the values, not both: the formula begins with a 2."
NO_BATCH = "You forget the batch: every sequence keeps keys and values of its own."
ONE_LAYER = "You count one layer: every layer keeps a cache of its own."
ONE_TOKEN = "You count one token: every token of the context is kept."
NUMBERS = "You count numbers, not bytes: what does one number take?"
FOUR_BYTES = "You take 4 bytes per number, as fp32 does; this cache is kept in 2."
BITS = "You count bits: a byte has 8 of them."
QUERY_HEADS = "You count the query heads: only the KV heads keep anything."


@dataclass(frozen=True)
class Question:
    """A question and its points; `build` makes the object that marks answers."""

    points: int
    build: Callable


QUESTIONS: dict[str, Question] = {}


def question(name: str, points: int = 1):
    """Register the decorated function, which builds the question `name`."""

    def register(build):
        QUESTIONS[name] = Question(points, functools.cache(build))
        return build

    return register


def slips_of(*, n_heads=None, **geometry) -> dict[str, int]:
    """What the formula gives (bytes, bf16) with one thing wrong, for each known misconception."""
    right = kv_bytes(**geometry)
    slips = {
        FACTOR_2: right // 2,
        NO_BATCH: kv_bytes(**geometry | {"batch": 1}),
        ONE_LAYER: kv_bytes(**geometry | {"n_layers": 1}),
        ONE_TOKEN: kv_bytes(**geometry | {"context": 1}),
        NUMBERS: right // 2,
        FOUR_BYTES: kv_bytes(**geometry | {"dtype": "fp32"}),
        BITS: 8 * right,
    }
    if n_heads is not None:
        slips[QUERY_HEADS] = kv_bytes(**geometry | {"n_kv_heads": n_heads})
    return {said: nbytes for said, nbytes in slips.items() if nbytes != right}
