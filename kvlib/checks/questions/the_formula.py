"""Questions of chapter 02, the formula."""

from ...layouts import CacheLayout, kv_bytes
from .common import BITS, FACTOR_2, FOUR_BYTES, NO_BATCH, NUMBERS, ONE_LAYER, ONE_TOKEN, question, slips_of
from .old import Choice, Each, Function, Number


@question("02-two")
def _two():
    return Choice(
        "b",
        {
            "a": "The bytes of a number are a factor of their own, at the formula's end.",
            "c": "The batch is a factor of its own; it can be any number.",
            "d": "A decoder alone has this 2 as well. What does a token leave behind in each layer?",
        },
    )


@question("02-bytes")
def _bytes():
    return Choice(
        "d",
        {
            "a": "The vocabulary sizes the embedding and the logits. No key or value depends on it.",
            "b": "Attention shares heads or not; each number kept takes the same room either way.",
            "c": "The weights may be int4 while the cache stays bf16: each is stored in its own format.",
        },
    )


LAYERS_24 = dict(n_layers=24, n_kv_heads=16, head_dim=64, context=2048, batch=2)


@question("02-steps", points=4)
def _steps():
    right = kv_bytes(**LAYERS_24)
    slips = slips_of(**LAYERS_24)
    heads = "You count one head: keys are kept for each of them."

    def at_step(divisor, *names, **more):
        """The step that is a `divisor`-th of the whole, and the slips that can happen by then."""
        kept = {said: slips[said] // divisor for said in names} | more
        return Number(right // divisor, {said: n for said, n in kept.items()}, idea="Multiply the shape out.")

    layer = 24
    return Each(
        {
            "numbers in one layer's keys": at_step(
                layer * 2 * 2,
                NO_BATCH,
                ONE_TOKEN,
                **{
                    heads: right // (layer * 4 * 16),
                    "You are a factor 2 ahead: bytes and values come in later steps.": right // (layer * 2),
                },
            ),
            "bytes of one layer's keys": at_step(layer * 2, NO_BATCH, ONE_TOKEN, NUMBERS, FOUR_BYTES, BITS),
            "bytes of one layer": at_step(layer, NO_BATCH, ONE_TOKEN, FACTOR_2, BITS, FOUR_BYTES),
            "bytes of all layers": at_step(
                1, NO_BATCH, ONE_TOKEN, ONE_LAYER, FACTOR_2, NUMBERS, FOUR_BYTES, BITS
            ),
        }
    )


@question("02-doubles")
def _doubles():
    fixed = "The model fixes it: it is the same after one token and after two thousand."
    return Choice(
        "T",
        {
            "2": "The 2 stands for keys and values; it stays 2 however long the sequence is.",
            "layers": fixed,
            "B": "The batch is the number of sequences. Here each one gets longer.",
            "H": fixed,
            "d_head": fixed,
            "bytes": "A number takes the same bytes wherever in the sequence it stands.",
        },
    )


@question("02-per-token", points=2)
def _per_token():
    geometry = LAYERS_24 | {"context": 1, "batch": 1}
    slips = slips_of(**geometry) | {
        "You count the whole batch; one token belongs to one sequence.": kv_bytes(**geometry | {"batch": 2}),
        "You count the whole context; this asks for one token of it.": kv_bytes(
            **geometry | {"context": 2048}
        ),
    }
    return Number.of_bytes(kv_bytes(**geometry), "KiB", slips, idea="Leave B and T out of the formula.")


@question("02-formula", points=3)
def _formula():
    def reference(n_layers, batch, n_kv_heads, context, head_dim, bytes_per_number):
        layout = CacheLayout.uniform(n_layers, n_kv_heads, head_dim)
        return layout.bytes(context, batch, "int8") * bytes_per_number

    def cases(rng):
        for _ in range(24):
            yield (*(rng.randint(1, n) for n in (80, 8, 64, 4096, 256)), rng.choice([1, 2, 4]))

    def without(*left_out):
        def slip(*a):
            return reference(*(1 if i in left_out else n for i, n in enumerate(a)))

        return slip

    return Function(
        reference,
        cases,
        {
            "The factor 2 is missing: keys and values are both kept.": lambda *a: reference(*a) // 2,
            "It forgets the layers.": without(0),
            "It forgets the batch.": without(1),
            "It forgets the heads.": without(2),
            "It forgets the context.": without(3),
            "It forgets head_dim.": without(4),
            "It counts numbers, not bytes: the bytes of a number are missing.": without(5),
            "It always takes 2 bytes per number; bytes_per_number says how many.": lambda *a: reference(
                *a[:5], 2
            ),
            "It counts bits: bytes_per_number is in bytes already.": lambda *a: 8 * reference(*a),
            "It lets the cache grow with the square of the context. The scores do; the cache keeps a"
            " row per token.": lambda *a: reference(*a) * a[3],
            "It doubles twice for keys and values.": lambda *a: 2 * reference(*a),
            "It adds where the formula multiplies.": lambda *a: 2 * sum(a),
        },
        idea="Nothing in the formula is added or divided.",
    )


LLAMA_70B = dict(n_layers=80, n_kv_heads=8, head_dim=128)


@question("02-seventy", points=2)
def _seventy():
    geometry = LLAMA_70B | {"context": 100_000}
    slips = slips_of(n_heads=64, **geometry)
    del slips[BITS]  # 8 bits per byte and 8 query heads per KV head: the claim is about the second
    # The claim's own 260 is 0.8 % off what query heads give.
    return Number.of_bytes(
        kv_bytes(**geometry), "GB", slips, 0.01, "Put the config's fields into the formula."
    )
