"""What engines share: the rows that they answer with, and the ideal engine among them."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

from ..configs import architecture
from ..layouts import Breakdown, CacheLayout, LayerKV
from ..units import DType, dtype as as_dtype


@dataclass(frozen=True)
class Row:
    """One line of the count: what `n_layers` layers like `layer` keep for the whole batch.

    part         tokens, state or cross, as in `layouts.Breakdown`
    tokens       tokens of a sequence that each layer has room for; in a cross row, of the source
                 sequence; in a state row 0
    token_bytes  one token in one layer, over all GPUs; in a state row 0
    bytes        the layers and the batch together, and what `note` says comes on top
    """

    layer: LayerKV
    n_layers: int
    tokens: int
    token_bytes: int
    bytes: int
    note: str = ""
    part: str = "tokens"


@dataclass(frozen=True)
class Capacity:
    """What an engine makes of the memory that it has for its cache.

    blocks      blocks (SGLang: pages) in the pool
    block_size  tokens in a block of a layer that keeps every token
    sequences   how many sequences of the context asked for they hold; a fraction is one that waits
    tokens      tokens of such sequences: what vLLM prints as its cache's size
    """

    blocks: int
    block_size: int
    sequences: float
    tokens: int


@dataclass(frozen=True)
class Engine:
    """How an engine allocates a layout: a frozen dataclass whose fields are the engine's options.

    `rows`, `breakdown`, `bytes`, `bytes_per_token` and `bytes_read` answer as `CacheLayout`'s methods of
    these names do, with the layout as their first argument. A subclass says what its engine does otherwise:
    the tokens that a layer has room for, their bytes, a state's bytes, or whole `token_rows`.
    """

    name: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]] = ()  # names; none given means all
    source_note: ClassVar[str] = ""  # of a cross row
    counts_indexer: ClassVar[bool] = False  # an indexer's keys and compressed entries, too

    @property
    def gpus(self) -> int:
        """GPUs over which the cache is spread."""
        return 1

    def seen(self, layout: CacheLayout) -> CacheLayout:
        """The layers as the engine's attention has them: another layout where it keeps latents expanded."""
        return layout

    def tokens(self, layer: LayerKV, context: int, batch: int, layout: CacheLayout) -> int:
        """Tokens of a sequence that `layer` has room for."""
        return layer.tokens(context)

    def token_bytes(self, layer: LayerKV, layout: CacheLayout, dtype: DType) -> int:
        """Bytes of one token's keys and values in `layer`, over all GPUs."""
        return layer.bytes_per_token(dtype)

    def source_tokens(self, source_len: int) -> int:
        """Tokens of a source sequence that a layer with cross attention has room for."""
        return source_len

    def source_token_bytes(self, layer: LayerKV, layout: CacheLayout, dtype: DType) -> int:
        """Bytes of one source token's keys and values in `layer`, over all GPUs."""
        return layer.cross_bytes_per_token(dtype)

    def state_bytes(self, layer: LayerKV, dtype: DType) -> int:
        """Bytes of the state that `layer` keeps of a sequence; `dtype` is the cache's."""
        return layer.state_bytes

    def can_serve(self, layout: CacheLayout) -> None:
        """Raise ValueError where the engine does not run the model, or not with these options."""
        record = architecture(layout.architecture)
        if record and self.name in record.unserved:
            raise ValueError(f"engine {self.name} does not run {layout.architecture} models")
        if not self.counts_indexer and any(layer.indexer or layer.compressed for layer in layout.kinds):
            raise ValueError(
                f"how engine {self.name} keeps an indexer's keys or compressed entries is not counted here"
            )

    def can_store(self, dtype: DType) -> None:
        """Raise ValueError where the engine cannot keep a cache in `dtype`."""
        if self.dtypes and dtype.name not in self.dtypes:
            raise ValueError(
                f"engine {self.name} keeps no cache in dtype {dtype.name!r}, only in {', '.join(self.dtypes)}"
            )

    def checked(self, layout, context, batch, dtype, source_len) -> tuple[int, int, DType, int]:
        """The arguments, checked by the layout, and that the engine takes the model and the dtype."""
        given = layout.checked(context, batch, dtype, source_len)
        self.can_serve(layout)
        self.can_store(given[2])
        return given

    def rows(self, layout, context, batch=1, dtype="bf16", source_len=None) -> tuple[Row, ...]:
        """What each kind of layer keeps; the rows' bytes add up to `bytes`."""
        context, batch, dtype, source_len = self.checked(layout, context, batch, dtype, source_len)
        layout = self.seen(layout)
        rows = [*self.token_rows(layout, context, batch, dtype), *self.state_rows(layout, batch, dtype)]
        for layer, n_layers in layout.kinds.items():
            if layer.cross_elements:
                tokens = self.source_tokens(source_len)
                each = self.source_token_bytes(layer, layout, dtype)
                nbytes = batch * n_layers * tokens * each
                rows.append(Row(layer, n_layers, tokens, each, nbytes, self.source_note, "cross"))
        return tuple(rows)

    def token_rows(self, layout, context, batch, dtype):
        """The rows of the sequences' own tokens; the arguments are checked."""
        rows = []
        for layer, n_layers in counted(layout).items():
            tokens = self.tokens(layer, context, batch, layout)
            each = self.token_bytes(layer, layout, dtype)
            nbytes = tokens * each + layer.compressed_bytes(context, dtype)
            every = layer.compressed[0].every if layer.compressed else 0
            note = f"and entries that each stand for {every:,} tokens" if every else ""
            rows.append(Row(layer, n_layers, tokens, each, batch * n_layers * nbytes, note))
        return rows

    def state_rows(self, layout, batch, dtype):
        """The rows of recurrent and convolution states; the arguments are checked."""
        each = {layer: self.state_bytes(layer, dtype) for layer in layout.kinds}
        return [
            Row(layer, n_layers, 0, 0, batch * n_layers * each[layer], part="state")
            for layer, n_layers in layout.kinds.items()
            if each[layer]
        ]

    def breakdown(self, layout, context, batch=1, dtype="bf16", source_len=None) -> Breakdown:
        """The rows' bytes as tokens, state and cross attention."""
        parts: Counter[str] = Counter()
        for row in self.rows(layout, context, batch, dtype, source_len):
            parts[row.part] += row.bytes
        return Breakdown(parts["tokens"], parts["state"], parts["cross"])

    def bytes(self, layout, context, batch=1, dtype="bf16", source_len=None) -> int:
        """Bytes that the engine takes for the batch, over all GPUs."""
        return self.breakdown(layout, context, batch, dtype, source_len).total

    def bytes_per_token(self, layout, dtype="bf16") -> int:
        """Bytes that one more token adds while every window has room; where blocks are taken, on average."""
        layout, dtype = self.seen(layout), as_dtype(dtype)
        self.can_serve(layout)
        self.can_store(dtype)
        more = sum(n * layer.compressed_bytes_per_token(dtype) for layer, n in layout.kinds.items())
        # What a block that is still open holds for a while is no part of it.
        open_block = sum(n * layer.compressed_bytes(1, dtype) for layer, n in layout.kinds.items())
        rows = self.token_rows(layout, 1, 1, dtype)
        return sum(row.bytes // row.tokens for row in rows) + more - open_block

    def bytes_read(self, layout, context, batch=1, dtype="bf16", source_len=None) -> int:
        """Bytes of cache that one decode step must read: what can be attended to, as the engine stores it."""
        context, batch, dtype, source_len = self.checked(layout, context, batch, dtype, source_len)
        layout, total = self.seen(layout), 0
        for layer, n_layers in layout.as_read().kinds.items():
            each = self.state_bytes(layer, dtype)
            if layer.elements:
                each += layer.tokens(context) * self.token_bytes(layer, layout, dtype)
                each += layer.compressed_bytes(context, dtype)
            if layer.cross_elements:
                kept = min(source_len, self.source_tokens(source_len))
                each += kept * self.source_token_bytes(layer, layout, dtype)
            total += n_layers * each
        return batch * total

    def capacity(self, layout, available: int, context, dtype="bf16") -> Capacity:
        """What `available` bytes on each GPU hold of sequences of `context` tokens."""
        raise ValueError(f"engine {self.name} does not size its cache by the memory that is left")

    def stored_as(self, dtype="bf16") -> str:
        """The name of the format in which keys and values are kept when `dtype` is asked for."""
        return as_dtype(dtype).name


def counted(layout: CacheLayout) -> Counter[LayerKV]:
    """How many layers there are of each sort that keeps tokens, in the model's order.

    What a layer keeps besides tokens makes no sort of its own.
    """
    found: Counter[LayerKV] = Counter()
    for layer, n_layers in layout.kinds.items():
        if layer.elements:
            values = layer.v_elements // layer.n_kv_heads
            kept = replace(layer, v_head_dim=values, state=(), cross_elements=0)
            found[kept] += n_layers
    return found


def expanded(layout: CacheLayout, pad_values: bool = False) -> CacheLayout:
    """The layout with every latent expanded to each query head's keys and values.

    pad_values: values are kept as wide as keys. Raises ValueError where their widths are not known.
    """

    def full(layer: LayerKV) -> LayerKV:
        if layer.kind != "latent":
            return layer
        if layer.expanded is None or layout.n_heads is None:
            raise ValueError(f"{layout.name}: the width of the keys and values of its latent is not known")
        keys, values = layer.expanded
        wide = keys if pad_values else values
        return replace(
            layer, kind="full", n_kv_heads=layout.n_heads, head_dim=keys, v_head_dim=wide, expanded=None
        )

    return replace(layout, layers=tuple(map(full, layout.layers)))


def flag(argument, value):
    if not isinstance(value, bool):
        raise ValueError(f"{argument} must be True or False, not {value!r}")


@dataclass(frozen=True)
class Ideal(Engine):
    """Every token that a later one can still attend to, and nothing more: what the layout counts."""

    name = "ideal"
    counts_indexer = True

    def breakdown(self, layout, context, batch=1, dtype="bf16", source_len=None):
        return layout.breakdown(context, batch, dtype, source_len)
