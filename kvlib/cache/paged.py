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

    longest  tokens of the longest sequence
    even     whether all sequences are as long
    """

    k: torch.Tensor
    v: torch.Tensor
    table: torch.Tensor
    block_size: int
    longest: int
    even: bool

    @property
    def shape(self):
        return self.table.shape[0], self.k.shape[0], self.k.shape[2]

    def gather(self):
        """Sequences of different length end together; what fills up the shorter ones in front is padding."""
        S = self.longest
        at = torch.arange(S, device=self.k.device) - (S - self.last)[:, None]  # [B, S]; below 0: padding
        at = at.clamp(min=0)
        slots = self.table.gather(1, at // self.block_size) * self.block_size + at % self.block_size
        return tuple(
            x.index_select(1, slots.flatten()).unflatten(1, slots.shape).transpose(0, 1)
            for x in (self.k, self.v)
        )

    def padding(self, S):
        return None if self.even else S - self.last


class PagedCache(Cache):
    """`batch` sequences in a pool of `num_blocks` blocks of `block_size` tokens.

    Without `num_blocks`, as many as let every sequence grow to `capacity`. Sequences are
    numbered from 0 in the order of `tables`, which is the batch's. Every layer is paged in full.
    """

    kind = "paged"
    in_place = True
    _shown: list[int]  # what the device was told: tokens of each sequence, and its blocks
    _shown_blocks: list[list[int]]

    def __init__(self, layout, *, block_size=16, num_blocks=None, batch=1, capacity=2048, **rest):
        if num_blocks is None:
            per_sequence = -(-whole_number("capacity", capacity) // whole_number("block_size", block_size))
            num_blocks = whole_number("batch", batch) * per_sequence
        self.pool = BlockPool(num_blocks, block_size)
        self.tables = [BlockTable(self.pool) for _ in range(whole_number("batch", batch))]
        self.pad = self._real = self._slots = None  # of a step: which tokens are real, where they go
        super().__init__(layout, batch=batch, capacity=capacity, **rest)
        self._batch_changed()

    def storage(self, kv):
        slots = self.pool.num_blocks * self.pool.block_size
        return Rows(kv, slots, kv.window, batch=1, dtype=self.dtype, device=self.device)

    def append(self, T=1):
        """Claim blocks for T new tokens of every sequence. Raises OutOfBlocks, with nothing changed.

        Of a first batch of prompts filled up in front (`pad`), only the tokens that are not padding.
        """
        fresh = [whole_number("T", T)] * self.batch
        if self.length == 0 and self._first_pad is not None:
            fresh = [T - pad for pad in self._first_pad.tolist()]
        size = self.pool.block_size
        for source, target in append_all(self.tables, fresh):
            old, new = (slice(block * size, (block + 1) * size) for block in (source, target))
            for store in self.layers:
                store.k[:, :, new], store.v[:, :, new] = store.k[:, :, old], store.v[:, :, old]
        self._show()
        self.begin(T)
        self._real = None  # which of the new tokens are not padding; None: all
        if min(fresh) < T:
            real = torch.arange(T) >= T - torch.tensor(fresh)[:, None]
            self._real = real.flatten().nonzero().squeeze(1).to(self.device)
        self._slots = [
            t.slot(i) for t, n in zip(self.tables, fresh, strict=True) for i in range(t.length - n, t.length)
        ]

    def write(self, layer, k, v):
        self.check_new(layer, k, v)
        self.wrote(layer)
        k, v = (x.transpose(0, 1).flatten(1, 2)[None] for x in (k, v))  # [1, H_kv, B·T, D]
        if self._real is not None:
            k, v = k[:, :, self._real], v[:, :, self._real]
        self.layers[layer].write(self.once(self._device_slots), k, v)

    def view(self, layer):
        store = self.layers[layer]
        if self._show():  # a part of the batch has grown by itself
            self._step.clear()
        first, last = self.once(self.span, store.window)
        return PagedView(
            k=store.k[0], v=store.v[0], table=self.device_table, block_size=self.pool.block_size,
            longest=max(self._shown), even=min(self._shown) == max(self._shown),
            first=first, last=last, new=self.new, window=store.window,
            storable=self.storable, written=layer in self._written,
        )  # fmt: skip

    @property
    def storable(self):
        return super().storable and self._real is None  # padding is not stored

    def span(self, window):
        return visible_span(self.device_lengths, window)

    def rotary_positions(self):
        return self.positions().clamp(min=0)  # each sequence's own, so padding is not among them

    def _device_slots(self):
        return torch.tensor(self._slots, dtype=torch.long, device=self.device)

    def _show(self) -> bool:
        """Bring lengths and block tables on the device up to date, in place; whether they were not."""
        lengths = self.lengths
        if lengths == self._shown:
            return False
        more = {now - before for now, before in zip(lengths, self._shown, strict=True)}
        if len(more) == 1:  # without a copy from the host, which would wait for it
            self.device_lengths += more.pop()
        else:
            self.device_lengths.copy_(torch.tensor(lengths), non_blocking=True)
        self._shown = lengths
        for row, table, blocks in zip(self.device_table, self.tables, self._shown_blocks, strict=True):
            # A table changes at its end alone: its last block is copied on write, or more are added.
            last = max(len(blocks) - 1, 0)
            if blocks[last:] != table.blocks[last:]:
                blocks[last:] = table.blocks[last:]
                row[last : len(blocks)].copy_(torch.tensor(blocks[last:]), non_blocking=True)
        return True

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

    def crop(self, length, sequence: int | None = None):
        """Give tokens back, of one sequence or of every one, and to the pool the blocks that held no others.

        Of a block that a fork owns too, the fork keeps its tokens. Raises ValueError, with nothing
        changed, for a length that a sequence does not have.
        """
        cropped = self.tables if sequence is None else [self.tables[sequence]]
        has = min(table.length for table in cropped)
        if whole_number("length", length, least=0) > has:
            raise ValueError(f"length must be at most {has}, the tokens of the sequence, not {length}")
        for table in cropped:
            table.crop(length)
        for table, blocks in zip(self.tables, self._shown_blocks, strict=True):
            del blocks[len(table.blocks) :]  # the next to come may be others
        self._show()
        self._slots = []
        self.begin(0)

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

    def clear(self):
        for table in self.tables:
            table.free()
        self._shown, self._shown_blocks = [0] * self.batch, [[] for _ in self.tables]
        super().clear()

    def _batch_changed(self):
        self.batch, self.pad, self._slots = len(self.tables), None, None
        like = dict(dtype=torch.long, device=self.device)
        self.device_lengths = torch.zeros(self.batch, **like)
        self.device_table = torch.zeros(self.batch, self.pool.num_blocks, **like)  # unused places hold 0
        self._shown, self._shown_blocks, self.captured = [0] * self.batch, [[] for _ in self.tables], {}
        self._show()
        self.begin(min(self.lengths, default=0) and 1)  # each sequence's newest token may still ask
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
