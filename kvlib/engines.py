"""How engines allocate: one policy an engine, all over the same layout.

`layout.bytes(context)` counts what must be kept. An engine keeps a little less, or reserves
rather more; each class below says why, and which source it was read from. Every policy
answers `rows(layout, context, batch, dtype)`, what each kind of layer takes; `bytes` is their sum.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from .layout import CacheLayout, LayerKV
from .units import DType, unknown


@dataclass(frozen=True)
class Row:
    """One line of the count: `n_layers` layers that each keep `tokens` tokens of a sequence.

    bytes is the sum over the layers and the batch; `token_bytes` is one token in one layer.
    """

    kind: str
    n_layers: int
    tokens: int
    token_bytes: int
    bytes: int
    window: int | None = None
    note: str = ""


class Engine(Protocol):
    """What a policy offers. A policy is a frozen dataclass whose fields are its options."""

    name: str

    def rows(self, layout: CacheLayout, context: int, batch: int, dtype: DType) -> tuple[Row, ...]: ...

    def bytes(self, layout: CacheLayout, context: int, batch: int, dtype: DType) -> int: ...


class _Policy:
    """An engine whose layers do not depend on one another: it gives a layer's tokens and their bytes."""

    def tokens(self, layer: LayerKV, context: int) -> int:
        return layer.tokens(context)

    def token_bytes(self, layer: LayerKV, layout: CacheLayout, dtype: DType) -> int:
        return layer.bytes_per_token(dtype)

    def rows(self, layout, context, batch, dtype):
        rows = []
        for layer, n_layers in Counter(layout.layers).items():
            if layer.elements:
                tokens, each = self.tokens(layer, context), self.token_bytes(layer, layout, dtype)
                total = batch * n_layers * tokens * each
                rows.append(Row(layer.kind, n_layers, tokens, each, total, layer.window))
        return tuple(rows)

    def bytes(self, layout, context, batch, dtype):
        return sum(row.bytes for row in self.rows(layout, context, batch, dtype))


@dataclass(frozen=True)
class Ideal(_Policy):
    """Every token that a later one can still attend to, and nothing more."""

    name = "ideal"


@dataclass(frozen=True)
class Transformers(_Policy):
    """What a `DynamicCache` holds after a forward pass.

    A windowed or chunked layer keeps the last W − 1 tokens: the next token brings itself, so
    W − 1 old ones complete its window. Falcon's keys and values are copied to every query head
    before they are cached (new decoder architecture only). Both from transformers 5.23:
    cache_utils.py, `DynamicSlidingWindowLayer.update`, and models/falcon/modeling_falcon.py.
    """

    name = "transformers"

    def tokens(self, layer, context):
        if layer.window is None or layer.window == 1:
            # Its slice [-W + 1:] is [0:] for W = 1, which drops nothing.
            return context
        return min(context, layer.window - 1)

    def token_bytes(self, layer, layout, dtype):
        if layout.architecture == "falcon" and layer.n_kv_heads > 1 and layout.n_heads:
            layer = dataclasses.replace(layer, n_kv_heads=layout.n_heads)
        return layer.bytes_per_token(dtype)


ENGINES = {policy.name: policy for policy in (Ideal, Transformers)}


def engine(name, **options) -> Engine:
    """The engine called `name` with its options: `engine("vllm", block_size=32, tp=2)`.

    Raises ValueError for an unknown engine or option.
    """
    if not isinstance(name, str):
        if not callable(getattr(name, "bytes", None)):
            raise unknown("engine", name, ENGINES)
        return dataclasses.replace(name, **options) if options else name
    if name.lower() not in ENGINES:
        raise unknown("engine", name, ENGINES)
    policy = ENGINES[name.lower()]
    known = [field.name for field in dataclasses.fields(policy)]
    for option in options:
        if option not in known:
            raise unknown(f"option of engine {policy.name}:", option, known or ["none"])
    return policy(**options)
