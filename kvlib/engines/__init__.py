"""How engines allocate: one policy per engine, all over the same layout.

`layout.bytes(context)` counts what must be kept. An engine keeps a little less, or reserves
rather more; each class says why, and which source it was read from. Every policy answers
`rows(layout, context, batch, dtype, source_len)`, what each kind of layer takes; `bytes` is their sum
and `breakdown` that sum as tokens, state and cross attention.

    >>> from kvlib import layout
    >>> engine("vllm", block_size=32).bytes(layout("llama-3.1-8b"), context=33)
    8388608
"""

import dataclasses

from ..units import unknown
from .llama_cpp import LlamaCpp
from .policy import Engine, Ideal, Row
from .transformers import Transformers
from .vllm import VLLM

__all__ = ["ENGINES", "VLLM", "Engine", "Ideal", "LlamaCpp", "Row", "Transformers", "engine"]

ENGINES = {policy.name: policy for policy in (Ideal, Transformers, VLLM, LlamaCpp)}


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
