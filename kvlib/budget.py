"""A GPU's memory as a budget: weights, cache, overhead, and what still fits.

The engine takes a share of the GPU (`utilization`), puts the weights in it, keeps a reserve
(activations, CUDA graphs: `engines.overhead` estimates it), and gives the rest to the cache. The decode
floor is the time the memory alone needs to hand over what one step must read; no kernel is quicker.
"""

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

from .engines import Engine, engine as as_engine
from .hardware import GPU, gpu as as_gpu
from .layouts import CacheLayout
from .units import DType, dtype as as_dtype, whole_number

# Beyond this many tokens or sequences a limit is not one.
_ENDLESS = 2**50


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
        weights = self.weights_bytes if self.weights_read_bytes is None else self.weights_read_bytes
        return (weights + self.cache_read_bytes(context, batch)) / (as_gpu(self.gpu).bandwidth * self.gpus)

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
