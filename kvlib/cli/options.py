"""What the commands share: the options of a cache, and how figures are printed."""

import argparse
import json
import re

from ..configs import layout
from ..engines import engine
from ..hardware import GPU, gpu as gpu_of
from ..layouts import CacheLayout
from ..units import UNITS, DType, dtype as as_dtype, fmt, read_count, whole_number

# Options of the engines: flag, the engine's field, the value where the flag takes none, help.
_ENGINE_OPTIONS = (
    ("--block-size", "block_size", None, "tokens in a block (vllm) or a page (sglang)"),
    ("--tp", "tp", None, "GPUs that share each layer (vllm, sglang)"),
    ("--pp", "pp", None, "GPUs, or groups of them, that share out the layers (vllm, sglang)"),
    ("--max-num-batched-tokens", "max_num_batched_tokens", None, "tokens of a batch at most (vllm)"),
    ("--no-prefix-caching", "prefix_caching", False, "recurrent states are kept once (vllm, sglang)"),
    ("--state-checkpoints", "checkpoints", None, "blocks of a state besides, with prefix caching (vllm)"),
    ("--no-hybrid", "hybrid", False, "windowed layers keep every token (vllm)"),
    ("--no-async-scheduling", "async_scheduling", False, "one batch in flight (vllm)"),
    (
        "--swa-ratio",
        "swa_full_tokens_ratio",
        None,
        "slots of windowed layers for one of a full layer (sglang)",
    ),
    ("--ubatch", "n_ubatch", None, "tokens of a micro-batch (llama.cpp; default 512)"),
    ("--unified", "unified", True, "one pool for all sequences (llama.cpp)"),
    ("--swa-full", "swa_full", True, "windowed layers keep every token (llama.cpp)"),
    ("--mla-expanded", "mla_absorbed", False, "keys and values of every head for a latent (vllm, llama.cpp)"),
)
_SPELT = dict.fromkeys(("llamacpp", "llama-cpp", "llama_cpp"), "llama.cpp")
_RENAMED = {("sglang", "block_size"): "page_size"}


def add_cache_arguments(parser):
    """The options that say which cache is counted, and whether to print JSON."""
    parser.add_argument("model", metavar="CONFIG|MODEL", help="a config.json, its folder, or a shipped model")
    parser.add_argument(
        "--context", type=count, required=True, metavar="N", help="tokens of each sequence: 8192, 128Ki, …"
    )
    parser.add_argument("--batch", type=count, metavar="B", help="sequences (default 1)")
    parser.add_argument(
        "--source-len", type=count, metavar="N", help="tokens of the encoder's output or picture; 0: none"
    )
    parser.add_argument("--dtype", help="the cache's: fp8, q8_0, int4-g64, … (default bf16)")
    parser.add_argument("--engine", help="ideal, transformers, vllm, sglang, llama.cpp")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    of = parser.add_argument_group("as an engine keeps it", "each belongs to the engines that are named")
    of.add_argument(
        "--kv-cache-dtype",
        metavar="NAME",
        help="fp8, nvfp4, fp8_per_token_head, … (vllm, sglang)",
    )
    for kept, option in (("keys", "-k"), ("values", "-v")):
        of.add_argument(f"--cache-type{option}", metavar="TYPE", help=f"q8_0, q4_0, … of {kept} (llama.cpp)")
    for flag, field, value, text in _ENGINE_OPTIONS:
        if value is None:
            kind = float if field == "swa_full_tokens_ratio" else count
            of.add_argument(flag, dest=field, type=kind, metavar="N", help=text)
        else:
            of.add_argument(flag, dest=field, action="store_const", const=value, help=text)


def count(text: str) -> int:
    """A whole number of an argument, "128Ki" too; how small it may be, kvlib says."""
    try:
        return read_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


_TIMES = re.compile(r"([0-9]{1,3}) ?[x×*] ?(.*)|(.*) [x×*] ?([0-9]{1,3})", re.IGNORECASE)


