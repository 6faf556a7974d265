"""How long a call takes, and how fast this machine's memory is.

Medians, because a machine that does something else for a moment spoils a mean. Calls that
are compared take turns, so that such a moment falls on all of them.
"""

import statistics
import time

import torch

from ..units import MiB, whole_number

# Beyond the last cache of any CPU or GPU here, so that a copy goes to memory.
COPY_BYTES = 256 * MiB


def wait(device) -> None:
    """Return when `device` has done what it was given; a GPU works on after a call returns."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def once(call, device="cpu") -> float:
    """Seconds that one call takes."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def timed(calls, repeats=5, device="cpu", warm=1) -> dict:
    """Seconds of each call: {name: [seconds] × repeats}, the calls taking turns.

    calls  {name: function without arguments}
    warm   turns that are run first and not kept
    """
    whole_number("repeats", repeats)
    seconds = {name: [] for name in calls}
    for turn in range(-warm, repeats):
        for name, call in calls.items():
            took = once(call, device)
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


class Copy:
    """One large copy. `moved` counts the bytes read and the bytes written, as memory sees them."""

    def __init__(self, device="cpu", nbytes=COPY_BYTES):
        self.source = torch.ones(whole_number("nbytes", nbytes), dtype=torch.uint8, device=device)
        self.target = torch.zeros_like(self.source)
        self.moved = 2 * nbytes

    def __call__(self):
        self.target.copy_(self.source)


def copy_bandwidth(device="cpu", nbytes=COPY_BYTES, repeats=5) -> float:
    """Bytes per second that a large copy moves on `device`; bytes read and bytes written both count.

    It is what the floors stand on: bytes that must be read / copy bandwidth.
    """
    copy = Copy(device, nbytes)
    return copy.moved / median(timed({"copy": copy}, repeats, device)["copy"])
