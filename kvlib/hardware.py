"""GPUs: how much they hold and how fast they read it.

Memory is what CUDA says it can allocate from (`torch.cuda.get_device_properties(0).total_memory`),
since that is what an engine takes its share of. It is up to 3 % less than `nvidia-smi` shows, and varies
by a few hundredths of a GiB with the driver: each entry names the report it was taken from, which prints
hundredths of a GiB. Bandwidth is the vendor's datasheet figure, an upper bound that no kernel quite
reaches. The records are in gpus.json.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from .units import GB, GiB, unknown, whole_number


@dataclass(frozen=True)
class GPU:
    """One GPU: `memory` in bytes, `bandwidth` in bytes per second.

    source         where the size on the box and the bandwidth were read
    memory_source  the report of the memory that CUDA makes available of it; "" where none is known
    """

    name: str
    memory: int
    bandwidth: float
    source: str
    memory_source: str = ""

    def __post_init__(self):
        whole_number("memory", self.memory)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be more than 0 bytes per second, not {self.bandwidth!r}")


def _read() -> dict[str, GPU]:
    records = json.loads((Path(__file__).parent / "gpus.json").read_text(encoding="utf-8"))
    return {
        name: GPU(
            name, round(of["memory_gib"] * GiB), of["bandwidth_gb"] * GB, of["source"], of["memory_source"]
        )
        for name, of in records.items()
    }


GPUS = _read()


def gpu(name) -> GPU:
    """The GPU called `name`, in any case. Raises ValueError with near matches."""
    if isinstance(name, GPU):
        return name
    by_lower = {key.lower(): value for key, value in GPUS.items()}
    try:
        return by_lower[str(name).lower()]
    except KeyError:
        raise unknown("GPU", name, GPUS) from None
