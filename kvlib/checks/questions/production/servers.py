"""A prompt's cache over a link, and the options of `vllm serve` from a budget."""

import math

from ....units import GiB, KiB
from ...answers import Each, Number, Slip
from ..common import HALF, ONE_LAYER, question


@question(
    "10-link",
    points=2,
    kind="by hand",
    minutes=5,
    drawn=dict(
        tokens=(3000, 5000, 6000, 9000, 12_000, 15_000), layers=(48, 60, 80), gigabits=(100, 200, 400)
    ),
)
def _link(tokens=6000, layers=80, gigabits=200):
    bits = 2 * 8 * 128 * 2 * 8  # of a token in one layer

    def ms(tokens, layers, bits, speed):
        return 1000 * tokens * layers * bits / speed

    given = dict(tokens=tokens, layers=layers, bits=bits, speed=gigabits * 10**9)
    slips = (
        Slip(
            "The link is rated in bits: a byte has 8 of them. Or: you count one KV head of the 8.",
            bits=bits // 8,
        ),
        Slip("You divide by 8; bytes times 8 are bits.", bits=bits // 64),
        Slip("A link's giga is 10**9, not 2**30.", speed=gigabits * 2**30),
        Slip("You count the query heads; only the KV heads are sent.", bits=12 * bits),
        Slip(
            "You turn it round: divide what is sent by the speed.",
            lambda speed, tokens, layers, bits: speed / (tokens * layers * bits),
        ),
        HALF,
        Slip("Keys and values are both in the 2 already, in 2 bytes a number.", then=lambda v: 2 * v),
        Slip(
            "That is what is sent, in GB; how long does it take?",
            lambda speed, **n: math.prod(n.values()) / 8e9,
        ),
    )
    return Each(
        {
            "all at once": Number(
                ms,
                given,
                (
                    *slips,
                    Slip(ONE_LAYER, layers=1),
                    Slip("You send one token; the whole prompt must go.", tokens=1),
                ),
                unit="ms",
                idea="The prompt's bytes, in bits, divided by the bits of a second.",
            ),
            "layer by layer": Number(
                ms,
                given | dict(layers=1),
                (
                    *slips,
                    Slip(
                        "You wait for all layers; the earlier ones went while later ones were computed.",
                        layers=layers,
                    ),
                    Slip(
                        "You take off one layer; all layers but the last are sent already.",
                        near=True,
                        layers=layers - 1,
                    ),
                    Slip(
                        "You divide by the KV heads; it is the layers that go one by one.", layers=layers / 8
                    ),
                    Slip("Something is left: the last layer's cache can go only once it is there.", 0),
                ),
                unit="ms",
                idea="What can have been sent when the last layer is done?",
                follows=("all at once", lambda before: before / layers),
            ),
        }
    )


@question(
    "10-serve",
    points=4,
    kind="config",
    minutes=9,
    drawn=dict(
        memory=(76, 80, 94),
        other=(9, 11, 13, 17),
        weights=(15, 19, 23),
        users=(6, 10, 12),
        typical=(15_000, 18_000, 21_000),
    ),
)
def _serve(memory=80, other=13, weights=15, users=6, typical=18_000):
    overhead, fits = 6, GiB // (128 * KiB)  # tokens in a GiB

    def room(memory, other, weights, overhead):
        return (memory - other - weights - overhead) * GiB

    def seqs(room, typical):
        return int(room * fits // typical)

    def longest(room, users):
        return room * fits / users // 16 * 16

    free = memory - other - weights - overhead
    blocks = (
        Slip(
            "You do not round to whole blocks of 16 tokens: round down.",
            lambda room, users: room * fits / users,
            near=True,
        ),
        Slip(
            "You round the blocks up: then not all of them fit at once.",
            lambda room, users: -(-room * fits // users // 16) * 16,
            near=True,
        ),
        Slip(
            "You share the cache among max_num_seqs requests; another number shall fit here.",
            lambda room, users: longest(room, seqs(room, typical)),
            near=True,
        ),
    )
    # Where the cache is whole blocks for each, or both counts are one, nothing is wrong.
    blocks = [slip for slip in blocks if slip.instead(free, users) != longest(free, users)]
    return Each(
        {
            "gpu_memory_utilization": Number(
                lambda memory, taken: (memory - taken) / memory,
                dict(memory=memory, taken=other),
                (
                    Slip(
                        "That is the share of the other process; vLLM may have the rest.",
                        lambda memory, taken: taken / memory,
                    ),
                    Slip(
                        "That is GiB; the option is a share of the GPU's memory.",
                        lambda memory, taken: memory - taken,
                    ),
                    Slip(
                        "You take the weights off; the share is for all of vLLM, weights too.",
                        taken=other + weights,
                    ),
                    Slip(
                        "You take off weights and overhead; the share is for all of vLLM.",
                        taken=other + weights + overhead,
                    ),
                    Slip("You take the overhead off; the share is for all of vLLM.", taken=other + overhead),
                    Slip("That is vLLM's default; here you can say how much is free.", 0.9),
                    Slip("Nothing is left for the other process.", taken=0),
                    Slip(
                        "You leave the cache out; the share is for all of vLLM.",
                        lambda memory, taken: (weights + overhead) / memory,
                    ),
                ),
                unit="a fraction",
                idea="What vLLM may use, divided by the GPU's memory.",
            ),
            "cache GiB": Number(
                room,
                dict(memory=memory, other=other, weights=weights, overhead=overhead),
                (
                    Slip("You forget the other process.", other=0),
                    Slip("You take the other process off twice.", other=2 * other),
                    Slip(
                        "You take vLLM's default share, 0.9; here you can say how much is free.",
                        lambda **n: (0.9 * n["memory"] - n["other"] - n["weights"] - n["overhead"]) * GiB,
                        near=True,
                    ),
                    Slip(
                        "You share the cache out among the users; all of it is asked for.",
                        then=lambda v: v / users,
                    ),
                    Slip("You forget the weights.", weights=0),
                    Slip("You forget the overhead.", overhead=0),
                    Slip(
                        "That is all that vLLM may use; weights and overhead are in it.",
                        weights=0,
                        overhead=0,
                    ),
                    Slip(
                        "You forget what else is on the GPU; the cache gets the rest.",
                        other=0,
                        weights=0,
                        overhead=0,
                    ),
                    Slip(
                        "You take the share twice: of what is left, all is for the cache.",
                        then=lambda v: v * (memory - other) / memory,
                    ),
                ),
                unit="GiB",
                idea="Take off the GPU's memory whatever else is on it.",
                follows=("gpu_memory_utilization", lambda before: before * memory - weights - overhead),
            ),
            "max_num_seqs": Number(
                seqs,
                dict(room=free, typical=typical),
                (
                    Slip(
                        "You round up: the last one fits only in part.",
                        lambda room, typical: seqs(room, typical) + 1,
                    ),
                    Slip(
                        "You let the cache have what vLLM may use; weights and overhead are in it.",
                        room=memory - other,
                    ),
                    Slip("You let the cache have the whole GPU.", room=memory),
                    Slip(
                        "A MiB holds that many tokens, or you count keys alone: 128 KiB is one token.",
                        room=2 * free,
                    ),
                    Slip("128 KiB is a token's keys and values together.", room=free / 2),
                    Slip("You count tokens; how many requests are they?", typical=1),
                ),
                tol=0,
                idea="How many tokens fit, and how many requests is that?",
                follows=("cache GiB", lambda before: seqs(before, typical)),
            ),
            "max_model_len": Number(
                longest,
                dict(room=free, users=users),
                (
                    Slip("That is one request alone; several shall fit at once.", users=1),
                    Slip(
                        "You let the cache have what vLLM may use; weights and overhead are in it.",
                        room=memory - other,
                    ),
                    Slip("You let the cache have the whole GPU.", room=memory),
                    Slip("You count keys alone: 128 KiB is one token.", room=2 * free),
                    Slip("128 KiB is a token's keys and values together.", room=free / 2),
                    Slip("That is how long they are; how long may they be?", typical),
                    *blocks,
                    Slip(
                        "You take GiB for GB: a GiB is 2³⁰ bytes.",
                        near=True,
                        room=lambda n: n["room"] * 1e9 / GiB,
                    ),
                    Slip(
                        "You take KiB for kB: a KiB is 1,024 bytes.",
                        near=True,
                        room=lambda n: n["room"] * 1.024,
                    ),
                    Slip("That is the number of blocks; the option is in tokens.", then=lambda v: v / 16),
                ),
                idea="The tokens that fit, shared among so many requests, in whole blocks.",
                follows=("cache GiB", lambda before: longest(before, users)),
            ),
        }
    )
