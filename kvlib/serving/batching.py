"""Continuous batching in time: what each step computes, how long it takes at the least, and who waits for it.

A step reads the weights once and the cache of each sequence in it, and computes every token in it; it takes
the longer of the two (`Costs`). What is in a step, the policy decides:

- "static": a batch starts when the one before it is done to its last token;
- "prefill first": requests join and leave at every step (Orca, OSDI 2022); a step computes either whole
  prompts that have arrived or one token of each running request, and prompts go first;
- "chunked": a step has one token of each running request, then as much of the prompts as its budget of
  tokens leaves (Sarathi, arXiv 2308.16369): no one who reads an answer waits for another's whole prompt.

These are floors: the time of the scheduler, of launches and of sampling is not in them, and no kernel
reaches the peak of a datasheet. What they show is who waits for whom.
"""

import random
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from statistics import median

from ..budget import Arithmetic, Budget
from ..hardware import gpu as as_gpu
from ..units import fmt, unknown, whole_number

POLICIES = ("static", "prefill first", "chunked")


@dataclass(frozen=True)
class Arrival:
    """A request that comes `at` seconds after the start: its prompt's tokens, and those of its answer.

    cached  tokens at the prompt's beginning whose keys and values are there already (a prefix cache)
    Raises ValueError for a count out of range.
    """

    at: float
    prompt: int
    new: int
    cached: int = 0

    def __post_init__(self):
        if not self.at >= 0:
            raise ValueError(f"at must be at least 0 seconds, not {self.at!r}")
        whole_number("prompt", self.prompt), whole_number("new", self.new)
        if whole_number("cached", self.cached, 0) >= self.prompt:
            raise ValueError(
                f"cached must be less than prompt, {self.prompt:,}, whose last token is always computed"
            )

    @property
    def tokens(self) -> int:
        """Tokens held when the request is done."""
        return self.prompt + self.new


def arrivals(n, rate, seed=0, *, prompt=(64, 1024), new=(32, 256)) -> tuple[Arrival, ...]:
    """`n` requests, `rate` a second on average, at times that know nothing of each other (Poisson).

    Lengths are drawn from the inclusive ranges `prompt` and `new`. The same for the same seed everywhere.
    """
    whole_number("n", n)
    if not rate > 0:
        raise ValueError(f"rate must be more than 0 requests a second, not {rate!r}")
    draw, at, stream = random.Random(seed), 0.0, []
    for _ in range(n):
        at += draw.expovariate(rate)
        stream.append(Arrival(at, draw.randint(*prompt), draw.randint(*new)))
    return tuple(stream)


@dataclass(frozen=True)
class Costs:
    """The least time of a step on the GPUs of a `budget`, by their bandwidth and their peak arithmetic."""

    budget: Budget
    arithmetic: Arithmetic

    def __post_init__(self):
        if self.budget.compute_floor(1) is None:
            raise ValueError(f"the peak arithmetic of {as_gpu(self.budget.gpu).name} is not known")

    @cached_property
    def _read(self):
        return lru_cache(maxsize=None)(self.budget.cache_read_bytes)  # few contexts, many steps

    def floors(self, prompts=(), contexts=()) -> tuple[float, float]:
        """The least time, in seconds, that a step reads, and the least that it computes.

        prompts   (past, tokens) of each prompt of which `tokens` are computed behind its first `past`
        contexts  tokens of each sequence that gets one more, that one counted
        """
        read = [past + tokens for past, tokens in prompts] + list(contexts)
        reading = self.budget.read_floor(sum(self._read(n) for n in read))
        operations = sum(self.arithmetic.decode(n) for n in contexts)
        for past, tokens in prompts:
            operations += self.arithmetic.prefill(past + tokens)
            operations -= self.arithmetic.prefill(past) if past else 0
        return reading, self.budget.compute_floor(operations) or 0.0

    def seconds(self, prompts=(), contexts=()) -> float:
        """The least time of such a step: the longer of its `floors`."""
        return max(self.floors(prompts, contexts))


@dataclass
class Served:
    """What a request lived through: `times`, in seconds from the start, of each of its tokens."""

    request: Arrival
    times: list[float] = field(default_factory=list)

    @property
    def ttft(self) -> float:
        """Seconds from its arrival to its first token."""
        return self.times[0] - self.request.at

    @property
    def tpot(self) -> float:
        """Mean seconds of each further token (0 where there is none)."""
        return (self.times[-1] - self.times[0]) / max(1, len(self.times) - 1)

    @property
    def stall(self) -> float:
        """The longest time between two tokens of its answer (0 where there is one)."""
        return max((b - a for a, b in zip(self.times, self.times[1:], strict=False)), default=0.0)


