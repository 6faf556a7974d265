"""What llama.cpp says of its cache, and what is built on it: llama-server, Ollama, LM Studio."""

from typing import Any

from ..engines import LlamaCpp
from ..units import dtype as as_dtype
from .answer import Explanation, Flag, size
from .facts import Facts
from .subject import MODEL, Subject

ENGINES = ("llama.cpp", "ollama")
SMALLER = (("q8_0", "34 bytes for 32 numbers"), ("q4_0", "18 bytes for 32 numbers"))
NAMES = frozenset(
    "kv cells layers seqs type_k type_v k_width v_width latent rope context tried kv_failed compute_failed"
    " exceeded slot prompt full free_bytes layers_all layers_gpu".split()
)


def explain(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of llama.cpp's or Ollama's lines; None where there are none."""
    theirs = [fact for fact in facts.found if fact.engine in ENGINES]
    if not theirs:
        return None
    engine = "ollama" if any(fact.engine == "ollama" for fact in theirs) else "llama.cpp"
    said: dict[str, Any] = {fact.name: fact.value for fact in theirs if fact.name in NAMES}
    said = {name: one for name, one in said.items() if not name.startswith("type_") or _known(one)}
    said["pools"] = [fact for fact in theirs if fact.name == "kv"]
    if said.get("exceeded") or (said.get("slot") and said.get("prompt", 0) > said["slot"]):
        return _exceeded(said, of, engine)
    if said.get("tried"):
        return _failed(said, of, engine)
    if said["pools"]:
        return _allocated(said, of, engine)
    return None


def _known(name: str) -> bool:
    try:
        return bool(as_dtype(name))
    except ValueError:
        return False


# An allocated cache


def _allocated(said, of: Subject, engine) -> Explanation:
    total, printed = _printed(said["pools"])
    cells = said.get("cells") or said.get("context") or said.get("slot")
    steps = [("printed", size(total))]
    agree = None
    if of.layout is not None and cells:
        try:
            rows, agree = _policy_rows(said, of, cells, total, printed)
            steps += rows
        except ValueError as error:
            steps.append(("not computed", str(error)))
    elif cells and said.get("layers"):
        rows, agree = _widths_rows(said, cells, total, printed)
        steps += rows
    name = "Ollama" if engine == "ollama" else "llama.cpp"
    first = f"{name} allocated {size(total)} for the cache when it started, whatever is said in it later."
    if agree is None:
        second = "Name the model to have the figure computed again." if of.layout is None else (
            "The text does not say for how many tokens, so it cannot be computed again."
        )  # fmt: skip
    else:
        second = "It is what the rows below give, to the log's rounding." if agree else (
            "The rows below give another figure, which kvlib does not explain."
        )  # fmt: skip
    if said.get("full") and said.get("free_bytes") is not None and said["full"] > said["free_bytes"]:
        layers = (
            f": {said['layers_gpu']} of {said['layers_all']} layers are on the GPU"
            if said.get("layers_gpu") and said.get("layers_all")
            else ""
        )
        first = f"Ollama needs {size(said['full'])} and {size(said['free_bytes'])} is free{layers}."
    missing = () if of.layout is not None else (MODEL,)
    return Explanation(
        engine, (), tuple(steps), f"{first} {second}", _smaller(said, of, engine, total, cells), missing
    )


def _printed(pools) -> tuple[int, int]:
    """Bytes of all pools of the last context, and the sum of what their rounding may hide."""
    last, seen = {}, []
    for fact in pools:
        last[fact.line] = fact
    seen = list(last.values())
    # A second context of the same text has its own; a cache with windows prints two in a row.
    pair = seen[-2:] if len(seen) > 1 and "cells" in seen[-1].line and "cells" in seen[-2].line else seen[-1:]
    return int(sum(fact.value for fact in pair)), int(sum(fact.error for fact in pair)) + 1


def _types(said, of: Subject) -> tuple[str, str]:
    both = of.cache_dtype or "f16"
    return said.get("type_k") or both, said.get("type_v") or said.get("type_k") or both


def _policy_rows(said, of: Subject, cells: int, total: int, rounding: int):
    """The cache of the model that was named, as kvlib's policy of llama.cpp allocates it."""
    seqs = said.get("seqs") or 1
    k, v = (as_dtype(name).name for name in _types(said, of))
    policy = LlamaCpp(type_k=k, type_v=v)
    parts = policy.breakdown(of.limitless, max(1, cells // seqs), seqs)
    each = policy.bytes_per_token(of.limitless)
    rows = [
        ("a token", f"{each:,} bytes, keys in {k} and values in {v}, all layers of {of.model}"),
        ("cells", f"{cells:,}" + (f" for {seqs} sequences" if seqs > 1 else "")),
        ("in all", f"{size(parts.tokens)}" + (f" and {size(parts.state)} of states" if parts.state else "")),
    ]
    good = min(abs(parts.tokens - total), abs(parts.total - total), abs(parts.state - total)) <= rounding
    off = parts.tokens - total
    rows.append(("difference", "none, to the log's rounding" if good else size(off)))
    return rows, good


def _widths_rows(said, cells: int, total: int, rounding: int):
    """The same from the widths that the text prints; without a model."""
    layers = said["layers"]
    if said.get("latent"):
        numbers = said["latent"] + said.get("rope", 0)
        kind = as_dtype(said.get("type_k") or "f16")
        each, what = kind.nbytes(numbers), f"{said['latent']} + {said.get('rope', 0)} numbers of the latent"
    elif said.get("k_width"):
        kinds = [
            as_dtype(name)
            for name in (said.get("type_k") or "f16", said.get("type_v") or said.get("type_k") or "f16")
        ]
        widths = said["k_width"], said.get("v_width") or said["k_width"]
        each = sum(kind.nbytes(width) for kind, width in zip(kinds, widths, strict=True))
        what = f"{widths[0]:,} numbers in {kinds[0].name} and {widths[1]:,} in {kinds[1].name}"
    else:
        each = total / cells / layers
        return [
            ("a token in a layer", f"{size(total)} / {cells:,} cells / {layers} layers = {each:,.0f} bytes")
        ], None
    whole = each * cells * layers
    good = abs(whole - total) <= rounding
    rows = [
        ("a token in a layer", f"{what} = {each:,} bytes"),
        ("in all", f"{layers} layers × {cells:,} cells × {each:,} bytes = {size(whole)}"),
        ("difference", "none, to the log's rounding" if good else size(whole - total)),
    ]
    return rows, good


# What would help


def _smaller(said, of: Subject, engine, total: int, cells) -> tuple[Flag, ...]:
    """Smaller types, and a shorter context: the tokens that the same memory then holds."""
    made = []
    k, v = _types(said, of)
    for name, why in SMALLER:
        if as_dtype(k).bits <= as_dtype(name).bits or not total:
            continue
        ratio = (as_dtype(k).bits + as_dtype(v).bits) / (2 * as_dtype(name).bits)
        if of.layout is not None:
            try:
                before = LlamaCpp(type_k=as_dtype(k).name, type_v=as_dtype(v).name).bytes_per_token(
                    of.limitless
                )
                ratio = before / LlamaCpp(type_k=name, type_v=name).bytes_per_token(of.limitless)
            except ValueError:
                continue
        flag = f"OLLAMA_KV_CACHE_TYPE={name} (with OLLAMA_FLASH_ATTENTION=1)" if engine == "ollama" else (
            f"--cache-type-k {name} --cache-type-v {name}"
        )  # fmt: skip
        after = int(cells * ratio) if cells else 0
        holds = f"; the same memory then holds {after:,}" if after else ""
        made.append(Flag(flag, after - cells if after else None, why + holds))
    if cells and total:
        half = "OLLAMA_CONTEXT_LENGTH" if engine == "ollama" else "--ctx-size"
        joined = f"{half}={cells // 2}" if engine == "ollama" else f"{half} {cells // 2}"
        made.append(
            Flag(joined, cells // 2 - cells, f"half the cells: about {size(total / 2)} free for weights")
        )
    return tuple(made)


def _failed(said, of: Subject, engine) -> Explanation:
    tried = said["tried"]
    if said.get("kv_failed"):
        what = "the cache"
    elif said.get("compute_failed"):
        what = "the compute buffer, which grows with the tokens of a micro-batch"
    else:
        what = "a buffer"
    verdict = (
        f"A GPU had no {size(tried)} left for {what}. llama.cpp allocates everything at the start, so it "
        "stops there and not later."
    )
    total = _printed(said["pools"])[0] if said["pools"] else 0
    flags = _smaller(said, of, engine, total or tried, said.get("cells") or said.get("context"))
    if said.get("compute_failed"):
        why = "a smaller compute buffer: its size goes with the tokens of a micro-batch (512 by default)"
        flags = (
            Flag("--ubatch-size 256", 0, why),
            Flag("--flash-attn on", 0, "no scores of all heads"),
            *flags,
        )
    if not said.get("cells") and not said.get("context") and not said.get("compute_failed"):
        shorter = "a shorter context; the text does not say how long it is"
        fewer = "fewer layers, with their caches, on the GPU"
        flags = (*flags, Flag("--ctx-size N", None, shorter), Flag("--n-gpu-layers N", None, fewer))
    return Explanation(
        engine, (), (("asked for", size(tried)),), verdict, flags, () if of.layout else (MODEL,)
    )


def _exceeded(said, of: Subject, engine) -> Explanation:
    slot, prompt = said.get("slot") or said.get("context"), said.get("prompt")
    steps = [("tokens a sequence may have", f"{slot:,}")] if slot else []
    if prompt:
        steps.append(("tokens of the prompt", f"{prompt:,}"))
    long = f", and the prompt has {prompt:,}" if prompt else ""
    room = (
        f"A sequence has {slot:,} cells{long}" if slot else "A sequence has no cell left for its next token"
    )
    verdict = (
        f"{room}, so the server refuses it rather than forget its beginning. The context, --ctx-size, is "
        "shared out evenly over its slots (--parallel)."
    )
    need = -(-(prompt or 2 * (slot or 4096)) * 5 // 4 // 256) * 256
    cost = ""
    if of.layout is not None:
        try:
            cost = f", {size(LlamaCpp().bytes(of.limitless, need, dtype='fp16'))} of cache in f16"
        except ValueError:
            cost = ""
    flag = f"OLLAMA_CONTEXT_LENGTH={need}" if engine == "ollama" else f"--ctx-size {need} --parallel 1"
    bought = need - slot if slot else None
    why = f"room for the prompt and a quarter more{cost}" if prompt else f"twice the room{cost}"
    return Explanation(
        engine, (), tuple(steps), verdict, (Flag(flag, bought, why),), () if of.layout else (MODEL,)
    )
