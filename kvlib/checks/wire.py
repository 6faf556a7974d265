"""Plain values and calls as JSON, in which the grader and the process that runs an answer speak."""

from .calls import Call, Result
from .plain import Unreadable, clean


def encode(value, number=None):
    """A plain value as JSON can hold it; `number(callee)` gives the number by which a callee is known."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"int": hex(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, list):
        return [encode(item, number) for item in value]
    if isinstance(value, (tuple, frozenset)):
        return {type(value).__name__: [encode(item, number) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(k, number), encode(v, number)] for k, v in value.items()]}
    if hasattr(value, "shape"):
        return {"array": [value.dtype.str, list(value.shape), encode(value.ravel().tolist())]}
    if isinstance(value, Call):
        return {"call": [value.name, encode(value.args, number), value.spoil]}
    if isinstance(value, Result):
        return {"result": value.step}
    if isinstance(value, Unreadable):
        return {"unreadable": value.kind}
    if value is ...:
        return {"dots": True}
    return {"callee": [number(value), value.name]}


def decode(value, callee=None):
    """The plain value of `encode`; `callee(number, name)` makes what stands for a function.

    Raises ValueError for what `encode` did not write.
    """
    if isinstance(value, list):
        return [decode(item, callee) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        [(what, of)] = value.items()
        return _DECODE[what](of, callee)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no encoded value: {clean(repr(value))}") from error


def _array(of, callee):
    import numpy as np

    dtype = np.dtype(of[0])
    if dtype.kind not in "biufc":
        raise ValueError(f"no array of numbers: {dtype}")
    return np.array(decode(of[2]), dtype=dtype).reshape(of[1])


_DECODE = {
    "int": lambda of, callee: int(of, 16),
    "float": lambda of, callee: float(of),
    "complex": lambda of, callee: complex(float(of[0]), float(of[1])),
    "tuple": lambda of, callee: tuple(decode(of, callee)),
    "frozenset": lambda of, callee: frozenset(decode(of, callee)),
    "dict": lambda of, callee: {decode(k, callee): decode(v, callee) for k, v in of},
    "array": _array,
    "call": lambda of, callee: Call(of[0], decode(of[1]), of[2]),
    "result": lambda of, callee: Result(of),
    "unreadable": lambda of, callee: Unreadable(clean(of)),
    "dots": lambda of, callee: ...,
    "callee": lambda of, callee: callee(of[0], clean(of[1])),
}
