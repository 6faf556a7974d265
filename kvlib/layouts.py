"""What a model's cache keeps of every token: the formula, in one place.

A `CacheLayout` is one `LayerKV` per layer. All else in kvlib that speaks of bytes asks a layout.

    >>> llama = CacheLayout.uniform(n_layers=32, n_kv_heads=8, head_dim=128)
    >>> llama.bytes_per_token()
    131072
"""

import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property

from .states import Compressed, StateTensor
from .units import DType, dtype as as_dtype, unknown, whole_number

KINDS = ("full", "sliding", "chunked", "latent", "shared", "state", "cross", "none")


class ContextWarning(UserWarning):
    """The context asked for is beyond what the model was made for."""


@dataclass(frozen=True)
class LayerKV:
    """What one layer keeps of a sequence.

    kind        full, sliding, chunked, latent, shared (reads an earlier layer's cache and
                keeps none), state (fixed recurrent or convolution state), cross (only
                another sequence's keys and values), none
    n_kv_heads  H_kv, heads that keep keys and values
    head_dim    D, numbers in one key
    v_head_dim  numbers in one value; None means head_dim. A latent layer keeps one vector
                a token: one head, head_dim = its width, v_head_dim = 0
    window      tokens a sliding or chunked layer can look back on
    state       recurrent and convolution state: tensors of fixed size, whatever the length
    indexer     numbers in one token's key of an indexer, which picks the tokens to attend to
    compressed  entries that each stand for many tokens, kept beside the tokens of a window
    cross_elements  numbers kept of each token of a source sequence (an encoder's output)
    shares_with index of the layer whose keys and values a shared layer reads
    expanded    (numbers in a key, in a value) of each query head that a latent layer's vector expands to
    """

    kind: str = "full"
    n_kv_heads: int = 0
    head_dim: int = 0
    v_head_dim: int | None = None
    window: int | None = None
    state: tuple[StateTensor, ...] = ()
    indexer: int = 0
    compressed: tuple[Compressed, ...] = ()
    cross_elements: int = 0
    shares_with: int | None = None
    expanded: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise unknown("kind", self.kind, KINDS)
        if self.kind in ("full", "sliding", "chunked", "latent"):
            whole_number("n_kv_heads", self.n_kv_heads)
            whole_number("head_dim", self.head_dim)
        if self.kind in ("sliding", "chunked"):
            whole_number("window", self.window)
        elif self.window is not None:
            raise ValueError(f"window belongs to a sliding or chunked layer, not to {self.kind!r}")
        if (self.kind == "shared") != (self.shares_with is not None):
            raise ValueError("shares_with belongs to a shared layer, and a shared layer needs it")

    @property
    def k_elements(self) -> int:
        """Numbers in one token's keys (or latent)."""
        return self.n_kv_heads * self.head_dim

    @property
    def v_elements(self) -> int:
        """Numbers in one token's values."""
        return self.n_kv_heads * (self.head_dim if self.v_head_dim is None else self.v_head_dim)

    @property
    def state_bytes(self) -> int:
        """Bytes of `state` as transformers keeps it for a bf16 model."""
        return sum(one.nbytes(one.dtype or "bf16", one.positions) for one in self.state)

    @property
    def elements(self) -> int:
        """Numbers kept of one token, keys and values together; an indexer's key apart."""
        return self.k_elements + self.v_elements

    def tokens(self, context: int) -> int:
        """Tokens of which keys and values are kept once `context` tokens have passed.

        A chunked layer forgets a whole chunk at a time; it is given the room of one chunk.
        """
        if self.elements == 0:
            return 0
        return context if self.window is None else min(context, self.window)

    def bytes_per_token(self, dtype: "str | DType" = "bf16") -> int:
        """Bytes of one token's keys, values and indexer's key; each is packed as a row of its own."""
        return sum(as_dtype(dtype).nbytes(row) for row in (self.k_elements, self.v_elements, self.indexer))

    def compressed_bytes(self, context: int, dtype: "str | DType" = "bf16") -> int:
        """Bytes of all compressed entries, and of what will become one, once `context` tokens have passed."""
        return sum(one.nbytes(context, dtype) for one in self.compressed)

    def compressed_bytes_per_token(self, dtype: "str | DType" = "bf16") -> int:
        """Bytes that one more token adds to the compressed entries, on average."""
        return sum(as_dtype(dtype).nbytes(one.elements) // one.every for one in self.compressed)

    def cross_bytes_per_token(self, dtype: "str | DType" = "bf16") -> int:
        """Bytes of one source token's keys and values, two rows of equal width."""
        return 2 * as_dtype(dtype).nbytes(self.cross_elements // 2)


@dataclass(frozen=True)
class Breakdown:
    """The bytes of a cache by what they hold.

    tokens  keys and values (or latents) of the sequences' own tokens
    state   recurrent and convolution state, of fixed size
    cross   keys and values of a source sequence (an encoder's output, a picture)
    """

    tokens: int
    state: int = 0
    cross: int = 0

    @property
    def total(self) -> int:
        return self.tokens + self.state + self.cross


@dataclass(frozen=True)
class CacheLayout:
    """Every layer's `LayerKV`, and what names the model and bounds its use.

    n_heads      query heads of an attention layer (None if it has none)
    max_context  tokens the model was made for (None: not said)
    """

    layers: tuple[LayerKV, ...]
    name: str = "model"
    n_heads: int | None = None
    max_context: int | None = None
    architecture: str | None = field(default=None, compare=False)

    @classmethod
    def uniform(cls, n_layers, n_kv_heads, head_dim, *, n_heads=None, **rest) -> "CacheLayout":
        """A layout whose layers are all full attention and alike.

        Raises ValueError for a count below 1, or n_heads not divisible by n_kv_heads.
        """
        n_layers = whole_number("n_layers", n_layers)
        n_kv_heads = whole_number("n_kv_heads", n_kv_heads)
        if n_heads is not None and whole_number("n_heads", n_heads) % n_kv_heads:
            raise ValueError(
                f"n_heads must be divisible by n_kv_heads: {n_heads} query heads cannot be "
                f"shared out evenly over {n_kv_heads} KV heads"
            )
        return cls(layers=(LayerKV("full", n_kv_heads, head_dim),) * n_layers, n_heads=n_heads, **rest)

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    @property
    def n_kv_heads(self) -> int:
        """H_kv of the layers that keep tokens, where they agree; a ValueError names the values otherwise."""
        return self._agreed("n_kv_heads")

    @property
    def head_dim(self) -> int:
        """D of the layers that keep tokens, where they agree; a ValueError names the values otherwise."""
        return self._agreed("head_dim")

    @cached_property
    def kinds(self) -> dict[LayerKV, int]:
        """The layers that differ, in order, and how many there are of each."""
        return dict(Counter(self.layers))

    @property
    def needs_source_len(self) -> bool:
        """Whether a layer keeps another sequence's keys and values, so that its length must be said."""
        return any(layer.cross_elements for layer in self.kinds)

    def bytes(self, context, batch=1, dtype="bf16", source_len=None) -> int:
        """Bytes of all that is kept once each of `batch` sequences has `context` tokens.

        Tokens, recurrent state and cross attention together; `breakdown` tells them apart. How an
        engine allocates them is the engine's to say: `engines.engine("vllm").bytes(layout, context)`.

        source_len  tokens of the other sequence (an encoder's output, a picture) that cross attention
                    keeps, 0 for none. A layout with cross attention needs it, any other refuses it.

        Warns (ContextWarning) beyond max_context. Raises ValueError for an argument out of bounds.
        """
        return self.breakdown(context, batch, dtype, source_len).total

    def breakdown(self, context, batch=1, dtype="bf16", source_len=None) -> Breakdown:
        """`bytes`, of the same arguments, as its three parts: tokens, state and cross."""
        context, batch, dtype, source_len = self.checked(context, batch, dtype, source_len)
        tokens = state = cross = 0
        for layer, n_layers in self.kinds.items():
            tokens += n_layers * layer.tokens(context) * layer.bytes_per_token(dtype)
            tokens += n_layers * layer.compressed_bytes(context, dtype)
            state += n_layers * layer.state_bytes
            cross += n_layers * source_len * layer.cross_bytes_per_token(dtype)
        return Breakdown(batch * tokens, batch * state, batch * cross)

    def bytes_per_token(self, dtype="bf16") -> int:
        """Bytes that one more token adds while every window still has room."""
        kinds = self.kinds.items()
        return sum(n * (x.bytes_per_token(dtype) + x.compressed_bytes_per_token(dtype)) for x, n in kinds)

    def bytes_read(self, context, batch=1, dtype="bf16", source_len=None) -> int:
        """Bytes of cache that one decode step reads: tokens, state and cross attention.

        A shared layer keeps nothing but reads the layer it shares with, so this can be more than `bytes`.
        Where an indexer picks tokens, all are counted, picked or not: a bound from above.
        """
        return self.as_read().breakdown(context, batch, dtype, source_len).total

    def as_read(self) -> "CacheLayout":
        """The same layers as a decode step reads them: a shared layer reads the one it shares with."""

        def read(layer):
            if layer.shares_with is None:
                return layer
            kept = {"state": layer.state, "cross_elements": layer.cross_elements}
            return replace(self.layers[layer.shares_with], **kept)

        return replace(self, layers=tuple(map(read, self.layers)))

    def checked(self, context, batch, dtype, source_len) -> tuple[int, int, DType, int]:
        """(context, batch, dtype, source_len), checked as `bytes` does; source_len is 0 for None."""
        context, batch = whole_number("context", context), whole_number("batch", batch)
        source_len = self.checked_source_len(source_len)
        if self.max_context is not None and context > self.max_context:
            made_for = f"the {self.max_context:,} tokens {self.name} was made for"
            # From the caller of `bytes`, which asks `breakdown`.
            warnings.warn(f"context {context:,} is beyond {made_for}", ContextWarning, stacklevel=4)
        return context, batch, as_dtype(dtype), source_len

    def checked_source_len(self, source_len) -> int:
        """The tokens of a source sequence to count, 0 for None where there is no cross attention."""
        if self.needs_source_len and source_len is None:
            raise ValueError(
                f"source_len is needed: {self.name} also keeps the keys and values of another sequence (an "
                "encoder's output, a picture); give its length in tokens, or 0 where there is none"
            )
        if not self.needs_source_len and source_len is not None:
            raise ValueError(
                f"source_len must be left out, not {source_len!r}: {self.name} has no cross attention, "
                "so it keeps nothing of another sequence"
            )
        return 0 if source_len is None else whole_number("source_len", source_len, least=0)

    def _agreed(self, name):
        values = sorted({getattr(layer, name) for layer in self.kinds if layer.elements})
        if len(values) != 1:
            has = f"layers with {' and '.join(map(str, values))}" if values else "no layer that keeps tokens"
            raise ValueError(f"{name} is no single number: {self.name} has {has}; see layers")
        return values[0]


def kv_bytes(*, n_layers, n_kv_heads, head_dim, context, batch=1, dtype="bf16") -> int:
    """The formula for full attention: 2 × layers × batch × KV heads × context × head_dim × bytes.

    >>> kv_bytes(n_layers=32, n_kv_heads=32, head_dim=128, context=4096)
    2147483648
    """
    return CacheLayout.uniform(n_layers, n_kv_heads, head_dim).bytes(context, batch, dtype)