def cards(text: str) -> tuple[GPU, int]:
    """The GPU and how many of them, of NAME:COUNT, or of 2x4090 and "4090 x2" as people write it."""
    name, colon, gpus = text.partition(":")
    if not colon and (times := _TIMES.fullmatch(text.strip())):
        name, colon, gpus = times[2] or times[3], ":", times[1] or times[4]
    number = int(gpus) if gpus.isascii() and gpus.isdigit() and len(gpus) < 10 else gpus
    number = whole_number("COUNT in --gpu NAME:COUNT", number if colon else 1)
    return gpu_of(name), number


def layout_and_dtype(args) -> tuple[CacheLayout, DType]:
    """The model's layout, and the dtype asked for.

    A checkpoint that quantizes its own cache is only read where an option says what the cache is kept in.
    """
    asked = args.dtype
    if args.kv_cache_dtype and (args.engine or "").lower() == "sglang":
        asked = args.kv_cache_dtype  # its dtypes are all kvlib's own
    dtype = as_dtype(asked or "bf16")
    said = asked or args.kv_cache_dtype or (args.cache_type_k and args.cache_type_v)
    return layout(args.model, dtype if said else None), dtype


def source_len(args, layout):
    """What --source-len says, where `layout` needs it; an error that names the option otherwise."""
    try:
        layout.checked_source_len(args.source_len)
    except ValueError as error:
        raise ValueError(f"--source-len: {error}") from None
    return args.source_len


def _as_vllm(name: str) -> str:
    """vLLM's own word for a 16-bit dtype by another engine's name (f16, fp16, half)."""
    try:
        return {"bf16": "bfloat16", "fp16": "float16"}.get(as_dtype(name).name, name)
    except ValueError:
        return name


def engine_of(args, name, **more):
    """The engine called `name`, with `more` where nothing else was given, and the options that were."""
    name = _SPELT.get(name.lower(), name.lower())
    given = {field: getattr(args, field, None) for _, field, _, _ in _ENGINE_OPTIONS}
    given |= {"type_k": args.cache_type_k, "type_v": args.cache_type_v}
    if args.kv_cache_dtype and name != "sglang":
        given["kv_cache_dtype"] = _as_vllm(args.kv_cache_dtype.lower())
    given = {_RENAMED.get((name, field), field): value for field, value in given.items() if value is not None}
    return engine(name, **{**more, **given})


def given_to_engine(args) -> bool:
    """Whether an option of an engine was given."""
    fields = [field for _, field, _, _ in _ENGINE_OPTIONS]
    return any(
        getattr(args, field, None) is not None
        for field in (*fields, "kv_cache_dtype", "cache_type_k", "cache_type_v")
    )


def cache_figures(kept_by, layout, context, batch, dtype, source_len) -> dict:
    """The figures of a cache as the engine `kept_by` keeps it, by the names that --json gives them."""
    parts = kept_by.breakdown(layout, context, batch, dtype, source_len)
    return {
        "model": layout.name,
        "context": context,
        "batch": batch,
        "source_len": source_len,
        "engine": kept_by.name,
        "dtype": kept_by.stored_as(dtype),
        "per_token": kept_by.bytes_per_token(layout, dtype),
        "bytes": parts.total,
        "tokens_bytes": parts.tokens,
        "state_bytes": parts.state,
        "cross_bytes": parts.cross,
    }


def print_parts(found):
    """The parts of the cache's bytes, where it is not all tokens."""
    if found["bytes"] == found["tokens_bytes"] and found["source_len"] is None:
        return
    print(f"  tokens {found['tokens_bytes']:,} bytes = {both(found['tokens_bytes'])}")
    if found["state_bytes"]:
        print(f"  state {found['state_bytes']:,} bytes = {both(found['state_bytes'])}, whatever the context")
    if found["source_len"] is not None:
        source = f"for a source of {plural(found['source_len'], 'token')}"
        print(f"  cross {found['cross_bytes']:,} bytes = {both(found['cross_bytes'])} {source}")


def print_json(**found):
    print(json.dumps(found, indent=2))


def sequences(context, batch):
    return f"{plural(batch, 'sequence')} of {plural(context, 'token')}"


def plural(number, noun):
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def both(nbytes):
    """In binary and in decimal units, so that nobody takes one for the other."""
    unit = next((u for u in ("TB", "GB", "MB", "kB") if nbytes >= UNITS[u]), "B")
    return fmt(nbytes) if unit == "B" else f"{fmt(nbytes)} ({fmt(nbytes, unit)})"
