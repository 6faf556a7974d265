"""Wrong answers to chapter 05, paging: numbers, slots and bugs."""

import numpy as np

WASTE = {"contiguous": 7530, "paged": 42}


def waste(**wrong):
    return WASTE | wrong


# 05-slot: what a list of slots gets wrong.


def slots(
    of=lambda table, token, size: table[token // size] * size + token % size,
    begin=lambda n: n,
    end=lambda n, m: n + m,
    nested=False,
):
    def mapping(tables, lengths, new, block_size):
        each = [
            [of(table, token, block_size) for token in range(begin(n), end(n, m))]
            for table, n, m in zip(tables, lengths, new, strict=True)
        ]
        return each if nested else [slot for some in each for slot in some]

    return mapping


def one_sequence(tables, lengths, new, block_size):
    return slots()(tables[:1], lengths[:1], new[:1], block_size)


def first_table(tables, lengths, new, block_size):
    return [
        tables[0][t // block_size % len(tables[0])] * block_size + t % block_size
        for n, m in zip(lengths, new, strict=True)
        for t in range(n, n + m)
    ]


def neighbours(tables, lengths, new, block_size):
    found = []
    for table, n, m in zip(tables, lengths, new, strict=True):
        begin = table[n // block_size] * block_size + n % block_size
        found += range(begin, begin + m)
    return found


def last_token_only(tables, lengths, new, block_size):
    return [slots()([t], [n], [m], block_size)[-1] for t, n, m in zip(tables, lengths, new, strict=True)]


def returns_in_the_loop(tables, lengths, new, block_size):
    for table, n, m in zip(tables, lengths, new, strict=True):
        return slots()([table], [n], [m], block_size)


def pairs(tables, lengths, new, block_size):
    return slots(of=lambda table, token, size: (table[token // size], token % size))(
        tables, lengths, new, block_size
    )


def adds_the_token(tables, lengths, new, block_size):
    return slots(of=lambda table, token, size: table[token // size] * size + token)(
        tables, lengths, new, block_size
    )


def last_block(tables, lengths, new, block_size):
    return slots(of=lambda table, token, size: table[-1] * size + token % size)(
        tables, lengths, new, block_size
    )


def ends_at_new(tables, lengths, new, block_size):
    return slots(end=lambda n, m: m)(tables, lengths, new, block_size)


def in_sets(tables, lengths, new, block_size):
    return set(slots()(tables, lengths, new, block_size))


# 05-bugs: what is given for an input, and how the two are mended wrongly.


def read(memory, block_table, length):
    return [value for block in block_table for value in memory[block]][:length]


def read_faulty(memory, block_table, length):
    values = []
    for block in block_table:
        values += memory[block]
    return values


def read_needed_blocks(memory, block_table, length):
    size = len(memory[0])
    return read_faulty(memory, block_table[: -(-length // size)], length)


def read_full_blocks(memory, block_table, length):
    size = len(memory[0])
    return read_faulty(memory, block_table[: length // size], length)


def read_but_last(memory, block_table, length):
    return read_faulty(memory, block_table[:-1], length)


def read_the_end(memory, block_table, length):
    return read_faulty(memory, block_table, length)[-length:]


def read_in_order(memory, block_table, length):
    return [value for block in memory for value in block][:length]


def read_two_short(memory, block_table, length):
    return read(memory, block_table, length)[:-1]


def read_blocks(memory, block_table, length):
    return [memory[block] for block in block_table][:length]


def read_never_empty(memory, block_table, length):
    return read(memory, block_table, max(1, length))


def reusable(prompt, earlier, block_size):
    n = 0
    while n + block_size <= len(prompt) and prompt[n : n + block_size] == earlier[n : n + block_size]:
        n += block_size
    return n


def reusable_faulty(prompt, earlier, block_size):
    starts = range(0, len(prompt) - block_size + 1, block_size)
    return sum(block_size for s in starts if prompt[s : s + block_size] == earlier[s : s + block_size])


def reusable_tokens(prompt, earlier, block_size):
    n = 0
    while n < min(len(prompt), len(earlier)) and prompt[n] == earlier[n]:
        n += 1
    return n


def reusable_rounded_up(prompt, earlier, block_size):
    return -(-reusable_tokens(prompt, earlier, block_size) // block_size) * block_size


def reusable_blocks(prompt, earlier, block_size):
    return reusable(prompt, earlier, block_size) // block_size


def reusable_and_one(prompt, earlier, block_size):
    n = reusable(prompt, earlier, block_size)
    return n + block_size if n + block_size <= len(prompt) else n


def reusable_all_or_nothing(prompt, earlier, block_size):
    whole = len(prompt) // block_size * block_size
    return whole if prompt[:whole] == earlier[:whole] else 0


def reusable_first(prompt, earlier, block_size):
    return min(block_size, reusable(prompt, earlier, block_size))


def reusable_begun(prompt, earlier, block_size):
    n = 0
    while n < len(prompt) and prompt[n : n + block_size] == earlier[n : n + block_size]:
        n += block_size
    return n


def reusable_but_last(prompt, earlier, block_size):
    n = reusable(prompt, earlier, block_size)
    return n - block_size if n == len(prompt) and n else n


STALE, PREFIX = ([[1, 2], [3, 99]], [0, 1], 3), ([5, 7], [6, 7], 1)


def bugs(stale=None, read=read, prefix=None, reusable=reusable):
    return {
        "stale": {"input": stale or STALE, "fix": read},
        "prefix": {"input": prefix or PREFIX, "fix": reusable},
    }


def tricks(gqa="H_kv", window="T", int8="bytes", paged="nothing"):
    return {
        "grouped-query attention": gqa,
        "a sliding window": window,
        "an int8 cache": int8,
        "paged attention": paged,
    }


STILL = "This is still the faulty function"

WRONG = [
    ("05-blocks", 6, "You round down"),
    ("05-blocks", 6.25, "Blocks come whole"),
    ("05-blocks", 8, "You take one block more"),
    ("05-blocks", 100, "You count a block for each token"),
    ("05-blocks", 1600, "You multiply"),
    ("05-blocks", 4, "how many tokens the last block holds"),
    ("05-blocks", 112, "You count the slots of the blocks"),
    ("05-blocks", "6 remainder 4", "Give a number"),
    ("05-blocks", 16, "You give the size of a block"),
    ("05-waste", waste(contiguous=8192), "You count all the reserved slots", 1),
    ("05-waste", waste(contiguous=1386), "You reserve for one sequence", 1),
    ("05-waste", waste(contiguous=662), "You count the slots in use", 1),
    ("05-waste", waste(contiguous=2048), "You count all the reserved slots", 1),
    ("05-waste", waste(contiguous=42, paged=7530), "You count what stands empty with paging"),
    ("05-waste", waste(paged=58), "You give a full last block one more", 1),
    ("05-waste", waste(paged=10), "You put the sequences into one row of blocks", 1),
    ("05-waste", waste(paged=32), "You take half a block for each sequence", 1),
    ("05-waste", waste(paged=60), "You take the most that a sequence can waste", 1),
    ("05-waste", waste(paged=704), "You count all the slots of the blocks", 1),
    ("05-waste", waste(paged=44), "You count the blocks", 1),
    ("05-waste", waste(paged=6), "You count the tokens in the last blocks", 1),
    ("05-waste", waste(paged=0), "every last block for a full one", 1),
    ("05-waste", waste(paged=41.5), "The answer is a whole number", 1),
    ("05-waste", (7530, 42), "Give a dict with the keys"),
    ("05-slot", slots(lambda table, token, size: token), "It ignores the block tables"),
    ("05-slot", slots(lambda table, token, size: table[token // size]), "It gives blocks"),
    ("05-slot", slots(lambda table, token, size: table[token // size] * size), "the first slot of the block"),
    (
        "05-slot",
        slots(lambda table, token, size: table[token // size] + token % size),
        "It adds the block's number",
    ),
    ("05-slot", slots(lambda table, token, size: token % size), "It gives the place within the block"),
    ("05-slot", slots(lambda t, token, size: t[token % size % len(t)] * size + token // size), None),
    ("05-slot", slots(begin=lambda n: 0, end=lambda n, m: m), "It begins each sequence at its first token"),
    ("05-slot", slots(begin=lambda n: 0), "It gives the slots of all the tokens"),
    ("05-slot", slots(end=lambda n, m: n + m - 1), "It gives one slot too few"),
    ("05-slot", slots(begin=lambda n: n + 1, end=lambda n, m: n + m), None),
    ("05-slot", slots(nested=True), "It gives a list for each sequence"),
    ("05-slot", one_sequence, "It looks at the first sequence alone"),
    ("05-slot", returns_in_the_loop, "It looks at the first sequence alone"),
    ("05-slot", first_table, "each has its own"),
    ("05-slot", neighbours, "It counts on from a sequence's first new slot"),
    ("05-slot", lambda *a: sorted(slots()(*a)), "It sorts the slots"),
    ("05-slot", pairs, "It gives pairs of block and place"),
    ("05-slot", adds_the_token, "It adds the token's number"),
    ("05-slot", last_block, "It puts all new tokens into the last block"),
    ("05-slot", ends_at_new, "It stops at token new[i]"),
    ("05-slot", last_token_only, "only where a sequence gets no new token, or several"),
    ("05-slot", in_sets, "It gives a frozenset where a list is wanted"),
    ("05-share", 24, "You count each sequence alone"),
    ("05-share", 10, "You let all of them write into the prompt's last block"),
    ("05-share", 13, "You keep the prompt's last block beside the copies"),
    ("05-share", 8, "You count one sequence only"),
    ("05-share", 7, "You count the prompt only"),
    ("05-share", 6, "You count the blocks that the sequences do not share"),
    ("05-share", 22.5, "You divide all tokens by the size of a block"),
    ("05-share", 21, "the prompt's blocks for each sequence"),
    ("05-bugs", bugs(stale=([[1, 2], [3, 99]], [0, 1], 4)), "On this input the faulty function is right", 3),
    ("05-bugs", bugs(stale=([[1, 2]], [0])), "Your input has 2 values, not 3", 3),
    ("05-bugs", bugs(stale=([[1, 2]], [1], 1)), "block_table names a block that memory does not have", 3),
    ("05-bugs", bugs(stale=([[1, 2]], [0], 5)), "length is the number of tokens", 3),
    ("05-bugs", bugs(stale=([[1, 2], [3]], [0, 1], 3)), "All blocks of memory have room", 3),
    ("05-bugs", bugs(stale="a block is reused"), "Give its arguments in a tuple", 3),
    ("05-bugs", bugs(read=read_faulty), STILL, 3),
    ("05-bugs", bugs(read=read_needed_blocks), "It reads whole blocks still", 3),
    ("05-bugs", bugs(read=read_full_blocks), "It reads full blocks alone", 3),
    ("05-bugs", bugs(read=read_but_last), "It leaves out the last block", 3),
    ("05-bugs", bugs(read=read_the_end), "It keeps the end", 3),
    ("05-bugs", bugs(read=read_in_order), "not by the block table", 3),
    ("05-bugs", bugs(read=read_two_short), "It gives one value too few", 3),
    ("05-bugs", bugs(read=read_never_empty), "wrong only for a sequence without tokens", 3),
    ("05-bugs", bugs(read=read(*STALE)), "Hand over the function or class itself", 3),
    ("05-bugs", bugs(prefix=([1, 2, 3, 4], [1, 2, 9, 9], 2)), "depend on all the tokens before it", 3),
    ("05-bugs", bugs(prefix=("ab", "cb", 1)), "lists of whole numbers", 3),
    ("05-bugs", bugs(prefix=([1], [2], 0)), "block_size is a whole number, 1 or more", 3),
    ("05-bugs", bugs(reusable=reusable_faulty), STILL, 3),
    ("05-bugs", bugs(reusable=reusable_tokens), "It counts single tokens", 3),
    ("05-bugs", bugs(reusable=reusable_blocks), "It counts blocks; the tokens", 3),
    ("05-bugs", bugs(reusable=reusable_and_one), "It counts the first block that differs too", 3),
    ("05-bugs", bugs(reusable=reusable_rounded_up), "It rounds up to whole blocks", 3),
    ("05-bugs", bugs(reusable=reusable_begun), "It counts a block that the prompt only begins", 3),
    ("05-bugs", bugs(read=read_blocks), "It gives a list of blocks", 3),
    ("05-bugs", bugs(reusable=reusable_all_or_nothing), "It gives 0 unless every whole block is the same", 3),
    ("05-bugs", bugs(reusable=reusable_first), "It looks at the first block alone", 3),
    (
        "05-bugs",
        bugs(reusable=reusable_but_last),
        "It leaves a token to be computed",
        3,
    ),
    ("05-tricks", tricks("heads", "T", "T", "T"), "Only one of the four makes a layer look back", 1),
    ("05-tricks", tricks(paged="T"), "Paging is about the slots that hold nothing", 1.5),
    ("05-tricks", tricks(paged="H_kv"), "Paging is about the slots that hold nothing", 1.5),
    ("05-tricks", tricks(gqa="bytes"), "stores each number in fewer bytes", 1.5),
    ("05-tricks", tricks(window="nothing"), "This one does make a factor smaller", 1.5),
    ("05-tricks", tricks(gqa="H"), "Answer with one of", 1.5),
]

RIGHT = [
    ("05-blocks", 7.0),
    ("05-blocks", np.int64(7)),
    ("05-waste", {"contiguous": "7,530", "paged": np.array(42)}),
    ("05-slot", lambda *a: tuple(slots()(*a))),
    ("05-slot", lambda *a: np.array(slots()(*a))),
    ("05-share", "12"),
    ("05-bugs", bugs(stale=[[[1, 2], [3, 99]], (0, 1), 3])),
    ("05-bugs", bugs(prefix={"prompt": [5, 7], "earlier": [6, 7], "block_size": 1})),
    ("05-bugs", bugs(stale=([[1, 2], [3, 4]], [1, 0], 2))),
    ("05-tricks", tricks("h_kv", "t", "Bytes", "NOTHING")),
]
