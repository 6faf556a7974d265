"""GPUs: how much they hold and how fast they read it.

Memory is what CUDA says it can allocate from (`torch.cuda.get_device_properties(0).total_memory`),
since that is what an engine takes its share of. It is up to 3 % less than `nvidia-smi` shows, and varies
by a few hundredths of a GiB with the driver: each entry names the report it was taken from, which prints
hundredths of a GiB. Bandwidth is the vendor's datasheet figure, an upper bound that no kernel quite
reaches. The records are in gpus.json. Any other card is said by its two numbers: "48GiB@1TB/s".
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .units import GB, GiB, read_bytes, unknown, whole_number


@dataclass(frozen=True)
class GPU:
    """One GPU: `memory` in bytes, `bandwidth` in bytes per second.

    source         where the size on the box and the bandwidth were read
    memory_source  the report of the memory that CUDA makes available of it; "" where none is known
    capability     CUDA's compute capability, 90 for 9.0; 0 where there is none or it is not known
    nvlink         whether several of them are linked by NVLink or its like, as the servers with them are
    """

    name: str
    memory: int
    bandwidth: float
    source: str
    memory_source: str = ""
    nvlink: bool = False
    capability: int = 0

    def __post_init__(self):
        whole_number("memory", self.memory)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be more than 0 bytes per second, not {self.bandwidth!r}")


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
        )
        for name, of in records.items()
    }


GPUS = _read()


# What people write around a card's name: maker, series, and what there is only one kind of here.
_AROUND = re.compile(r"nvidia|geforce|tesla|amd|instinct|apple|gpu|[ _-]")
_ONE_OF = {
    "h10080gb": "H100",
    "h100sxm": "H100",
    "h100sxm5": "H100",
    "h200sxm": "H200",
    "t416gb": "T4",
}


def _key(name: str) -> str:
    return _AROUND.sub("", name.lower())


def gpu(name) -> GPU:
    """The GPU called `name`: in any case, "RTX 4090", "4090", or "48GiB@1TB/s", memory and bandwidth.

    Raises ValueError with near matches, or where a memory or a bandwidth cannot be read.
    """
    if isinstance(name, GPU):
        return name
    text = str(name)
    if "@" in text:
        return _own(text)
    by_key = {_key(known): card for known, card in GPUS.items()}
    by_key |= {_key(known).removeprefix("rtx"): card for known, card in GPUS.items()}
    key = _key(text)
    found = by_key.get(key) or GPUS.get(_ONE_OF.get(key, ""))
    if found is None:
        raise ValueError(f"{unknown('GPU', name, GPUS)}; or any card by its numbers, as 48GiB@1TB/s")
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
            f"unknown GPU {text!r}; a card of your own is MEMORY@BANDWIDTH with units, such as 48GiB@1TB/s"
        )
    return card
