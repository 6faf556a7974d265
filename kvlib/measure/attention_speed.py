"""Decode attention alone, against the speed of a copy.

One new token reads every key and value of its context once. So the bytes of the cache over the
copy bandwidth is the least time it can take, and the share reached says what is left to gain.
"""

from dataclasses import dataclass
from functools import partial
from itertools import cycle

import torch

from ..attention import ContiguousView, attention
from ..cache.base import torch_dtype, zeros
from ..units import MiB, whole_number
from .timing import ALL_KERNELS, Copy, median, timed

# Keys and values lie apart in at least this much, so that no turn finds them in a CPU's cache.
APART = 256 * MiB
# On CUDA so many calls are timed as one: a single one takes some microseconds, and an event's clock has steps
# of half a microsecond.
CUDA_CALLS = 10


@dataclass(frozen=True)
class AttentionRow:
    """One context.

    bytes_read     keys and values of all sequences
    seconds        the median of one call
    floor_seconds  bytes_read / copy bandwidth of the same run
    """

    context: int
    bytes_read: int
    seconds: float
    floor_seconds: float

    @property
    def fraction(self) -> float:
        """The share of the copy bandwidth that is reached; 1 is the floor itself."""
        return self.floor_seconds / self.seconds


def attention_against_copy(
    contexts=(512, 1024, 2048, 4096, 8192), batch=1, n_heads=32, n_kv_heads=8, head_dim=128,
    dtype="fp32", device="cpu", repeats=7,
) -> list[AttentionRow]:  # fmt: skip
    """One layer's decode attention over each context, a row a context, in turn with a copy.

    Every call reads keys and values that no call shortly before has read, as a model's layers do. On
    CUDA the device alone is timed: the kernels of several calls wait in the queue when it begins.
    Raises ValueError for a count below 1 or n_heads not divisible by n_kv_heads.
    """
    contexts = [whole_number("contexts", context) for context in contexts]
    batch, head_dim = whole_number("batch", batch), whole_number("head_dim", head_dim)
    n_heads, n_kv_heads = whole_number("n_heads", n_heads), whole_number("n_kv_heads", n_kv_heads)
    q = torch.randn(batch, n_heads, 1, head_dim).to(device, torch_dtype(dtype))
    per_token = batch * n_kv_heads * head_dim
    size = max(max(contexts) * per_token, APART // 2 // q.element_size())
    pools = [zeros(size, dtype=q.dtype, device=device).normal_() for _ in ("keys", "values")]

    calls = {"copy": Copy(device)}
    at_once = _at_once(device)
    for context in contexts:
        shape = -1, batch, n_kv_heads, context, head_dim
        k, v = (pool[: size // (context * per_token) * context * per_token].view(shape) for pool in pools)
        # Made beforehand: what a view is made of is the cache's work.
        views = [ContiguousView.of(k[i], v[i]) for i in range(min(len(k), (repeats + 1) * at_once))]
        calls[context] = partial(_in_turn, q, cycle(views), at_once)
    with torch.inference_mode():
        turns = timed(calls, repeats, device, head_start=ALL_KERNELS)
    bandwidth = calls["copy"].moved / median(turns.pop("copy"))
    seconds = {context: median(took) / at_once for context, took in turns.items()}
    bytes_read = {context: 2 * context * per_token * q.element_size() for context in contexts}
    return [
        AttentionRow(context, bytes_read[context], seconds[context], bytes_read[context] / bandwidth)
        for context in contexts
    ]


def _at_once(device):
    return CUDA_CALLS if torch.device(device).type == "cuda" else 1


def _in_turn(q, views, at_once):
    for _ in range(at_once):
        attention(q, next(views))
