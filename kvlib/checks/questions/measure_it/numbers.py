"""Chapter 08's numbers: which way a mistake bends a measurement, equal shares, logits beside a cache."""

from ...answers import Choice, Each, Number, Slip
from ..common import BITS, ONE_LAYER, formula, question

KEYS_ALONE = "You count the keys or the values, not both."
ONE_HEAD = "You count one KV head; each keeps keys and values."


@question("08-rules", points=3, kind="recall", minutes=5)
def _rules():
    def is_(right, why):
        return Choice(right, {word: why for word in ("too large", "too small", "right") if word != right})

    return Each(
        {
            "mean of ten steps, the first included": is_(
                "too large", "The first step pays for what later ones find ready, and a mean counts it in."
            ),
            "clock stopped when the call returns": is_(
                "too small", "A GPU takes its work and goes on after the call has returned."
            ),
            "median of ten, one interrupted": is_(
                "right", "A step that takes long moves the mean; the middle one stays where it was."
            ),
            "floor by the datasheet's bandwidth": is_(
                "too small", "The datasheet's peak is more than memory reaches, and the floor divides by it."
            ),
            "floor by a copy, of which only the reading is counted": is_(
                "too large",
                "A copy also writes as many bytes. Its bandwidth comes out too small, the floor too large.",
            ),
            "cache by the peak of a pass with all logits": is_(
                "too large", "The peak holds tokens × vocabulary numbers that are no part of the cache."
            ),
        }
    )


@question(
    "08-share",
    points=2,
    minutes=5,
    drawn=dict(billions=(1.2, 3.2, 7.6, 14), layers=(28, 36, 40, 48), tokens=(16_384, 65_536)),
)
def _share(billions=8, layers=32, tokens=32_768):
    geometry = dict(layers=layers, kv_heads=4, number_bytes=2)

    def cache(layers, kv_heads, number_bytes, tokens=1):
        return 2 * layers * kv_heads * 128 * number_bytes * tokens

    def equal(billions, weight_bytes, **cache_of):
        return billions * 1e9 * weight_bytes / cache(**cache_of)

    def share(billions, weight_bytes, **cache_of):
        kept = cache(**cache_of)
        return 100 * kept / (kept + billions * 1e9 * weight_bytes)

    weights = dict(billions=billions, weight_bytes=1)
    half = (
        "The cache comes out half as large as it is: you take the weights' dtype for the cache's, or the"
        f" cache's for the weights'. Or: {KEYS_ALONE[0].lower()}{KEYS_ALONE[1:]}"
    )
    fp32 = Slip("You take fp32's 4 bytes for the cache; it is fp16.", number_bytes=4)
    billion = Slip("You take 2³⁰ for a billion; it is 10⁹.", billions=billions * 2**30 / 1e9)
    return Each(
        {
            "tokens": Number(
                equal,
                weights | geometry,
                (
                    Slip(half, number_bytes=1),
                    Slip(ONE_LAYER, layers=1),
                    Slip(ONE_HEAD, kv_heads=1),
                    Slip("You count bits where bytes are meant: a byte has 8.", then=lambda v: 8 * v),
                    Slip("You have the division the wrong way round.", then=lambda v: 1 / v),
                    Slip("You answer in thousands of tokens.", then=lambda v: v / 1000),
                    Slip("You count the bits of a token; a byte has 8.", then=lambda v: v / 8),
                    fp32,
                    billion,
                ),
                idea="Divide the weights' bytes by the bytes of one token.",
            ),
            "share": Number(
                share,
                weights | geometry | {"tokens": tokens},
                (
                    Slip(
                        "You divide by the weights; the share is of weights and cache together.",
                        lambda billions, weight_bytes, **cache_of: (
                            100 * cache(**cache_of) / (billions * 1e9 * weight_bytes)
                        ),
                    ),
                    fp32,
                    Slip("You give the weights' share; the question asks for the cache's.", then=_rest),
                    billion,
                    Slip(
                        "You have the division the wrong way round.",
                        lambda billions, weight_bytes, **cache_of: (
                            100 * billions * 1e9 * weight_bytes / cache(**cache_of)
                        ),
                    ),
                    Slip(half, number_bytes=1),
                    Slip(ONE_LAYER, layers=1),
                    Slip(ONE_HEAD, kv_heads=1),
                ),
                unit="%",
                idea="The cache's bytes of all bytes, weights included.",
            ),
        }
    )


