"""How the loops are compiled, and the exponential that they share."""

import math
import zlib
from pathlib import Path

import numpy as np
from numba import njit

from .lanes import multiply_add, scale_by_power, splat, where_less

# Sums may be reordered, which is what lets them be vectorised; nan and inf stay what they are.
FLAGS = dict(fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")
jit = njit(**FLAGS)
# fastmath=False must be written out: left out, a function takes the setting of the one that calls it.
exact = njit(**FLAGS | dict(fastmath=False))


def sources() -> int:
    """A number that changes with any source file of these kernels.

    Numba keeps compiled code on disk until the function's own file changes, or a value that the
    function encloses. So the entry points enclose this, and only they are kept.
    """
    return zlib.crc32(b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))))


SHIFT = np.float32(1.5 * 2**23)  # float32 holds no fractions at 2**23: adding it rounds
LEAST = np.float32(-126)  # below it, 2**x is no normal number
# 2**z = sum of (z ln 2)**i / i!; for |z| ≤ 1/2 the terms from i = 8 on stay below 6e-9
SERIES = tuple(np.float32(math.log(2) ** i / math.factorial(i)) for i in range(7, -1, -1))


@exact
def exp2(x):
    """2**x of a vector of numbers ≤ 0, within 3e-7; 0 below 2**-126. nan stays nan."""
    shifted = x + splat(SHIFT)
    z = x - (shifted - splat(SHIFT))
    y = splat(SERIES[0])
    for coefficient in SERIES[1:]:
        y = multiply_add(y, z, splat(coefficient))
    return where_less(x, splat(LEAST), splat(np.float32(0)), scale_by_power(y, shifted))


LOG2_E = np.float32(1 / math.log(2))
REST = np.float32(1 / math.log(2) - float(LOG2_E))


@exact
def exp(x):
    """e**x of a vector of numbers ≤ 0, within 4e-7; 0 below 2**-126. nan stays nan.

    What rounding x / ln 2 loses is put back, for it would grow with x.
    """
    y = x * splat(LOG2_E)
    lost = multiply_add(x, splat(LOG2_E), splat(np.float32(0)) - y) + x * splat(REST)
    corrected = multiply_add(exp2(y) * lost, splat(np.float32(math.log(2))), exp2(y))
    return where_less(y, splat(LEAST), splat(np.float32(0)), corrected)
