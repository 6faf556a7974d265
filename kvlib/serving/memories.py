"""The two ways to share out one memory of token slots: contiguous runs, and blocks of a pool.

`simulation.simulate` plays a stream of requests on either; what it asks of a memory is `Memory`.
No keys or values are kept here, only who holds which slot.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from ..blocks import BlockPool, BlockTable, OutOfBlocks, filled
from .stream import Request


@dataclass(frozen=True)
class Held:
    """What one request has of the memory. Contiguous: `size` slots from `start`. Paged: `blocks`.

    tokens  how many tokens it has stored there
    """

    request: int
    tokens: int
    start: int | None = None
    size: int = 0
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Copied:
    """Copy-on-write: before `request` wrote into the block `source`, which others own too, the `tokens`
    tokens in it were copied to `target`, a block of its own."""

    request: int
    tokens: int
    source: int
    target: int


class Memory(Protocol):
    """What the simulation asks of a memory, in this order within a step: grow, admit, copied, counts, leave.

    A request is inside from a successful `admit` until `leave`. Between the two its tokens only
    grow in number. The constructor raises ValueError if the memory could not hold the largest
    request by itself, so that a request which finds no room only has to wait for others to leave.
    """

    def grow(self, request: Request) -> bool:
        """Make room for one more token of a request inside. False, with nothing changed: no room."""

    def admit(self, request: Request, tokens: int) -> bool:
        """Take in a request with its first `tokens` tokens. False, with nothing changed: no room."""

    def leave(self, request: Request, done: bool) -> int:
        """Take back all that a request inside holds; unless `done`, it will ask to be admitted again.

        Returns the tokens that are lost with it: those stored for no other.
        """

    def copied(self) -> tuple[Copied, ...]:
        """The blocks copied since it was asked last."""

    def refs(self) -> tuple[int, ...]:
        """How many tables own each block, 0 where it is free; () where there are no blocks."""

    def held(self, id: int) -> Held:
        """What the request inside with this id holds."""

    def prefixes(self) -> tuple[tuple[str, Held], ...]:
        """Each system prompt that is stored for several requests: its name and what it holds."""

    def counts(self, first_waiting: Request | None) -> dict[str, int]:
        """A Frame's used, to_come, internal, free and external, in slots.

        first_waiting  the request that waits first: gaps too short for it are `external`
        """


class Contiguous:
    """A `Memory` in which each request has one unbroken run of slots, found first fit.

    reserve  slots of each run; None: just what the request will need in the end
    """

    def __init__(self, stream, slots, reserve):
        self.slots, self.reserve = slots, reserve
        self.final = {r.id: r.tokens for r in stream}
        self.runs, self.tokens = {}, {}  # id -> (start, size); id -> tokens stored
        if slots < (need := max(self.size(r) for r in stream)):
            raise ValueError(f"memory must be at least {need} slots, what one request reserves, not {slots}")

    def size(self, request):
        return self.reserve or request.tokens

    def gaps(self):
        """(start, size) of each run of free slots."""
        at = 0
        for start, size in [*sorted(self.runs.values()), (self.slots, 0)]:
            if start > at:
                yield at, start - at
            at = start + size

    def grow(self, request):
        self.tokens[request.id] += 1  # always within its run: the run is as long as it will ever need
        return True

    def admit(self, request, tokens):
        need = self.size(request)
        start = next((start for start, size in self.gaps() if size >= need), None)
        if start is None:
            return False
        self.runs[request.id], self.tokens[request.id] = (start, need), tokens
        return True

    def leave(self, request, done):
        del self.runs[request.id]
        return self.tokens.pop(request.id)

    def copied(self):
        return ()

    def refs(self):
        return ()

    def held(self, id):
        start, size = self.runs[id]
        return Held(id, self.tokens[id], start, size)

    def prefixes(self):
        return ()

    def counts(self, first_waiting):
        used, taken = sum(self.tokens.values()), sum(size for _, size in self.runs.values())
        to_come = sum(self.final[id] for id in self.runs) - used
        need = self.size(first_waiting) if first_waiting else 0
        return {
            "used": used,
            "to_come": to_come,
            "internal": taken - used - to_come,
            "free": self.slots - taken,
            "external": sum(size for _, size in self.gaps() if size < need),
        }


class Paged:
    """A `Memory` in which each request has a block table over one pool.

    share  whether a system prompt is stored once, in a table of its own that requests fork
    """

    def __init__(self, stream, slots, block_size, share):
        self.pool = BlockPool(slots // block_size if slots >= block_size else 1, block_size)
        self.slots, self.share = slots, share
        self.final = {r.id: r.tokens for r in stream}
        self.tables, self.shared = {}, {}  # id -> BlockTable; prefix -> BlockTable
        self.copies = []  # since they were asked for
        self.not_done = Counter(r.prefix for r in stream)
        names = {(r.prefix, r.prefix_tokens) for r in stream if share and r.prefix is not None}
        if len(names) > len({name for name, _ in names}):
            raise ValueError("prefix_tokens must be the same for every request with the same prefix")
        need = self.blocks(max(self.final.values())) + sum(self.blocks(tokens) for _, tokens in names)
        if need * block_size > slots:
            raise ValueError(
                f"memory must be at least {need * block_size} slots: {need} blocks of {block_size}, "
                f"for the longest request and every shared prefix, not {slots}"
            )

    def blocks(self, tokens):
        return -(-tokens // self.pool.block_size)

    def append(self, table, tokens, id):
        inside = table.length % self.pool.block_size
        self.copies += [Copied(id, inside, *copy) for copy in table.append(tokens)]

    def grow(self, request):
        try:
            self.append(self.tables[request.id], 1, request.id)
        except OutOfBlocks:
            return False
        return True

    def admit(self, request, tokens):
        shares = self.share and request.prefix is not None
        need = self.blocks(tokens)
        if shares:
            # Only the prefix's full blocks stay shared: a fork copies a partly filled one to append.
            need -= request.prefix_tokens // self.pool.block_size
            if request.prefix not in self.shared:
                need += self.blocks(request.prefix_tokens)
        if need > self.pool.num_free:
            return False
        if shares:
            if request.prefix not in self.shared:
                self.shared[request.prefix] = BlockTable(self.pool)
                self.shared[request.prefix].append(request.prefix_tokens)
            table = self.shared[request.prefix].fork()
        else:
            table = BlockTable(self.pool)
        self.append(table, tokens - table.length, request.id)
        self.tables[request.id] = table
        return True

    def leave(self, request, done):
        table = self.tables.pop(request.id)
        lost = table.length - (request.prefix_tokens if request.prefix in self.shared else 0)
        table.free()
        self.not_done[request.prefix] -= done
        if not self.not_done[request.prefix] and request.prefix in self.shared:
            self.shared.pop(request.prefix).free()
        return lost

    def copied(self):
        copies, self.copies = tuple(self.copies), []
        return copies

    def refs(self):
        return tuple(map(self.pool.refs, range(self.pool.num_blocks)))

    def held(self, id):
        return Held(id, self.tables[id].length, blocks=tuple(self.tables[id].blocks))

    def prefixes(self):
        return tuple(
            (name, Held(-1, table.length, blocks=tuple(table.blocks))) for name, table in self.shared.items()
        )

    def counts(self, first_waiting):
        size = self.pool.block_size
        tables = [*self.tables.values(), *self.shared.values()]
        finals = [self.final[id] for id in self.tables] + [table.length for table in self.shared.values()]
        now = filled(tables)
        used, at_the_end = sum(now.values()), sum(filled(tables, finals).values())
        return {
            "used": used,
            "to_come": at_the_end - used,
            "internal": size * len(now) - at_the_end,
            "free": self.slots - size * len(now),
            "external": 0,  # any free block will do
        }
