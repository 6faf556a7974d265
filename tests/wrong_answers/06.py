"""Wrong answers to chapter 06, scaling limits: numbers, limits and a log."""

from fractions import Fraction

GiB, GB, MiB = 2**30, 10**9, 2**20

# 06-sequences, by hand: 24 GiB, 0.9, 14 GB, 6144 tokens.
ONE = 2 * 32 * 8 * 6144 * 128 * 2
ROOM = 0.9 * 24 * GiB - 14 * GB

# 06-step: 3.35 TB/s, 512 MiB, 6 GB, 24 sequences.
SPEED = 3.35e12 / 1000
STEP = {"one cache": 512 * MiB / SPEED, "whole step": (6 * GB + 24 * 512 * MiB) / SPEED}

# 06-int4: 7 × 10⁹ weights of 4.5 bits, 32,768 tokens.
INT4 = {"weights": 3.9375, "cache": 4.294967296, "cache's share": 100 * 4.294967296 / 8.232467296}
INT4_16 = 100 * 4.294967296 / (14 + 4.294967296)

NODE_CACHE = 2 * 80 * 64 * 100_000 * 128 * 2 / GB  # 262.144

# 06-log: the share less weights, less what PyTorch does not count, less the peak.
REST = 23.58 * 0.9 - 14.99 - 0.45 - 2.6
PER_GIB = 8192  # tokens of 128 KiB
LOG = {"rest": REST, "why": "b", "tokens": (REST - 0.6) * PER_GIB, "slow": "c", "factor": 89 / 27}
NO_PEAK = REST + 2.6

LIMITS = {
    "time of a long prompt's prefill": "compute",
    "time of a decode step": "bandwidth",
    "sequences that run at once": "capacity",
}


def step(**wrong):
    return STEP | {name.replace("_", " "): value for name, value in wrong.items()}


def int4(weights=INT4["weights"], cache=INT4["cache"], share=INT4["cache's share"]):
    return {"weights": weights, "cache": cache, "cache's share": share}


def limits(prefill="compute", decode="bandwidth", at_once="capacity"):
    return dict(zip(LIMITS, (prefill, decode, at_once), strict=True))


def log(**wrong):
    return LOG | wrong


PEAK = "You forget what the profiling run needs"
SHARE = "You take all of the card"

