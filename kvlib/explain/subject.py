"""What a text is about: the model, how it was split over GPUs, and what its cache is kept in."""

from dataclasses import dataclass, replace

from ..configs import UnsupportedConfig, layout as layout_of, models, source
from ..hardware import GPU, gpu as gpu_of
from ..layouts import CacheLayout
from ..units import DType, dtype as as_dtype, whole_number
from .facts import Facts

MODEL = "--model MODEL: a config.json, its folder, a GGUF file or a shipped model's name"
CARD = "--gpu NAME: the GPU, such as H100 or 4090"
MOST_GPUS = 4096  # a text that says more says something else


@dataclass(frozen=True)
class Subject:
    """The model and the options, from the text where it says them, else as asked for.

    layout  None where no model is known; `why` then says what is wrong with the one that was named
    """

    layout: CacheLayout | None = None
    dtype: DType = as_dtype("bf16")
    cache_dtype: str | None = None
    tp: int = 1
    pp: int = 1
    gpu: GPU | None = None
    named: str = ""  # how the log names the model, where it was taken from there

    @property
    def limitless(self) -> CacheLayout:
        """The layout without the bound that warns: engines are asked for lengths that nobody chose."""
        assert self.layout is not None
        return replace(self.layout, max_context=None)

    @property
    def model(self) -> str:
        """What to call the model; "" for none."""
        return self.layout.name if self.layout is not None else ""


def subject_of(facts: Facts, model, gpu, dtype, cache_dtype, tp, pp) -> Subject:
    """The subject of a text. Raises ValueError for a model, a GPU, a dtype or a number that is not known."""
    said = {name: facts.value(name) for name in ("tp", "pp", "cache_dtype")}
    said |= {name: None for name in ("tp", "pp") if not 0 < (said[name] or 0) <= MOST_GPUS}
    kept = cache_dtype or _dtype_said(said["cache_dtype"])
    layout, named = None, ""
    if model is not None:
        layout = layout_of(model, "bf16")  # what the cache is kept in is said apart
    elif (name := facts.value("model")) and (shipped := _shipped(str(name))):
        try:
            layout, named = layout_of(shipped, "bf16"), str(name)
        except UnsupportedConfig:
            layout = None
    split = [whole_number("tp", tp or said["tp"] or 1), whole_number("pp", pp or said["pp"] or 1)]
    return Subject(
        layout=layout,
        dtype=as_dtype(dtype or "bf16"),
        cache_dtype=kept,
        tp=split[0],
        pp=split[1],
        gpu=None if gpu is None else gpu_of(gpu),
        named=named,
    )


def _dtype_said(name) -> str | None:
    """What a log says that the cache is kept in, where it is not the model's own dtype."""
    name = str(name or "").lower().removeprefix("torch.")
    return (
        "fp8"
        if name.startswith(("fp8_e", "float8")) or name == "fp8"
        else "nvfp4"
        if name == "nvfp4"
        else None
    )


def _shipped(name: str) -> str | None:
    """The shipped model that a path or an id names, by its id or by the id's last part."""
    known = {source(short)["id"].lower(): short for short in models()} | {short: short for short in models()}
    by_end = {full.rsplit("/", 1)[-1]: short for full, short in known.items()}
    lower = name.lower().rstrip("/")
    return known.get(lower) or by_end.get(lower.rsplit("/", 1)[-1])
