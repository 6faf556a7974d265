"""Questions of chapter 05, paging."""

from ...blocks import BlockPool, BlockTable, OutOfBlocks
from ..answers import Function, Slip
from ..calls import Call, Result
from .common import question
from .old import Choice, Each, Function as OldFunction, Number


def _blocks(tokens, block_size):
    return BlockTable(BlockPool(1, block_size)).needs(tokens)


@question("05-blocks")
def _count():
    tokens, size = 1000, 16
    return Number(
        _blocks(tokens, size),
        {
            "You round down: the last tokens need a block too, though they do not fill it.": tokens // size,
            "Blocks come whole: round up.": tokens / size,
            "You take one block more than needed.": _blocks(tokens, size) + 1,
            "You count a block for each token; one holds several.": tokens,
            "You multiply; a block holds several tokens.": tokens * size,
        },
        idea="How many full blocks are there, and what is left over?",
    )


@question("05-needed", points=2)
def _needed():
    def cases(rng):
        yield from ((0, 16), (1, 16), (15, 16), (16, 16), (17, 16), (32, 16))
        for _ in range(20):
            yield rng.randint(0, 5000), rng.choice([1, 8, 16, 32, 128])

    return OldFunction(
        _blocks,
        cases,
        {
            "It rounds down: the last tokens get no block.": lambda t, s: t // s,
            "It always adds one: tokens that fill their blocks exactly get one too many.": lambda t, s: (
                t // s + 1
            ),
            "It gives a fraction: blocks come whole.": lambda t, s: t / s,
            "It rounds to the nearest: a block that is a quarter full is taken all the same.": lambda t, s: (
                round(t / s)
            ),
            "It gives the tokens that the blocks have room for, not the number of blocks.": lambda t, s: (
                _blocks(t, s) * s
            ),
            "It takes a block for an empty sequence, which needs none.": lambda t, s: max(1, _blocks(t, s)),
        },
        idea="Try 15, 16 and 17 tokens in blocks of 16.",
    )


@question("05-waste", points=2)
def _waste():
    lengths, limit, size = (100, 17, 512, 33), 2048, 16
    used = sum(lengths)
    paged = [_blocks(n, size) * size - n for n in lengths]
    return Each(
        {
            "contiguous": Number(
                limit * len(lengths) - used,
                {
                    "You count all the reserved slots; those with a token in them are not wasted.": limit
                    * len(lengths),
                    "You reserve for one sequence; each gets a reservation of its own.": limit - used,
                    "You count the slots in use.": used,
                },
                idea="Reserved slots less used ones.",
            ),
            "paged": Number(
                sum(paged),
                {
                    "You give a full last block one more: a sequence that fills its blocks wastes none.": sum(
                        paged
                    )
                    + size,
                    "You put the sequences into one row of blocks; two sequences share no block here.": -used
                    % size,
                    "You take half a block per sequence. That is the average; count these four.": len(lengths)
                    * size
                    // 2,
                    "You count all the slots of the blocks; most of them hold a token.": sum(paged) + used,
                    "You count the slots in use.": used,
                },
                idea="Only the last block of each sequence can have empty slots.",
            ),
        }
    )


