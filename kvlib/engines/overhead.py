"""What an engine spends besides weights and cache, part by part: on each GPU, and where the figure is from.

vLLM runs the model once, on as many tokens as a batch may have, and leaves to the cache what its share of the
memory has beyond the peak of that run. What that run needs follows from the shapes; what CUDA, NCCL and the
captured graphs take is a figure that an engine printed, named with its source. Each part can be replaced.

    >>> from kvlib.configs import checkpoint
    >>> run = Run(checkpoint("llama-3.1-8b"), context=20000, batched=20000, sequences=256)
    >>> vllm(run, "0.6.4").parts[0].bytes / 2**30  # vLLM issue 10517 prints 17.06 - 14.99 GiB
    2.0599365234375
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from ..units import GiB, MiB, whole_number


class Widths(Protocol):
    """What `configs.Checkpoint` says of a model's activations."""

    hidden: int
    inner: int
    routed: int
    vocab: int


class Part(NamedTuple):
    """The part's name, its bytes on each GPU, and how they come about."""

    name: str
    bytes: int
    source: str


@dataclass(frozen=True)
class Overhead:
    """The share of the memory that the engine takes unless told, the parts within it, and those outside."""

    utilization: Fraction
    parts: tuple[Part, ...]
    outside: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Run:
    """The model and the limits that an engine makes its memory by.

    context    the longest sequence, --max-model-len
    batched    tokens of a batch at most, --max-num-batched-tokens; None: the engine's own
    sequences  sequences of a batch at most, --max-num-seqs; None: the engine's own
    layers     of the model, each of which a captured graph contains
    tp         GPUs that share each matrix
    gpus       GPUs in all
    memory     bytes of one GPU
    fast_link  whether GPUs are linked by NVLink or its like
    small_batches  whether vLLM takes its small defaults though the memory is large, as on an A100
    latent     whether attention is latent (MLA)
    """

    widths: Widths
    context: int = 8192
    batched: int | None = None
    sequences: int | None = None
    layers: int = 32
    tp: int = 1
    gpus: int = 1
    memory: int = 24 * GiB
    fast_link: bool = False
    small_batches: bool = False
    latent: bool = False

    def __post_init__(self):
        for argument in ("batched", "sequences"):
            if (value := getattr(self, argument)) is not None:
                whole_number(argument, value)


# Printed by engines; what these logs print is rounded to a hundredth of a GiB.
CONTEXT = int(0.51 * GiB), "139.81 GiB of an H200, less what SGLang pull request 11716 has before NCCL"
FAST_LINK = int(2.01 * GiB), "NCCL over NVLink, as SGLang pull request 11716 has it on 8 × H200"
PCIE = int(0.39 * GiB), "NCCL over PCIe, as SGLang issue 40558 has it on 4 × RTX PRO 6000"
KERNELS = int(0.31 * GiB), "what LMCache issue 3430 has beside all else (vLLM 0.21, Qwen3 8B)"
PER_GRAPH = int(0.52 * GiB) // (86 * 36)  # LMCache issue 3430: vLLM 0.21, Qwen3 8B
SORTED = 39  # bytes a logit: 1.26 GiB for 256 × 128,256, vLLM pull request 10511; PyTorch sorts them
UNSORTED = 14  # the logits in 16 bits, in fp32, their probabilities, and as much noise

NEWEST = "0.33.0"


@dataclass(frozen=True)
class _Version:
    """How a version of vLLM profiles.

    Read at 0.3.2, 0.4.2, 0.5.3, 0.6.4, 0.7.2 (both engines), 0.9.2, 0.10.2, 0.14.0, 0.19.0, 0.20.0, 0.26.0
    and 0.33.0: worker/worker.py and v1/worker/gpu_worker.py (what is subtracted), the model runners'
    profile_run, config/cache.py (utilization), engine/arg_utils.py and config.py (batches).
    """

    since: tuple[int, ...]
    utilization: str = "0.9"
    v1: bool = True
    per_logit: int = SORTED
    reserved: bool = False  # memory that PyTorch keeps for later counts too, so the two peaks add up
    every_logit: bool = False  # logits of every token of the batch, not sampled from
    context: bool = False  # what CUDA takes counts
    link: bool = True  # what NCCL takes counts
    graphs: bool = False  # captured graphs count


_VERSIONS = (
    _Version((0, 20), "0.92", per_logit=UNSORTED, link=False, graphs=True),
    _Version((0, 19), per_logit=UNSORTED, link=False),
    _Version((0, 14), link=False),
    _Version((0, 8)),
    _Version((0, 6, 4), v1=False),
    _Version((0, 3), v1=False, reserved=True),
)
_FIRST_V1 = _Version((0, 7), per_logit=2, every_logit=True, context=True)


_SPELLED = re.compile(r"v?([0-9]+(?:\.[0-9]+)+)(?:\.?post[0-9]+)?(-v1)?")


def numbers_of(version: str) -> tuple[int, ...]:
    """The numbers of a version, () where it has none."""
    found = _SPELLED.fullmatch(version.strip().lower())
    return tuple(map(int, found[1].split("."))) if found else ()


def _version(text: str) -> _Version:
    """The record of "0.33.0", or of "0.7.2-v1" for the V1 engine before it was the usual one."""
    found, numbers = _SPELLED.fullmatch(text.strip().lower()), numbers_of(text)
    if found and found[2] and (0, 7) <= numbers < (0, 8):
        return _FIRST_V1
    for one in _VERSIONS:
        if numbers >= one.since and not (found and found[2]):
            return one
    raise ValueError(f"engine version must be one of vLLM's from 0.3, such as {NEWEST}, not {text!r}")


