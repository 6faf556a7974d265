"""More wrong answers to the exercises of chapter 05."""

from .made import edited, rows

SLOTS = """
def slot_mapping(tables, lengths, new, block_size):
    slots = []
    for blocks, length, n in zip(tables, lengths, new):
        for token in range(length, length + n):
            index, offset = divmod(token, block_size)
            slots.append(blocks[index] * block_size + offset)
    return slots
"""
POOL = """
class BlockAllocator:
    def __init__(self, num_blocks):
        self.free_blocks = list(range(num_blocks))
    def allocate(self, n):
        if n > len(self.free_blocks):
            return None
        return [self.free_blocks.pop() for _ in range(n)]
    def free(self, blocks):
        self.free_blocks += blocks
"""
OWNERS = """
class SharedBlocks:
    def __init__(self, n_blocks):
        self.owners = [0] * n_blocks
    def allocate(self):
        for block, count in enumerate(self.owners):
            if count == 0:
                self.owners[block] = 1
                return block
    def share(self, block):
        self.owners[block] += 1
    def free(self, block):
        owned = self.owners[block] > 0
        self.owners[block] -= owned
        return owned
    def write(self, block):
        if self.owners[block] == 1:
            return block
        copy = self.allocate()
        self.owners[block] -= copy is not None
        return copy
"""
MENDED = """
def read(memory, block_table, length):
    return [value for block in block_table for value in memory[block]][:length]
def reusable(prompt, earlier, block_size):
    n = 0
    while n + block_size <= len(prompt) and prompt[n:n + block_size] == earlier[n:n + block_size]:
        n += block_size
    return n
"""


def slots(*changes):
    return edited(SLOTS, "slot_mapping", *changes)


def pool(*changes):
    return edited(POOL, "BlockAllocator", *changes)


def owners(*changes):
    return edited(OWNERS, "SharedBlocks", *changes)


def bugs(**fixes):
    """The answer to 05-bugs with the body of one fix, or none, another."""
    fixed = {name: edited(MENDED, name) for name in ("read", "reusable")}
    for name, body in fixes.items():
        [head] = [line for line in MENDED.splitlines() if line.startswith(f"def {name}(")]
        fixed[name] = edited(f"{head}\n{body}", name)
    return {
        "stale": {"input": ([[1, 2], [3, 99]], [0, 1], 3), "fix": fixed["read"]},
        "prefix": {"input": ([5, 7], [6, 7], 1), "fix": fixed["reusable"]},
    }


POPPED = "return [self.free_blocks.pop() for _ in range(n)]"
ALL = "    values = [v for b in block_table for v in memory[b]]\n    return values"
CUT = "    return [v for b in block_table for v in memory[b][:length]]"
LAST = """    values = [v for b in block_table[:-1] for v in memory[b]]
    return values + memory[block_table[-1]][: length % len(memory[0])]"""
IN_PLACE = """    values = memory[block_table[0]]
    for block in block_table[1:]:
        values += memory[block]
    return values[:length]"""
FIRST = """    for n in range(0, len(prompt) - block_size + 1, block_size):
        return block_size if prompt[:block_size] == earlier[:block_size] else 0"""

WRONG = [
    ("05-blocks", 12, "how many slots of the last block stay empty"),
    ("05-blocks", 14, "blocks for keys and for values"),
    *rows(
        "05-waste",
        {"contiguous": [(7530 / 4, "You give the mean")], "paged": [(10.5, "You give the mean")]},
    ),
    ("05-share", 9, "You round down"),
    ("05-share", 11, "You put all new tokens into one row of blocks"),
    ("05-share", 192, "You count the slots of the blocks"),
    ("05-slot", slots(("range(length, length + n)", "range(length + 1, length + n + 1)")), "one token late"),
    ("05-slot", slots(("range(length, length + n)", "range(length - 1, length + n - 1)")), "one token early"),
    ("05-slot", slots(("length + n)", "length + n + 1)")), "one slot too many for each"),
    ("05-slot", slots(("index, offset =", "offset, index =")), "the two numbers of divmod"),
    ("05-slot", slots(("blocks[index]", "tables[0][index]")), "in the first table"),
    ("05-slot", slots(("        for token", "        if n == 0: break\n        for token")), "It stops at"),
    ("05-slot", slots(("token, block_size", "token, 16"), ("* block_size", "* 16")), "It takes blocks of 16"),
    ("05-allocator", pool(("if n >", "if not n or n >")), "It gives None where 0 blocks are asked for"),
    (
        "05-allocator",
        pool((POPPED, "taken, self.free_blocks[-n:] = self.free_blocks[-n:], []\n        return taken")),
        "It hands out more blocks than asked for",
    ),
    (
        "05-allocator",
        pool((POPPED, "print(self.free_blocks[:n])")),
        "It prints; hand the result back",
    ),
    ("05-owners", owners(("copy is not None", "bool(copy)")), "It takes block 0 for no block at all"),
    ("05-owners", owners(("return block\n    def sh", "return block + 1\n    def sh")), "not in the pool"),
    ("05-bugs", bugs(read=f"{ALL}[: length - 1]"), "It gives one value too few", 3),
    ("05-bugs", bugs(read=CUT), "It cuts each block to the length of the sequence", 3),
    ("05-bugs", bugs(read=LAST), "It cuts the last block to length %", 3),
    ("05-bugs", bugs(read=IN_PLACE), "it changes what it was given", 3),
    ("05-bugs", bugs(reusable=FIRST), "It looks at the first block alone", 3),
    (
        "05-bugs",
        bugs(reusable="    return len(prompt) if prompt == earlier else 0"),
        "It takes all or nothing",
        3,
    ),
]  # fmt: skip
RIGHT = [
    ("05-slot", slots(("return slots", "return tuple(slots)"))),
    ("05-allocator", pool(("list(range", "set(range"), ("+= blocks", "|= set(blocks)"))),
    ("05-allocator", pool((".pop()", ".pop(0)"))),
    ("05-owners", owners(("= 1\n                return block", "= 1\n                return int(block)"))),
    ("05-bugs", bugs()),
]
