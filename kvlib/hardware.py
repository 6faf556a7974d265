"""GPUs: how much they hold and how fast they read it.

Memory is what CUDA says it can allocate from (`torch.cuda.get_device_properties(0).total_memory`),
since that is what an engine takes its share of. It is up to 3 % less than `nvidia-smi` shows, and varies
by a few hundredths of a GiB with the driver: each entry names the report it was taken from, which prints
hundredths of a GiB. Bandwidth is the vendor's datasheet figure, an upper bound that no kernel quite
reaches.
"""

from dataclasses import dataclass

from .units import GB, TB, GiB, unknown, whole_number


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


def _gpu(name, gib, bandwidth, source, memory_source) -> GPU:
    return GPU(name, round(gib * GiB), bandwidth, source, memory_source)


GPUS = {
    g.name: g
    for g in (
        _gpu(
            "T4", 14.56, 320 * GB, "NVIDIA T4 datasheet: 16 GB GDDR6, 320 GB/s",
            "torch: 14.56 GiB, Zheng-Chong/CatVTON issue 133 (14.75 with older drivers)",
        ),
        _gpu(
            "L4", 22.03, 300 * GB, "NVIDIA L4 datasheet: 24 GB GDDR6, 300 GB/s",
            "torch: 22.03 GiB in a public training log (22.16 with older drivers)",
        ),
        _gpu(
            "A10G", 22.06, 600 * GB, "NVIDIA A10 family: 24 GB GDDR6, 600 GB/s",
            "torch 2.12 on AWS Linux: 22.06 GiB in a public benchmark log",
        ),
        _gpu(
            "RTX3090", 23.58, 936 * GB, "NVIDIA GeForce RTX 3090: 24 GB GDDR6X, 936 GB/s",
            "torch: 23.58 GiB, vllm-project/vllm issue 10517 (23.69 in issue 2140)",
        ),
        _gpu(
            "RTX4090", 23.64, 1008 * GB, "NVIDIA Ada whitepaper: 24 GB GDDR6X, 1008 GB/s",
            "torch: 23.64 GiB, ali-vilab/VGen issue 104",
        ),
        _gpu(
            "RTX5090", 31.36, 1792 * GB, "NVIDIA GeForce RTX 5090: 32 GB GDDR7, 1792 GB/s",
            "torch: 31.36 GiB, TrajectoryCrafter/TrajectoryCrafter issue 20",
        ),
        _gpu(
            "L40S", 44.53, 864 * GB, "NVIDIA L40S datasheet: 48 GB GDDR6, 864 GB/s",
            "torch: 44.53 GiB, Wan-Video/Wan2.1 issue 205",
        ),
        _gpu(
            "A100-40GB", 39.50, 1555 * GB, "NVIDIA A100 datasheet: 40 GB HBM2, 1555 GB/s",
            "torch: 39.50 GiB, TianheWu/CoSeR issue 10",
        ),
        _gpu(
            "A100-80GB", 79.14, 2039 * GB, "NVIDIA A100 80GB SXM datasheet: 80 GB HBM2e, 2039 GB/s",
            "torch: 79.14 GiB, lianqi1008/Control-GIC issue 6",
        ),
        _gpu(
            "H100", 79.11, 3350 * GB, "NVIDIA H100 SXM datasheet: 80 GB HBM3, 3.35 TB/s",
            "torch: 79.11 GiB, vllm-project/vllm issue 27508",
        ),
        _gpu(
            "H200", 139.81, 4800 * GB, "NVIDIA H200 SXM datasheet: 141 GB HBM3e, 4.8 TB/s",
            "torch 2.9: 139.81 GiB in a public benchmark log",
        ),
        _gpu(
            "B200", 178.35, 8 * TB, "NVIDIA DGX B200 datasheet: 180 GB HBM3e, 8 TB/s per GPU",
            "CUDA device properties: 178.35 GiB, pytorch/ao pull request 4002",
        ),
        _gpu(
            "MI300X", 191.98, 5300 * GB, "AMD Instinct MI300X datasheet: 192 GB HBM3, 5.3 TB/s",
            "torch on ROCm: 191.98 GiB in public out-of-memory reports",
        ),
    )
}  # fmt: skip


def gpu(name) -> GPU:
    """The GPU called `name`, in any case. Raises ValueError with near matches."""
    if isinstance(name, GPU):
        return name
    by_lower = {key.lower(): value for key, value in GPUS.items()}
    try:
        return by_lower[str(name).lower()]
    except KeyError:
        raise unknown("GPU", name, GPUS) from None
