"""Requests that arrive, grow and leave: one memory, shared out in two ways.

"reserved" gives every request a contiguous run of slots for the longest answer it may give, as
engines did before paging; "exact" does so too, but is told each answer's length beforehand, which
no engine is; "paged" hands out blocks as tokens come, from the same `BlockPool` as the paged cache.

    >>> stream = requests(12, seed=1)
    >>> simulate(stream, memory=384, policy="reserved").summary()["steps"]
    74
    >>> simulate(stream, memory=384, policy="paged").summary()["steps"]
    70
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from ..blocks import BlockPool, BlockTable, OutOfBlocks
from ..units import unknown, whole_number

POLICIES = ("reserved", "exact", "paged")


@dataclass(frozen=True)
class Request:
    """One request: it arrives at step `arrival` with a prompt and asks for `new_tokens` more.

    prefix         name of the system prompt its prompt begins with (None: none)
    prefix_tokens  tokens of that system prompt, at most prompt_tokens
    """

    id: int
    arrival: int
    prompt_tokens: int
    new_tokens: int
    prefix: str | None = None
    prefix_tokens: int = 0

    def __post_init__(self):
        whole_number("id", self.id, 0)
        whole_number("arrival", self.arrival, 0)
        whole_number("prompt_tokens", self.prompt_tokens)
        whole_number("new_tokens", self.new_tokens)
        if self.prefix is None and self.prefix_tokens:
            raise ValueError("prefix_tokens needs the prefix's name in prefix")
        if self.prefix is not None and whole_number("prefix_tokens", self.prefix_tokens) > self.prompt_tokens:
            raise ValueError(
                f"prefix_tokens must be at most prompt_tokens ({self.prompt_tokens}), "
                f"not {self.prefix_tokens}"
            )

    @property
    def tokens(self) -> int:
        """Tokens held when the request is done: its prompt and every new one."""
        return self.prompt_tokens + self.new_tokens


@dataclass(frozen=True)
class Held:
    """What one request has of the memory. Contiguous: `size` slots from `start`. Paged: `blocks`."""

    request: int
    tokens: int
    start: int | None = None
    size: int = 0
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The memory after one step, in token slots: used + to_come + internal + free = memory.

    used      slots that hold a token; a shared token counts once
    to_come   taken, empty, and filled before their owner leaves
    internal  taken and never filled (internal fragmentation)
    free      not taken; `external` of these lie in gaps too short for the request that waits first
    """

    step: int
    running: tuple[Held, ...]
    waiting: tuple[int, ...]
    preempted: tuple[int, ...]
    prefixes: tuple[tuple[str, Held], ...]
    used: int
    to_come: int
    internal: int
    free: int
    external: int

    @property
    def taken(self) -> int:
        """Slots reserved or in handed-out blocks."""
        return self.used + self.to_come + self.internal

    @property
    def utilization(self) -> float:
        """Tokens held / slots taken (1.0 while nothing is taken)."""
        return self.used / self.taken if self.taken else 1.0


@dataclass(frozen=True)
class Run:
    """A stream of requests served under one policy, step by step."""

    policy: str
    memory: int
    requests: tuple[Request, ...]
    frames: tuple[Frame, ...] = field(repr=False)
    block_size: int | None = None

    def summary(self) -> dict:
        """The run in numbers.

        steps            until the last request is done
        tokens_per_step  new tokens / steps
        peak_running     most requests served in one step
        utilization      tokens held / slots taken, summed over all steps
        wait             mean steps between arrival and the first token
        preempted        times a request was thrown out, to be computed again
        """
        first = {}
        for frame in self.frames:
            for held in frame.running:
                first.setdefault(held.request, frame.step)
        taken = sum(f.taken for f in self.frames)
        made = sum(r.new_tokens for r in self.requests)
        return {
            "steps": len(self.frames),
            "tokens_per_step": made / len(self.frames),
            "peak_running": max(len(f.running) for f in self.frames),
            "utilization": sum(f.used for f in self.frames) / taken,
            "wait": sum(first[r.id] - r.arrival for r in self.requests) / len(self.requests),
            "preempted": sum(len(f.preempted) for f in self.frames),
        }


