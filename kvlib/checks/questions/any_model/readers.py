"""Functions that read a config layer by layer, and count what its layers keep."""

from ...answers import Function, Slip
from ..common import question

FULL, SLIDING = "full_attention", "sliding_attention"


def _reader(
    divide=False,
    heads="num_key_value_heads",
    pair=2,
    types=True,
    strict=True,
    fits=True,
    full_at=0,
    turned=False,
    period=6,
    shared="last",
    everywhere=False,
    missing="mha",
    null=False,
):
    """A reader of configs, right or with one thing done otherwise."""

    def layers(config):
        def field(name, other=None):
            value = config.get(name, other)
            return other if value is None and not (null and name in config) else value

        n, n_heads = config["num_hidden_layers"], config["num_attention_heads"]
        n_kv = field(heads, n_heads if missing == "mha" else 1)
        if fits and n_heads % n_kv:
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
        kept = pair * n_kv * width
        found = [(kept, window if name == SLIDING or everywhere else None) for name in named]
        less = field("num_kv_shared_layers", 0)
        if shared == "last":
            found[n - less :] = [(0, None)] * less
        elif shared == "first":
            found[:less] = [(0, None)] * less
        return found

    return layers


def _configs(rng):
    """Configs of the family: what may be left out is, at times, or is null."""
    for case in range(36):
        heads = rng.choice([4, 8, 12, 16])
        n = rng.choice([4, 6, 7, 8, 12, 13])
        config = dict(
            num_hidden_layers=n, num_attention_heads=heads, hidden_size=heads * rng.choice([32, 48, 64])
        )
        if case % 4 != 1:
            config["num_key_value_heads"] = rng.choice([1, 2, 4, heads // 2])
        if case % 3 != 2:
            config["head_dim"] = rng.choice([96, 128, 256]) if case % 7 else None
        if case % 5 != 4:
            config["sliding_window"] = rng.choice([512, 1024, 4096]) if case % 6 != 3 else None
        if case % 8 in (2, 3):
            config["sliding_window_pattern"] = rng.choice([2, 3, 4])
        if case % 4 == 2:
            config["layer_types"] = (
                [rng.choice([FULL, SLIDING]) for _ in range(n)] if case % 12 != 6 else None
            )
            config["sliding_window"] = config.get("sliding_window") or 512
        if case % 6 in (1, 5):
            config["num_kv_shared_layers"] = rng.randint(1, n - 2) if case % 11 else None
        if case in (11, 23):
            config["layer_types"] = [FULL] * (n - 1) + ["linear_attention"]
        if case in (12, 28):
            config["num_key_value_heads"] = heads - 1
        yield (config,)


def _names(name):
    return lambda config: config.get(name) is not None


def _null(config):
    return None in [value for name, value in config.items() if name != "sliding_window"]


@question("09-reader", points=6, kind="code", minutes=18)
def _read():
    every = "Without layer_types, the layers number p, 2p, 3p … are full, counted from 1."
    fields = ("num_key_value_heads", "head_dim", "sliding_window", "sliding_window_pattern", "layer_types")
    return Function(
        _reader(),
        _configs,
        (
            Slip(
                "It divides hidden_size by the heads though the config names head_dim.", _reader(divide=True)
            ),
            Slip(
                "It counts the query heads; only the KV heads keep anything.", _reader(heads="none of them")
            ),
            Slip(
                "It takes one KV head where none are named; then each query head has its own.",
                _reader(missing="mqa"),
            ),
            Slip("It counts the keys or the values; a layer keeps both.", _reader(pair=1)),
            Slip("It counts bytes; numbers are asked for.", _reader(pair=4)),
            Slip(
                "It does not look at layer_types, which comes first where it is named.", _reader(types=False)
            ),
            Slip(
                "It takes a kind of layer that it does not know for one that it does: raise ValueError.",
                _reader(strict=False),
            ),
            Slip("It does not refuse KV heads that do not divide the query heads.", _reader(fits=False)),
            Slip(
                "It refuses nothing: KV heads that do not divide and unknown kinds raise ValueError.",
                _reader(fits=False, strict=False),
            ),
            Slip(f"It counts from 0. {every}", _reader(full_at=1)),
            Slip(f"It has the pattern the wrong way round. {every}", _reader(turned=True)),
            Slip("It alternates where no pattern is named; the default is 6.", _reader(period=2)),
            Slip(
                "It does not look at num_kv_shared_layers: those layers keep nothing.", _reader(shared="no")
            ),
            Slip(
                "It takes the first layers for those that share; they are the last.", _reader(shared="first")
            ),
            Slip("It gives every layer the window; a full one has none.", _reader(everywhere=True)),
            Slip("A field may be there and be null: that means the same as not there.", _reader(null=True)),
        ),
        where={
            f"It is wrong just where {name} is named.": _names(name)
            for name in (*fields, "num_kv_shared_layers")
        }
        | {
            f"It is wrong just where {name} is not named.": lambda c, n=name: not _names(n)(c)
            for name in fields
        }
        | {"It is wrong just where a field is null.": _null},
        idea="Go through the rules one by one, and ask of each field: is it there, and is it null?",
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
):
    """A counter of what layers keep, right or with one thing done otherwise."""

    def kept(layers, tokens, batch):
        total = 0
        for layer in layers:
            kind = layer["kind"]
            times = batch if "tokens" in batch_of else 1
            if kind == "latent":
                each = latent * (layer["rank"] + (layer["rotary"] if rotary else 0))
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

    for kind in ("full", "sliding", "latent", "shared", "state"):
        for batch in (1, 3):
            yield [layer(kind)], rng.choice([20, 100, 300]), batch
    yield [layer("full"), layer("linear")], 10, 1
    yield [layer("recurrent")], 10, 2
    for _ in range(20):
        kinds = rng.choices(["full", "sliding", "latent", "shared", "state"], k=rng.randint(1, 4))
        yield [layer(kind) for kind in kinds], rng.choice([1, 20, 100, 300]), rng.randint(1, 5)


def _has(kind):
    return lambda layers, tokens, batch: any(layer["kind"] == kind for layer in layers)


def _longer(layers, tokens, batch):
    return any(tokens > layer.get("window", tokens) for layer in layers)


@question("09-kept", points=4, kind="code", minutes=12)
def _kept():
    return Function(
        _counter(),
        _models,
        (
            Slip(
                "It forgets the batch: every sequence keeps tokens and states of its own.",
                _counter(batch_of=()),
            ),
            Slip(
                "It counts one state for the whole batch; each sequence has its own.",
                _counter(batch_of="tokens"),
            ),
            Slip("It leaves the batch out of keys and values.", _counter(batch_of="state")),
            Slip(
                "It does not look at the window: a sliding layer keeps no more tokens than that.",
                _counter(window=lambda t, w: t),
            ),
            Slip(
                "It always keeps a whole window; with fewer tokens there are fewer to keep.",
                _counter(window=lambda t, w: w),
            ),
            Slip("It takes the larger of tokens and window; a window limits.", _counter(window=max)),
            Slip("It adds the window to the tokens; a window limits.", _counter(window=lambda t, w: t + w)),
            Slip("It counts the latent twice; it stands for keys and values at once.", _counter(latent=2)),
            Slip("It leaves out the rotary part, kept beside the latent.", _counter(rotary=False)),
            Slip("It lets a shared layer keep tokens; it reads those of another.", _counter(shared=1)),
            Slip("It counts the keys or the values of a head, not both.", _counter(pair=1)),
            Slip("It counts the state in 2 bytes a number; it is kept in fp32.", _counter(state=2)),
            Slip("It counts the numbers of a state, not its bytes.", _counter(state=1)),
            Slip("It counts numbers, not bytes.", _counter(number=1, state=1)),
            Slip(
                "It multiplies the state by the tokens; a state stays the same size.",
                _counter(state_tokens=True),
            ),
            Slip(
                "It passes over a kind of layer that it does not know: raise ValueError, guess nothing.",
                _counter(unknown="skip"),
            ),
        ),
        where={
            f"It is wrong just where a layer is {k}.": _has(k)
            for k in ("full", "sliding", "latent", "shared", "state")
        }
        | {
            "It is wrong just where there are more tokens than a window.": _longer,
            "It is wrong just where the batch is above 1.": lambda layers, tokens, batch: batch > 1,
        },
        idea="Try one layer of each kind alone, with a batch of 1 and of 3.",
    )
