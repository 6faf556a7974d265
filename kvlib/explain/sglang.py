"""What SGLang and TensorRT-LLM say of their pools."""

from ..engines import SGLang
from .answer import Explanation, Flag, size
from .facts import Facts
from .subject import CARD, MODEL, Subject

ENGINE = "sglang"
NAMES = (
    "k_size",
    "v_size",
    "tokens",
    "max_len",
    "none",
    "pool_full",
    "retracted",
    "share",
    "free_after",
    "weights",
    "prompt",
)


def explain(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of SGLang's lines; None where there are none."""
    said = {name: facts.get(name, ENGINE) for name in NAMES}
    if said["none"]:
        return _nothing_left(said, of)
    if said["prompt"]:
        return _too_long(said)
    if said["pool_full"] or said["retracted"]:
        return _full(said, of)
    if said["tokens"]:
        return _pool(said, of)
    return None


def tensorrt(facts: Facts, of: Subject) -> Explanation | None:
    """The explanation of TensorRT-LLM's two lines; None where they are not there."""
    tokens, pool = facts.value("tokens", "tensorrt-llm"), facts.value("pool", "tensorrt-llm")
    if not tokens:
        return None
    steps, agree = [("tokens", f"{tokens:,}")], None
    if pool:
        steps.append(("a token", f"{pool:,} bytes / {tokens:,} tokens = {pool / tokens:,.0f} bytes"))
    if pool and of.layout is not None:
        each = of.layout.bytes_per_token(of.cache_dtype or of.dtype)
        agree = tokens <= pool // each < tokens + 64  # whole blocks
        steps.append(("kvlib", f"{each:,} bytes a token: {pool // each:,} tokens"))
    what = f"{size(pool)} hold {tokens:,} tokens" if pool else f"The pool holds {tokens:,} tokens"
    second = "Name the model to have the figure computed again." if agree is None else (
        f"That is what kvlib counts for {of.model}." if agree else
        "kvlib counts another number, so something is not as assumed here."
    )  # fmt: skip
    verdict = f"{what}: TensorRT-LLM takes a share of the memory that is free when it starts. {second}"
    why = "a smaller share of the free memory; max_tokens in its place bounds the tokens themselves"
    flags = (Flag("kv_cache_free_gpu_mem_fraction 0.5", None, why),)
    return Explanation("tensorrt-llm", (), tuple(steps), verdict, flags, () if of.layout else (MODEL,))


def _policy(of: Subject) -> tuple[SGLang, str]:
    return SGLang(tp=of.tp, pp=of.pp), of.cache_dtype or of.dtype.name


def _pool(said, of: Subject) -> Explanation:
    tokens, steps, agree = said["tokens"].value, [], None
    pool = said["k_size"].value + said["v_size"].value if said["k_size"] else None
    if pool is not None:
        steps.append(
            ("printed", f"{size(said['k_size'].value)} of keys and {size(said['v_size'].value)} of values")
        )
        steps.append(("a token, as printed", f"about {pool / tokens:,.0f} bytes on a GPU"))
    if of.layout is not None:
        try:
            policy, kept = _policy(of)
            each = policy.bytes_per_token(of.limitless, kept)
            on_one = each * tokens / policy.gpus
            gpus = f" over {policy.gpus} GPUs" if policy.gpus > 1 else ""
            steps.append(("a token", f"{each:,} bytes in {kept}{gpus}, all layers of {of.model}"))
            steps.append(("in all", f"{tokens:,} tokens: {size(on_one)} on a GPU"))
            if pool is not None:
                error = said["k_size"].error + said["v_size"].error + each
                agree = abs(on_one - pool) <= error
                steps.append(("difference", "none, to the log's rounding" if agree else size(on_one - pool)))
        except ValueError as error:
            steps.append(("not computed", str(error)))
    length = said["max_len"].value if said["max_len"] else None
    holds = f", {tokens / length:.2f} sequences of {length:,}" if length else ""
    first = f"The pool has room for {tokens:,} tokens of all sequences together{holds}."
    if agree is None:
        second = "Name the model to have the figure computed again." if of.layout is None else (
            "The text does not print the pool's bytes, so there is nothing to hold that against."
        )  # fmt: skip
    else:
        second = (
            f"That is what kvlib counts for {of.model}, to the log's rounding." if agree else
            "kvlib counts another figure, as the steps show, so something is not as assumed here."
        )  # fmt: skip
    return Explanation(ENGINE, (), tuple(steps), f"{first} {second}", _flags(said, of, tokens), _missing(of))


def _flags(said, of: Subject, tokens) -> tuple[Flag, ...]:
    made = []
    if of.cache_dtype != "fp8":
        gain, why = None, "about half the bytes a token"
        if of.layout is not None and tokens:
            try:
                policy, kept = _policy(of)
                before, after = (policy.bytes_per_token(of.limitless, kind) for kind in (kept, "fp8"))
                gain, why = (
                    tokens * before // after - tokens,
                    f"{after:,} bytes a token in place of {before:,}",
                )
            except ValueError:
                pass
        made.append(Flag("--kv-cache-dtype fp8_e4m3", gain, why))
    share = float(said["share"].value) if said["share"] else None
    if of.gpu is not None and of.layout is not None:
        try:
            policy, kept = _policy(of)
            nbytes = of.gpu.memory // 100
            gain = policy.capacity(of.limitless, nbytes, 1, kept).tokens
            now = f" than {share:g}" if share else ""
            why = f"for each hundredth more{now}: {size(nbytes)} on each GPU that activations then lack"
            made.append(Flag("--mem-fraction-static +0.01", gain, why))
        except ValueError:
            pass
    else:
        made.append(Flag("--mem-fraction-static +0.02", None, "a larger share for weights and pool together"))
    return tuple(made)


def _nothing_left(said, of: Subject) -> Explanation:
    steps = []
    if said["weights"]:
        steps.append(("weights", size(said["weights"].value)))
    if said["free_after"]:
        steps.append(("free after them", size(said["free_after"].value)))
    share = float(said["share"].value) if said["share"] else None
    least = None
    if said["weights"] and said["free_after"]:
        before = said["weights"].value + said["free_after"].value
        least = float(said["weights"].value / before)
        steps.append(("share that weights alone take", f"{least:.4f}"))
    now = f" of {share:g}" if share else ""
    verdict = (
        f"SGLang's static share{now} holds weights and cache together, and the weights take all of it. "
        "The share must grow, although smaller ones are the advice where it runs out of memory later."
    )
    flags = [Flag("--tp 2", None, "half of the weights on each of two GPUs")]
    if least is None or least < 0.97:
        to = "0.9" if least is None else f"{min(0.97, least + 0.03):.2f}"
        flags.insert(0, Flag(f"--mem-fraction-static {to}", None, "a share larger than the weights"))
    return Explanation(ENGINE, (), tuple(steps), verdict, tuple(flags), _missing(of))


def _too_long(said) -> Explanation:
    prompt, tokens = said["prompt"].value, said["tokens"].value if said["tokens"] else 0
    verdict = (
        f"The prompt has {prompt:,} tokens and the pool, or the context asked for, at most {tokens:,}. "
        "No sequence can be longer than the whole pool."
    )
    flags = (
        Flag("--mem-fraction-static +0.05", None, f"{prompt - tokens:,} tokens more are needed at least"),
    )
    return Explanation(ENGINE, (), (), verdict, flags)


def _full(said, of: Subject) -> Explanation:
    n = said["retracted"].value if said["retracted"] else 1
    verdict = (
        f"The pool was full: SGLang took back {n:,} request{'s' if n != 1 else ''}, to compute "
        "their cache again later. Now and then that is well; often, it lets in more requests than can end."
    )
    first = Flag("--schedule-conservativeness 1.3", 0, "fewer requests at once, each with more room to grow")
    flags = (first, *_flags(said, of, said["tokens"].value if said["tokens"] else None))
    return Explanation(ENGINE, (), (), verdict, flags, _missing(of))


def _missing(of: Subject) -> tuple[str, ...]:
    return tuple(one for one, known in ((MODEL, of.layout), (CARD, of.gpu)) if known is None)