def vllm_batch(run: Run, version: str = NEWEST) -> tuple[int, int]:
    """(tokens, sequences) that a batch of `vllm serve` has at most, unless told."""
    of = _version(version)
    large = run.memory >= 70 * GiB and not run.small_batches
    if of.v1:
        tokens = 16384 if run.memory >= 160 * GiB else 8192 if large else 2048
        sequences = 1024 if large else 256
    else:
        # Prompts are not cut into chunks but for long contexts.
        chunk = 512 if of.reserved or version.startswith("0.6") else 2048
        tokens, sequences = chunk if run.context > 32768 else max(run.context, 2048), 256
    tokens, sequences = run.batched or tokens, run.sequences or sequences
    return tokens, min(sequences, tokens)


def vllm(run: Run, version: str = NEWEST) -> Overhead:
    """What vLLM keeps from its cache, as of `version`. Raises ValueError for a version that is not known."""
    of, (tokens, sequences) = _version(version), vllm_batch(run, version)
    of_layers = 2 * tokens * _widest(run)
    rows = tokens if of.every_logit else sequences
    logits, hidden = of.per_logit * rows * run.widths.vocab, 2 * tokens * run.widths.hidden
    of_sampling = f"{of.per_logit} bytes × {rows:,} × {run.widths.vocab:,} logits"
    of_widest = f"{tokens:,} tokens × {_widest(run):,} numbers × 2 bytes, the widest layer"
    if of.reserved:
        parts = [Part("activations", of_layers, of_widest), Part("logits", logits, of_sampling)]
    elif of_layers > hidden + logits:
        parts = [Part("activations", of_layers, of_widest)]
    else:
        source = f"{of_sampling}, beside {tokens:,} tokens × {run.widths.hidden:,} numbers × 2 bytes"
        parts = [Part("activations", hidden + logits, source)]
    parts.append(Part("kernels", *KERNELS))
    outside: list[Part] = []
    (parts if of.context else outside).append(Part("cuda context", *CONTEXT))
    if run.gpus > 1:
        link = Part("communication", *(FAST_LINK if run.fast_link else PCIE))
        (parts if of.link else outside).append(link)
    if of.graphs:
        graphs = _captured(min(2 * sequences, 512)) + _captured(min(sequences, 512))
        source = f"{graphs} graphs of {run.layers} layers, where 86 of 36 took 0.52 GiB in LMCache issue 3430"
        parts.append(Part("graphs", PER_GRAPH * run.layers * graphs, source))
    return Overhead(Fraction(of.utilization), tuple(parts), tuple(outside))


def _widest(run: Run) -> int:
    """Numbers that a layer keeps of a token at once: its feed-forward, and three hidden states.

    The one that it takes, the one that it adds up, and the one that the model still holds from before.
    """
    return 3 * run.widths.hidden + run.widths.inner // run.tp + run.widths.routed


def _captured(most: int) -> int:
    """Sizes of a batch up to `most` for which a graph is captured: 1, 2, 4, by 8s to 256, then by 16s."""
    sizes = [1, 2, 4, *range(8, min(most + 1, 256), 8), *range(256, most + 1, 16)]
    return sum(size <= most for size in sizes)


def sglang(run: Run, utilization: Fraction | None = None) -> Overhead:
    """What SGLang 0.5.23 keeps outside its static share, by its own rule, and inside it.

    The share is of the memory that is free once the GPUs have met, so that share of what CUDA and NCCL take
    counts too. utilization: another share than its own. From srt/arg_groups/memory_hook.py and
    cuda_graph_hook.py.
    """
    gib, few, mib = run.memory / GiB, run.tp < 4, run.memory / MiB
    chunk = run.batched or (2048 if gib < 20 else 4096 if gib < 60 else 8192 if gib < 160 else 16384)
    if gib < 60:
        decoded = 8 if gib < 20 else (48 if gib < 35 else 32) if few else 160
    else:
        decoded = 256 if few and gib < 160 else 512
    steps = (
        (4, 33, 4),
        (48, 257, 16),
        (288, 513, 32),
        (576, 1025, 64),
        (1280, 4097, 256),
        (4608, chunk + 1, 512),
    )
    prefilled = sum(size <= chunk for step in steps for size in range(*step))
    reserved = 512 + 1.5 * max(chunk, 2048) + 128 * run.gpus + 2 * min(decoded, run.sequences or decoded)
    reserved += 1536 if run.latent else 8 * prefilled
    if gib > 60:
        reserved = max(reserved, 10240)
    share = Fraction(str(round((mib - reserved) / mib, 3))) if utilization is None else utilization
    before = [Part("cuda context", *CONTEXT)]
    if run.gpus > 1:
        before.append(Part("communication", *(FAST_LINK if run.fast_link else PCIE)))
    parts = tuple(part._replace(bytes=int(share * part.bytes)) for part in before)
    rest = Part("activations and graphs", run.memory - int(share * run.memory), "the rest of the memory")
    return Overhead(share, parts, (rest,))


def llama_cpp(run: Run, n_ubatch: int = 512) -> Overhead:
    """llama.cpp's compute buffer, logits and hidden states of a micro-batch in fp32, and CUDA's share.

    LLamaSharp issue 1099 prints 300.75 MiB for Qwen 2.5 3B, which is this rule's.
    """
    wide = 4 * n_ubatch * (run.widths.vocab + run.widths.hidden)
    source = f"{n_ubatch:,} tokens × ({run.widths.vocab:,} logits + {run.widths.hidden:,} numbers) × 4 bytes"
    return Overhead(Fraction(1), (Part("compute buffer", wide, source), Part("cuda context", *CONTEXT)))
