"""Reading a config.json field by field: standard names, class defaults, and every problem noted.

A field left out takes the default of transformers' config class (defaults.json, written by
tools/config_defaults.py). What is wrong with a field is noted and reading goes on with a stand-in,
so that one refusal can name them all; `check` raises it.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..units import whole_number
from .refusals import UnsupportedConfig, needs, shown, unread

# One name for one thing. The right-hand names are those the families read.
SYNONYMS = {
    "num_local_experts": "num_experts", "n_routed_experts": "num_experts", "moe_num_experts": "num_experts",
    "moe_k": "num_experts_per_tok", "num_mtp_layers": "num_nextn_predict_layers",
    "layers_block_type": "layer_types", "sliding_window_size": "sliding_window",
    "attention_window_size": "sliding_window",
}  # fmt: skip
STANDARD = {
    "num_hidden_layers", "num_attention_heads", "hidden_size", "head_dim", "max_position_embeddings",
}  # fmt: skip
# Beyond these a number is no model's, and working it out could take hours.
MOST = 2**31
MOST_LAYERS = 1_000
DEPTHS = {"num_hidden_layers", "num_decoder_layers", "decoder_layers", "encoder_layers", "depth"}


@cache
def class_defaults() -> dict:
    """model_type -> {"fields": {...}, "aliases": {...}}, the facts of defaults.json."""
    return json.loads((Path(__file__).parent / "defaults.json").read_text())


class Fields:
    """The fields of one (text) config under their standard names.

    `f[name]` is a whole number of at least 1; the methods give other kinds of value. A field left out
    is the class's default. What is wrong is noted, and reading goes on; `check` raises it all.

    names: spellings beside those of the class, {spelling: standard name}; {standard name: None}
    takes away one that the class has.
    """

    def __init__(
        self, config: Mapping, model_type: str, *, nested=False, defaults_of: str | None = None, names=None
    ):
        entry = class_defaults().get(defaults_of or model_type, {})
        names = names or {}
        aliases = {name: own for name, own in entry.get("aliases", {}).items() if name not in names}
        self._names = {own: name for name, own in aliases.items() if name in STANDARD}
        self._names |= {name: own for name, own in aliases.items() if name not in STANDARD} | SYNONYMS
        self._names |= {own: name for own, name in names.items() if name}
        self.model_type, self.nested = model_type, nested
        self.defaults = {self.standard(name): value for name, value in entry.get("fields", {}).items()}
        self.given: dict[str, Any] = {}
        self.spelt: dict[str, str] = {}
        self.read: set[str] = set()
        self.problems: dict[Any, str] = {}
        self.stood_in = False  # a stand-in agrees with nothing: from then on no disagreement is told
        for name, value in config.items():
            if not isinstance(name, str):
                self.problems[name] = f"{shown(name)}: a field's name must be a string"
                continue
            standard = self.standard(name)
            if standard in self.given and self.given[standard] != value:
                other = f"{self.spelt[standard]} = {shown(self.given[standard])}"
                self.problems[name] = needs(name, value, f"disagrees with {other}; keep the one that holds")
                continue
            self.given[standard], self.spelt[standard] = value, name

    def standard(self, name: str) -> str:
        name = self._names.get(name, name)
        return SYNONYMS.get(name, name)

    def spelling(self, name: str) -> str:
        """How this config writes a standard name, or how its class would."""
        back = {standard: own for own, standard in self._names.items() if own not in SYNONYMS}
        return self.spelt.get(name, back.get(name, name))

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def get(self, name: str, default=None):
        self.read.add(name)
        return self.given[name] if name in self.given else self.defaults.get(name, default)

    def note(self, name: str, problem: str) -> None:
        """The first problem of a field is told; what follows from it is not."""
        self.read.add(name)
        self.problems.setdefault(name, problem)

    def disagree(self, name: str, need: str) -> None:
        if not self.stood_in:
            self.note(name, needs(self.spelling(name), self.get(name), need))

    def refuse(self, name: str, need: str) -> None:
        self.note(name, needs(self.spelling(name), self.get(name), need))
        self.stood_in = True

    def missing(self, name: str, need: str) -> None:
        self.note(name, f"{self.spelling(name)} is missing: {need}")
        self.stood_in = True

    def check(self) -> None:
        if self.problems:
            raise UnsupportedConfig(*self.problems.values())

    def size(self, name: str) -> int:
        """A field that every published config of its own names; left out, its default is seldom meant."""
        if name not in self.given and (not self.nested or name not in self.defaults):
            self.missing(name, f"a {self.model_type} config must name it")
        return self.whole_number(name)

    def __getitem__(self, name: str) -> int:
        return self.whole_number(name)

    def whole_number(self, name: str, least: int = 1) -> int:
        value = self.get(name)
        most = MOST_LAYERS if name in DEPTHS else MOST
        try:
            number = whole_number(name, value, least)
        except ValueError:
            if value is None and name not in self.given:
                self.missing(name, f"{self.model_type} has no default for it; name it")
            else:
                self.refuse(name, f"a whole number of at least {least} is needed")
        else:
            if number <= most:
                return number
            self.refuse(name, f"kvlib reads no model with more than {most:,}")
        fallback = self.defaults.get(name)
        return fallback if type(fallback) is int and fallback >= least else max(least, 1)

    def optional(self, name: str) -> int | None:
        """None: null where the class takes null, or nothing given and no default."""
        if self.get(name) is None and (name not in self.given or self.defaults.get(name, 0) is None):
            return None
        return self.whole_number(name)

    def nullable(self, name: str, least: int = 1) -> int | None:
        """None where the config says null: "there is none" for windows and the like."""
        return None if self.get(name) is None else self.whole_number(name, least)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.get(name, default)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "true or false is needed")
        return value is True

    def number(self, name: str, default: float = 1.0) -> float:
        """A number above 0, not necessarily whole."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
            self.refuse(name, f"a number above 0 and at most {MOST:,} is needed")
            return default
        return value

    def choice(self, name: str, allowed: tuple):
        """One of `allowed`, the first if it is left out."""
        value = self.get(name, allowed[0])
        if isinstance(value, list | Mapping) or value not in allowed:
            self.refuse(name, f"known here: {', '.join(map(str, allowed))}")
            return allowed[0]
        return value

    def names(self, name: str, allowed: dict, length: int) -> list | None:
        """A list of `length` entries of `allowed`, each as what it stands for; None if absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != length:
            if not isinstance(value, list | tuple) or not DEPTHS & self.problems.keys():
                self.refuse(name, f"a list of {length} entries is needed, one a layer")
            return None
        for entry in value:
            if isinstance(entry, bool) or not isinstance(entry, str | int) or entry not in allowed:
                known = f"known here: {', '.join(map(str, allowed))}"
                self.note(name, needs(self.spelling(name), entry, known))
                self.stood_in = True
                return None
        return [allowed[entry] for entry in value]

    def indices(self, name: str, length: int) -> set[int]:
        """A list of distinct layer numbers below `length`; an absent one is empty."""
        value = self.get(name)
        if value is None:
            return set()
        good = isinstance(value, list | tuple) and all(type(i) is int and 0 <= i < length for i in value)
        if not good or len(set(value)) != len(value):
            self.refuse(name, f"a list of distinct layers from 0 to {length - 1} is needed")
            return set()
        return set(value)

    def object(self, name: str) -> Mapping:
        """A JSON object; an absent one is empty."""
        value = self.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.refuse(name, "an object is needed")
            return {}
        return value

    def same(self, name: str, value) -> None:
        """Refuse a field that is given, is not null, and is not `value`."""
        if self.given.get(name) is not None and self.given[name] != value:
            self.disagree(name, f"the other fields of a {self.model_type} config make it {shown(value)}")
        self.read.add(name)

    def ignore(self, *names: str) -> None:
        """Fields that this family gives and does not use; they must still be whole numbers or null."""
        for name in names:
            if self.given.get(name) is not None:
                self.whole_number(name)
            self.read.add(name)

    def finish(self) -> None:
        """Judge every field that was not read."""
        for standard, value in self.given.items():
            name = self.spelt[standard]
            if standard not in self.read and (problem := unread(self.model_type, name, value)):
                self.note(standard, problem)
