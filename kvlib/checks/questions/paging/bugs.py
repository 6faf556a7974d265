"""A question of chapter 05: two faulty functions, each to be shown wrong and mended."""

from ...answers import Bug, Each, Function, Slip
from ..common import question

MOST = 2000  # numbers in an input


def _read(memory, block_table, length):
    return [value for block in block_table for value in memory[block]][:length]


def _read_stale(memory, block_table, length):
    values = []
    for block in block_table:
        values += memory[block]
    return values


def _memories(rng):
    for number in range(24):
        size, blocks = rng.choice([1, 2, 4]), rng.randint(2, 6)
        memory = [[rng.randint(0, 99) for _ in range(size)] for _ in range(blocks)]
        table = rng.sample(range(blocks), rng.randint(1, blocks))
        yield memory, table, number and rng.randint(0, len(table) * size)


def _is_memory(memory, block_table, length):
    size = len(memory[0])
    if sum(map(len, memory)) > MOST or len(block_table) > MOST:
        return f"Take a smaller one: at most {MOST} numbers."
    if not size or any(len(block) != size for block in memory):
        return "All blocks of memory have room for the same number of tokens."
    if not all(type(block) is int and 0 <= block < len(memory) for block in block_table):
        return "block_table names a block that memory does not have."
    if type(length) is not int or not 0 <= length <= len(block_table) * size:
        return "length is the number of tokens, at most as many as the table's blocks have room for."
    return ""


def _reusable(prompt, earlier, block_size):
    tokens = 0
    while (
        tokens + block_size <= len(prompt)
        and prompt[tokens : tokens + block_size] == earlier[tokens : tokens + block_size]
    ):
        tokens += block_size
    return tokens


def _reusable_anywhere(prompt, earlier, block_size):
    tokens = 0
    for start in range(0, len(prompt) - block_size + 1, block_size):
        if prompt[start : start + block_size] == earlier[start : start + block_size]:
            tokens += block_size
    return tokens


def _ends_alike(prompt, earlier, size):
    """Whether all whole blocks are alike and the block that the prompt begins is, too, as a slice."""
    whole = len(prompt) // size * size
    rest = slice(whole, whole + size)
    return _reusable(prompt, earlier, size) == whole < len(prompt) and prompt[rest] == earlier[rest]


def _common(prompt, earlier, block_size):
    """Equal tokens at the beginning, not cut to whole blocks."""
    same = 0
    for a, b in zip(prompt, earlier, strict=False):
        if a != b:
            break
        same += 1
    return same


def _prompts(rng):
    for _ in range(30):
        size, blocks = rng.choice([1, 2, 3, 4]), rng.randint(1, 5)
        earlier = [rng.randint(0, 9) for _ in range(size * blocks + rng.randrange(size))]
        prompt = [*earlier, *(rng.randint(0, 9) for _ in range(rng.randint(0, 4)))]
        for place in rng.sample(range(len(prompt)), rng.randint(0, min(2, len(prompt)))):
            prompt[place] += 10
        yield prompt[: rng.randint(1, len(prompt)) if rng.random() < 0.3 else len(prompt)], earlier, size


def _is_prompts(prompt, earlier, block_size):
    if len(prompt) + len(earlier) > MOST:
        return f"Take shorter prompts: at most {MOST} tokens."
    if type(block_size) is not int or block_size < 1:
        return "block_size is a whole number, 1 or more."
    if type(prompt) is not type(earlier) or not all(type(t) is int for t in [*prompt, *earlier]):
        return "Both prompts are lists of whole numbers, one a token."
    return ""


