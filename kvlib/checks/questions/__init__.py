"""The exercises' questions, a file per chapter: what is right and which mistakes are known.

Nothing is typed that kvlib can compute: a misconception is the formula with one thing wrong,
and its number follows.
"""

from . import paging, scaling_limits, sharing_heads, the_formula, why_a_cache, worked_7b
from .common import QUESTIONS

CHAPTERS = (why_a_cache, the_formula, worked_7b, sharing_heads, paging, scaling_limits)

__all__ = ["CHAPTERS", "QUESTIONS"]
