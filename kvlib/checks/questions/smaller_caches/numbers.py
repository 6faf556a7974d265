"""Chapter 07's numbers: bits a number, which methods make a cache smaller, a record read, a claim audited."""

from ....measure.records import record
from ....units import GB, GiB, dtype
from ...answers import Choice, Each, Number, Slip
from ..common import BITS, ONE_LAYER, question

NO_SCALES = "You count the codes alone: each group keeps a scale and a zero point beside them."
NO_ZERO = "You count the scale and not the zero point; each group keeps both."
KEYS_ALONE = "You count the keys or the values, not both."


def _bits(bits, group, extra=32):
    """Bits per number: the code's, and the group's share of its scale and zero point."""
    return bits + extra / group


@question(
    "07-bits",
    points=3,
    minutes=6,
    drawn=dict(
        bits=(2, 4, 8),
        group=(8, 16, 32, 64, 128),
        layers=(24, 28, 36, 40),
        kv_heads=(2, 4, 8),
        tokens=(2_000, 3_000, 5_000, 6_000),
    ),
)
def _bits_per_number(bits=4, group=32, layers=32, kv_heads=8, tokens=4_000):
    stored = dict(bits=bits, group=group)
    no_scales = Slip(NO_SCALES, extra=0)
    no_zero = Slip(NO_ZERO, extra=16)
    fp32 = Slip("You give scale and zero point 32 bits each; fp16 has 16.", extra=64)

    def nbytes(layers, kv_heads, tokens, bits, group, extra):
        return 2 * layers * kv_heads * 128 * tokens * _bits(bits, group, extra) / 8

    saved = "You give the share that is saved; the question asks how many times smaller it is."

    def smaller(bits, group, extra):
        return 16 / _bits(bits, group, extra)

    return Each(
        {
            "bits per number": Number(
                _bits,
                stored | {"extra": 32},
                (
                    no_scales,
                    no_zero,
                    fp32,
                    Slip(
                        "You give every number a scale and a zero point of its own; a group shares them.",
                        group=1,
                    ),
                    Slip(
                        "You count the bits of a whole group; divide by the numbers in it.",
                        then=lambda v: v * group,
                    ),
                    Slip("You answer in bytes; the question asks for bits.", then=lambda v: v / 8),
                    Slip("You multiply by the group; its numbers share the 32 bits.", group=1 / group),
                    Slip("You give the group's scale and zero point without the codes.", bits=0),
                ),
                tol=0.005,
                idea="A group shares 32 bits among its numbers. How many fall on one of them?",
            ),
            "MiB": Number(
                nbytes,
                dict(layers=layers, kv_heads=kv_heads, tokens=tokens, extra=32) | stored,
                (
                    no_scales,
                    no_zero,
                    fp32,
                    Slip(KEYS_ALONE, then=lambda v: v / 2),
                    Slip(ONE_LAYER, layers=1),
                    Slip("You count one KV head; keys and values are kept for each.", kv_heads=1),
                    Slip("You count one token; every token of the context is kept.", tokens=1),
                    Slip(BITS, then=lambda v: 8 * v),
                    Slip("You count 16 bits per number, as if nothing had been quantised.", bits=16, extra=0),
                ),
                unit="MiB",
                idea="Put the bits per number, divided by 8, in the place of the formula's bytes.",
                follows=(
                    "bits per number",
                    lambda b: 2 * layers * kv_heads * 128 * tokens * b / 8 / 2**20,
                ),
            ),
            "times smaller than bf16": Number(
                smaller,
                stored | {"extra": 32},
                (
                    no_scales,
                    no_zero,
                    fp32,
                    Slip("It is the other way round: how many times does it fit into bf16?", then=_inverse),
                    Slip("You divide by fp32's 32 bits; bf16 has 16.", then=lambda v: 2 * v),
                    Slip("You take bf16 for 8 bits; it has 16.", then=lambda v: v / 2),
                    Slip(saved, then=lambda v: 1 - 1 / v),
                    Slip(saved, then=lambda v: 100 - 100 / v),
                ),
                tol=0.005,
                idea="bf16 takes 16 bits.",
                follows=("bits per number", lambda b: 16 / b),
            ),
        }
    )


