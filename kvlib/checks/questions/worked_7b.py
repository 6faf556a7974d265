"""Questions of chapter 03, the 7B example."""

from ...layouts import CacheLayout, LayerKV, kv_bytes
from ...units import GiB
from .common import FACTOR_2, FOUR_BYTES, question, slips_of
from .old import Choice, Each, Function, Number

LLAMA_7B = dict(n_layers=32, n_kv_heads=32, head_dim=128)
LLAMA_13B = dict(n_layers=40, n_kv_heads=40, head_dim=128)


@question("03-bars")
def _bars():
    marks, short = 16, 28
    return Number(
        marks * 2,
        {
            "That is what the chart draws. Twice the tokens are twice the bytes: is it twice as long?": short,
            "A bar of the same length would say that the longer context costs nothing.": marks,
            "Marks grow with the context, not with its square.": marks * 4,
        },
        idea="How many tokens does one mark stand for?",
    )


@question("03-units", points=2)
def _units():
    nbytes = kv_bytes(**LLAMA_7B, context=6144)
    slips = slips_of(**LLAMA_7B, context=6144)
    return Each(
        {u: Number.of_bytes(nbytes, u, slips, idea="Count bytes, then divide.") for u in ("GiB", "GB")}
    )


@question("03-thirteen", points=2)
def _thirteen():
    geometry = LLAMA_13B | {"context": 4096}
    slips = slips_of(**geometry) | {
        "You take the layers and heads of the 7B model.": kv_bytes(**LLAMA_7B, context=4096),
        "You scale by the parameters, 13 to 7. The cache does not know them.": kv_bytes(
            **LLAMA_7B, context=4096
        )
        * 13
        / 7,
    }
    return Number.of_bytes(kv_bytes(**geometry), "MiB", slips, idea="Both the layers and the heads change.")


@question("03-factors", points=2)
def _factors():
    base = dict(**LLAMA_7B, context=4096)

    def grows(**changes):
        return kv_bytes(**base | changes) / kv_bytes(**base)

    return Number(
        grows(context=12288, batch=4, dtype="int8"),
        {
            "You leave the int8 out: half the bytes of a number, half the cache.": grows(
                context=12288, batch=4
            ),
            "You forget the batch: four sequences keep four caches.": grows(context=12288, dtype="int8"),
            "You forget the longer context.": grows(batch=4, dtype="int8"),
            "You double for int8; it takes one byte where bf16 takes two.": grows(
                context=12288, batch=4, dtype="fp32"
            ),
            "You add the factors; they multiply.": grows(context=12288)
            + grows(batch=4)
            + grows(dtype="int8"),
            "You turn it round: how many times larger is the new cache?": 1
            / grows(context=12288, batch=4, dtype="int8"),
        },
        tol=0.005,
        idea="Which factors change, and each by how much?",
    )


@question("03-longest", points=3)
def _longest():
    def reference(room, n_layers, n_kv_heads, head_dim, batch):
        return room // kv_bytes(
            n_layers=n_layers, n_kv_heads=n_kv_heads, head_dim=head_dim, context=1, batch=batch
        )

    def cases(rng):
        yield 2 * GiB, 32, 32, 128, 1
        for _ in range(20):
            yield (
                rng.randint(GiB, 80 * GiB),
                rng.randint(8, 80),
                rng.choice([1, 4, 8, 32]),
                128,
                rng.randint(1, 9),
            )

    return Function(
        reference,
        cases,
        {
            "It rounds up: a token that fits in part does not fit.": lambda r, n, h, d, b: (
                -(-r // (4 * n * h * d * b))
            ),
            "It gives a fraction of a token: round down to whole ones.": lambda r, n, h, d, b: (
                r / (4 * n * h * d * b)
            ),
            "It forgets the batch: each sequence gets its part of the room.": lambda r, n, h, d, b: reference(
                r, n, h, d, 1
            ),
            "It counts the keys or the values, not both.": lambda r, n, h, d, b: r // (2 * n * h * d * b),
            "It takes 4 bytes per number; bf16 takes 2.": lambda r, n, h, d, b: r // (8 * n * h * d * b),
            "It counts one layer.": lambda r, n, h, d, b: reference(r, 1, h, d, b),
            "It gives the tokens of all sequences together, not of each.": lambda r, n, h, d, b: (
                reference(r, n, h, d, b) * b
            ),
        },
        idea="How many bytes does one token of every sequence take?",
    )


@question("03-window", points=2)
def _window():
    window, context = 5120, 20480
    full = kv_bytes(**LLAMA_7B, context=context)
    layout = CacheLayout((LayerKV("sliding", 32, 128, window=window),) * 32)
    return Number.of_bytes(
        layout.bytes(context),
        "GiB",
        {
            "You ignore the window: a layer drops what it can no longer look back on.": full,
            "You add the window to the context; it caps it.": kv_bytes(**LLAMA_7B, context=window + context),
            "You keep what lies outside the window; it is the other part that stays.": full
            - layout.bytes(context),
            FACTOR_2: layout.bytes(context) / 2,
            FOUR_BYTES: layout.bytes(context, dtype="fp32"),
        },
        idea="With a window, T becomes min(T, W).",
    )


@question("03-left-out")
def _left_out():
    return Choice(
        "c",
        {
            "a": "The weights make the keys and values but are not among them; they stand beside the cache.",
            "b": "All of them come on top: a GPU that holds exactly the cache holds nothing to run it with.",
            "d": "The values are in it: they are half of the factor 2.",
        },
    )
