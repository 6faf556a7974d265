"""A function that reads a config layer by layer."""

from ...answers import Function, Slip
from ..common import question

FULL, SLIDING = "full_attention", "sliding_attention"


# What becomes of a list of layers of which the last `less` share: as it should be, and as one errs.
SHARING = {
    "last": lambda found, less: found[: len(found) - less] + [(0, None)] * less,
    "first": lambda found, less: [(0, None)] * less + found[less:],
    "ignored": lambda found, less: found,
    "one late": lambda found, less: (
        SHARING["last"](found, less)[:-less] + [found[-less], *[(0, None)] * (less - 1)]
    ),
    "one early": lambda found, less: SHARING["last"](found, less + 1),
    "left out": lambda found, less: found[: len(found) - less],
    "windowed": lambda found, less: found[: len(found) - less] + [(0, window) for _, window in found[-less:]],
}


def _reader(
    heads="num_key_value_heads",
    missing="mha",
    divide=False,
    types=True,
    strict=True,
    fits=True,
    full_at=0,
    turned=False,
    period=6,
    sharing="last",
    all_slide=False,
    null=False,
    pair=lambda config, size, window: (2 * size, window),
):
    """A reader of configs, right or with one thing done otherwise."""

    def layers(config):
        def field(name, other=None):
            value = config.get(name, other)
            return other if value is None and not (null and name in config) else value

        n, n_heads = config["num_hidden_layers"], config["num_attention_heads"]
        n_kv = field(heads, n_heads if missing == "mha" else 1)
        if fits and (n_kv % n_heads if fits == "turned" else n_heads % n_kv):
            raise ValueError("the KV heads must divide the query heads")
        divided = config["hidden_size"] // (n_kv if divide == "kv" else n_heads)
        width = divided if divide is True else field("head_dim", divided)
        n_kv = n_heads if divide == "heads" else n_kv
        window, every = field("sliding_window"), field("sliding_window_pattern", period)
        named = field("layer_types") if types else None
        if named is None and not (null and "layer_types" in config):
            full = [window is None or ((i + 1) % every == full_at) is not turned for i in range(n)]
            full = [window is None] * n if turned == "all" else full
            named = [FULL if one else SLIDING for one in full]
        if strict and set(named) - {FULL, SLIDING}:
            raise ValueError("a layer of another kind")
        slides = [all_slide or name == SLIDING for name in named]
        found = [pair(config, n_kv * width, window if one else None) for one in slides]
        less = field("num_kv_shared_layers", 0)
        return SHARING[sharing](found, less) if less else found

    return layers