def _rest(share):
    return 100 - share


@question(
    "08-logits",
    points=3,
    minutes=6,
    drawn=dict(
        vocab=(32_000, 49_152, 151_936),
        tokens=(3_000, 4_000, 6_000),
        layers=(24, 28, 32),
        kv_heads=(2, 4, 8),
    ),
)
def _logits(vocab=128_256, tokens=2_000, layers=16, kv_heads=8):
    shape = dict(batch=1, tokens=tokens, head_dim=64)

    def cache(layers, kv_heads):
        return formula(layers=layers, kv_heads=kv_heads, **shape)

    def logits(positions, vocab, number_bytes):
        return positions * vocab * number_bytes

    def times(positions, vocab, number_bytes, layers, kv_heads):
        return logits(positions, vocab, number_bytes) / cache(layers, kv_heads)

    every = dict(positions=tokens, vocab=vocab, number_bytes=4)
    half = Slip("You take 2 bytes per logit; they are fp32.", number_bytes=2)
    numbers = Slip("You count logits, not their bytes: fp32 takes 4.", number_bytes=1)
    return Each(
        {
            "cache": Number(
                cache,
                dict(layers=layers, kv_heads=kv_heads),
                (
                    Slip(ONE_LAYER, layers=1),
                    Slip(ONE_HEAD, kv_heads=1),
                    Slip(
                        f"Half of it is missing. {KEYS_ALONE} Or: a number takes 2 bytes.",
                        then=lambda v: v / 2,
                    ),
                    Slip(
                        f"A quarter of it is there. {KEYS_ALONE} And: a number takes 2 bytes.",
                        then=lambda v: v / 4,
                    ),
                    Slip("You take 4 bytes per number; the cache is fp16.", then=lambda v: 2 * v),
                    Slip(BITS, then=lambda v: 8 * v),
                    Slip("You count one token; the cache holds the whole prompt.", then=lambda v: v / tokens),
                    Slip("You give the logits of all positions.", logits(**every)),
                ),
                unit="MiB",
                idea="The formula of chapter 2, with a batch of one.",
            ),
            "all logits": Number(
                logits,
                every,
                (
                    half,
                    numbers,
                    Slip("You count the last position's; a row is made for each.", positions=1),
                    Slip(BITS, then=lambda v: 8 * v),
                    Slip(
                        "You count a row of logits in each layer; only the last layer makes any.",
                        then=lambda v: v * layers,
                    ),
                    Slip(
                        "You count tokens × tokens, which are scores; a row of logits has the vocabulary.",
                        vocab=tokens,
                    ),
                ),
                unit="MiB",
                idea="Each position has a number for each word of the vocabulary.",
            ),
            "times": Number(
                times,
                every | dict(layers=layers, kv_heads=kv_heads),
                (
                    half,
                    numbers,
                    Slip(f"Half of the cache is missing. {KEYS_ALONE}", then=lambda v: 2 * v),
                    Slip(f"{ONE_LAYER} Or: a row of logits in each; the last makes them.", layers=1),
                    Slip(ONE_HEAD, kv_heads=1),
                    Slip("You count the last position's logits; the pass made all of them.", positions=1),
                    Slip("It is the other way round: logits over cache.", then=lambda v: 1 / v),
                    Slip("You answer in per cent; the question asks how many times.", then=lambda v: 100 * v),
                    Slip(
                        "You divide logits and cache by the cache; the question asks for logits alone.",
                        then=lambda v: v + 1,
                    ),
                ),
                idea="All logits over the cache.",
                follows=("all logits", lambda mib: mib * 2**20 / cache(layers, kv_heads)),
            ),
        }
    )
