"""What the engines' policies share: the rows they answer with, and the ideal one among them."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from ..configs import architecture
from ..layouts import CacheLayout, LayerKV
from ..units import DType


@dataclass(frozen=True)
class Row:
    """One line of the count: `n_layers` layers like `layer` with room for `tokens` tokens of a sequence each.

    token_bytes  one token in one layer, over all GPUs
    bytes        the layers and the batch together, and what `note` says comes on top
    """

    layer: LayerKV
    n_layers: int
    tokens: int
    token_bytes: int
    bytes: int
    note: str = ""


class Engine(Protocol):
    """What a policy offers. A policy is a frozen dataclass whose fields are its options."""

    name: str

    def rows(self, layout: CacheLayout, context: int, batch: int, dtype: DType) -> tuple[Row, ...]: ...

    def bytes(self, layout: CacheLayout, context: int, batch: int, dtype: DType) -> int: ...


class Policy:
    """What the policies share: dtypes they can store, and an engine whose layers go each on its own."""

    dtypes: tuple[str, ...] = ()  # names; none given means all

    def tokens(self, layer: LayerKV, context: int, batch: int, layout: CacheLayout) -> int:
        return layer.tokens(context)

    def token_bytes(self, layer: LayerKV, layout: CacheLayout, dtype: DType) -> int:
        return layer.bytes_per_token(dtype)

    def rows(self, layout, context, batch, dtype):
        self.can_serve(layout)
        self.can_store(dtype)
        rows = []
        for layer, n_layers in counted(layout).items():
            tokens = self.tokens(layer, context, batch, layout)
            each = self.token_bytes(layer, layout, dtype)
            rows.append(Row(layer, n_layers, tokens, each, batch * n_layers * tokens * each))
        return tuple(rows)

    def bytes(self, layout, context, batch, dtype):
        return sum(row.bytes for row in self.rows(layout, context, batch, dtype))

    def can_serve(self, layout):
        record = architecture(layout.architecture)
        if record and self.name in record.unserved:
            raise ValueError(f"engine {self.name} does not run {layout.architecture} models")

    def can_store(self, dtype):
        if self.dtypes and dtype.name not in self.dtypes:
            raise ValueError(
                f"engine {self.name} keeps no cache in dtype {dtype.name!r}, only in {', '.join(self.dtypes)}"
            )


def counted(layout) -> Counter:
    """How many layers there are of each sort that keeps tokens, in the model's order.

    What a layer keeps besides tokens makes no sort of its own.
    """
    return Counter(
        LayerKV(
            layer.kind, layer.n_kv_heads, layer.head_dim, layer.v_elements // layer.n_kv_heads, layer.window
        )
        for layer in layout.layers
        if layer.elements
    )


def flag(argument, value):
    if not isinstance(value, bool):
        raise ValueError(f"{argument} must be True or False, not {value!r}")


@dataclass(frozen=True)
class Ideal(Policy):
    """Every token that a later one can still attend to, and nothing more."""

    name = "ideal"