@question("05-bugs", points=4, kind="bugs", minutes=15)
def _bugs():
    stale = Function(
        _read,
        _memories,
        (
            Slip(
                "It leaves out the last block; its first slots may hold tokens of this sequence.",
                lambda memory, table, length: _read_stale(memory, table[:-1], length),
            ),
            Slip(
                "It reads full blocks alone; the tokens of a block that is partly filled are missing.",
                lambda memory, table, length: _read(memory, table, length - length % len(memory[0])),
            ),
            Slip(
                "It gives a list of blocks; one list of the values is asked for.",
                lambda memory, table, length: [memory[block] for block in table][:length],
            ),
            Slip(
                "It keeps the end; the sequence's tokens stand at the beginning.",
                lambda memory, table, length: _read_stale(memory, table, 0)[-length:],
            ),
            Slip(
                "It reads whole blocks still: the last one that is needed ends with another's values.",
                lambda memory, table, length: _read_stale(memory, table[: -(-length // len(memory[0]))], 0),
            ),
            Slip(
                "It gives one value too few.", lambda memory, table, length: _read(memory, table, length)[:-1]
            ),
            Slip(
                "It gives one value too few.",
                lambda memory, table, length: _read_stale(memory, table, 0)[: length - 1],
            ),
            Slip(
                "It cuts each block to the length of the sequence: cut what all of them give.",
                lambda memory, table, length: [v for block in table for v in memory[block][:length]],
            ),
            Slip(
                "It cuts the last block to length % its size: of a block that is full, 0 values are left.",
                lambda memory, table, length: [
                    *_read_stale(memory, table[:-1], 0),
                    *memory[table[-1]][: length % len(memory[0])],
                ],
            ),
            Slip(
                "It reads memory in its own order and not by the block table.",
                lambda memory, table, length: [v for block in memory for v in block][:length],
            ),
        ),
        where={
            "It is wrong only for a sequence without tokens.": lambda memory, table, length: length == 0,
            "It is wrong only where the last block is full.": lambda memory, table, length: (
                length == len(table) * len(memory[0])
            ),
            "It is wrong only where the table has more blocks than the tokens need.": lambda m, t, length: (
                len(t) > -(-length // len(m[0]))
            ),
            "It is wrong only where a block is partly filled.": lambda m, t, length: length % len(m[0]) != 0,
        },
        intact=True,
        idea="Which of the slots hold a token of this sequence?",
    )
    prefix = Function(
        _reusable,
        _prompts,
        (
            Slip(
                "It counts single tokens; an earlier prompt leaves whole blocks to be reused.",
                _common,
            ),
            Slip(
                "It counts a block that the prompt only begins as if it were whole.",
                lambda prompt, earlier, size: (
                    _reusable(prompt, earlier, size) + size * _ends_alike(prompt, earlier, size)
                ),
            ),
            Slip(
                "It counts blocks; the tokens in them are asked for.",
                lambda prompt, earlier, size: _reusable(prompt, earlier, size) // size,
            ),
            Slip(
                "It counts the first block that differs too.",
                lambda prompt, earlier, size: (
                    _reusable(prompt, earlier, size)
                    + size * (_reusable(prompt, earlier, size) + size <= len(prompt))
                ),
            ),
            Slip(
                "It looks at the first block alone.",
                lambda prompt, earlier, size: min(size, _reusable(prompt, earlier, size)),
            ),
            Slip(
                "It looks at the first block alone.",
                lambda prompt, earlier, size: (
                    min(size, _reusable(prompt, earlier, size)) if len(prompt) >= size else None
                ),
            ),
            Slip(
                "It takes all or nothing: up to the first difference, whole blocks can be reused.",
                lambda prompt, earlier, size: len(prompt) if prompt == earlier else 0,
            ),
            Slip(
                "It rounds up to whole blocks; a block in which the prompts differ cannot be reused.",
                lambda prompt, earlier, size: -(-_common(prompt, earlier, size) // size) * size,
            ),
            Slip(
                "It leaves a token to be computed, as an engine does; count all that is there.",
                lambda prompt, earlier, size: _reusable(prompt[:-1], earlier, size),
            ),
            Slip(
                "It gives 0 unless every whole block is the same; those before the difference can be reused.",
                lambda prompt, earlier, size: (
                    _reusable(prompt, earlier, size)
                    * (_reusable(prompt, earlier, size) == len(prompt) // size * size)
                ),
            ),
        ),
        where={
            "It is wrong only where the prompts are equal as far as both go.": lambda prompt, earlier, size: (
                prompt[: len(earlier)] == earlier[: len(prompt)]
            ),
            "It is wrong only where the prompt is longer than the earlier one.": lambda now, earlier, size: (
                len(now) > len(earlier)
            ),
            "It is wrong only where the prompt ends within a block.": lambda prompt, earlier, size: (
                len(prompt) % size != 0
            ),
        },
        idea="Up to where are the two prompts the same?",
    )
    return Each(
        {
            "stale": Bug(
                _read_stale,
                stale,
                _is_memory,
                "When does a block hold something that is not this sequence's?",
            ),
            "prefix": Bug(
                _reusable_anywhere,
                prefix,
                _is_prompts,
                "Keys and values of a token depend on all the tokens before it.",
            ),
        }
    )
