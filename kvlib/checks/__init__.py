"""The check of an answer, the questions, and the mistakes they know."""

from .answers import Choice, Each, Function, Number, check, mark

__all__ = ["Choice", "Each", "Function", "Number", "check", "mark"]
