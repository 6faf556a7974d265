"""Wrong answers of chapter 10 that are programs: a student's own, changed as students err."""

# ruff: noqa: E501

from .made import edited

STEP = """
def step(left, budget, chunk):
    out = []
    for n in left:
        out.append(0)
    for i in range(len(left)):
        if left[i] == 0 and budget >= 1:
            out[i] = 1
            budget -= 1
    for i in range(len(left)):
        if left[i] > 0:
            take = min(left[i], chunk, budget)
            out[i] = take
            budget = budget - take
    return out
"""
ROLL = """
def roll(draft, target, block_table, length, block_size):
    accepted = 0
    for a, b in zip(draft, target):
        if a != b:
            break
        accepted += 1
    new = draft[:accepted] + [target[accepted]]
    kept = length + 1 + accepted
    blocks = (kept + block_size - 1) // block_size
    back = block_table[blocks:]
    return new, kept, back
"""
PREFIX = """
class Cache:
    def __init__(self, capacity, block_size):
        self.capacity = capacity
        self.size = block_size
        self.order = []

    def serve(self, tokens):
        keys = []
        for i in range(len(tokens) // self.size):
            keys.append(tuple(tokens[: (i + 1) * self.size]))
        found = 0
        for i, key in enumerate(keys):
            if key not in self.order or (i + 1) * self.size >= len(tokens):
                break
            found += 1
        for key in reversed(keys):
            if key in self.order:
                self.order.remove(key)
            self.order.append(key)
        while len(self.order) > self.capacity:
            self.order.pop(0)
        return found * self.size
"""


def step(*changes):
    return edited(STEP, "step", *changes)


def roll(*changes):
    return edited(ROLL, "roll", *changes)


def cache(*changes):
    return edited(PREFIX, "Cache", *changes)


