"""More wrong answers to chapter 07: rows of the record, groups of codes, rings, positions, buffers."""

from kvlib.measure.records import record

from .made import edited, rows

QUALITY = record("quality")
PERPLEXITY = {row["name"]: row["perplexity"] for row in QUALITY["precision"]}
WINDOWS = {(row["window"], row["sinks"]): row["perplexity"] for row in QUALITY["window"]}
FULL, CODES, WINDOW = PERPLEXITY["fp32"], PERPLEXITY["int4, keys by channel"], WINDOWS[128, 4]

PARTS = {
    "07-record": {
        "codes": [(100 * (1 - FULL / CODES), "the perplexity of the row itself")],
        "window": [
            (100 * (WINDOW / CODES - 1), "You compare with the codes"),
            (100 * (WINDOWS[64, 0] / FULL - 1), "the row of another window"),
            (100 * (WINDOWS[1024, 4] / FULL - 1), "the row of another window"),
        ],
    },
    "07-audit": {"true": [(4 * 2**30 / (2 * 32 * 8 * 128), "16 bits for 16 bytes")]},
}

CODEC = """
def encode(numbers):
    zero = min(numbers)
    scale = (max(numbers) - zero) / 15 or 1.0
    codes = [round((x - zero) / scale) for x in numbers]
    if len(codes) % 2:
        codes.append(0)
    packed = []
    for i in range(0, len(codes), 2):
        packed.append(codes[i] | codes[i + 1] << 4)
    return packed, scale, zero


def decode(packed, scale, zero, n):
    codes = [code for byte in packed for code in (byte & 15, byte >> 4)]
    return [code * scale + zero for code in codes[:n]]
"""
HELD = """
def f(layers, tokens, kv_heads, head_dim, bits, group):
    kept = 0
    for layer in layers:
        if layer is None:
            kept += tokens
        else:
            window, sinks = layer
            kept += min(tokens, window + sinks)
    groups = -(-head_dim // group)
    return 2 * kept * kv_heads * (head_dim * bits // 8 + 4 * groups)
"""
RING = """
def f(window, sinks, tokens):
    slots = []
    for token in range(tokens):
        if len(slots) < sinks + window:
            slots.append(token)
        else:
            slots[sinks + token % window] = token
    start = sinks + (tokens - sinks) % window
    return slots[:sinks] + slots[start:] + slots[sinks:start]
"""
TURNED = """
def f(chunks, window):
    held, last = [], 0
    for chunk in chunks:
        begin = held[-1] + 1 if held else 0
        held += range(begin, begin + chunk)
        held = held[-window:]
        last = chunk
    return [held[-1] - position for position in held]
"""
EVICTS = "        held += range(begin, begin + chunk)\n        held = held[-window:]\n"
FIRST = "        held = held[-window:]\n        held += range(begin, begin + chunk)\n"


def codec(*change):
    return {name: edited(CODEC, name, change) for name in ("encode", "decode")}


def held(*change):
    return edited(HELD, "f", change)


def bug(given, source, *change):
    return {"input": given, "fix": edited(source, "f", change)}


def served(head, lists=None):
    """A buffer in which query head h reads the KV head `head`(h, KV heads); a list for each head."""

    def serve(requests, n_heads):
        last = requests[-1]
        heads = len(last[0]) if lists == "KV heads" else n_heads
        return sum(map(len, last)), [[row[head(h, len(row))] for row in last] for h in range(heads)]

    return serve


STALE = [[[1], [2]], [[3]]], 1
WRONG = [
    *(row for name, answers in PARTS.items() for row in rows(name, answers)),
    ("07-codec", codec("<< 4", "<< 3"), "by too few bits", 3),
    ("07-codec", codec("codes[i] | codes[i + 1] << 4", "codes[i] + codes[i + 1]"), "the same four bits", 3),
    (
        "07-codec",
        codec("    return packed, scale", "        return packed, scale"),
        "the first byte alone",
        3,
    ),
    (
        "07-codec",
        codec("for x in numbers]", "for x in numbers + [0] * (len(numbers) % 2)]"),
        "with the number 0",
        3,
    ),
    ("07-codec", codec("(max(numbers) - zero)", "max(map(abs, numbers))"), "by the largest size", 3),
    (
        "07-bytes",
        held("-(-head_dim // group)", "-(-head_dim * kv_heads // group)"),
        "of all KV heads together",
    ),
    (
        "07-bytes",
        held("-(-head_dim // group)", "-(-2 * head_dim // group) / 2"),
        "a key and its value together",
    ),
    ("07-bytes", held("head_dim * bits // 8", "groups * group * bits // 8"), "fills up the last group"),
    ("07-bytes", held("head_dim * bits // 8", "head_dim * (bits // 8)"), "fewer than 8 bits"),
    (
        "07-bytes",
        held("min(tokens, window + sinks)", "min(tokens, window + sinks) + sinks"),
        "the sinks once more",
    ),
    (
        "07-ring",
        bug((4, 1, 6), RING, "slots[sinks + token % window]", "slots[token % (window + sinks)]"),
        "overwrites the sinks",
        2,
    ),
    (
        "07-ring",
        bug((4, 1, 6), RING, "token % window]", "(token + sinks) % window]"),
        "adds the sinks to the token",
        2,
    ),
    ("07-positions", bug(([6, 1], 4), TURNED, EVICTS, FIRST), "evicts before it writes", 2),
    (
        "07-positions",
        bug(([6, 1], 4), TURNED, "held[-1] + 1 if held else 0", "last"),
        "the length of the one before",
        2,
    ),
    (
        "07-buffer",
        {"input": STALE, "fix": served(lambda h, n_kv: h, "KV heads")},
        "one list per KV head",
        2.5,
    ),
    (
        "07-buffer",
        {"input": STALE, "fix": served(lambda h, n_kv: min(h // n_kv, n_kv - 1))},
        "divides by the KV heads",
        2.5,
    ),
]
