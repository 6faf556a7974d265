"""What a config is given as: a dict, a file, a folder, or the name of a model whose facts are shipped."""

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..units import unknown
from . import gguf

DEEPEST = 50  # objects and lists within one another; no config comes near


_HUB = re.compile(r"https?://(?:huggingface\.co|hf\.co)/|/(?:tree|blob)/.*|hf://")
_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


@cache
def _shipped() -> dict:
    return json.loads((Path(__file__).parents[1] / "models.json").read_text(encoding="utf-8"))


@cache
def _keys() -> dict:
    """Every name a shipped model answers to: its short name and its Hugging Face id, in lower case."""
    names = {entry["id"].lower(): name for name, entry in _shipped().items()}
    return {name: name for name in _shipped()} | names


@cache
def _loose() -> dict:
    """The same names and the ids' last parts without punctuation, where one model alone has such a name."""
    found: dict[str, set] = {}
    for key, name in _keys().items():
        found.setdefault(_bare(key.rpartition("/")[2]), set()).add(name)
    return {key: names.pop() for key, names in found.items() if len(names) == 1}


def _bare(name: str) -> str:
    return re.sub(r"[\s_.:-]", "", name.lower())


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
    if isinstance(given, os.PathLike) or path.suffix in (".json", ".gguf") or _there(path):
        path = _within(path) if path.is_dir() else path
        if gguf.is_gguf(path):
            return gguf.config(path), path.stem
        name = path.parent.name if path.name == "config.json" and path.parent.name else path.stem
        return _shallow(_parsed(path)), name
    id = _HUB.sub("", given).strip("/")
    if id.lower() in _keys():
        return config(id), _keys()[id.lower()]
    if "/" not in id and (loose := _loose().get(_bare(id))):
        return config(loose), loose
    raise _not_shipped(given, id)


def _there(path: Path) -> bool:
    """Whether there is a file or a folder of that name; one that no file system takes is none."""
    try:
        return path.is_dir() or path.is_file()
    except (OSError, ValueError):
        return False


def _within(folder: Path) -> Path:
    """The config.json of a folder, or its only GGUF file."""
    files = sorted(folder.glob("*.gguf"))
    return files[0] if len(files) == 1 and not (folder / "config.json").exists() else folder / "config.json"


def _not_shipped(given: str, id: str) -> ValueError:
    """What is shipped nearby, and for a Hugging Face id how its config.json is had."""
    near = unknown("model", given[:80], sorted(_keys()))
    if not _ID.fullmatch(id):
        return near
    folder = id.rpartition("/")[2]
    how = f"hf download {id} config.json --local-dir {folder}"
    return ValueError(f"{near}; or have its own config.json: `{how}`, and name the folder {folder}")


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
