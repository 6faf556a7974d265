"""Two models layer by layer on one scale: what each layer keeps as the context grows, and who keeps more."""

import json
import warnings
from collections.abc import Callable
from itertools import pairwise

import traitlets

from .. import configs
from ..layouts import CacheLayout, ContextWarning
from ..units import fmt, unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .groups import strip
from .models import layouts

PRECISIONS = ("fp32", "bf16", "fp8", "int8", "int4", "q8_0", "q4_0")
AXES = ("linear", "logarithmic")
PASTED = "pasted"
NONE = "none"
PAIR = ("gemma-2-27b", "llama-3-70b")
WORDS = {
    "full": "full attention",
    "sliding": "sliding window",
    "chunked": "chunked attention",
    "latent": "latent",
    "shared": "reads an earlier layer's cache",
    "state": "fixed state",
    "cross": "cross attention only",
    "none": "keeps nothing",
}
SCALED_TO = 131_072  # tokens that the race runs to for a model without an end
SOURCE_LEN = 1500  # frames in which Whisper hears its 30 seconds


def order(a: Callable[[int], int], b: Callable[[int], int], bends, last: int) -> list[tuple[int, int]]:
    """Who keeps more from where on: [(first context, sign of a's bytes less b's)…], from 1 to `last` tokens.

    `bends` are the contexts between which both grow evenly. That both are equal at one context between two
    others, where one overtakes the other, is no stretch of its own.
    """

    def sign(n):
        return (a(n) > b(n)) - (a(n) < b(n))

    runs, at = [(1, sign(1))], 1
    for end in sorted({*(n for n in bends if n < last), last}):
        # The difference is a straight line here: its sign changes at most twice, by way of 0.
        while sign(end) != runs[-1][1]:
            low, high = at, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if sign(middle) == runs[-1][1] else (low, middle)
            runs.append((high, sign(high)))
            at = high
        at = end
    passing = {run for run, after in pairwise(runs[1:]) if run[1] == 0 and after[0] == run[0] + 1}
    kept = [run for run in runs if run not in passing]
    return kept[:1] + [run for before, run in pairwise(kept) if run[1] != before[1]]


