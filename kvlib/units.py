"""Bytes, dtypes, and how to say and to read them.

GB is 10**9 bytes and GiB is 2**30. The two differ by 7 %, enough to make a model
that "fits" run out of memory, so every figure in this course names one or the other.
"""

import difflib
import operator
import re
from dataclasses import dataclass
from fractions import Fraction

KiB, MiB, GiB, TiB = 2**10, 2**20, 2**30, 2**40
kB, MB, GB, TB = 10**3, 10**6, 10**9, 10**12

UNITS = {
    "B": 1,
    "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": TiB,
    "kB": kB, "MB": MB, "GB": GB, "TB": TB,
}  # fmt: skip


@dataclass(frozen=True)
class DType:
    """A storage format: every `values` numbers take `bytes` bytes.

    Plain formats store one number at a time (bf16: 1 in 2 bytes); packed ones store a
    group together with its scale (q8_0: 32 in 34 bytes).
    """

    name: str
    values: int
    bytes: int

    @property
    def bits(self) -> float:
        """Bits a number takes, scales included."""
        return 8 * self.bytes / self.values

    def nbytes(self, elements: int) -> int:
        """Bytes that `elements` numbers take; a group begun is a group stored."""
        return -(-elements // self.values) * self.bytes


DTYPES = {
    d.name: d
    for d in (
        DType("fp32", 1, 4),
        DType("fp16", 1, 2),
        DType("bf16", 1, 2),
        DType("fp8", 1, 1),
        DType("int8", 1, 1),
        DType("int4", 2, 1),
        DType("int2", 4, 1),
        # llama.cpp, ggml-common.h: 32 codes with an fp16 scale, and in the _1 an fp16 minimum.
        DType("q8_0", 32, 34),
        DType("q5_1", 32, 24),
        DType("q5_0", 32, 22),
        DType("q4_1", 32, 20),
        DType("q4_0", 32, 18),
        DType("iq4_nl", 32, 18),
        # OCP's MX: 32 4-bit codes and an 8-bit exponent; NVIDIA's: 16 and an fp8 scale.
        DType("mxfp4", 32, 17),
        DType("nvfp4", 16, 9),
    )
}

_ALIASES = {
    "float32": "fp32", "f32": "fp32", "float": "fp32", "float16": "fp16", "f16": "fp16", "half": "fp16",
    "bfloat16": "bf16", "e4m3": "fp8", "e5m2": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8",
    "fp8_e4m3fn": "fp8", "float8_e4m3fn": "fp8", "float8_e5m2": "fp8",
}  # fmt: skip


def unknown(argument: str, value, known) -> ValueError:
    """The error for a name that is not one of `known`; it suggests near matches."""
    known = list(known)
    given, names = str(value).lower(), {str(name).lower(): name for name in known}
    begin_so = [name for name in names if given and name.startswith(given)]
    close = begin_so + difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    near = [str(names[name]) for name in dict.fromkeys(close)][:3]
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        shown = ", ".join(map(str, known[:12]))
        hint = f"known: {shown}{', …' if len(known) > 12 else ''}"
    return ValueError(f"unknown {argument} {value!r}; {hint}")


def whole_number(argument: str, value, least: int = 1) -> int:
    """`value` as an int of at least `least`; a ValueError that names `argument` otherwise."""
    allowed = f"{argument} must be a whole number of at least {least}, not {value!r}"
    if isinstance(value, bool):
        raise ValueError(allowed)
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(allowed) from None
    if number < least:
        raise ValueError(allowed)
    return number


# k and K as vLLM's own --max-model-len has them.
_COUNTS = {"": 1, "k": 10**3, "K": KiB, "Ki": KiB, "m": 10**6, "M": MiB, "Mi": MiB}
_NUMBER = re.compile(r"(-?[0-9]{1,15}(?:[_,][0-9]{3})*(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def _read(text: str, units: dict, wanted: str) -> Fraction:
    found = _NUMBER.fullmatch(text.strip())
    value = Fraction(re.sub("[_,]", "", found[1])) if found else 0
    if not found or found[2] not in units or (units[found[2]] == 1 and value.denominator > 1):
        raise ValueError(f"must be {wanted}, not {text[:40]!r}")
    return value * units[found[2]]


def read_count(text: str) -> int:
    """The whole number that `text` writes: "4096", "8_192", "8,192", "128k", "128K", "128Ki", "1M".

    k and m are 1,000 and 1,000,000; K, Ki, M and Mi are 1,024 and 1,048,576.
    Raises ValueError for anything else.
    """
    wanted = "a whole number such as 4096, 8_192, 128Ki (131,072) or 128k (128,000)"
    value = _read(text, _COUNTS, wanted)
    if value.denominator > 1:
        raise ValueError(f"must be {wanted}, not {text!r}: that is {float(value):,}")
    return int(value)


def read_bytes(text: str) -> int:
    """The bytes that `text` writes, with or without a unit of UNITS: "24GiB", "1.5 GB", "1073741824".

    Rounded to whole bytes. Raises ValueError for anything else.
    """
    return round(_read(text, {"": 1, **UNITS}, "bytes such as 24GiB, 1.5GB or 1073741824"))


def dtype(name) -> DType:
    """The DType called `name` ("bf16", "int8", "q4_0", …; torch's long names too).

    `int8-g64` means int8 codes in groups of 64, each group with an fp16 scale and an
    fp16 zero point: what `kvlib.cache.QuantizedCache` stores.
    Raises ValueError for an unknown name.
    """
    if isinstance(name, DType):
        return name
    key = str(name).lower().removeprefix("torch.")
    key = _ALIASES.get(key, key)
    if key in DTYPES:
        return DTYPES[key]
    base, _, group = key.partition("-g")
    if base in ("int8", "int4", "int2") and group.isascii() and group.isdigit():
        values = int(group)
        if values and values % DTYPES[base].values == 0:
            return DType(key, values, DTYPES[base].nbytes(values) + 4)
    raise unknown("dtype", name, [*DTYPES, *_ALIASES])


def fmt(nbytes, unit: str | None = None, digits: int = 3) -> str:
    """A number of bytes as people read it: `fmt(131072)` is "128 KiB".

    Without `unit`, the largest binary unit that leaves at least 1. With it, that unit.
    At most `digits` decimals, trailing zeros dropped.
    """
    if unit is None:
        unit = next((u for u in ("TiB", "GiB", "MiB", "KiB") if abs(nbytes) >= UNITS[u]), "B")
    if unit not in UNITS:
        raise unknown("unit", unit, UNITS)
    number = f"{nbytes / UNITS[unit]:,.{digits}f}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}"


def fmt_seconds(seconds: float, digits: int = 3) -> str:
    """A duration in s, ms, µs or ns: `digits` significant digits, whole beyond those, zeros dropped."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if abs(seconds) >= size or unit == "ns":
            break
    number = seconds / size
    text = f"{number:,.{max(0, digits - len(str(int(abs(number)))))}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
