"""More wrong answers to the exercises of chapter 01."""

from .made import edited, rows

CONVERSATION = """
def projections(turns, cache):
    total = length = held = 0
    for said, answered in turns:
        length += said
        if cache == "turn":
            held = 0
        for _ in range(answered):
            total += length - held
            if cache != "none":
                held = length
            length += 1
    return total
"""

STEP = """
import numpy as np
def attend(q, k, v):
    scores = k @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ v
def rotate(x, position):
    angle = position / 10_000 ** (np.arange(len(x) // 2) / (len(x) // 2))
    a, b = np.split(x, 2)
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)])
def cached_step(x, k, v, wq, wk, wv):
    k = np.vstack([k, x @ wk])
    v = np.vstack([v, x @ wv])
    return attend(x @ wq, k, v), k, v
class RotaryCache:
    def __init__(self, wq, wk, wv, window):
        self.wq, self.wk, self.wv, self.window = wq, wk, wv, window
        self.keys, self.values, self.seen = [], [], 0
    def step(self, x):
        self.keys = [*self.keys, rotate(x @ self.wk, self.seen)][-self.window :]
        self.values = [*self.values, x @ self.wv][-self.window :]
        query = rotate(x @ self.wq, self.seen)
        self.seen += 1
        return attend(query, np.array(self.keys), np.array(self.values))
"""


def conversation(*changes):
    return edited(CONVERSATION, "projections", *changes)


def step(*changes):
    return edited(STEP, "cached_step", *changes)


def rotary(*changes):
    return edited(STEP, "RotaryCache", *changes)


TURNED = ("[k, x @ wk]", "[k, rotate(x @ wk, len(k))]")
MERGED = """
def projections(turns, cache):
    p, n = (sum(turn[i] for turn in turns) for i in (0, 1))
    return sum(range(p, p + n)) if cache == "none" else p + n - 1
"""
STUCK = [
    ("self.seen)]", "len(self.keys))]"),
    ("rotate(x @ self.wq, self.seen)", "rotate(x @ self.wq, len(self.keys) - 1)"),
]

WRONG = [
    *rows(
        "01-count",
        {
            "without": [(10, "every step reads it again"), (108, "You count the key and the value apart")],
            "with": [(30, "You count the key and the value apart")],
        },
    ),
    ("01-conversation", conversation(("            length += 1\n", "")), "never adds the answers"),
    (
        "01-conversation",
        conversation(("held = length\n            ", "held = length + 1\n            ")),
        "before a step has projected it",
    ),
    (
        "01-conversation",
        conversation(("    return total", "    return total + (cache != 'none')")),
        "the last token of the conversation, which no step reads",
    ),
    ("01-conversation", edited(MERGED, "projections"), "It makes one turn of all of them"),
    (
        "01-step",
        step(("[k, x @ wk])", "[k, x]) @ wk"), ("[v, x @ wv])", "[v, x]) @ wv")),
        "It projects the whole cache again",
    ),
    ("01-step", step(("v = np", "new = np"), ("k, v), k, v", "k, new), k, v")), "It gives the old v back"),
    ("01-step", step(("k = np", "new = np"), ("k, v), k, v", "new, v), k, v")), "It gives the old k back"),
    ("01-step", step(TURNED, ("x @ wq", "rotate(x @ wq, len(k))")), "there are none in this exercise"),
    ("01-step", step(TURNED, ("x @ wq", "rotate(x @ wq, len(k) - 1)")), "there are none in this exercise"),
    ("01-rotary", rotary(*STUCK), "It takes the number of keys it holds for the position"),
    ("01-rotary", rotary(("-self.window :", "-self.window + 1 :")), "It keeps one token too few"),
    ("01-rotary", rotary(("@ self.wv][-self.window :]", "@ self.wv]")), "It evicts keys and keeps their"),
    (
        "01-rotary",
        rotary(("np.array(self.keys), np.array(self.values)", "np.array(self.values), np.array(self.keys)")),
        "It has keys and values the wrong way round",
    ),
    *rows("01-growth", {"times": [(8, "Add up the steps as they are, and give three digits")]}),
]
RIGHT = [
    ("01-conversation", conversation(("return total", "return float(total)"))),
    ("01-step", step(("return attend(x @ wq, k, v), k, v", "return [attend(x @ wq, k, v), k, v]"))),
    ("01-rotary", rotary(("self.seen)", "self.seen + 1)"))),  # it is distances that count
    ("01-growth", {"without": "O(L³)", "with": "L**2", "times": "8.33 times"}),
]
