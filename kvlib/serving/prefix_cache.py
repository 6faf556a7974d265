"""A prefix cache: blocks of past prompts are kept under a name, and a prompt that begins alike finds them.

As vLLM 0.33.0 has it, v1/core: hash_block_tokens (kv_cache_utils.py), get_new_blocks, touch and free_blocks
(block_pool.py), get_computed_blocks (kv_cache_manager.py), free (single_type_kv_cache_manager.py). There a
name also covers what else tells two prompts apart (an image, an adapter, a salt), what is hashed is written
in another notation, and one block of the pool is set apart.
"""

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field

from ..blocks import OutOfBlocks
from ..units import whole_number


def block_name(parent: str, tokens) -> str:
    """The name of a full block: SHA-256, in hex, of its parent's name and then its tokens as JSON in ASCII.

    parent  the name of the block before it; "" for the first
    tokens  whole numbers or strings

    So a name stands for every token from the first on: equal names, equal prefixes.
    """
    return hashlib.sha256((parent + json.dumps(list(tokens), separators=(",", ":"))).encode()).hexdigest()


def block_names(tokens, block_size: int) -> tuple[str, ...]:
    """The names of the full blocks of `tokens`; what is left over at the end has none."""
    names: list[str] = []
    for end in range(block_size, len(tokens) + 1, block_size):
        names.append(block_name(names[-1] if names else "", tokens[end - block_size : end]))
    return tuple(names)


@dataclass(frozen=True)
class Admitted:
    """What became of a prompt.

    blocks   its block table
    hits     how many of these, from the first, were in the cache
    cached   its tokens in them; the others are computed
    evicted  (block, name) of each that lost its name to make room, in this order
    """

    blocks: tuple[int, ...]
    hits: int
    cached: int
    evicted: tuple[tuple[int, str], ...]


@dataclass
class _Sequence:
    blocks: list[int]
    parent: str  # the name of its last full block
    open: list = field(default_factory=list)  # tokens after that one


