"""A paged cache: tokens lie in blocks of one pool, and a table says which blocks are whose.

Sequences of different length share the pool without gaps; a forked sequence shares its
past until it writes (copy-on-write); a freed one's blocks are used again.
"""

import numpy as np
import torch

from ..blocks import BlockPool, BlockTable, append_all
from ..kernels.cpu.memory import Paged
from ..units import whole_number
from .base import Cache
from .storage import zeros


class PagedCache(Cache):
    """`batch` sequences in a pool of `num_blocks` blocks of `block_size` tokens.

    Without `num_blocks`, as many as let every sequence grow to `capacity`. Sequences are
    numbered from 0 in the order of `tables`, which is the batch's.
    """

    kind = "paged"

    def __init__(self, layout, *, block_size=16, num_blocks=None, batch=1, capacity=2048, **rest):
        if num_blocks is None:
            per_sequence = -(-whole_number("capacity", capacity) // whole_number("block_size", block_size))
            num_blocks = whole_number("batch", batch) * per_sequence
        self.pool = BlockPool(num_blocks, block_size)
        self.tables = [BlockTable(self.pool) for _ in range(batch)]
        super().__init__(layout, batch=batch, capacity=capacity, **rest)

    def storage(self, kv):
        """Keys and values [2, H_kv, slots, D]; slot = block × block_size + offset."""
        slots = self.pool.num_blocks * self.pool.block_size
        return zeros(2, kv.n_kv_heads, slots, kv.head_dim, dtype=self.dtype, device=self.device)

    def store(self, layer, k, v):
        """Layer 0 comes first: it takes the blocks that every layer then writes to.

        Raises OutOfBlocks, with nothing changed, if the pool is short.
        """
        if layer == 0:
            self._grow(k.shape[2])
        for memory, new in zip(self.layers[layer], (k, v), strict=True):
            new = new.transpose(0, 1).flatten(1, 2)  # [H_kv, B·T, D]
            memory.index_copy_(1, self._write, new if self._real is None else new[:, self._real])

    def update(self, layer, k, v):
        """`store`, and what is held, gathered from its blocks.

        Sequences of different length are returned with padding in front, where `padding` says how much.
        """
        self.store(layer, k, v)
        if layer == 0:
            self._read = self._slots_to_read()
        B, S = self._read.shape
        held = self.layers[layer].index_select(2, self._read.flatten())
        k, v = held.unflatten(2, (B, S)).transpose(1, 2)  # 2 × [B, H_kv, S, D]
        return k, v

    def sees(self, layer):
        return self.layout.layers[layer].window, 0

    def source(self, layer):
        """A layer's memory, its KV heads, and each sequence's first token in the window and its end, [B]."""
        if layer == 0:
            table = np.zeros((self.batch, max(len(t.blocks) for t in self.tables)), np.int64)
            for row, t in zip(table, self.tables, strict=True):
                row[: len(t.blocks)] = t.blocks
            self._table, self._stop = table, np.array(self.lengths)
        k, v = self.layers[layer].numpy()
        window, _ = self.sees(layer)
        start = np.zeros_like(self._stop) if window is None else (self._stop - window).clip(min=0)
        return Paged(k, v, self._table, self.pool.block_size), len(k), start, self._stop

    def padding(self, layer, S):
        return self._padding

    def ready(self, layer):
        if layer == 0:  # prompts filled up in front may bring no token of their own
            whole = self.length > 0 or self._first_pad is None
        else:
            whole = self._real is None
        return type(self).update is PagedCache.update and whole

    @property
    def direct(self):
        return self.ready(0)

    def claim(self, layer):
        if layer == 0:
            self._grow(1)
        return self._write.numpy()

    def _grow(self, T):
        """Blocks for T more tokens of each sequence, and the slots to write."""
        fresh = [T] * self.batch
        if self.length == 0 and self._first_pad is not None:  # a batch of prompts, filled up in front
            fresh = [T - int(pad) for pad in self._first_pad]
        for source, target in append_all(self.tables, fresh):
            size = self.pool.block_size
            for store in self.layers:
                store[:, :, target * size : (target + 1) * size] = store[
                    :, :, source * size : (source + 1) * size
                ]
        self._padding = self.pad
        self._real = None  # which of the new tokens are not padding
        if min(fresh) < T:
            real = torch.arange(T, device=self.device) >= T - torch.tensor(fresh, device=self.device)[:, None]
            self._real = real.flatten().nonzero().squeeze(1)
        written = [
            t.slot(i) for t, n in zip(self.tables, fresh, strict=True) for i in range(t.length - n, t.length)
        ]
        self._write = torch.tensor(written, device=self.device)

    def _slots_to_read(self):
        """[B, S]: each sequence's slots, oldest first, behind what fills up the shorter ones."""
        S = self.length
        read = torch.zeros(self.batch, S, dtype=torch.long, device=self.device)  # padding reads slot 0
        for row, table in zip(read, self.tables, strict=True):
            row[S - table.length :] = self.slots(table)
        return read

    def slots(self, table):
        """Where the table's tokens lie, in order."""
        blocks = torch.tensor(table.blocks, dtype=torch.long, device=self.device)
        offsets = torch.arange(self.pool.block_size, device=self.device)
        return (blocks[:, None] * self.pool.block_size + offsets).flatten()[: table.length]

    @property
    def lengths(self) -> list[int]:
        """Tokens in each sequence."""
        return [table.length for table in self.tables]

    @property
    def length(self) -> int:
        """Tokens in the longest sequence."""
        return max(self.lengths, default=0)

    @property
    def pad(self):
        """[B]: by how much each sequence is shorter than the longest; None if none is."""
        if self.length == 0:
            return self._first_pad
        if min(self.lengths) == self.length:
            return None
        return torch.tensor([self.length - n for n in self.lengths], device=self.device)

    @pad.setter
    def pad(self, pad):
        self._first_pad = pad

    def fork(self, sequence: int = 0) -> int:
        """A new sequence with the same past as `sequence`, in the same blocks; returns its number."""
        self.tables.append(self.tables[sequence].fork())
        self._batch_changed()
        return self.batch - 1

    def add(self) -> int:
        """A new, empty sequence; returns its number."""
        self.tables.append(BlockTable(self.pool))
        self._batch_changed()
        return self.batch - 1

    def free(self, sequence: int) -> None:
        """Give a sequence's blocks back; the sequences after it move up by one."""
        self.tables.pop(sequence).free()
        self._batch_changed()

    def select(self, sequences) -> "PagedCache":
        """A cache of only these sequences, over the same pool: to prefill one of a batch."""
        part = object.__new__(PagedCache)
        part.__dict__.update(self.__dict__)
        part.tables = [self.tables[i] for i in sequences]
        part._batch_changed()
        return part

    def _batch_changed(self):
        self.batch = len(self.tables)
        self.pad = None

    def _fills(self) -> dict[int, int]:
        """Tokens in each block in use; a shared block counts once."""
        size, fills = self.pool.block_size, {}
        for table in self.tables:
            for i, block in enumerate(table.blocks):
                fills[block] = max(fills.get(block, 0), min(size, table.length - i * size))
        return fills

    def _bytes_per_slot(self) -> int:
        return sum(store[:, :, 0].nbytes for store in self.layers)

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held; what sequences share counts once."""
        return sum(self._fills().values()) * self._bytes_per_slot()

    @property
    def block_bytes(self) -> int:
        """Bytes of the blocks in use, the empty end of each last block included."""
        return len(self._fills()) * self.pool.block_size * self._bytes_per_slot()

    @property
    def reserved_bytes(self) -> int:
        """Bytes of the whole pool."""
        return sum(store.nbytes for store in self.layers)

    @property
    def predicted_bytes(self) -> int:
        """What the layout says `nbytes` must be; every layer is paged in full, windows too."""
        return sum(self._fills().values()) * self.layout.bytes_per_token(self._dtype_name())
