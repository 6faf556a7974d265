"""A question of chapter 06: what a log of vLLM says, and what it does not blame."""

from ....units import GB, GiB, KiB
from ...answers import Choice, Each, Number, Slip
from ..common import question

PROFILE = (
    "You forget what the profiling run needs: vLLM runs the model once before it sizes the cache, and keeps"
    " that peak free."
)


@question(
    "06-log",
    points=5,
    kind="log",
    minutes=15,
    drawn={
        "total": (23.58, 31.36, 44.53),
        "utilization": (0.85, 0.9),
        "weights": (12.6, 14.99, 15.3),
        "other": (0.42, 0.6),
        "peak": (2.1, 3.4),
        "graphs": (0.5, 0.7),
        "running": (24, 27, 31),
        "waiting": (49, 62, 75),
    },
)
def _log(
    total=23.58, utilization=0.9, weights=14.99, other=0.45, peak=2.6, graphs=0.6, running=27, waiting=62
):
    numbers = dict(total=total, utilization=utilization, weights=weights, other=other, peak=peak)

    def rest(total, utilization, weights, other, peak):
        return (total * utilization - weights - other - peak) * GiB

    def tokens(graphs, **log):
        return (rest(**log) - graphs * GiB) / (128 * KiB)

    def of_the_rest(total, utilization, weights, other, peak):
        return (total - weights - other - peak) * utilization * GiB

    spent = (
        Slip(PROFILE, peak=0),
        Slip("You take all of the card; vLLM takes the share gpu_memory_utilization of it.", utilization=1),
        Slip("You forget the memory that PyTorch does not count, non_torch_memory.", other=0),
        Slip("You forget the weights.", weights=0),
    )
    return Each(
        {
            "rest": Number(
                rest,
                numbers,
                (
                    *spent,
                    Slip("You take the share of what is left; it is a share of the card.", of_the_rest),
                    Slip("That is the share that vLLM takes, with nothing taken off.",
                         lambda **n: n["total"] * n["utilization"] * GiB),
                    Slip("You take the graphs off too. This version captures them outside its share.",
                         lambda **n: rest(**n) - graphs * GiB),
                ),
                unit="GiB",
                idea="The share of the card, less each figure of the second line.",
            ),
            "why": Choice(
                "b",
                {
                    "a": "The log says what the weights take, and that does not grow.",
                    "c": "CPU blocks lie in the machine's memory, not on the card.",
                    "d": "Blocks are cut out of what is left; nothing has run yet that could break it up.",
                    "e": "The cache is sized by what is left, not by what sequences will need.",
                },
            ),
            "tokens": Number(
                tokens,
                numbers | {"graphs": graphs},
                (
                    *spent,
                    Slip("You forget the graphs, which come out of the share in newer versions.", graphs=0),
                    Slip("You count the graphs twice.", graphs=2 * graphs),
                    Slip("You add the graphs; they take from the cache.", graphs=-graphs),
                    Slip("You give blocks; a block holds 16 tokens.", then=lambda v: v / 16),
                    Slip("You multiply by 16 once more: the bytes are of one token.", then=lambda v: 16 * v),
                    Slip("You take GiB for GB: a GiB is 2³⁰ bytes.", then=lambda v: v * GB / GiB),
                    Slip("You take KiB for kB: a KiB is 1,024 bytes.", then=lambda v: v * 1.024),
                    Slip("You take GiB for GB and KiB for kB; both are powers of two.",
                         then=lambda v: v * 1.024 * GB / GiB),
                ),
                idea="What is left for the cache, over the bytes of a token.",
                follows=("rest", lambda gib: (gib - graphs) * GiB / (128 * KiB)),
            ),
            "slow": Choice(
                "c",
                {
                    "a": "Where compute is short, the cache need not be full. Look at its usage.",
                    "b": "The weights are read once a step for all; requests wait for another reason.",
                    "d": "A longer queue is the effect. What do the waiting requests wait for?",
                },
            ),
            "factor": Number(
                lambda running, waiting: (running + waiting) / running,
                {"running": running, "waiting": waiting},
                (
                    Slip("You leave out those that run: they need their room as well.",
                         lambda running, waiting: waiting / running),
                    Slip("You turn it round: the cache must grow.", then=lambda v: 1 / v),
                    Slip("You compare all with those that wait; compare them with those that run.",
                         lambda running, waiting: (running + waiting) / waiting),
                    Slip("You turn it round, and leave out those that run.",
                         lambda running, waiting: running / waiting),
                    Slip("You answer in per cent; the question asks how many times.", then=lambda v: 100 * v),
                    Slip("You give the number of requests.",
                         lambda running, waiting: running + waiting),
                ),
                idea="With so much cache so many run. How much would let all of them run?",
            ),
        }
    )  # fmt: skip