@dataclass(frozen=True)
class Step:
    """One step: it begins `at` seconds from the start. A request is its place in `Timeline.served`.

    reading, computing  seconds that it takes to read and to compute, at the least
    prompts             (request, tokens computed now) of each prompt in it
    decoding            the requests that get one more token of their answer
    inside              (request, its tokens in the cache when the step is done) of each that is being served
    """

    at: float
    reading: float
    computing: float
    prompts: tuple[tuple[int, int], ...]
    decoding: tuple[int, ...]
    inside: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        """How long it takes, at the least."""
        return max(self.reading, self.computing)

    @property
    def tokens(self) -> int:
        """Tokens computed in it."""
        return sum(n for _, n in self.prompts) + len(self.decoding)


@dataclass(frozen=True)
class Timeline:
    """A stream served: each request, in the order of arrival, and each step."""

    policy: str
    served: tuple[Served, ...]
    steps: tuple[Step, ...] = field(repr=False)

    def summary(self) -> dict:
        """The run in numbers; times in seconds.

        ttft, tpot  the median over the requests, and ttft_p95, tpot_p95
        stall       the longest that anyone waited within an answer
        tokens_per_second  new tokens of all, over the time until the last one
        """
        ttft, tpot = sorted(s.ttft for s in self.served), sorted(s.tpot for s in self.served)
        p95 = -(-95 * len(ttft) // 100) - 1
        end = max(s.times[-1] for s in self.served)
        return {
            "ttft": median(ttft),
            "ttft_p95": ttft[p95],
            "tpot": median(tpot),
            "tpot_p95": tpot[p95],
            "stall": max(s.stall for s in self.served),
            "tokens_per_second": sum(s.request.new for s in self.served) / end,
        }


class _Running:
    """A request on its way: its place in the stream, bytes of its cache in the end, its prompt so far."""

    def __init__(self, place: int, served: Served, size: int):
        self.place, self.served, self.request, self.size = place, served, served.request, size
        self.past = self.request.cached

    @property
    def left(self) -> int:
        return self.request.prompt - self.past

    @property
    def context(self) -> int:  # with the token that the next step computes
        return self.request.prompt + len(self.served.times)

    @property
    def held(self) -> int:  # tokens in the cache: the newest one comes in with the next step
        return self.past if self.left else self.context - 1


def serve(stream, costs: Costs, policy="chunked", *, max_sequences=256, token_budget=2048) -> Timeline:
    """Serve `stream` on one GPU group under a policy; a Timeline.

    max_sequences  most requests inside at once; also, all of them together must fit the cache when they end
    token_budget   "chunked": most tokens that a step computes; "prefill first": most tokens of prompts in a
                   step, of which one prompt alone may have more

    Raises ValueError for an unknown policy, or a request that the cache can't hold alone.
    """
    if policy not in POLICIES:
        raise unknown("policy", policy, POLICIES)
    whole_number("max_sequences", max_sequences), whole_number("token_budget", token_budget)
    served = tuple(Served(request) for request in sorted(stream, key=lambda r: r.at))
    if not served:
        raise ValueError("stream must hold at least one Arrival")
    waiting = [_Running(i, s, costs.budget.cache_bytes(s.request.tokens)) for i, s in enumerate(served)]
    largest, room = max(r.size for r in waiting), costs.budget.room
    if largest > room:
        raise ValueError(
            f"stream: a request takes {fmt(largest)} of cache, and there is room for {fmt(room)}"
        )
    running: list[_Running] = []
    steps, now = [], 0.0
    while waiting or running:
        if not running:
            now = max(now, waiting[0].request.at)
        if policy != "static" or not running:
            held = sum(r.size for r in running)
            while waiting and waiting[0].request.at <= now and len(running) < max_sequences:
                held += waiting[0].size
                if held > room:
                    break
                running.append(waiting.pop(0))
        prompts, decoding = _plan(running, policy, token_budget)
        began, floors = now, costs.floors([(r.past, n) for r, n in prompts], [r.context for r in decoding])
        now += max(floors)
        for r, n in prompts:
            r.past += n
        for r in decoding + [r for r, _ in prompts if not r.left]:
            r.served.times.append(now)
        parts = tuple((r.place, n) for r, n in prompts), tuple(r.place for r in decoding)
        steps.append(Step(began, *floors, *parts, tuple((r.place, r.held) for r in running)))
        running = [r for r in running if len(r.served.times) < r.request.new]
    return Timeline(policy, served, tuple(steps))


def _plan(running, policy, token_budget):
    """Of one step: [(request, tokens of its prompt)] and [requests that decode]."""
    decoding = [r for r in running if not r.left]
    prompts, room = [], token_budget
    if policy == "chunked":
        decoding = decoding[:room]
        room -= len(decoding)
    for r in running:
        if not r.left or room <= 0:
            continue
        n = min(r.left, room) if policy == "chunked" else r.left
        if n > room and prompts:
            break
        prompts.append((r, n))
        room -= n
    if policy != "chunked" and prompts:
        return prompts, []  # those who decode wait
    return prompts, decoding
