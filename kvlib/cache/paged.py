"""A paged cache: tokens lie in blocks of one pool, and a table says which blocks are whose.

Sequences of different length share the pool without gaps; a forked sequence shares its
past until it writes (copy-on-write); a freed one's blocks are used again.
"""

import copy
from dataclasses import dataclass

import torch

from ..attention import View, visible_span
from ..blocks import BlockPool, BlockTable, append_all, filled
from ..units import whole_number
from .base import Cache
from .contiguous import Rows


@dataclass(kw_only=True, eq=False)
class PagedView(View):
    """Keys and values k, v [H_kv, slots, D] of one pool, and each sequence's block table.

    The token at position p of sequence b lies in slot table[b, p // block_size] × block_size
    + p mod block_size; table is [B, blocks].
    """

    k: torch.Tensor
    v: torch.Tensor
    table: torch.Tensor
    block_size: int

    @property
    def shape(self):
        return self.table.shape[0], self.k.shape[0], self.k.shape[2]

    def gather(self):
        """Sequences of different length end together; what fills up the shorter ones in front is padding."""
        S = int(self.last.max())
        at = torch.arange(S, device=self.k.device) - (S - self.last)[:, None]  # [B, S]; below 0: padding
        at = at.clamp(min=0)
        slots = self.table.gather(1, at // self.block_size) * self.block_size + at % self.block_size
        return tuple(
            x.index_select(1, slots.flatten()).unflatten(1, slots.shape).transpose(0, 1)
            for x in (self.k, self.v)
        )

    def padding(self, S):
        behind = S - self.last
        return behind if behind.any() else None


class PagedCache(Cache):
    """`batch` sequences in a pool of `num_blocks` blocks of `block_size` tokens.

    Without `num_blocks`, as many as let every sequence grow to `capacity`. Sequences are
    numbered from 0 in the order of `tables`, which is the batch's. Every layer is paged in full.
    """

    kind = "paged"
    in_place = True

    def __init__(self, layout, *, block_size=16, num_blocks=None, batch=1, capacity=2048, **rest):
        if num_blocks is None:
            per_sequence = -(-whole_number("capacity", capacity) // whole_number("block_size", block_size))
            num_blocks = whole_number("batch", batch) * per_sequence
        self.pool = BlockPool(num_blocks, block_size)
        self.tables = [BlockTable(self.pool) for _ in range(whole_number("batch", batch))]
        self.pad = self._real = self._slots = None  # of a step: which tokens are real, where they go
        super().__init__(layout, batch=batch, capacity=capacity, **rest)

    def storage(self, kv):
        slots = self.pool.num_blocks * self.pool.block_size
        return Rows(kv, slots, kv.window, batch=1, dtype=self.dtype, device=self.device)

    def append(self, T=1):
        """Claim blocks for T new tokens of every sequence. Raises OutOfBlocks, with nothing changed.

        Of a first batch of prompts filled up in front (`pad`), only the tokens that are not padding.
        """
        fresh = [whole_number("T", T)] * self.batch
        if self.length == 0 and self._first_pad is not None:
            fresh = [T - int(pad) for pad in self._first_pad]
        size = self.pool.block_size
        for source, target in append_all(self.tables, fresh):
            old, new = (slice(block * size, (block + 1) * size) for block in (source, target))
            for store in self.layers:
                store.k[:, :, new], store.v[:, :, new] = store.k[:, :, old], store.v[:, :, old]
        self._begin(T)
        self._real = None  # which of the new tokens are not padding; None: all
        if min(fresh) < T:
            real = torch.arange(T) >= T - torch.tensor(fresh)[:, None]
            self._real = real.flatten().nonzero().squeeze(1).to(self.device)
        slots = [
            t.slot(i) for t, n in zip(self.tables, fresh, strict=True) for i in range(t.length - n, t.length)
        ]
        self._slots = torch.tensor(slots, dtype=torch.long, device=self.device)

    def write(self, layer, k, v):
        self.check_new(layer, k, v)
        self.wrote(layer)
        k, v = (x.transpose(0, 1).flatten(1, 2)[None] for x in (k, v))  # [1, H_kv, B·T, D]
        if self._real is not None:
            k, v = k[:, :, self._real], v[:, :, self._real]
        self.layers[layer].write(self._slots, k, v)

    def view(self, layer):
        store = self.layers[layer]
        lengths = tuple(self.lengths)  # a part of the batch may have grown by itself
        first, last = self.once(self._span, store.window, lengths)
        own = self.in_place and self.new == 1 and self._real is None
        return PagedView(
            k=store.k[0], v=store.v[0], table=self.once(self._table, lengths),
            block_size=self.pool.block_size, first=first, last=last, new=self.new, window=store.window,
            slots=self._slots if own else None, written=layer in self._written,
        )  # fmt: skip

    def _span(self, window, lengths):
        return visible_span(torch.tensor(lengths, device=self.device), window)

    def _table(self, lengths):
        """[B, blocks]: each sequence's blocks, in order; unused places hold 0."""
        longest = max((len(t.blocks) for t in self.tables), default=0)
        rows = [t.blocks + [0] * (longest - len(t.blocks)) for t in self.tables]
        return torch.tensor(rows, dtype=torch.long, device=self.device)

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
        return self._batch_changed()

    def add(self) -> int:
        """A new, empty sequence; returns its number."""
        self.tables.append(BlockTable(self.pool))
        return self._batch_changed()

    def free(self, sequence: int) -> None:
        """Give a sequence's blocks back; the sequences after it move up by one."""
        self.tables.pop(sequence).free()
        self._batch_changed()

    def select(self, sequences) -> "PagedCache":
        """A cache of only these sequences, over the same pool and memory: to prefill one of a batch."""
        part = copy.copy(self)
        part.tables = [self.tables[i] for i in sequences]
        part._batch_changed()
        return part

    def _batch_changed(self):
        self.batch, self.pad, self._slots = len(self.tables), None, None
        self._begin(min(self.lengths, default=0) and 1)  # each sequence's newest token may still ask
        self._written = set(range(len(self.layers)))
        return self.batch - 1

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens held; what sequences share counts once."""
        return sum(filled(self.tables).values()) * self._bytes_per_slot()

    @property
    def block_bytes(self) -> int:
        """Bytes of the blocks in use, the empty end of each last block included."""
        return len(filled(self.tables)) * self.pool.block_size * self._bytes_per_slot()

    def _bytes_per_slot(self) -> int:
        return self.reserved_bytes // (self.pool.num_blocks * self.pool.block_size)

    @property
    def predicted_bytes(self) -> int:
        """What the layout says `nbytes` must be; every layer is paged in full, windows too."""
        return sum(filled(self.tables).values()) * self.layout.bytes_per_token(self.dtype_name)