class LayerRace(Figure):
    """Every layer of one or two models as a bar: its kind, its bytes for one sequence of `context` tokens.

    LayerRace("gemma-2-27b", "llama-3-70b", context=4096): `models` are those to choose from (None: all that
    are shipped); `other` may be "none". The scale reaches what they keep at the longest context that either
    was made for, on `axes` "linear" or "logarithmic". `source_len` is the length of the other sequence
    (frames of audio, patches of a picture) for a model with cross attention. With a kernel, `pasted` takes
    the text of any config.json: `model` is then "pasted", or `refusal` says why kvlib will not read it.
    Raises ValueError for an unknown model or a value out of bounds.
    """

    script = "layer_race.js"
    title = constant("Layer by layer")
    lead = constant(
        "Each bar is a layer, and what it keeps of one sequence, on one scale for both models. "
        "Play, and the context grows: a full layer runs on, one with a window or a state ends in a cap."
    )

    model = traitlets.Unicode().tag(sync=True)
    other = traitlets.Unicode().tag(sync=True)
    context = Whole(4096, most=2**24)
    source_len = Whole(SOURCE_LEN, least=0, most=2**20)
    dtype = Choice("bf16", PRECISIONS)
    axes = Choice("linear", AXES)
    dtypes = constant(dtypes(PRECISIONS))
    words = constant(WORDS)
    scaled_to = constant(SCALED_TO)
    strips = traitlets.Dict(read_only=True).tag(sync=True)
    pasted = traitlets.Unicode().tag(sync=True)
    refusal = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, model=None, other=None, *, models=None, **rest):
        self._layouts = layouts(models)
        if NONE in self._layouts:
            raise ValueError('models must not name one "none": that is the choice of no second model')
        if model is None:
            model = PAIR[0] if PAIR[0] in self._layouts else next(iter(self._layouts))
        if other is None:
            other = PAIR[1] if model == PAIR[0] and PAIR[1] in self._layouts else NONE
        super().__init__(model=model, other=other, **rest)
        self._offer()
        self.observe(self._read_pasted, "pasted")
        if self.pasted:
            self._read_pasted()

    @traitlets.validate("model", "other")
    def _validate_model(self, proposal):
        name, of = proposal["value"], proposal["trait"].name
        if name not in self._layouts and (of, name) != ("other", NONE):
            raise unknown(of, name, self._layouts if of == "model" else [NONE, *self._layouts])
        return name

    def _read_pasted(self, _=None):
        """Offer the pasted config as a model and choose it, or say in `refusal` why it can't be read."""
        if not self.pasted.strip():
            return self.set_trait("refusal", "")
        try:
            layout = configs.layout(_config(self.pasted))
            strip(layout)  # the figure refuses what it can't draw
        except ValueError as error:
            return self.set_trait("refusal", str(error))
        self.set_trait("refusal", "")
        self._layouts[PASTED] = layout
        self._offer()
        self.model = PASTED

    def _offer(self):
        self.set_trait("strips", {name: strip(layout) for name, layout in self._layouts.items()})
        offered = [*self._layouts]
        self.set_trait("limits", {**self.limits, "model": offered, "other": [NONE, *offered]})

    @property
    def racers(self) -> dict[str, CacheLayout]:
        """The layouts that are shown, by name."""
        return {name: self._layouts[name] for name in (self.model, self.other) if name != NONE}

    @property
    def longest(self) -> int:
        """The context to which the race runs: the longest that one of the models was made for."""
        return max(layout.max_context or SCALED_TO for layout in self.racers.values())

    def nbytes(self, name: str, context: int | None = None) -> int:
        """Bytes of all that `name` keeps of one sequence (beyond its longest context too)."""
        return self._breakdown(self.racers[name], context).total

    @property
    def order(self) -> list[tuple[int, int]]:
        """`order` of model and other up to `longest`; empty where there is only one."""
        if len(self.racers) < 2:
            return []
        bends = {layer.window for layout in self.racers.values() for layer in layout.kinds if layer.window}
        one, two = (lambda n, name=name: self.nbytes(name, n) for name in self.racers)
        return order(one, two, bends, self.longest)

    def _breakdown(self, layout, context=None):
        source_len = self.source_len if layout.needs_source_len else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ContextWarning)  # the page says it in words
            return layout.breakdown(context or self.context, 1, self.dtype, source_len)

    def said_order(self) -> str:
        """Who keeps more from where on, in a sentence; the page says the same."""
        runs = self.order
        if not runs:
            return ""
        words = {1: f"{self.model} keeps more", -1: f"{self.other} keeps more", 0: "both keep the same"}
        if len(runs) == 1:
            said = {**words, 0: "Both keep the same"}[runs[0][1]]
            never = ", never overtaken" if runs[0][1] else ""
            return f"{said} at every context up to {_tokens(self.longest)}{never}."
        parts = [f"up to {_tokens(runs[1][0] - 1)} {words[runs[0][1]]}"]
        parts += [f"from {n:,} on {words[sign]}" for n, sign in runs[1:]]
        return f"U{'; '.join(parts)[1:]}."

    def said_ratio(self) -> str:
        """How many times as much the one keeps as the other, in a sentence; the page says the same."""
        if len(self.racers) < 2:
            return ""
        (less, low), (more, high) = sorted(
            ((name, self.nbytes(name)) for name in self.racers), key=lambda x: x[1]
        )
        if low == high:
            return "Both keep the same."
        return f"{more} keeps {high / low:,.2f} times as much as {less}." if low else f"{less} keeps nothing."

    def table(self) -> Table:
        last = self.longest
        contexts = sorted({1, last // 4, last // 2, 3 * last // 4, last, self.context} - {0})
        rows = []
        for name, layout in self.racers.items():
            for layer, n in layout.kinds.items():
                if layer.kind == "shared":
                    words = f"reads layer {layer.shares_with}'s cache"
                else:
                    words = WORDS[layer.kind] + (f" of {layer.window:,}" if layer.window else "")
                each = CacheLayout((layer,))
                kept = [n * self._breakdown(each, context).total for context in contexts]
                rows.append([f"{name}: {words}", n, *map(fmt, kept)])
            parts = [self._breakdown(layout, context) for context in contexts]
            rows.append([f"{name}: all", layout.n_layers, *(fmt(part.total) for part in parts)])
            for words in ("state", "cross"):
                of_it = [getattr(part, words) for part in parts]
                if any(of_it):
                    rows.append([f"{name}: of it {words}", "", *map(fmt, of_it)])
        asked = any(layout.needs_source_len for layout in self.racers.values())
        source = f" and a source of {self.source_len:,}" if asked else ""
        of = f"The layers of {' and '.join(self.racers)}, {self.dtype}{source}, as the context grows"
        ends = [
            f"{name} was made for {layout.max_context:,} tokens."
            for name, layout in self.racers.items()
            if layout.max_context is not None and layout.max_context < contexts[-1]
        ]
        here = f"At {_tokens(self.context)} {self.said_ratio()}" if self.said_ratio() else ""
        caption = " ".join(filter(None, [f"{of}.", self.said_order(), here, *ends]))
        return Table(caption, ["kind", "layers", *map(_tokens, contexts)], rows)


def _tokens(n) -> str:
    return f"{n:,} token{'' if n == 1 else 's'}"


def _config(text) -> dict:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("this is nested too deeply for a config.json") from None
    if not isinstance(read, dict):
        raise ValueError("a config.json is one JSON object, in braces")
    return read
