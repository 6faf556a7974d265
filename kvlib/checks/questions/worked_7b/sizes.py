"""Questions of chapter 03 about the example's numbers."""

from ....units import GB, GiB
from ...answers import Choice, Each, Number, Slip
from ..common import BITS, FORMULA_SLIPS, FOUR_BYTES, HALF, formula, question

LLAMA_7B = dict(layers=32, kv_heads=32, head_dim=128)
LLAMA_13B = dict(layers=40, kv_heads=40, head_dim=128)
PARAMETERS_13B = 13.0e9

ONE_NUMBER = Slip("You leave d_head out: a key has that many numbers.", head_dim=1)
SIZE_SLIPS = (
    HALF,
    Slip(FOUR_BYTES, then=lambda v: 2 * v),
    Slip(BITS, then=lambda v: 8 * v),
    # This model has as many heads as layers.
    Slip(
        "You count one layer, or one head: each layer has a cache of its own, and so has each head.", layers=1
    ),
    FORMULA_SLIPS["tokens"],
    ONE_NUMBER,
)


def _size(tokens, layers, kv_heads, head_dim):
    return formula(layers, 1, kv_heads, tokens, head_dim)


@question("03-bars", kind="audit", minutes=2)
def _bars():
    return Number(
        lambda tokens, per_mark: tokens / per_mark,
        dict(tokens=8192, per_mark=256),
        (
            Slip(
                "That is what the chart draws. Twice the tokens are twice the bytes: is it twice as long?", 28
            ),
            Slip(
                "A bar of the same length would say that the longer context costs nothing.",
                lambda tokens, per_mark: tokens / 2 / per_mark,
            ),
            Slip("Marks grow with the context, not with its square.", then=lambda v: 2 * v),
            Slip("You add as many marks as the step before did. The tokens double, and so do the marks.", 24),
            Slip("You add the marks of the other bars, or double the bar that is wrong.", 4 + 8 + 16 + 28),
            Slip("You go on from the last bar as it is drawn; that one is wrong.", 36),
            Slip("You give the marks that the bar above has more than the one over it.", 8),
            Slip("You add the 4 marks of the first bar. The tokens double, and so do the marks.", 20),
            Slip("You give how many times as long the bar is. How many marks has it?", 2),
            Slip("You give the marks that are missing. How many should there be?", 4),
            Slip("You give the tokens. How many marks stand for them?", 8192),
            *(
                Slip("You are one mark off: twice as many as in the bar above, and no other.", n)
                for n in (31, 33)
            ),
            Slip("You give the tokens that a mark stands for. How many marks are there?", 256),
        ),
        tol=0,
        idea="How many tokens does one mark stand for?",
    )


@question("03-units", points=2, minutes=4, drawn=dict(tokens=(3072, 5120, 7168, 9216, 10240, 12288)))
def _units(tokens=6144):
    numbers, step = dict(tokens=tokens, **LLAMA_7B), GiB / GB
    slips = (
        *SIZE_SLIPS,
        FORMULA_SLIPS["queries"],
        Slip("You take the example's 4,096 tokens; here there are others.", tokens=4096),
        Slip("You count the heads, or the layers, twice.", then=lambda v: 32 * v),
    )
    converted = {
        "GiB": (
            Slip(
                "You multiply where you should divide: a GiB is the larger unit.", then=lambda v: v * step**2
            ),
        ),
        "GB": (
            Slip(
                "You divide where you should multiply: a GB is the smaller unit.", then=lambda v: v / step**2
            ),
            Slip(
                "You multiply by 1.024 once. From GiB to GB it goes in three times: KiB, MiB, GiB.",
                then=lambda v: v / 1.024**2,
            ),
        ),
    }
    return Each(
        {
            unit: Number(_size, numbers, (*slips, *more), unit, idea="Count bytes, then divide.")
            for unit, more in converted.items()
        }
    )


@question("03-thirteen", points=2, minutes=4, drawn=dict(tokens=(1024, 1536, 2560, 3072, 3584)))
def _thirteen(tokens=4096):
    return Number(
        _size,
        dict(tokens=tokens, **LLAMA_13B),
        (
            *SIZE_SLIPS,
            Slip(
                "You take the layers and heads of the 7B model.",
                lambda tokens, **n: _size(tokens, **LLAMA_7B),
            ),
            Slip("You change the layers or the heads; both are others here.", layers=32),
            Slip(
                "You scale by the parameters, 13 to 7. The cache does not know them.",
                lambda tokens, **n: _size(tokens, **LLAMA_7B) * 13 / 7,
            ),
            Slip("You count the heads twice.", then=lambda v: 40 * v),
            FORMULA_SLIPS["queries"],
            Slip("You add the weights; the cache alone is asked for.", then=lambda v: v + 2 * PARAMETERS_13B),
            Slip("You give the weights; the cache is asked for.", 2 * PARAMETERS_13B),
        ),
        "MiB",
        idea="Both the layers and the heads change.",
    )


