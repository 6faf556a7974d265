"""Chapter 07's evidence: a record of quality read, and a promise audited."""

from ....measure.records import record
from ....units import GB, GiB, dtype
from ...answers import Choice, Each, Number, Slip
from ..common import question
from .numbers import KEYS_ALONE


@question("07-record", points=3, kind="log", minutes=8, drawn=dict(window=(64, 256, 512)))
def _record(window=128):
    quality = record("quality")
    settings = {row["name"]: row for row in quality["precision"]}
    full, codes = settings["fp32"], settings["int4, keys by channel"]
    windows = {(row["window"], row["sinks"]): row["perplexity"] for row in quality["window"]}

    # Beside a long window, four sinks are too few tokens to tell by the number.
    sinkless = [Slip("You leave out the sinks; they are kept as well as the window.", kept=window)]
    sinkless = sinkless if window <= 128 else []

    other_row = "You read the row of another window."

    def rise(perplexity, reference):
        return 100 * (perplexity / reference - 1)

    def rises(perplexity, *slips):
        return Number(
            rise,
            dict(perplexity=perplexity, reference=full["perplexity"]),
            (
                *slips,
                Slip("A higher perplexity is a rise, and a rise is more than 0.", then=lambda v: -v),
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
                    "You divide by the perplexity of the row itself; the reference is fp32 with all tokens.",
                    lambda perplexity, reference: 100 * (1 - reference / perplexity),
                    near=True,
                ),
                Slip(
                    "You read the row with keys by token; the codes here group keys by channel.",
                    perplexity=settings["int4, keys by token"]["perplexity"],
                ),
                Slip(
                    "You read a row of int2; the codes here are int4.",
                    perplexity=settings["int2, keys by channel"]["perplexity"],
                ),
            ),
            "window": rises(
                windows[window, 4],
                Slip(
                    "You read the row without sinks; this window has four.",
                    perplexity=windows[window, 0],
                ),
                *(
                    Slip(other_row, near=True, perplexity=windows[row])
                    for row in windows
                    if row[0] and row not in ((window, 4), (window, 0))
                ),
                Slip(
                    "You compare with the codes; the reference is fp32 with all tokens.",
                    near=True,
                    reference=codes["perplexity"],
                ),
                *(
                    Slip(other_row, perplexity=windows[other, 4])
                    for other in (64, 128, 256, 512)
                    if other != window
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
    drawn=dict(layers=(24, 28, 36), kv_heads=(4, 8), room=(2, 3, 6)),
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
            "promised": fit(0.5, f16, Slip("You take half of f16; a quarter is promised.", number_bytes=1)),
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
                Slip("You take the scale's 16 bits for 16 bytes; fp16 has 2.", number_bytes=1),
            ),
            "missing": Number(
                lambda promised, true: 100 * (1 - promised / true),
                dict(promised=0.5, true=q4_0),
                (
                    Slip(
                        "You divide by the true number; the question asks for per cent of what is promised.",
                        lambda promised, true: 100 * (true / promised - 1),
                    ),
                    Slip("What is missing is more than 0.", then=lambda v: -v),
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
