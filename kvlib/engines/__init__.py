"""How engines allocate: one class per engine, all over the same layout.

`layout.bytes(context)` counts what must be kept. An engine keeps a little less, or reserves
rather more; each class says why, and which source it was read from. Every engine answers
`rows(layout, context, batch, dtype, source_len)`, what each kind of layer takes; `bytes` is their sum
and `breakdown` that sum as tokens, state and cross attention. Those that size their cache by the memory
that is left say in `capacity` what it holds; what else they spend is in `overhead`.

    >>> from kvlib import layout
    >>> engine("vllm", block_size=32).bytes(layout("llama-3.1-8b"), context=33)
    8388608
"""

import dataclasses

from ..units import unknown
from .base import Capacity, Engine, Ideal, Row
from .llama_cpp import LlamaCpp
from .sglang import SGLang
from .transformers import Transformers
from .vllm import VLLM

__all__ = [
    "ENGINES", "VLLM", "Capacity", "Engine", "Ideal", "LlamaCpp", "Row", "SGLang", "Transformers", "engine",
]  # fmt: skip

ENGINES = {cls.name: cls for cls in (Ideal, Transformers, VLLM, SGLang, LlamaCpp)}


def engine(name, **options) -> Engine:
    """The engine called `name` with its options: `engine("vllm", block_size=32, tp=2)`.

    Raises ValueError for an unknown engine or option.
    """
    if not isinstance(name, str):
        if not isinstance(name, Engine):
            raise unknown("engine", name, ENGINES)
        return dataclasses.replace(name, **options) if options else name
    if name.lower() not in ENGINES:
        raise unknown("engine", name, ENGINES)
    cls = ENGINES[name.lower()]
    known = [field.name for field in dataclasses.fields(cls)]
    for option in options:
        if option not in known:
            raise unknown(f"option of engine {cls.name}:", option, known or ["none"])
    return cls(**options)
