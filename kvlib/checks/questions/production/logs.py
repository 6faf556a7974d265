"""What real logs of vLLM say: the cause, and a number that proves it."""

from ....units import GiB
from ...answers import Choice, Each, Number, Slip
from ..common import question

CAUSES = {
    "a": "The weights are not in the way here. What does the log say is short?",
    "b": "No single request is too long for the cache here.",
    "c": "No cache is full here: look at when the message comes.",
    "d": "The memory that others hold is not the trouble here: nothing in the log says that it is.",
    "e": "The arithmetic is not what is short. Look at the memory that the log names.",
    "f": "A prefix that is not found costs time; it is not what stops this server.",
}


def _cause(right, **said):
    return Choice(right, {letter: text for letter, text in (CAUSES | said).items() if letter != right})


@question("10-log", points=8, kind="log", minutes=15)
def _log():
    starts = "This server does not start, so nobody computes anything yet."
    return Each(
        {
            "A: cause": _cause(
                "a",
                b="Not even one block is there, so the length of a request does not matter.",
                c="Not even one block is there; nothing runs that could fill the cache.",
                d="vLLM's own share is used up: add up what the log says it takes itself.",
                e=starts,
            ),
            "A: utilization": Number(
                lambda weights, other, peak, cache, total: (weights + other + peak + cache) / total,
                dict(weights=5.20, other=0.03, peak=1.42, cache=0.5, total=8.0),
                (
                    Slip("You leave out the activations' peak, which the profiling run measured.", peak=0),
                    Slip("You make up the shortfall and leave nothing for the cache.", cache=0),
                    Slip("You add the cache to the old share, which was too small already.", 0.70 + 0.5 / 8),
                    Slip("You leave out the weights.", weights=0),
                    Slip("Those are the weights alone.", other=0, peak=0, cache=0),
                    Slip(
                        "You divide by the old share of the GPU; the option is a share of the whole.",
                        total=5.6,
                    ),
                    Slip("That is GiB; the option is a share of the GPU's memory.", total=1),
                ),
                unit="a fraction",
                idea="Add up all that must fit, and divide by the GPU's memory.",
            ),
            "B: cause": _cause(
                "c",
                a="The server runs and answers, so the weights fit.",
                b="Two requests run, so one of them fits.",
                d="The server has started, so it got the memory that it asked for.",
                e="Two requests are little work. What has no room for a third?",
                f="Nothing in these lines says that prefixes are looked for, or not found.",
            ),
            "B: times": Number(
                lambda running, waiting, used: used / running * (running + waiting),
                dict(running=2, waiting=3, used=0.821),
                (
                    Slip("Those that run do not fill the whole cache: how much of it does one take?", used=1),
                    Slip(
                        "Those that run must go on fitting, too.",
                        lambda running, waiting, used: used / running * waiting,
                    ),
                    Slip("You count those that run alone.", waiting=0),
                    Slip("You turn it round: the cache must grow.", then=lambda v: 1 / v),
                    Slip("You count those that wait alone, and a full cache: neither is so.", 1.5),
                    Slip(
                        "That is what one takes of the cache.", lambda running, waiting, used: used / running
                    ),
                    Slip("That is in %; how many times is it?", then=lambda v: 100 * v),
                    Slip(
                        "That is the room that is missing; the cache that is there counts, too.",
                        then=lambda v: v - 1,
                    ),
                    Slip(
                        "You divide by the share that is used; it tells what one request takes.",
                        used=1 / 0.821,
                    ),
                    Slip(
                        "You take all of them to need what two take.",
                        lambda running, waiting, used: used * (running + waiting),
                    ),
                ),
                idea="What share of the cache does one request take, and what do all of them?",
            ),
            "C: cause": _cause(
                "d",
                a="It stops before the weights are loaded.",
                b="It stops before it looks at the length of a request.",
                c="It has no cache yet that could be full.",
                e=starts,
            ),
            "C: GiB": Number(
                lambda total, free: (total - free) * GiB,
                dict(total=79.15, free=59.32),
                (
                    Slip("That is what vLLM is short of; more than that is held.", total=71.24),
                    Slip("That is what vLLM leaves free; others hold more.", free=71.24),
                    Slip("That is what is free; what is held?", 59.32 * GiB),
                    Slip("That is what vLLM wants.", 71.24 * GiB),
                    Slip("That is the whole GPU.", free=0),
                    Slip("You subtract the larger one: what is held is more than 0.", then=lambda v: -v),
                    Slip("You answer with a share; GiB are asked for.", then=lambda v: v / 79.15),
                ),
                unit="GiB",
                idea="Two numbers stand in the brackets: what is free, of how much?",
            ),
            "D: cause": _cause(
                "b",
                a="The weights fit, and GiB are left for the cache.",
                c="Nothing runs yet that could fill the cache.",
                d="vLLM has its share; it is the longest request that is too long for it.",
                e=starts,
            ),
            "D: GiB": Number(
                lambda room, tokens, wanted: room * GiB * (wanted - tokens) / tokens,
                dict(room=8.69, tokens=81_536, wanted=131_072),
                (
                    Slip(
                        "That is all that it needs; how much of it is missing?",
                        8.69 * GiB * 131_072 / 81_536,
                    ),
                    Slip("That is how many times the room.", 131_072 / 81_536 * GiB),
                    Slip("That is a share of the room; how many GiB are they?", room=1),
                    Slip("That is on both GPUs; one is asked for.", room=2 * 8.69),
                    Slip("You halve it; each GPU keeps its own half already.", room=8.69 / 2),
                    Slip("That is what there is.", wanted=2 * 81_536),
                    Slip("You give tokens; how many GiB do they take?", (131_072 - 81_536) * GiB),
                    Slip(
                        "You divide by the tokens that are wanted; the room that is left holds the others.",
                        lambda room, tokens, wanted: room * GiB * (wanted - tokens) / wanted,
                    ),
                    Slip(
                        "You turn the ratio round: more tokens need more room.",
                        lambda room, tokens, wanted: room * GiB * tokens / wanted,
                    ),
                ),
                unit="GiB",
                idea="So many GiB hold 81,536 tokens. What do the others take?",
            ),
        }
    )
