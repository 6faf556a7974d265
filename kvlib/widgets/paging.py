"""One stream of requests, one memory: contiguous reservation beside paged blocks, step by step.

`kvlib.serving` simulates it here. The page simulates it too, by paging.model.js, which is held to
kvlib.serving frame by frame: so that the reader may add requests of their own.
"""

import dataclasses
import re
from functools import lru_cache

import traitlets

from .. import serving
from ..units import whole_number
from .base import Figure, Table, Whole, constant

BLOCK_SIZES = (4, 8, 16, 32)
MAX_TOKENS = 128  # what a server would reserve for one request
MOST_ADDED = 6
MORE_STEPS = 32  # shown after the last of the stream's own, for requests that are added
# Requests that the reader added, "40.0_52.2": each the step at which it arrives, and which of `offers` it is.
ADDED = re.compile(rf"(\d{{1,3}}\.[0-2](_\d{{1,3}}\.[0-2]){{0,{MOST_ADDED - 1}}})?")


def stream(seed=51) -> tuple[serving.Request, ...]:
    """The stream that is shown where none is given: 16 requests, all with one system prompt."""
    return serving.requests(16, seed=seed, prompt=(8, 40), new=(8, 56), prefix_tokens=24)


@lru_cache(maxsize=8)
def _runs(requests, memory, max_tokens) -> dict[str, serving.Run]:
    """The stream under "reserved", and paged under every `key`."""
    runs = {"reserved": serving.simulate(requests, memory, "reserved", max_tokens=max_tokens)}
    for size in BLOCK_SIZES:
        for share in (False, True):
            run = serving.simulate(requests, memory, "paged", block_size=size, share_prefix=share)
            runs[key(size, share)] = run
    return runs


