"""More wrong answers to chapter 08: rows and bandwidths of the record, medians, peaks, lines."""

from kvlib.measure.records import record

from .made import edited, rows

DECODE = record("decode")
LATE = DECODE["rows"][8]
[EARLY] = [r for r in DECODE["rows"] if (r["cache"], r["context"]) == (LATE["cache"], 128)]
WEIGHTS, COPY = DECODE["weights_bytes"], DECODE["copy_bandwidth"]
ADDED = (LATE["cache_bytes"] - EARLY["cache_bytes"]) / (LATE["seconds"] - EARLY["seconds"])
TOKEN, KEPT = 2 * 32 * 4 * 128 * 2, 2 * 32 * 4 * 128 * 2 * 32_768
LOGITS, CACHE = 2000 * 128_256 * 4, 2 * 16 * 8 * 2000 * 64 * 2
READ = 2 * 6.7e9 + 2 * 32 * 32 * 128 * 2 * 8192

PARTS = {
    "08-share": {
        "share": [
            (100 * KEPT / (KEPT + 8 * 2**30), "for a billion"),
            (100 * 8e9 / KEPT, "the wrong way round"),
        ],
    },
    "08-logits": {
        "cache": [(CACHE / 4 / 2**20, "A quarter of it is there")],
        "times": [
            (2 * LOGITS / CACHE, "Half of the cache is missing"),
            (16 * LOGITS / CACHE, "a row of logits in each"),
        ],
    },
    "08-record": {
        "floor": [
            (1000 * (WEIGHTS + EARLY["cache_bytes"]) / COPY, "the row at 128 tokens"),
            (500 * (WEIGHTS + LATE["cache_bytes"]) / COPY, "twice the bandwidth"),
        ],
        "reached": [(50 * (WEIGHTS + LATE["cache_bytes"]) / COPY / LATE["seconds"], "twice the bandwidth")],
        "cache share": [(100 * LATE["cache_bytes"] / COPY / LATE["seconds"], "could be copied in its time")],
        "added": [
            (-ADDED / 1e9, "You subtract the longer one"),
            (LATE["cache_bytes"] / (LATE["seconds"] - EARLY["seconds"]) / 1e9, "the whole cache"),
        ],
    },
    "08-audit": {
        "floor": [
            ((6.7 * 2 * 2**30 + READ - 2 * 6.7e9) / 3.35e9, "for a billion"),
            ((2 * 6.7e9 + (READ - 2 * 6.7e9) / 4) / 3.35e9, "8 KV heads"),
        ],
        "most": [(3.35e12 / READ * 8192, "a step makes one token")],
    },
}

TIMING = """
def f(runs, warm):
    took = []
    for called, returned, done in runs[warm:]:
        took.append(done - called)
    took.sort()
    n = len(took)
    median = took[n // 2] if n % 2 else (took[n // 2 - 1] + took[n // 2]) / 2
    return median, (took[-1] - took[0]) / median
"""
PEAK = """
def f(log):
    alive, most, then = {}, 0, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
        else:
            alive.pop(name)
        now = sum(alive.values())
        if now > most:
            most, then = now, dict(alive)
    return most, then
"""
LINE = """
def f(contexts, seconds, bandwidth):
    n = len(contexts)
    x, y = sum(contexts) / n, sum(seconds) / n
    above = below = 0
    for c, t in zip(contexts, seconds):
        above += (c - x) * (t - y)
        below += (c - x) ** 2
    slope = above / below
    return slope * bandwidth, (y - slope * x) * bandwidth
"""


def timing(*changes):
    return edited(TIMING, "f", *changes)


def peak(*change):
    return edited(PEAK, "f", change)


def line(*change):
    return edited(LINE, "f", change)


def always_fails(log):
    return log[0][0][0].no_such_thing


WRONG = [
    *(row for name, answers in PARTS.items() for row in rows(name, answers)),
    ("08-timing", timing(("runs[warm:]", "runs[warm + 1:]")), "one run too many"),
    ("08-timing", timing(("    took.sort()\n", "")), "does not sort the times"),
    ("08-timing", timing(("runs[warm:]", "runs[:-warm]")), "leaves out the last runs"),
    (
        "08-timing",
        timing(("runs[warm:]", "runs"), (".sort()", ".sort()\n    took = took[warm:]")),
        "so the fastest go",
    ),
    ("08-timing", timing(("if n % 2 else", "if n % 2 == 0 else")), "odd and even counts"),
    ("08-timing", timing(("(took[-1] - took[0])", "(took[-1] - took[0]) / 2")), "It halves the spread"),
    ("08-timing", timing(("return median", "return round(median, 3)")), "It rounds; hand back all digits"),
    ("08-peak", peak("alive.pop(name)", "alive[name] = 0"), "with 0 bytes"),
    ("08-peak", peak("sum(alive.values())", "max(alive.values(), default=0)"), "the largest tensor"),
    ("08-peak", peak("alive.pop(name)", "alive.popitem()"), "made last"),
    ("08-peak", always_fails, None),
    ("08-line", line("above / below", "below / above"), "turns the slope round"),
    ("08-line", line("above / below", "y / x"), "the mean time by the mean context"),
    ("08-line", line("(c - x) * (t - y)", "c * t"), "out of the products"),
    (
        "08-line",
        line("above / below", "(seconds[1] - seconds[0]) / (contexts[1] - contexts[0])"),
        "first two points",
    ),
    ("08-line", line("slope * bandwidth,", "8 * slope * bandwidth,"), "It gives bits"),
    ("08-line", line("slope * bandwidth,", "slope * bandwidth / 1e9,"), "divides bytes by 10⁹"),
]
RIGHT = [("08-peak", lambda log: list(peak("pop(name)", "pop(name)")(log)))]
