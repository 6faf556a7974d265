"""A function that counts what the layers of any model keep, kind by kind."""

from ...answers import Function, Slip
from ..common import question

KINDS = ("full", "sliding", "latent", "shared", "state")


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
    ends="",
):
    """A counter of what layers keep, right or with one thing done otherwise."""

    def kept(layers, tokens, batch):
        total = 0
        for layer in {"first": layers[:1], "last": _counted(layers)[-1:]}.get(ends, layers):
            kind = layer["kind"]
            times = batch if "tokens" in batch_of else 1
            if kind == "latent":
                each = latent * (rank * layer["rank"] + rotary * layer["rotary"])
                total += times * tokens * each * number
            elif kind in ("full", "sliding") or kind == "shared" and shared:
                seen = window(tokens, layer["window"]) if kind == "sliding" else tokens
                if "window" in batch_of and kind == "sliding":
                    seen = min(tokens * batch, layer["window"]) / batch
                total += times * seen * pair * layer["kv_heads"] * layer["head_dim"] * number
            elif kind == "state":
                times = batch if "state" in batch_of else 1
                total += times * layer["numbers"] * state * (tokens if state_tokens else 1)
            elif kind != "shared" and unknown == "raise":
                raise ValueError("a layer of another kind")
        return total

    return kept


def _counted(layers):
    return [layer for layer in layers if layer["kind"] != "shared"]


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
        "It counts the latent twice, or in 4 bytes a number; it stands for both at once, in 2.": dict(
            latent=2
        ),
        "It takes the rotary part off the latent; it is kept beside it.": dict(rotary=-1),
        "It lets a window hold tokens of the whole batch; each sequence has its own.": dict(
            batch_of=("tokens", "state", "window")
        ),
        "It counts the first layer alone: add up all.": dict(ends="first"),
        "It counts the last layer alone: add up all.": dict(ends="last"),
        "It counts the latent twice, and its rotary part once: both are kept once.": dict(rank=2),
        "It leaves out the rotary part, kept beside the latent.": dict(rotary=False),
        "It lets a shared layer keep tokens; it reads those of another.": dict(shared=1),
        "It counts the keys or the values of a head, not both, or one byte a number.": dict(pair=1),
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
        | {f"It has the batch wrong where a layer is {kind}.": _batched(kind) for kind in KINDS[:-2]}
        | {"It has the batch wrong where a layer is state.": _batched("state")}
        | {
            "At a kind of layer that it does not know, it does not raise ValueError.": _odd,
            "It is wrong just where there are more tokens than a window.": _longer,
            "It is wrong just where the batch is above 1.": lambda layers, tokens, batch: batch > 1,
        },
        idea="Try one layer of each kind alone, with a batch of 1 and of 3.",
    )
