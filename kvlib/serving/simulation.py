"""Requests that arrive, grow and leave, served from one memory step by step.

The memory is allocated in one of three ways. "reserved" gives every request a contiguous run of
slots for the longest answer it may give, as engines did before paging; "exact" does so too, but is
told each answer's length beforehand, which no engine is; "paged" hands out blocks as tokens come,
from the same `BlockPool` as the paged cache.

    >>> from kvlib.serving import requests
    >>> stream = requests(12, seed=1)
    >>> simulate(stream, memory=384, allocation="reserved").summary()["steps"]
    74
    >>> simulate(stream, memory=384, allocation="paged").summary()["steps"]
    70
"""

from dataclasses import dataclass, field

from ..units import unknown, whole_number
from .memories import Contiguous, Copied, Held, Memory, Paged
from .stream import Request

ALLOCATIONS = ("reserved", "exact", "paged")


@dataclass(frozen=True)
class Preempted:
    """`request` was thrown out, because `by` needed a block and none was free; the two may be one.

    tokens  how many tokens it will compute again: all it held, but for a shared prefix's
    """

    request: int
    by: int
    tokens: int


@dataclass(frozen=True)
class Frame:
    """The memory after one step, in token slots: used + to_come + internal + free = memory.

    running    what each request being served holds, in the order of admission
    waiting    ids of the requests that wait, first come first
    preempted  who was thrown out in this step, in this order
    admitted   ids of those admitted in this step, in this order
    copied     the blocks copied in this step because others own them too
    prefixes   (name, what it holds) of each system prompt that is shared
    refs       how many tables own each block, a shared prefix's own among them; () if there are no blocks
    used       slots that hold a token; a shared token counts once
    to_come    taken, empty, and filled before their owner leaves
    internal   taken and never filled (internal fragmentation)
    free       not taken; `external` of these lie in gaps too short for the request that waits first
    """

    step: int
    running: tuple[Held, ...]
    waiting: tuple[int, ...]
    preempted: tuple[Preempted, ...]
    admitted: tuple[int, ...]
    copied: tuple[Copied, ...]
    prefixes: tuple[tuple[str, Held], ...]
    refs: tuple[int, ...]
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
    """A stream of requests served from `memory` slots under one allocation, a Frame per step."""

    allocation: str
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
        first: dict[int, int] = {}  # id -> the step of its first token
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


def simulate(
    requests, memory, allocation="paged", *, block_size=16, share_prefix=False, max_tokens=None
) -> Run:
    """Serve `requests` from `memory` token slots under an allocation; a Run with one Frame per step.

    In one step every running request gains one token, then requests that wait are admitted, first
    come first served, while there is room; an admitted one stores its prompt and its first new token.
    Whoever is done leaves at the step's end. Paged, a request is admitted when blocks are free for
    just that. When a running request then finds no free block, the one admitted last gives its blocks
    back and waits again, first in the queue; readmitted, it stores all it had at once (recomputation).

    max_tokens    slots that "reserved" gives a request; None: those of the longest of the stream
    share_prefix  paged only: a system prompt is stored once, from its first use until the last
                  request that begins with it is done, and forked by each

    Raises ValueError for an unknown allocation, or a memory that can't hold the largest request.
    """
    stream = tuple(sorted(requests, key=lambda r: (r.arrival, r.id)))
    if not stream:
        raise ValueError("requests must hold at least one Request")
    if len({r.id for r in stream}) < len(stream):
        raise ValueError("requests must each have an id of their own")
    memory, block_size = whole_number("memory", memory), whole_number("block_size", block_size)
    longest = max(r.tokens for r in stream)
    max_tokens = longest if max_tokens is None else whole_number("max_tokens", max_tokens, longest)
    if allocation not in ALLOCATIONS:
        raise unknown("allocation", allocation, ALLOCATIONS)
    slots: Memory
    if allocation == "paged":
        slots = Paged(stream, memory, block_size, share_prefix)
    else:
        slots = Contiguous(stream, memory, max_tokens if allocation == "reserved" else None)
    frames = tuple(_frames(stream, slots))
    return Run(allocation, memory, stream, frames, block_size if allocation == "paged" else None)


def _frames(stream, memory: Memory):
    """One Frame per step, until every request of the stream, sorted by arrival, is done."""
    by_id = {r.id: r for r in stream}
    to_arrive, step = list(reversed(stream)), 0
    queue: list[int] = []  # ids, who waits first comes first
    made = dict.fromkeys(by_id, 0)  # new tokens of each request
    running: list[int] = []  # ids, in the order of admission
    while to_arrive or queue or running:
        while to_arrive and to_arrive[-1].arrival <= step:
            queue.append(to_arrive.pop().id)
        preempted: list[Preempted] = []
        admitted: list[int] = []
        for r in list(running):
            while r in running and not memory.grow(by_id[r]):
                last = running.pop()
                lost = memory.leave(by_id[last], done=False)
                queue.insert(0, last)
                preempted.append(Preempted(last, r, lost))
            if r in running:
                made[r] += 1
        # Who was thrown out in this step is not taken in again in the same one.
        while queue and not preempted:
            first = by_id[queue[0]]
            if not memory.admit(first, first.prompt_tokens + made[first.id] + 1):
                break
            admitted.append(queue.pop(0))
            running.append(first.id)
            made[first.id] += 1
        yield Frame(
            step=step,
            running=tuple(memory.held(r) for r in running),
            waiting=tuple(queue),
            preempted=tuple(preempted),
            admitted=tuple(admitted),
            copied=memory.copied(),
            prefixes=memory.prefixes(),
            refs=memory.refs(),
            **memory.counts(by_id[queue[0]] if queue else None),
        )
        for r in [r for r in running if made[r] == by_id[r].new_tokens]:
            running.remove(r)
            memory.leave(by_id[r], done=True)
        step += 1
