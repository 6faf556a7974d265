"""A GPU's memory as a bar: weights, cache, overhead and what is free; what fits, and how fast."""

from traitlets import Dict, Unicode, validate

from .. import configs
from ..budget import Budget
from ..hardware import GPUS
from ..units import dtype as as_dtype, fmt, fmt_seconds, unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .groups import groups, read_groups

WEIGHTS = ("fp32", "bf16", "fp8", "q8_0", "q4_0")
PRECISIONS = ("fp32", "bf16", "fp8", "q8_0", "q4_0")


def shipped(names=None) -> dict:
    """name -> (layout, parameters in all, parameters that a decode step reads) of the shipped models."""
    offered = {}
    for name in configs.models() if names is None else names:
        counted = configs.parameters(name)
        offered[name] = (configs.layout(name), counted.total, counted.read)
    return offered


class BudgetWidget(Figure):
    """What a model needs on a GPU, whether it fits, and the floor of a decode step.

    BudgetWidget(model="llama-3.1-8b", gpu="H100", context=8192, batch=4). `models` are the names
    offered (None: every shipped one), or a dict name -> (layout, parameters, those that a decode step
    reads). source_len is the tokens of the source sequence that cross attention keeps; a model without
    it shows no control for them. overhead_mib is kept for activations over all GPUs; utilization, in
    percent, is the share of the memory that the engine may take. `budget` is the kvlib.Budget of the
    setting.
    Raises ValueError for a number out of bounds or an unknown name.
    """

    script = "budget.js"
    title = constant("The budget of a GPU")
    lead = constant(
        "Weights, cache and overhead share the GPU's memory. Choose a setting and see what is left."
    )

    model = Unicode().tag(sync=True)
    gpu = Choice("H100", GPUS)
    gpus = Whole(1, most=64)
    weights = Choice("bf16", WEIGHTS)
    dtype = Choice("bf16", PRECISIONS)
    context = Whole(8192, most=2**24)
    batch = Whole(8, most=4096)
    source_len = Whole(1500, least=0, most=2**24)
    utilization = Whole(90, most=100)
    overhead_mib = Whole(1024, least=0, most=2**20)

    dtypes = constant(dtypes(dict.fromkeys((*WEIGHTS, *PRECISIONS))))
    gpu_facts = Dict(read_only=True).tag(sync=True)
    models = Dict(read_only=True).tag(sync=True)

    def __init__(self, model="llama-3.1-8b", *, models=None, **rest):
        self._offered = models if isinstance(models, dict) else shipped(models)
        if not self._offered:
            raise ValueError("models must name at least one model")
        super().__init__(model=model, **rest)
        self.set_trait("gpu_facts", {g.name: [g.memory, g.bandwidth] for g in GPUS.values()})
        self.set_trait("models", {name: self._facts(*of) for name, of in self._offered.items()})
        self.set_trait("limits", {**self.limits, "model": list(self._offered)})

    @staticmethod
    def _facts(layout, total, weights_read):
        kept, read = groups(layout), read_groups(layout)
        facts = {"kept": kept, "total": total, "weights_read": weights_read, "made_for": layout.max_context}
        if layout.needs_source_len:
            facts["cross"] = True
        return facts if read == kept else facts | {"read": read}

    @validate("model")
    def _validate_model(self, proposal):
        if proposal["value"] not in self._offered:
            raise unknown("model", proposal["value"], self._offered)
        return proposal["value"]

    @property
    def budget(self) -> Budget:
        """The kvlib.Budget of the present setting."""
        layout, total, weights_read = self._offered[self.model]
        weights = as_dtype(self.weights)
        return Budget(
            layout,
            weights.nbytes(total),
            self.gpu,
            gpus=self.gpus,
            utilization=self.utilization / 100,
            overhead_bytes=self.overhead_mib * 2**20,
            dtype=self.dtype,
            weights_read_bytes=weights.nbytes(weights_read),
            source_len=self.source_len if layout.needs_source_len else None,
        )

    def table(self) -> Table:
        budget = self.budget
        short = budget.short_by(self.context, self.batch)
        cache = budget.cache_bytes(self.context, self.batch)
        free = budget.usable - budget.weights_bytes - budget.overhead_bytes - cache
        sequences, longest = budget.max_sequences(self.context), budget.max_context(self.batch)
        ends = budget.layout.max_context
        at_most = "no end" if longest is None else f"{longest:,}"
        if ends is not None and (longest is None or longest > ends):
            room = "any" if longest is None else at_most
            at_most = f"{ends:,}, where the model ends; memory for {room}"
        floor = fmt_seconds(budget.decode_floor(self.context, self.batch))
        rate = f"{budget.tokens_per_second(self.context, self.batch):,.0f}"
        setting = f"{self.model} ({self.weights}) on {self.gpus} × {self.gpu}, {self.batch} sequences of "
        source = "" if budget.source_len is None else f", each with a source of {budget.source_len:,}"
        rows = [
            ["weights", fmt(budget.weights_bytes)],
            [f"cache ({self.dtype})", fmt(cache)],
            ["overhead, all GPUs together", fmt(budget.overhead_bytes)],
            [f"usable, {self.utilization} % of the memory", fmt(budget.usable)],
            ["does not fit, short by", fmt(short)] if short else ["fits, free", fmt(free)],
            [
                f"most sequences of {self.context:,} tokens",
                "no end" if sequences is None else f"{sequences:,}",
            ],
            [f"longest context for {self.batch} sequences", at_most],
            ["decode step, at the least", "does not fit" if short else floor],
            ["tokens a second, at the most", "does not fit" if short else rate],
        ]
        return Table(f"{setting}{self.context:,} tokens{source}", ["what", "value"], rows)
