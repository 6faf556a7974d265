"""How long one more token takes, for each kind of cache and each context, beside its floor.

A decode step must read every weight and every key and value once. Those bytes over the copy
bandwidth of the same machine in the same run are its floor; the fraction is the share reached.
"""

from functools import partial

import torch

from ..cache import make_cache
from ..units import unknown, whole_number
from .memory import peak, reset_peak, room
from .timing import copy_bandwidth, median, once, spread

# What the command line calls a cache: its kind and its options.
CACHES = {
    "none": None,
    "contiguous": ("contiguous", {}),
    "sliding": ("sliding", dict(window=256, sinks=4)),
    "int8": ("quantized", dict(codes="int8")),
    "int4": ("quantized", dict(codes="int4")),
    "int2": ("quantized", dict(codes="int2")),
    "paged": ("paged", dict(block_size=16)),
}
WARM = 3  # steps before those that count
FILL = 1024  # tokens written at once where a cache is filled with random numbers
SLACK = 1.1  # of what a cache predicts, for what a step needs beside it


def decode_times(
    decoder, contexts, caches=("none", "contiguous"), batches=(1,), steps=15, progress=None
) -> tuple[list[dict], float]:
    """One row for each cache, batch and context, and the copy bandwidth (bytes per second) of the run.

    steps  one-token steps of which the median is taken; three more warm up
    A row holds: cache, batch, context; seconds and spread of a step; predicted_bytes and
    cache_bytes of the cache; bytes_read, floor_seconds and fraction; peak_bytes of the process (on
    CUDA, of its tensors). Where the cache does not fit, `short_by` bytes stand in place of times.
    Raises ValueError for a count below 1, an unknown cache, or a context the decoder cannot reach.
    """
    steps = whole_number("steps", steps)
    contexts = [whole_number("contexts", context) for context in contexts]
    batches = [whole_number("batches", batch) for batch in batches]
    for name in caches:
        if name not in CACHES:
            raise unknown("cache", name, CACHES)
    longest = decoder.max_context - steps - WARM
    if max(contexts) > longest:
        raise ValueError(f"contexts must be at most {longest} with {steps} steps, not {max(contexts)}")
    rows, bandwidths = [], []
    for batch in batches:
        for context in contexts:
            bandwidths.append(copy_bandwidth(decoder.device))
            for name in caches:
                rows.append(_row(decoder, name, batch, context, steps))
                if progress:
                    progress.step(f"{name}, batch {batch}, context {context}")
    bandwidth = median(bandwidths)
    for row in rows:
        if "seconds" in row:
            row["floor_seconds"] = row["bytes_read"] / bandwidth
            row["fraction"] = row["floor_seconds"] / row["seconds"]
    return rows, bandwidth


def _row(decoder, name, batch, context, steps):
    row = {"cache": name, "batch": batch, "context": context}
    made = None if CACHES[name] is None else partial(_filled, decoder, name, batch, context, steps)
    short_by = 0
    if made:
        dtype = str(decoder.dtype).removeprefix("torch.")
        short_by = int(SLACK * decoder.layout.bytes(context, batch, dtype)) - room(decoder.device)
    if short_by > 0:
        return row | {"short_by": short_by}
    reset_peak(decoder.device)
    try:
        with torch.inference_mode():
            cache = made() if made else None
            seconds = _steps(decoder, cache, steps) if made else _without(decoder, batch, context)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return row | {"short_by": None}
    held = cache.nbytes if cache else 0
    return row | {
        "seconds": median(seconds),
        "spread": spread(seconds),
        "predicted_bytes": cache.predicted_bytes if cache else 0,
        "cache_bytes": held,
        "bytes_read": weights_read(decoder) + held,
        "peak_bytes": peak(decoder.device),
    }


def _steps(decoder, cache, steps):
    token = torch.zeros(cache.batch, 1, dtype=torch.long, device=decoder.device)
    decoder.prepare(cache)
    step = partial(decoder, token, cache)
    for _ in range(WARM):
        step()
    return [once(step, decoder.device) for _ in range(steps)]


def _without(decoder, batch, context, repeats=3):
    """Every past token computed again for the next one."""
    tokens = torch.zeros(batch, context, dtype=torch.long, device=decoder.device)
    return [once(partial(decoder, tokens), decoder.device) for _ in range(repeats)]


def _filled(decoder, name, batch, context, steps):
    """A cache that holds `context` random tokens: how long a step takes does not hang on their values."""
    kind, options = CACHES[name]
    cache = make_cache(
        kind, decoder.layout, batch=batch, capacity=context + steps + WARM,
        dtype=decoder.dtype, device=decoder.device, **options,
    )  # fmt: skip
    fill(cache, context)
    return cache


def fill(cache, context) -> None:
    """Write `context` random tokens to every layer of an empty cache."""
    for start in range(0, context, FILL):
        T = min(FILL, context - start)
        cache.append(T)
        for layer, kv in enumerate(cache.layout.layers):
            shape = cache.batch, kv.n_kv_heads, T, kv.head_dim
            new = torch.randn(2, *shape, dtype=cache.dtype, device=cache.device)
            cache.write(layer, *new)


def weights_read(decoder) -> int:
    """Bytes of weights that one step reads: an embedding apart from the head is read a row at a time."""
    apart = 0 if decoder.head is decoder.embedding else decoder.embedding.nbytes
    return decoder.weights_bytes - apart
