"""The records of every architecture, a file for each kind of family.

A new architecture is one entry in RECORDS of the file it belongs to (and in NESTED, if its
language model has a config of its own), and one row in the tests.
"""

from ..record import OWN, Architecture, Nested
from . import decoders, encoder_decoders, gemma, hybrids, llama, mixtures, qwen, vision

_FILES = (llama, decoders, gemma, qwen, mixtures, hybrids, encoder_decoders, vision)

RECORDS: dict[str, Architecture] = {name: record for file in _FILES for name, record in file.RECORDS.items()}
NESTED: dict[str, Nested] = {name: nested for file in _FILES for name, nested in file.NESTED.items()}


def class_of(model_type: str) -> str | None:
    """The model_type of the transformers class that reads it; None if transformers has none."""
    defaults = RECORDS[model_type].defaults
    return model_type if defaults == OWN else defaults
