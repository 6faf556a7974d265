"""The older spelling of a question, until its chapter is written anew."""

from ...units import UNITS
from ..answers import Choice, Each, Function as NewFunction, Number as NewNumber, Slip

__all__ = ["Choice", "Each", "Function", "Number"]


class Number:
    def __new__(cls, right, slips=None, tol=0.0, idea=""):
        return NewNumber(right, {}, tuple(Slip(s, v) for s, v in (slips or {}).items()), "", tol, idea)

    @staticmethod
    def of_bytes(right, unit, slips=None, tol=0.005, idea=""):
        assert unit in UNITS
        return NewNumber(right, {}, tuple(Slip(s, v) for s, v in (slips or {}).items()), unit, tol, idea)


def Function(reference, cases, slips=None, drive=None, idea=""):
    assert drive is None
    return NewFunction(reference, cases, tuple(Slip(s, v) for s, v in (slips or {}).items()), idea=idea)
