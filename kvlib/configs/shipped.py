"""What a config is given as: a dict, a file, a folder, or the name of a model whose facts are shipped."""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..units import unknown

DEEPEST = 50  # objects and lists within one another; no config comes near


@cache
def _shipped() -> dict:
    return json.loads((Path(__file__).parents[1] / "models.json").read_text(encoding="utf-8"))


@cache
def _keys() -> dict:
    """Every name a shipped model answers to: its short name and its Hugging Face id, in lower case."""
    names = {entry["id"].lower(): name for name, entry in _shipped().items()}
    return {name: name for name in _shipped()} | names


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


def read_config(given) -> tuple[dict, str]:
    """The config that `given` (a dict, a path, a shipped name) stands for, and what to call it."""
    if isinstance(given, Mapping):
        return _shallow(dict(given)), _name(given)
    if not isinstance(given, str | os.PathLike):
        raise ValueError(f"config must be a dict, a path or a shipped model's name, not {given!r}")
    if isinstance(given, str) and given.lower() in _keys():
        return config(given), _keys()[given.lower()]
    path = Path(given)
    if isinstance(given, os.PathLike) or path.suffix == ".json" or path.is_dir() or path.is_file():
        path = path / "config.json" if path.is_dir() else path
        name = path.parent.name if path.name == "config.json" and path.parent.name else path.stem
        return _shallow(_parsed(path)), name
    raise unknown("model", given, sorted(_keys()))


def _parsed(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))  # a byte-order mark is no part of it
    except FileNotFoundError:
        raise ValueError(f"config: there is no file {path}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"config: {path} is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"config: {path} holds no JSON object")
    return found


def _shallow(found: dict) -> dict:
    """The config itself, if nothing in it lies deeper than a config's fields do."""
    level: list = [found]
    for _ in range(DEEPEST):
        within = (inner for one in level for inner in (one.values() if isinstance(one, Mapping) else one))
        level = list({id(one): one for one in within if isinstance(one, Mapping | list | tuple)}.values())
        if not level:
            return found
    raise ValueError(f"config: its objects and lists lie more than {DEEPEST} deep, which no model's do")


def _name(given: Mapping) -> str:
    names = (given.get("_name_or_path"), given.get("model_type"))
    return next((name for name in names if isinstance(name, str) and name), "model")
