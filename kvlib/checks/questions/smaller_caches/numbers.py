"""Chapter 07's numbers: bits a number, and which methods make a cache smaller."""

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
        group=(8, 16, 32, 128),
        layers=(24, 28, 36, 40),
        kv_heads=(2, 4, 8),
        tokens=(2_000, 3_000, 5_000, 6_000),
    ),
)
def _bits_per_number(bits=4, group=64, layers=32, kv_heads=8, tokens=4_000):
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
                        "You count scale and zero point in bytes, 4; bits are asked for.", near=True, extra=4
                    ),
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
                    Slip(
                        "It comes out twice as large: the 2 of keys and values stands in the formula once.",
                        then=lambda v: 2 * v,
                    ),
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
                    Slip(
                        "You give what is left in per cent; the question asks how many times smaller it is.",
                        then=lambda v: 100 / v,
                    ),
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
            "PCA and entropy coding (KVTC)": is_("now", trained=as_it_is, same=drops),
        }
    )