def requests(n, seed=0, *, gap=2, prompt=(8, 40), new=(4, 56), prefix_tokens=0) -> tuple[Request, ...]:
    """A stream of `n` requests, the same for the same seed everywhere.

    Up to 2 × `gap` steps pass between two arrivals. Lengths are drawn from the inclusive ranges
    `prompt` and `new`, each the smaller of two draws: most are short and a few are long, as real
    ones are. With `prefix_tokens`, every prompt begins with the same system prompt of that length.
    """
    n, gap = whole_number("n", n), whole_number("gap", gap, 0)
    prefix_tokens = whole_number("prefix_tokens", prefix_tokens, 0)
    for argument, (low, high) in (("prompt", prompt), ("new", new)):
        if whole_number(argument, low) > whole_number(argument, high):
            raise ValueError(f"{argument} must be (least, most), not {(low, high)!r}")
    draw = random.Random(seed).randint
    arrival, stream = 0, []
    for i in range(n):
        own, made = (min(draw(*span), draw(*span)) for span in (prompt, new))
        name = "system" if prefix_tokens else None
        stream.append(Request(i, arrival, prefix_tokens + own, made, name, prefix_tokens))
        arrival += draw(0, 2 * gap)
    return tuple(stream)


def simulate(requests, memory, policy="paged", *, block_size=16, share_prefix=False, max_tokens=None) -> Run:
    """Serve `requests` from `memory` token slots under a policy; a Run with one Frame a step.

    In one step every running request gains one token, then requests that wait are admitted, first
    come first served, while there is room; an admitted one stores its prompt and its first new token.
    Whoever is done leaves at the step's end. Paged, a request is admitted when blocks are free for just that.
    When a running request then finds no free block, the one admitted last gives its blocks back
    and waits again, first in the queue; readmitted, it stores all it had at once (recomputation).

    max_tokens    slots that "reserved" gives a request; None: those of the longest of the stream
    share_prefix  paged only: a system prompt is stored once, from its first use until the last
                  request that begins with it is done, and forked by each

    Raises ValueError for an unknown policy, or a memory that can't hold the largest request.
    """
    stream = tuple(sorted(requests, key=lambda r: (r.arrival, r.id)))
    if not stream:
        raise ValueError("requests must hold at least one Request")
    if len({r.id for r in stream}) < len(stream):
        raise ValueError("requests must each have an id of their own")
    memory, block_size = whole_number("memory", memory), whole_number("block_size", block_size)
    longest = max(r.tokens for r in stream)
    max_tokens = longest if max_tokens is None else whole_number("max_tokens", max_tokens, longest)
    if policy == "paged":
        store = _Paged(stream, memory, block_size, share_prefix)
    elif policy in POLICIES:
        store = _Contiguous(stream, memory, max_tokens if policy == "reserved" else None)
    else:
        raise unknown("policy", policy, POLICIES)

    by_id = {r.id: r for r in stream}
    to_arrive, queue, frames = list(reversed(stream)), [], []
    made = dict.fromkeys(by_id, 0)
    running = []  # ids, in the order of admission
    while to_arrive or queue or running:
        while to_arrive and to_arrive[-1].arrival <= len(frames):
            queue.append(to_arrive.pop().id)
        preempted = []
        for r in list(running):
            while r in running and not store.grow(by_id[r]):
                last = running.pop()
                store.leave(by_id[last], done=False)
                queue.insert(0, last)
                preempted.append(last)
            if r in running:
                made[r] += 1
        while queue and not preempted:
            head = by_id[queue[0]]
            if not store.admit(head, head.prompt_tokens + made[head.id] + 1):
                break
            running.append(queue.pop(0))
            made[head.id] += 1
        head = by_id[queue[0]] if queue else None
        frames.append(
            Frame(
                step=len(frames),
                running=tuple(store.held(r) for r in running),
                waiting=tuple(queue),
                preempted=tuple(preempted),
                **store.slots(running, head),
            )
        )
        for r in [r for r in running if made[r] == by_id[r].new_tokens]:
            running.remove(r)
            store.leave(by_id[r], done=True)
    return Run(policy, memory, stream, tuple(frames), block_size if policy == "paged" else None)


