"""How long one more token takes, for each kind of cache and each context, beside its floor.

A decode step must read every weight and every key and value once. Those bytes over the copy
bandwidth of the same machine in the same run are its floor; the fraction is the share reached.
"""

import re
from functools import partial

import torch

from ..cache import make_cache
from ..units import read_bytes, unknown, whole_number
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
LONG = 10  # seconds; what takes longer is measured once
FILL = 1024  # tokens written at once where a cache is filled with random numbers
# Of a cache's bytes, what a step is given beside them on a CPU, where a process that runs out is ended. CUDA
# says when it runs out, so there it is tried.
SLACK = 1.1


def decode_times(
    decoder, contexts, caches=("none", "contiguous"), batches=(1,), steps=15, progress=None, copy_bytes=None
) -> tuple[list[dict], float]:
    """One row for each cache, batch and context, and the copy bandwidth (bytes per second) of the run.

    steps       one-token steps of which the median is taken; three more warm up
    copy_bytes  what the copy reads (default: `timing.copy_bytes`)

    A row holds: cache, batch, context; seconds and spread of a step; predicted_bytes and
    cache_bytes of the cache; bytes_read, floor_seconds and fraction; peak_bytes of the process (on
    CUDA, of its tensors); on CUDA, graph: whether its steps were replayed from one. Where memory is
    short, `failed` stands in place of times: "does not fit" for a cache that was not tried, "out of
    memory" for one that was, with asked_bytes and free_bytes.
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
            # A CPU shares its memory with all that runs beside; a GPU's copies alike from first to last.
            if decoder.device.type == "cpu" or not bandwidths:
                bandwidths.append(copy_bandwidth(decoder.device, copy_bytes))
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
    made = None
    if CACHES[name]:
        made = partial(new_cache, decoder, name, batch, context + steps + WARM)
    # On the meta device a cache takes no memory, and knows how much it would take.
    needs = made("meta").reserved_bytes if made else 0
    if decoder.device.type == "cpu":
        needs = int(SLACK * needs)
    free = room(decoder.device)
    if needs > free:
        return row | {"failed": "does not fit", "asked_bytes": needs, "free_bytes": free}
    reset_peak(decoder.device)
    try:
        with torch.inference_mode():
            cache = made(decoder.device) if made else None
            if cache:
                fill(cache, context)
            seconds = timed_steps(decoder, cache, steps) if made else _without(decoder, batch, context)
    except torch.cuda.OutOfMemoryError as error:
        asked = _asked(error) or needs
        return row | {"failed": "out of memory", "asked_bytes": asked, "free_bytes": room(decoder.device)}
    held = cache.nbytes if cache else 0
    if cache and decoder.device.type == "cuda":
        row["graph"] = bool(cache.captured)
    return row | {
        "seconds": median(seconds),
        "spread": spread(seconds),
        "predicted_bytes": cache.predicted_bytes if cache else 0,
        "cache_bytes": held,
        "bytes_read": weights_read(decoder) + held,
        "peak_bytes": peak(decoder.device),
    }


def new_cache(decoder, name, batch, capacity, device):
    """An empty cache for `decoder`, of a name in `CACHES`. On the device "meta" it takes no memory."""
    kind, options = CACHES[name]
    like = dict(batch=batch, capacity=capacity, dtype=decoder.dtype, device=device)
    return make_cache(kind, decoder.layout, **like, **options)


def _asked(error) -> int | None:
    """The bytes that PyTorch could not get, as its message gives them; None where it gives none."""
    found = re.search(r"Tried to allocate ([\d.]+ [KMGT]iB)", str(error))
    return read_bytes(found[1]) if found else None


def timed_steps(decoder, cache, steps) -> list[float]:
    """Seconds of each of `steps` steps of one token, after WARM others; the cache grows by all of them."""
    token = torch.zeros(cache.batch, 1, dtype=torch.long, device=decoder.device)
    decoder.prepare(cache)
    step = partial(decoder, token, cache)
    for _ in range(WARM):
        step()
    return [once(step, decoder.device) for _ in range(steps)]


def _without(decoder, batch, context, repeats=3):
    """Every past token computed again for the next one."""
    tokens = torch.zeros(batch, context, dtype=torch.long, device=decoder.device)
    step = partial(decoder, tokens)
    first = once(step, decoder.device)
    return [first] if first > LONG else [once(step, decoder.device) for _ in range(repeats)]


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
