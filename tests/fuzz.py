"""Configs with anything wrong in them, as no publisher would write and any reader may paste.

`spoilt(seed)` takes a shipped config or a class's defaults and does one to four things to it:
fields go missing, change their names, or hold what they should not; foreign fields come in.
"""

import copy
import random

from kvlib.configs import config, models
from kvlib.configs.families import NESTED, RECORDS, class_of
from kvlib.configs.fields import class_defaults
from kvlib.configs.refusals import HARMLESS, REFUSED


def deep(levels: int):
    value: list | dict = []
    for level in range(levels):
        value = [value] if level % 2 else {"text_config": value}
    return value


JUNK = [
    None, True, False, 0, 1, 2, 3, 7, 64, -1, -4096, 10**8, 2**31, 10**30, 10**5000, 0.5, 1.5, -0.0, 1e300,
    float("nan"), float("inf"), "", "8", "auto", "full_attention", "M*-E", "x" * 10_000, [], [0], [1, 1],
    [None], [True] * 8, [-1, 10**9], [1.5], ["full_attention"], ["sliding_attention"] * 32, ["mamba", 7],
    [[]], [{}], ["x"] * 5000, {}, {"a": 1}, {"0": {"head_dim": 8}}, {"05": None}, {"kv_cache_scheme": {}},
    {1: 2}, {"model_type": "llama"}, {"text_config": {}}, deep(30), (1, 2), b"bytes", deep(3000),
]  # fmt: skip
NAMES = sorted(
    HARMLESS
    | REFUSED.keys()
    | {name for entry in class_defaults().values() for name in entry["fields"]}
    | {"text_config", "vision_config", "audio_config", "quantization_config", "model_type", "attn_config"}
    | {"layers_block_type", "hybrid_override_pattern", "cross_attention_layers", "no_such_field"}
)


def junk(rng: random.Random):
    value = rng.choice(JUNK)
    return value if value is JUNK[-1] else copy.deepcopy(value)  # the last is too deep to be copied


def bases() -> list[dict]:
    """Every shipped config, and for every model_type the defaults of its class."""
    shipped = [config(name) for name in models()]
    made = []
    for model_type in RECORDS:
        fields = class_defaults().get(class_of(model_type) or "", {"fields": {}})["fields"]
        made.append({**fields, "model_type": model_type})
    inner = {one["model_type"]: one for one in made}
    for model_type, nested in NESTED.items():
        made.append({"model_type": model_type, "text_config": inner[nested.text], "vision_config": {}})
    return shipped + made


def spoil(rng: random.Random, where: dict) -> None:
    keys = list(where)
    key = rng.choice(keys) if keys and rng.random() < 0.8 else rng.choice(NAMES)
    what = rng.choice(("junk", "junk", "junk", "drop", "rename", "list", "scale", "foreign"))
    value = where.get(key)
    if what == "drop":
        where.pop(key, None)
    elif what == "rename":
        where[rng.choice(NAMES)] = where.pop(key, None)
    elif what == "list" and isinstance(value, list) and value:
        where[key] = rng.choice((value[:-1], value * 2, [*value[:-1], junk(rng)], value[::-1]))
    elif what == "scale" and type(value) is int and abs(value) < 2**63:
        where[key] = rng.choice((-value, 2 * value, value + 1, value * 10**6, str(value), value / 2, [value]))
    elif what == "foreign":
        where[rng.choice(NAMES)] = rng.choice((junk(rng), 4, "sliding_attention", value))
    else:
        where[key] = junk(rng)


def spoilt(rng: random.Random, known: list[dict]) -> dict:
    made = copy.deepcopy(rng.choice(known))
    for _ in range(rng.randint(1, 4)):
        inner = [value for value in made.values() if isinstance(value, dict) and value]
        spoil(rng, rng.choice(inner) if inner and rng.random() < 0.5 else made)
    return made
