"""The question of chapter 06 of what fits, for any GPU and any model, in blocks."""

from operator import floordiv, truediv

from ....units import GB, GiB
from ...answers import Function, Slip
from ..common import question


def _room(memory, utilization, weights, overhead):
    return memory * utilization - weights - overhead


def _fit(memory, utilization, weights, overhead, per_token, context, block_size, exact=False, up=True):
    """What 06-fit asks for; the last arguments spoil it."""
    blocks = int(_room(memory, utilization, weights, overhead) // (per_token * block_size))
    each = -(-context // block_size) if up else context // block_size
    return blocks / each if exact else max(0, blocks // each)


def _in_blocks(memory, utilization, weights, overhead, per_token, context, block_size, way, share=floordiv):
    """The same with the room's blocks rounded another `way`, and shared out otherwise."""
    blocks = way(_room(memory, utilization, weights, overhead) / (per_token * block_size))
    return max(0, share(blocks, -(-context // block_size)))


def _loads(rng):
    yield 24 * GiB, 0.9, 6 * GB, GiB, 128 * 1024, 8192, 16
    yield 24 * GiB, 0.9, 70 * GB, GiB, 128 * 1024, 8192, 16
    yield 8 * GiB, 0.7, 5 * GB, GiB, 128 * 1024, 100, 16
    for number in range(48):
        memory = rng.choice([16, 24, 48, 80])
        short = number % 2 == 0  # one block for each sequence: a block too many or too few shows
        yield (
            memory * GiB,
            rng.choice([0.8, 0.9, 0.95]),
            rng.randint(memory // 4, memory * 3 // 4) * GB,
            rng.randint(5, 30) * GiB // 10,
            512 * rng.randint(60, 640),
            rng.randint(1, 16)
            if short
            else rng.choice([256, 4096, rng.randint(33, 6000), rng.randint(33, 6000)]),
            rng.choice([16, 32, 64]),
        )


@question("06-fit", points=3, kind="code", minutes=8)
def _max():
    down = "It rounds a sequence's blocks down; the last tokens need a block too."
    part = "It counts a block that goes into the room only in part: round the room's blocks down."
    return Function(
        lambda memory, utilization, weights, overhead, per_token, context, block_size: _fit(
            memory, utilization, weights, overhead, per_token, context, block_size
        ),
        _loads,
        (
            Slip("It fills the whole GPU; the engine may use only a share of it.", utilization=1),
            Slip("It forgets the weights.", weights=0),
            Slip("It forgets the overhead.", overhead=0),
            Slip(
                "It adds the overhead to the room; it is taken off, as the weights are.",
                overhead=lambda n: -n["overhead"],
            ),
            Slip(
                "It takes the share of what weights and overhead leave; it is a share of the GPU.",
                lambda m, u, w, o, *rest: _fit((m - w - o) * u, 1, 0, 0, *rest),
            ),
            Slip(
                "It takes the share of what the weights leave; it is a share of the GPU.",
                lambda m, u, w, o, *rest: _fit((m - w) * u, 1, 0, o, *rest),
            ),
            Slip("It gives a fraction of a sequence: round down.", lambda *a: max(0, _fit(*a, exact=True))),
            Slip(
                "It rounds up: a sequence that fits in part does not fit.",
                lambda *a: max(0, -int(-_fit(*a, exact=True) // 1)),
            ),
            Slip(
                "It goes below 0 where weights and overhead alone do not fit; no sequence fits then.",
                lambda *a: int(_fit(*a, exact=True) // 1),
            ),
            Slip(
                "It cuts the room into tokens, not into blocks: a sequence takes whole blocks.",
                block_size=1,
            ),
            Slip(down, lambda *a: max(0, int(_fit(*a, exact=True, up=False) // 1))),
            Slip(down, lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, max(1, c // b) * b, b)),
            Slip(
                "It rounds a sequence's blocks to the nearest; its last tokens need a block too.",
                lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, max(1, round(c / b)) * b, b),
            ),
            Slip(
                "It lets the next sequence begin in a block where one ends; each takes whole blocks.",
                lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, 1, b) * b // c,
            ),
            Slip(
                "It divides the room by one token's bytes: that is tokens. A block has block_size of them.",
                lambda m, u, w, o, p, c, b: max(0, int(_room(m, u, w, o) // p)) // -(-c // b),
            ),
            Slip(part, lambda *a: _in_blocks(*a, way=round)),
            Slip(part, lambda *a: _in_blocks(*a, way=lambda blocks: -int(-blocks // 1))),
            Slip(
                "It does not round the blocks that go into the room, nor the sequences: round both down.",
                lambda *a: _in_blocks(*a, way=lambda blocks: blocks, share=truediv),
            ),
            Slip(
                "It gives every sequence one block more than it may need.",
                lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, c // b * b + b, b),
            ),
            Slip(
                "It gives the blocks; how many sequences do they hold?",
                lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, 1, b),
            ),
            Slip(
                "It gives the tokens; how many sequences are they?",
                lambda m, u, w, o, p, c, b: _fit(m, u, w, o, p, 1, b) * b,
            ),
        ),
        where={
            "It is wrong only where weights and overhead alone do not fit.": lambda m, u, w, o, *rest: (
                _room(m, u, w, o) < 0
            ),
            "It is wrong only where the context fills its blocks exactly.": lambda m, u, w, o, p, c, b: (
                c % b == 0
            ),
        },
        idea="The room, its blocks, the blocks of one sequence.",
    )
