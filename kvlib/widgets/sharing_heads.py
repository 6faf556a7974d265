"""Query heads over the KV heads they share, from MHA through GQA to MQA, and what models chose."""

import traitlets

from ..layouts import CacheLayout
from ..units import DTYPES, fmt, unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .models import layouts

PRECISIONS = ("fp32", "bf16", "int8", "int4")
# The rows where none are named: MHA, GQA, MQA and one latent cache, small and large, old and new.
COMPARED = (
    "gpt2", "llama-2-7b", "llama-2-13b", "llama-2-70b", "llama-3-8b", "llama-3-70b", "llama-3.1-8b",
    "llama-3.1-405b", "llama-3.2-3b", "mistral-7b-v0.3", "qwen-2.5-3b", "qwen-2.5-7b", "qwen-3-235b-a22b",
    "phi-4", "gemma-2b", "gemma-2-27b", "gemma-3-27b", "falcon-7b", "starcoder", "gpt-oss-20b",
    "smollm2-135m", "deepseek-v3",
)  # fmt: skip
COLUMNS = {
    "model": "model",
    "bytes_per_token": "one token",
    "n_kv_heads": "KV heads",
    "n_heads": "query heads",
    "n_layers": "layers",
    "head_dim": "head_dim",
    "at_8k": "8,192 tokens",
    "at_128k": "131,072 tokens",
}


def shared(layout: CacheLayout) -> bool:
    """Whether the layout's layers keep heads that are all alike, so that sharing can be drawn."""
    keeps = {(x.n_kv_heads, x.head_dim, x.v_elements) for x in layout.layers if x.elements}
    latent = any(x.kind == "latent" for x in layout.layers)
    return not latent and len(keeps) == 1 and layout.n_heads is not None


def facts(name: str, layout: CacheLayout) -> dict:
    """A model's row: its geometry and its bf16 bytes; None for a context it was not made for.

    Of a model with cross attention the bytes are those without another sequence (`source_len=0`).
    """
    source_len = 0 if layout.needs_source_len else None
    kept = next((x for x in layout.layers if x.elements), layout.layers[0])

    def at(context):
        ends = layout.max_context is not None and context > layout.max_context
        return None if ends else layout.bytes(context, source_len=source_len)

    return {
        "model": name,
        "n_layers": layout.n_layers,
        "keeping": sum(bool(x.elements) for x in layout.layers),
        "n_heads": layout.n_heads,
        "n_kv_heads": kept.n_kv_heads if shared(layout) else None,
        "head_dim": kept.head_dim,
        "ends": layout.max_context,
        "bytes_per_token": layout.bytes_per_token(),
        "at_8k": at(8192),
        "at_128k": at(131072),
    }


class SharingHeads(Figure):
    """How n_kv_heads, from n_heads down to 1, sets the bytes of a token; real models beside it.

    SharingHeads("llama-3-8b"): `models` are the rows to compare (COMPARED, or what
    widgets.models.layouts takes), `model` the one drawn, `n_kv_heads` a divisor of its n_heads
    (None: its own choice), `sort` a column, largest first. `nbytes` is one token's bytes.
    Raises ValueError for an unknown model or column, and for n_kv_heads that does not divide.
    """

    script = "sharing_heads.js"
    title = constant("Sharing heads")
    lead = constant(
        "Every query head reads one KV head, and only the KV heads' keys and values are kept. "
        "Give a model fewer KV heads, or more."
    )

    model = traitlets.Unicode().tag(sync=True)
    n_kv_heads = Whole(1, most=1024)
    dtype = Choice("bf16", PRECISIONS)
    sort = Choice("bytes_per_token", COLUMNS)
    dtypes = constant(dtypes(PRECISIONS))
    columns = constant([[key, name] for key, name in COLUMNS.items()])
    rows: traitlets.List = traitlets.List(read_only=True).tag(sync=True)
    note = traitlets.Unicode(read_only=True).tag(sync=True)  # what the bytes of the rows leave out

    def __init__(self, model=None, n_kv_heads=None, *, models=None, **rest):
        offered = layouts(COMPARED if models is None else models)
        self._facts = {name: facts(name, layout) for name, layout in offered.items()}
        self._drawn = [name for name, layout in offered.items() if shared(layout)]
        if not self._drawn:
            raise ValueError("models must have one whose layers keep heads that are all alike")
        if model is None:
            model = "llama-3.1-8b" if "llama-3.1-8b" in self._drawn else self._drawn[0]
        own = self._facts.get(model, {}).get("n_kv_heads") or 1
        super().__init__(model=model, n_kv_heads=own if n_kv_heads is None else n_kv_heads, **rest)
        self.set_trait("rows", list(self._facts.values()))
        self.set_trait("limits", {**self.limits, "model": self._drawn})
        crossed = [name for name, layout in offered.items() if layout.needs_source_len]
        if crossed:
            self.set_trait("note", f"; {', '.join(crossed)} without what cross attention keeps")
        self.observe(self._to_own_choice, "model")

    @traitlets.validate("model")
    def _validate_model(self, proposal):
        if proposal["value"] not in self._drawn:
            raise unknown("model", proposal["value"], self._drawn)
        return proposal["value"]

    @traitlets.validate("n_kv_heads")
    def _validate_n_kv_heads(self, proposal):
        # Set together, the two are checked in any order.
        if self.model not in self._drawn:
            raise unknown("model", self.model, self._drawn)
        n_heads = self._facts[self.model]["n_heads"]
        if n_heads % proposal["value"]:
            divisors = ", ".join(str(d) for d in range(1, n_heads + 1) if n_heads % d == 0)
            raise ValueError(
                f"n_kv_heads must divide {self.model}'s {n_heads} query heads ({divisors}), "
                f"not {proposal['value']}"
            )
        return proposal["value"]

    def _to_own_choice(self, change):
        self.n_kv_heads = self._facts[change["new"]]["n_kv_heads"]

    @property
    def nbytes(self) -> int:
        """Bytes of one token with `n_kv_heads` KV heads in every layer that keeps any."""
        row = self._facts[self.model]
        return CacheLayout.uniform(row["keeping"], self.n_kv_heads, row["head_dim"]).bytes_per_token(
            DTYPES[self.dtype]
        )

    def table(self) -> Table:
        def cell(row, key):
            if key in ("at_8k", "at_128k") and row[key] is None:
                return f"ends at {row['ends']:,}"
            if key in ("bytes_per_token", "at_8k", "at_128k"):
                return fmt(row[key], digits=1)
            return "–" if row[key] is None else row[key]

        rows = sorted(self.rows, key=lambda row: (-row["bytes_per_token"], row["model"]))
        cells = [[cell(row, key) for key in COLUMNS] for row in rows]
        caption = f"Real models, bf16, by one token, largest first{self.note}"
        return Table(caption, list(COLUMNS.values()), cells)
