"""What would help a vLLM whose cache is too small, each with the tokens that it buys."""

import dataclasses

from ..engines import VLLM
from .answer import Flag, size
from .subject import CARD, MODEL, Subject

HUNDREDTH = "--gpu-memory-utilization +0.01"  # more than a share that is not known
HIGHEST = 0.97  # a share of the memory beyond which hardly anything is left for CUDA itself


def value(fact):
    return None if fact is None else fact.value


def policy_of(of: Subject) -> VLLM:
    return VLLM(tp=of.tp, pp=of.pp, kv_cache_dtype=of.cache_dtype or "auto")


def held(policy: VLLM, of: Subject, available, context) -> int:
    """Tokens that `available` bytes on each GPU hold, as vLLM prints them."""
    return policy.capacity(of.limitless, max(0, int(available)), context, of.dtype).tokens


def flags(said, of: Subject, policy, tokens, length, short) -> tuple[Flag, ...]:
    found, available = [], said["available"]
    fits = value(said["longest"]) or tokens
    if short and fits:
        fits = fits // 16 * 16
        why = "the longest that one sequence can be here; the cache itself stays as it is"
        found.append(Flag(f"--max-model-len {fits}", 0, why))
    if of.layout is None or not available or available.value <= 0:
        if of.cache_dtype is not None:
            return tuple(found)
        return (
            *found,
            Flag("--kv-cache-dtype fp8", None, "about half the bytes a token, so about twice the tokens"),
        )
    context = length or 4096
    makers = (_fp8, _larger_share, _more_gpus)
    try:
        now = held(policy, of, available.value, context)
        made = [_in_all(make(said, of, policy, now, context), tokens or now, length) for make in makers]
    except ValueError:
        made = []  # kvlib does not count this model for vLLM: the steps say why
    helps = (*found, *filter(None, made))
    return helps or (Flag("--gpu-memory-utilization 0.95", None, "a larger share of the card for the cache"),)


def _in_all(flag: Flag | None, now: int, length) -> Flag | None:
    """`flag`, with what it makes of the `now` tokens that the log prints, where a length is known."""
    if flag is None or not length or not flag.tokens or flag.flag == HUNDREDTH:
        return flag
    after = now + flag.tokens
    enough = "enough" if after >= length else "not enough"
    return dataclasses.replace(flag, why=f"{flag.why}; {after:,} in all, {enough} for {length:,}")


def _fp8(said, of, policy, now, context) -> Flag | None:
    if policy.kv_cache_dtype != "auto":
        return None
    after = held(dataclasses.replace(policy, kv_cache_dtype="fp8"), of, said["available"].value, context)
    return Flag("--kv-cache-dtype fp8", after - now, "half the bytes a token")


def more_share(said, of: Subject) -> tuple[float, int] | None:
    """(the next share of the memory, the bytes that it adds on a GPU), where both are known."""
    total = value(said["total"]) or (of.gpu and of.gpu.memory)
    share = value(said["utilization"])
    if not total or share is None or float(share) >= HIGHEST - 0.01:
        return None
    after = min(HIGHEST, round(float(share) + 0.05, 2))
    return after, int((after - float(share)) * float(total))


def _larger_share(said, of, policy, now, context) -> Flag | None:
    share, available = more_share(said, of), said["available"].value
    if share is None and of.gpu is not None and said["utilization"] is None:
        hundredth = held(policy, of, available + of.gpu.memory // 100, context) - now
        why = "for each hundredth more than the share of now, which the text does not say"
        return Flag(HUNDREDTH, hundredth, why)
    if share is None:
        return None
    after = held(policy, of, available + share[1], context)
    why = f"{size(share[1])} more on each GPU; less is left for other programs"
    return Flag(f"--gpu-memory-utilization {share[0]:g}", after - now, why)


def _more_gpus(said, of, policy, now, context) -> Flag | None:
    weights = value(said["weights"])
    if not weights:
        return None
    double = dataclasses.replace(policy, tp=2 * policy.tp)
    after = held(double, of, said["available"].value + weights / 2, context)
    why = f"{size(weights / 2)} of weights less on each GPU; without NCCL's buffers"
    return Flag(f"--tensor-parallel-size {double.tp}", after - now, why)


def tokens_of(of: Subject, nbytes, context) -> int | None:
    if of.layout is None or nbytes <= 0:
        return None
    try:
        return held(policy_of(of), of, nbytes, context)
    except ValueError:
        return None


def missing(of: Subject, said=None) -> tuple[str, ...]:
    needs = [] if of.layout is not None else [MODEL]
    if of.gpu is None and not (said and said["total"]):
        needs.append(CARD)
    return tuple(needs)
