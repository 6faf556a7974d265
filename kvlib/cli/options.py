"""What the commands share: the options of a cache, and how figures are printed."""

import argparse
import json

from ..configs import layout
from ..engines import engine
from ..layouts import CacheLayout
from ..units import UNITS, DType, dtype as as_dtype, fmt, read_count


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
    parser.add_argument("--engine", help="ideal, transformers, vllm, llama.cpp")
    parser.add_argument("--block-size", type=count, metavar="N", help="tokens in a block (vllm)")
    parser.add_argument("--kv-cache-dtype", metavar="NAME", help="vLLM's: fp8_per_token_head, fp8_ds_mla, …")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def count(text: str) -> int:
    """A whole number of an argument, "128Ki" too; how small it may be, kvlib says."""
    try:
        return read_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def layout_and_dtype(args) -> tuple[CacheLayout, DType]:
    """The model's layout, and the dtype asked for.

    A checkpoint that quantizes its own cache is only read where an option says what the cache is kept in.
    """
    dtype = as_dtype(args.dtype or "bf16")
    return layout(args.model, dtype if args.dtype or args.kv_cache_dtype else None), dtype


def source_len(args, layout):
    """What --source-len says, where `layout` needs it; an error that names the option otherwise."""
    try:
        layout.checked_source_len(args.source_len)
    except ValueError as error:
        raise ValueError(f"--source-len: {error}") from None
    return args.source_len


def engine_of(args, name, **more):
    """The engine called `name`, with `more` and the options that were given."""
    given = {option: getattr(args, option, None) for option in ("tp", "block_size", "kv_cache_dtype")}
    return engine(name, **more, **{option: value for option, value in given.items() if value is not None})


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