def _inverse(value):
    return 1 / value


@question("07-methods", points=3, kind="recall", minutes=4)
def _methods():
    kept = "It keeps every token's keys and values as they are."
    drops = "It drops tokens or shrinks numbers, so that fewer bytes stay."
    as_it_is = "It needs no training: it works on the model that you have."
    needs = "The model has to learn it; without training it loses too much."

    def is_(right, **wrong):
        return Choice(right, wrong)

    return Each(
        {
            "a window with attention sinks": is_("now", trained=as_it_is, same=drops),
            "eviction by attention received (H2O)": is_("now", trained=as_it_is, same=drops),
            "DMS": is_("trained", now=needs, same=f"{drops} A model learns which."),
            "sparse attention with an indexer (DSA)": is_(
                "same",
                now=f"{kept} Reading fewer of them saves time; the indexer's keys even add bytes.",
                trained=f"It does need training, but: {kept[0].lower()}{kept[1:]} Only fewer are read.",
            ),
            "position interpolation": is_(
                "same",
                now=f"{kept} What is scaled down is their positions.",
                trained=f"{kept} What is scaled down is their positions.",
            ),
            "PCA, quantisation and entropy coding (KVTC)": is_("now", trained=as_it_is, same=drops),
        }
    )


@question("07-record", points=3, kind="log", minutes=8, drawn=dict(window=(64, 256, 512)))
def _record(window=128):
    quality = record("quality")
    settings = {row["name"]: row for row in quality["precision"]}
    full, codes = settings["fp32"], settings["int4, keys by channel"]
    windows = {(row["window"], row["sinks"]): row["perplexity"] for row in quality["window"]}

    # Beside a long window, four sinks are too few tokens to tell by the number.
    sinkless = [Slip("You leave out the sinks; they are kept as well as the window.", kept=window)]
    sinkless = sinkless if window <= 128 else []

    def rise(perplexity, reference):
        return 100 * (perplexity / reference - 1)

    def rises(perplexity, *slips):
        return Number(
            rise,
            dict(perplexity=perplexity, reference=full["perplexity"]),
            (
                *slips,
                Slip("You give the perplexity itself.", lambda perplexity, reference: perplexity),
                Slip("You give the ratio; by how much is it more than 1?", then=lambda v: 1 + v / 100),
                Slip(
                    "You give the ratio in per cent; by how much is it more than 100?", then=lambda v: v + 100
                ),
                Slip(
                    "You subtract; divide by the reference's perplexity too.",
                    lambda perplexity, reference: perplexity - reference,
                ),
            ),
            unit="%",
            tol=0.025,
            idea="Per cent of what the record's fp32 cache of all tokens reaches.",
        )

    return Each(
        {
            "tokens": Number(
                lambda kept, full, codes: kept * full / codes,
                dict(kept=window + 4, full=full["bytes_per_token"], codes=codes["bytes_per_token"]),
                (
                    *sinkless,
                    Slip(
                        "You count the codes alone, 32 / 4 numbers in the place of one: the record's bytes"
                        " hold their scales and zeros too.",
                        codes=full["bytes_per_token"] / 8,
                    ),
                    Slip(
                        "You take the bf16 row; the window's numbers are fp32.",
                        full=settings["bf16"]["bytes_per_token"],
                    ),
                    Slip(
                        "You take the int8 row for the codes.",
                        codes=settings["int8, keys by token"]["bytes_per_token"],
                    ),
                    Slip(
                        "You take the int2 row for the codes.",
                        codes=settings["int2, keys by token"]["bytes_per_token"],
                    ),
                    Slip("You give the ratio of the bytes of a token; how many tokens are held?", kept=1),
                    Slip(
                        "You give the tokens that the window holds; how many in codes take as many bytes?",
                        full=codes["bytes_per_token"],
                    ),
                    Slip(
                        "You have the ratio the wrong way round: a token in codes takes fewer bytes.",
                        lambda kept, full, codes: kept * codes / full,
                    ),
                    Slip(
                        "You give the bytes of the window; the question asks for tokens.",
                        lambda kept, full, codes: kept * full,
                    ),
                ),
                idea="How many tokens does the window hold, sinks included, and what do they take?",
            ),
            "codes": rises(
                codes["perplexity"],
                Slip(
                    "You read the row with keys by token; the codes here group keys by channel.",
                    perplexity=settings["int4, keys by token"]["perplexity"],
                ),
            ),
            "window": rises(
                windows[window, 4],
                Slip(
                    "You read the row without sinks; this window has four.",
                    perplexity=windows[window, 0],
                ),
                Slip(
                    "You divide by the window's own perplexity; the reference is fp32 with all tokens.",
                    lambda perplexity, reference: 100 * (1 - reference / perplexity),
                ),
            ),
        }
    )


