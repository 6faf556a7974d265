"""The records of every architecture, a file for each kind of family.

A new architecture is one entry in RECORDS of the file it belongs to (in NESTED too, if its language
model has a config of its own), and a config of it in tests/data/configs.jsonl, which the tests hold
to transformers. `python -m tools.config_defaults` then writes what its class assumes.
"""

from ..record import OWN, Architecture, Nested
from . import (
    decoders,
    delta,
    elsewhere,
    encoder_decoders,
    gemma,
    hybrids,
    llama,
    mixtures,
    multimodal,
    qwen,
    sparse,
    vision,
)  # fmt: skip

RECORDS: dict[str, Architecture] = {}
NESTED: dict[str, Nested] = {}
_FILES = (
    llama, decoders, gemma, qwen, mixtures, hybrids, delta, sparse, encoder_decoders, vision, multimodal,
    elsewhere,
)  # fmt: skip
for _file in _FILES:
    RECORDS |= getattr(_file, "RECORDS", {})
    NESTED |= getattr(_file, "NESTED", {})


def class_of(model_type: str) -> str | None:
    """The model_type of the transformers class that reads it; None if transformers has none."""
    defaults = RECORDS[model_type].defaults
    return model_type if defaults == OWN else defaults
