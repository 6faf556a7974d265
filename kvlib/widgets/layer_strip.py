"""A model layer by layer: which kind each is, and what it keeps at the chosen context."""

import json
import warnings
from collections import Counter

import traitlets

from .. import configs
from ..layouts import CacheLayout, ContextWarning
from ..units import fmt, unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .groups import key_numbers
from .models import layouts

PRECISIONS = ("fp32", "bf16", "fp8", "int8", "int4", "q8_0", "q4_0")
PASTED = "pasted"
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
SCALED_TO = 131_072  # tokens that the scale reaches for a model without an end
SOURCE_LEN = 1500  # frames in which Whisper hears its 30 seconds


def strip(layout: CacheLayout) -> dict:
    """A layout as layer_strip.js reads it: its different layers, and which of them each layer is.

    `of` has a character for each layer: its place in `kinds`, counted from "0". `shares` has the layer
    that each shared layer reads. A kind has the fields of a group of widgets.groups, and its look's.
    """
    kinds, of = [], ""
    for layer in layout.layers:
        kind = {
            "kind": layer.kind,
            "heads": layer.n_kv_heads,
            "dim": layer.head_dim,
            "k": key_numbers(layer),
            "v": layer.v_elements,
            "window": layer.window,
            "state": layer.state_bytes,
            "cross": layer.cross_elements,
        }
        if kind not in kinds:
            kinds.append(kind)
        of += chr(ord("0") + kinds.index(kind))
    shares = {i: x.shares_with for i, x in enumerate(layout.layers) if x.shares_with is not None}
    return {"kinds": kinds, "of": of, "shares": shares, "ends": layout.max_context}


class LayerStrip(Figure):
    """Every layer of a model as a strip: its kind, and its bytes for one sequence of `context` tokens.

    LayerStrip("gemma-2-27b", context=8192): `models` are those to choose from (None: all that are
    shipped). `source_len` is the length of the other sequence (frames of audio, patches of a
    picture) for a model with cross attention. With a kernel, `pasted` takes the text of any
    config.json: the model is then "pasted", or `refusal` says why kvlib will not read it. `nbytes` is
    the total. Raises ValueError for an unknown model or a value out of bounds.
    """

    script = "layer_strip.js"
    title = constant("Layer by layer")
    lead = constant(
        "What each layer keeps of one sequence, on one scale up to the model's longest context "
        f"({SCALED_TO:,} tokens where its config names none). A layer with a window stops growing; a full one never does."
    )

    model = traitlets.Unicode().tag(sync=True)
    context = Whole(8192, most=2**24)
    source_len = Whole(SOURCE_LEN, least=0, most=2**20)
    dtype = Choice("bf16", PRECISIONS)
    dtypes = constant(dtypes(PRECISIONS))
    words = constant(WORDS)
    scaled_to = constant(SCALED_TO)
    strips = traitlets.Dict(read_only=True).tag(sync=True)
    pasted = traitlets.Unicode().tag(sync=True)
    refusal = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, model=None, *, models=None, **rest):
        self._layouts = layouts(models)
        if model is None:
            model = "gemma-2-27b" if "gemma-2-27b" in self._layouts else next(iter(self._layouts))
        super().__init__(model=model, **rest)
        self._offer()
        self.observe(self._read_pasted, "pasted")
        if self.pasted:
            self._read_pasted()

    @traitlets.validate("model")
    def _validate_model(self, proposal):
        if proposal["value"] not in self._layouts:
            raise unknown("model", proposal["value"], self._layouts)
        return proposal["value"]

    def _read_pasted(self, _=None):
        """Offer the pasted config as a model and choose it, or say in `refusal` why it can't be read."""
        if not self.pasted.strip():
            return self.set_trait("refusal", "")
        try:
            layout = configs.layout(_config(self.pasted))
        except ValueError as error:
            return self.set_trait("refusal", str(error))
        self.set_trait("refusal", "")
        self._layouts[PASTED] = layout
        self._offer()
        self.model = PASTED

    def _offer(self):
        self.set_trait("strips", {name: strip(layout) for name, layout in self._layouts.items()})
        self.set_trait("limits", {**self.limits, "model": list(self._layouts)})

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept of one sequence of `context` tokens (beyond max_context too)."""
        return self._breakdown(self._layouts[self.model]).total

    def _breakdown(self, layout):
        source_len = self.source_len if layout.needs_source_len else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ContextWarning)  # the page says it in words
            return layout.breakdown(self.context, 1, self.dtype, source_len)

    def table(self) -> Table:
        def part(nbytes):
            return fmt(nbytes) if nbytes else "–"

        rows, layout = [], self._layouts[self.model]
        for layer, n in Counter(layout.layers).items():
            if layer.kind == "shared":
                words = f"reads layer {layer.shares_with}'s cache"
            else:
                words = WORDS[layer.kind] + (f" of {layer.window:,}" if layer.window else "")
            each = self._breakdown(CacheLayout((layer,)))
            kept = f"{layer.tokens(self.context):,}"
            rows.append(
                [words, n, kept, fmt(each.total), fmt(n * each.total), part(each.state), part(each.cross)]
            )
        rows.append(["all", layout.n_layers, "", "", fmt(self.nbytes), "", ""])
        source = f" and a source of {self.source_len:,}" if layout.needs_source_len else ""
        return Table(
            f"The layers of {self.model} at {self.context:,} tokens{source}, {self.dtype}",
            [
                "kind",
                "layers",
                "tokens kept",
                "each keeps",
                "together",
                "of it state",
                "of it cross",
            ],
            rows,
        )


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
