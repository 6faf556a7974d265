"""The exercises' questions, a file a chapter: what is right and which mistakes are known.

Nothing is typed that kvlib can compute: a misconception is the formula with one thing wrong,
and its number follows.
"""

from . import the_formula, why_a_cache, worked_7b
from .common import QUESTIONS

__all__ = ["QUESTIONS", "the_formula", "why_a_cache", "worked_7b"]
