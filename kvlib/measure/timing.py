"""How long a call takes, and how fast this machine's memory is.

Medians, because a machine that does something else for a moment spoils a mean. Calls that
are compared take turns, so that such a moment falls on all of them.
"""

import statistics
import time

import torch

from ..units import GiB, MiB, whole_number
from .memory import room

# Beyond the last cache of any CPU or GPU here, so that a copy goes to memory. A GPU copies more, or
# starting and ending would be a share of the time; where less is free, as much as there is room for.
COPY_BYTES = 256 * MiB
CUDA_COPY_BYTES = 2 * GiB

# Clock cycles for which CUDA waits before a call (torch.cuda._sleep, which PyTorch's own tests use), at some
# 1.5 to 2 GHz: tens of microseconds, in which the host hands over the call's first kernels; and
# milliseconds, in which it hands over all of a short call.
FIRST_KERNELS = 50_000
ALL_KERNELS = 10_000_000


def wait(device) -> None:
    """Return when `device` has done what it was given; a GPU works on after a call returns."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def once(call, device="cpu", head_start=FIRST_KERNELS) -> float:
    """Seconds that one call takes.

    head_start  on CUDA, the cycles that the host is ahead: ALL_KERNELS times the device alone

    On CUDA the device itself takes the time, from when it comes to the call's first kernel to when its
    last one is done. It is kept waiting before that, so that the first kernel is in the queue by then: a
    host's clock would count how long a kernel takes to be launched, and how long the news of its end takes
    to come back. If later on the device has to wait for the host, that counts: the call does take so long.
    """
    if torch.device(device).type != "cuda":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        torch.cuda._sleep(head_start)
        start.record()
        call()
        end.record()
        end.synchronize()
    return start.elapsed_time(end) / 1000


def timed(calls, repeats=5, device="cpu", warm=1, head_start=FIRST_KERNELS) -> dict:
    """Seconds of each call: {name: [seconds] × repeats}, the calls taking turns.

    calls  {name: function without arguments}
    warm   turns that are run first and not kept
    """
    whole_number("repeats", repeats)
    seconds = {name: [] for name in calls}
    for turn in range(-warm, repeats):
        for name, call in calls.items():
            took = once(call, device, head_start)
            if turn >= 0:
                seconds[name].append(took)
    return seconds


def median(seconds) -> float:
    """The middle one of the times."""
    return statistics.median(seconds)


def spread(seconds) -> float:
    """How far the middle half of the times lies apart, as a share of the median: 0 is steady."""
    if len(seconds) < 2:
        return 0.0
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return (high - low) / median(seconds)


def copy_bytes(device="cpu") -> int:
    """Bytes that a copy on `device` reads: on CUDA 2 GiB, halved until what it writes has room beside it."""
    if torch.device(device).type != "cuda":
        return COPY_BYTES
    nbytes, free = CUDA_COPY_BYTES, room(device)
    while nbytes > COPY_BYTES and 2 * nbytes > free:
        nbytes //= 2
    return nbytes


class Copy:
    """One large copy. `moved` counts the bytes read and the bytes written, as memory sees them.

    nbytes  what it reads (default: `copy_bytes`)
    """

    def __init__(self, device="cpu", nbytes=None):
        nbytes = copy_bytes(device) if nbytes is None else whole_number("nbytes", nbytes)
        self.source = torch.ones(nbytes, dtype=torch.uint8, device=device)
        self.target = torch.zeros_like(self.source)
        self.moved = 2 * nbytes

    def __call__(self):
        self.target.copy_(self.source)


def copy_bandwidth(device="cpu", nbytes=None, repeats=5) -> float:
    """Bytes per second that a large copy moves on `device`; bytes read and bytes written both count.

    It is what the floors stand on: bytes that must be read / copy bandwidth.
    """
    copy = Copy(device, nbytes)
    return copy.moved / median(timed({"copy": copy}, repeats, device)["copy"])