class Paging(Figure):
    """Requests arriving, growing and leaving under two allocations, beside each other.

    Paging(step=40, block_size=16, share_prefix=True, request=3, token=37): the step shown, the paged side's
    block size (4, 8, 16 or 32), whether the system prompt is stored once, and the request and the token that
    an arrow is drawn for, through the block table to the token's slot; a token that is not there yet stands
    for the newest that both sides have. By default the step is the first at which paging throws a request
    out, or a third of the way through, the request one that both sides run then, and the token its newest.
    `seed` draws another stream; `requests` (kvlib.serving.Request, ids 0, 1, 2…, at most one system prompt),
    `memory` and `max_tokens` in token slots replace the book's own. `added`, "40.0_52.2", lets up to six more
    arrive: at step 40 one like the shortest of the stream (0), at 52 one like the longest (2; 1 is the middle
    one). They get the next ids.
    Raises ValueError for a value out of bounds.
    """

    script = "paging.js"
    title = constant("Paging")
    lead = constant(
        "The same requests on the same memory. Reserved: each gets one run of slots for the longest answer "
        "it may give. Paged: each gets blocks as its tokens come. Point at a token to follow it to its slot; "
        "drag more requests in until the memory is short."
    )

    step = Whole(0, least=0, most=100_000)
    block_size = traitlets.Int(16).tag(sync=True)
    share_prefix = traitlets.Bool(False).tag(sync=True)
    request = Whole(0, least=0, most=1000)
    token = Whole(0, least=0, most=100_000)
    added = traitlets.Unicode("").tag(sync=True)
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, requests=None, *, seed=51, memory=512, max_tokens=MAX_TOKENS, **rest):
        own = stream(seed) if requests is None else tuple(requests)
        if [r.id for r in own] != list(range(len(own))):
            raise ValueError("requests must have the ids 0, 1, 2… in this order")
        if len({r.prefix for r in own} - {None}) > 1:
            raise ValueError("requests must share at most one prefix")
        if whole_number("memory", memory) % max(BLOCK_SIZES):
            raise ValueError(f"memory must be a multiple of {max(BLOCK_SIZES)} slots, not {memory}")
        self._own, self._memory, self._max_tokens = own, memory, max_tokens
        runs = _runs(own, memory, max_tokens)
        self._last = max(len(run.frames) for run in runs.values()) - 1 + MORE_STEPS
        by_size = sorted(own, key=lambda r: (r.tokens, r.id))
        self.offers = (by_size[0], by_size[len(own) // 2], by_size[-1])
        longest = by_size[-1].tokens
        super().__init__(**rest)
        if "step" not in rest:
            self.step = self._first_step()
        if "request" not in rest:  # one that both sides run, so that both have something to show
            seen = [{h.request for h in frame.running} for frame in self.frames if frame]
            self.request = min(set.intersection(*seen) or set.union(*seen) or {0}) if seen else 0
        if "token" not in rest:
            self.token = longest - 1
        data = {"memory": memory, "max_tokens": max_tokens, "longest": longest}
        data |= {"requests": [_row(r) for r in own], "offers": [_row(r) for r in self.offers]}
        self.set_trait("data", data)
        limits = {"step": [0, self._last], "block_size": list(BLOCK_SIZES), "token": [0, longest - 1]}
        limits |= {"request": [0, len(own) - 1 + MOST_ADDED], "added": ADDED.pattern}
        if any(r.prefix_tokens for r in own):
            limits["share_prefix"] = [False, True]
        self.set_trait("limits", limits)

    def _first_step(self) -> int:
        frames = self.runs[key(self.block_size, self.share_prefix)].frames
        thrown = (frame.step for frame in frames if frame.preempted)
        return next(thrown, (self._last - MORE_STEPS) // 3)

    @traitlets.validate("step")
    def _validate_step(self, proposal):
        if proposal["value"] > self._last:
            raise ValueError(
                f"step must be at most {self._last}, the last that is shown, not {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("request")
    def _validate_request(self, proposal):
        if proposal["value"] >= (n := len(self.requests)):
            raise ValueError(f"request must be at most {n - 1}, the last one's id, not {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("token")
    def _validate_token(self, proposal):
        if proposal["value"] >= (longest := self.offers[-1].tokens):
            raise ValueError(
                f"token must be at most {longest - 1}, the longest request's last, not {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("block_size")
    def _validate_block_size(self, proposal):
        if proposal["value"] not in BLOCK_SIZES:
            raise ValueError(f"block_size must be one of {BLOCK_SIZES}, not {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("added")
    def _validate_added(self, proposal):
        if not ADDED.fullmatch(proposal["value"]):
            raise ValueError(
                f'added must be up to {MOST_ADDED} of step.size, like "40.0_52.2", not {proposal["value"]!r}'
            )
        return proposal["value"]

    @property
    def requests(self) -> tuple[serving.Request, ...]:
        """The stream's own requests, and then those that were added."""
        pairs = (one.split(".") for one in self.added.split("_") if one)
        return self._own + tuple(
            dataclasses.replace(self.offers[int(size)], id=len(self._own) + i, arrival=int(step))
            for i, (step, size) in enumerate(pairs)
        )

    @property
    def runs(self) -> dict[str, serving.Run]:
        """kvlib.serving's runs of `requests`: "reserved", and the paged ones by `key`."""
        return _runs(self.requests, self._memory, self._max_tokens)

    @property
    def frames(self) -> tuple:
        """The two frames shown, (reserved, paged); None for a side that has finished."""
        names = ("reserved", key(self.block_size, self.share_prefix))
        frames = (self.runs[name].frames for name in names)
        return tuple(f[self.step] if self.step < len(f) else None for f in frames)

    def table(self) -> Table:
        def row(name, run):
            s = run.summary()
            again = sum(one.tokens for frame in run.frames for one in frame.preempted)
            return [
                name, s["steps"], s["peak_running"], f"{s['tokens_per_step']:.2f}",
                f"{100 * s['utilization']:.0f} %", s["preempted"], again,
            ]  # fmt: skip

        runs = self.runs
        rows = [row("contiguous reservation", runs["reserved"])]
        for share in (False, True):
            for size in BLOCK_SIZES:
                shared = ", prefix shared" if share else ""
                rows.append(row(f"paged, blocks of {size}{shared}", runs[key(size, share)]))
        return Table(
            f"{len(self.requests)} requests on {self._memory} token slots",
            [
                "allocation", "steps", "most at once", "tokens per step", "slots taken that hold a token",
                "preempted", "tokens computed again",
            ],
            rows,
        )  # fmt: skip


def _row(request) -> list:
    return [request.arrival, request.prompt_tokens, request.new_tokens, request.prefix_tokens]


def key(block_size, share_prefix) -> str:
    """The name of a paged run in `runs`: "16", or "16+" with the prefix shared."""
    return f"{block_size}{'+' if share_prefix else ''}"
