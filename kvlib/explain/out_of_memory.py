"""torch's message that CUDA is out of memory: whose memory it was, and what of it is the cache."""

from .answer import Explanation, Flag, size
from .facts import Facts
from .subject import MODEL, Subject

ENGINE = "torch"


def explain(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of torch's message; None where it is not there."""
    names = ("tried", "total", "free_bytes", "allocated", "reserved", "reserved_total", "in_use")
    said = {name: facts.value(name, ENGINE) for name in names}
    tried, total, free = said["tried"], said["total"], said["free_bytes"]
    if tried is None:
        return None
    idle = said["reserved"]
    if idle is None and said["reserved_total"] is not None and said["allocated"] is not None:
        idle = said["reserved_total"] - said["allocated"]
    steps = [("asked for at once", size(tried))]
    for label, known in (("card", total), ("free", free), ("this process", said["in_use"]),
                         ("in tensors", said["allocated"]), ("held by torch, unused", idle)):  # fmt: skip
        if known is not None:
            steps.append((label, size(known)))
    others = None
    if total is not None and free is not None:
        mine = said["in_use"] or ((said["allocated"] or 0) + (idle or 0))
        others = total - free - mine
        if mine and others > 2**29:
            steps.append(("others, and CUDA itself", size(others)))
    each = None
    if of.layout is not None:
        each = of.layout.bytes_per_token(of.cache_dtype or of.dtype)
        tokens = int(tried // each) if each else 0
        steps.append(
            ("the model's cache", f"{each:,} bytes a token: {size(tried)} would be {tokens:,} tokens of it")
        )
    return Explanation(ENGINE, (), tuple(steps), _verdict(tried, total, free, idle, others, said), _flags(
        tried, total, free, idle, others, each), () if of.layout else (MODEL,))  # fmt: skip


def _verdict(tried, total, free, idle, others, said) -> str:
    where = (
        f"{size(free)} of {size(total)} was free"
        if total is not None and free is not None
        else "less was free"
    )
    first = f"torch asked for {size(tried)} at once and {where}."
    if total is not None and tried > total:
        return f"{first} No card can give that: one tensor is too large, such as scores of a long prompt."
    if idle is not None and idle >= tried:
        return f"{first} torch itself holds {size(idle)} unused, in pieces too small: this is fragmentation."
    if others is not None and total is not None and others > total / 4:
        return f"{first} Other processes hold {size(others)} of the card, so this one never had it all."
    if said["allocated"] is not None:
        return f"{first} Its tensors take {size(said['allocated'])}: weights, cache, activations."
    return f"{first} Weights, cache and activations are too much together."


def _flags(tried, total, free, idle, others, each) -> tuple[Flag, ...]:
    def tokens(nbytes):
        return None if not each or nbytes is None else int(nbytes // each)

    made = []
    if idle is not None and (idle >= tried or idle > 2**30):
        why = f"lets pieces grow together: up to the {size(idle)} that torch holds unused"
        made.append(Flag("PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True", tokens(idle), why))
    if others is not None and total is not None and others > total / 4:
        made.append(Flag("nvidia-smi", tokens(others), "names the processes that hold the rest"))
    missing = tried - (free or 0)
    short = f", {tokens(missing):,} tokens of cache fewer" if each and missing > 0 else ""
    made.append(
        Flag(
            "a shorter context or a smaller batch",
            None,
            f"{size(max(0, missing))} is short at this moment{short}",
        )
    )
    if each:
        saved = 'cache_implementation="quantized"'
        made.append(
            Flag(
                saved,
                None,
                f"transformers' cache in 4 bits: about {each // 4:,} of {each:,} bytes a token",
            )
        )
    return tuple(made)
