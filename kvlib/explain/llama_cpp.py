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
    "cells layers type_k type_v k_width v_width latent rope context tried kv_failed compute_failed state"
    " state_seqs exceeded slot prompt full free_bytes layers_all layers_gpu".split()
)


def explain(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of llama.cpp's or Ollama's lines; None where there are none."""
    theirs = [fact for fact in facts.found if fact.engine in ENGINES]
    if not theirs:
        return None
    engine = "ollama" if any(fact.engine == "ollama" for fact in theirs) else "llama.cpp"
    said: dict[str, Any] = {fact.name: fact.value for fact in theirs if fact.name in NAMES}
    said = {name: one for name, one in said.items() if not name.startswith("type_") or _known(one)}
    said["pools"] = _pools(theirs)
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


def _pools(facts) -> list[dict]:
    """Each pool that was printed, once: its bytes, their error and, where the line has them, its cells."""
    pools: dict[str, dict] = {}
    for fact in facts:
        if fact.name == "kv":
            pools[fact.line] = {"kv": fact.value, "error": fact.error}
        elif fact.name in ("cells", "layers", "seqs", "streams") and fact.line in pools:
            pools[fact.line][fact.name] = fact.value
    return list(pools.values())


def _allocated(said, of: Subject, engine) -> Explanation:
    pools = said["pools"]
    last = pools[-1]
    cells = last.get("cells") or said.get("cells") or said.get("context") or said.get("slot")
    rows, agree, total = [], None, last["kv"]
    if of.layout is not None and cells:
        try:
            rows, agree, total = _policy_rows(said, of, pools, cells)
        except ValueError as error:
            rows = [("not computed", str(error))]
    elif cells and said.get("layers"):
        rows, agree = _widths_rows(said, cells * last.get("streams", 1), int(total), int(last["error"]) + 1)
    name = "Ollama" if engine == "ollama" else "llama.cpp"
    first = f"{name} allocated {size(total)} for the cache when it started, whatever is said in it later."
    second = "It is what the rows below give, to the log's rounding." if agree else (
        "The rows below give another figure, which kvlib does not explain."
    )  # fmt: skip
    if agree is None:
        second = "Name the model to have the figure computed again." if of.layout is None else (
            "The text does not say for how many tokens, so it cannot be computed again."
        )  # fmt: skip
    if said.get("full") and said.get("free_bytes") is not None and said["full"] > said["free_bytes"]:
        on, every = said.get("layers_gpu"), said.get("layers_all")
        layers = f": {on} of {every} layers are on the GPU" if on and every else ""
        first = f"Ollama needs {size(said['full'])} and {size(said['free_bytes'])} is free{layers}."
    missing = () if of.layout is not None else (MODEL,)
    steps = (("printed", size(total)), *rows)
    every = max((one.get("cells", 0) * one.get("streams", 1) for one in pools), default=0) or cells
    return Explanation(engine, (), steps, f"{first} {second}", _smaller(said, of, engine, every), missing)


def _types(said, of: Subject) -> tuple[str, str]:
    both = of.cache_dtype or "f16"
    return said.get("type_k") or both, said.get("type_v") or said.get("type_k") or both


def _policy_rows(said, of: Subject, pools, cells: int):
    """The cache of the model that was named, as kvlib's policy of llama.cpp allocates it.

    A model with windows prints two pools, its full layers' first; another's second is a draft model's.
    """
    two = pools[-2:] if len(pools) > 1 and all("cells" in one for one in pools[-2:]) else pools[-1:]
    windows = any(layer.window for layer in of.limitless.kinds)
    used = two if windows else pools[-1:]
    cells = max(one.get("cells", cells) for one in used)
    seqs = used[0].get("seqs", 1)
    shared = used[0].get("streams", 1) == 1 and seqs > 1
    k, v = (as_dtype(name).name for name in _types(said, of))
    policy = LlamaCpp(type_k=k, type_v=v, unified=shared)
    parts = policy.breakdown(of.limitless, max(1, cells // seqs) if shared else cells, seqs)
    total, rounding = sum(one["kv"] for one in used), sum(one["error"] for one in used) + 1
    off = parts.tokens - total
    agree = abs(off) <= rounding
    each = policy.bytes_per_token(of.limitless)
    each_of = " each" if seqs > 1 and not shared else " for all" if shared else ""
    rows = [
        ("a token", f"{each:,} bytes, keys in {k} and values in {v}, all layers of {of.model}"),
        ("cells", f"{cells:,}" + (f"{each_of}, {seqs} sequences" if seqs > 1 else "")),
        ("in all", size(parts.tokens)),
        ("difference", "none, to the log's rounding" if agree else size(off)),
    ]
    if said.get("state"):
        state = policy.breakdown(of.limitless, 1, said.get("state_seqs") or 1).state
        good = abs(state - said["state"]) <= 6000  # hundredths of a MiB
        same = "none, to the log's rounding" if good else size(state - said["state"])
        rows += [("states, printed", size(said["state"])), ("states", size(state)), ("difference", same)]
        agree = agree and good
    return rows, agree, total


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


def _smaller(said, of: Subject, engine, cells) -> tuple[Flag, ...]:
    """Smaller types, and a shorter context: the tokens that the same memory then holds; `cells` are all."""
    made = []
    types = tuple(as_dtype(name) for name in _types(said, of))
    pool = said["pools"][-1] if said["pools"] else {}
    seqs = pool.get("seqs", 1)
    for name, why in SMALLER:
        if types[0].bits <= as_dtype(name).bits:
            continue
        try:
            after = (
                _holds(of, types, as_dtype(name), cells, seqs, pool.get("streams", 1) == 1) if cells else 0
            )
        except ValueError:
            continue  # heads that the type cannot pack
        flag = f"OLLAMA_KV_CACHE_TYPE={name} (with OLLAMA_FLASH_ATTENTION=1)" if engine == "ollama" else (
            f"--cache-type-k {name} --cache-type-v {name}"
        )  # fmt: skip
        holds = f"; the same memory then holds {after:,}" if after else ""
        made.append(Flag(flag, after - cells if after else None, why + holds))
    if cells:
        flag = f"OLLAMA_CONTEXT_LENGTH={cells // 2}" if engine == "ollama" else f"--ctx-size {cells // 2}"
        made.append(
            Flag(flag, cells // 2 - cells, "half the cells, and the memory of the others for weights")
        )
    return tuple(made)


def _holds(of: Subject, types, kind, cells: int, seqs: int, shared: bool) -> int:
    """Cells in `kind` that take no more than `cells` of now: by the policy, or by bits without a model."""
    if of.layout is None:
        return int(cells * (types[0].bits + types[1].bits) / (2 * kind.bits))
    now, then = (LlamaCpp(type_k=k.name, type_v=v.name, unified=shared) for k, v in (types, (kind, kind)))
    each = max(1, cells // seqs)
    total = now.breakdown(of.limitless, each, seqs).tokens
    low, high = each, 64 * each
    while high - low > 1:
        middle = (low + high) // 2
        fits = then.breakdown(of.limitless, middle, seqs).tokens <= total
        low, high = (middle, high) if fits else (low, middle)
    return low * seqs


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
    flags = _smaller(said, of, engine, said.get("cells") or said.get("context"))
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
