"""What the tiny model still knows from a damaged cache, over many stories that it was not trained on."""

from random import Random

from kvlib.measure.tiny import load_tiny, written

from .tiny_stories import story

HELD_OUT = 1_000_003  # seeds from here on; the training draws all its stories from one small seed
STORIES = 100
SECOND_THING = 17  # its place in every prompt
DAMAGES = {
    "the whole cache": {},
    "one word dropped": {"dropped": [SECOND_THING]},
    **{f"{bits} bits a number": {"bits": bits} for bits in (8, 4, 2)},
    **{
        f"the last {window} tokens" + (f", the first {sinks}" if sinks else ""): dict(
            window=window, sinks=sinks
        )
        for window in (64, 48, 32, 16)
        for sinks in (0, 4)
    },
    "keys without rotation": {"rotation": False},
}


def held_out(count, seed=HELD_OUT):
    """Stories of four people and one event; all prompts of one length."""
    rng, found = Random(seed), []
    while len(found) < count:
        one = story(rng, people=4, events=1)
        if not found or len(one.prompt) == len(found[0].prompt):
            found.append(one)
    return found


def ends(model, stories, **damage):
    """What the model writes for the end of each story, in words, and the bytes that its cache has then."""
    prompts = [[model.tokenizer.token_to_id(word) for word in one.prompt] for one in stories]
    tokens, _, cache = written(model, prompts, len(stories[0].end), **damage)
    words = [[model.tokenizer.id_to_token(token) for token in row] for row in tokens.tolist()]
    return words, cache.nbytes // len(stories)


def right(story, words) -> set[int]:
    """The places of the end's facts that `words` tells right."""
    return {at for at in story.facts if words[at] == story.end[at]}


def measured(data, first, count=STORIES) -> dict:
    """What each damage costs over `count` stories, and the story `first`; what dropping one word costs.

    rows    of each damage the share of facts told right, those of `first` alone, and the cache's bytes
    lost    of all facts, the words that hold them dropped one at a time, the share that is told wrong
    others  the share of the story's other facts that is told right then
    """
    model, stories, rows = load_tiny(data), held_out(count), []
    for name, damage in DAMAGES.items():
        told, _ = ends(model, stories, **damage)
        facts = [len(right(*pair)) for pair in zip(stories, told, strict=True)]
        [words], nbytes = ends(model, [first], **damage)
        share = round(sum(facts) / sum(len(one.facts) for one in stories), 4)
        row = {"name": name, "damage": damage, "right": share, "first": len(right(first, words))}
        rows.append(row | {"bytes": nbytes})
    lost, others = [], []
    for source in sorted({source for one in stories for source in one.facts.values()}):
        some = [one for one in stories if source in one.facts.values()]
        for one, words in zip(some, ends(model, some, dropped=[source])[0], strict=True):
            [at] = [at for at, place in one.facts.items() if place == source]
            known = right(one, words)
            lost.append(at not in known)
            others.append(len(known - {at}) / (len(one.facts) - 1))
    shares = {"lost": round(sum(lost) / len(lost), 4), "others": round(sum(others) / len(others), 4)}
    return {"stories": count, "facts": len(lost), "rows": rows} | shares


def shown(data) -> dict:
    """The figure's stories by their seeds, so chosen that each kind of damage is seen in every one.

    They are the first held-out ones whose end the undamaged model writes without a mistake, and with two bits
    a number tells a fact of it wrong.
    """
    model, found = load_tiny(data), {}
    for seed in range(HELD_OUT + 1, HELD_OUT + 1000):
        one = story(Random(seed), people=4, events=1)
        told = [ends(model, [one], bits=bits)[0][0] for bits in (16, 2)]
        if told[0] == one.end and len(right(one, told[1])) < len(one.facts):
            found[seed] = one
        if len(found) == 6:
            return found
    raise ValueError("fewer than six of a thousand stories are told right, and wrong with two bits")
