"""A model layer by layer: which kind each is, and what it keeps at the chosen context."""

import json

import traitlets

from .. import configs
from ..layouts import CacheLayout
from ..units import fmt, unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .models import layouts

PRECISIONS = ("fp32", "bf16", "fp8", "int8", "int4", "q8_0", "q4_0")
PASTED = "pasted"
WORDS = {
    "full": "full attention",
    "sliding": "sliding window",
    "chunked": "chunked attention",
    "latent": "latent",
    "shared": "reads an earlier layer's",
    "state": "fixed state",
    "cross": "another sequence's only",
    "none": "keeps nothing",
}
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def strip(layout: CacheLayout) -> dict:
    """A layout as layer_strip.js reads it: its different layers, and which of them each layer is.

    `of` has one digit (to base 36) a layer, its place in `kinds`; `shares` has the layer that each
    shared one reads.
    """
    kinds, of = [], ""
    for layer in layout.layers:
        kind = {
            "kind": layer.kind,
            "heads": layer.n_kv_heads,
            "dim": layer.head_dim,
            "k": layer.k_elements,
            "v": layer.v_elements,
            "window": layer.window,
            "state": layer.state_bytes,
            "cross": layer.cross_elements,
        }
        if kind not in kinds:
            kinds.append(kind)
        of += DIGITS[kinds.index(kind)]
    shares = {i: x.shares_with for i, x in enumerate(layout.layers) if x.shares_with is not None}
    return {"kinds": kinds, "of": of, "shares": shares, "ends": layout.max_context}


class LayerStrip(Figure):
    """Every layer of a model as a strip: its kind, and its bytes at `context`.

    LayerStrip("gemma-2-27b", context=8192): `models` are those to choose from (None: all that are
    shipped). With a kernel, `pasted` takes the text of any config.json: the model is then
    "pasted", or `refusal` says why kvlib will not read it. Raises ValueError for an unknown model.
    """

    script = "layer_strip.js"
    title = constant("Layer by layer")

    model = traitlets.Unicode().tag(sync=True)
    context = Whole(8192, most=2**24)
    dtype = Choice("bf16", PRECISIONS)
    dtypes = constant(dtypes(PRECISIONS))
    words = constant(WORDS)
    strips = traitlets.Dict(read_only=True).tag(sync=True)
    pasted = traitlets.Unicode().tag(sync=True)
    refusal = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, model=None, *, models=None, **rest):
        self._layouts = layouts(models)
        if model is None:
            model = "gemma-2-27b" if "gemma-2-27b" in self._layouts else next(iter(self._layouts))
        super().__init__(model=model, **rest)
        self.set_trait("strips", {name: strip(layout) for name, layout in self._layouts.items()})
        self.observe(self._read_pasted, "pasted")
        if self.pasted:
            self._read_pasted()

    @traitlets.validate("model")
    def _validate_model(self, proposal):
        if proposal["value"] not in self._layouts:
            raise unknown("model", proposal["value"], self._layouts)
        return proposal["value"]

    def _read_pasted(self, _=None):
        """The pasted config becomes a model to choose, and is chosen; or it is refused, in words."""
        if not self.pasted.strip():
            return self.set_trait("refusal", "")
        try:
            layout = configs.layout(_config(self.pasted))
        except ValueError as error:
            return self.set_trait("refusal", str(error))
        self.set_trait("refusal", "")
        self._layouts[PASTED] = layout
        self.set_trait("strips", {**self.strips, PASTED: strip(layout)})
        self.model = PASTED

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values of one sequence of `context` tokens (beyond max_context too)."""
        return sum(x.tokens(self.context) * x.bytes_per_token(self.dtype) for x in self._layers)

    @property
    def _layers(self):
        return self._layouts[self.model].layers

    def table(self) -> Table:
        rows = []
        for first in dict.fromkeys(self._layers):
            n = self._layers.count(first)
            kept = first.tokens(self.context)
            each = kept * first.bytes_per_token(self.dtype)
            if first.kind == "shared":
                words = f"reads layer {first.shares_with}'s"
            else:
                words = WORDS[first.kind] + (f" of {first.window:,}" if first.window else "")
            state = fmt(first.state_bytes) if first.state_bytes else "–"
            rows.append([words, n, f"{kept:,}", fmt(each), fmt(n * each), state])
        rows.append(["all", len(self._layers), "", "", fmt(self.nbytes), ""])
        return Table(
            f"The layers of {self.model} at {self.context:,} tokens, {self.dtype}",
            ["kind", "layers", "tokens kept", "each keeps", "together", "fixed state of each"],
            rows,
        )


def _config(text) -> dict:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError("a config.json is one JSON object, in braces")
    return read