@question("05-slot", points=2)
def _slot():
    def reference(token, block_table, block_size):
        table = BlockTable(BlockPool(1, block_size))
        table.blocks = list(block_table)
        return table.slot(token)

    def cases(rng):
        yield 20, [7, 3, 9], 16
        yield 0, [5], 16
        for _ in range(24):
            size, n = rng.choice([2, 4, 8]), rng.randint(1, 6)
            yield rng.randrange(n * size), rng.sample(range(40), n), size

    return OldFunction(
        reference,
        cases,
        {
            "It ignores the block table, which says where the token's block lies.": lambda t, b, s: t,
            "It gives the block; the slot is a place within it.": lambda t, b, s: b[t // s],
            "It gives the first slot of the block: the token may stand further in.": lambda t, b, s: (
                b[t // s] * s
            ),
            "It adds the block's number; block b begins at slot b × block_size.": lambda t, b, s: (
                b[t // s] + t % s
            ),
            "It gives the place within the block; which block is it?": lambda t, b, s: t % s,
            "It has quotient and remainder the wrong way round.": lambda t, b, s: b[t % s] * s + t // s,
        },
        idea="Which block of the table, and how far into it?",
    )


class _Pool:
    """What 05-allocator asks for, on kvlib's own pool."""

    def __init__(self, num_blocks):
        self.pool = BlockPool(num_blocks)

    def allocate(self, n):
        try:
            return list(self.pool.allocate(n))
        except OutOfBlocks:
            return None

    def free(self, blocks):
        self.pool.free(list(blocks))


class _Leaky(_Pool):
    def free(self, blocks):
        pass


class _Partial(_Pool):
    def allocate(self, n):
        return self.pool.allocate(min(n, self.pool.num_free))


class _Forgetful(_Pool):
    def allocate(self, n):
        return list(range(n)) if n <= self.pool.num_blocks else None

    def free(self, blocks):
        pass


class _Losing(_Pool):
    def allocate(self, n):
        blocks = self.pool.allocate(min(n, self.pool.num_free))
        return blocks if len(blocks) == n else None


class _Timid(_Pool):
    def allocate(self, n):
        return None if n >= self.pool.num_free else self.pool.allocate(n)


class _Raising(_Pool):
    def allocate(self, n):
        return self.pool.allocate(n)


class _Aliasing:
    """Keeps the caller's own list, which the caller may change."""

    def __init__(self, num_blocks):
        self.unused = list(range(num_blocks))

    def allocate(self, n):
        if n > len(self.unused):
            return None
        taken, self.unused = self.unused[:n], self.unused[n:]
        return taken

    def free(self, blocks):
        blocks += self.unused
        self.unused = blocks


def _scripts(rng):
    """Scripts of an allocator's life; what is freed is a list that was handed out and is still held."""

    def script(num_blocks, *verbs, spoil=False):
        steps, held, free = [Call("", (num_blocks,))], [], num_blocks
        for verb, n in verbs:
            if verb == "allocate":
                if n <= free:
                    held.append((len(steps), n))
                    free -= n
                steps.append(Call("allocate", (n,)))
            elif held:
                step, size = held.pop(n % len(held))
                free += size
                steps.append(Call("free", (Result(step),), spoil))
        return steps

    yield script(4, ("allocate", 3), ("allocate", 1))
    yield script(4, ("allocate", 3), ("allocate", 2), ("allocate", 1))
    yield script(4, ("allocate", 3), ("free", 0), ("allocate", 4))
    yield script(4, ("allocate", 3), ("free", 0), ("allocate", 4), spoil=True)
    for _ in range(30):
        verbs = [("allocate", 2)]
        for _ in range(7):
            verbs.append(
                ("free", rng.randint(0, 3)) if rng.random() < 0.4 else ("allocate", rng.randint(1, 4))
            )
        yield script(rng.randint(3, 8), *verbs)


def _handed_out(steps, values):
    """What each allocation of a script came to, whichever blocks it hands out."""
    [num_blocks] = steps[0].args
    held, seen = {}, []
    for number, (step, value) in enumerate(zip(steps, values, strict=False)):
        if step.name == "free":
            held.pop(step.args[0].step, None)
        elif step.name == "allocate" and not isinstance(value, list):
            seen.append("None" if value is None else "no list")
        elif step.name == "allocate":
            [n] = step.args
            taken = {block for blocks in held.values() for block in blocks}
            held[number] = value
            if len(value) != n or len(set(value)) != n:
                seen.append(f"{len(set(value))} different blocks, not {n}")
            elif taken & set(value):
                seen.append("a block that is in use")
            elif not set(value) <= set(range(num_blocks)):
                seen.append("a block that is not in the pool")
            else:
                seen.append(f"{n} blocks")
    return seen


@question("05-allocator", points=4, kind="code", minutes=12)
def _allocator():
    return Function(
        _Pool,
        _scripts,
        (
            Slip("It never gets blocks back: what is freed must be free again.", _Leaky),
            Slip("It hands out fewer blocks than asked for; give all of them or None.", _Partial),
            Slip("It hands out blocks that another sequence holds.", _Forgetful),
            Slip("It loses blocks when it refuses: a request that gets None must take nothing.", _Losing),
            Slip("It refuses when exactly as many are free as are asked for; that is enough.", _Timid),
            Slip("It raises when the pool runs short; return None.", _Raising),
            Slip(
                "It keeps the caller's own list. The caller may change it afterwards: copy the blocks.",
                _Aliasing,
            ),
        ),
        read=_handed_out,
        idea="Follow the script by hand and note who holds which block.",
    )


@question("05-share", points=2)
def _share():
    prompt, new, size, n = 100, 20, 16, 3
    pool = BlockPool(1000, size)
    first = BlockTable(pool)
    first.append(prompt)
    for table in [first, *(first.fork() for _ in range(n - 1))]:
        table.append(new)
    shared, alone = _blocks(prompt, size), _blocks(prompt + new, size)
    return Number(
        pool.num_used,
        {
            "You count each sequence alone; full blocks of the prompt are kept once for all.": n * alone,
            "You let all three write into the prompt's last block. It is partly filled, and each writes"
            " something else there.": shared + n * (alone - shared),
            "You keep the prompt's last block as a fourth copy; its last owner writes into it.": pool.num_used
            + 1,
            "You start the new tokens in blocks of their own, after the prompt's last one.": shared
            + n * _blocks(new, size),
            "You count one sequence only.": alone,
            "You count the prompt only.": shared,
        },
        idea="Which of the prompt's blocks are full, and what does each sequence have of its own?",
    )


@question("05-tricks", points=4)
def _tricks():
    heads = "Heads are shared by the model's design; only one of the four tricks is about that."
    context = "Only one of the four makes a layer look back on fewer tokens."
    number = "Only one of the four stores each number in fewer bytes."
    nothing = "This one does make a factor smaller. Which number in the formula is another with it?"
    factors = {"H_kv": heads, "T": context, "bytes": number, "nothing": nothing}

    def is_(right, **more):
        return Choice(right, {k: s for k, s in (factors | more).items() if k != right})

    waste = "The blocks hold the same tokens, heads and bytes. Paging is about the slots that hold nothing."
    return Each(
        {
            "grouped-query attention": is_("H_kv"),
            "a sliding window": is_("T"),
            "an int8 cache": is_("bytes"),
            "paged attention": is_("nothing", H_kv=waste, T=waste, bytes=waste),
        }
    )
