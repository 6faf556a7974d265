"""How much memory is free, and the most that was in use at one time."""

import gc
import os
import resource
from contextlib import suppress
from pathlib import Path

import torch

from ..units import KiB


def room(device) -> int:
    """Bytes of memory that are free.

    On CUDA what PyTorch keeps of tensors that are gone is given back first, or it would count as taken.
    """
    if torch.device(device).type == "cuda":
        gc.collect()  # an error that was caught may still hold a cache, in a circle
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    with suppress(ValueError, OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * KiB
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # no Linux: all there is


def reset_peak(device) -> None:
    """Let `peak` count from now on, where the system can."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak(device) -> int:
    """The most bytes in use at one time: of tensors on CUDA, of the process on the CPU."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * KiB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if os.uname().sysname == "Darwin" else most * KiB
