"""A Hugging Face config.json -> `CacheLayout`, exact, or a refusal that names the field.

    >>> layout("llama-3.1-8b").bytes_per_token()
    131072

What a config leaves out takes the default of transformers 5.23's class for that model_type.
An unknown architecture, a known field with an unknown value, and an unknown field whose name
smells of the cache raise `UnsupportedConfig`. No torch, no transformers, no network.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..layouts import CacheLayout
from ..units import unknown
from .families import FAMILIES, NESTED, SAME_CLASS
from .fields import Fields, UnsupportedConfig, needs

__all__ = ["UnsupportedConfig", "architectures", "config", "layout", "models", "source", "text_fields"]


@cache
def _shipped() -> dict:
    return json.loads((Path(__file__).parents[1] / "models.json").read_text())


@cache
def _keys() -> dict:
    """Every name a shipped model answers to: its short name and its Hugging Face id, in lower case."""
    return {name: name for name in _shipped()} | {
        entry["id"].lower(): name for name, entry in _shipped().items()
    }


def models() -> list[str]:
    """The short names of the shipped models."""
    return sorted(_shipped())


def _entry(name: str) -> dict:
    try:
        return _shipped()[_keys()[name.lower()]]
    except KeyError:
        raise unknown("model", name, sorted(_keys())) from None


def config(name: str) -> dict:
    """A shipped model's config.json fields (a copy). ValueError, with near matches, if it is not shipped."""
    return json.loads(json.dumps(_entry(name)["config"]))


def source(name: str) -> dict:
    """{"id": Hugging Face id, "source": where the facts were read} of a shipped model."""
    return {key: _entry(name)[key] for key in ("id", "source")}


def architectures() -> list[str]:
    """Every model_type that `layout` reads."""
    return sorted({*FAMILIES, *NESTED})


def read_config(given) -> tuple[dict, str]:
    """The config that `given` (a dict, a path, a shipped name) stands for, and what to call it."""
    if isinstance(given, Mapping):
        return dict(given), str(given.get("_name_or_path") or given.get("model_type") or "model")
    if not isinstance(given, str | os.PathLike):
        raise ValueError(f"config must be a dict, a path or a shipped model's name, not {given!r}")
    if isinstance(given, str) and given.lower() in _keys():
        return config(given), _keys()[given.lower()]
    path = Path(given)
    if isinstance(given, os.PathLike) or path.suffix == ".json" or path.is_dir() or path.is_file():
        path = path / "config.json" if path.is_dir() else path
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"config: there is no file {path}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"config: {path} is not JSON ({error})") from None
        if not isinstance(found, dict):
            raise ValueError(f"config: {path} holds no JSON object")
        return found, path.parent.name if path.name == "config.json" and path.parent.name else path.stem
    raise unknown("model", given, sorted(_keys()))


def text_fields(given: dict) -> Fields:
    """The `Fields` of the language part of a config, its own or a nested text_config's."""
    top = dict(given)
    refuse_quantized_cache(top)
    model_type = top.get("model_type")
    if not isinstance(model_type, str):
        raise needs("model_type", model_type, "it must name an architecture")
    if model_type in NESTED:
        nested = NESTED[model_type]
        inner = top.pop("text_config", None)
        if inner is None and nested.flat:
            return _fields(top, nested.text)
        if not isinstance(inner, Mapping):
            raise needs(
                "text_config", inner, f"a {model_type} config keeps its language model's fields there"
            )
        refuse_quantized_cache(inner)
        own = inner.get("model_type")
        if nested.fixed and own in (None, nested.text, model_type, nested.text.removesuffix("_text")):
            own = nested.text
        own = own or nested.text
        if own not in FAMILIES or (nested.fixed and own != nested.text):
            raise needs("text_config.model_type", own, f"not an architecture known within {model_type}")
        _judge_outer(top, inner, model_type)
        return _fields(inner, own, nested=True)
    if model_type not in FAMILIES:
        raise unsupported_architecture(model_type)
    if model_type not in ("t5", "mt5", "umt5", "whisper") and top.pop("is_encoder_decoder", False):
        raise needs("is_encoder_decoder", True, f"{model_type} is a decoder alone; false is needed")
    return _fields(top, model_type)


def _fields(given, model_type, nested=False) -> Fields:
    return Fields(given, model_type, nested=nested, defaults_of=SAME_CLASS.get(model_type, model_type))


def _judge_outer(top: dict, inner: Mapping, model_type: str) -> None:
    """A field beside text_config counts for nothing, so it must not say something else."""
    kept = {"model_type", "vision_config", "audio_config", "text_config"}
    outer = Fields({k: v for k, v in top.items() if k not in kept and inner.get(k, ...) != v}, model_type)
    outer.finish()


def unsupported_architecture(model_type: str) -> UnsupportedConfig:
    hint = str(unknown("model_type", model_type, architectures()))
    need = "its layers must be read from its modelling code first; kvlib guesses nothing"
    return UnsupportedConfig(f"{hint}; {need}")


def refuse_quantized_cache(given: Mapping) -> None:
    """A checkpoint that quantizes its own cache: the dtype is yours to say, not the config's."""
    for key in ("quantization_config", "compression_config", "quantization"):
        inner = given.get(key)
        for name, value in inner.items() if isinstance(inner, Mapping) else ():
            if value and ("kv_cache" in name or "cache_scheme" in name):
                need = 'this checkpoint quantizes its cache: drop it and pass a dtype, say dtype="fp8"'
                raise needs(f"{key}.{name}", value, need)
    if given.get("cache_implementation") not in (None, "hybrid", "dynamic", "static"):
        raise needs(
            "cache_implementation", given["cache_implementation"], "null, dynamic, static or hybrid is known"
        )


def layout(given) -> CacheLayout:
    """The `CacheLayout` of a config.json: a dict, a path to it or its folder, or a shipped model's name.

    Raises UnsupportedConfig (a ValueError) for what it cannot know to the byte, naming the
    field; ValueError for a name that is not shipped or a file that cannot be read.
    """
    found, name = read_config(given)
    f = text_fields(found)
    layers = FAMILIES[f.model_type](f)
    n_heads = f.get("num_attention_heads") or f.get("decoder_attention_heads")
    max_context = next((f.given.get(n) for n in MAX_CONTEXT if type(f.given.get(n)) is int), None)
    f.read |= {
        "model_type",
        "quantization_config",
        "compression_config",
        "quantization",
        "is_encoder_decoder",
    }
    f.read |= {"vision_config", "audio_config", "transformers_version", "num_experts", "num_experts_per_tok"}
    f.finish()
    return CacheLayout(
        layers=tuple(layers),
        name=name,
        n_heads=n_heads,
        max_context=max_context,
        architecture=f.model_type,
    )


MAX_CONTEXT = ("max_position_embeddings", "max_target_positions", "max_seq_len", "seq_length")
