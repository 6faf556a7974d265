"""What a model's memory holds as the context grows: weights, cache, and what one pass needs beside them."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..cache import make_cache
from ..units import whole_number
from .memory import room


def footprint(decoder, contexts) -> list[dict]:
    """A row for each context: bytes of weights and cache, and what reading a prompt so long needed.

    weights, cache  bytes; the cache is contiguous, in the decoder's dtype
    share           the cache's, of weights and cache
    last, every     the most bytes that were in use at one time beside weights and cache, with the
                    logits of the last position alone, and with those of every position

    Raises ValueError for a context below 1 or beyond the decoder's.
    """
    contexts = [whole_number("contexts", context) for context in contexts]
    if max(contexts, default=0) > decoder.max_context:
        raise ValueError(f"contexts must be at most {decoder.max_context}, not {max(contexts)}")
    rows, dtype = [], str(decoder.dtype).removeprefix("torch.")
    for context in contexts:
        cache_bytes = decoder.layout.bytes(context, 1, dtype)
        weights = decoder.weights_bytes
        row = {"context": context, "weights": weights, "cache": cache_bytes}
        row["share"] = cache_bytes / (weights + cache_bytes)
        tokens = torch.zeros(1, context, dtype=torch.long, device=decoder.device)
        for name, kept in (("last", 1), ("every", 0)):
            cache = make_cache(
                "contiguous", decoder.layout, capacity=context, dtype=decoder.dtype, device=decoder.device
            )
            row[name] = _most(decoder, tokens, cache, kept)
        rows.append(row)
    return rows


def _most(decoder, tokens, cache, kept) -> int:
    """The most bytes that one pass had in use at one time beside what was there before it."""
    if decoder.device.type == "cuda":
        room(decoder.device)
        torch.cuda.reset_peak_memory_stats(decoder.device)
        before = torch.cuda.memory_allocated(decoder.device)
        decoder(tokens, cache, logits_to_keep=kept)
        return torch.cuda.max_memory_allocated(decoder.device) - before
    with Tensors() as made:
        decoder(tokens, cache, logits_to_keep=kept)
    return made.most


class Tensors(TorchDispatchMode):
    """While it is entered, counts the bytes of the tensors that operations make and that still live.

    now   bytes of those that live
    most  the largest that `now` was

    What an operation uses only within itself is not seen, nor is memory that was there before.
    """

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {id(storage) for storage in _storages((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for storage in _storages(out):
            if id(storage) not in given and storage not in self._known:
                self._known.add(storage)
                self._count(storage.nbytes())
                weakref.finalize(storage, self._count, -storage.nbytes())
        return out

    def _count(self, nbytes):
        self.now += nbytes
        self.most = max(self.most, self.now)


def _storages(tree):
    return [x.untyped_storage() for x in tree_leaves(tree) if isinstance(x, torch.Tensor)]
