"""Questions of chapter 02 that predict a number, or audit somebody's."""

from math import prod

from ...answers import Each, Function, Number, Several, Slip
from ..common import (
    BITS,
    FACTOR_2,
    FORMULA_SLIPS,
    FOUR_BYTES,
    HALF,
    ONE_LAYER,
    QUERY_HEADS,
    formula,
    question,
)

SMOLLM2 = dict(layers=30, kv_heads=3, head_dim=64)
QWEN_7B = dict(layers=28, kv_heads=4, head_dim=128)
QWEN_7B_HEADS = 28
LLAMA_70B = dict(layers=80, kv_heads=8, head_dim=128)
LLAMA_70B_HEADS = 64
CLAIMED = 2.6e6  # bytes per token, as the claim has it


@question("02-held", points=2, kind="predict", minutes=5, drawn=dict(prompt=range(3, 8), new=range(7, 13)))
def _held(prompt=6, new=12):
    def held(prompt, new, layers, kv_heads, head_dim):
        return formula(layers, 1, kv_heads, prompt + new - 1, head_dim, 4)

    return Number(
        held,
        dict(prompt=prompt, new=new, **SMOLLM2),
        (
            Slip(
                "You count the last token that was written. No step has read it, so it has no key yet.",
                new=lambda n: n["new"] + 1,
            ),
            Slip("You leave the prompt out: its keys and values are kept, too.", prompt=1),
            Slip("You count the prompt alone: tokens that are written are kept as well.", new=1),
            Slip(
                f"Half of it is missing. {FACTOR_2} Or you take 2 bytes per number; fp32 takes 4.",
                then=lambda v: v / 2,
            ),
            Slip(QUERY_HEADS, kv_heads=9),
            FORMULA_SLIPS["layers"],
            Slip("You count one head; each KV head keeps keys and values.", kv_heads=1),
            Slip("You leave d_head out: a key has that many numbers.", head_dim=1),
            Slip(BITS, then=lambda v: 8 * v),
            Slip(
                "You count one token: the cache holds all that a step has read.",
                lambda prompt, new, **n: formula(n["layers"], 1, n["kv_heads"], 1, n["head_dim"], 4),
            ),
        ),
        "KiB",
        idea="How many tokens have been read, and what does each leave behind in fp32?",
    )


def _forgotten(claim, factors):
    """Names of the factors of which any one, left out of the product, gives `claim`."""
    total = prod(factors.values())
    return [name for name, factor in factors.items() if factor > 1 and claim * factor == total]


def _emptied(claim, factors):
    rest, found = dict(factors), []
    for name in factors:
        factor = rest.pop(name)
        if factor > 1 and prod(rest.values()) == claim:
            found.append(name)
    return found


@question("02-forgotten", points=4, kind="code", minutes=12)
def _forgotten_factor():
    def cases(rng):
        own = {"2": 2, "layers": 24, "B": 2, "H": 16, "T": 2048, "d_head": 64, "bytes": 2}
        total = prod(own.values())
        for claim in (
            total // 24,
            total // 2,
            total,
            total * 2,
            total // 24 - 1,
            total // 2048 + 1,
            total // 48,
            24,
        ):
            yield claim, own
        for number in range(24):
            factors = {
                "2": 2,
                "layers": rng.randint(2, 90),
                "B": rng.choice([1, 1, 3, 5]),
                "H": rng.choice([1, 4, 7, 8]),
                "T": rng.randint(100, 9000),
                "d_head": rng.choice([64, 96, 128]),
                "bytes": rng.choice([1, 2, 4]),
            }
            total, factor = prod(factors.values()), rng.choice(list(factors.values()))
            claim = (
                total // factor,
                total,
                total // factor + rng.choice([-1, 1]),
                total * factor,
                total // factors["T"] // 2,
                total // factors["layers"],
            )[number % 6]
            yield claim, factors

    def missing(claim, factors):
        return prod(factors.values()) / claim

    slips = {
        "It accuses a factor of 1: to leave that out changes nothing.": lambda claim, factors: [
            name for name, factor in factors.items() if claim * factor == prod(factors.values())
        ],
        "It names one factor; several can have the value that is missing.": lambda c, f: _forgotten(c, f)[:1],
        "It names the last factor of several that have the value which is missing.": (
            lambda c, f: _forgotten(c, f)[-1:]
        ),
        "It divides with //, which drops a remainder: a claim that no factor explains seems explained.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and prod(f.values()) // c == v]
        ),
        "It rounds the quotient: a claim that is a little off seems explained.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and round(missing(c, f)) == v]
        ),
        "It takes factors out and does not put them back: later products lack more than one.": _emptied,
        "It looks for a factor that the claim has too often, not for one that it lacks.": (
            lambda c, f: [n for n, v in f.items() if v > 1 and c == prod(f.values()) * v]
        ),
        "It accuses a factor that the claim has once too often, too.": lambda c, f: [
            n for n, v in f.items() if v > 1 and missing(c, f) in (v, 1 / v)
        ],
        "It gives the factors that are there, not those that are missing.": (
            lambda c, f: [n for n in f if n not in _forgotten(c, f)]
        ),
        "It gives the values; their names are asked for.": lambda c, f: [f[n] for n in _forgotten(c, f)],
        "It never accuses the 2: keys and values can be forgotten like any other factor.": (
            lambda c, f: [n for n in _forgotten(c, f) if n != "2"]
        ),
        "It gives None where no factor explains the claim: give an empty list.": (
            lambda c, f: _forgotten(c, f) or None
        ),
        "It gives the missing factor's value, not the names of the factors that have it.": missing,
        "It gives one name where a list of names is wanted.": (
            lambda c, f: next(iter(_forgotten(c, f)), None)
        ),
        "It compares the claim with the factor itself: what is the product without it?": lambda c, f: [
            n for n, v in f.items() if c == v
        ],
    }
    return Function(
        _forgotten,
        cases,
        tuple(Slip(said, wrong) for said, wrong in slips.items()),
        where={
            "It is wrong only where the claim is right: nothing was forgotten then.": (
                lambda claim, factors: claim == prod(factors.values())
            ),
            "It is wrong only where no single factor explains the claim.": (
                lambda claim, factors: not _forgotten(claim, factors)
            ),
            "It is wrong only where several factors have the value that is missing.": (
                lambda claim, factors: len(_forgotten(claim, factors)) > 1
            ),
            "It is wrong only where one factor explains the claim.": (
                lambda claim, factors: len(_forgotten(claim, factors)) == 1
            ),
            "It is wrong wherever a factor explains the claim.": (
                lambda claim, factors: bool(_forgotten(claim, factors))
            ),
        },
        read=lambda case, value: sorted(value) if isinstance(value, (list, tuple, frozenset)) else value,
        idea="Multiply all factors but one, for each of them in turn, and compare with the claim.",
    )