WRONG = [
    ("06-sequences", 14, "You fill the whole GPU"),
    ("06-sequences", int(0.9 * (24 * GiB - 14 * GB) // ONE), "You take the share of what the weights leave"),
    ("06-sequences", int((0.9 * 24 - 14) * GiB // ONE), "You take the weights' GB for GiB"),
    ("06-sequences", int((0.9 * 24 - 14) * GB // ONE), "You take the GPU's GiB for GB"),
    ("06-sequences", 12, "You round up"),
    ("06-sequences", ROOM / ONE, "A sequence fits whole or not at all"),
    ("06-sequences", int(0.9 * 24 * GiB // ONE), "You forget the weights"),
    ("06-sequences", int(24 * GiB // ONE), "And: You forget the weights"),
    ("06-sequences", int(ROOM // (4 * ONE)), "You count the query heads"),
    ("06-sequences", int(ROOM / (ONE / 2)), "You count the keys or the values, not both"),
    ("06-sequences", int(ROOM // (2 * ONE)), "You take 4 bytes per number"),
    ("06-sequences", int(ROOM / ONE * 6144), "You count the tokens that fit"),
    ("06-sequences", int(ROOM / ONE * 32), "You count one layer"),
    ("06-sequences", 11.4, "The answer is a whole number"),
    ("06-sequences", 0, None),
    ("06-bound", limits(prefill="bandwidth"), "thousands of tokens for each byte of weights", 2),
    ("06-bound", limits(prefill="capacity"), "not how long its arithmetic takes", 2),
    ("06-bound", limits(decode="compute"), "A step does little arithmetic", 2),
    ("06-bound", limits(decode="capacity"), "What fits is settled already", 2),
    ("06-bound", limits(at_once="compute"), "A long context is not a compute problem only", 2),
    ("06-bound", limits(at_once="bandwidth"), "what makes a new sequence wait outside", 2),
    ("06-bound", limits("bandwidth", "compute"), "A step does little arithmetic", 1),
    ("06-bound", limits("memory"), "one of: bandwidth, capacity, compute", 2),
    ("06-step", step(one_cache=149.25), "That is the claim's figure", 1),
    ("06-step", step(one_cache=512e6 / SPEED), "You take MiB for MB", 1),
    ("06-step", step(one_cache=8 * STEP["one cache"]), "You count bits", 1),
    ("06-step", step(one_cache=512 * MiB / (3.35 * 2**40) * 1000), "You take the bandwidth's TB for TiB", 1),
    ("06-step", step(one_cache=STEP["one cache"] / 1000), "You answer in s", 1),
    ("06-step", step(one_cache=160.3), "You answer in µs", 1),
    ("06-step", step(one_cache=1 / STEP["one cache"]), "You turn it round", 1),
    ("06-step", step(one_cache=0.2), "give three digits", 1),
    ("06-step", step(whole_step=24 * 512 * MiB / SPEED), "You read the caches alone", 1),
    ("06-step", step(whole_step=6 * GB / SPEED), "You read the weights alone", 1),
    ("06-step", step(whole_step=(6 * GB + 512 * MiB) / SPEED), "You read one sequence's cache", 1),
    (
        "06-step",
        step(whole_step=24 * (6 * GB + 512 * MiB) / SPEED),
        "You read the weights for each sequence",
        1,
    ),
    ("06-step", step(whole_step=(6 * GB + 24 * 512e6) / SPEED), "You take MiB for MB", 1),
    ("06-step", step(whole_step=STEP["whole step"] / 1000), "You answer in s", 1),
    ("06-step", step(whole_step=30.1), None, 1),
    ("06-int4", int4(weights=3.5), "You leave out the scales", 2),
    ("06-int4", int4(weights=14), "You keep the weights in 16 bits", 2),
    ("06-int4", int4(weights=7), "You take a byte for each weight", 2),
    ("06-int4", int4(weights=31.5), "You count bits", 2),
    ("06-int4", int4(weights=3.667), "You answer in GiB", 2),
    ("06-int4", int4(cache=4), "You answer in GiB", 2),
    ("06-int4", int4(cache=4.295 * 4.5 / 16), "You shrink the cache as well", 2),
    ("06-int4", int4(cache=4.295 * 4), "You count the query heads", 2),
    ("06-int4", int4(cache=4.295 / 2), "Half of it is missing", 2),
    ("06-int4", int4(cache=4.295 / 32), "You count one layer", 2),
    ("06-int4", int4(cache=4.295 * 2), "You take 4 bytes per number", 2),
    ("06-int4", int4(share=47.8), "That is the weights' share", 2),
    ("06-int4", int4(share=109.1), "its share is of the two together", 2),
    ("06-int4", int4(share=0.5217), "You answer in a fraction", 2),
    ("06-int4", int4(share=INT4_16), "You compare the cache with the weights in 16 bits", 2),
    ("06-int4", int4(share=4 / 7.9375 * 100), "You take the cache's GiB for GB", 2),
    ("06-int4", int4(3.5, 4.295 / 2, 30), "You leave out the scales"),
    ("06-node", 100 * NODE_CACHE / 640, "You count the cache alone"),
    ("06-node", 100 * 140 / 640, "You count the weights alone"),
    ("06-node", 100 * (140 + NODE_CACHE / 8) / 640, "You count the KV heads of the real model"),
    ("06-node", 100 * (140 + NODE_CACHE) / 80, "You compare with one GPU"),
    ("06-node", 100 * (140 + NODE_CACHE * GB / GiB) / 640, "You add the cache's GiB to the weights' GB"),
    ("06-node", 6400 * 10 / (140 + NODE_CACHE), "You turn it round"),
    ("06-node", 100 - 100 * (140 + NODE_CACHE) / 640, "That is what is left of the node"),
    ("06-node", 140 + NODE_CACHE, "You give the GB that are kept"),
    ("06-node", 100 * (140 + NODE_CACHE / 2) / 640, "Half of the cache is missing"),
    ("06-node", 100 * (140 + NODE_CACHE) / 640 / 0.9, "Here all of it counts"),
    ("06-node", (140 + NODE_CACHE) / 640, "You answer in a fraction"),
    ("06-node", 6, None),
    ("06-node", "yes", "Give a number"),
    ("06-log", log(rest=NO_PEAK), PEAK, 4),
    ("06-log", log(rest=23.58 - 14.99 - 0.45 - 2.6), SHARE, 4),
    ("06-log", log(rest=REST + 0.45), "You forget the memory that PyTorch does not count", 4),
    ("06-log", log(rest=REST + 14.99), "You forget the weights", 4),
    ("06-log", log(rest=23.58 * 0.9), "with nothing taken off", 4),
    ("06-log", log(rest=23.58 * 0.9 - 14.99), PEAK, 4),
    ("06-log", log(rest=REST - 0.6), "You take the graphs off too", 4),
    ("06-log", log(rest=0.9 * (23.58 - 14.99 - 0.45 - 2.6)), "You take the share of what is left", 4),
    ("06-log", log(rest=REST * GiB / GB), "You answer in GB", 4),
    ("06-log", log(why="a"), "The log says what the weights take", 4),
    ("06-log", log(why="c"), "CPU blocks lie in the machine's memory", 4),
    ("06-log", log(why="d"), "nothing has run yet", 4),
    ("06-log", log(why="e"), "The cache is sized by what is left", 4),
    ("06-log", log(tokens=REST * PER_GIB), "You forget the graphs", 4),
    ("06-log", log(tokens=(NO_PEAK - 0.6) * PER_GIB), PEAK, 4),
    ("06-log", log(tokens=NO_PEAK * PER_GIB), "You forget the graphs", 4),
    ("06-log", log(tokens=(REST - 0.6) * PER_GIB / 16), "You give blocks", 4),
    ("06-log", log(tokens=(REST + 0.6) * PER_GIB), "You add the graphs", 4),
    ("06-log", log(slow="a"), "Where compute is short, the cache need not be full", 4),
    ("06-log", log(slow="b"), "The weights are read once a step for all", 4),
    ("06-log", log(slow="d"), "A longer queue is the effect", 4),
    ("06-log", log(factor=62 / 27), "You leave out those that run", 4),
    ("06-log", log(factor=27 / 89), "You turn it round", 4),
    ("06-log", log(factor=89 / 62), "compare them with those that run", 4),
    ("06-log", log(factor=89), "You give the number of requests", 4),
    ("06-log", log(factor=2), None, 4),
    ("06-log", log(rest=1.0, tokens=0.4 * PER_GIB), None, 3),
]

RIGHT = [
    ("06-sequences", Fraction(11)),
    ("06-sequences", "11"),
    ("06-bound", limits("FLOPS", "memory bandwidth", "memory capacity")),
    ("06-step", {"one cache": "0.16 ms", "whole step": "5.64 ms"}),
    ("06-step", {"one cache": "160 µs", "whole step": 5.637}),
    ("06-int4", {"weights": "3.94 GB", "cache": "4 GiB", "cache's share": "52.2%"}),
    ("06-int4", int4(3.5, INT4["cache"], INT4["cache's share"]) | {"weights": 3.94}),
    ("06-node", "62.8 %"),
    ("06-log", log(rest="3.18 GiB", tokens=21_150, factor=3.3)),
    ("06-log", log(why="(b)", slow="C.")),
]
