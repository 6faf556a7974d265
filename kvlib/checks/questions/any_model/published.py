"""Numbers that others published: which are right, and what the wrong ones come from."""

from ...answers import Choice, Each, Number, Slip, Words
from ..common import ONE_LAYER, QUERY_HEADS, question

REASONS = {
    "a": "Put hidden_size // heads into the formula and see whether it gives the claim.",
    "b": "Nothing here is a latent that is counted twice. What does the config keep of a token?",
    "c": "Divide the claim by what one layer keeps: is it one layer?",
    "d": "Multiply by the query heads in place of the KV heads: that is not what the claim says.",
    "e": "It is not right. Work it out from the config.",
    "f": "No layer of this model has a window.",
}


def _because(right, **said):
    return Choice(right, {letter: text for letter, text in (REASONS | said).items() if letter != right})


@question("09-audit", points=7, kind="audit", minutes=14)
def _audit():
    latent = "It counts the latent, not heads. What of the latent is counted, and how often?"
    fine = "Work it out from the config before you call it wrong: 2 × layers × KV heads × head_dim, in kB."
    return Each(
        {
            "A: reason": _because("b", a=latent, d=latent, c="It multiplies by all layers."),
            "A: bytes per token": Number(
                lambda layers, latent, number: layers * latent * number,
                dict(layers=61, latent=576, number=2),
                (
                    Slip("That is the claim. What is kept of the latent, and how often?", 2 * 61 * 512 * 2),
                    Slip(
                        "The latent is kept once, for keys and values; the rotary part is kept, too.",
                        latent=1152,
                    ),
                    Slip("The rotary part of the key is kept beside the latent.", latent=512),
                    Slip("The rotary part is qk_rope_head_dim, not a head's width.", latent=512 + 128),
                    Slip("You count heads; this model keeps a latent.", latent=2 * 128 * 56),
                    Slip("You count heads; this model keeps a latent.", latent=2 * 128 * 128),
                    Slip(
                        "You expand the latent to every head; what is kept is the latent.", latent=128 * 320
                    ),
                    Slip(ONE_LAYER, layers=1),
                    Slip("You count numbers, not bytes.", number=1),
                ),
                unit="B",
                idea="The latent and the rotary part of the key, once, in every layer.",
            ),
            "B: reason": _because("a", b="This model has heads and no latent.", d="It counts 8 heads of 16."),
            "B: GiB": Number(
                lambda layers, heads, width, tokens, number: 2 * layers * heads * width * tokens * number,
                dict(layers=28, heads=8, width=128, tokens=40_960, number=2),
                (
                    Slip(
                        "That is the claim, or half of keys and values. How wide is a head by the config?",
                        width=64,
                    ),
                    Slip(f"{QUERY_HEADS} Or: you take 4 bytes a number; the cache is in 2.", heads=16),
                    Slip(ONE_LAYER, layers=1),
                    Slip("You count one token; the context has more.", tokens=1),
                    Slip("You take hidden_size for the width of a head.", width=1024),
                ),
                unit="GiB",
                idea="2 × layers × KV heads × head_dim × tokens × bytes.",
            ),
            "C: reason": _because(
                "c",
                a=latent,
                d=latent,
                b="The rotary part is there (the sum is a slip), and it is counted once.",
            ),
            "C: GiB": Number(
                lambda layers, latent, tokens, bits: layers * latent * tokens * bits / 8,
                dict(layers=61, latent=576, tokens=65_536, bits=4),
                (
                    Slip("That is one layer; every layer keeps a latent.", layers=1),
                    Slip("The rotary part of the key is kept beside the latent.", latent=512),
                    Slip("You take over the claim's sum: 512 and 64 are not 572.", near=True, latent=572),
                    Slip("You take 16 bits a number; the claim has 4.", bits=16),
                    Slip(
                        "You take 8 bits a number, or the latent twice; it is kept once, in 4 bits.", bits=8
                    ),
                    Slip("You take 4 bits for 4 bytes.", bits=32),
                    Slip("You count heads; this model keeps a latent.", latent=2 * 128 * 56),
                ),
                unit="GiB",
                idea="Correct the claim's own product; it lacks a factor.",
            ),
            "D: reason": _because(
                "e",
                a=fine,
                b=fine,
                c=fine,
                d=fine,
                f="No layer of this model has a window, and none is claimed.",
            ),
        }
    )


@question("09-explain", points=4, kind="words", minutes=12, manual=True)
def _explain():
    return Words(
        {
            "latent": "The layers keep a latent of 512 + 64 numbers a token, not keys and values of 128"
            " heads; num_key_value_heads says nothing about this cache.",
            "width": "hidden_size // heads is no width of this model: its config names those that count.",
            "ranks": "Tensor parallelism splits heads. The latent is no head: every GPU keeps all of it, and"
            " nothing is divided by 8.",
            "numbers": "What one GPU really keeps, in MiB, how that comes about, and how many times as large"
            " the claim for one GPU is.",
        },
        least=80,
        most=160,
    )
