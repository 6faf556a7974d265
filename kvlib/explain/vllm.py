"""What vLLM says of its cache, computed again with kvlib's policy of it."""

import dataclasses
from itertools import product

from ..engines import VLLM
from .answer import Explanation, size
from .facts import Fact, Facts
from .subject import Subject
from .vllm_flags import flags, missing, policy_of, value
from .vllm_stops import ENGINE, dummies, full, nothing_left, spent, startup

NAMES = (
    "needed", "max_len", "longest", "tokens", "blocks", "times", "none", "preempted", "preemptions", "free",
    "total", "utilization", "desired", "usage", "running", "waiting", "weights", "activations", "dummies",
)  # fmt: skip
SAME = "the same, to the log's rounding"


def explain(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of vLLM's lines; None where there are none that say how a figure came about."""
    said: dict[str, Fact | None] = {name: facts.get(name, ENGINE) for name in NAMES}
    said["available"] = facts.least("available", ENGINE)
    if said["dummies"]:
        return dummies(said)
    if all(said[name] for name in ("desired", "total", "free", "utilization")):
        return startup(said)
    available, usage = said["available"], said["usage"]
    if said["none"] or (available and available.value <= 0):
        return nothing_left(said, of)
    if any(said[name] for name in ("needed", "available", "tokens", "blocks", "times")):
        return _capacity(said, of)
    if said["preempted"] or said["preemptions"] or (usage and usage.value > 90):
        return full(said, of)
    if usage:
        verdict = f"The cache is {float(usage.value):g} % full: nothing waits for memory."
        return Explanation(ENGINE, (), (), verdict)
    return None


def _capacity(said, of: Subject) -> Explanation:
    policy, steps = policy_of(of), list(spent(said))
    tokens, length, available = _printed_tokens(said), value(said["max_len"]), value(said["available"])
    short = bool(said["needed"]) or (tokens is not None and length is not None and tokens < length)
    agree: list[bool] = []
    if of.layout is None:
        if tokens and available:
            about = f"{size(available)} / {tokens:,} = about {int(available / tokens):,} bytes on a GPU"
            steps.append(("a token, as printed", about))
    else:
        try:
            steps += _computed(said, of, policy, tokens, length, agree)
        except ValueError as error:
            steps.append(("not computed", str(error)))
    verdict = f"{_first(said, tokens, length, short)} {_second(of, agree)}"
    helps = flags(said, of, policy, tokens, length, short)
    return Explanation(ENGINE, (), tuple(steps), verdict, helps, missing(of, said))


def _printed_tokens(said) -> int | None:
    if said["tokens"]:
        return said["tokens"].value
    return said["blocks"].value * 16 if said["blocks"] else None


def _computed(said, of: Subject, policy: VLLM, tokens, length, agree) -> list[tuple[str, str]]:
    layout, available = of.limitless, said["available"]
    each, context = policy.bytes_per_token(layout, of.dtype), length or 4096
    split = f" over {of.tp} × {of.pp} GPUs" if policy.gpus > 1 else ""
    kept = f"{each:,} bytes in {policy.stored_as(of.dtype)}{split}"
    rows = [("a token", f"{kept}, all {layout.n_layers} layers of {layout.name}")]
    tokens = tokens or value(said["longest"])
    if available and tokens is not None:
        ranges = _ranges(policy, of, available, context)
        low, high = ranges[0]
        rows.append(("tokens that it holds", f"{size(available.value)} on a GPU: {low:,} to {high:,} tokens"))
        good = any(low <= tokens <= high for low, high in ranges)
        printed = SAME if good else _off(tokens, low, high) + _others(of, policy, available, context, tokens)
        rows.append(("printed", f"{tokens:,} tokens: {printed}"))
        agree.append(good)
    if said["needed"] and length:
        needed, whole = said["needed"], policy.bytes(layout, length, 1, of.dtype) / of.tp
        exact = whole * -(-layout.n_layers // of.pp) / layout.n_layers
        good = abs(exact - needed.value) <= needed.error + 1
        printed = SAME if good else f"differs by {size(needed.value - exact)}, which kvlib does not explain"
        if not good and abs(whole - needed.value) <= needed.error + 1:
            printed = (
                f"that of all layers, {size(whole)}, though a GPU has 1 / {of.pp} (as in vLLM issue 34076)"
            )
        rows.append((f"one sequence of {length:,}", f"{size(exact)} on a GPU"))
        rows.append(("printed", f"{size(needed.value)}: {printed}"))
        agree.append(good)
    return rows


def _ranges(policy: VLLM, of: Subject, available, context) -> list[tuple[int, int]]:
    """Tokens, least and most within the log's rounding: as vLLM prints them, and as old versions did.

    Those printed whole blocks × tokens in a block, today's the sequences that fit × their tokens.
    """
    least, most = (
        policy.capacity(of.limitless, max(0, int(available.value + error)), context, of.dtype)
        for error in (-available.error, available.error)
    )
    return [
        (least.tokens, most.tokens),
        (least.blocks * least.block_size, most.blocks * most.block_size),
    ]


def _off(tokens, low, high) -> str:
    nearest = low if tokens < low else high
    off = 100 * (tokens / nearest - 1) if nearest else 0
    return f"{off:+.1f} % of that, which kvlib does not explain"


def _others(of: Subject, policy: VLLM, available, context, tokens) -> str:
    """Options under which the same tokens would come about."""
    found = []
    for tp, kind, pp in product((1, 2, 4, 8), ("auto", "fp8"), {1, policy.pp}):
        other = dataclasses.replace(policy, tp=tp, kv_cache_dtype=kind, pp=pp)
        try:
            if other != policy and any(a <= tokens <= b for a, b in _ranges(other, of, available, context)):
                options = [f"--tp {tp}"] + ["--kv-cache-dtype fp8"] * (kind == "fp8")
                found.append(" ".join(options + [f"--pp {pp}"] * (policy.pp > 1)))
        except ValueError:
            continue  # heads that so many GPUs cannot share
    return f"; it would be so with {' or with '.join(found)}" if found else ""


def _first(said, tokens, length, short) -> str:
    left = size(value(said["available"]) or 0)
    if said["needed"]:
        what = f"One sequence of {length:,} tokens" if length else "One sequence"
        then = f"at most {said['longest'].value:,} tokens fit" if said["longest"] else "vLLM does not start"
        return f"{what} needs {size(said['needed'].value)} of cache on a GPU and {left} is left, so {then}."
    if tokens is None:
        times = value(said["times"])
        if times is not None and length:
            return f"The cache holds {float(times):g} sequences of {length:,} tokens at once."
        return f"{left} is left for the cache on a GPU."
    if short:
        return f"The cache holds {tokens:,} tokens, less than a sequence of {length:,}: vLLM does not start."
    if not length:
        return f"The cache holds {tokens:,} tokens of all sequences together."
    times = float(said["times"].value) if said["times"] else tokens / length
    return f"The cache holds {tokens:,} tokens: {times:.2f} sequences of {length:,}, or more of shorter ones."


def _second(of: Subject, agree) -> str:
    if of.layout is None:
        return "Name the model to have the figure computed again."
    name = of.model + (f" (the log names {of.named})" if of.named else "")
    if not agree:
        return f"The log says too little to hold that against kvlib's count for {name}."
    if not all(agree):
        return f"kvlib's count for {name} differs, as the steps show, so something is not as assumed here."
    return f"That is what kvlib counts for {name}, to the log's rounding."