def _configs(rng):
    """Configs of the family: what may be left out is, at times, or is None."""
    for case in range(40):
        heads, n = rng.choice([4, 8, 12, 16]), rng.choice([4, 6, 7, 7, 8, 13])
        hidden = heads * rng.choice([32, 48, 64])
        config = dict(num_hidden_layers=n, num_attention_heads=heads, hidden_size=hidden)
        if case % 4 != 1:
            config["num_key_value_heads"] = rng.choice([1, 2, 4, heads // 2]) if case % 13 else None
        if case % 3 != 2:
            config["head_dim"] = rng.choice([24, 96, 128, 256]) if case % 7 else None
        if case % 5 != 4:
            config["sliding_window"] = rng.choice([512, 1024, 4096]) if case % 6 != 3 else None
        if case % 8 in (2, 3):
            config["sliding_window_pattern"] = rng.choice([2, 3, 4])
        if case % 4 == 2:
            config["layer_types"] = [FULL, *rng.choices([FULL, SLIDING], k=n - 1)] if case % 12 != 6 else None
            config["sliding_window"] = config.get("sliding_window") or 512
        if case % 6 in (1, 5):
            config["num_kv_shared_layers"] = rng.randint(1, n - 2) if case % 11 else None
        if case in (11, 12, 23, 28):  # to be refused, for one reason alone
            config |= dict(head_dim=64, num_kv_shared_layers=1, sliding_window_pattern=2, sliding_window=512)
            config |= dict(layer_types=[FULL] * n, num_key_value_heads=2)
        if case in (11, 23):
            config["layer_types"][-1] = "linear_attention"
        if case in (12, 28):
            config["num_key_value_heads"] = heads - 1
        yield (config,)


FIELDS = ("num_key_value_heads", "head_dim", "sliding_window", "sliding_window_pattern", "layer_types")
FIELDS += ("num_kv_shared_layers",)


def _where() -> dict:
    """What is said of a reader that is wrong just where a field has a value or none, or must be refused."""

    def odd(config):
        return bool(set(config.get("layer_types") or ()) - {FULL, SLIDING})

    def uneven(config):
        return config["num_attention_heads"] % (config.get("num_key_value_heads") or 1) > 0

    def of(test):
        return lambda config: not odd(config) and not uneven(config) and test(config)

    said = {
        "At a kind of layer that it does not know, it does not raise ValueError.": odd,
        "Where the KV heads do not divide the query heads, it does not raise ValueError.": uneven,
        "It does not refuse with ValueError what the rules say it must.": lambda c: odd(c) or uneven(c),
    }
    for name in FIELDS:
        said[f"It is wrong just where {name} is None."] = of(lambda c, n=name: c.get(n, 0) is None)
        said[f"It is wrong just where {name} is not there."] = of(lambda c, n=name: n not in c)
        said[f"It is wrong just where {name} is missing or None."] = of(lambda c, n=name: c.get(n) is None)
        said[f"It is wrong just where {name} has a value."] = of(lambda c, n=name: c.get(n) is not None)
    return said


@question("09-reader", points=6, kind="code", minutes=18)
def _read():
    every = "Without layer_types, the layers number p, 2p, 3p … are full, counted from 1."
    pair = "A layer's pair is (numbers of a token, window)"
    shared = "A layer that shares keeps nothing"
    wrong = {
        "It divides hidden_size by the heads though the config names head_dim.": dict(divide=True),
        "It counts the query heads; only the KV heads keep anything.": dict(heads="none of them"),
        "It takes one KV head where none are named; then each query head has its own.": dict(missing="one"),
        "It counts the keys or the values; a layer keeps both.": dict(pair=lambda c, size, w: (size, w)),
        "It counts bytes; numbers are asked for.": dict(pair=lambda c, size, w: (4 * size, w)),
        f"{pair}; it gives them in the wrong order.": dict(pair=lambda c, size, w: (w, 2 * size)),
        f"{pair}; it gives no window.": dict(pair=lambda c, size, w: 2 * size),
        f"{pair}; without a window that is None, not 0.": dict(pair=lambda c, size, w: (2 * size, w or 0)),
        "It gives every layer the window; a full one has None.": dict(all_slide=True),
        "It gives full layers the window where layer_types is there; a full one has None.": dict(
            pair=lambda c, size, w: (2 * size, c["sliding_window"] if c.get("layer_types") else w)
        ),
        "It does not look at layer_types, which comes first where it is named.": dict(types=False),
        "It takes a kind of layer that it does not know for one that it does: raise ValueError.": dict(
            strict=False
        ),
        "It does not refuse KV heads that do not divide the query heads.": dict(fits=False),
        "It has the division the wrong way round, and refuses KV heads that do divide.": dict(fits="turned"),
        "It refuses nothing: KV heads that do not divide and unknown kinds raise ValueError.": dict(
            fits=False, strict=False
        ),
        f"It counts from 0. {every}": dict(full_at=1),
        f"It has the pattern the wrong way round. {every}": dict(turned=True),
        "It alternates where no pattern is named; the default is 6.": dict(period=2),
        "It takes 4 for the pattern where none is named; the default is 6.": dict(period=4),
        "It lets all layers slide where there is a window and no layer_types: some are full.": dict(
            turned="all"
        ),
        "It divides hidden_size by the KV heads; the query heads make up hidden_size.": dict(divide="kv"),
        "It counts the query heads, though it has read the KV heads; only these keep anything.": dict(
            divide="heads"
        ),
        "It begins one layer too early with those that share.": dict(sharing="one early"),
        "It lets all layers slide where no pattern is named; the default is 6.": dict(period=10**6),
        "It does not look at num_kv_shared_layers: those layers keep nothing.": dict(sharing="ignored"),
        "It takes the first layers for those that share; they are the last.": dict(sharing="first"),
        "It begins one layer too late with those that share.": dict(sharing="one late"),
        f"{shared}; it is still a layer: (0, None), not left out.": dict(sharing="left out"),
        f"{shared}, so it has no window either: (0, None).": dict(sharing="windowed"),
        "A field may be there and be None: that means the same as not there.": dict(null=True),
    }
    return Function(
        _reader(),
        _configs,
        tuple(Slip(said, _reader(**one)) for said, one in wrong.items()),
        where=_where(),
        idea="Go through the rules one by one, and ask of each field: is it there, and is it None?",
    )
