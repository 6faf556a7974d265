"""More wrong answers to the exercises of chapter 03."""

from .made import edited, rows

WINDOW = """
def kept_bytes(layers, tokens, batch, number_bytes):
    numbers = 0
    for kv_heads, head_dim, window in layers:
        kept = tokens if window is None else min(tokens, window)
        numbers += 2 * kv_heads * head_dim * kept
    return numbers * batch * number_bytes
"""
LONGEST = """
def longest_context(room, layers, batch):
    def used(tokens):
        kept = [tokens if window is None else min(tokens, window) for *_, window in layers]
        rows = sum(heads * dim * k for (heads, dim, _), k in zip(layers, kept))
        return 2 * batch * rows * 2
    windows = [window for *_, window in layers]
    if None not in windows and used(max(windows)) <= room:
        return None
    tokens = 0
    while used(tokens + 1) <= room:
        tokens += 1
    return tokens
"""


def window(new):
    return edited(WINDOW, "kept_bytes", ("min(tokens, window)", new))


def longest(*changes):
    return edited(LONGEST, "longest_context", *changes)


GIB = 2**30 / 10**9

WRONG = [
    ("03-bars", 36, "go on from the last bar as it is drawn"),
    ("03-bars", 56, "or double the bar that is wrong"),
    ("03-bars", 8, "the bar above has more than"),
    ("03-bars", 20, "You add the 4 marks of the first bar"),
    ("03-bars", 2, "how many times as long the bar is"),
    ("03-bars", 4, "You give the marks that are missing"),
    ("03-bars", 8192, "You give the tokens. How many marks"),
    ("03-bars", 33, "You are one mark off"),
    *rows(
        "03-units",
        {
            "GB": [
                (3 * 1.024, "You multiply by 1.024 once"),
                (3 / GIB, "You divide where you should multiply"),
                (3 * GIB * 1.5, "Queries are not kept"),
            ],
            "GiB": [
                (3 * GIB**2, "You multiply where you should divide"),
                (3 * 32, "You count the heads, or the layers, twice"),
                (2, "You take the example's 4,096 tokens"),
            ],
        },
    ),
    ("03-thirteen", 3200 + 26e9 / 2**20, "You add the weights"),
    ("03-thirteen", 26e9 / 2**20, "You give the weights"),
    ("03-thirteen", 4800, "Queries are not kept"),
    ("03-factors", 6, "You count the sequences that come on top"),
    ("03-factors", 6.5, "You give by how much it grows"),
    ("03-factors", 2 * 32 * 32 * 128 * 12_288 * 5, "You give the bytes of the new cache"),
    ("03-outgrow", 30, "You go one too far"),
    ("03-outgrow", 16, "You take the weights of the 7B model"),
    (
        "03-window",
        window("(tokens if tokens < window else tokens - window)"),
        "it keeps what lies outside it",
    ),
    ("03-window", window("(tokens if tokens <= window else tokens % window)"), "it keeps the remainder"),
    ("03-longest", longest(("max(windows)", "min(windows)")), "as soon as the smallest window fits"),
]
RIGHT = [
    ("03-longest", longest(("max(windows)", "10**9"))),
    ("03-units", {"GiB": "3 GiB", "GB": 3.22}),
    ("03-factors", "7.5 times"),
]