class PrefixCache:
    """`num_blocks` blocks of `block_size` tokens. What is in a block stays until the block is needed.

    Blocks that nobody uses are free. They wait in one list and are taken from its front: those without a name
    first, then the named one that has been free longest. Of one sequence the last block goes first: whoever
    needs it needs those before it as well. Counted are `requests`, their prompts' tokens (`queries`), the
    tokens found (`hits`), and the blocks that lost their name to make room (`evictions`).
    """

    def __init__(self, num_blocks: int, block_size: int = 16):
        self.num_blocks = whole_number("num_blocks", num_blocks)
        self.block_size = whole_number("block_size", block_size)
        self.requests = self.queries = self.hits = self.evictions = 0
        self._free = OrderedDict.fromkeys(range(self.num_blocks))
        self._refs = [0] * self.num_blocks
        self._names: list[str | None] = [None] * self.num_blocks
        self._named: dict[str, list[int]] = {}  # more than one block where the same was computed twice
        self._inside: dict = {}

    @property
    def free(self) -> tuple[int, ...]:
        """The blocks that nobody uses, the one to be taken first in front."""
        return tuple(self._free)

    @property
    def hit_rate(self) -> float:
        """Of all the prompts' tokens, the share that was found; 0 before the first prompt."""
        return self.hits / self.queries if self.queries else 0.0

    def refs(self, block: int) -> int:
        """How many sequences use `block`."""
        return self._refs[block]

    def name(self, block: int) -> str | None:
        """The name that `block` can be found under; None: it is empty or not full."""
        return self._names[block]

    def table(self, id) -> tuple[int, ...]:
        """The blocks of the sequence `id`, in order."""
        return tuple(self._sequence(id).blocks)

    def lookup(self, tokens) -> tuple[int, ...]:
        """The blocks that a prompt would find, from its first on; changes nothing.

        Never all of it: the last token is computed in any case, since what follows it is read off there, and
        what is computed begins with a block.
        """
        found: list[int] = []
        for name in block_names(_checked(tokens)[:-1], self.block_size):
            if name not in self._named:
                break
            found.append(self._named[name][0])
        return tuple(found)

    def needs(self, tokens) -> int:
        """How many blocks `admit` would take from the free list, those that it finds there included."""
        return self._needs(tokens, self.lookup(tokens))

    def admit(self, id, tokens) -> Admitted:
        """Take in the prompt `tokens` (whole numbers or strings, one at least) of a new sequence `id`.

        Raises OutOfBlocks, and changes nothing, if the free list is too short; ValueError for an `id` that is
        inside, and for other tokens.
        """
        if id in self._inside:
            raise ValueError(f"id {id!r} is inside: release it first")
        found, tokens = self.lookup(tokens), list(tokens)
        if (asked := self._needs(tokens, found)) > len(self._free):
            raise OutOfBlocks(asked, len(self._free))
        for block in found:
            self._free.pop(block, None)
            self._refs[block] += 1
        cached = len(found) * self.block_size
        self.requests += 1
        self.queries += len(tokens)
        self.hits += cached
        self._inside[id] = _Sequence(list(found), self._names[found[-1]] if found else "")
        evicted = self._write(self._inside[id], tokens[cached:])
        return Admitted(tuple(self._inside[id].blocks), len(found), cached, evicted)

    def append(self, id, tokens) -> tuple[tuple[int, str], ...]:
        """Write more tokens of the sequence `id`, its answer; returns what was evicted, like `Admitted`.

        Blocks that they fill are named too, so that a prompt which holds the answer finds it. Nothing is
        looked up, and only evictions are counted. Raises as `admit` does, and ValueError for an unknown `id`.
        """
        sequence, tokens = self._sequence(id), _checked(tokens)
        asked = self._blocks(len(sequence.open) + len(tokens)) - bool(sequence.open)
        if asked > len(self._free):
            raise OutOfBlocks(asked, len(self._free))
        return self._write(sequence, tokens)

    def release(self, id) -> None:
        """The sequence `id` is done; full blocks that nobody else uses can be found until they are taken.

        Raises ValueError for an unknown `id`.
        """
        for block in reversed(self._sequence(id).blocks):
            self._refs[block] -= 1
            if not self._refs[block]:
                self._free[block] = None
                if self._names[block] is None:
                    self._free.move_to_end(block, last=False)
        del self._inside[id]

    def _needs(self, tokens, found):
        return self._blocks(len(tokens)) - sum(block not in self._free for block in found)

    def _blocks(self, tokens):
        return -(-tokens // self.block_size)

    def _sequence(self, id):
        if id not in self._inside:
            raise ValueError(f"id {id!r} is not inside; there are {list(self._inside)}")
        return self._inside[id]

    def _write(self, sequence, tokens):
        evicted = []
        for token in tokens:
            if not sequence.open:
                block, _ = self._free.popitem(last=False)
                if name := self._names[block]:
                    self._forget(block, name)
                    evicted.append((block, name))
                self._refs[block] = 1
                sequence.blocks.append(block)
            sequence.open.append(token)
            if len(sequence.open) == self.block_size:
                block = sequence.blocks[-1]
                self._names[block] = sequence.parent = block_name(sequence.parent, sequence.open)
                self._named.setdefault(sequence.parent, []).append(block)
                sequence.open = []
        self.evictions += len(evicted)
        return tuple(evicted)

    def _forget(self, block, name):
        self._names[block] = None
        self._named[name].remove(block)
        if not self._named[name]:
            del self._named[name]


def _checked(tokens):
    tokens = list(tokens)
    if not tokens:
        raise ValueError("tokens must be one at least, not none")
    for token in tokens:
        if not isinstance(token, str | int) or isinstance(token, bool):
            raise ValueError(f"tokens must be whole numbers or strings, not {token!r}")
    return tokens
