"""What kvlib knows of an architecture: one record for each model_type, in `families/`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..layouts import LayerKV
from . import weights
from .fields import Fields

OWN = "own"


@dataclass(frozen=True)
class Architecture:
    """One language model's layers, parameters, defaults, and what engines do otherwise with it.

    layers        Fields -> one `LayerKV` a layer

    Its parameters, for `kvlib.configs.parameters`:
    attention     (Fields, layer, numbers its keys and values take) -> weights of an attention layer
    recurrent     Fields -> weights of a layer's recurrent block or short convolution
    feed_forward  (Fields, layer's index) -> `weights.Block`
    norms         vectors of hidden size that a layer has besides (norms, biases of norms)
    extras        (Fields, layers) -> weights that belong to no layer: positions, biases of the head
    tables        (Fields, layers) -> those of the extras that are tables, looked up row by row
    embedding     Fields -> width of the embedding table
    whole         (Fields) -> `weights.Parameters`, for a model that is not a stack of such layers

    Its fields:
    defaults      model_type of the transformers class whose defaults hold: its own, another, or None
    names         spellings beside those of the class (`Fields`)
    encoder       whether it reads an encoder's output, so that is_encoder_decoder may be true

    Engines (sources stand in `kvlib.engines`):
    unserved      names of the engines that do not run it
    llama_cpp_windows     llama.cpp keeps only the window of its windowed layers
    copied_to_query_heads transformers copies keys and values to every query head before caching them
    """

    layers: Callable[[Fields], list[LayerKV]]
    attention: Callable[[Fields, LayerKV, int], int] = weights.attention
    recurrent: Callable[[Fields], int] | None = None
    feed_forward: Callable[[Fields, int], weights.Block] = weights.gated
    norms: int = 2
    extras: Callable[[Fields, list], int] | None = None
    tables: Callable[[Fields, list], int] | None = None
    embedding: Callable[[Fields], int] = weights.hidden
    whole: Callable[[Fields], weights.Parameters] | None = None
    defaults: str | None = OWN
    names: Mapping[str, str | None] = field(default_factory=dict)
    encoder: bool = False
    unserved: tuple[str, ...] = ()
    llama_cpp_windows: bool = False
    copied_to_query_heads: bool = False


@dataclass(frozen=True)
class Nested:
    """A model whose language part has a config of its own, in text_config.

    text     model_type of the text config where it does not name one
    fixed    the text config is always of that type
    flat     the text fields may also stand at the top
    tied_by_text  the text config's own tie_word_embeddings counts, not the outer one's
    tower    (vision Fields, the outer config, hidden size) -> weights of the tower and its projector;
             None: its shape is not known
    vision   what the class assumes where vision_config leaves a field out
    towers_left_out  the towers' shapes are not in the config, so parameters leaves them out
    """

    text: str
    fixed: bool = True
    flat: bool = False
    tied_by_text: bool = False
    tower: Callable[[Fields, Mapping, int], int] | None = None
    vision: Mapping = field(default_factory=dict)
    towers_left_out: bool = False


def each(model_types: str, record: Architecture) -> dict[str, Architecture]:
    """The same record for several model types, named in one string."""
    return dict.fromkeys(model_types.split(), record)