@question(
    "03-factors",
    points=2,
    kind="predict",
    minutes=4,
    drawn=dict(tokens=(12_288, 20_480, 24_576, 28_672), batch=(3, 5, 6, 7)),
)
def _factors(tokens=12_288, batch=5):
    before = 4096

    def times(tokens, batch, smaller):
        return tokens / before * batch / smaller

    return Number(
        times,
        dict(tokens=tokens, batch=batch, smaller=2),
        (
            Slip("You leave the int8 out: half the bytes of a number, half the cache.", smaller=1),
            Slip("You double for int8; it takes one byte where bf16 takes two.", smaller=1 / 2),
            Slip("You take a quarter for int8, as from 4 bytes; bf16 takes two.", smaller=4),
            Slip(
                "You divide by 8 for int8: that is its bits. It takes one byte where bf16 takes two.",
                smaller=8,
            ),
            Slip("You forget the batch: each sequence keeps a cache of its own.", batch=1),
            Slip("You forget the longer context.", tokens=before),
            Slip(
                "You count the sequences that come on top; all of them keep a cache. Or: You add and"
                " subtract; factors multiply and divide.",
                batch=lambda n: n["batch"] - 1,
            ),
            Slip(
                "You give by how much it grows, in times the old one. How many times as large is it?",
                then=lambda v: v - 1,
            ),
            Slip(
                "You give the bytes of the new cache. How many times those of the old one are they?",
                lambda tokens, batch, smaller: _size(1, **LLAMA_7B) * tokens * batch / smaller,
            ),
            Slip(
                "The cache grows with the context, not with its square.",
                tokens=lambda n: n["tokens"] ** 2 / before,
            ),
            Slip(
                "You add the factors; they multiply.",
                lambda tokens, batch, smaller: tokens / before + batch + 1 / smaller,
            ),
            Slip("You turn it round: how many times larger is the new cache?", then=lambda v: 1 / v),
        ),
        idea="Which factors change, and each by how much?",
    )


@question(
    "03-outgrow", points=2, kind="predict", minutes=5, drawn=dict(tokens=(1000, 1050, 1150, 1200, 1250))
)
def _outgrow(tokens=1100):
    def sequences(tokens, layers, kv_heads, head_dim, weights):
        return weights // _size(tokens, layers, kv_heads, head_dim) + 1

    return Number(
        sequences,
        dict(tokens=tokens, **LLAMA_13B, weights=2 * PARAMETERS_13B),
        (
            Slip(
                "You round down: with that many sequences the cache is still the smaller of the two.",
                then=lambda v: v - 1,
            ),
            Slip(
                "You go one too far: one sequence fewer outgrows the weights already.",
                then=lambda v: v + 1,
                near=True,
            ),
            Slip("You take the weights of the 7B model.", weights=14e9),
            Slip(
                "Your weights are half as large as they are, or your cache is twice as large: in bf16 a"
                " parameter takes 2 bytes, and so does a number of the cache.",
                weights=PARAMETERS_13B,
            ),
            Slip(
                "Your weights are twice as large as they are, or your cache is half as large: bf16 takes 2"
                " bytes, and both keys and values are kept.",
                weights=4 * PARAMETERS_13B,
            ),
            Slip("You take the layers and heads of the 7B model for the cache.", layers=32, kv_heads=32),
            Slip(
                "You divide GB by GiB: bring both to bytes first.",
                weights=lambda n: n["weights"] * GB / GiB,
            ),
            Slip("You multiply by 1024 where a GB is 10⁹ bytes.", weights=lambda n: n["weights"] * GiB / GB),
            Slip("You count one layer, or one head: every one keeps a cache of its own.", layers=1),
            Slip(
                "You count tokens. How many sequences is that?",
                lambda tokens, layers, kv_heads, head_dim, weights: (
                    weights // _size(1, layers, kv_heads, head_dim) + 1
                ),
            ),
        ),
        tol=0,
        idea="What does one sequence keep, and how often does it go into the weights?",
    )


@question("03-left-out", kind="recall", minutes=1)
def _left_out():
    return Choice(
        "c",
        {
            "a": "The weights make the keys and values but are not among them; they stand beside the cache.",
            "b": "All of them come on top: a GPU that holds exactly the cache holds nothing to run it with.",
            "d": "The values are in it: they are half of the factor 2.",
        },
    )
