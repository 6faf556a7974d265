"""More wrong answers to chapter 10: shares and rounding, and programs with one line wrong."""

from .made import edited, rows

FIT = 46 * 8192  # tokens
HEAD = 36 * 2 * 128 * 2 / 1024  # KiB
SENT = 2 * 80 * 8 * 128 * 2 * 6000 * 8 / 200e6  # ms

PARTS = {
    "10-latency": {
        "in the system": [(210 / 3600 * 2.0, "an hour's seconds")],
        "cache": [
            (3.5 * 1.7 * 321 / 8 / 2, "a request's cache grow"),
            (3.5 * 2.0 * 300 / 8, "and the time of those"),
        ],
    },
    "10-ranks": {"one rank": [(4 * HEAD, "divide the ranks by the heads")]},
    "10-link": {
        "all at once": [
            (SENT / 64, "You divide by 8"),
            (SENT / 8, "one KV head of the 8"),
            (12 * SENT, "the query heads"),
        ],
        "layer by layer": [(SENT * 79 / 80, "take off one layer"), (SENT / 8, "by the KV heads")],
    },
    "10-serve": {
        "gpu_memory_utilization": [(21 / 80, "leave the cache out")],
        "cache GiB": [(33, "off twice"), (0.9 * 80 - 34, "default share"), (46 / 6, "among the users")],
        "max_model_len": [
            (FIT / 6, "round to whole blocks"),
            (62_816, "round the blocks up"),
            (FIT // 20 // 16 * 16, "among max_num_seqs"),
        ],
    },
    "10-log": {
        "B: times": [(1 / (0.821 * 2.5), "turn it round")],
        "C: GiB": [(59.32 - 79.15, "subtract the larger one")],
        "D: GiB": [
            (131_072 - 81_536, "You give tokens"),
            (8.69 * (131_072 - 81_536) / 131_072, "by the tokens that are wanted"),
        ],
    },
}

STEP = """
def f(left, budget, chunk):
    tokens = [0] * len(left)
    for i, prompt in enumerate(left):
        if prompt == 0 and budget > 0:
            tokens[i] = 1
            budget -= 1
    for i, prompt in enumerate(left):
        if prompt > 0:
            tokens[i] = min(prompt, chunk, budget)
            budget -= tokens[i]
    return tokens
"""
ROLL = """
def f(draft, target, block_table, length, block_size):
    accepted = 0
    while accepted < len(draft) and draft[accepted] == target[accepted]:
        accepted += 1
    kept = length + 1 + accepted
    blocks = -(-kept // block_size)
    return target[: accepted + 1], kept, block_table[blocks:]
"""
LOOP = """    while accepted < len(draft) and draft[accepted] == target[accepted]:
        accepted += 1
"""
PREFIX = """
class f:
    def __init__(self, capacity, block_size):
        self.capacity, self.size, self.kept = capacity, block_size, {}

    def serve(self, tokens):
        names, name = [], None
        for end in range(self.size, len(tokens) + 1, self.size):
            name = (name, tuple(tokens[end - self.size : end]))
            names.append(name)
        found = 0
        while found < (len(tokens) - 1) // self.size and names[found] in self.kept:
            found += 1
        for name in reversed(names):
            self.kept.pop(name, None)
            self.kept[name] = True
        while len(self.kept) > self.capacity:
            del self.kept[next(iter(self.kept))]
        return found * self.size
"""
NAME, MOST = "(name, tuple(tokens[end - self.size : end]))", "(len(tokens) - 1) // self.size"


def step(old, new):
    return "10-step", edited(STEP, "f", (old, new))


def roll(old, new):
    return "10-rollback", edited(ROLL, "f", (old, new))


def prefix(*changes):
    return "10-prefix", edited(PREFIX, "f", *changes)


WRONG = [
    *(row for name, answers in PARTS.items() for row in rows(name, answers)),
    (*step("min(prompt, chunk, budget)", "min(chunk, budget)"), "more tokens than it has left"),
    (
        *step("min(prompt, chunk, budget)", "min(prompt + 1, chunk, budget)"),
        "one token more than it has left",
    ),
    (
        *step("return tokens", "return [n - t if n else 0 for n, t in zip(left, tokens)]"),
        "what is left of the prompts",
    ),
    (
        *step(
            "return tokens",
            "return [t for n, t in zip(left, tokens) if not n] + [t for n, t in zip(left, tokens) if n]",
        ),
        "those that decode in front",
    ),
    (*roll(LOOP, "    accepted = sum(a == b for a, b in zip(draft, target))\n"), "every token that agrees"),
    (
        *roll(LOOP, "    for i in range(len(draft)):\n        if draft[i] == target[i]: accepted = i + 1\n"),
        "up to the last token",
    ),
    (
        *roll("draft[accepted] == target[accepted]", "draft[accepted] in target"),
        "anywhere among the model's choices",
    ),
    (*roll("target[: accepted + 1]", "target[accepted : accepted + 1]"), "own token alone"),
    (*roll("target[: accepted + 1]", "draft[: accepted + 1]"), "the drafted token that was refused"),
    (*roll("block_table[blocks:]", "sorted(block_table[blocks:])"), "It sorts the blocks"),
    (*roll("block_table[blocks:]", "list(range(blocks, len(block_table)))"), "places in the table"),
    (*roll("length + 1 + accepted", "accepted"), "how many were accepted"),
    (*roll("kept, block_table", "len(draft) - accepted, block_table"), "how many were refused"),
    (*roll("-(-kept //", "-(-length //"), "behind the length before the step"),
    (*prefix((MOST, "max(0, len(tokens) // self.size - 1)")), "one block fewer than it may"),
    (*prefix(("len(tokens) + 1,", "len(tokens),")), "a last block that is just full"),
    (*prefix((NAME, "tuple(tokens)")), "a prompt by all its tokens"),
    (*prefix((NAME, "sum(tokens[:end])")), "adds the tokens up"),
    (
        *prefix(("tuple(tokens[", "tuple(sorted(tokens["), (" : end]))", " : end])))")),
        "the order of the tokens",
    ),
    (
        *prefix((NAME, NAME.replace("name", "None")), (MOST, "len(tokens) // self.size")),
        "counts the block of the last token",
    ),
]
