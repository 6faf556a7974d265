"""A GPU's memory as a bar whose cache can be dragged: what fits, what spills over, and how fast."""

from traitlets import Bool, Dict, Unicode, validate

from ..budget import Budget
from ..hardware import GPUS
from ..units import unknown
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .budget_settings import PRESETS, Setting, facts, shipped
from .budget_table import NO_VALUE, ROWS, SET, compared, rows

PRECISIONS = ("fp32", "bf16", "fp8", "q8_0", "q4_0")


class BudgetWidget(Figure):
    """What a model needs on a GPU, whether it fits, and the floor of a decode step.

    BudgetWidget(model="llama-3.1-8b", gpu="H100", context=8192, batch=4). `models` are the names
    offered (None: every shipped one), or a dict name -> (layout, parameters, those that a decode step
    reads). source_len is the tokens of the source sequence that cross attention keeps; a model without
    it shows no control for them. overhead_mib is kept for activations over all GPUs; utilization, in
    percent, is the share of the memory that the engine may take. `moves` is what follows when the cache's
    edge is dragged, "sequences" or "context". With `pinned`, the setting a_model, a_gpu, … is A, and this
    one, B, is compared with it. `budget` is the kvlib.Budget of the setting.
    Raises ValueError for a number out of bounds or an unknown name.

    In a page, the figure takes one more model while it is read, and shows it: send its element the event
    "kv-model", with `name` and what `budget_settings.facts` returns.

        const figure = document.querySelector(".kv-of-budget .kv-figure");
        figure.dispatchEvent(new CustomEvent("kv-model", { detail: { name: "mine", ...facts } }));
    """

    script = "budget.js"
    title = constant("The budget of a GPU")
    lead = constant(
        "Weights, overhead and cache share the GPU's memory. Drag the cache's edge: sequences or their "
        "context follow, and what does not fit spills over."
    )

    model = Unicode().tag(sync=True)
    gpu = Choice("H100", GPUS)
    gpus = Whole(1, most=64)
    weights = Choice("bf16", PRECISIONS)
    dtype = Choice("bf16", PRECISIONS)
    context = Whole(8192, most=2**24)
    batch = Whole(8, most=4096)
    source_len = Whole(1500, least=0, most=2**24)
    utilization = Whole(90, most=100)
    overhead_mib = Whole(1024, least=0, most=2**20)
    moves = Choice("sequences", ("sequences", "context"))
    pinned = Bool(False).tag(sync=True)
    a_model = Unicode().tag(sync=True)
    a_gpu = Choice("H100", GPUS)
    a_gpus = Whole(1, most=64)
    a_weights = Choice("bf16", PRECISIONS)
    a_dtype = Choice("bf16", PRECISIONS)
    a_context = Whole(8192, most=2**24)
    a_batch = Whole(8, most=4096)
    a_source_len = Whole(1500, least=0, most=2**24)
    a_utilization = Whole(90, most=100)
    a_overhead_mib = Whole(1024, least=0, most=2**20)

    dtypes = constant(dtypes(PRECISIONS))
    words = constant({"set": SET, "rows": [*ROWS.items()], "no_value": NO_VALUE})
    gpu_facts = Dict(read_only=True).tag(sync=True)
    models = Dict(read_only=True).tag(sync=True)
    presets = constant([])

    def __init__(self, model="llama-3.1-8b", *, models=None, **rest):
        self._offered = models if isinstance(models, dict) else shipped(models)
        if not self._offered:
            raise ValueError("models must name at least one model")
        super().__init__(**{"model": model, "a_model": model} | rest)
        self.set_trait("gpu_facts", {g.name: [g.memory, g.bandwidth] for g in GPUS.values()})
        self.set_trait("models", {name: facts(*of) for name, of in self._offered.items()})
        self.set_trait("limits", {**self.limits, "model": [*self._offered]})
        # Where the caller chose the models, a preset's may be missing, or be another of that name.
        self.set_trait("presets", [] if models else [p.facts(self._offered) for p in PRESETS])

    @validate("model", "a_model")
    def _validate_model(self, proposal):
        if proposal["value"] not in self._offered:
            raise unknown("model", proposal["value"], self._offered)
        return proposal["value"]

    def _setting(self, prefix="") -> Setting:
        return Setting(**{name: getattr(self, prefix + name) for name in Setting.__dataclass_fields__})

    @property
    def budget(self) -> Budget:
        """The kvlib.Budget of the present setting."""
        return self._setting().budget(self._offered)

    def table(self) -> Table:
        here, at = self._setting(), self.budget
        named = here.named(at.source_len is not None)
        if not self.pinned:
            return Table(named, ["what", "value", "bytes"], [row.cells() for row in rows(here, at)])
        a = self._setting("a_")
        of_a = a.budget(self._offered)
        caption = f"A: {a.named(of_a.source_len is not None)}. B: {named}"
        return Table(caption, ["what", "A", "B", "B − A"], compared((a, of_a), (here, at)))
