"""More wrong answers to the exercises of chapter 02."""

from .made import edited

FORGOTTEN = """
import math
def forgotten(claim, factors):
    total = math.prod(factors.values())
    suspects = []
    for name, factor in factors.items():
        if factor > 1 and claim * factor == total:
            suspects.append(name)
    return suspects
"""


def forgotten(*changes):
    return edited(FORGOTTEN, "forgotten", *changes)


NAMES = '(n for n in ("2", "layers", "B", "H", "T", "d_head", "bytes"))'
NUMBERS = 2 * 16 * 2048 * 64  # in one layer's keys
STEPS = {
    "numbers in one layer's keys": NUMBERS,
    "bytes of one layer's keys": 2 * NUMBERS,
    "bytes of one layer": 4 * NUMBERS,
    "bytes of all layers": 96 * NUMBERS,
}
THREE = STEPS | {"bytes of one layer": 6 * NUMBERS, "bytes of all layers": 6 * 24 * NUMBERS}
FORMULA = {"2", "layers", "B", "H", "T", "d_head", "bytes"}
TOKEN = 2 * 30 * 3 * 64 * 4 / 1024  # KiB of one token of 02-held

WRONG = [
    ("02-steps", THREE, "Queries are not kept", 3),
    ("02-steps", STEPS | {"bytes of all layers": 4 * NUMBERS * 23}, "You leave a layer out", 3),
    ("02-held", 11 * TOKEN, "its first step reads the whole prompt"),
    ("02-held", 16 * TOKEN, "You stop a token early"),
    ("02-held", sum(range(6, 18)) * TOKEN, "You add up what the cache holds at every step"),
    ("02-held", 17 * TOKEN * 4, "You count query heads and KV heads together"),
    ("02-held", 17 * TOKEN * 2, "take 8 bytes per number"),
    ("02-forgotten", forgotten(("suspects.append(name)", "return name")), "It gives the first name itself"),
    ("02-forgotten", forgotten(("return suspects", "return ', '.join(suspects)")), "It joins the names"),
    ("02-forgotten", forgotten(("    return suspects", "        return suspects")), "inside the loop"),
    (
        "02-forgotten",
        forgotten(("name, factor in factors.items()", f"name, factor in ((n, factors[n]) for n in {NAMES})")),
        "It is wrong only where the factors have other names",
    ),
    ("02-seventy", 32.768 * 8, "Or: You count bits"),
    ("02-seventy", 32.768 * 1.5, "Queries are not kept"),
    ("02-seventy", 32.768 * 0.8, "You divide the hidden size by the layers"),
    ("02-forum", {"wrong": "c and e", "MiB": 448, "times": 56}, "Choose among: a, b", 2),
]
RIGHT = [
    ("02-steps", {name: f"{value:,}" for name, value in STEPS.items()}),
    (
        "02-sketch",
        {
            "formula": "2 × layers × B × H × T × d_head × bytes",
            "underline": 2,
            "circle": "H * d_head",
            "box": "T",
        },
    ),
    ("02-sketch", {"formula": [*FORMULA], "underline": "2", "circle": "d_head, H", "box": "t"}),
    ("02-forum", {"wrong": "ce", "MiB": 448, "times": "56 times"}),
    ("02-forum", {"wrong": "E C", "MiB": "448 MiB", "times": 56.0}),
    ("02-forgotten", forgotten(("return suspects", "return set(suspects)"))),
]
