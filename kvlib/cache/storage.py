"""Where one layer's keys and values lie: in one piece, or in a ring."""

import math
import mmap
from contextlib import suppress

import torch

from ..kernels.cpu.memory import Plain
from ..units import dtype as as_dtype, unknown

TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def torch_dtype(dtype) -> torch.dtype:
    """The torch dtype of fp32, fp16 or bf16, by any of its names. Raises ValueError for another."""
    name = as_dtype(dtype).name
    if name not in TORCH_DTYPES:
        raise unknown("dtype", name, TORCH_DTYPES)
    return TORCH_DTYPES[name]


def zeros(*shape, dtype, device):
    """Zeroed memory for a cache; on Linux in huge pages, for finding small ones slows a CPU's reading."""
    nbytes = math.prod(shape) * dtype.itemsize
    if torch.device(device).type != "cpu" or not nbytes or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(shape, dtype=dtype, device=device)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


class CacheFull(ValueError):
    """More tokens than the cache was made for; it never grows on its own."""

    def __init__(self, tokens, capacity):
        super().__init__(f"{tokens} tokens do not fit a cache of capacity={capacity}; make it larger")


class ContiguousLayer:
    """All keys in one tensor, all values in another, in the order of their tokens."""

    window, sinks = None, 0
    claims = True  # `claim` serves it

    def __init__(self, n_kv_heads, head_dim, *, batch, capacity, dtype, device):
        # Zeros, not empty: what was never written must not turn a masked sum into nan.
        shape = batch, n_kv_heads, capacity, head_dim
        self.k, self.v = (zeros(*shape, dtype=dtype, device=device) for _ in "kv")
        self.capacity, self.length = capacity, 0
        plain = dtype == torch.float32 and self.k.device.type == "cpu"
        self.memory = Plain(self.k.numpy(), self.v.numpy(), self.sinks) if plain else None

    def store(self, k, v):
        """Write the new tokens' keys and values [B, H_kv, T, D], and nothing else."""
        end = self.length + k.shape[2]
        if end > self.capacity:
            raise CacheFull(end, self.capacity)
        self.k[:, :, self.length : end] = k
        self.v[:, :, self.length : end] = v
        self.length = end

    def claim(self) -> int:
        """The slot of one more token, now counted as held; its writer fills it."""
        if self.window is None and self.length == self.capacity:
            raise CacheFull(self.length + 1, self.capacity)
        self.length += 1
        return self.slot(self.length - 1)

    def update(self, k, v):
        """`store`, and what is held."""
        self.store(k, v)
        return self.held()

    def update_at(self, position, k, v):
        """Store one token at `position`, a tensor [1]; all memory is returned, in the order of its slots.

        For steps of one fixed shape; `length` is left for the caller to count.
        """
        slot = self.slot(position)
        return self.k.index_copy_(2, slot, k), self.v.index_copy_(2, slot, v)

    def held(self):
        """Keys and values held, oldest first: views, nothing is copied."""
        return self.k[:, :, : self.length], self.v[:, :, : self.length]

    def source(self):
        """The memory as `kvlib.kernels.cpu` reads it, and how many tokens have passed."""
        return self.memory, self.length

    def slot(self, position):
        """Where the token at `position` lies; an int or a tensor of them."""
        return position

    @property
    def nbytes(self) -> int:
        held = min(self.length, self.capacity)
        return self.k[:, :, :held].nbytes + self.v[:, :, :held].nbytes

    @property
    def reserved_bytes(self) -> int:
        return self.k.nbytes + self.v.nbytes


class RingLayer(ContiguousLayer):
    """The last `window` tokens in a ring, after the first `sinks` tokens, which stay.

    A token lies at its position modulo the window: the newest takes the oldest's place.
    """

    def __init__(self, n_kv_heads, head_dim, *, window, sinks=0, **rest):
        self.window, self.sinks = window, sinks
        super().__init__(n_kv_heads, head_dim, capacity=sinks + window, **rest)

    def update(self, k, v):
        if k.shape[2] == 1:
            return super().update(k, v)
        # The first of the new tokens still see what the last of them overwrite.
        seen = tuple(torch.cat(pair, dim=2) for pair in zip(self.held(), (k, v), strict=True))
        self.store(k, v)
        return seen

    def store(self, k, v):
        T = k.shape[2]
        if T == 1:
            slot = self.claim()
            self.k[:, :, slot : slot + 1], self.v[:, :, slot : slot + 1] = k, v
            return
        keep = [t for t in range(T) if self.length + t < self.sinks or T - t <= self.window]
        slots = torch.tensor([self.slot(self.length + t) for t in keep], device=k.device)
        self.k.index_copy_(2, slots, k[:, :, keep])
        self.v.index_copy_(2, slots, v[:, :, keep])
        self.length += T

    def held(self):
        """Keys and values held, oldest first. Once the ring has turned, putting it in order copies it."""
        if self.length <= self.capacity:
            return super().held()
        turn = self.slot(self.length)  # the oldest token's place
        parts = slice(0, self.sinks), slice(turn, None), slice(self.sinks, turn)
        return tuple(torch.cat([x[:, :, part] for part in parts], dim=2) for x in (self.k, self.v))

    def slot(self, position):
        turned = self.sinks + (position - self.sinks) % self.window
        if isinstance(position, int):
            return position if position < self.sinks else turned
        return torch.where(position < self.sinks, position, turned)
