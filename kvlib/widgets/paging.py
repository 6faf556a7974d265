"""One stream of requests, one memory: contiguous reservation beside paged blocks, step by step.

`kvlib.serving` simulated every step that is shown, on the same `BlockPool` as the paged cache; the
page only draws it.
"""

import traitlets

from .. import serving
from ..units import whole_number
from .base import Figure, Table, Whole, constant

BLOCK_SIZES = (4, 8, 16, 32)
MAX_TOKENS = 128  # what a server would reserve for one request


def stream(seed=51) -> tuple[serving.Request, ...]:
    """The stream that is shown where none is given: 16 requests, all with one system prompt."""
    return serving.requests(16, seed=seed, prompt=(8, 40), new=(8, 56), prefix_tokens=24)


def packed(run: serving.Run) -> dict:
    """A run as paging.js unfolds it: each unbroken stay of a request in the memory, once.

    A stay is [request, first step, last step, tokens at the first step, place at the last step]. A
    place is a block table, which only grows during a stay, or [start, size].
    """
    stays: list[list] = []
    open_stays: dict[int, list] = {}
    prefix = None
    for frame in run.frames:
        still = {}
        for held in frame.running:
            stay = open_stays.get(held.request)
            if stay is None:
                stay = [held.request, frame.step, None, held.tokens, None]
                stays.append(stay)
            stay[2] = frame.step
            stay[4] = list(held.blocks) if run.allocation == "paged" else [held.start, held.size]
            still[held.request] = stay
        open_stays = still
        for _, held in frame.prefixes:
            first = frame.step if prefix is None else prefix[0]
            prefix = [first, frame.step, held.tokens, list(held.blocks)]
    return {
        "stays": stays,
        "prefix": prefix,
        "used": [frame.used for frame in run.frames],
        "taken": [frame.taken for frame in run.frames],
        "summary": run.summary(),
    }


class Paging(Figure):
    """Requests arriving, growing and leaving under two allocations, beside each other.

    Paging(step=40, block_size=16, share_prefix=True, request=3): the step shown, the paged side's
    block size (4, 8, 16 or 32), whether the system prompt is stored once, the request whose block
    table is shown. By default the step is a third of the way through, and the request one that both
    sides run then. `seed` draws another stream; `requests` (kvlib.serving.Request, ids 0, 1, 2…, at
    most one system prompt), `memory` and `max_tokens` in token slots replace the book's own.
    Raises ValueError for a value out of bounds.
    """

    script = "paging.js"
    title = constant("Paging")
    lead = constant(
        "The same requests on the same memory. Reserved: each gets one run of slots for the longest answer "
        "it may give. Paged: each gets blocks as its tokens come."
    )

    step = Whole(0, least=0, most=100_000)
    block_size = traitlets.Int(16).tag(sync=True)
    share_prefix = traitlets.Bool(False).tag(sync=True)
    request = Whole(0, least=0, most=1000)
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, requests=None, *, seed=51, memory=512, max_tokens=MAX_TOKENS, **rest):
        requests = stream(seed) if requests is None else tuple(requests)
        if [r.id for r in requests] != list(range(len(requests))):
            raise ValueError("requests must have the ids 0, 1, 2… in this order")
        if len({r.prefix for r in requests} - {None}) > 1:
            raise ValueError("requests must share at most one prefix")
        if whole_number("memory", memory) % max(BLOCK_SIZES):
            raise ValueError(f"memory must be a multiple of {max(BLOCK_SIZES)} slots, not {memory}")
        self.runs = {"reserved": serving.simulate(requests, memory, "reserved", max_tokens=max_tokens)}
        for size in BLOCK_SIZES:
            for share in (False, True):
                run = serving.simulate(requests, memory, "paged", block_size=size, share_prefix=share)
                self.runs[key(size, share)] = run
        self._last = max(len(run.frames) for run in self.runs.values()) - 1
        super().__init__(**{"step": self._last // 3, **rest})
        if "request" not in rest:  # one that both sides run, so that both have something to show
            seen = [{h.request for h in frame.running} for frame in self.frames if frame]
            self.request = min(set.intersection(*seen) or set.union(*seen) or {0}) if seen else 0
        shape = [[r.arrival, r.prompt_tokens, r.new_tokens, r.prefix_tokens] for r in requests]
        runs = {name: packed(run) for name, run in self.runs.items()}
        self.set_trait("data", {"memory": memory, "requests": shape, "runs": runs})
        choices = {"block_size": list(BLOCK_SIZES), "request": list(range(len(requests)))}
        if any(r.prefix_tokens for r in requests):
            choices["share_prefix"] = [False, True]
        self.set_trait("limits", {"step": [0, self._last], **choices})

    @traitlets.validate("step")
    def _validate_step(self, proposal):
        if proposal["value"] > self._last:
            raise ValueError(
                f"step must be at most {self._last}, the last of the run, not {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("request")
    def _validate_request(self, proposal):
        if proposal["value"] >= (n := len(self.runs["reserved"].requests)):
            raise ValueError(f"request must be at most {n - 1}, the last one's id, not {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("block_size")
    def _validate_block_size(self, proposal):
        if proposal["value"] not in BLOCK_SIZES:
            raise ValueError(f"block_size must be one of {BLOCK_SIZES}, not {proposal['value']}")
        return proposal["value"]

    @property
    def frames(self) -> tuple:
        """The two frames shown, (reserved, paged); None for a side that has finished."""
        names = ("reserved", key(self.block_size, self.share_prefix))
        frames = (self.runs[name].frames for name in names)
        return tuple(f[self.step] if self.step < len(f) else None for f in frames)

    def table(self) -> Table:
        def row(name, run):
            s = run.summary()
            return [
                name, s["steps"], s["peak_running"], f"{s['tokens_per_step']:.2f}",
                f"{100 * s['utilization']:.0f} %", s["preempted"],
            ]  # fmt: skip

        rows = [row("contiguous reservation", self.runs["reserved"])]
        for size in BLOCK_SIZES:
            rows.append(row(f"paged, blocks of {size}", self.runs[key(size, False)]))
        for size in BLOCK_SIZES:
            rows.append(row(f"paged, blocks of {size}, prefix shared", self.runs[key(size, True)]))
        return Table(
            f"{len(self.data['requests'])} requests on {self.data['memory']} token slots",
            [
                "allocation",
                "steps",
                "most at once",
                "tokens per step",
                "slots taken that hold a token",
                "preempted",
            ],
            rows,
        )


def key(block_size, share_prefix) -> str:
    """The name of a paged run in `data` and `runs`: "16", or "16+" with the prefix shared."""
    return f"{block_size}{'+' if share_prefix else ''}"
