"""A Hugging Face config.json -> `CacheLayout`, exact, or a refusal that names the fields.

    >>> layout("llama-3.1-8b").bytes_per_token()
    131072

What a config leaves out takes the default of transformers 5.23's class for that model_type.
An unknown architecture, a known field with an unknown value, and an unknown field whose name
suggests that it could change the cache raise `UnsupportedConfig`. No torch, no transformers, no network.
"""

import difflib
from collections.abc import Mapping

from ..layouts import CacheLayout
from ..units import dtype as as_dtype
from . import quantization, weights
from .checkpoints import Checkpoint, checkpoint as _checkpoint
from .families import NESTED, RECORDS, class_of
from .fields import Fields
from .record import Architecture
from .refusals import UnsupportedConfig, needs, shown
from .shipped import config, models, read_config, source
from .weights import Parameters

__all__ = [
    "Architecture", "Checkpoint", "Parameters", "UnsupportedConfig", "architecture", "architectures",
    "checkpoint", "config", "layout", "models", "parameters", "read_config", "source",
]  # fmt: skip

MAX_CONTEXT = ("max_position_embeddings", "max_target_positions", "max_seq_len", "seq_length")
# Beside the layers' own fields, these are judged here and not by the reader of the layers.
JUDGED_HERE = {
    "model_type", "quantization_config", "compression_config", "quantization", "is_encoder_decoder",
    "vision_config", "audio_config", "transformers_version", "num_experts", "num_experts_per_tok",
}  # fmt: skip


# Fields of this ending that describe no tower.
NO_TOWER = {"quantization_config", "compression_config", "generation_config", "linear_attn_config"}
NO_TOWER |= {"per_layer_config", "sparse_attention_config", "attn_config"}


def architectures() -> list[str]:
    """Every model_type that `layout` reads."""
    return sorted({*RECORDS, *NESTED})


def architecture(model_type: str | None) -> Architecture | None:
    """The record of a model_type (of its language part, if that is a config of its own); None if unknown."""
    name = model_type or ""
    return RECORDS.get(NESTED[name].text if name in NESTED else name)


def layout(given, dtype=None) -> CacheLayout:
    """The `CacheLayout` of a config.json: a dict, a path to it or its folder, or a shipped model's name.

    dtype: what the cache is kept in. Only a checkpoint that quantizes its own cache asks for it: bytes
    in the usual bf16 would be wrong for it, so without `dtype` it is refused.

    Raises UnsupportedConfig (a ValueError) for what it cannot know to the byte, naming every
    field; ValueError for a name that is not shipped or a file that cannot be read.
    """
    found, name = read_config(given)
    if dtype is not None:
        as_dtype(dtype)
    return _read(found, name, quantized_cache=dtype is not None)[1]


def parameters(given) -> Parameters:
    """The parameters of a config.json: a dict, a path, or a shipped model's name.

    Raises UnsupportedConfig where `layout` does, or where a part's shape is not known.
    """
    found, name = read_config(given)
    f, of = _read(found, name, quantized_cache=True)
    record = RECORDS[f.model_type]
    counted, tower = weights.count(record, f, list(of.layers), _tied(f, found)), _tower(f, found)
    f.check()
    return Parameters(counted.total + tower, counted.active + tower, counted.embedding, counted.read)


def checkpoint(given, weights_dtype: str | None = None, weights_bytes: int | None = None) -> Checkpoint:
    """The weights of a config.json as its checkpoint keeps them: `quantization_config`, or 16 bits.

    weights_dtype: another format for them, as `quantization.named` has them (fp8, awq, q4_k_m, …).
    weights_bytes: their size where it is known; then nothing that cannot be counted is refused.

    Raises UnsupportedConfig where `layout` does, for a family whose weights are not counted, and for a
    quantization that is not known. A tower whose size is not known is left out, and named.
    """
    found, name = read_config(given)
    f, of = _read(found, name, quantized_cache=True)
    record, layers, tied = RECORDS[f.model_type], list(of.layers), _tied(f, found)
    scheme = quantization.named(weights_dtype) if weights_dtype else None
    if weights_dtype is None and weights_bytes is None:
        scheme = quantization.scheme(found)
    before, nested = dict(f.problems), NESTED.get(found["model_type"])
    tower = _tower(f, found)
    left_out = sorted(f.problems.keys() - before.keys())
    if nested and nested.towers_left_out:
        left_out = ["audio_config", "vision_config"]
    f.problems = dict(before)
    made = _checkpoint(record, f, layers, tied, scheme, 0 if left_out else tower, left_out)
    if weights_bytes is None:
        f.check()
        return made
    counted = None if f.problems.keys() - before.keys() else made.parameters
    read = made.read_bytes * weights_bytes // made.bytes if counted else weights_bytes
    return made.given(weights_bytes, read, counted)


def _read(found: dict, name: str, quantized_cache: bool) -> tuple[Fields, CacheLayout]:
    """The fields of the language part and the layout they give; UnsupportedConfig for all that is wrong."""
    f = _text_fields(found, quantized_cache)
    try:
        layers = tuple(RECORDS[f.model_type].layers(f))
    except ValueError:
        f.check()  # a stand-in may not fit the other fields
        raise
    names = ("num_attention_heads", "decoder_attention_heads")
    n_heads = next((number for name in names if (number := f.nullable(name, least=0))), None)
    f.read |= JUDGED_HERE
    experts, depth = f.given.get("mlp_layer_types"), f.given.get("num_hidden_layers")
    if isinstance(experts, list | tuple) and type(depth) is int and len(experts) != depth:
        f.refuse("mlp_layer_types", f"a list of {depth} entries is needed, one a layer")
    f.finish()
    f.check()
    given = (f.given.get(field) for field in MAX_CONTEXT)
    max_context = next((value for value in given if type(value) is int and value > 0), None)
    return f, CacheLayout(layers, name, n_heads, max_context, architecture=f.model_type)


