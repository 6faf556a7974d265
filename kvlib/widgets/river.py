"""The bytes of a step on their way from the memory to the chip, and the arithmetic that waits for them."""

from dataclasses import dataclass, replace

from traitlets import Bool

from .. import configs
from ..budget import Arithmetic, Budget
from ..hardware import GPUS
from ..units import dtype as as_dtype, fmt, fmt_seconds
from .base import Choice, Figure, Table, Whole, constant, dtypes
from .groups import groups, work_facts

# Dense models: of a mixture, nobody can say how many experts a batch will read. Layers that attend to all
# tokens or to a window: the arithmetic of others is not counted.
MODELS = (
    "llama-3.2-1b", "qwen-2.5-7b", "llama-2-7b", "llama-3.1-8b", "gemma-2-9b",
    "mistral-nemo", "gemma-3-27b", "qwen-3-32b", "llama-3.1-70b",
)  # fmt: skip
PRECISIONS = ("bf16", "fp8", "q8_0", "q4_0")
PHASES = ("decode", "prefill")
UNKNOWN = "the GPU's peak is not known"


@dataclass(frozen=True)
class Step:
    """One step: the bytes that move, how long they take, the operations and how long those take.

    compute is None where the GPU's peak is not known.
    """

    weights: int
    cache: int
    moving: float
    operations: int
    compute: float | None

    @property
    def seconds(self) -> float:
        """The longer of the two: the step takes at least as long."""
        return max(self.moving, self.compute or 0)

    @property
    def bound(self) -> str:
        """What takes longest: "arithmetic", else of what moves "weights" or "cache"."""
        if self.compute is not None and self.compute > self.moving:
            return "arithmetic"
        return "cache" if self.cache > self.weights else "weights"


@dataclass(frozen=True)
class Setting:
    """What the reader has chosen, and what kvlib makes of it."""

    phase: str
    model: str
    gpu: str
    weights: str
    dtype: str
    context: int
    batch: int

    @property
    def arithmetic(self) -> Arithmetic:
        """The operations of the model's steps."""
        counted = configs.parameters(self.model)
        return Arithmetic(configs.layout(self.model), counted.read, counted.embedding)

    @property
    def budget(self) -> Budget:
        """The GPU with the model on it; 90 % of its memory is the engine's."""
        kind, counted = as_dtype(self.weights), configs.parameters(self.model)
        return Budget(
            # The page says what the model was made for; here it need not warn.
            replace(configs.layout(self.model), max_context=None),
            kind.nbytes(counted.total),
            self.gpu,
            dtype=self.dtype,
            weights_read_bytes=kind.nbytes(counted.read),
        )

    @property
    def running(self) -> int:
        """The sequences that fit, of those asked for; the others wait and are not in the step."""
        most = self.budget.max_sequences(self.context)
        return self.batch if most is None else min(self.batch, most)

    def step(self, batch) -> Step:
        """The step of `batch` sequences, whether they fit or not."""
        b, work, at = self.budget, self.arithmetic, (self.context, batch)
        if self.phase == "prefill":
            operations, cache, floor = work.prefill(*at), b.cache_bytes(*at), b.prefill_floor(*at)
        else:
            operations, cache, floor = work.decode(*at), b.cache_read_bytes(*at), b.decode_floor(*at)
        return Step(b.weights_read_bytes or 0, cache, floor, operations, b.compute_floor(operations))


