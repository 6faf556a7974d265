"""One-token steps of a decoder, timed: one cache beside another, a CUDA graph off and on."""

from ..cache import Cache
from ..units import whole_number
from .decode import WARM, fill, timed_steps
from .timing import median


def step_seconds(decoder, cache: Cache, steps=10) -> float:
    """Seconds of one step with a cache that holds its context: the median of `steps`, after a few others.

    The cache grows by steps + WARM tokens. Raises CacheFull where it has no room for them.
    """
    return median(timed_steps(decoder, cache, whole_number("steps", steps)))


def in_turn(decoder, caches, steps=10, rounds=2) -> dict[str, float]:
    """`step_seconds` of each of `caches` {name: cache}, taking turns; the least of `rounds`.

    In turns, so that a machine that is busy for a moment does not fall on one of them alone.
    """
    took = [
        {name: step_seconds(decoder, cache, steps) for name, cache in caches.items()}
        for _ in range(whole_number("rounds", rounds))
    ]
    return {name: min(turn[name] for turn in took) for name in caches}


def graph_off_and_on(decoder, make_cache, context=512, steps=20) -> dict[str, float]:
    """Seconds of a step at `context`: {"off": …, "on": …} of the decoder's CUDA graph.

    make_cache  a function from a capacity to an empty cache
    Raises ValueError on another device: there is no graph to switch.
    """
    if decoder.device.type != "cuda":
        raise ValueError(f"decoder must be on CUDA: on {decoder.device} there is no graph to switch")
    before, took = decoder.graph, {}
    try:
        for name, decoder.graph in (("off", False), ("on", True)):
            cache = make_cache(capacity=context + steps + WARM)
            fill(cache, context)
            took[name] = step_seconds(decoder, cache, steps)
    finally:
        decoder.graph = before
    return took