def _text_fields(given: dict, quantized_cache: bool) -> Fields:
    """The `Fields` of the language part of a config, its own or a nested text_config's."""
    top = dict(given)
    model_type = top.get("model_type")
    if not isinstance(model_type, str):
        raise UnsupportedConfig(needs("model_type", model_type, "it must name an architecture"))
    if model_type in NESTED:
        f = _nested_fields(top, model_type)
        inner = f.given if f.nested else {}
    elif model_type in RECORDS:
        f, inner = _fields(top, model_type), {}
    else:
        raise UnsupportedConfig(_unknown_architecture(model_type))
    if not RECORDS[f.model_type].encoder and f.given.pop("is_encoder_decoder", False):
        need = f"{f.model_type} is a decoder alone; false is needed"
        f.note("is_encoder_decoder", needs("is_encoder_decoder", True, need))
    for part in (top, inner):
        _judge_cache(f, part, quantized_cache)
    return f


def _nested_fields(top: dict, model_type: str) -> Fields:
    nested = NESTED[model_type]
    inner = top.pop(nested.key, None)
    if inner is None and nested.flat:
        return _fields(top, nested.text)
    if not isinstance(inner, Mapping):
        need = f"a {model_type} config keeps its language model's fields there"
        raise UnsupportedConfig(needs(nested.key, inner, need))
    own = inner.get("model_type")
    if (own is None and not nested.named) or (
        nested.fixed and own in (model_type, nested.text.removesuffix("_text"))
    ):
        own = nested.text
    if not isinstance(own, str) or own not in RECORDS or (nested.fixed and own != nested.text):
        need = f"not an architecture known within {model_type}"
        raise UnsupportedConfig(needs(f"{nested.key}.model_type", own, need))
    f = _fields(inner, own, nested=True)
    # A field beside text_config counts for nothing, so it must not say something else.
    beside = {name: value for name, value in top.items() if inner.get(name, ...) != value}
    outer = Fields(beside, model_type)
    outer.read |= {"model_type", "vision_config", "audio_config", *nested.beside}
    outer.finish()
    f.problems |= outer.problems
    return f


def _fields(given: Mapping, model_type: str, nested: bool = False) -> Fields:
    names = RECORDS[model_type].names
    return Fields(given, model_type, nested=nested, defaults_of=class_of(model_type), names=names)


def _unknown_architecture(model_type: str) -> str:
    near = difflib.get_close_matches(model_type.lower(), architectures(), n=3, cutoff=0.8)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    need = "its layers must be read from its modelling code first; kvlib guesses nothing"
    return f"unknown model_type {shown(model_type)}{hint}: {need}"


def _judge_cache(f: Fields, given: Mapping, quantized_cache: bool) -> None:
    """A checkpoint that quantizes its own cache: the dtype is yours to say, not the config's."""
    known, kind = (None, "hybrid", "dynamic", "static"), given.get("cache_implementation")
    if kind not in known:
        f.note("cache_implementation", needs("cache_implementation", kind, f"known here: {known}"))
    for key in ("quantization_config", "compression_config", "quantization"):
        inner = given.get(key)
        for name, value in inner.items() if isinstance(inner, Mapping) and not quantized_cache else ():
            if value and isinstance(name, str) and ("kv_cache" in name or "cache_scheme" in name):
                need = 'this checkpoint quantizes its cache: name the dtype that it keeps, say dtype="fp8"'
                f.note(f"{key}.{name}", needs(f"{key}.{name}", value, need))


def _tied(f: Fields, found: dict) -> bool:
    """Whether the output matrix is the embedding; a nested config's own flag counts as the outer one's."""
    outer = found.get("tie_word_embeddings")
    if f.nested and not NESTED[found["model_type"]].tied_by_text:
        f.given["tie_word_embeddings"] = f.given.get("tie_word_embeddings", False) if outer is None else outer
    return f.flag("tie_word_embeddings")


def _tower(f: Fields, found: dict) -> int:
    """Weights of the vision tower and its projector; 0 for a model of text alone."""
    nested = NESTED.get(found["model_type"])
    if nested is not None and nested.towers_left_out:
        return 0
    tower = nested.tower if nested else None
    described = {name for name in found if name.endswith("_config") and name not in NO_TOWER}
    if nested:
        described -= {nested.key, "vision_config"} if tower else {nested.key}
    for name in sorted(described):
        if isinstance(found[name], Mapping) and found[name]:
            need = f"the shape of this tower of {found['model_type']} is not known, so neither is its size"
            f.note(name, needs(name, found[name], need))
    if nested is None or tower is None:
        return 0
    outer = Fields({"vision_config": found.get("vision_config")}, f.model_type)
    v = Fields(outer.object("vision_config"), "vision_config")
    v.defaults = dict(nested.vision)
    size = tower(v, found, f["hidden_size"])
    inner = {f"vision_config.{name}": f"vision_config.{text}" for name, text in v.problems.items()}
    f.problems |= outer.problems | inner
    return size
