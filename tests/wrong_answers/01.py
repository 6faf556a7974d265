"""Wrong answers to the exercises of chapter 01, why a cache; those that write attention are in 01_steps."""

# 01-count, a prompt of 12 tokens and 4 new ones

WITHOUT = {
    70: "one step too far",
    58: "start a token late",
    42: "forget the first step",
    39: "leave out the last step",
    48: "read the prompt alone at every step",
    64: "read the finished text at every step",
    15: "count the last step only, or the cached way",
    16: "each token of the finished text once",
    120: "let the prompt in a token at a time",
    60: None,  # four steps as long as the last
    "fifty-four": "Give a number",
}
WITH = {
    16: "one step too far",
    4: "forget the first step",
    3: "leave the prompt out",
    12: "stop at the prompt",
    54: "the steps without a cache",
    48: "project the prompt at every step",
    13: None,  # the prompt and one more
}
COUNT = [("01-count", {"without": n, "with": 15}, said, 1) for n, said in WITHOUT.items()]
COUNT += [("01-count", {"without": 54, "with": n}, said, 1) for n, said in WITH.items()]
COUNT += [
    ("01-count", {"without": 15, "with": 54}, "the cached way", 0),
    ("01-count", {"without": 54}, "Not answered yet", 1),
    ("01-count", 54, "Give a dict with the keys 'without', 'with'"),
    ("01-count", {"no cache": 54, "cache": 15}, "Give a dict with the keys"),
    ("01-count", {"without": [12, 13, 14, 15], "with": 15}, "Give one number, not a list", 1),
]


# 01-conversation


def reads(turns, cache, replies=True, each=1, more=0):
    """A right count, or one with something wrong."""
    total = length = held = 0
    for said, answered in turns:
        length += said
        held = 0 if cache == "turn" else held
        for _ in range(answered + more):
            total += length - held
            held = length if cache != "none" else held
            length += each
        if not replies:
            length -= answered
    return total


def first_turn(turns, cache):
    length = 0
    for said, answered in turns:
        length += said
        total = 0
        for step in range(answered):
            total += length + step if cache == "none" or step == 0 else 1
        return total


def truthy(turns, cache):
    return reads(turns, "turn" if cache else "none")


def finished(turns, cache):
    """Every step reads the conversation as it is in the end."""
    length = sum(s + a for s, a in turns)
    return sum(a for _, a in turns) * length if cache == "none" else reads(turns, cache)


def by_turn(turns, cache):
    return [reads(turns[:n], cache) - reads(turns[: n - 1], cache) for n in range(1, len(turns) + 1)]


def prints(turns, cache):
    print(reads(turns, cache))


def in_one_case(turns, cache):
    if cache == "none":
        return reads(turns, cache)


def unread(turns, cache):
    return sum(s + a - 1 for s, a in turns) if cache == "kept" else reads(turns, cache)


def message_alone(turns, cache):
    return reads(turns, "none") if cache == "none" else sum(s + a - 1 for s, a in turns)


def swapped(turns, cache):
    return reads(turns, {"kept": "turn", "turn": "kept"}.get(cache, cache))


def only_last(turns, cache):
    for n in range(len(turns)):
        total = reads(turns[: n + 1], cache) - reads(turns[:n], cache)
    return total


def late(turns, cache):
    return (
        reads(turns, cache)
        + sum(a if cache == "none" else 1 for _, a in turns)
        - (cache == "kept") * (len(turns) - 1)
    )


def beyond(turns, cache):
    total = reads(turns, cache)
    length = 0
    for said, answered in turns:
        length += said + answered
        total += length if cache == "none" else cache == "turn"
    return total + (cache == "kept")


def keys_and_values(turns, cache):
    return 2 * reads(turns, cache)


def plus_one(turns, cache):
    return reads(turns, cache) + 1


CONVERSATION = [
    (lambda t, c: reads(t, "none"), "without a cache even where there is one"),
    (lambda t, c: reads(t, "turn"), "for every cache the count"),
    (lambda t, c: reads(t, "kept"), "with a kept cache, whatever the cache"),
    (truthy, "for every cache the count"),
    (lambda t, c: reads(t, "turn" if c == "none" else c), "with a cache even where there is none"),
    (swapped, "the wrong way round"),
    (lambda t, c: reads(t, "kept" if c == "turn" else c), "keeps the cache that is thrown away"),
    (lambda t, c: reads(t, "turn" if c == "kept" else c), "throws away the cache that is kept"),
    (unread, "never projects the last token of an answer"),
    (message_alone, "takes the earlier turns with it"),
    (lambda t, c: sum(reads([turn], c) for turn in t), "takes every turn for a conversation of its own"),
    (lambda t, c: reads(t, c, each=0) if c == "none" else 0, None),
    (
        lambda t, c: reads(t, c, replies=False) if c == "none" else reads(t, c),
        "It is wrong only without a cache",
    ),
    (lambda t, c: sum(s + a for s, a in t), "It counts the tokens of the conversation"),
    (lambda t, c: reads(t, c) + (c == "kept"), "in the turn that writes it"),
    (beyond, "in the turn that writes it"),
    (late, "starts each turn a token late"),
    (finished, "only without a cache"),
    (first_turn, "the first turn alone"),
    (only_last, "the last turn alone"),
    (by_turn, "It gives a list where an int is wanted"),
    (prints, "hand the result back with return"),
    (in_one_case, "only with a cache"),
    (keys_and_values, "always 2 times as large"),
    (plus_one, "always 1 too many"),
    (lambda t: 0, None),
    (15, "Hand over the function"),
]