TAKE = "            take = min(left[i], chunk, budget)\n"
DECODE = """    for i in range(len(left)):
        if left[i] == 0 and budget >= 1:
            out[i] = 1
            budget -= 1
"""
PROMPTS = STEP[STEP.index(DECODE) + len(DECODE) : STEP.index("    return out")]
STEPS = [
    (step((TAKE, "            take = min(left[i], budget)\n")), "does not look at chunk"),
    (step((TAKE, "            take = min(left[i], chunk)\n")), "more than is left"),
    (step((TAKE, "            take = min(left[i], chunk)\n            if take > budget:\n                break\n")), "begins no prompt"),
    (step((TAKE, "            take = min(left[i], chunk)\n            if take > budget:\n                continue\n")), "passes over a prompt"),
    (step((TAKE, TAKE.replace("chunk, budget", "chunk, budget // 2"))), None),
    (step((TAKE, TAKE + "            if any(out[j] for j in range(i) if left[j] > 0):\n                break\n")), "one prompt in a step"),
    (step(("            budget -= 1\n", "")), "does not count the decoded"),
    (step(("            out[i] = 1\n", "")), "and does not give it"),
    (step(("out[i] = 1", "out[i] = min(chunk, budget)"), ("budget -= 1", "budget -= out[i]")), "a decode step makes one"),
    (step((DECODE, ""), (PROMPTS, PROMPTS + DECODE)), "the prompts before those that decode"),
    (step((DECODE, ""), (PROMPTS, STEP[STEP.index(DECODE) : STEP.index("    return out")].replace("    for i in range(len(left)):\n        if left[i] > 0", "        elif left[i] > 0", 1))), "by arrival alone"),
    (step((PROMPTS, PROMPTS.replace("range(len(left))", "sorted(range(len(left)), key=lambda i: left[i])"))), "the shortest prompt first"),
    (step((PROMPTS, PROMPTS.replace("range(len(left))", "sorted(range(len(left)), key=lambda i: -left[i])"))), "the longest prompt first"),
    (step((PROMPTS, PROMPTS.replace("range(len(left))", "reversed(range(len(left)))"))), "the last prompt first"),
    (step((PROMPTS, "    waiting = [n for n in left if n] or [1]\n    share = max(1, budget // len(waiting))\n" + PROMPTS.replace("chunk, budget", "chunk, budget, share"))), "shares the budget"),
    (step((" and budget >= 1", "")), "the number of requests that decode"),
    (step(("budget >= 1", "budget > 1")), None),
    (step(("return out", "return [a - b for a, b in zip(left, out)]")), "afterwards"),
    (step(("    return out", "    print(out)")), "hand the result back"),
    (step(("return out", "return sum(out)")), "an int where a list"),
    (step(("return out", "return {i: n for i, n in enumerate(out)}")), "a dict where a list"),
    (step(("            budget = budget - take\n", "")), "take off the budget what a prompt gets"),
    (step(("            budget = budget - take", "            budget = budget - take\n            chunk -= take")), "all prompts together"),
    (step(("            budget = budget - take", "            budget = max(0, budget - chunk)")), "a whole chunk off"),
    (step(("return out", "return [n for n in out if n > 0]")), "leaves out the requests"),
    (step(("return out", "return [(i, n) for i, n in enumerate(out)]")), None),
]  # fmt: skip
ROLLS = [
    (roll(("            break\n", "            continue\n")), "counts every token that agrees"),
    (roll((" + [target[accepted]]", "")), "leaves out the model's own token"),
    (roll((" + [target[accepted]]", " + (target[accepted : accepted + 1] if accepted < len(draft) else [])")), "comes on top"),
    (roll(("[target[accepted]]", "[(draft + target[-1:])[accepted]]")), "the drafted token that was refused"),
    (roll(("length + 1 + accepted", "length + accepted")), "forgets the newest"),
    (roll(("length + 1 + accepted", "length + len(new) + 1")), "no keys and values yet"),
    (roll(("length + 1 + accepted", "length + 1 + len(draft)")), "keeps the refused ones"),
    (roll(("length + 1 + accepted", "length")), "before the step"),
    (roll(("length + 1 + accepted", "1 + accepted")), "the new ones alone"),
    (roll(("block_table[blocks:]", "[]")), "gives no block back"),
    (roll(("(kept + block_size - 1) // block_size", "kept // block_size")), "round up"),
    (roll(("(kept + block_size - 1) // block_size", "kept // block_size + 1")), "full blocks need no other"),
    (roll(("(kept + block_size - 1) // block_size", "round(kept / block_size)")), None),
    (roll(("block_table[blocks:]", "block_table[:blocks]")), "the blocks that stay"),
    (roll(("block_table[blocks:]", "len(block_table) - blocks")), "the number of blocks"),
    (roll(("block_table[blocks:]", "block_table[blocks + 1:]")), "a block too few"),
    (roll(("block_table[blocks:]", "block_table[blocks:][::-1]")), "wanted in the order"),
    (roll(("return new, kept, back", "return kept, new, back")), "three things in another"),
    (roll(("return new, kept, back", "return new, kept")), "It gives two things"),
    (roll(("return new, kept, back", "return len(new), kept, back")), "how many tokens are new"),
    (roll(("return new, kept, back", "print(new, kept, back)")), "hand the result back"),
    (roll(("new = draft[:accepted] + [target[accepted]]", "new = target")), "all that the model chose"),
    (roll(("accepted += 1", "accepted += 1\n        if accepted == len(draft) - 1: break")), None),
    (roll(("[target[accepted]]", "[target[-1]]")), "behind the whole draft"),
    (roll(("[target[accepted]]", "[target[accepted + 1]]")), "a place too far"),
    (roll(("zip(draft, target)", "zip(draft, target[1:])")), "for the next place"),
    (roll(("block_table[blocks:]", "block_table[-(len(block_table) - blocks):]")), "the whole table"),
    (roll(("accepted += 1", "accepted += 1\n        if accepted > 3:\n            break")), None),
]  # fmt: skip
CACHES = [
    (cache(("tuple(tokens[: (i + 1) * self.size])", "tuple(tokens[i * self.size : (i + 1) * self.size])")), "chain them"),
    (cache(("tuple(tokens[: (i + 1) * self.size])", "(i, *tokens[i * self.size : (i + 1) * self.size])")), "its tokens and its place"),
    (cache((" or (i + 1) * self.size >= len(tokens)", "")), "the last token must be computed"),
    (cache(("range(len(tokens) // self.size)", "range(-(-len(tokens) // self.size))")), "not full"),
    (cache(("found * self.size", "found")), "the number of blocks"),
    (cache(("found * self.size", "len(tokens) - found * self.size")), "the tokens to compute"),
    (cache(("reversed(keys)", "keys")), "the last block goes before the first"),
    (cache(("                self.order.remove(key)\n", "                continue\n")), "counts as used again"),
    (cache(("self.order.pop(0)", "self.order.pop()")), "the newest go"),
    (cache(("        while len(self.order) > self.capacity:\n            self.order.pop(0)\n", "")), "never gives a block up"),
    (cache(("        while len(self.order) > self.capacity:\n            self.order.pop(0)\n", "        if len(self.order) > self.capacity:\n            self.order = []\n")), "gives up everything"),
    (cache(("while len(self.order)", "if len(self.order)")), "one block a prompt"),
    (cache(("len(self.order) > self.capacity", "len(self.order) * self.size > self.capacity")), "capacity for tokens"),
    (cache(("len(self.order) > self.capacity", "len(self.order) >= self.capacity")), "a block too many"),
    (cache(("        self.order = []\n", ""), ("    def __init__", "    order = []\n\n    def __init__")), "share one store"),
    (cache(("        for key in reversed(keys):", "        for key in reversed(keys if not found else []):")), "keeps nothing of a prompt of which"),
    (cache(("        for key in reversed(keys):", "        for key in []:")), "keeps nothing: what"),
    (cache(("        return found * self.size", "        print(found)")), "hand the result back"),
    (cache(("                break\n            found", "                continue\n            found"), (" or (i + 1) * self.size >= len(tokens)", "")), "the last token must be computed"),
    (cache(("            if key in self.order:\n                self.order.remove(key)\n", "")), "more than once; a block"),
    (cache((">= len(tokens)", "> len(tokens)")), "the last token must be computed"),
    (cache((" or (i + 1) * self.size >= len(tokens)", ""), ("return found * self.size", "return min(found * self.size, len(tokens) - 1)")), "all tokens but the last"),
    (cache(("        return found * self.size", "        return found * self.size if found == (len(tokens) - 1) // self.size else 0")), "all blocks or none"),
    (cache(("            if key not in self.order or", "            if")), "before it looks"),
    (cache(("        while len(self.order) > self.capacity:\n            self.order.pop(0)\n", ""), ("        for key in reversed(keys):\n", "        while len(self.order) > self.capacity:\n            self.order.pop(0)\n        for key in reversed(keys):\n")), "makes room before"),
    (cache(("return found * self.size", "return found * self.size / len(tokens)")), None),
]  # fmt: skip
WRONG = [
    *(("10-step", thing, said) for thing, said in STEPS),
    *(("10-rollback", thing, said) for thing, said in ROLLS),
    *(("10-prefix", thing, said) for thing, said in CACHES),
]
RIGHT = [
    ("10-step", step()),
    ("10-step", step(("return out", "return tuple(out)"))),
    ("10-step", step(("return out", "return [float(n) for n in out]"))),
    ("10-rollback", roll()),
    ("10-rollback", roll(("return new, kept, back", "return [tuple(new), kept, tuple(back)]"))),
    ("10-prefix", cache()),
    ("10-prefix", cache(("tuple(tokens[: (i + 1) * self.size])", "tokens[: (i + 1) * self.size]"))),
    ("10-prefix", cache(("tuple(tokens[: (i + 1) * self.size])", "str(tokens[: (i + 1) * self.size])"))),
]
