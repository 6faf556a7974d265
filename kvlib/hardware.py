"""GPUs: how much they hold, how fast they read it, and how fast they can compute.

Memory is what CUDA says it can allocate from (`torch.cuda.get_device_properties(0).total_memory`),
since that is what an engine takes its share of. It is up to 3 % less than `nvidia-smi` shows, and varies
by a few hundredths of a GiB with the driver: each entry names the report it was taken from, which prints
hundredths of a GiB. Bandwidth is the vendor's datasheet figure, an upper bound that no kernel quite
reaches. So is the peak of arithmetic: matrix products of bf16 numbers added up in fp32, dense; where a
datasheet gives the figure "with sparsity" alone, half of it. T4 and V100 have no bf16: theirs is of fp16.
A card for which no one figure of its vendor's was found has none. The records are in gpus.json.
Any other card is said by its two numbers: "48GiB@1TB/s".

Apple's chips (chips.json) share one memory with the CPU, and Metal gives the GPU a part of it: by default two
thirds of 16 and 32 GB (10,922.67 and 21,845.34 MB, llama-cpp-python issue 687 and ollama issue 434), three
quarters of 64 and 96 GB (llama.cpp issues 1870 and 3213). macOS 26 gives 107.52 GiB of 128 (antirez/ds4 pull
request 893), and `sysctl iogpu.wired_limit_mb` sets it: then say the card by its numbers.
"""

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .units import GB, GiB, read_bytes, unknown, whole_number


@dataclass(frozen=True)
class GPU:
    """One GPU: `memory` in bytes, `bandwidth` in bytes per second, `peak` in operations per second.

    source         where the size on the box and the bandwidth were read
    memory_source  the report of the memory that CUDA makes available of it; "" where none is known
    capability     CUDA's compute capability, 90 for 9.0; 0 where there is none or it is not known
    peak           dense bf16 arithmetic, a product and its addition counted as two; 0 where it is not known
    peak_source    where the peak was read; "" where none is known
    nvlink         whether several of them are linked by NVLink or its like, as the servers with them are
    """

    name: str
    memory: int
    bandwidth: float
    source: str
    memory_source: str = ""
    nvlink: bool = False
    capability: int = 0
    peak: float = 0.0
    peak_source: str = ""

    def __post_init__(self):
        whole_number("memory", self.memory)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be more than 0 bytes per second, not {self.bandwidth!r}")
        if not self.peak >= 0:
            raise ValueError(f"peak must be at least 0 operations per second, not {self.peak!r}")


def _read() -> dict[str, GPU]:
    records = json.loads((Path(__file__).parent / "gpus.json").read_text(encoding="utf-8"))
    return {
        name: GPU(
            name,
            round(of["memory_gib"] * GiB),
            of["bandwidth_gb"] * GB,
            of["source"],
            of["memory_source"],
            of.get("nvlink", False),
            of.get("capability", 0),
            float(round(of.get("peak_tflops", 0) * 1e12)),
            of.get("peak_source", ""),
        )
        for name, of in records.items()
    }


GPUS = _read()
CHIPS = json.loads((Path(__file__).parent / "chips.json").read_text(encoding="utf-8"))


# What people and drivers write around a card's name: maker, series, how it is mounted.
_AROUND = re.compile(
    r"nvidia|geforce|tesla|amd|instinct|apple|gpus?|sxm[0-9]?|hbm[0-9]e?|generation"
    r"|blackwell workstation edition|[ _-]"
)
_SIZE = re.compile(r"([0-9]{1,3})(?:g(?:i?b)?)?")


def _key(name: str) -> str:
    return _AROUND.sub("", name.lower())


def _sized(key: str, names: dict) -> tuple[str, str] | None:
    """(a known name, the size in GB written after it or "") of a key; None for another name."""
    if key in names:
        return names[key], ""
    sizes = {
        name: _SIZE.fullmatch(key.removeprefix(begin))
        for begin, name in names.items()
        if key.startswith(begin)
    }
    return next(((name, size[1]) for name, size in sizes.items() if size), None)


def _card(key: str) -> GPU | None:
    """The card that a key stands for; a size after its name must be the one on the box."""
    names = {_key(known): known for known in GPUS}
    names |= {key.removeprefix("rtx"): known for key, known in names.items()}
    name, size = _sized(key, names) or ("", "")
    return GPUS[name] if name and (not size or f" {size} GB " in GPUS[name].source) else None


def _chip(key: str) -> GPU | None:
    """One of Apple's, with the memory that Metal gives it; ValueError for one without its size."""
    name, size = _sized(key, {_key(known): known for known in CHIPS}) or ("", "")
    if not name:
        return None
    speeds = CHIPS[name]["gb_s"]
    if size not in speeds:
        known, last = ", ".join(speeds), list(speeds)[-1]
        raise ValueError(f"unknown GPU: {name} comes with {known} GB; say which, as {name} {last}GB")
    share = Fraction(2, 3) if int(size) <= 32 else Fraction(3, 4)
    source = f"{CHIPS[name]['source']}: {speeds[size]} GB/s"
    metal = f"Metal: {share} of {size} GiB, its default"
    return GPU(f"{name} {size}GB", int(share * int(size) * GiB), speeds[size] * GB, source, metal)


def gpu(name) -> GPU:
    """The GPU called `name`: in any case, "RTX 4090", "4090", or "48GiB@1TB/s", memory and bandwidth.

    Raises ValueError with near matches, or where a memory or a bandwidth cannot be read.
    """
    if isinstance(name, GPU):
        return name
    text = str(name)
    if "@" in text:
        return _own(text.replace(" ", ""))
    key = _key(text)
    found = _card(key) or _chip(key)
    if found is None:
        raise ValueError(
            f"{unknown('GPU', text[:80], [*GPUS, *CHIPS])}; or any card by its numbers, as 48GiB@1TB/s"
        )
    return found


def _own(text: str) -> GPU:
    memory, _, bandwidth = text.partition("@")
    speed = bandwidth.removesuffix("/s")
    try:
        card = GPU(text, read_bytes(memory), float(read_bytes(speed)), "given", "given")
    except ValueError:
        card = None
    if card is None or not (memory[-1:].isalpha() and speed[-1:].isalpha()):
        raise ValueError(
            f"unknown GPU {text[:80]!r}; a card of your own is MEMORY@BANDWIDTH with units, as 48GiB@1TB/s"
        )
    return card
