"""Small stories whose end can be told only by one who remembers the beginning.

A few people each hide a thing; something happens that does not matter; the next day they come back, the
last one first, and each finds the thing where it was put. Each name, place, colour and thing of the end
stands once in the beginning, drawn by chance. So a model of these stories has nothing to tell an end by but
its cache, and what is missing there is seen in the text.

The grammar and its words were written for the course, and are free to use as its code is (MIT).
"""

from dataclasses import dataclass
from random import Random

NAMES = "Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Kira Leo Mina Nils Olga Paul".split()
COLOURS = "red blue green yellow white black brown grey silver golden".split()
THINGS = (
    "key ball book lamp cup hat drum kite coin letter ring spoon bell rope map knife shoe clock flute comb"
).split()
PLACES = [
    (where, place)
    for where, places in {
        "in": "box bag drawer basket boat barn",
        "under": "bed stairs bridge tree bench",
        "on": "shelf table roof",
        "behind": "door curtain stove wall hedge chair",
    }.items()
    for place in places.split()
]
VERBS = "hid put left laid".split()
EVENTS = (
    "Then it rained all night .",
    "Then the snow fell .",
    "Then the wind blew and the dogs barked .",
    "Then they all slept .",
    "Then the moon came up .",
)
BEGIN, TURN, END = (
    "Once upon a time",  # four tokens that say nothing of what follows: a window's sinks
    "The next day they came back , the last one first .",
    "Then they all went home .",
)
STOP = "<end>"


def vocabulary() -> list[str]:
    """Every word, the stop token first and the rest in the order of the alphabet."""
    rest = " ".join((BEGIN, TURN, END, *EVENTS, "the . looked and found")).split()
    words = {*NAMES, *COLOURS, *THINGS, *VERBS, *rest, *(word for place in PLACES for word in place)}
    return [STOP, *sorted(words)]


@dataclass
class Story:
    """One story, in words.

    prompt  what the model is given
    end     what it must write, the stop token last
    facts   {place in `end`: place in `prompt`} of the names, places, colours and things: where each is
            told, and where the beginning says it
    """

    prompt: list[str]
    end: list[str]
    facts: dict[int, int]


def story(rng: Random, people: int | None = None, events: int | None = None) -> Story:
    """A story drawn by `rng`; where not said otherwise, of 2 to 5 people and 0 to 2 events."""
    people = people or rng.choice((2, 3, 4, 4, 5))
    drawn = zip(*(rng.sample(words, people) for words in (NAMES, COLOURS, THINGS, PLACES)), strict=True)
    prompt, told = BEGIN.split(), []
    for name, colour, thing, (where, place) in drawn:
        at = len(prompt)
        prompt += [name, rng.choice(VERBS), "the", colour, thing, where, "the", place, "."]
        told.append({"name": at, "colour": at + 3, "thing": at + 4, "where": at + 5, "place": at + 7})
    happened = rng.sample(EVENTS, rng.choice((0, 1, 1, 2)) if events is None else events)
    prompt += " ".join((*happened, TURN)).split()
    end, facts = [], {}
    for who in reversed(told):
        for part in (
            "name",
            "looked",
            "where",
            "the",
            "place",
            "and",
            "found",
            "the",
            "colour",
            "thing",
            ".",
        ):
            if part in ("name", "place", "colour", "thing"):
                facts[len(end)] = who[part]
            end.append(prompt[who[part]] if part in who else part)
    return Story(prompt, [*end, *END.split(), STOP], facts)
