"""A question of chapter 04: read a config."""

import itertools

from ...answers import Function, Slip
from ..common import question


def _read_config(config, inner=True, kv="num_key_value_heads", no_kv=None, dim=None):
    """What 04-read asks for; the arguments spoil it."""
    text = config.get("text_config", config) if inner else config
    heads = text["num_attention_heads"]
    kv_heads = (text.get(kv) or heads) if no_kv is None else no_kv(text, heads)
    divided = text["hidden_size"] // heads
    head_dim = (text.get("head_dim") or divided) if dim is None else dim(text, divided, kv_heads)
    kind = "MHA" if kv_heads == heads else "MQA" if kv_heads == 1 else "GQA"
    return text["num_hidden_layers"], kv_heads, head_dim, kind


def _configs(rng):
    """Every kind of config: heads shared or not, and each of the two fields named, missing or null."""
    heads, dims = ("MHA", "GQA", "MQA", "missing", "null"), ("large", "small", "divided", "missing", "null")
    for number, (kv, dim) in enumerate(itertools.product(heads, dims)):
        kv_heads, group, head_dim = rng.choice([2, 4, 8]), rng.choice([2, 3, 7]), rng.choice([64, 128])
        kv_heads, group = {"MHA": (kv_heads * group, 1), "MQA": (1, 4 * group)}.get(kv, (kv_heads, group))
        config = {
            "num_hidden_layers": rng.randint(12, 80),
            "hidden_size": kv_heads * group * head_dim,
            "num_attention_heads": kv_heads * group,
            "num_key_value_heads": None if kv == "null" else kv_heads,
            "head_dim": {"large": 2 * head_dim, "small": head_dim // 2, "divided": head_dim}.get(dim),
        }
        missing = ["num_key_value_heads"] * (kv == "missing") + ["head_dim"] * (dim == "missing")
        config = {name: value for name, value in config.items() if name not in missing}
        yield ({"model_type": "vision", "text_config": config} if number % 3 == 2 else config,)


@question("04-read", points=4, kind="code", minutes=10)
def _read():
    def slip(said, then=None, **spoilt):
        if then:
            return Slip(said, then=then)
        return Slip(said, lambda config: _read_config(config, **spoilt))

    def text(config):
        return config.get("text_config", config)

    return Function(
        lambda config: _read_config(config),
        _configs,
        (
            slip(
                "It always divides for head_dim, even where the config names it.",
                dim=lambda text, divided, kv: divided,
            ),
            slip(
                "It takes the larger of head_dim and the division; a head_dim that is named is what it says.",
                dim=lambda text, divided, kv: max(text.get("head_dim") or 0, divided),
            ),
            slip(
                "It takes the smaller of head_dim and the division; a head_dim named is what it says.",
                dim=lambda text, divided, kv: min(text.get("head_dim") or divided, divided),
            ),
            slip(
                "It divides hidden_size by the KV heads; the query heads share it out.",
                dim=lambda text, divided, kv: text.get("head_dim") or text["hidden_size"] // kv,
            ),
            slip(
                "It gives None for head_dim: a config may name the field and leave it null.",
                dim=lambda text, divided, kv: text.get("head_dim", divided),
            ),
            slip(
                "It gives None for the KV heads: a config may name the field and leave it null.",
                no_kv=lambda text, heads: text.get("num_key_value_heads", heads),
            ),
            slip("It takes the query heads for the KV heads.", kv="num_attention_heads"),
            slip(
                "It takes one KV head where the field is missing; then every query head keeps its own.",
                no_kv=lambda text, heads: text.get("num_key_value_heads") or 1,
            ),
            Slip(
                "It finds the kind, but gives the query heads for the KV heads.",
                lambda config: (
                    (v := _read_config(config))[0],
                    text(config)["num_attention_heads"],
                    *v[2:],
                ),
            ),
            Slip(
                "It looks for head_dim beside text_config; all fields stand inside.",
                lambda config: _read_config(
                    config, dim=lambda text, divided, kv: config.get("head_dim") or divided
                ),
            ),
            slip(
                "It gives the query heads that share a KV head, not the KV heads.",
                no_kv=lambda text, heads: heads // (text.get("num_key_value_heads") or heads),
            ),
            slip(
                "It says MHA of every model that has more than one KV head.",
                then=lambda v: (*v[:3], "MHA" if v[1] > 1 else v[3]),
            ),
            slip(
                "It says GQA of a model whose query heads all share one KV head.",
                then=lambda v: (*v[:3], v[3].replace("MQA", "GQA")),
            ),
            slip(
                "It says GQA of a model whose query heads have a KV head each.",
                then=lambda v: (*v[:3], v[3].replace("MHA", "GQA")),
            ),
            slip(
                "It has MHA and MQA the wrong way round.",
                then=lambda v: (*v[:3], {"MHA": "MQA", "MQA": "MHA"}.get(v[3], v[3])),
            ),
            slip("It leaves out the kind.", then=lambda v: v[:3]),
            slip("It gives the four in another order.", then=lambda v: (v[0], v[2], v[1], v[3])),
            slip("It leaves out the layers.", then=lambda v: v[1:]),
        ),
        where={
            "It is wrong only where the text model's config stands inside, in text_config.": lambda config: (
                "text_config" in config
            ),
            "It is wrong only where head_dim is missing.": lambda config: "head_dim" not in text(config),
            "It is wrong only where head_dim is null.": lambda config: (
                text(config).get("head_dim", 0) is None
            ),
            "It is wrong only where head_dim is missing or null.": lambda config: (
                text(config).get("head_dim") is None
            ),
            "It is wrong only where head_dim is named.": lambda config: bool(text(config).get("head_dim")),
            "It is wrong only where num_key_value_heads is missing.": lambda config: (
                "num_key_value_heads" not in text(config)
            ),
            "It is wrong only where num_key_value_heads is null.": lambda config: (
                text(config).get("num_key_value_heads", 0) is None
            ),
            "It is wrong only where num_key_value_heads is missing or null.": lambda config: (
                text(config).get("num_key_value_heads") is None
            ),
            "It is wrong only where a field is missing.": lambda config: (
                not {"head_dim", "num_key_value_heads"} <= text(config).keys()
            ),
            "It is wrong only where a field is null.": lambda config: None in text(config).values(),
            "It is wrong only where a field is missing or null.": lambda config: (
                None in (text(config).get("head_dim"), text(config).get("num_key_value_heads"))
            ),
        },
        idea="Which fields are missing or None here?",
    )
