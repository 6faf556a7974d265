"""What kvlib knows of an architecture: one record for each model_type, in `families/`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..layouts import LayerKV
from . import weights
from .fields import Fields

OWN = "own"


@dataclass(frozen=True)
class Architecture:
    """One language model's layers, parameters, defaults, and what engines do otherwise with it."""

    layers: Callable[[Fields], list[LayerKV]]  # one a layer

    # Its weights: of an attention layer whose token takes so many numbers; of a recurrent block or
    # short convolution; of layer i's feed-forward; how many vectors of hidden size a layer has besides.
    attention: Callable[[Fields, LayerKV, int], int] = weights.attention
    recurrent: Callable[[Fields], int] | None = None
    feed_forward: Callable[[Fields, int], weights.Block] = weights.gated
    norms: int = 2
    # What belongs to no layer; the width of the embedding; or the whole, for a model unlike the rest.
    extras: Callable[[Fields, list], int] | None = None
    tables: Callable[[Fields, list], int] | None = None  # of the extras, what is looked up row by row
    embedding: Callable[[Fields], int] = lambda f: f["hidden_size"]
    whole: Callable[[Fields], weights.Parameters] | None = None

    # model_type of the transformers class whose defaults hold: its own, another, or None; spellings
    # beside that class's (`Fields`); whether there is an encoder, so is_encoder_decoder may be true.
    defaults: str | None = OWN
    names: Mapping[str, str | None] = field(default_factory=dict)
    encoder: bool = False

    # Engines (`kvlib.engines` names the sources): those that do not run it; whether llama.cpp keeps only
    # the window of a windowed layer; whether transformers copies keys and values to every query head, or
    # keeps a key that serves as value once more as one, where no compressed entries stand beside it.
    unserved: tuple[str, ...] = ()
    llama_cpp_windows: bool = False
    copied_to_query_heads: bool = False
    key_kept_as_value: bool = False


@dataclass(frozen=True)
class Nested:
    """A model whose language part has a config of its own, in text_config."""

    text: str  # model_type of the text config where it does not name one
    fixed: bool = True  # it is always of that type
    named: bool = False  # it must name its type
    flat: bool = False  # its fields may also stand at the top
    key: str = "text_config"  # the field that holds it
    beside: tuple[str, ...] = ()  # fields of the outer config that describe what is no language model
    tied_by_text: bool = False  # its own tie_word_embeddings counts, not the outer one's
    # (vision Fields, the outer config, hidden size) -> weights of the tower and its projector; what the
    # class assumes of fields left out; or towers whose shapes are not in the config, so are left out.
    tower: Callable[[Fields, Mapping, int], int] | None = None
    vision: Mapping = field(default_factory=dict)
    towers_left_out: bool = False


def each(model_types: str, record: Architecture) -> dict[str, Architecture]:
    """The same record for several model types, named in one string."""
    return dict.fromkeys(model_types.split(), record)
