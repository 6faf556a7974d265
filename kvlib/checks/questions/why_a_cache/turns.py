"""A question of chapter 01 about a conversation: what its turns project."""

from ...answers import Function, Slip
from ..common import question
from .counts import grown

CACHES = ("none", "turn", "kept")


def conversation(turns, cache, beyond=0, grows=True):
    """Tokens projected while a conversation is held.

    turns  (tokens that the user says, tokens of the answer), each at least 1
    cache  "none", "turn" (thrown away after each answer) or "kept"

    Mistakes: `beyond` 1 counts an answer's last token in its own turn; without `grows` the text stays as
    long as it was when the answer began.
    """
    total = length = held = 0
    for said, answered in turns:
        length += said
        if cache == "none":
            total += grown(length, answered + beyond) if grows else length * answered
        else:
            total += length - (held if cache == "kept" else 0) + answered - 1 + beyond
        length += answered
        held = length - 1 + beyond
    return total


def _as(**other):
    """The count with one cache taken for another."""
    return lambda turns, cache: conversation(turns, other.get(cache, cache))


def _alone(turns, cache):
    return sum(conversation([turn], cache) for turn in turns)


def _skipped(turns, cache):
    return (
        conversation(turns, cache)
        if cache == "none"
        else sum(said + answered - 1 for said, answered in turns)
    )


def _unread(turns, cache):
    return _skipped(turns, cache) if cache == "kept" else conversation(turns, cache)


def _late(turns, cache):
    """The first step of each turn reads a token that is not there yet."""
    if cache != "none":
        return conversation(turns, cache, beyond=1)
    return conversation(turns, cache) + sum(answered for _, answered in turns)


def _beyond(which):
    """An answer's last token counted in its own turn, with one kind of cache alone."""
    return lambda turns, cache: conversation(turns, cache, beyond=int(cache == which))


def _own(turns, cache):
    """The answers are left out of what the model reads later."""
    total = length = 0
    for said, answered in turns:
        length += said
        total += grown(length, answered) if cache == "none" else answered - 1
        total += {"none": 0, "turn": length, "kept": said}[cache]
    return total


def _walked(turns, cache, joined=1, early=0):
    """Step by step: a new token makes the text `joined` longer; `early` are cached unprojected."""
    total = length = held = 0
    for said, answered in turns:
        length += said
        held = 0 if cache == "turn" else held
        for _ in range(answered):
            total += length - held
            held = length + early if cache != "none" else 0
            length += joined
    return total


def _merged(turns, cache):
    said, answered = map(sum, zip(*turns, strict=True))
    return conversation([(said, answered)], cache)


def _last(turns, cache):
    return conversation(turns, cache) - conversation(turns[:-1], cache)


@question("01-conversation", points=4, kind="code", minutes=12)
def _conversation():
    def cases(rng):
        for cache in CACHES:
            yield from (([(1, 1)], cache), ([(4, 3)], cache), ([(4, 3), (2, 2)], cache))
        for number in range(15):
            turns = [(rng.randint(1, 30), rng.randint(2, 20)) for _ in range(rng.randint(2, 5))]
            yield turns, CACHES[number % 3]

    slips = {
        "With a cache that is kept, it never projects the last token of an answer. The next turn does:"
        " its key was not there yet.": _unread,
        "A cache that is thrown away takes the earlier turns with it: the next turn reads them all again."
        : _skipped,
        "It takes every turn for a conversation of its own: the model reads what was said before, too."
        : _alone,
        "It keeps the cache that is thrown away after each answer.": _as(turn="kept"),
        "It throws away the cache that is kept.": _as(kept="turn"),
        "It has a kept cache and one that is thrown away the wrong way round.": _as(turn="kept", kept="turn"),
        "It gives the count with a cache even where there is none.": _as(none="turn"),
        "It gives the count with a kept cache even where there is none.": _as(none="kept"),
        "It gives for every cache the count with one that is thrown away.": _as(none="turn", kept="turn"),
        "It gives the count with a kept cache, whatever the cache.": _as(none="kept", turn="kept"),
        "It gives the count without a cache even where there is one.": _as(turn="none", kept="none"),
        "It forgets that the text grows by a token a step.": (
            lambda turns, cache: conversation(turns, cache, grows=False)
        ),
        "It counts the last turn alone.": _last,
        "It counts the first turn alone.": lambda turns, cache: conversation(turns[:1], cache),
        "It counts the tokens of the conversation. How often is each one projected?": (
            lambda turns, cache: sum(map(sum, turns))
        ),
        "It forgets that the model reads its own answers, too: they are part of the conversation.": _own,
        "It never adds the answers to the conversation, which grows by a token a step.": (
            lambda turns, cache: _walked(turns, cache, joined=0)
        ),
        "It takes the newest token for cached before a step has projected it.": (
            lambda turns, cache: _walked(turns, cache, early=1)
        ),
        "It projects the last token of the conversation, which no step reads.": (
            lambda turns, cache: conversation(turns, cache) + (cache != "none")
        ),
        "It makes one turn of all of them; the later messages are not there when the first answer is written."
        : _merged,
        "It starts each turn a token late: the first step reads what there is before the answer.": _late,
    }  # fmt: skip
    beyond = "It counts an answer's last token in the turn that writes it, where no step projects it."
    only = {
        "without a cache": lambda cache: cache == "none",
        "with a cache that is kept": lambda cache: cache == "kept",
        "with a cache that is thrown away": lambda cache: cache == "turn",
        "with a cache": lambda cache: cache != "none",
    }
    where = {f"It is wrong only {words}.": (lambda turns, cache, h=h: h(cache)) for words, h in only.items()}
    where |= {
        f"It is wrong only {words}, from the second turn on.": (
            lambda turns, cache, h=h: h(cache) and len(turns) > 1
        )
        for words, h in only.items()
    }
    where["It is wrong only from the second turn on."] = lambda turns, cache: len(turns) > 1
    return Function(
        lambda turns, cache: conversation(turns, cache),
        cases,
        (
            *(Slip(said, wrong) for said, wrong in slips.items()),
            *(Slip(beyond, _beyond(cache)) for cache in CACHES),
            Slip(beyond, lambda turns, cache: conversation(turns, cache, beyond=1)),
        ),
        where,
        idea="Follow two short turns by hand, and note which tokens have a key after each step.",
    )
