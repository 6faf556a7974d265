"""Why vLLM stops or waits: before it starts, with nothing left for a cache, or with a full one."""

import math

from ..units import GiB
from .answer import Explanation, Flag, size
from .subject import Subject
from .vllm_flags import HIGHEST, missing, more_share, tokens_of, value

ENGINE = "vllm"


def dummies(said) -> Explanation:
    n = said["dummies"].value
    verdict = (
        f"Weights and cache fitted, but vLLM ran out of memory when it tried its sampler on {n:,} sequences. "
        "Its logits grow with that number, which --max-num-seqs bounds."
    )
    why = f"the trial run samples this many sequences in place of {n:,}; no cache is lost"
    flags = (
        Flag(f"--max-num-seqs {max(1, n // 4)}", None, why),
        Flag("--gpu-memory-utilization 0.85", None, "leaves more outside the share that vLLM plans with"),
    )
    return Explanation(ENGINE, (), (), verdict, flags)


def startup(said) -> Explanation:
    total, desired, share = said["total"].value, said["desired"].value, float(said["utilization"].value)
    free = said["free"].value * GiB
    most = int(100 * free / total) / 100
    steps = (
        ("memory", size(total)),
        ("share asked for", f"{share:g} × {size(total)} = {size(share * float(total))}"),
        ("free", f"{size(free)}, so {size(total - free)} is taken already"),
        ("short", size(desired - free)),
    )
    verdict = (
        f"vLLM asks for {share:g} of the card before loading a model, {size(desired)}; {size(free)} is free. "
        f"Another process, or CUDA and NCCL themselves, hold the other {size(total - free)}."
    )
    why = "the largest share that is free now; stopping what holds the rest is better (nvidia-smi names it)"
    return Explanation(ENGINE, (), steps, verdict, (Flag(f"--gpu-memory-utilization {most:g}", None, why),))


def nothing_left(said, of: Subject) -> Explanation:
    steps = spent(said)
    left = value(said["available"])
    what = f"Weights and activations take {size(-left)} more than vLLM's share" if left and left < 0 else (
        "Weights and activations take all of vLLM's share"
    )  # fmt: skip
    verdict = (
        f"{what}, so not one block is left for the cache. Either the share grows or what it holds shrinks."
    )
    flags = [
        Flag("--gpu-memory-utilization 0.95", None, "a larger share, where nothing else uses the card"),
        Flag("--tensor-parallel-size 2", None, "half of the weights on each of two GPUs"),
        Flag("--max-num-batched-tokens 2048", None, "smaller activations in the run that measures them"),
    ]
    total, share = value(said["total"]), value(said["utilization"])
    if total and share and left is not None:
        after = min(HIGHEST, math.ceil(100 * (share - left / total) + 5) / 100)
        gain = (after - share) * total + left
        why = f"leaves {size(gain)} for the cache" if gain > 0 else "the most there is, and still not enough"
        flags[0] = Flag(f"--gpu-memory-utilization {after:g}", tokens_of(of, gain, 1), why)
    return Explanation(ENGINE, (), steps, verdict, tuple(flags), missing(of))


def spent(said) -> tuple[tuple[str, str], ...]:
    """The rows of the memory as vLLM says it was spent."""
    rows = []
    total, share = value(said["total"]), value(said["utilization"])
    if total and share:
        rows.append(("share", f"{float(share):g} × {size(total)} = {size(total * share)}"))
    for name, label in (("weights", "weights"), ("activations", "activations")):
        if said[name]:
            rows.append((label, size(said[name].value)))
    if said["available"]:
        rows.append(("left for the cache", f"{size(said['available'].value)} on a GPU"))
    return tuple(rows)


def full(said, of: Subject) -> Explanation:
    times = value(said["preemptions"])
    usage = f", {float(said['usage'].value):g} % of it used" if said["usage"] else ""
    often = f" {times:,} times so far" if times else ""
    if said["preempted"]:
        lost = "swapped out" if said["preempted"].value == "SWAP" else "thrown away and computed again later"
        first = f"The cache was full, so vLLM set a sequence aside{often}: its keys and values are {lost}."
    else:
        first = f"The cache is nearly full{usage}: where one sequence grows, vLLM will set another one aside."
    verdict = (
        f"{first} Nothing is wrong with the answers; it costs time, the more the longer the sequences are."
    )
    flags = [
        Flag(
            "--max-num-seqs N",
            0,
            "fewer sequences at once, so that those that run can end",
        ),
        Flag("--kv-cache-dtype fp8", None, "about half the bytes a token, so about twice the tokens"),
        Flag("--gpu-memory-utilization 0.95", None, "a larger share of the card for the cache"),
    ]
    if of.layout is not None and of.gpu is not None and value(said["utilization"]) is not None:
        share = more_share(said, of)
        if share and (gain := tokens_of(of, share[1], 1)):
            flags[2] = Flag(
                f"--gpu-memory-utilization {share[0]:g}", gain, f"{size(share[1])} more on each GPU"
            )
    return Explanation(ENGINE, (), (), verdict, tuple(flags), missing(of))
