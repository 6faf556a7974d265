"""An answer, read without trusting it: only plain values come through, and no method of it is called.

An answer can be any object: one that says it equals everything, prints for ever when it is shown, or
raises when it is looked at. `plain` makes of it numbers, text, lists, tuples, dicts and arrays of exactly
the built-in types, and NumPy's; what can be called is wrapped by the caller; all else is an `Unreadable`
that knows what it is.
"""

import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MOST = 100_000  # items of an answer that are read, and numbers of its arrays
DEEPEST = 20


@dataclass(frozen=True)
class Unreadable:
    """What is no plain value; `kind` says what it is, as in "a generator"."""

    kind: str

    def __repr__(self):
        return self.kind


class Callee:
    """A function or class of an answer, here or in another process, by what it is: "a function".

    `run(cases, peak)` gives the outcome of each case, and `seed` draws the cases.
    """

    name = ""
    seed = 0


class _TooLarge(Exception):
    pass


def plain(value, wrap=None):
    """`value` in plain types. What can be called becomes `wrap(value)`; without `wrap`, an Unreadable."""
    left = [MOST]

    def read(value, depth=0):
        left[0] -= 1
        if left[0] < 0 or depth > DEEPEST:
            raise _TooLarge
        of = _classes(value)
        if value is None or value is ...:
            return value
        for builtin, copy in _ATOMS:
            if any(c is builtin for c in of):
                return copy(value)
        for builtin, finish in _SERIES:
            if any(c is builtin for c in of):
                return finish([read(item, depth + 1) for item in builtin.__iter__(value)])
        if any(c is dict for c in of):
            return {_key(key): read(item, depth + 1) for key, item in dict.items(value)}
        array = _array(value, of)
        if array is not None:
            return array
        return wrap(value) if wrap and callable(value) else Unreadable(kind(value))

    try:
        return read(value)
    except _TooLarge:
        return Unreadable(f"{kind(value)}, too large to be read")


def _set(items):
    try:
        return frozenset(items)
    except TypeError:
        return Unreadable("a set")


# Subclasses too: the built-in method, called by its class, passes by what a subclass has put in its place.
_ATOMS = (
    (bool, bool), (int, int.__index__), (float, lambda v: float.__add__(v, 0.0)), (complex, complex.__pos__),
    (str, str.__str__), (bytes, lambda v: Unreadable("bytes")),
    (Decimal, lambda v: float(v) if type(v) is Decimal else Unreadable("a Decimal")),
    (Fraction, lambda v: v.numerator / v.denominator if type(v) is Fraction else Unreadable("a Fraction")),
)  # fmt: skip
_SERIES = ((list, list), (tuple, tuple), (set, _set), (frozenset, _set), (range, list))


def _classes(value) -> tuple:
    """The classes of `value`, past any metaclass that would tell it otherwise."""
    return type.__dict__["__mro__"].__get__(type(value))


def _key(key):
    return key if any(type(key) is t for t in (str, int, float, bool, tuple)) else kind(key)


def _array(value, of):
    """A NumPy array of an array or a tensor, the number of a scalar one, or None if it is neither."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is None:
        return None
    if torch is not None and any(c is torch.Tensor for c in of):
        value = torch.Tensor.detach(value).cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    elif not any(c is numpy.ndarray or c is numpy.generic for c in of):
        return None
    array = numpy.array(value, subok=False)
    if array.size > MOST or array.dtype.kind not in "biufc":
        return Unreadable("a large array" if array.size > MOST else f"an array of {array.dtype.name}")
    return array.item() if array.ndim == 0 else array


def kind(value) -> str:
    """What `value` is, with its article: "a list", "an ndarray"."""
    if type(value) is Unreadable:
        return value.kind
    if any(c is Callee for c in _classes(value)):
        return value.name
    name = clean(type.__dict__["__name__"].__get__(type(value)), 40)
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def short(value) -> str:
    """A few characters that show a plain value."""
    if hasattr(value, "shape"):
        return f"an array of shape {list(value.shape)}" if value.size > 4 else short(value.tolist())
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(short, value))
        if len(value) > 12 or len(inside) > 120:
            return f"{kind(value)} of {len(value)}"
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        return clean("{" + ", ".join(f"{short(k)}: {short(v)}" for k, v in value.items()) + "}")
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    if isinstance(value, str):
        return f'"{clean(value, 60)}"'
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) > 9999 else str(value)
    return f"{value:.6g}" if isinstance(value, float) else clean(repr(value))


def clean(text: str, most: int = 160) -> str:
    """`text` on one line, without control characters, in at most `most` characters."""
    seen = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return seen if len(seen) <= most else seen[: most - 3] + "..."
