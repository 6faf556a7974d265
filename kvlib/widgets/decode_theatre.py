"""A real model's decoding, played again from its recording, with its KV cache and without."""

import traitlets

from .. import configs
from ..units import whole_number
from .base import Figure, Table, Whole, constant, dtypes
from .recorded import lacking, recording, unpacked

# What a step does, in the order in which it is shown; the model does the first three in layer after layer.
PHASES = ("project", "keep", "score", "write")
FIELDS = (
    "model", "device", "versions", "date", "command", "commit", "dtype", "prompt",
    "prompt_tokens", "tokens", "scores", "weights", "keys", "values", "next",
)  # fmt: skip
COLUMNS = ("step, newest token", "tokens projected", "scores of each head", "kept", "most weight", "writes")
DTYPE = "bf16"  # what the bytes are counted in


def counts(prompt: int, step: int) -> dict:
    """Tokens projected to K and V, and attention scores, of one head of one layer.

    At step s the model has prompt + s - 1 tokens, T. Without a cache it projects all T and scores
    every pair (T², the masked ones too). With one, step 1 does the same (prefill); every later
    step projects one token and scores it against T. Returns, for "without" and "with", the counts
    of this step and of all steps so far. Raises ValueError for a count below 1.
    """
    prompt, step = whole_number("prompt", prompt), whole_number("step", step)
    lengths = [prompt + s for s in range(step)]
    projected = {"without": lengths, "with": [prompt] + [1] * (step - 1)}
    scored = {"without": [t * t for t in lengths], "with": [prompt**2] + lengths[1:]}
    return {
        way: {
            "projections": projected[way][-1],
            "scores": scored[way][-1],
            "all_projections": sum(projected[way]),
            "all_scores": sum(scored[way]),
        }
        for way in ("without", "with")
    }


class DecodeTheatre(Figure):
    """SmolLM2 continues a sentence, four moments a step: project, keep, score, write.

    DecodeTheatre(moment=23, cached=True, layer=17, head=5, token=11): the moment shown, from 1; whether the
    model has a cache; the layer and the head whose scores are shown, from 0; the token that is pointed at,
    from 1. `recorded` is a recording in the form of book/recordings/decode.json, which is played by default.
    Raises ValueError for a value out of bounds, or a recording that lacks something.
    """

    script = "decode_theatre.js"
    title = constant("A language model decodes")
    lead = constant(
        "A recorded run of SmolLM2. A column is a token: its keys above, its values below, a stripe for each "
        "layer."
    )

    # Which controls there are, in their order; their ends are the recording's.
    moment = Whole(23, most=10**6)
    cached = traitlets.Bool(True).tag(sync=True)
    layer = Whole(17, least=0, most=10**6)
    head = Whole(5, least=0, most=10**6)
    token = Whole(11, most=10**6)
    dtypes = constant(dtypes([DTYPE]))
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, recorded=None, **rest):
        recorded = recording("decode") if recorded is None else recorded
        lacking("recorded", recorded, FIELDS)
        self.recorded, self.shape = recorded, configs.layout(recorded["model"])
        self.prompt_tokens = recorded["prompt_tokens"]
        self.steps = len(recorded["tokens"]) - self.prompt_tokens
        kept = len(recorded["tokens"]) - 1  # the last token is written and never read
        ends = {
            "moment": [1, len(PHASES) * self.steps],
            "cached": [False, True],
            "layer": [0, self.shape.n_layers - 1],
            "head": [0, self.shape.n_heads - 1],
            "token": list(range(1, kept + 1)),
        }
        shapes = {name: [self.shape.n_layers, kept] for name in ("keys", "values")}
        pairs = sum(self.prompt_tokens + s for s in range(self.steps))
        shapes |= dict.fromkeys(("scores", "weights"), [self.shape.n_layers, self.shape.n_heads, pairs])
        for name, shape in shapes.items():
            if recorded[name]["shape"] != shape:
                raise ValueError(
                    f"recorded[{name!r}] must be of shape {shape}, not {recorded[name]['shape']}"
                )
        self._ends = ends
        super().__init__(**rest)
        parts = {name: recorded[name] for name in ("prompt_tokens", "tokens", "next", *shapes)}
        sizes = {name: getattr(self.shape, name) for name in ("n_layers", "n_kv_heads", "head_dim")}
        self.set_trait(
            "data",
            parts
            | {"shape": sizes, "dtype": DTYPE, "about": self.about, "phases": PHASES, "columns": COLUMNS},
        )
        self.set_trait("limits", ends)

    @traitlets.validate("moment", "layer", "head", "token")
    def _within(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        least, most = self._ends[name][0], self._ends[name][-1]
        if not least <= value <= most:
            raise ValueError(f"{name} must be from {least} to {most}, not {value}")
        return value

    @property
    def about(self) -> str:
        """Where the recording is from, in a sentence or two."""
        r = self.recorded
        return (
            f"Recorded in {r['dtype']} on {r['date']} with torch {r['versions']['torch']}, greedily: "
            "the likeliest token is written. Bytes are those of bf16."
        )

    def bytes_kept(self, tokens: int) -> int:
        """Bytes of the cache when it holds so many tokens."""
        return self.shape.bytes(tokens, dtype=DTYPE)

    def newest(self, name: str, step: int) -> list[int]:
        """`name`, "scores" (in fifths) or "weights" (in per cent), of the step's newest token: one a key."""
        first = sum(self.prompt_tokens + s for s in range(step - 1))
        every = unpacked(self.recorded[name])[self.layer, self.head]
        return every[first : first + self.prompt_tokens + step - 1].tolist()

    def table(self) -> Table:
        way = "with" if self.cached else "without"
        tokens, rows = self.recorded["tokens"], []
        for step in range(1, self.steps + 1):
            n, T = counts(self.prompt_tokens, step)[way], self.prompt_tokens + step - 1
            weights = self.newest("weights", step)
            most = weights.index(max(weights))
            text, chance = self.recorded["next"][step - 1][0]
            kept = f"{self.bytes_kept(T):,} bytes" if self.cached else "nothing"
            rows.append(
                [
                    f"{step}, “{tokens[T - 1].strip()}”", f"{n['projections']} of {T}", n["scores"], kept,
                    f"{weights[most]} % on {most + 1}, “{tokens[most].strip()}”",
                    f"“{text.strip()}”, {chance / 10:.1f} %",
                ]
            )  # fmt: skip
        return Table(
            f"SmolLM2 continues “{self.recorded['prompt']}” {way} a cache; "
            f"layer {self.layer}, head {self.head}. {self.about}",
            list(COLUMNS),
            rows,
        )
