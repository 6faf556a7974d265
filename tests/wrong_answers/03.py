"""Wrong answers to the exercises of chapter 03 that ask for numbers; its functions are in 03_layers."""

BARS = {
    28: "That is what the chart draws",
    16: "the longer context costs nothing",
    64: "not with its square",
    24: "as many marks as the step before",
    56: "add the marks of the other bars",
    256: "the tokens that a mark stands for",
    31: "You are one mark off",
    "32 marks": "Give a number without a unit",
}

# 03-units: 6,144 tokens of the 7B model are 3 GiB

GIB = {
    3.221: "You answer in GB; the question asks for GiB",
    1.5: "Half of it is missing",
    6: "You take 4 bytes per number",
    24: "You count bits",
    0.09375: "You count one layer, or one head",
    0.000488: "You count one token",
    0.0234: "You leave d_head out",
    3072: "You answer in MiB; the question asks for GiB",
    3_221_225_472: "You answer in bytes; the question asks for GiB",
    12: "Two things",
    2: "You take the example's 4,096 tokens",
    "3 gigs": "Give the number in GiB",
}
GB = {
    3: "You answer in GiB; the question asks for GB",
    1.61: "Half of it is missing",
    6.44: "You take 4 bytes per number",
    0.1007: "You count one layer, or one head",
    3221: "You answer in MB; the question asks for GB",
    3.146: None,  # 3 × 1024 × 1024 × 1000 bytes
}
UNITS = [("03-units", {"GiB": n, "GB": 3.221}, said, 1) for n, said in GIB.items()]
UNITS += [("03-units", {"GiB": 3, "GB": n}, said, 1) for n, said in GB.items()]
UNITS += [
    ("03-units", {"GiB": 3.22, "GB": 3}, "You answer in GB; the question asks for GiB"),
    ("03-units", {"gib": 3, "gb": 3.22}, "Give a dict with the keys 'GiB', 'GB'"),
    ("03-units", 3, "Give a dict with the keys 'GiB', 'GB'"),
]

# 03-thirteen: 3,200 MiB

THIRTEEN = {
    2048: "the layers and heads of the 7B model",
    2560: "You change the layers or the heads",
    3803: "You scale by the parameters",
    1600: "Half of it is missing",
    6400: "You take 4 bytes per number",
    25_600: "You count bits",
    80: "You count one layer, or one head",
    0.78125: "You count one token",
    25: "You leave d_head out",
    128_000: "You count the heads twice",
    3355: "You answer in MB; the question asks for MiB",
    3.125: "You answer in GiB; the question asks for MiB",
    3.355: "You answer in GB; the question asks for MiB",
    3_276_800: "You answer in KiB; the question asks for MiB",
    1024: "Two things",
    3000: "give three digits",
    2900: None,
}

# 03-factors: 3 times the tokens, 5 sequences, int8

FACTORS = {
    15: "You leave the int8 out",
    30: "You double for int8",
    3.75: "You take a quarter for int8",
    1.875: "You divide by 8 for int8",
    1.5: "You forget the batch",
    2.5: "You forget the longer context",
    22.5: "not with its square",
    8.5: "You add the factors",
    0.1333: "You turn it round",
    5: "Two things",
    3: "Two things",
    7: None,
    "15/2": "Give a number",
}

# 03-outgrow: 26 GB of weights, 0.9 GB a sequence

OUTGROW = [
    (28, "You round down"),
    (15, "Your weights are half as large"),
    (58, "Your weights are twice as large"),
    (46, "the layers and heads of the 7B model"),
    (27, "You divide GB by GiB"),
    (31, "multiply by 1024 where a GB is 10⁹"),
    (1154, "You count one layer, or one head"),
    (31_739, "You count tokens"),
    (28.85, "The answer is a whole number"),
    (14, "Two things"),
    (7, None),
    ([29], "Give one number, not a list"),
]

WRONG = [
    *(("03-bars", answer, said) for answer, said in BARS.items()),
    *UNITS,
    *(("03-thirteen", answer, said) for answer, said in THIRTEEN.items()),
    *(("03-factors", answer, said) for answer, said in FACTORS.items()),
    *(("03-outgrow", answer, said) for answer, said in OUTGROW),
    ("03-left-out", "a", "they stand beside the cache"),
    ("03-left-out", "b", "All of them come on top"),
    ("03-left-out", "d", "half of the factor 2"),
    ("03-left-out", "the weights", "Answer with one of: a, b, c, d"),
]

RIGHT = [
    ("03-bars", 32.0),
    ("03-bars", "32"),
    ("03-units", {"GiB": 3, "GB": 3.22}),
    ("03-units", {"GiB": "3 GiB", "GB": "3 GiB"}),
    ("03-units", {"GiB": "3,072 MiB", "GB": 3.221225472}),
    ("03-thirteen", 3200),
    ("03-thirteen", "3.125 GiB"),
    ("03-factors", 7.5),
    ("03-factors", "7.5 times"),
    ("03-outgrow", 29),
    ("03-outgrow", 29.0),
    ("03-left-out", ["C"]),
]
