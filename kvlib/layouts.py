"""What a model's cache keeps of every token: the formula, in one place.

A `CacheLayout` is one `LayerKV` a layer. Everything else in kvlib that speaks of
bytes (configs, engines, budgets, real caches, widgets) asks a layout.

    >>> llama = CacheLayout.uniform(n_layers=32, n_kv_heads=8, head_dim=128)
    >>> llama.bytes_per_token()
    131072
"""

import warnings
from dataclasses import dataclass, field

from .units import DType, dtype as as_dtype, unknown, whole_number

KINDS = ("full", "sliding", "chunked", "latent", "shared", "state", "cross", "none")


class ContextWarning(UserWarning):
    """The context asked for is beyond what the model was made for."""


@dataclass(frozen=True)
class StateTensor:
    """One tensor of fixed size that a layer keeps of a sequence, however long it is.

    elements   numbers at one position of a short convolution's memory (its channels), or in
               the whole of a recurrent state
    kernel     positions that the convolution sees; None for a recurrent state
    positions  those of them that transformers keeps: all `kernel`, unless said (engines that
               slide the memory along need only kernel − 1)
    dtype      what transformers keeps it in: None means the model's own dtype
    named      the dtype that the checkpoint's config asks for, where it has a field for it
    """

    elements: int
    kernel: int | None = None
    positions: int | None = None
    dtype: str | None = None
    named: str | None = None

    def __post_init__(self):
        whole_number("elements", self.elements)
        if self.kernel is not None:
            whole_number("kernel", self.kernel)
        if self.positions is not None:
            if self.kernel is None or whole_number("positions", self.positions, 0) > self.kernel:
                raise ValueError("positions are those a convolution keeps: at most its kernel")
        for name in (self.dtype, self.named):
            if name is not None:
                as_dtype(name)

    def nbytes(self, dtype: "str | DType" = "bf16", positions: int | None = None) -> int:
        """Bytes of one sequence's tensor, its numbers kept in `dtype`.

        positions: how many of a convolution's positions are kept (None: all of its kernel).
        """
        width = 1
        if self.kernel is not None:
            width = self.kernel if positions is None else positions
        return as_dtype(dtype).nbytes(self.elements * width)


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
    cross_elements  numbers kept of each token of a source sequence (an encoder's output)
    shares_with index of the layer whose keys and values a shared layer reads
    """

    kind: str = "full"
    n_kv_heads: int = 0
    head_dim: int = 0
    v_head_dim: int | None = None
    window: int | None = None
    state: tuple[StateTensor, ...] = ()
    cross_elements: int = 0
    shares_with: int | None = None

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
        """Numbers kept of one token, keys and values together."""
        return self.k_elements + self.v_elements

    def tokens(self, context: int) -> int:
        """Tokens of which keys and values are kept once `context` tokens have passed.

        A chunked layer forgets a whole chunk at a time; it is given the room of one chunk.
        """
        if self.elements == 0:
            return 0
        return context if self.window is None else min(context, self.window)

    def bytes_per_token(self, dtype: "str | DType" = "bf16") -> int:
        """Bytes of one token's keys and values; each is packed as a row of its own."""
        dtype = as_dtype(dtype)
        return dtype.nbytes(self.k_elements) + dtype.nbytes(self.v_elements)


@dataclass(frozen=True)
class CacheLayout:
    """Every layer's `LayerKV`, and what a layout needs to be spoken of.

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
        head_dim = whole_number("head_dim", head_dim)
        if n_heads is not None and whole_number("n_heads", n_heads) % n_kv_heads:
            raise ValueError(
                f"n_heads must be divisible by n_kv_heads: {n_heads} query heads cannot be "
                f"shared out evenly over {n_kv_heads} KV heads"
            )
        layer = LayerKV("full", n_kv_heads, head_dim)
        return cls(layers=(layer,) * n_layers, n_heads=n_heads, **rest)

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    def bytes(self, context, batch=1, dtype="bf16", engine="ideal") -> int:
        """Bytes kept once each of `batch` sequences has `context` tokens.

        The sum over layers of tokens kept × bytes per token. What does not grow with
        tokens is apart: `state_bytes`, `cross_bytes`. `engine` is how the memory is
        allocated, a name or an `engines.Engine`; "ideal" wastes nothing.
        Warns (ContextWarning) beyond max_context.
        """
        context, batch = whole_number("context", context), whole_number("batch", batch)
        self._warn_beyond(context)
        if engine != "ideal":
            from .engines import engine as as_engine

            return as_engine(engine).bytes(self, context, batch, as_dtype(dtype))
        per_token = {}
        total = 0
        for layer in self.layers:
            if layer not in per_token:
                per_token[layer] = layer.bytes_per_token(dtype)
            total += layer.tokens(context) * per_token[layer]
        return batch * total

    def bytes_per_token(self, dtype="bf16") -> int:
        """Bytes that one more token adds while every window still has room."""
        return sum(layer.bytes_per_token(dtype) for layer in self.layers)

    def bytes_read(self, context, batch=1, dtype="bf16") -> int:
        """Bytes of cache that one decode step reads: every layer's, its state too.

        A shared layer keeps nothing but reads the layer it shares with, so this can be
        more than `bytes`.
        """
        context, batch = whole_number("context", context), whole_number("batch", batch)
        total = 0
        for layer in self.layers:
            source = layer if layer.shares_with is None else self.layers[layer.shares_with]
            total += source.tokens(context) * source.bytes_per_token(dtype) + layer.state_bytes
        return batch * total

    def state_bytes(self, batch=1) -> int:
        """Bytes of recurrent and convolution state: fixed, however long the sequence."""
        return whole_number("batch", batch) * sum(layer.state_bytes for layer in self.layers)

    def cross_bytes(self, source_len, batch=1, dtype="bf16") -> int:
        """Bytes of the keys and values of a source sequence of `source_len` tokens."""
        source_len, batch, dtype = (
            whole_number("source_len", source_len),
            whole_number("batch", batch),
            as_dtype(dtype),
        )
        # Keys and values are two rows of equal width.
        row = sum(2 * dtype.nbytes(layer.cross_elements // 2) for layer in self.layers)
        return batch * source_len * row

    def _warn_beyond(self, context):
        if self.max_context is not None and context > self.max_context:
            warnings.warn(
                f"context {context:,} is beyond the {self.max_context:,} tokens {self.name} was made for",
                ContextWarning,
                stacklevel=3,
            )


def kv_bytes(*, n_layers, n_kv_heads, head_dim, context, batch=1, dtype="bf16") -> int:
    """The formula for full attention: 2 × layers × batch × KV heads × context × head_dim × bytes.

    >>> kv_bytes(n_layers=32, n_kv_heads=32, head_dim=128, context=4096)
    2147483648
    """
    return CacheLayout.uniform(n_layers, n_kv_heads, head_dim).bytes(context, batch, dtype)
