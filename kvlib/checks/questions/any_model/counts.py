"""What a published config keeps of a token, and of a context where layers have windows."""

from ....units import MiB
from ...answers import Each, Number, Slip
from ..common import BITS, FACTOR_2, HALF, NUMBERS, ONE_LAYER, QUERY_HEADS, question

QUARTER = Slip(f"Two things. {FACTOR_2} And: {NUMBERS}", then=lambda v: v / 4)


def _half_or(said):
    return Slip(f"Half of it is missing: keys and values both count. {said}".strip(), then=lambda v: v / 2)


def _twice_or(said):
    return Slip(f"Twice too many: numbers are asked for, not bytes. {said}".strip(), then=lambda v: v * 2)


def _heads(layers, kv_heads, width):
    return 2 * layers * kv_heads * width


def _latent(layers, rank, rotary):
    return layers * (rank + rotary)


@question("09-keeps", points=4, kind="config", minutes=8)
def _keeps():
    one = Slip(ONE_LAYER, layers=1)
    divided = "You divide hidden_size by the heads. This config names head_dim, and then that counts."
    mistaken = "multi_query counts only in the older architecture; new_decoder_architecture is true here."
    latent = (
        "The config names kv_lora_rank: no head keeps keys or values of its own, a latent stands for all."
    )
    return Each(
        {
            "Gemma 2 9B": Number(
                _heads,
                dict(layers=42, kv_heads=8, width=256),
                (
                    Slip(divided, width=3584 // 16),
                    one,
                    _half_or("Or you leave out the sliding layers, which keep tokens too."),
                    _twice_or("Or you count the query heads; only the KV heads keep anything."),
                    Slip("You leave out the KV heads: each keeps a key and a value.", kv_heads=1),
                    Slip("You multiply by the window; one token is asked for.", then=lambda v: 4096 * v),
                    Slip("Two things: you count the query heads, and bytes for numbers.", kv_heads=32),
                ),
                tol=0,
                idea="Keys and values, times layers, KV heads and the width of a head.",
            ),
            "DeepSeek-V3": Number(
                _latent,
                dict(layers=61, rank=512, rotary=64),
                (
                    Slip("You leave out the rotary part of the key; it is kept beside the latent.", rotary=0),
                    Slip(
                        "You add the width of a head: qk_rope_head_dim is kept, not v_head_dim.", rotary=128
                    ),
                    Slip(
                        "You keep the whole key's width beside the latent; only its rotary part is.",
                        rotary=192,
                    ),
                    Slip("q_lora_rank is for the queries, which nobody keeps.", rank=1536),
                    Slip("The latent is kept beside the rotary part; you leave it out.", rank=0),
                    Slip("You take a whole key of one head; its latent is kept in its place.", rank=128),
                    Slip(latent, lambda layers, **_: 2 * layers * 128 * (7168 // 128)),
                    Slip(latent, lambda layers, **_: 2 * layers * 128 * 128),
                    Slip(f"{latent} You expand it.", lambda layers, **_: layers * 128 * (192 + 128)),
                    Slip(f"{latent} You expand it.", lambda layers, **_: 2 * layers * 128 * 192),
                    one,
                    _twice_or("Or you count keys and values; one latent stands for both."),
                    Slip(
                        "You halve it: a latent is no pair, and numbers are asked for.", then=lambda v: v / 2
                    ),
                ),
                tol=0,
                idea="Which two fields say what attention keeps of a token here?",
            ),
            "Falcon 40B": Number(
                _heads,
                dict(layers=60, kv_heads=8, width=64),
                (
                    Slip(mistaken, kv_heads=1),
                    Slip(f"{QUERY_HEADS} Or: you divide hidden_size by them for the width.", kv_heads=128),
                    one,
                    _half_or(""),
                    _twice_or(""),
                ),
                tol=0,
                idea="How many heads keep keys and values here, and how wide is one?",
            ),
            "Qwen3-Next 80B": Number(
                _heads,
                dict(layers=12, kv_heads=2, width=256),
                (
                    Slip("You count all the layers; three of four keep a state and no tokens.", layers=48),
                    Slip("You count the layers with a state; the others keep the tokens.", layers=36),
                    Slip("You take the interval for the number of full layers.", layers=4),
                    one,
                    Slip(QUERY_HEADS, kv_heads=16),
                    _half_or(f"Or: {divided}"),
                    _twice_or("Or you count all the layers at half their width."),
                ),
                tol=0,
                idea="First count the layers that attend.",
            ),
        }
    )


def _layers(layers, tokens):
    """Bytes in bf16 of layers of 8 KV heads × 128."""
    return 2 * layers * tokens * 8 * 128 * 2


@question(
    "09-windows",
    points=3,
    kind="by hand",
    minutes=6,
    drawn=dict(
        tokens=(9000, 11_000, *range(14_000, 20_000, 1000), *range(22_000, 28_000, 1000), 38_000, 45_000)
    ),
)
def _windows(tokens=18_000):
    sliding, full, window = 24, 8, 4096
    kept, rest = _layers(sliding, window), _layers(full, tokens)
    queries = Slip(QUERY_HEADS, then=lambda v: 4 * v)
    turned = "You turn the ratio round: one layer in four is full, the others slide."
    evenly = "You take half of the layers as full; one in four is."
    fp32 = Slip("You take 4 bytes per number; this cache is kept in 2.", then=lambda v: 2 * v)
    one_head = Slip("You count one KV head; each of the 8 keeps keys and values.", then=lambda v: v / 8)
    return Each(
        {
            "sliding layers": Number(
                _layers,
                dict(layers=sliding, tokens=window),
                (
                    Slip("A layer with a window keeps no more tokens than the window has.", tokens=tokens),
                    Slip("You add the window to the tokens; it limits them.", tokens=tokens + window),
                    Slip("You count what left the window; that is what is dropped.", tokens=tokens - window),
                    Slip(turned, layers=full),
                    Slip("You let all 32 layers slide; every fourth is full.", layers=32),
                    Slip(evenly, layers=16),
                    Slip("You take four layers as full and let 28 slide; every fourth is full.", layers=28),
                    fp32,
                    one_head,
                    Slip(ONE_LAYER, layers=1),
                    HALF,
                    QUARTER,
                    queries,
                    Slip(BITS, then=lambda v: 8 * v),
                ),
                unit="MiB",
                idea="How many layers slide, and how many tokens does one of them keep?",
            ),
            "full layers": Number(
                _layers,
                dict(layers=full, tokens=tokens),
                (
                    Slip("A full layer has no window: it keeps every token.", tokens=window),
                    Slip(
                        "You count the tokens beyond the window; a full layer keeps all.",
                        tokens=tokens - window,
                    ),
                    Slip("You add the window to the tokens; a full layer has none.", tokens=tokens + window),
                    Slip(turned, layers=sliding),
                    Slip(
                        f"Four times too many: you take all 32 layers as full. Or: {QUERY_HEADS}", layers=32
                    ),
                    Slip(f"{ONE_LAYER} Or: you count one KV head; each of the 8 keeps something.", layers=1),
                    Slip(f"{evenly} Or: you take 4 bytes per number; this cache is kept in 2.", layers=16),
                    Slip(f"{HALF.said} Or: you take four layers as full; every fourth is.", layers=4),
                    QUARTER,
                    Slip(BITS, then=lambda v: 8 * v),
                ),
                unit="MiB",
                idea="How many layers are full, and what does each keep of a token?",
            ),
            "all layers": Number(
                lambda kept, rest: kept + rest,
                dict(kept=kept, rest=rest),
                (
                    Slip("You take every layer as full.", kept=_layers(sliding, tokens)),
                    Slip("You let every layer slide.", rest=_layers(full, window)),
                    Slip("You leave out the sliding layers.", kept=0),
                    Slip("You leave out the full layers.", rest=0),
                    Slip(turned, kept=_layers(full, window), rest=_layers(sliding, tokens)),
                    Slip(
                        "You take all 32 layers as full, and the sliding ones once more.",
                        rest=_layers(32, tokens),
                    ),
                    Slip(evenly, kept=_layers(16, window), rest=_layers(16, tokens)),
                    Slip(ONE_LAYER, kept=_layers(1, window), rest=_layers(1, tokens)),
                    fp32,
                    one_head,
                    HALF,
                    queries,
                ),
                unit="MiB",
                idea="Add the two.",
                follows=("sliding layers", lambda before: before + rest / MiB),
            ),
        }
    )
