"""The exercises' questions, a file per chapter: what is right and which mistakes are known.

How to write one: in its chapter's file, a function without arguments that gives a kind of answer.

    @question("02-token", points=2)
    def _token():
        right = kv_bytes(n_layers=4, n_kv_heads=2, head_dim=64, context=1)
        return Number(right, {"You count the keys alone.": right // 2}, idea="Leave T out.")

Nothing is typed that kvlib can compute: a misconception is the formula with one thing wrong, and its
number follows. A notebook of solutions/ asks it in a cell `kvlib.check("02-token", answer)`;
tests/test_checks.py tries every question with its right answer, each of its mistakes, and nonsense.
"""

from . import paging, scaling_limits, sharing_heads, smaller_caches, the_formula, why_a_cache, worked_7b
from .common import QUESTIONS

CHAPTERS = (why_a_cache, the_formula, worked_7b, sharing_heads, paging, scaling_limits, smaller_caches)

__all__ = ["CHAPTERS", "QUESTIONS"]
