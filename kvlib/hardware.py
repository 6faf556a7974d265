"""GPUs: how much they hold and how fast they read it.

Memory is what `nvidia-smi` (or `rocm-smi`) reports as total, which is what an engine can
allocate from; bandwidth is the vendor's datasheet figure, an upper bound that no kernel quite reaches.
"""

from dataclasses import dataclass

from .units import GB, TB, MiB, unknown, whole_number


@dataclass(frozen=True)
class GPU:
    """One GPU: `memory` in bytes, `bandwidth` in bytes per second."""

    name: str
    memory: int
    bandwidth: float
    source: str

    def __post_init__(self):
        whole_number("memory", self.memory)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be more than 0 bytes per second, not {self.bandwidth!r}")


GPUS = {
    g.name: g
    for g in (
        GPU("T4", 15360 * MiB, 320 * GB, "NVIDIA T4 datasheet: 16 GB GDDR6, 320 GB/s"),
        GPU("L4", 23034 * MiB, 300 * GB, "NVIDIA L4 datasheet: 24 GB GDDR6, 300 GB/s"),
        GPU("A10G", 23028 * MiB, 600 * GB, "NVIDIA A10 family: 24 GB GDDR6, 600 GB/s"),
        GPU("RTX3090", 24576 * MiB, 936 * GB, "NVIDIA GeForce RTX 3090: 24 GB GDDR6X, 936 GB/s"),
        GPU("RTX4090", 24564 * MiB, 1008 * GB, "NVIDIA Ada whitepaper: 24 GB GDDR6X, 1008 GB/s"),
        GPU("RTX5090", 32607 * MiB, 1792 * GB, "NVIDIA GeForce RTX 5090: 32 GB GDDR7, 1792 GB/s"),
        GPU("L40S", 46068 * MiB, 864 * GB, "NVIDIA L40S datasheet: 48 GB GDDR6, 864 GB/s"),
        GPU("A100-40GB", 40960 * MiB, 1555 * GB, "NVIDIA A100 datasheet: 40 GB HBM2, 1555 GB/s"),
        GPU("A100-80GB", 81920 * MiB, 2039 * GB, "NVIDIA A100 80GB SXM datasheet: 80 GB HBM2e, 2039 GB/s"),
        GPU("H100", 81559 * MiB, 3350 * GB, "NVIDIA H100 SXM datasheet: 80 GB HBM3, 3.35 TB/s"),
        GPU("H200", 143771 * MiB, 4800 * GB, "NVIDIA H200 SXM datasheet: 141 GB HBM3e, 4.8 TB/s"),
        GPU("B200", 183359 * MiB, 8 * TB, "NVIDIA DGX B200 datasheet: 180 GB HBM3e, 8 TB/s per GPU"),
        GPU("MI300X", 196592 * MiB, 5300 * GB, "AMD Instinct MI300X datasheet: 192 GB HBM3, 5.3 TB/s"),
    )
}


def gpu(name) -> GPU:
    """The GPU called `name`, in any case. Raises ValueError with near matches."""
    if isinstance(name, GPU):
        return name
    by_lower = {key.lower(): value for key, value in GPUS.items()}
    try:
        return by_lower[str(name).lower()]
    except KeyError:
        raise unknown("GPU", name, GPUS) from None