class _Contiguous:
    """Each request in one run of slots, first fit; `reserve` slots, or just what it will need."""

    def __init__(self, stream, memory, reserve):
        self.memory, self.reserve = memory, reserve
        self.final = {r.id: r.tokens for r in stream}
        self.spans, self.tokens = {}, {}
        if memory < (need := max(self.size(r) for r in stream)):
            raise ValueError(f"memory must be at least {need} slots, what one request reserves, not {memory}")

    def size(self, request):
        return self.reserve or request.tokens

    def gaps(self):
        """(start, size) of each run of free slots."""
        at = 0
        for start, size in [*sorted(self.spans.values()), (self.memory, 0)]:
            if start > at:
                yield at, start - at
            at = start + size

    def admit(self, request, tokens):
        need = self.size(request)
        start = next((start for start, size in self.gaps() if size >= need), None)
        if start is None:
            return False
        self.spans[request.id], self.tokens[request.id] = (start, need), tokens
        return True

    def grow(self, request):
        self.tokens[request.id] += 1
        return True

    def leave(self, request, done):
        del self.spans[request.id], self.tokens[request.id]

    def held(self, r):
        start, size = self.spans[r]
        return Held(r, self.tokens[r], start, size)

    def slots(self, running, head):
        used, taken = sum(self.tokens.values()), sum(size for _, size in self.spans.values())
        to_come = sum(self.final[r] for r in running) - used
        short = [size for _, size in self.gaps() if head and size < self.size(head)]
        return {
            "used": used, "to_come": to_come, "internal": taken - used - to_come,
            "free": self.memory - taken, "external": sum(short), "prefixes": (),
        }  # fmt: skip


class _Paged:
    """A block table a request, over one pool; system prompts in tables of their own."""

    def __init__(self, stream, memory, block_size, share):
        self.pool = BlockPool(memory // block_size if memory >= block_size else 1, block_size)
        self.memory, self.share = memory, share
        self.final = {r.id: r.tokens for r in stream}
        self.tables, self.prefixes = {}, {}
        self.left = Counter(r.prefix for r in stream)
        names = {(r.prefix, r.prefix_tokens) for r in stream if share and r.prefix is not None}
        if len(names) > len({name for name, _ in names}):
            raise ValueError("prefix_tokens must be the same for every request with the same prefix")
        need = self.blocks(max(self.final.values())) + sum(self.blocks(tokens) for _, tokens in names)
        if need * block_size > memory:
            raise ValueError(
                f"memory must be at least {need * block_size} slots: {need} blocks of {block_size}, "
                f"for the longest request and every shared prefix, not {memory}"
            )

    def blocks(self, tokens):
        return -(-tokens // self.pool.block_size)

    def admit(self, request, tokens):
        shares = self.share and request.prefix is not None
        need = self.blocks(tokens)
        if shares:
            # Only whole blocks stay shared: a fork that appends copies a block begun.
            need -= request.prefix_tokens // self.pool.block_size
            if request.prefix not in self.prefixes:
                need += self.blocks(request.prefix_tokens)
        if need > self.pool.num_free:
            return False
        if shares:
            if request.prefix not in self.prefixes:
                self.prefixes[request.prefix] = BlockTable(self.pool)
                self.prefixes[request.prefix].append(request.prefix_tokens)
            table = self.prefixes[request.prefix].fork()
        else:
            table = BlockTable(self.pool)
        table.append(tokens - table.length)
        self.tables[request.id] = table
        return True

    def grow(self, request):
        try:
            self.tables[request.id].append(1)
        except OutOfBlocks:
            return False
        return True

    def leave(self, request, done):
        self.tables.pop(request.id).free()
        self.left[request.prefix] -= done
        if not self.left[request.prefix] and request.prefix in self.prefixes:
            self.prefixes.pop(request.prefix).free()

    def held(self, r):
        return Held(r, self.tables[r].length, blocks=tuple(self.tables[r].blocks))

    def slots(self, running, head):
        size = self.pool.block_size
        now, later = {}, {}  # block -> tokens in it, and in the end
        owners = [(self.tables[r], self.final[r]) for r in running]
        for table, final in owners + [(t, t.length) for t in self.prefixes.values()]:
            for i, block in enumerate(table.blocks):
                now[block] = max(now.get(block, 0), min(size, table.length - i * size))
                later[block] = max(later.get(block, 0), min(size, final - i * size))
        used, end = sum(now.values()), sum(later.values())
        return {
            "used": used, "to_come": end - used, "internal": size * len(now) - end,
            "free": self.memory - size * len(now), "external": 0,
            "prefixes": tuple((name, Held(-1, t.length, blocks=tuple(t.blocks)))
                              for name, t in self.prefixes.items()),
        }  # fmt: skip
