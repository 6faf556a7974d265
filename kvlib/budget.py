"""A GPU's memory as a budget: weights, cache, overhead, and what still fits.

The engine takes a share of the GPU (`utilization`), puts the weights in it, keeps a reserve
(activations, CUDA graphs: `engines.overhead` estimates it), and gives the rest to the cache. The decode
floor is the time the memory alone needs to hand over what one step must read; no kernel is quicker. Nor is
one quicker than the arithmetic at the GPU's peak (`Arithmetic`): the longer of the two bounds the step.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from .engines import Engine, engine as as_engine
from .hardware import GPU, gpu as as_gpu
from .layouts import CacheLayout
from .units import DType, dtype as as_dtype, whole_number

# Beyond this many tokens or sequences a limit is not one.
_ENDLESS = 2**50


@dataclass(frozen=True)
class Arithmetic:
    """The operations of a step's matrix products, a multiplication and its addition counted as two.

    layout   of layers that attend to all tokens or to a window of them
    weights  how many each token is multiplied by: `parameters(config).read`
    output   those of them in the output matrix, which of a prompt the last token alone is multiplied by:
             `parameters(config).embedding`, since it has the input embedding's shape

    Raises ValueError for a layer of another kind, or a layout that does not say its query heads.
    """

    layout: CacheLayout
    weights: int
    output: int = 0

    def __post_init__(self):
        whole_number("weights", self.weights, least=0)
        if whole_number("output", self.output, least=0) > self.weights:
            raise ValueError(f"output must be at most weights, {self.weights:,}, not {self.output:,}")
        _ = self.attention

    @cached_property
    def attention(self) -> dict[int | None, int]:
        """window or None -> operations, over all layers, for each token that a new one attends to."""
        found: Counter = Counter()
        heads = whole_number("layout.n_heads", self.layout.n_heads)
        for layer, n_layers in self.layout.as_read().kinds.items():
            more = layer.state or layer.cross_elements or layer.compressed or layer.indexer
            if layer.kind not in ("full", "sliding") or more:
                raise ValueError(
                    f"only layers that attend to tokens are counted, full or sliding, not {layer}"
                )
            # Each query head multiplies its query by the key, and the weight that comes of it by the value.
            found[layer.window] += 2 * n_layers * heads * (layer.elements // layer.n_kv_heads)
        return dict(found)

    def decode(self, context, batch=1) -> int:
        """Operations for one new token of each sequence, the last of its `context` tokens."""
        context, batch = whole_number("context", context), whole_number("batch", batch)
        seen = sum(each * min(context, window or context) for window, each in self.attention.items())
        return batch * (2 * self.weights + seen)

    def prefill(self, prompt, batch=1) -> int:
        """Operations for all tokens of `batch` prompts; each token attends to itself and those before it."""
        prompt, batch = whole_number("prompt", prompt), whole_number("batch", batch)
        pairs = 0
        for window, each in self.attention.items():
            start = min(prompt, window or prompt)
            pairs += each * (start * (start + 1) // 2 + (prompt - start) * start)
        return batch * (2 * (self.weights - self.output) * prompt + 2 * self.output + pairs)


@dataclass(frozen=True)
class Budget:
    """What `gpus` GPUs hold for a model of `weights_bytes`.

    gpu                 a name of `hardware.GPUS`, or a GPU; all of them alike
    utilization         share of the memory the engine may take, above 0 and up to 1
    overhead_bytes      kept for activations and the like, over all GPUs
    weights_read_bytes  those that one decode step must read (None: all of them); less where only some
                        experts work, or a table is looked up: `parameters(config).read`
    source_len          tokens of the source sequence that cross attention keeps, as in
                        `CacheLayout.bytes`: needed by a layout with cross attention, refused by others

    Raises ValueError for a number out of bounds or an unknown name.
    """

    layout: CacheLayout
    weights_bytes: int
    gpu: GPU | str
    gpus: int = 1
    utilization: float = 0.9
    overhead_bytes: int = 0
    dtype: str | DType = "bf16"
    engine: str | Engine = "ideal"
    weights_read_bytes: int | None = None
    source_len: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "gpu", as_gpu(self.gpu))
        as_dtype(self.dtype), as_engine(self.engine)
        whole_number("gpus", self.gpus)
        self.layout.checked_source_len(self.source_len)
        for argument in ("weights_bytes", "overhead_bytes"):
            whole_number(argument, getattr(self, argument), least=0)
        if self.weights_read_bytes is not None:
            whole_number("weights_read_bytes", self.weights_read_bytes, least=0)
        if not isinstance(self.utilization, (int, float)) or not 0 < self.utilization <= 1:
            raise ValueError(f"utilization must be above 0 and at most 1, not {self.utilization!r}")

    @property
    def usable(self) -> int:
        """Bytes the engine may take on all GPUs together."""
        # Through the decimal that was written: 0.9 as a float is a little more than 9/10.
        return int(Fraction(str(self.utilization)) * as_gpu(self.gpu).memory * self.gpus)

    @property
    def room(self) -> int:
        """Bytes left for the cache; 0 where the weights alone do not fit."""
        return max(0, self.usable - self.weights_bytes - self.overhead_bytes)

    @property
    def _unevenness(self) -> Fraction:
        """Layers of the fullest stage of a pipeline, over the mean."""
        stages = getattr(self.engine, "pp", 1)
        n_layers = self.layout.n_layers
        return Fraction(stages * -(-n_layers // stages), n_layers)

    def cache_bytes(self, context, batch=1) -> int:
        """Bytes of all that `batch` sequences of `context` tokens keep, as the engine keeps it."""
        return as_engine(self.engine).bytes(self.layout, context, batch, self.dtype, self.source_len)

    def short_by(self, context, batch=1) -> int:
        """Bytes missing for `batch` sequences of `context` tokens; 0 if they fit.

        Where an engine splits the layers unevenly (pipeline parallelism), the fullest GPU decides.
        """
        split = self.weights_bytes + self.cache_bytes(context, batch)
        return max(0, -(-split * self._unevenness // 1) + self.overhead_bytes - self.usable)

    def fits(self, context, batch=1) -> bool:
        """Whether weights, overhead and the cache of `batch` such sequences go into `usable`."""
        return self.short_by(context, batch) == 0

    def max_sequences(self, context) -> int | None:
        """The most sequences of `context` tokens that fit; 0 if none, None if a sequence keeps nothing."""
        quiet = self._quiet()
        return _largest(lambda batch: quiet.fits(context, batch))

    def max_context(self, batch=1) -> int | None:
        """The longest context that fits for each of `batch` sequences; 0 if none does.

        None where memory sets no end: every layer has a window or a fixed state, and they fit.
        What the model was made for (`layout.max_context`) is another matter, and not looked at.
        """
        quiet = self._quiet()
        return _largest(lambda context: quiet.fits(context, batch))

    def cache_read_bytes(self, context, batch=1) -> int:
        """Bytes of cache that one decode step reads, as the engine stores it, over all GPUs.

        Each sequence's own: where sequences share a prefix, a kernel that knows so reads it once.
        """
        return as_engine(self.engine).bytes_read(self.layout, context, batch, self.dtype, self.source_len)

    def decode_floor(self, context, batch=1) -> float:
        """Seconds that one decode step takes at the least: what it must read, once, at full bandwidth.

        (weights read + cache read) / (bandwidth × GPUs), weights and cache spread evenly. Of a mixture of
        experts a batch may read more: its sequences choose experts of their own, and only those of one
        are sure to be read.
        """
        return self.read_floor(self.cache_read_bytes(context, batch))

    def prefill_floor(self, prompt, batch=1) -> float:
        """Seconds in which the weights are read once and the cache of `batch` prompts is written."""
        return self.read_floor(self.cache_bytes(prompt, batch))

    def read_floor(self, cache_bytes) -> float:
        """Seconds in which the weights and so many bytes of cache are read once."""
        return (self._weights_read + cache_bytes) / self._bandwidth

    def compute_floor(self, operations) -> float | None:
        """Seconds that so many operations take at the least; None where the GPU's peak is not known.

        In bf16, whatever the weights and the cache are stored as: kernels for fp8 can be quicker.
        """
        peak = as_gpu(self.gpu).peak * self.gpus
        return operations / peak if peak else None

    def cache_bound_from(self, context) -> int | None:
        """The fewest sequences of `context` tokens whose cache takes longer to read than the weights; None
        if there is nothing of it to read."""
        each = self.cache_read_bytes(context)
        return self._weights_read // each + 1 if each else None

    def compute_bound_from(self, context, arithmetic: Arithmetic) -> int | None:
        """The fewest sequences whose decode step computes for longer than it reads; None if no number does,
        since each further one adds no less reading than arithmetic, or if the GPU's peak is not known."""
        peak = int(as_gpu(self.gpu).peak) * self.gpus
        over = arithmetic.decode(context) * int(self._bandwidth) - self.cache_read_bytes(context) * peak
        return self._weights_read * peak // over + 1 if peak and over > 0 else None

    def compute_bound_prompt(self, arithmetic: Arithmetic) -> int | None:
        """The shortest prompt whose prefill, alone, computes for longer than it reads and writes; None if
        none does or if the GPU's peak is not known."""
        quiet, peak = self._quiet(), int(as_gpu(self.gpu).peak) * self.gpus

        def reads_longer(prompt):
            moved = self._weights_read + quiet.cache_bytes(prompt)
            return arithmetic.prefill(prompt) * int(self._bandwidth) <= moved * peak

        last = _largest(reads_longer) if peak else None
        return None if last is None else last + 1

    @property
    def _weights_read(self) -> int:
        return self.weights_bytes if self.weights_read_bytes is None else self.weights_read_bytes

    @property
    def _bandwidth(self) -> float:
        return as_gpu(self.gpu).bandwidth * self.gpus

    def tokens_per_second(self, context, batch=1) -> float:
        """The most tokens a second that the decode floor allows, all sequences together."""
        return batch / self.decode_floor(context, batch)

    def _quiet(self) -> "Budget":
        """The same budget for a layout that does not warn: a search tries contexts nobody asked for."""
        return dataclasses.replace(self, layout=dataclasses.replace(self.layout, max_context=None))


def _largest(fits) -> int | None:
    """The largest n for which `fits(n)`, which must not turn true again; 0 if none, None if endless."""
    if not fits(1):
        return 0
    if fits(_ENDLESS):
        return None
    low, high = 1, _ENDLESS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
