"""More wrong answers to chapter 06: units mixed up, shares without their weights, times that are equal."""

from .made import edited, rows

GB, GiB, MiB = 10**9, 2**30, 2**20
CACHE, WEIGHTS = 2 * 32 * 8 * 32_768 * 128 * 2, 7 * GB * 4.5 / 8
NODE = 2 * 80 * 64 * 100_000 * 128 * 2
LEFT = 23.58 * 0.9 - 14.99 - 0.45 - 2.6 - 0.6  # GiB

PARTS = {
    "06-step": {
        "whole step": [
            ((6 * GiB + 24 * 512 * MiB) / 3.35e9, "the weights' GB for GiB"),
            ((6 * GB + 24 * 512 * MiB) / 3.35e9 / 24, "all of them wait as long"),
        ],
    },
    "06-int4": {
        "cache": [(CACHE / 4 / GB, "in 4 bits, as the weights")],
        "cache's share": [
            (100 * CACHE / (CACHE + 3.5 * GB), "leave out the scales"),
            (100 * CACHE / (CACHE + 8 * WEIGHTS), "In the weights: You count bits"),
            (400 * CACHE / (4 * CACHE + WEIGHTS), "count the query heads"),
        ],
    },
    "06-log": {
        "tokens": [
            (LEFT * GB / (128 * 1024), "You take GiB for GB"),
            (LEFT * GiB / 128_000, "You take KiB for kB"),
            (LEFT * GB / 128_000, "GiB for GB and KiB for kB"),
        ],
        "factor": [(100 * 89 / 27, "You answer in per cent")],
    },
}

FIT = """
def f(memory, utilization, weights, overhead, per_token, context, block_size):
    room = memory * utilization - weights - overhead
    if room < 0:
        return 0
    blocks = int(room // (per_token * block_size))
    return blocks // -(-context // block_size)
"""
FLOOR = """
def f(params, weight_bits, cache_mib, batch, bandwidth_tb, tflops):
    reading = (params * weight_bits / 8 + batch * cache_mib * 2**20) / (bandwidth_tb * 1e12)
    computing = 2 * params * batch / (tflops * 1e12)
    if computing > reading:
        return 1000 * computing, "compute"
    return 1000 * reading, "bandwidth"
"""
TURN = """
def f(params, weight_bits, cache_mib, bandwidth_tb, tflops):
    weights = params * weight_bits / 8 / (bandwidth_tb * 1e12)
    cache = cache_mib * 2**20 / (bandwidth_tb * 1e12)
    computing = 2 * params / (tflops * 1e12)
    if computing <= cache:
        return None
    batch = weights / (computing - cache)
    return -int(-batch // 1)
"""


def fit(*change):
    return edited(FIT, "f", change)


def floor(*change):
    return edited(FLOOR, "f", change)


def turn(*change):
    return edited(TURN, "f", change)


WRONG = [
    *(row for name, answers in PARTS.items() for row in rows(name, answers)),
    ("06-node", 100 * (140 * GB + NODE) / (640 * GiB), "the GPUs' GB for GiB"),
    ("06-node", 100 * (140 * GiB + NODE) / (640 * GB), "the weights' GB for GiB"),
    ("06-node", 100 * (140 * GB + 2 * NODE) / (640 * GB), "4 bytes per number"),
    ("06-node", 100 * (8 * 140 * GB + NODE) / (640 * GB), "all weights on every GPU"),
    ("06-node", 100 * (140 * GB + NODE / 80) / (640 * GB), "you count one layer"),
    ("06-fit", fit("-(-context // block_size)", "max(1, context // block_size)"), "blocks down"),
    ("06-fit", fit("-(-context // block_size)", "max(1, round(context / block_size))"), "to the nearest"),
    (
        "06-fit",
        fit("blocks // -(-context // block_size)", "blocks * block_size // context"),
        "begin in a block",
    ),
    ("06-fit", lambda m, u, w, o, p, c, b: max(0, (m * u - w - o) / (p * b)) / -(-c // b), "round both down"),
    ("06-fit", fit("int(room // (", "-int(-room // ("), "goes into the room only in part"),
    ("06-floor", floor("computing > reading", "computing < reading"), "the shorter of the two times"),
    ("06-floor", floor('"bandwidth"', '"memory"'), 'It says "memory"'),
    ("06-floor", floor("2**20", "2**10"), "MiB for KiB"),
    ("06-floor", floor("tflops * 1e12", "tflops * 1e9"), "that is a GFLOP"),
    (
        "06-floor",
        floor("2 * params * batch", "2 * params * weight_bits / 8 * batch"),
        "with the bytes of the weights",
    ),
    ("06-floor", lambda *a: (round(floor("", "")(*a)[0], 1), floor("", "")(*a)[1]), "It rounds the time"),
    ("06-turning", turn("computing - cache", "computing"), "It forgets the cache"),
    ("06-turning", turn("computing - cache", "computing + cache"), "it counts against it"),
    ("06-turning", turn("-int(-batch // 1)", "int(batch) + 1"), "where both times are equal"),
    ("06-turning", turn("computing <= cache", "computing < cache"), "adds as much to reading"),
]
RIGHT = [
    ("06-turning", turn("-int(-batch // 1)", "float(-int(-batch // 1))")),
    ("06-fit", fit("room < 0", "room <= 0")),
]
