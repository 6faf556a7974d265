"""Wrong answers to the exercises of chapter 02, the formula."""

from itertools import combinations
from math import prod

# 02-steps: layers = 24, B = 2, H = 16, T = 2048, d_head = 64, 2 bytes

STEPS = {
    "numbers in one layer's keys": 4_194_304,
    "bytes of one layer's keys": 8_388_608,
    "bytes of one layer": 16_777_216,
    "bytes of all layers": 402_653_184,
}


def from_step(number, factor):
    """The steps with `factor` too much from the step `number` on, calculated on rightly."""
    return {name: n * factor if i >= number else n for i, (name, n) in enumerate(STEPS.items())}


def one_step(number, value):
    return STEPS | {list(STEPS)[number]: value}


STEPS_WRONG = [
    # calculated on from one mistake
    (from_step(0, 1 / 2), "You forget the batch", 3),
    (from_step(0, 1 / 16), "You count one head", 3),
    (from_step(0, 1 / 64), "You leave d_head out", 3),
    (from_step(0, 1 / 2048), "You count one token", 3),
    (from_step(0, 24), "You count all layers; this asks for one", 3),
    (from_step(1, 2), "You have the values in it", 3),
    (from_step(1, 8), "You count bits", 3),
    (from_step(2, 1 / 2), "Half of it is missing", 3),
    (from_step(2, 2), "You double once too often", 3),
    (from_step(0, 2000 / 2048), None, 0),
    # one step alone
    (one_step(0, 8_388_608), "You are ahead of the question", 3),
    (one_step(0, 16_777_216), "You are ahead of the question", 3),
    (one_step(0, 2 + 16 + 2048 + 64), "You add the shape's numbers", 3),
    (one_step(1, 4_194_304), "You count numbers, not bytes", 3),
    (one_step(2, 402_653_184), "You count all layers", 3),
    (one_step(2, 4_194_304), "And: You count numbers, not bytes", 3),
    (one_step(3, 16_777_216), "You count one layer", 3),
    (one_step(3, 402_653_184 * 24), "You multiply by the layers twice", 3),
    (one_step(3, 402_653_184 // 2), "Half of it is missing", 3),
    (one_step(3, 402_653_184 * 2), "You double once too often", 3),
    (one_step(3, 402_653_184 * 8), "You count bits", 3),
    (one_step(3, 384), "You answer in MiB; the question asks for bytes", 3),
    (one_step(3, 0.375), "You answer in GiB; the question asks for bytes", 3),
    (one_step(3, 402_653_184 // 48), "Two things", 3),
    (one_step(3, 400_000_000), None, 3),
    (one_step(3, "2*24*2*16*2048*64*2"), "Give a number of bytes", 3),
    (402_653_184, "Give a dict with the keys", 0),
]

# 02-sketch

SKETCH = {
    "formula": {"2", "layers", "B", "H", "T", "d_head", "bytes"},
    "underline": "2",
    "circle": {"H", "d_head"},
    "box": "T",
}
ALL = SKETCH["formula"]
LEFT_OUT = {
    "2": "leaves two things behind in each layer",
    "layers": "one part of the model keep a cache",
    "B": "who shares the GPU",
    "H": "not keep one key a token",
    "T": "what grows while the model writes",
    "d_head": "how long is a key",
    "bytes": "the formula counts numbers",
}
SKETCH_WRONG = [(SKETCH | {"formula": ALL - {name}}, said, 1.5) for name, said in LEFT_OUT.items()]
SKETCH_WRONG += [
    (SKETCH | {"formula": ALL - {"T"} | {"T²"}}, "a row for each token", 1.5),
    (SKETCH | {"formula": ALL - {"H", "d_head"} | {"d_model"}}, "The hidden size is not in it", 1.5),
    (SKETCH | {"formula": ALL - {"2"} | {"3"}}, "Queries are not kept", 1.5),
    (SKETCH | {"formula": ALL | {"vocabulary"}}, "never cached", 1.5),
    (SKETCH | {"formula": ALL | {"parameters"}}, "two models of one size", 1.5),
    (SKETCH | {"formula": ALL - {"bytes"} | {"bits"}}, "counts in bytes", 1.5),
    (SKETCH | {"underline": "bytes"}, "which factor stands for keys and values", 1.5),
    (SKETCH | {"circle": {"H"}}, "how wide is a head", 1.5),
    (SKETCH | {"circle": {"d_head"}}, "how many heads are there", 1.5),
    (SKETCH | {"circle": {"H", "d_head", "B"}}, "The batch counts sequences", 1.5),
    (SKETCH | {"circle": {"layers", "H"}}, "Layers lie above each other", 1.5),
    (SKETCH | {"box": "B"}, "which factor counts the tokens", 1.5),
    (SKETCH | {"box": "context"}, "Answer with one of: 2, B", 1.5),
    ("2 * layers * B * H * T * d_head * bytes", "Give a dict with the keys", 0),
]

# 02-note

NOTE = "A step makes the newest key and value alone and reads the others, which is fast, but " * 2
RATED = {"text": NOTE, "speed": True, "growth": True, "pressure": True, "trade": True}
NOTE_WRONG = [
    ("It is fast.", "Your text has 3 words; write 30 to 120", 0),
    ({"text": "word " * 200}, "Your text has 200 words", 0),
    ({"text": NOTE}, "say of each True or False", 0),
    (NOTE, "Read your text against these", 0),
    (RATED | {"pressure": False}, "it limits the batch or the context", 2.25),
    (RATED | {"speed": False, "trade": False}, "those of the past are read", 1.5),
    (["fast", "large"], 'Give a dict: "text"', 0),
]

# 02-held: 6 tokens read, 12 written, fp32, 45 KiB a token

HELD = {
    810: "You count the last token that was written",
    540: "You leave the prompt out",
    270: "You count the prompt alone",
    382.5: "Half of it is missing",
    2295: "You count the query heads",
    25.5: "You count one layer",
    255: "You count one head",
    11.95: "You leave d_head out",
    6120: "You count bits",
    45: "You count one token",
    783_360: "You answer in bytes; the question asks for KiB",
    783.36: "You answer in kB; the question asks for KiB",
    0.747: "You answer in MiB; the question asks for KiB",
    405: "Two things",
    2430: "Two things",
    855: None,  # two tokens too many
    720: "You stop a token early",
    "18 tokens": "Give the number in KiB",
}

# 02-forgotten


def right(claim, factors):
    total = prod(factors.values())
    return [name for name, n in factors.items() if n > 1 and total / n == claim]


def ones(claim, factors):
    return [name for name, n in factors.items() if prod(factors.values()) / n == claim]


def first(claim, factors):
    for name in right(claim, factors):
        return [name]
    return []


def by_value(claim, factors):
    names = {n: name for name, n in factors.items() if n > 1}
    missing = prod(factors.values()) / claim
    return [names[missing]] if missing in names else []


def floored(claim, factors):
    missing = prod(factors.values()) // claim
    return [name for name, n in factors.items() if n > 1 and n == missing]


def rounded(claim, factors):
    missing = round(prod(factors.values()) / claim)
    return [name for name, n in factors.items() if n > 1 and n == missing]


def upside_down(claim, factors):
    return [name for name, n in factors.items() if n > 1 and claim == n * prod(factors.values())]


def either_way(claim, factors):
    total = prod(factors.values())
    return [name for name, n in factors.items() if n > 1 and (claim * n == total or claim == total * n)]


def or_all(claim, factors):
    return right(claim, factors) or list(factors)


def says_why(claim, factors):
    return right(claim, factors) or ["nothing"]


def several_alone(claim, factors):
    """Names a factor only if it is the only one."""
    found = right(claim, factors)
    return found if len(found) == 1 else []


def without_two(claim, factors):
    return [name for name in right(claim, factors) if name != "2"]


def sums(claim, factors):
    return [name for name, n in factors.items() if sum(factors.values()) - n == claim]


def early(claim, factors):
    """Returns within the loop."""
    for name, n in factors.items():
        if n > 1 and claim * n == prod(factors.values()):
            return [name]
        else:
            return []


def breaks(claim, factors):
    """Takes what it was given apart and divides by what is left."""
    found = []
    for name in list(factors):
        n = factors.pop(name)
        if n > 1 and prod(factors.values()) == claim:
            found.append(name)
    return found


def prints(claim, factors):
    print(right(claim, factors))


FORGOTTEN = [
    (ones, "accuses a factor of 1"),
    (first, "It names one factor; several can have the value"),
    (by_value, "names the last factor of several"),
    (floored, "divides with //"),
    (rounded, "It rounds the quotient"),
    (upside_down, "that the claim has too often"),
    (either_way, "once too often, too"),
    (or_all, "only where no single factor explains"),
    (says_why, "only where no single factor explains"),
    (several_alone, "only where several factors have the value"),
    (without_two, "never accuses the 2"),
    (sums, "It is wrong wherever a factor explains the claim"),
    (early, "its return stands inside the loop"),
    (breaks, "takes factors out and does not put them back"),
    (prints, "hand the result back with return"),
    (lambda c, f: [n for n in f if n not in right(c, f)], "that are there, not those that are missing"),
    (lambda c, f: [f[n] for n in right(c, f)], "their names are asked for"),
    (lambda c, f: right(c, f) or None, "It gives None where no factor explains"),
    (lambda c, f: prod(f.values()) / c, "the missing factor's value"),
    (lambda c, f: (right(c, f) or [None])[0], "one name where a list of names is wanted"),
    (lambda c, f: [n for n, v in f.items() if v == c], "compares the claim with the factor itself"),
    (lambda c, f: [], "wherever a factor explains the claim"),
]

# 02-forum: 28 layers, 28 heads over 4 KV heads of 128, 8,192 tokens

AUDIT = {"wrong": {"c", "e"}, "MiB": 448, "times": 56}
FORUM = [(AUDIT | {"wrong": set(wrong)}, said, 2) for wrong, said in {
    "c": "which two factors say the same in two units",
    "e": "how many numbers does a token leave",
    "cf": "Which other factor says it again",
    "ace": "this 2 belongs there",
    "bce": "Every layer keeps a cache",
    "cde": "hold each against the config",
    "cg": "Choose among: a, b, c, d, e, f",
}.items()]  # fmt: skip
FORUM += [(AUDIT | {"MiB": n, "times": 56}, said, 2) for n, said in {
    3136: "You count the query heads, or the hidden size",
    3584: "You leave the 8 in",
    25_088: "Two things",
    224: "Half of it is missing",
    896: "You take 4 bytes per number",
    16: "You count one layer",
    112: "You count one head",
    3.5: "You leave d_head out",
    0.0547: "You count one token",
    469.76: "You answer in MB; the question asks for MiB",
    458_752: "You answer in KiB; the question asks for MiB",
    12_544 * 8: "You count the heads twice",
    440: None,
}.items()]  # fmt: skip
FORUM += [(AUDIT | {"times": n}, said, 2) for n, said in {
    7: "You found the heads",
    8: "You found the bits",
    15: "You add the two mistakes up",
    0.0179: "You turn it round",
    112: "one factor too many for wrong",
    28: "Half of it is missing",
    224: "You compare the hidden size with one head",
    64: None,
}.items()]  # fmt: skip
FORUM += [
    # calculated on from one mistake
    ({"wrong": {"e"}, "MiB": 3136, "times": 8}, "You count the query heads, or the hidden size", 1),
    ({"wrong": {"c", "e"}, "MiB": 224, "times": 112}, "Half of it is missing", 2),
]

# 02-seventy

SEVENTY = {
    262.144: "You count the query heads",
    16.4: "Half of it is missing",
    65.5: "You take 4 bytes per number",
    0.41: "You count one layer",
    0.000328: "You count one token",
    4.1: "You count one head",
    0.256: "You leave d_head out",
    2097: "You count the groups too",
    30.5: "You answer in GiB; the question asks for GB",
    32_768: "You answer in MB; the question asks for GB",
    131: "Two things",
    33: "give three digits",
    32.5: "that number is rounded",
    260: "You repeat the claim",
    0.328: "Two things",  # GB of one token, a thousand times too many
    25: None,
    "327,680 bytes per token": "Give a number of GB",
}

FIXED = "the same after one token and after two thousand"
WRONG = [
    ("02-bytes", "a", "The vocabulary sizes the embedding"),
    ("02-bytes", "b", "Attention shares heads or not"),
    ("02-bytes", "c", "each is stored in its own format"),
    ("02-doubles", "B", "Here each one gets longer"),
    ("02-doubles", 2, "it stays 2 however long"),
    ("02-doubles", "layers", FIXED),
    ("02-doubles", "H", FIXED),
    ("02-doubles", "d_head", FIXED),
    ("02-doubles", "bytes", "wherever in the sequence it stands"),
    ("02-doubles", "context", "Answer with one of: 2, B"),
    *(("02-steps", *row) for row in STEPS_WRONG),
    *(("02-sketch", *row) for row in SKETCH_WRONG),
    *(("02-note", *row) for row in NOTE_WRONG),
    *(("02-held", answer, said) for answer, said in HELD.items()),
    *(("02-forgotten", answer, said) for answer, said in FORGOTTEN),
    *(("02-forum", *row) for row in FORUM),
    *(("02-seventy", answer, said) for answer, said in SEVENTY.items()),
]


def by_combinations(claim, factors):
    """All products of six of the seven, and a tuple handed back."""
    found = []
    for six in combinations(factors, len(factors) - 1):
        [out] = set(factors) - set(six)
        if factors[out] != 1 and prod(factors[name] for name in six) == claim:
            found.append(out)
    return tuple(found)


RIGHT = [
    ("02-bytes", " (d) "),
    ("02-steps", STEPS),
    ("02-steps", {name: float(n) for name, n in STEPS.items()}),
    ("02-steps", STEPS | {"bytes of all layers": "384 MiB", "bytes of one layer": "16,777,216"}),
    ("02-doubles", "t"),
    ("02-sketch", SKETCH),
    ("02-sketch", SKETCH | {"underline": 2, "formula": [2, "layers", "B", "H", "T", "d_head", "bytes"]}),
    ("02-sketch", SKETCH | {"circle": "H, d_head"}),
    ("02-note", RATED),
    ("02-held", 765),
    ("02-held", "765 KiB"),
    ("02-held", "0.747 MiB"),
    ("02-forgotten", right),
    ("02-forgotten", by_combinations),
    ("02-forum", AUDIT),
    ("02-forum", {"wrong": ["e", "c"], "MiB": "0.4375 GiB", "times": 56.0}),
    ("02-seventy", 32.768),
    ("02-seventy", "32.8 GB"),
    ("02-seventy", "30.52 GiB"),
]
