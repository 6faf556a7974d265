"""Questions of chapter 02 about the formula's factors."""

from ...answers import Choice, Each, Number, Several, Slip, Words
from ..common import BITS, FACTOR_2, FORMULA_SLIPS, FOUR_BYTES, HALF, NUMBERS, formula, question

ONE_HEAD = Slip("You count one head: keys are kept for each of them.", heads=1)
ONE_NUMBER = Slip("You leave d_head out: a key has that many numbers.", head_dim=1)
ALL_LAYERS = "You count all layers; this asks for one."
AHEAD = "You are ahead of the question: bytes, and values, come in later steps."


@question("02-bytes", kind="recall", minutes=1)
def _bytes():
    return Choice(
        "d",
        {
            "a": "The vocabulary sizes the embedding and the logits. No key or value depends on it.",
            "b": "Attention shares heads or not; each number kept takes the same room either way.",
            "c": "The weights may be int4 while the cache stays bf16: each is stored in its own format.",
        },
    )


@question(
    "02-steps",
    points=4,
    minutes=6,
    drawn=dict(
        layers=(18, 20, 28, 36),
        batch=(3, 5, 6),
        heads=(12, 20, 40),
        tokens=(1024, 1536, 3072, 5120),
        head_dim=(80, 96, 128),
    ),
)
def _steps(layers=24, batch=2, heads=16, tokens=2048, head_dim=64):
    numbers = dict(layers=layers, batch=batch, heads=heads, tokens=tokens, head_dim=head_dim)
    shape = (FORMULA_SLIPS["batch"], FORMULA_SLIPS["tokens"], ONE_HEAD, ONE_NUMBER)
    all_layers = Slip(ALL_LAYERS, then=lambda v: v * layers)
    bits = Slip(BITS, then=lambda v: 8 * v)

    def one_layers_keys(layers, batch, heads, tokens, head_dim):
        return batch * heads * tokens * head_dim

    def all_of_it(layers, batch, heads, tokens, head_dim):
        return formula(layers, batch, heads, tokens, head_dim)

    def step(formula, slips, unit="B", follows=None):
        return Number(formula, numbers, slips, unit, 0, "Multiply the shape out.", follows)

    return Each(
        {
            "numbers in one layer's keys": step(
                one_layers_keys,
                (
                    *shape,
                    all_layers,
                    Slip(AHEAD, then=lambda v: 2 * v),
                    Slip(AHEAD, then=lambda v: 4 * v),
                    Slip("You add the shape's numbers; multiply them.", lambda layers, **n: sum(n.values())),
                ),
                unit="",
            ),
            "bytes of one layer's keys": step(
                lambda **n: 2 * one_layers_keys(**n),
                (
                    *shape,
                    all_layers,
                    bits,
                    Slip(NUMBERS, then=lambda v: v / 2),
                    Slip(
                        f"You have the values in it, which come in the next step. Or: {FOUR_BYTES}",
                        then=lambda v: 2 * v,
                    ),
                ),
                follows=("numbers in one layer's keys", lambda v: 2 * v),
            ),
            "bytes of one layer": step(
                lambda **n: 4 * one_layers_keys(**n),
                (
                    *shape,
                    all_layers,
                    bits,
                    HALF,
                    Slip(f"{FACTOR_2} And: {NUMBERS}", then=lambda v: v / 4),
                    Slip(f"You double once too often. Or: {FOUR_BYTES}", then=lambda v: 2 * v),
                    FORMULA_SLIPS["queries"],
                ),
                follows=("bytes of one layer's keys", lambda v: 2 * v),
            ),
            "bytes of all layers": step(
                all_of_it,
                (
                    *shape,
                    FORMULA_SLIPS["layers"],
                    bits,
                    HALF,
                    Slip(f"{FACTOR_2} And: {NUMBERS}", then=lambda v: v / 4),
                    Slip(f"You double once too often. Or: {FOUR_BYTES}", then=lambda v: 2 * v),
                    FORMULA_SLIPS["queries"],
                    Slip(
                        "You leave a layer out: the first one keeps a cache, too.",
                        then=lambda v: v / layers * (layers - 1),
                        near=True,
                    ),
                    Slip(
                        "You multiply by the layers twice.",
                        then=lambda v: v * layers,
                    ),
                ),
                follows=("bytes of one layer", lambda v: v * layers),
            ),
        }
    )


@question("02-doubles", kind="recall", minutes=1)
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


@question("02-sketch", points=2, kind="recall", minutes=4)
def _sketch():
    missing = {
        "2": "A factor is missing: a token leaves two things behind in each layer.",
        "layers": "A factor is missing: does one part of the model keep a cache, or all its like?",
        "B": "A factor is missing: who shares the GPU?",
        "H": "A factor is missing: attention does not keep one key a token, but several.",
        "T": "A factor is missing: what grows while the model writes?",
        "d_head": "A factor is missing: how long is a key?",
        "bytes": "A factor is missing: without it the formula counts numbers.",
    }
    strange = {
        "3": "Queries are not kept: of the three vectors, two are.",
        "T²": "The scores grow with the square of the tokens; the cache keeps a row for each token.",
        "vocabulary": "The vocabulary is never cached.",
        "parameters": "The number of parameters is not in the formula: two models of one size can differ.",
        "d_model": "The hidden size is not in it: it is the KV heads and d_head that count.",
        "bits": "The formula counts in bytes from its last factor on.",
    }
    no_head = {
        "2": "The 2 counts keys and values; each head has both.",
        "layers": "Layers lie above each other; which factors describe the inside of one, head by head?",
        "B": "The batch counts sequences.",
        "T": "T counts tokens.",
        "bytes": "The bytes of a number are the same in every head.",
    }
    heads = {
        "H": "One is missing: how many heads are there?",
        "d_head": "One is missing: how wide is a head?",
    }

    def one(right, said):
        return Choice(right, {name: said for name in missing if name != right})

    return Each(
        {
            "formula": Several(missing, strange),
            "underline": one("2", "That is not it: which factor stands for keys and values?"),
            "circle": Several(heads, no_head),
            "box": one("T", "That is not it: which factor counts the tokens of a sequence?"),
        }
    )


@question("02-note", points=3, kind="words", minutes=8, manual=True)
def _note():
    return Words(
        {
            "speed": "A step makes the newest token's key and value alone; those of the past are read.",
            "growth": "What is kept grows with every token, in every layer, for every sequence.",
            "pressure": "That memory lies beside the weights, so it limits the batch or the context.",
            "trade": "So memory is spent to save compute; the text stays the same, up to rounding.",
        },
        least=30,
        most=120,
    )
