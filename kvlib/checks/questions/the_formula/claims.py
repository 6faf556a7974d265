"""Questions of chapter 02 that predict a number, or audit somebody's."""

from ...answers import Each, Number, Several, Slip
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
                "You leave the prompt out, and a token more: its first step reads the whole prompt.",
                lambda prompt, new, **n: held(1, 1, **n) * (new - 1),
            ),
            Slip(
                "You stop a token early: all but the last one have been read.",
                lambda prompt, new, **n: held(1, 1, **n) * (prompt + new - 2),
            ),
            Slip(
                "You add up what the cache holds at every step; its size at the end is asked for.",
                lambda prompt, new, **n: sum(held(prompt, step, **n) for step in range(1, new + 1)),
            ),
            Slip("You count query heads and KV heads together. Only KV heads keep anything.", kv_heads=12),
            Slip(
                "You double once too often, or take 8 bytes per number; fp32 takes 4.", then=lambda v: 2 * v
            ),
            Slip(
                "You count one token: the cache holds all that a step has read.",
                lambda prompt, new, **n: formula(n["layers"], 1, n["kv_heads"], 1, n["head_dim"], 4),
            ),
        ),
        "KiB",
        idea="How many tokens have been read, and what does each leave behind in fp32?",
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
            Slip(f"{QUERY_HEADS} Or: {BITS}", kv_heads=LLAMA_70B_HEADS),  # of 64 and 8, as of bits and bytes
            FORMULA_SLIPS["queries"],
            Slip(
                "You divide the hidden size by the layers; head_dim says how wide a head is.",
                then=lambda v: v * 8192 / 80 / 128,
            ),
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