@question("02-forum", points=3, kind="audit", minutes=8, drawn=dict(tokens=(5120, 7168, 12288, 14336, 20480)))
def _forum(tokens=8192):
    hidden = QWEN_7B_HEADS * QWEN_7B["head_dim"]
    posted = 2 * QWEN_7B["layers"] * hidden * tokens * 8 * 2
    heads = (
        "You count the query heads, or the hidden size, which has a part for each of them: only the KV heads"
        " keep anything."
    )
    fine = "This factor is right: hold each against the config."
    return Each(
        {
            "wrong": Several(
                {
                    "c": "One is missing: how many numbers does a token leave in a layer's keys?",
                    "e": "One is missing: which two factors say the same in two units?",
                },
                {
                    "a": "Keys and values are both kept: this 2 belongs there.",
                    "b": "Every layer keeps a cache: this factor belongs there.",
                    "d": fine,
                    "f": "A bf16 number takes that many bytes. Which other factor says it again?",
                },
            ),
            "MiB": Number(
                lambda tokens, layers, kv_heads, head_dim: formula(layers, 1, kv_heads, tokens, head_dim),
                dict(tokens=tokens, **QWEN_7B),
                (
                    Slip(heads, kv_heads=QWEN_7B_HEADS),
                    Slip(
                        "You leave the 8 in: a byte has 8 bits, and the 2 counts bytes already.",
                        then=lambda v: 8 * v,
                    ),
                    HALF,
                    Slip(FOUR_BYTES, then=lambda v: 2 * v),
                    Slip(ONE_LAYER, layers=1),
                    Slip("You count one head; each KV head keeps keys and values.", kv_heads=1),
                    Slip("You leave d_head out: a key has that many numbers.", head_dim=1),
                    Slip("You count one token: the question gives a context.", tokens=1),
                    Slip(
                        "You count the heads twice: the hidden size holds all of them already.",
                        head_dim=hidden,
                    ),
                ),
                "MiB",
                idea="Put the config's fields into the formula.",
            ),
            "times": Number(
                lambda heads, bits: heads * bits,
                dict(heads=QWEN_7B_HEADS / QWEN_7B["kv_heads"], bits=8),
                (
                    Slip("You found the heads. The bits make it too large, too.", bits=1),
                    Slip("You found the bits. The heads make it too large, too.", heads=1),
                    Slip(
                        "You add the two mistakes up; one multiplies what the other gives.",
                        lambda heads, bits: heads + bits,
                    ),
                    Slip(
                        "You turn it round: how many times too large is the post's number?",
                        then=lambda v: 1 / v,
                    ),
                    Slip(
                        "You take one factor too many for wrong: keys and values, or the bytes.",
                        then=lambda v: 2 * v,
                    ),
                    Slip(
                        "Half of it is missing: the heads and the bits are wrong by their whole factors.",
                        then=lambda v: v / 2,
                    ),
                    Slip("You compare the hidden size with one head.", heads=QWEN_7B_HEADS),
                ),
                idea="Divide what the post multiplies out by what is right.",
                follows=("MiB", lambda v: posted / 2**20 / v),
            ),
        }
    )


@question(
    "02-seventy",
    points=2,
    kind="audit",
    minutes=4,
    drawn=dict(tokens=(30_000, 45_000, 60_000, 80_000, 120_000, 130_000)),
)
def _seventy(tokens=100_000):
    return Number(
        lambda tokens, layers, kv_heads, head_dim: formula(layers, 1, kv_heads, tokens, head_dim),
        dict(tokens=tokens, **LLAMA_70B),
        (
            Slip(QUERY_HEADS, kv_heads=LLAMA_70B_HEADS),
            HALF,
            Slip(FOUR_BYTES, then=lambda v: 2 * v),
            Slip(ONE_LAYER, layers=1),
            FORMULA_SLIPS["tokens"],
            Slip("You count one head; each KV head keeps keys and values.", kv_heads=1),
            Slip("You leave d_head out: a key has that many numbers.", head_dim=1),
            Slip(
                "You divide the claim's number by 8, and that number is rounded: use the config's fields.",
                lambda tokens, **model: CLAIMED * tokens / 8,
                near=True,
            ),
            Slip(
                "You repeat the claim. Which of the config's fields counts heads that keep something?",
                lambda tokens, **model: CLAIMED * tokens,
                near=True,
            ),
            Slip(
                "You count the groups too: 64 query heads over 8 KV heads keep 8 keys, and no more.",
                kv_heads=64 * 8,
            ),
        ),
        "GB",
        tol=0.005,
        idea="Put the config's fields into the formula.",
    )
