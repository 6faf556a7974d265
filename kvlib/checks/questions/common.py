"""What the chapters' questions share: the register, the draw of their numbers, mistakes of the formula."""

import functools
import inspect
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...layouts import CacheLayout
from ..answers import Number, Slip

FACTOR_2 = "You count the keys or the values, not both: the formula begins with a 2."
NO_BATCH = "You forget the batch: every sequence keeps keys and values of its own."
ONE_LAYER = "You count one layer: every layer keeps a cache of its own."
ONE_TOKEN = "You count one token: every token of the context is kept."
NUMBERS = "You count numbers, not bytes: what does one number take?"
FOUR_BYTES = "You take 4 bytes per number, as fp32 does; this cache is kept in 2."
BITS = "You count bits: a byte has 8 of them."
QUERY_HEADS = "You count the query heads: only the KV heads keep anything."

# What an exercise asks of its reader, from knowing to judging.
KINDS = {
    "recall": "recall",
    "by hand": "arithmetic",
    "predict": "analysis",
    "config": "analysis",
    "bugs": "analysis",
    "log": "analysis",
    "code": "code",
    "audit": "evaluation",
    "words": "evaluation",
}
APART = 0.03  # how far right and wrong numbers lie from each other in every variant, relative
DRAWS = 500


@dataclass(frozen=True)
class Question:
    """A question of an exercise.

    make     its numbers, by name -> the object that marks answers; its defaults are the book's numbers
    drawn    name of a number -> what a variant may draw for it
    kind     one of KINDS
    minutes  an estimate for a reader of the chapter
    manual   its points are given by a person, not by a check
    needs    packages without which it can be neither asked nor marked; a page that runs kvlib has none
    """

    name: str
    points: int
    make: Callable
    drawn: Mapping
    kind: str
    minutes: int
    manual: bool = False
    needs: tuple[str, ...] = ()

    def numbers(self, seed: str = "") -> dict:
        """The numbers of the variant `seed`: drawn, with right and wrong ones apart. "": the book's own."""
        book = {p.name: p.default for p in inspect.signature(self.make).parameters.values()}
        if not seed or not self.drawn:
            return book
        rng = random.Random(f"{seed} {self.name}")
        for _ in range(DRAWS):
            numbers = book | {name: rng.choice(list(values)) for name, values in self.drawn.items()}
            if numbers != book and apart(self.make(**numbers)):
                return numbers
        raise ValueError(f"{self.name}: no draw of {', '.join(self.drawn)} keeps its numbers apart")

    def build(self, seed: str = ""):
        """The object that marks answers to the variant `seed`."""
        return _build(self.name, seed)


QUESTIONS: dict[str, Question] = {}


@functools.lru_cache(maxsize=512)
def _build(name, seed):
    question = QUESTIONS[name]
    return question.make(**question.numbers(seed))


def question(
    name: str, points=1, *, kind="by hand", minutes=3, drawn=None, manual=False, needs: tuple[str, ...] = ()
):
    """Register the decorated function, which makes the question `name` of its numbers."""
    if kind not in KINDS:
        raise ValueError(f"{name}: unknown kind {kind!r}; one of {', '.join(KINDS)}")

    def register(make):
        QUESTIONS[name] = Question(name, points, make, dict(drawn or {}), kind, minutes, manual, needs)
        return make

    return register


def apart(marker) -> bool:
    """Whether right and wrong numbers of a question, and of each of its parts, lie APART from each other."""
    if hasattr(marker, "parts"):
        return all(apart(part) for part in marker.parts.values())
    if not isinstance(marker, Number):
        return True
    values = sorted([marker.right, *(marker.value(slip) for slip in marker.known)])
    # A kB and a KiB are 2.4 % apart whatever is drawn, which the tolerance of 1 % still tells.
    return all(
        high - low > APART * abs(high) or math.isclose(high, 1.024 * low)
        for low, high in zip(values, values[1:], strict=False)
    )


@functools.lru_cache(maxsize=4096)
def formula(layers, batch, kv_heads, tokens, head_dim, number_bytes=2):
    """The bytes of a cache, by the formula of chapter 2, its factors by the names that questions use."""
    return CacheLayout.uniform(layers, kv_heads, head_dim).bytes(tokens, batch, "int8") * number_bytes


# The mistakes of the formula. A half is said once: where a number takes 2 bytes, the factor 2 and the bytes
# leave the same number behind.
HALF = Slip(f"Half of it is missing. {FACTOR_2} Or: {NUMBERS}", then=lambda v: v / 2)
FORMULA_SLIPS = {
    "batch": Slip(NO_BATCH, batch=1),
    "layers": Slip(ONE_LAYER, layers=1),
    "tokens": Slip(ONE_TOKEN, tokens=1),
    "half": HALF,
    "bits": Slip(BITS, then=lambda v: 8 * v),
    "fp32": Slip(FOUR_BYTES, then=lambda v: 2 * v),
    "queries": Slip(
        "You count three vectors for each token. Queries are not kept: no later step reads them.",
        then=lambda v: 1.5 * v,
    ),
}
