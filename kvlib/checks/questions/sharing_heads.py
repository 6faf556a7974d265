"""Questions of chapter 04, sharing heads."""

from ...layouts import kv_bytes
from ...units import KiB, MiB
from .common import question, slips_of
from .old import Choice, Each, Function, Number

GEMMA_9B = dict(n_layers=42, n_kv_heads=8, head_dim=256)
LLAMA_405B = dict(n_layers=126, n_kv_heads=8, head_dim=128)


@question("04-kinds", points=3)
def _kinds():
    said = {
        "MHA": "In MHA each query head has a KV head of its own: the two counts are equal.",
        "GQA": "In GQA there are fewer KV heads than query heads, and more than one.",
        "MQA": "In MQA all query heads share a single KV head.",
    }
    right = {"A": "MHA", "B": "GQA", "C": "MQA"}
    return Each(
        {model: Choice(kind, {k: s for k, s in said.items() if k != kind}) for model, kind in right.items()}
    )


@question("04-what")
def _what():
    return Choice(
        "a",
        {
            "b": "The feed-forward network has no keys or values. Which heads write to the cache?",
            "c": "Every query head still attends; look at what several of them read together.",
            "d": "Each number kept is as wide as before; there are fewer of them.",
        },
    )


@question("04-factor", points=2)
def _factor():
    n_heads, n_kv_heads = 128, LLAMA_405B["n_kv_heads"]
    shared, full = (kv_bytes(**LLAMA_405B | {"n_kv_heads": n}, context=1) for n in (n_kv_heads, n_heads))
    return Number(
        full // shared,
        {
            "You turn it round: how many times smaller is the shared cache?": shared / full,
            "You subtract; the bill shrinks by a ratio.": n_heads - n_kv_heads,
            "You count the 2 for keys and values again; it is on both sides and cancels.": 2 * full // shared,
            "That is the number of query heads; sharing among all of them would be MQA.": n_heads,
            "That is the number of KV heads. How many query heads share each?": n_kv_heads,
            "That is the low end of the claim, which was said of other models.": 4,
        },
        idea="How many query heads share one KV head?",
    )


@question("04-head-dim", points=2)
def _head_dim():
    geometry = GEMMA_9B | {"context": 1}
    slips = slips_of(n_heads=16, **geometry) | {
        "You divide hidden_size by the heads; this config names another head_dim.": kv_bytes(
            **geometry | {"head_dim": 3584 // 16}
        ),
        "You take hidden_size for head_dim.": kv_bytes(**geometry | {"head_dim": 3584}),
    }
    return Number.of_bytes(
        kv_bytes(**geometry), "KiB", slips, idea="Which fields of the config does the formula need?"
    )


@question("04-read", points=3)
def _read():
    def read(config, heads=False, divide=False, missing=None):
        n_heads = config["num_attention_heads"]
        head_dim = None if divide else config.get("head_dim", missing)
        return (
            config["num_hidden_layers"],
            n_heads if heads else config.get("num_key_value_heads", n_heads),
            config["hidden_size"] // n_heads if head_dim is None else head_dim,
        )

    def no_none(config):
        n_heads = config["num_attention_heads"]
        return (*read(config)[:2], config.get("head_dim", config["hidden_size"] // n_heads))

    def cases(rng):
        for number in range(24):
            n_kv_heads, group, head_dim = rng.choice([1, 2, 8]), rng.choice([2, 4, 7]), rng.choice([64, 128])
            config = {
                "num_hidden_layers": rng.randint(12, 80),
                "hidden_size": n_kv_heads * group * head_dim,
                "num_attention_heads": n_kv_heads * group,
            }
            if number % 4:
                config["num_key_value_heads"] = n_kv_heads
            if number % 3 == 1:
                config["head_dim"] = 2 * head_dim
            elif number % 3 == 2:
                config["head_dim"] = None
            yield (config,)

    return Function(
        read,
        cases,
        {
            "It always divides for head_dim, even where the config names it.": lambda c: read(c, divide=True),
            "It takes the query heads for the KV heads.": lambda c: read(c, heads=True),
            "It takes the query heads and divides: both fields may be named.": lambda c: read(
                c, heads=True, divide=True
            ),
            "It gives None for head_dim: a config may name the field and leave it null.": no_none,
            "It needs fields that a config may lack: num_key_value_heads, head_dim.": lambda c: (
                c["num_hidden_layers"],
                c["num_key_value_heads"],
                c["head_dim"],
            ),
            "It needs num_key_value_heads. A config without it means MHA: one per query head.": lambda c: (
                c["num_key_value_heads"] and read(c)
            ),
            "It needs head_dim. A config without it leaves you to divide.": lambda c: (
                (*read(c)[:2], c["head_dim"]) if c["head_dim"] else read(c)
            ),
        },
        idea="Which fields are missing or None here?",
    )


SMALL = {
    "Llama 3.2 3B": (24, dict(n_layers=28, n_kv_heads=8, head_dim=128)),
    "Qwen 2.5 3B": (16, dict(n_layers=36, n_kv_heads=2, head_dim=128)),
}


@question("04-three-b", points=2)
def _three_b():
    claim = kv_bytes(n_layers=32, n_kv_heads=8, head_dim=128, context=4096)
    parts = {}
    for name, (n_heads, geometry) in SMALL.items():
        geometry = geometry | {"context": 4096}
        slips = slips_of(n_heads=n_heads, **geometry) | {
            "That is the claim's figure, which belongs to a larger model. Use this one's numbers.": claim,
            "You give the KiB of one token; the question asks for the MiB of all.": MiB
            * kv_bytes(**geometry | {"context": 1})
            // KiB,
        }
        parts[name] = Number.of_bytes(
            kv_bytes(**geometry), "MiB", slips, idea="Fill the formula from the row."
        )
    return Each(parts)


@question("04-history")
def _history():
    return Choice(
        "c",
        {
            "a": "With MHA there would be 64 KV heads.",
            "b": "The paper of 2019 let all query heads share one single KV head.",
            "d": "Paging came in 2023 too, but it says where blocks lie, not how many heads keep them.",
        },
    )
