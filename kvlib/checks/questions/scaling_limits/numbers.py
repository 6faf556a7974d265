"""Questions of chapter 06: what fits, what it takes, and how long a step must read."""

from ....units import GB, TB, GiB, MiB
from ...answers import Choice, Each, Number, Slip
from ..common import BITS, FORMULA_SLIPS, HALF, ONE_LAYER, QUERY_HEADS, formula, question

ALL = "You fill the whole GPU; the engine may use only a share of it."
NO_WEIGHTS = "You forget the weights."


@question(
    "06-sequences",
    points=2,
    kind="by hand",
    minutes=5,
    drawn={
        "memory": (16, 24, 32),
        "share": (0.8, 0.85, 0.9),
        "weights": (9, 10, 12, 14, 15, 16, 18),
        "tokens": (3072, 4096, 7168, 8192),
    },
)
def _sequences(memory=24, share=0.9, weights=14, tokens=6144, kv_heads=8):
    def fit(memory, share, weights, tokens, kv_heads):
        return int((memory * GiB * share - weights * GB) // formula(32, 1, kv_heads, tokens, 128))

    def exactly(memory, share, weights, tokens, kv_heads):
        return (memory * GiB * share - weights * GB) / formula(32, 1, kv_heads, tokens, 128)

    def of_the_rest(memory, share, weights, tokens, kv_heads):
        return int(share * (memory * GiB - weights * GB) // formula(32, 1, kv_heads, tokens, 128))

    return Number(
        fit,
        dict(memory=memory, share=share, weights=weights, tokens=tokens, kv_heads=kv_heads),
        (
            Slip(ALL, share=1),
            Slip("You take the share of what the weights leave; it is a share of the GPU.", of_the_rest),
            Slip("You take the weights' GB for GiB.", weights=weights * GiB / GB),
            Slip("You take the GPU's GiB for GB.", memory=memory * GB / GiB),
            Slip("You round up: the last sequence fits only in part.", then=lambda v: v + 1),
            Slip("A sequence fits whole or not at all: round down.", exactly),
            Slip(NO_WEIGHTS, weights=0),
            Slip(QUERY_HEADS, kv_heads=32),
            Slip(HALF.said, lambda **n: int(2 * exactly(**n))),
            Slip(
                "You take 4 bytes per number; this cache is kept in 2. Or you count keys and values twice.",
                lambda **n: int(exactly(**n) / 2),
            ),
            Slip("You count the tokens that fit.", lambda **n: int(exactly(**n) * tokens)),
            Slip(ONE_LAYER, lambda **n: int(32 * exactly(**n))),
        ),
        tol=0,
        idea="Room is the share of the GPU less the weights; how much does one sequence take of it?",
    )


@question("06-bound", points=3, kind="recall", minutes=3)
def _bound():
    also = {
        "flops": "compute", "arithmetic": "compute", "memory bandwidth": "bandwidth",
        "memory capacity": "capacity", "memory size": "capacity",
    }  # fmt: skip
    return Each(
        {
            "time of a long prompt's prefill": Choice(
                "compute",
                {
                    "bandwidth": "Prefill works on thousands of tokens for each byte of weights it reads.",
                    "capacity": "Capacity says whether the prompt fits, not how long its arithmetic takes.",
                },
                also,
            ),
            "time of a decode step": Choice(
                "bandwidth",
                {
                    "compute": "A step does little arithmetic and reads the weights and the whole cache.",
                    "capacity": "What fits is settled already; the step must read all of it.",
                },
                also,
            ),
            "sequences that run at once": Choice(
                "capacity",
                {
                    "compute": "A long context is not a compute problem only: each sequence keeps its cache.",
                    "bandwidth": "Bandwidth makes a step slower; what makes a new sequence wait outside?",
                },
                also,
            ),
        }
    )


@question(
    "06-step",
    points=2,
    kind="audit",
    minutes=5,
    drawn={
        "bandwidth": (1.6, 2.4, 4.8),
        "cache": (384, 640, 768),
        "weights": (5, 6, 7),
        "n": (24, 32, 40),
    },
)
def _step(bandwidth=3.35, cache=512, weights=6, n=24):
    numbers = dict(bandwidth=bandwidth, cache=cache, weights=weights, n=n)

    def ms(nbytes, bandwidth):
        return nbytes / (bandwidth * TB) * 1000

    def one(bandwidth, cache, weights, n):
        return ms(cache * MiB, bandwidth)

    def step(bandwidth, cache, weights, n):
        return ms(weights * GB + n * cache * MiB, bandwidth)

    claim = Slip("That is the claim's figure, a thousand times too large.", 149.25)
    shared = (
        Slip("You take MiB for MB.", cache=cache * 10**6 / MiB),
        Slip("You take the bandwidth's TB for TiB.", bandwidth=bandwidth * 2**40 / TB),
        Slip("You count bits; the bandwidth is in bytes already.", then=lambda v: 8 * v),
    )
    round_ = "You turn it round: divide the bytes by the bytes per second."
    return Each(
        {
            "one cache": Number(
                one,
                numbers,
                (*shared, claim, Slip(round_, lambda **n: 1 / one(**n))),
                unit="ms",
                idea="Time is bytes divided by bytes per second.",
            ),
            "whole step": Number(
                step,
                numbers,
                (
                    *shared,
                    Slip("You read the caches alone; a step reads the weights too.", weights=0),
                    Slip(
                        "You read the weights alone; a step reads every sequence's cache too.",
                        cache=0,
                    ),
                    Slip("You read one sequence's cache; the step serves all of them.", n=1),
                    Slip("You take the weights' GB for GiB.", near=True, weights=weights * GiB / GB),
                    Slip(
                        "You give the step's time for one sequence; all of them wait as long.",
                        then=lambda v: v / n,
                    ),
                    Slip(
                        "You read the weights for each sequence; one reading serves the batch.",
                        weights=weights * n,
                    ),
                    Slip(round_, lambda **n: 1 / step(**n)),
                    claim,
                ),
                unit="ms",
                idea="Add up all that the step reads.",
            ),
        }
    )


@question(
    "06-int4",
    points=3,
    kind="by hand",
    minutes=6,
    drawn={"params": (9, 12, 14), "bits": (4.25, 4.5, 4.75), "tokens": (24576, 49152, 65536)},
)
def _int4(params=7, bits=4.5, tokens=32768):
    def weights(params, bits):
        return params * GB * bits / 8

    def cache(tokens, kv_heads):
        return formula(32, 1, kv_heads, tokens, 128)

    def share(cached, weighed):
        return 100 * cached / (cached + weighed)

    scales = "You leave out the scales: with them a weight takes more than 4 bits."
    kept = cache(tokens, 8)
    return Each(
        {
            "weights": Number(
                weights,
                {"params": params, "bits": bits},
                (
                    Slip(scales, bits=4),
                    Slip("You keep the weights in 16 bits.", bits=16),
                    Slip("You take a byte for each weight; they have fewer bits.", bits=8),
                    Slip(BITS, then=lambda v: 8 * v),
                    Slip("You divide the bits by 2; a byte has 8 of them.", then=lambda v: 4 * v),
                ),
                unit="GB",
                idea="A byte has 8 bits.",
            ),
            "cache": Number(
                cache,
                {"tokens": tokens, "kv_heads": 8},
                (
                    Slip(QUERY_HEADS, kv_heads=32),
                    Slip(
                        "You shrink the cache as well. It stays bf16 when the weights are int4.",
                        then=lambda v: v * bits / 16,
                    ),
                    Slip(
                        "You keep the cache in 4 bits, as the weights; it stays bf16.", then=lambda v: v / 4
                    ),
                    Slip(ONE_LAYER, then=lambda v: v / 32),
                    FORMULA_SLIPS["half"],
                    FORMULA_SLIPS["fp32"],
                    FORMULA_SLIPS["bits"],
                ),
                unit="GB",
                idea="The cache has a format of its own; fill the formula.",
            ),
            "cache's share": Number(
                share,
                {"cached": kept, "weighed": weights(params, bits)},
                (
                    Slip("That is the weights' share.", then=lambda v: 100 - v),
                    Slip(
                        "You compare the cache with the weights; its share is of the two together.",
                        lambda cached, weighed: 100 * cached / weighed,
                    ),
                    Slip("You take the cache's GiB for GB.", cached=kept * GB / GiB),
                    Slip(
                        "You compare the cache with the weights in 16 bits.",
                        weighed=weights(params, 16),
                    ),
                    Slip(scales, near=True, weighed=weights(params, 4)),
                    Slip(f"In the weights: {BITS}", weighed=8 * weights(params, bits)),
                    Slip(QUERY_HEADS, cached=4 * kept),
                ),
                unit="%",
                idea="The cache over weights and cache, both in the same unit.",
                follows=("cache", lambda gb: share(gb * GB, weights(params, bits))),
            ),
        }
    )


@question(
    "06-node",
    points=2,
    kind="audit",
    minutes=5,
    drawn={"tokens": (60_000, 80_000, 150_000), "weights": (120, 150), "gpus": (8, 16), "memory": (80, 96)},
)
def _node(tokens=100_000, weights=140, gpus=8, memory=80):
    def share(tokens, weights, gpus, memory, kv_heads):
        used = weights * GB + formula(80, 1, kv_heads, tokens, 128)
        return 100 * used / (gpus * memory * GB)

    numbers = dict(tokens=tokens, weights=weights, gpus=gpus, memory=memory, kv_heads=64)
    kept = formula(80, 1, 64, tokens, 128)
    return Number(
        share,
        numbers,
        (
            Slip("You count the cache alone; the weights must be somewhere too.", weights=0),
            Slip("You count the weights alone.", lambda **n: 100 * weights / (gpus * memory)),
            Slip("You count the KV heads of the real model. The claim's has 64.", kv_heads=8),
            Slip("You compare with one GPU; the node has several.", gpus=1),
            Slip(
                "You add the cache's GiB to the weights' GB.",
                lambda **n: 100 * (weights + kept / GiB) / (gpus * memory),
            ),
            Slip("You turn it round: what is kept, over what the node has.", lambda **n: 1e4 / share(**n)),
            Slip("That is what is left of the node.", then=lambda v: 100 - v),
            Slip(
                "You give the GB that are kept; which share of the node's are they?",
                lambda **n: weights + kept / GB,
            ),
            Slip(
                f"Half of the cache is missing. {HALF.said.split('. ', 1)[1]}",
                kv_heads=32,
            ),
            Slip(f"In the cache: {BITS}", kv_heads=8 * 64),
            Slip("You take a share of each GPU. Here all of it counts.", then=lambda v: v / 0.9),
            Slip("You take the GPUs' GB for GiB.", near=True, memory=memory * GiB / GB),
            Slip("You take the weights' GB for GiB.", near=True, weights=weights * GiB / GB),
            Slip("You take 4 bytes per number in the cache; it is bf16.", kv_heads=2 * 64),
            Slip("You put all weights on every GPU; the node shares them out.", weights=weights * gpus),
            Slip(
                f"In the cache: {ONE_LAYER[0].lower()}{ONE_LAYER[1:]}",
                lambda **n: 100 * (weights + kept / 80 / GB) / (gpus * memory),
            ),
        ),
        unit="%",
        idea="Add weights and cache, and divide by what all GPUs hold.",
    )
