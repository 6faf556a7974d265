"""Settings of the budget figure: the models that it offers, one setting, and ready ones with their point."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .. import configs
from ..budget import Budget
from ..layouts import CacheLayout
from ..units import dtype as as_dtype, fmt
from .groups import groups, read_groups


def shipped(names=None) -> dict:
    """name -> (layout, parameters in all, parameters that a decode step reads) of the shipped models."""
    offered = {}
    for name in configs.models() if names is None else names:
        counted = configs.parameters(name)
        offered[name] = (configs.layout(name), counted.total, counted.read)
    return offered


def facts(layout: CacheLayout, total: int, weights_read: int) -> dict:
    """What budget.js needs of a model: its layout, its parameters in all, and those that a step reads.

    Raises ValueError for a layout that the figures do not show (`widgets.groups`).
    """
    kept, read = groups(layout), read_groups(layout)
    found = {"kept": kept, "total": total, "weights_read": weights_read, "made_for": layout.max_context}
    if layout.needs_source_len:
        found["cross"] = True
    return found if read == kept else found | {"read": read}


@dataclass(frozen=True)
class Setting:
    """What the reader has chosen: `utilization` in percent, `overhead_mib` over all GPUs together."""

    model: str
    gpu: str
    gpus: int = 1
    weights: str = "bf16"
    dtype: str = "bf16"
    context: int = 8192
    batch: int = 1
    source_len: int = 1500
    overhead_mib: int = 1024
    utilization: int = 90

    def budget(self, offered) -> Budget:
        """The kvlib.Budget of this setting; `offered` is what `shipped` returns."""
        layout, total, weights_read = offered[self.model]
        weights = as_dtype(self.weights)
        return Budget(
            layout,
            weights.nbytes(total),
            self.gpu,
            gpus=self.gpus,
            utilization=self.utilization / 100,
            overhead_bytes=self.overhead_mib * 2**20,
            dtype=self.dtype,
            weights_read_bytes=weights.nbytes(weights_read),
            source_len=self.source_len if layout.needs_source_len else None,
        )

    def named(self, cross: bool) -> str:
        """The setting in a line; `cross` says whether the model keeps something of a source."""
        source = f", each with a source of {self.source_len:,}" if cross else ""
        size = f"sequences: {self.batch:,} of {self.context:,} tokens ({self.dtype})"
        return f"{self.model} ({self.weights}) on {self.gpus} × {self.gpu}, {size}{source}"


@dataclass(frozen=True)
class Preset:
    """A setting worth seeing. point(setting, budget) says in a sentence or two what it shows."""

    name: str
    setting: Setting
    point: Callable
    moves: str = "sequences"

    def facts(self, offered) -> dict:
        """The preset as the page has it: its name, what it sets and its point."""
        of = vars(self.setting) | {"moves": self.moves}
        del of["source_len"]  # none of these models keeps a source
        return {
            "name": self.name,
            "set": of,
            "point": self.point(self.setting, self.setting.budget(offered)),
        }


def _cache(s: Setting, b: Budget) -> int:
    return b.cache_bytes(s.context, s.batch)


def _times_the_weights(s: Setting, b: Budget) -> str:
    return f"{_cache(s, b) / b.weights_bytes:.1f} times"


def _share(b: Budget) -> str:
    return f"{100 * b.weights_bytes / b.usable:.0f} % of what may be used"


def _chat(s, b):
    return (
        f"{s.batch} chats of {s.context:,} tokens keep {fmt(_cache(s, b))}, {_times_the_weights(s, b)}"
        f" what the weights take: many users fill a GPU with cache. {b.max_sequences(s.context)} would fit."
    )


def _document(s, b):
    return (
        f"The cache of one text is {_times_the_weights(s, b)} as large as the weights in"
        f" {as_dtype(s.weights).bits:g} bits, and the card is full: {b.max_context():,} tokens at most."
    )


def _users(s, b):
    smaller = replace(b, dtype="fp8")
    return (
        f"{s.batch} sequences of {s.context:,} tokens are {fmt(b.short_by(s.context, s.batch))} too much:"
        f" {b.max_sequences(s.context)} fit. With the cache in fp8 {smaller.max_sequences(s.context)} would."
    )


def _colab(s, b):
    smaller = replace(s, weights="q8_0").budget(shipped([s.model]))
    ends = b.layout.max_context
    return (
        f"In {as_dtype(s.weights).bits:g} bits the weights take {_share(b)}, and with the"
        f" overhead not one token fits. In q8_0 they take {fmt(smaller.weights_bytes)}, and"
        f" {smaller.max_sequences(ends)} whole contexts of {ends:,} tokens fit."
    )


def _two(s, b):
    return (
        f"The weights take {_share(b)}. {s.batch} sequences miss by"
        f" {fmt(b.short_by(s.context, s.batch))}: {b.max_sequences(s.context)} fit."
    )


def _windows(s, b):
    windows = [layer.window for layer in b.layout.layers if layer.window]
    endless = s.batch * s.context * b.layout.bytes_per_token(s.dtype)
    return (
        f"{len(windows)} of the {b.layout.n_layers} layers look back {windows[0]:,} tokens only."
        f" So the text keeps {fmt(_cache(s, b))}; if every layer kept all of it, {fmt(endless)}."
    )


PRESETS = (
    Preset("Many chats", Setting("llama-3.1-8b", "H100", context=2048, batch=128), _chat),
    Preset(
        "A 128K document",
        Setting("llama-3.1-8b", "RTX4090", weights="q4_0", context=131072),
        _document,
        moves="context",
    ),
    Preset("64 users", Setting("llama-3.1-8b", "H100", batch=64), _users),
    Preset("7B on Colab's T4", Setting("llama-2-7b", "T4", context=2048), _colab, moves="context"),
    Preset("70B on two H100", Setting("llama-3.1-70b", "H100", gpus=2, batch=4), _two),
    Preset("Windows, 128K", Setting("gemma-3-27b", "H100", context=131072), _windows, "context"),
)