# 01-twice, a prompt of 8 tokens and 4 steps

RIGHT_LOOP = {"keys": 38, "goes wrong": "second", "mend": "b"}
KEYS = {
    11: "what a loop that works would hold",
    12: "the tokens of the finished text",
    50: "one step too far",
    42: "a token late",
    27: "leave out the last step",
    32: "read the prompt alone at every step",
    48: "read the finished text at every step",
    64: "let the cache double",
    76: None,  # keys and values
}
TWICE = [("01-twice", RIGHT_LOOP | {"keys": n}, said, 2) for n, said in KEYS.items()]
TWICE += [
    ("01-twice", RIGHT_LOOP | {"goes wrong": step}, said, 2)
    for step, said in {
        "first": "meets an empty cache",
        "third": "wrong before that",
        "last": "wrong long before",
        "never": "gets its weight twice",
        "fourth": "Answer with one of: first, last, never",
    }.items()
]
TWICE += [
    ("01-twice", RIGHT_LOOP | {"mend": letter}, said, 2)
    for letter, said in {
        "a": "the rest of the prompt is never read",
        "c": "no cache at all",
        "d": "stores it again",
        "text[cache.length:]": "Answer with one of: a, b, c, d",
    }.items()
]
TWICE += [("01-twice", {"keys": 11, "goes wrong": "never", "mend": "c"}, "gets its weight twice")]

# 01-growth, 12 tokens

RIGHT_GROWTH = {"without": "L³", "with": "L²", "times": 8.33}
TIMES = {
    12: "the last step alone",
    7.67: "You stop a step early",
    9: "You go a step too far",
    8: "close to for large L",
    54.17: "one step of the other",
    4.67: "half of each square",
    0.12: "turn the ratio round",
    650: "You give the scores without a cache",
    78: "You give the scores with a cache",
    572: "You subtract",
    144: "square the number of tokens",
    24: None,
}
GROWTH = [("01-growth", RIGHT_GROWTH | {"times": n}, said, 2) for n, said in TIMES.items()]
GROWTH += [
    ("01-growth", RIGHT_GROWTH | {"without": "L²"}, "That is one step's square", 2),
    ("01-growth", RIGHT_GROWTH | {"without": "L"}, "the projections with a cache", 2),
    ("01-growth", RIGHT_GROWTH | {"without": "L⁴"}, "L × L scores", 2),
    ("01-growth", RIGHT_GROWTH | {"with": "L"}, "That is one step's row", 2),
    ("01-growth", RIGHT_GROWTH | {"with": "L³"}, "fills a row of t scores", 2),
    ("01-growth", {"without": "L^2", "with": "L", "times": 12}, "That is one step's square"),
    ("01-growth", RIGHT_GROWTH | {"with": "1"}, "Answer with one of: L, L²", 2),
]

WRONG = [
    *COUNT,
    *(("01-conversation", answer, said) for answer, said in CONVERSATION),
    *TWICE,
    *GROWTH,
    ("01-no-queries", "a", "as wide as one head's keys"),
    ("01-no-queries", "b", "stays as it was"),
    ("01-no-queries", "d", "alike from one product"),
    ("01-no-queries", 3, "in quotes with one of: a, b, c, d"),
    ("01-trade", "a", "Nothing is approximated"),
    ("01-trade", "c", "The other way round"),
    ("01-trade", "d", "a memory problem too"),
    ("01-trade", "memory", "Answer with one of: a, b, c, d"),
]


def closed(turns, cache):
    """Without a loop over steps."""
    total, before = 0, 0
    for said, answered in turns:
        start, end = before + said, before + said + answered
        if cache == "none":
            total += (end - start) * (start + end - 1) // 2
        elif cache == "turn":
            total += end - 1
        before = end
    return before - 1 if cache == "kept" else total


def listed(turns, cache):
    """Token by token, with a list for the cache."""
    text, held, total = [], [], 0
    for said, answered in turns:
        text += [0] * said
        if cache == "turn":
            held.clear()
        for _ in range(answered):
            missing = text[len(held) :]
            total += len(missing)
            if cache in ("turn", "kept"):
                held += missing
            text.append(0)
    return float(total)


RIGHT = [
    ("01-count", {"without": 54.0, "with": "15"}),
    ("01-count", {"without": 12 + 13 + 14 + 15, "with": 12 + 1 + 1 + 1, "why": "newest only"}),
    ("01-conversation", reads),
    ("01-conversation", closed),
    ("01-conversation", listed),
    ("01-no-queries", "C"),
    ("01-no-queries", "(c)"),
    ("01-no-queries", ["c"]),
    ("01-twice", RIGHT_LOOP),
    ("01-twice", {"keys": "38", "goes wrong": "Second", "mend": "b)"}),
    ("01-growth", RIGHT_GROWTH),
    ("01-growth", {"without": "L^3", "with": "O(L^2)", "times": 650 / 78}),
    ("01-growth", {"without": "L**3", "with": "l2", "times": "8.333"}),
    ("01-trade", " B "),
]
