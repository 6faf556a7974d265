"""The longest context that memory allows beside a model's weights: predicted, then reached.

    memory = Memory(decoder)
    reached = reach(decoder, "int4", memory)

On a GPU the memory is its own. On a CPU it is a budget that is only pretended: what would not fit
a GPU of that size is refused here, before it is allocated.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch

from ..budget import Budget
from ..configs import layout
from ..decoder import Decoder
from ..hardware import GPU
from ..units import unknown, whole_number
from .decode import CACHES, fill, new_cache
from .memory import room
from .random_model import random_decoder
from .shapes import MAX_CONTEXT, SHAPES
from .timing import once

# The share that weights and cache may fill: the rest is for what a step needs beside them, and for
# what the allocator loses by rounding up.
UTILIZATION = 0.975
PART = 4  # of a 7B model's counts, where a CPU stands in for a GPU


class DoesNotFit(RuntimeError):
    """The memory has no room for the cache."""


def quarter_decoder(*, dtype="fp32", device="cpu") -> Decoder:
    """The shape "7b-gqa" with a quarter of its layers, heads, widths and vocabulary; random weights."""
    counts = (
        "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size",
        "intermediate_size", "vocab_size",
    )  # fmt: skip
    small = SHAPES["7b-gqa"] | {name: SHAPES["7b-gqa"][name] // PART for name in counts}
    return random_decoder(
        replace(layout(small), name="a quarter of 7b-gqa", max_context=MAX_CONTEXT),
        small["hidden_size"], small["intermediate_size"], small["vocab_size"], dtype=dtype, device=device,
    )  # fmt: skip


class Memory:
    """The memory that a decoder's weights lie in, and what they leave of it.

    budget  bytes that are pretended on a CPU; on CUDA the device says what it has
    total   bytes in all
    other   bytes that neither the weights nor anything counted here takes: CUDA's own, other programs'
    """

    def __init__(self, decoder, budget=None):
        self.decoder, self.device = decoder, decoder.device
        self.on_cuda = self.device.type == "cuda"
        if self.on_cuda == (budget is not None):
            raise ValueError("budget: a CPU's memory is pretended and needs one, a GPU's is its own")
        if self.on_cuda:
            free = room(self.device)
            self.total = torch.cuda.mem_get_info(self.device)[1]
            self.other = max(0, self.total - free - self.weights)
        else:
            self.total, self.other = whole_number("budget", budget), 0

    @property
    def weights(self) -> int:
        return self.decoder.weights_bytes

    @property
    def free(self) -> int:
        """Bytes that are left beside the weights; 0 where they alone do not fit."""
        return max(0, self.total - self.weights - self.other)

    def budget(self, cache="contiguous", utilization=UTILIZATION) -> Budget:
        """Chapter 6's budget for this memory; `cache` is a name of `CACHES` that keeps every token."""
        return Budget(
            self.decoder.layout, self.weights, GPU(str(self.device), self.total, 1.0, "measured"),
            utilization=utilization, overhead_bytes=self.other, dtype=_dtype(self.decoder, cache),
        )  # fmt: skip

    def longest(self, cache="contiguous", utilization=UTILIZATION) -> int:
        """The longest context that fits, or the decoder's own limit if that comes first."""
        fits = self.budget(cache, utilization).max_context()
        return min(fits, self.decoder.max_context)

    def make_cache(self, cache, context, batch=1):
        """An empty cache for `context` tokens. Raises DoesNotFit; a GPU is asked, a CPU pretends."""
        made = partial(new_cache, self.decoder, cache, batch, context)
        if not self.on_cuda:
            # On the meta device a cache takes no memory, and knows how much it would take.
            asked = made("meta").reserved_bytes
            if asked > self.free:
                raise DoesNotFit(f"{asked:,} bytes asked for, {self.free:,} free")
        room(self.device)  # gives back caches that are gone
        try:
            return made(self.device)
        except torch.cuda.OutOfMemoryError as error:
            message = str(error)
        room(self.device)  # and the layers that did fit
        raise DoesNotFit(message)

    def in_use(self, cache=None) -> int:
        """Bytes of tensors: as CUDA's allocator counts them, on a CPU weights and cache added up."""
        if self.on_cuda:
            return torch.cuda.memory_allocated(self.device)
        return self.weights + (cache.reserved_bytes if cache else 0)


@dataclass(frozen=True)
class Reached:
    """A cache that was filled to a context, beside what had been predicted.

    predicted  bytes of cache, from the layout
    measured   bytes by which the tensors in memory grew for the cache
    seconds    of one step with it, the first: it may compile
    """

    cache: str
    context: int
    predicted: int
    measured: int
    seconds: float


def reach(decoder, cache, memory, context=None) -> Reached:
    """Allocate a cache for `context` tokens, fill it, and let a real step add the last of them.

    cache    a name of `CACHES` that keeps every token: contiguous, paged, int8, int4 or int2
    context  default: the longest that `memory` predicts
    Raises DoesNotFit, or ValueError for a cache that does not keep every token.
    """
    predicted = memory.budget(cache).cache_bytes
    context = memory.longest(cache) if context is None else whole_number("context", context)
    room(decoder.device)  # a cache that is gone must not count
    before = memory.in_use()
    with torch.inference_mode():
        made = memory.make_cache(cache, context)
        if context > 1:
            fill(made, context - 1)
        measured = memory.in_use(made) - before
        token = torch.zeros(1, 1, dtype=torch.long, device=decoder.device)
        seconds = once(lambda: decoder(token, made), decoder.device)
    return Reached(cache, made.length, predicted(context), measured, seconds)


def too_long(decoder, cache, memory) -> int | None:
    """The shortest context whose cache alone is larger than all that is free; None beyond the decoder."""
    context = memory.longest(cache, utilization=1) + 1
    return context if context <= decoder.max_context else None


def refused(decoder, cache, memory, context) -> bool:
    """Whether the memory really has no room for a cache of `context` tokens. It is tried."""
    try:
        memory.make_cache(cache, context)
    except DoesNotFit:
        return True
    return False


def _dtype(decoder, cache) -> str:
    """What a number of the cache is kept in."""
    if CACHES.get(cache) is None or cache == "sliding":
        raise unknown("cache", cache, [name for name in CACHES if name not in ("none", "sliding")])
    kind, options = CACHES[cache]
    if kind == "quantized":
        return f"{options['codes']}-g{options.get('group', 32)}"
    return str(decoder.dtype).removeprefix("torch.")