class ByteRiver(Figure):
    """What one step moves between a GPU's memory and its chip, and how long that and its arithmetic take.

    ByteRiver(model="llama-3.1-8b", gpu="H100", context=8192, batch=16). `phase` is "decode", a new
    token for each of `batch` sequences of `context` tokens, or "prefill", all tokens of `batch` prompts at
    once. Weights and cache are stored as `weights` and `dtype` say; the arithmetic is bf16's. `elapsed` is
    the share of the step that has passed, in percent. With `pinned`, the setting a_phase, a_model, … stands
    beside this one. `setting` is the present Setting.
    Raises ValueError for a number out of bounds or an unknown name.
    """

    script = "river.js"
    title = constant("The byte river")
    lead = constant(
        "Each step carries every weight once, and each sequence's own cache, from the memory to the chip. "
        "Play a step, drag the cache's edge to add sequences, and see what the chip waits for."
    )

    phase = Choice("decode", PHASES)
    model = Choice("llama-3.1-8b", MODELS)
    gpu = Choice("H100", GPUS)
    weights = Choice("bf16", PRECISIONS)
    dtype = Choice("bf16", PRECISIONS)
    context = Whole(8192, most=2**17)
    batch = Whole(16, most=512)
    elapsed = Whole(40, least=0, most=100)
    pinned = Bool(False).tag(sync=True)
    a_phase = Choice("decode", PHASES)
    a_model = Choice("llama-3.1-8b", MODELS)
    a_gpu = Choice("H100", GPUS)
    a_weights = Choice("bf16", PRECISIONS)
    a_dtype = Choice("bf16", PRECISIONS)
    a_context = Whole(8192, most=2**17)
    a_batch = Whole(1, most=512)

    dtypes = constant(dtypes(PRECISIONS))
    gpu_facts = constant({g.name: [g.memory, g.bandwidth, g.peak, g.peak_source] for g in GPUS.values()})
    models = constant({})

    def __init__(self, **values):
        super().__init__(**values)
        self.set_trait("models", {name: self._facts(name) for name in MODELS})

    @staticmethod
    def _facts(name):
        layout, counted = configs.layout(name), configs.parameters(name)
        work = work_facts(Arithmetic(layout, counted.read, counted.embedding))
        return {
            "kept": groups(layout),
            "total": counted.total,
            "work": work,
            "made_for": layout.max_context,
        }

    @property
    def setting(self) -> Setting:
        return self._setting("")

    def _setting(self, prefix) -> Setting:
        return Setting(**{name: getattr(self, prefix + name) for name in Setting.__dataclass_fields__})

    def table(self) -> Table:
        s = self.setting
        b, running = s.budget, s.running
        short = b.short_by(s.context, s.batch)
        fits = f"{running:,} of {s.batch:,}" + (f", short by {fmt(short)}" if short else "")
        rows = [["sequences that fit", fits]]
        if running:
            step, more = s.step(running), s.step(running + 1)
            moved = step.weights + step.cache
            rows += [
                ["weights", f"{fmt(step.weights)}, {100 * step.weights / moved:.0f} %"],
                [_part(s.phase), f"{fmt(step.cache)}, {100 * step.cache / moved:.0f} %"],
                ["moving them takes", fmt_seconds(step.moving)],
                ["operations", f"{step.operations / 1e12:,.3f} × 10¹²"],
                ["arithmetic takes", UNKNOWN if step.compute is None else fmt_seconds(step.compute)],
                ["the step, at the least", fmt_seconds(step.seconds)],
                ["bound by", step.bound],
                ["one more sequence adds", fmt_seconds(more.seconds - step.seconds)],
            ]
        rows += _turns(s)
        if self.pinned:
            a = self._setting("a_")
            took = fmt_seconds(a.step(a.running).seconds) if a.running else "does not fit"
            rows.append([f"A: {_named(a)}", took])
        return Table(_named(s), ["what", "value"], rows)


def _part(phase) -> str:
    return "cache written" if phase == "prefill" else "cache read"


def _named(s: Setting) -> str:
    size = f"{s.batch:,} × {s.context:,} tokens ({s.dtype})"
    return f"{s.phase}, {s.model} ({s.weights}) on {s.gpu}, {size}"


def _turns(s: Setting) -> list:
    """Where the bound changes: the last rows of the table."""
    b, work = s.budget, s.arithmetic

    def said(n, one):
        if n is None:
            return "never" if GPUS[s.gpu].peak else UNKNOWN
        return f"{n:,} {one}{'' if n == 1 else 's'}"

    return [
        ["decode: more cache than weights from", said(b.cache_bound_from(s.context), "sequence")],
        [
            "decode: more arithmetic than reading from",
            said(b.compute_bound_from(s.context, work), "sequence"),
        ],
        ["prefill: more arithmetic than moving from", said(b.compute_bound_prompt(work), "token")],
    ]
