"""The size of a state beside attention, and of one cache in two engines."""

from ....units import MiB
from ...answers import Each, Number, Slip
from ..common import ONE_LAYER, question


@question(
    "09-state",
    points=3,
    kind="by hand",
    minutes=7,
    drawn=dict(
        heads=(48, 80, 96, 112),
        size=(64, 96, 128, 192),
        tokens=(3000, 5000, 8000, 12_000, 20_000),
        attend=(5, 6, 10),
    ),
)
def _state(heads=112, size=128, tokens=8000, attend=5):
    layers, width, token = 40, 64, 2 * 8 * 128 * 2
    state = heads * width * size * 4
    rest = layers - attend

    def model(states, one, attending, tokens):
        return states * one + attending * tokens * token

    half = "You count the keys alone, or one byte a number: the layer keeps both, in 2 bytes each."
    return Each(
        {
            "one state": Number(
                lambda heads, width, size, number: heads * width * size * number,
                dict(heads=heads, width=width, size=size, number=4),
                (
                    Slip("You take 2 bytes a number; the state is kept in fp32.", number=2),
                    Slip("You count numbers, not bytes.", number=1),
                    Slip("A state is no pair of keys and values: it is kept once.", number=8),
                    Slip("You leave out the heads: each has a state of its own.", heads=1),
                    Slip("You leave out the width of a head.", width=1),
                    Slip("You leave out the size of the state.", size=1),
                    Slip(
                        "You multiply by the tokens. A state has the same size after any number.",
                        number=4 * tokens,
                    ),
                    Slip("You count the state of every layer; one is asked for.", number=4 * rest),
                    Slip(
                        "You count a state in all layers; those that attend have none, and one is asked for.",
                        number=4 * layers,
                    ),
                ),
                unit="MiB",
                idea="Heads, width and state size, at 4 bytes a number.",
            ),
            "break-even": Number(
                lambda state, token: state / token,
                dict(state=state, token=token),
                (
                    Slip(half, token=token // 2),
                    Slip("You count the query heads: a token takes less than that.", token=4 * token),
                    Slip("You take one KV head; the layer has 8.", token=token // 8),
                    Slip(
                        "You take 2 bytes a number of the state; it is kept in fp32. Or: 4 of keys and"
                        " values, which are in bf16.",
                        state=state // 2,
                    ),
                    Slip(
                        "You turn it round: divide the state by what one token takes.",
                        lambda state, token: token / state,
                    ),
                    Slip(
                        "You compare all the states with one layer of attention: take a layer of each.",
                        state=rest * state,
                    ),
                    Slip(
                        "You compare a state with all layers of attention: take a layer of each.",
                        token=attend * token,
                    ),
                ),
                idea="How many tokens' keys and values take as much as one state?",
                follows=("one state", lambda before: before * MiB / token),
            ),
            "model": Number(
                model,
                dict(states=rest, one=state, attending=attend, tokens=tokens),
                (
                    Slip("You let every layer keep keys and values.", attending=layers, states=0),
                    Slip("You leave out the states.", states=0),
                    Slip("You leave out the layers that attend.", attending=0),
                    Slip("You have the two kinds the wrong way round.", states=attend, attending=rest),
                    Slip("You count one layer of each kind.", states=1, attending=1),
                    Slip("You count the query heads: a token takes less than that.", attending=4 * attend),
                    Slip("You count the keys alone, or one byte a number.", attending=attend / 2),
                    Slip("A state does not grow with the tokens.", one=state * tokens),
                    Slip("You take 2 bytes a number of the state; it is kept in fp32.", one=state // 2),
                    Slip(
                        "You take 4 bytes a number of keys and values; they are in bf16.",
                        attending=2 * attend,
                    ),
                    Slip(
                        "You count a state in all layers; those that attend have none.",
                        states=layers,
                        near=True,
                    ),
                    Slip("You let every layer attend; the others have states alone.", attending=layers),
                ),
                unit="MiB",
                idea="So many states, and so many layers with keys and values of every token.",
                follows=("one state", lambda before: (rest * before * MiB + attend * tokens * token) / MiB),
            ),
        }
    )


# So few tokens that rounding shows, and so many that no other mistake gives the same number.
FEW = (50, 51, 55, 59, 60, 61, 62, 75, 76, 77, 183, 185, 147, 149, 151, 153)


@question("09-engines", points=3, kind="predict", minutes=8, drawn=dict(tokens=FEW, block=(16, 32)))
def _engines(tokens=75, block=16):
    heads, key, value, latent, layers = 16, 192, 128, 512 + 64, 27

    def kept(tokens, unit, numbers, layers):
        return -(-tokens // unit) * unit * numbers * layers * 2

    def down(tokens, unit, numbers, layers):
        return tokens // unit * unit * numbers * layers * 2

    def part(unit, numbers, others, idea):
        taken = (
            Slip("You count the tokens alone; room is taken in whole blocks or cells.", unit=1),
            Slip("You round down: the last tokens need room too.", down),
            Slip(ONE_LAYER, layers=1),
        )
        given = dict(tokens=tokens, unit=unit, numbers=numbers, layers=layers)
        return Number(kept, given, (*taken, *others), unit="MiB", idea=idea)

    all_heads = "You keep the latent for each head; it stands for all."
    rotary = Slip("You leave out the rotary part of the key, kept beside the latent.", numbers=512)
    half = "You count numbers, not bytes."
    twice = "You keep the latent twice; it stands for keys and values at once."
    every = "You keep keys and values of every head: this engine keeps the latent."
    absorbed = "You keep the latent, as attention does that reads it itself; here it is expanded."
    narrow = "You take the values' width for the keys too; a key has its rotary part besides."
    return Each(
        {
            "vLLM": part(
                block,
                latent,
                (
                    rotary,
                    Slip(half, then=lambda v: v / 2),
                    Slip(twice, numbers=2 * latent),
                    Slip(every, numbers=heads * (key + value)),
                    Slip("You take llama.cpp's cells, 256 at a time.", unit=256),
                    Slip("You take one block too many.", tokens=tokens + block),
                    Slip(all_heads, near=True, numbers=heads * latent),
                    Slip("You count blocks; how many tokens have room in one?", then=lambda v: v / block),
                ),
                "Whole blocks, times what their tokens keep in all layers.",
            ),
            "llama.cpp": part(
                256,
                latent,
                (
                    rotary,
                    Slip(half, then=lambda v: v / 2),
                    Slip(f"{twice} Or: you take 256 cells too many.", then=lambda v: 2 * v),
                    Slip(every, numbers=heads * (key + value)),
                    Slip("You take vLLM's blocks; llama.cpp rounds up further.", unit=block),
                    Slip(all_heads, near=True, numbers=heads * latent),
                ),
                "Round the context up first.",
            ),
            "vLLM, expanded": part(
                block,
                heads * 2 * key,
                (
                    Slip("Values are padded here to the keys' width.", numbers=heads * (key + value)),
                    Slip(narrow, numbers=heads * 2 * value),
                    Slip(f"{half} Or: you keep keys and no values.", then=lambda v: v / 2),
                    Slip("You count one head: each query head keeps keys and values here.", numbers=2 * key),
                    Slip(absorbed, numbers=latent),
                    Slip(
                        "You add the latent; expanded, only keys and values are kept.",
                        near=True,
                        numbers=heads * 2 * key + latent,
                    ),
                    Slip("You take llama.cpp's cells, 256 at a time.", unit=256),
                    Slip("You take one block too many.", tokens=tokens + block),
                ),
                "How wide are the keys and values of all the query heads?",
            ),
        }
    )
