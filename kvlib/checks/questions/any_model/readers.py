"""Functions that read a config layer by layer, and count what its layers keep."""

from ...answers import Function, Slip
from ..common import question

FULL, SLIDING = "full_attention", "sliding_attention"
KINDS = ("full", "sliding", "latent", "shared", "state")


# What becomes of a list of layers of which the last `less` share: as it should be, and as one errs.
SHARING = {
    "last": lambda found, less: found[: len(found) - less] + [(0, None)] * less,
    "first": lambda found, less: [(0, None)] * less + found[less:],
    "ignored": lambda found, less: found,
    "one late": lambda found, less: (
        SHARING["last"](found, less)[:-less] + [found[-less], *[(0, None)] * (less - 1)]
    ),
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
        divided = config["hidden_size"] // n_heads
        width = divided if divide else field("head_dim", divided)
        window, every = field("sliding_window"), field("sliding_window_pattern", period)
        named = field("layer_types") if types else None
        if named is None and not (null and "layer_types" in config):
            full = [window is None or ((i + 1) % every == full_at) is not turned for i in range(n)]
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


def _counter(
    batch_of=("tokens", "state"),
    window=min,
    rotary=True,
    latent=1,
    shared=0,
    pair=2,
    state=4,
    state_tokens=False,
    unknown="raise",
    number=2,
    rank=1,
):
    """A counter of what layers keep, right or with one thing done otherwise."""

    def kept(layers, tokens, batch):
        total = 0
        for layer in layers:
            kind = layer["kind"]
            times = batch if "tokens" in batch_of else 1
            if kind == "latent":
                each = latent * (rank * layer["rank"] + (layer["rotary"] if rotary else 0))
                total += times * tokens * each * number
            elif kind in ("full", "sliding") or kind == "shared" and shared:
                seen = window(tokens, layer["window"]) if kind == "sliding" else tokens
                total += times * seen * pair * layer["kv_heads"] * layer["head_dim"] * number
            elif kind == "state":
                times = batch if "state" in batch_of else 1
                total += times * layer["numbers"] * state * (tokens if state_tokens else 1)
            elif kind != "shared" and unknown == "raise":
                raise ValueError("a layer of another kind")
        return total

    return kept


def _models(rng):
    def layer(kind):
        heads = dict(kv_heads=rng.choice([1, 2, 4, 8]), head_dim=rng.choice([64, 96, 128]))
        return dict(kind=kind) | {
            "full": heads,
            "sliding": heads | dict(window=rng.choice([16, 64, 128])),
            "latent": dict(rank=rng.choice([128, 256, 512]), rotary=rng.choice([32, 64])),
            "shared": heads,
            "state": dict(numbers=rng.choice([1024, 4096, 6144])),
        }.get(kind, heads)

    yield [layer("shared")], 20, 2
    for kind in ("full", "sliding", "latent", "state"):
        for batch in (1, 3):
            yield [layer(kind)], rng.choice([20, 100, 300]), batch
    yield [layer("linear")], 10, 1
    yield [layer("recurrent")], 10, 2
    for _ in range(20):
        kinds = [rng.choice(("full", "sliding", "latent", "state")), *rng.choices(KINDS, k=rng.randint(0, 3))]
        yield [layer(kind) for kind in kinds], rng.choice([1, 20, 100, 300]), rng.randint(1, 5)


def _odd(layers, *_):
    return any(layer["kind"] not in KINDS for layer in layers)


def _has(kind):
    return lambda layers, *_: not _odd(layers) and any(layer["kind"] == kind for layer in layers)


def _batched(kind):
    return lambda layers, tokens, batch: batch > 1 and _has(kind)(layers)


def _longer(layers, tokens, batch):
    return any(tokens > layer.get("window", tokens) for layer in layers)


@question("09-kept", points=4, kind="code", minutes=12)
def _kept():
    wrong = {
        "It forgets the batch: every sequence keeps tokens and states of its own.": dict(batch_of=()),
        "It counts one state for the whole batch; each sequence has its own.": dict(batch_of="tokens"),
        "It leaves the batch out of keys and values.": dict(batch_of="state"),
        "It does not look at the window: a sliding layer keeps no more tokens than that.": dict(
            window=lambda t, w: t
        ),
        "It always keeps a whole window; with fewer tokens there are fewer to keep.": dict(
            window=lambda t, w: w
        ),
        "It takes the larger of tokens and window; a window limits.": dict(window=max),
        "It adds the window to the tokens; a window limits.": dict(window=lambda t, w: t + w),
        "It keeps one token fewer than its window has.": dict(window=lambda t, w: min(t, w - 1)),
        "It counts the latent twice; it stands for keys and values at once.": dict(latent=2),
        "It counts the latent twice, and its rotary part once: both are kept once.": dict(rank=2),
        "It leaves out the rotary part, kept beside the latent.": dict(rotary=False),
        "It lets a shared layer keep tokens; it reads those of another.": dict(shared=1),
        "It counts the keys or the values of a head, not both.": dict(pair=1),
        "It counts a state in 2 bytes a number; it is kept in fp32.": dict(state=2),
        "It counts a state twice; it is no pair of keys and values.": dict(state=8),
        "It counts the numbers of a state, not its bytes.": dict(state=1),
        "It counts numbers, not bytes.": dict(number=1, state=1),
        "It counts every number in 4 bytes; only a state is kept in fp32.": dict(number=4),
        "It counts one byte for a number of keys and values; it takes 2.": dict(number=1),
        "It multiplies a state by the tokens; a state stays the same size.": dict(state_tokens=True),
        "It passes over a kind of layer that it does not know: raise ValueError, guess nothing.": dict(
            unknown="skip"
        ),
    }
    return Function(
        _counter(),
        _models,
        tuple(Slip(said, _counter(**one)) for said, one in wrong.items()),
        where={f"It is wrong just where a layer is {kind}.": _has(kind) for kind in KINDS}
        | {f"It forgets the batch where a layer is {kind}.": _batched(kind) for kind in KINDS}
        | {
            "At a kind of layer that it does not know, it does not raise ValueError.": _odd,
            "It is wrong just where there are more tokens than a window.": _longer,
            "It is wrong just where the batch is above 1.": lambda layers, tokens, batch: batch > 1,
        },
        idea="Try one layer of each kind alone, with a batch of 1 and of 3.",
    )
