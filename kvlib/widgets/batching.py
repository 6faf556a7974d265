"""One stream of requests under three policies of batching, step by step on one axis of time.

`kvlib.serving.serve` serves it here. The page serves it too, by batching.model.js, which is held to it step
by step: so that the budget and the rate may be any.
"""

from dataclasses import replace
from functools import lru_cache

import traitlets

from .. import configs
from ..budget import Arithmetic, Budget
from ..hardware import gpu
from ..serving import Arrival, Costs, Step, Timeline, arrivals, serve
from ..serving.batching import POLICIES
from ..units import GiB, fmt, fmt_seconds
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .groups import groups, read_groups, work_facts

MODEL, GPU, DTYPE = "llama-3.1-8b", "H100", "bf16"
SEED, REQUESTS = 3, 12
STREAMS = ("mixed prompts", "a document among chats")
DOCUMENT = 4  # which request has the document
LATEST = 2500  # ms: every setting is done by then


@lru_cache
def costs() -> Costs:
    """What a step takes at the least: those of chapter 10, Llama 3.1 8B on an H100."""
    layout, counted = configs.layout(MODEL), configs.parameters(MODEL)
    budget = Budget(
        layout, 2 * counted.total, GPU, overhead_bytes=3 * GiB, weights_read_bytes=2 * counted.read
    )
    return Costs(budget, Arithmetic(layout, counted.read, counted.embedding))


def facts(costs: Costs) -> dict:
    """Costs as `costsOf` of batching.model.js reads them; those of the engine "ideal"."""
    budget, card = costs.budget, gpu(costs.budget.gpu)
    return {
        "kept": groups(budget.layout),
        "read": read_groups(budget.layout),
        "work": work_facts(costs.arithmetic),
        "dtype": budget.dtype,
        "weights": budget.weights_bytes if budget.weights_read_bytes is None else budget.weights_read_bytes,
        "bandwidth": card.bandwidth * budget.gpus,
        "peak": card.peak * budget.gpus,
        "room": budget.room,
    }


def _at_one(name) -> tuple[Arrival, ...]:
    """A stream of STREAMS in which one request a second comes."""
    if name == STREAMS[0]:
        return arrivals(REQUESTS, 1, SEED, prompt=(200, 3000), new=(8, 48))
    chats = arrivals(REQUESTS, 1, SEED, prompt=(100, 800), new=(12, 56))
    long = replace(chats[DOCUMENT], prompt=8000, new=16)
    return *chats[:DOCUMENT], long, *chats[DOCUMENT + 1 :]


@lru_cache(maxsize=64)
def served(stream, rate, token_budget) -> dict[str, Timeline]:
    """A stream of STREAMS, `rate` requests a second on average, under each policy."""
    requests = [replace(r, at=r.at / rate) for r in _at_one(stream)]
    return {policy: serve(requests, costs(), policy, token_budget=token_budget) for policy in POLICIES}


def held_bytes(step: Step) -> int:
    """Bytes of cache that the requests inside hold when the step is done."""
    return sum(costs().budget.cache_bytes(tokens) for _, tokens in step.inside if tokens)


class Batching(Figure):
    """Twelve requests served under static batching, prefill first and chunked prefill, on one axis of time.

    Batching(policy="prefill first", token_budget=512, rate=16, time=429): the policy whose steps are played
    and told, the budget of tokens for a step, the requests that come in a second on average, and the time
    shown in ms. `stream` is one of `STREAMS`. Each step takes its floor on an H100 with Llama 3.1 8B.
    `runs` has the `kvlib.serving.Timeline` of each policy.
    Raises ValueError for a number out of bounds or an unknown name.
    """

    script = "batching.js"
    title = constant("Who waits for whom")
    lead = constant(
        "The same requests under three policies, on one axis of time: Llama 3.1 8B on an H100. A lane is a "
        "request, a column a step, as wide as the time it takes at the least. Play it, or click where you "
        "want to look."
    )

    policy = Choice("prefill first", POLICIES)
    time = Whole(429, least=0, most=LATEST)
    stream = Choice(STREAMS[0], STREAMS)
    token_budget = Whole(512, least=128, most=8192)
    rate = Whole(16, least=8, most=64)
    dtypes = constant(dtypes([DTYPE]))
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **values):
        super().__init__(**values)
        streams = {name: [[r.at, r.prompt, r.new] for r in _at_one(name)] for name in STREAMS}
        self.set_trait("data", {"costs": facts(costs()), "streams": streams})

    @property
    def runs(self) -> dict[str, Timeline]:
        return served(self.stream, self.rate, self.token_budget)

    def table(self) -> Table:
        def row(policy, run):
            s, last = run.summary(), run.steps[-1]
            times = s["ttft"], s["tpot"], s["stall"], last.at + last.seconds
            most = max(len(step.inside) for step in run.steps)
            held = fmt(max(map(held_bytes, run.steps)), digits=1)
            return [policy, *map(fmt_seconds, times), len(run.steps), most, held]

        return Table(
            f"{REQUESTS} requests ({self.stream}), {self.rate} a second, token budget {self.token_budget:,}: "
            f"{MODEL} on an {GPU}, each step as short as it can be",
            [
                "policy", "TTFT, median", "TPOT, median", "longest pause in an answer", "all done after",
                "steps", "most inside at once", "most cache held",
            ],
            [row(policy, run) for policy, run in self.runs.items()],
        )  # fmt: skip