@question(
    "07-audit",
    points=4,
    kind="audit",
    minutes=8,
    drawn=dict(layers=(24, 28, 36), kv_heads=(2, 4), room=(2, 3, 6)),
)
def _audit(layers=32, kv_heads=8, room=4):
    q4_0, q8_0, with_zero = (dtype(name).bits / 8 for name in ("q4_0", "q8_0", "q4_1"))

    def tokens(room, layers, kv_heads, number_bytes):
        return room * GiB / (2 * layers * kv_heads * 128 * number_bytes)

    def fit(number_bytes, *slips):
        return Number(
            tokens,
            dict(room=room, layers=layers, kv_heads=kv_heads, number_bytes=number_bytes),
            (
                *slips,
                Slip(KEYS_ALONE, then=lambda v: 2 * v),
                Slip("You count one layer; a token is kept in each.", layers=1),
                Slip("You count one KV head; a token is kept for each.", kv_heads=1),
                Slip("You count 10⁹ bytes; a GiB has 2³⁰.", room=lambda n: n["room"] * GB / GiB),
                Slip("You count bits where bytes are meant: a byte has 8.", then=lambda v: v / 8),
                Slip("You answer in thousands of tokens.", then=lambda v: v / 1000),
            ),
            idea="Divide the room by the bytes of one token.",
        )

    f16 = Slip("You take the 2 bytes of f16; here a number takes less.", number_bytes=2)
    return Each(
        {
            "promised": fit(
                0.5, f16, Slip("You take half of f16; the note promises a quarter.", number_bytes=1)
            ),
            "true": fit(
                q4_0,
                f16,
                Slip("You count the codes alone: each block of 32 also stores its scale.", number_bytes=0.5),
                Slip(
                    "You add a zero point to each block; q4_0 has a scale only (q4_1 has both).",
                    number_bytes=with_zero,
                ),
                Slip("You take q8_0's 34 bytes a block; q4_0 has 4 bits a code.", number_bytes=q8_0),
                Slip("You give every number a scale of its own; a block shares one.", number_bytes=2.5),
            ),
            "missing": Number(
                lambda promised, true: 100 * (1 - promised / true),
                dict(promised=0.5, true=q4_0),
                (
                    Slip(
                        "You divide by the true number; the question asks for per cent of what is promised.",
                        lambda promised, true: 100 * (true / promised - 1),
                    ),
                    Slip(
                        "You give the share that does fit; how much of what is promised is missing?",
                        then=lambda v: 100 - v,
                    ),
                    Slip("You add a zero point to each block; q4_0 has a scale only.", true=with_zero),
                    Slip(
                        "You give the tokens that are missing; the question asks for per cent.",
                        tokens(room, layers, kv_heads, 0.5) - tokens(room, layers, kv_heads, q4_0),
                    ),
                    Slip("You take q8_0 and its half; the plan is for q4_0.", promised=1, true=q8_0),
                ),
                unit="%",
                tol=0.02,
                idea="How many of the promised tokens do not fit, of all that were promised?",
            ),
            "why": Choice(
                "scales",
                {
                    "zeros": "q4_0 stores no zero point: its codes stand for numbers around 0.",
                    "units": "Both sides count in GiB here. What does a block hold beside its codes?",
                    "padding": "A block of 32 numbers is full here. What does it hold beside its codes?",
                    "residual": "Nothing here waits in full precision: a block is 32 numbers of one token.",
                },
            ),
        }
    )
