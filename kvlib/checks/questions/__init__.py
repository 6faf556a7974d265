"""The exercises' questions, a file per chapter: what is right and which mistakes are known.

How to write one: in its chapter's file, a function whose defaults are the book's numbers, and which gives
a kind of answer.

    @question("02-token", points=2, drawn={"layers": (4, 6, 8), "heads": (2, 4)})
    def _token(layers=4, heads=2):
        numbers = {"layers": layers, "heads": heads}
        slip = Slip("You count the keys alone.", then=lambda nbytes: nbytes / 2)
        return Number(lambda layers, heads: 256 * layers * heads, numbers, (slip,), unit="KiB")

Nothing is typed that can be computed: a misconception is the formula with one thing wrong, and its number
follows, in every variant. A notebook of solutions/ asks it in a cell `kvlib.check("02-token", answer)`.
"""

from . import (
    any_model,
    measure_it,
    paging,
    production,
    scaling_limits,
    sharing_heads,
    smaller_caches,
    the_formula,
    why_a_cache,
    worked_7b,
)
from .common import QUESTIONS

CHAPTERS = (
    why_a_cache,
    the_formula,
    worked_7b,
    sharing_heads,
    paging,
    scaling_limits,
    smaller_caches,
    measure_it,
    any_model,
    production,
)

__all__ = ["CHAPTERS", "QUESTIONS"]
