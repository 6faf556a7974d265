"""Paging's book-keeping: a pool of equal blocks and a block table for each sequence.

Nothing here holds keys or values, only who owns which block, so it runs without torch.
`kvlib.cache.PagedCache` keeps real tensors by these tables; `kvlib.serving` plays a
stream of requests on them.
"""

import random
from collections import Counter

from .units import whole_number


class OutOfBlocks(RuntimeError):
    """The pool has fewer free blocks than were asked for; `short` says by how many."""

    def __init__(self, asked: int, free: int):
        self.short = asked - free
        super().__init__(f"out of blocks: {self.short} short ({asked} asked for, {free} free)")


class BlockPool:
    """`num_blocks` blocks of `block_size` tokens: a free list and a count of owners a block."""

    def __init__(self, num_blocks: int, block_size: int = 16):
        self.num_blocks = whole_number("num_blocks", num_blocks)
        self.block_size = whole_number("block_size", block_size)
        self._free = list(range(self.num_blocks - 1, -1, -1))  # a stack, block 0 on top
        self._refs = [0] * self.num_blocks

    @property
    def num_free(self) -> int:
        return len(self._free)

    @property
    def num_used(self) -> int:
        return self.num_blocks - len(self._free)

    def refs(self, block: int) -> int:
        """How many tables own `block`; 0 means it is free."""
        return self._refs[block]

    def allocate(self, n: int) -> list[int]:
        """`n` free blocks, each now with one owner. All or none: raises OutOfBlocks."""
        n = whole_number("n", n, least=0)
        if n > len(self._free):
            raise OutOfBlocks(n, len(self._free))
        blocks = [self._free.pop() for _ in range(n)]
        for block in blocks:
            self._refs[block] = 1
        return blocks

    def share(self, blocks) -> None:
        """One more owner for each of `blocks`. Raises ValueError if one is free."""
        blocks = list(blocks)
        self._must_own(Counter(set(blocks)))
        for block in blocks:
            self._refs[block] += 1

    def free(self, blocks) -> None:
        """One owner fewer for each of `blocks`; a block without owners is free again.

        Raises ValueError, and frees nothing, if a block has no owner left to take away.
        """
        blocks = list(blocks)
        self._must_own(Counter(blocks))
        for block in reversed(blocks):  # so that they are handed out again in the same order
            self._refs[block] -= 1
            if self._refs[block] == 0:
                self._free.append(block)

    def shuffle(self, seed: int = 0) -> None:
        """Put the free blocks in an order that only `seed` decides, as after long use of the pool."""
        self._free.sort()
        random.Random(whole_number("seed", seed, least=0)).shuffle(self._free)

    def _must_own(self, times: Counter) -> None:
        for block, n in times.items():
            if not 0 <= block < self.num_blocks:
                raise ValueError(f"blocks must be between 0 and {self.num_blocks - 1}, not {block!r}")
            if self._refs[block] < n:
                raise ValueError(f"blocks: block {block} has {self._refs[block]} owners, fewer than {n}")


class BlockTable:
    """One sequence's blocks, in order: token i lives in `blocks[i // block_size]`."""

    def __init__(self, pool: BlockPool):
        self.pool = pool
        self.blocks: list[int] = []
        self.length = 0

    def needs(self, n_tokens: int) -> int:
        """Blocks that `append(n_tokens)` would take from the pool."""
        n_tokens = whole_number("n_tokens", n_tokens, least=0)
        more = -(-(self.length + n_tokens) // self.pool.block_size) - len(self.blocks)
        return more + (n_tokens > 0 and self._writes_shared())

    def append(self, n_tokens: int = 1) -> list[tuple[int, int]]:
        """Make room for `n_tokens` more; returns the (from, to) blocks to copy before writing.

        There is at most one: a last block that is partly filled and that another table
        owns too. This table gets a block of its own in its place (copy-on-write).
        Raises OutOfBlocks, and changes nothing, if the pool cannot give what it needs.
        """
        fresh = self.pool.allocate(self.needs(n_tokens))
        copies = []
        if n_tokens and self._writes_shared():
            shared, self.blocks[-1] = self.blocks[-1], fresh.pop(0)
            self.pool.free([shared])
            copies = [(shared, self.blocks[-1])]
        self.blocks += fresh
        self.length += n_tokens
        return copies

    def crop(self, length: int) -> None:
        """Forget all tokens behind the first `length`, and give back the blocks that held only those."""
        if whole_number("length", length, least=0) > self.length:
            raise ValueError(f"length must be at most {self.length}, the tokens of the table, not {length}")
        kept = -(-length // self.pool.block_size)
        self.pool.free(self.blocks[kept:])
        del self.blocks[kept:]
        self.length = length

    def slot(self, token: int) -> int:
        """Where `token` lives in the pool's memory, counted in tokens."""
        block, offset = divmod(token, self.pool.block_size)
        return self.blocks[block] * self.pool.block_size + offset

    def fork(self) -> "BlockTable":
        """A second sequence with the same past: the same blocks, one owner more each."""
        twin = BlockTable(self.pool)
        self.pool.share(self.blocks)
        twin.blocks, twin.length = list(self.blocks), self.length
        return twin

    def free(self) -> None:
        """Give every block back; the table is empty and can be used again."""
        self.pool.free(self.blocks)
        self.blocks, self.length = [], 0

    def _writes_shared(self) -> bool:
        return self.length % self.pool.block_size != 0 and self.pool.refs(self.blocks[-1]) > 1


def append_all(tables, tokens) -> list[tuple[int, int]]:
    """`append(n)` to each table for its n in `tokens`: all, or none and OutOfBlocks.

    Returns every (from, to) to copy. Of the tables that own one partly filled block, the
    last to write keeps it, unless a table that does not write owns it too.
    """
    writing = [(table, n) for table, n in zip(tables, tokens, strict=True) if n]
    asked = sum(table.needs(n) for table, n in writing)
    last = Counter(table.blocks[-1] for table, _ in writing if table._writes_shared())
    if writing:
        pool = writing[0][0].pool
        asked -= sum(pool.refs(block) == owners for block, owners in last.items())
        if asked > pool.num_free:
            raise OutOfBlocks(asked, pool.num_free)
    return [copy for table, n in writing for copy in table.append(n)]


def filled(tables, lengths=None) -> dict[int, int]:
    """Tokens in each block that the tables own; a block that several share counts once.

    lengths  tokens of each table, if other than it has now
    """
    tables = list(tables)
    tokens: dict[int, int] = {}
    for table, length in zip(tables, lengths or [t.length for t in tables], strict=True):
        size = table.pool.block_size
        for i, block in enumerate(table.blocks):
            tokens[block] = max(tokens.get(block, 0), min(size, length - i * size))
    return tokens
