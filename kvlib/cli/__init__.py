"""The command line: `kvlib size`, `kvlib fit`, `kvlib models`, `kvlib measure`.

Answers go to stdout with exit status 0; what kvlib does not know goes to stderr with status 2.
Only `measure` imports torch, and only when it runs.
"""

import argparse
import json
import os
import re
import sys
import warnings
from dataclasses import asdict
from importlib import import_module

from ..units import UNITS, dtype, fmt, unknown

COMMANDS = {
    "size": "the bytes of a model's cache, step by step",
    "fit": "what fits on a GPU, and how fast it can decode at best",
    "models": "the models that kvlib ships",
    "measure": "a real cache on this machine, predicted beside measured",
}


def main(argv=None) -> int:
    """Run a command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
                raise unknown("command", argv[0], COMMANDS)
            args = _parser(argv).parse_args(argv)
            status = args.run(args)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough (`kvlib models | head`); leave nothing to flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (ValueError, OSError, RecursionError) as error:
            print(f"kvlib: {error}", file=sys.stderr)
            return 2
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"kvlib: warning: {message}", file=sys.stderr)
    return status


def _parser(argv) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvlib", description="The KV cache of a language model, to the byte."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = {
        name: commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in COMMANDS.items()
    }
    for name in ("size", "fit"):
        _common(add[name])

    size = add["size"]
    size.add_argument("--tp", type=whole, metavar="N", help="GPUs that share the KV heads (vllm)")
    size.add_argument("--kv-cache-dtype", metavar="NAME", help="vLLM's: fp8_per_token_head, fp8_ds_mla, …")
    size.set_defaults(run=_size)
    add["models"].set_defaults(run=_models)
    if argv and argv[0] in ("fit", "measure"):
        module = import_module({"fit": ".fit", "measure": "..measure"}[argv[0]], __package__)
        module.add_arguments(add[argv[0]])
        # Asked for only when it runs: to look up measure.run is to import torch.
        add[argv[0]].set_defaults(run=lambda args: module.run(args))
    return parser


def _common(parser):
    parser.add_argument("model", metavar="CONFIG|MODEL", help="a config.json, its folder, or a shipped model")
    parser.add_argument("--context", type=whole, required=True, metavar="N", help="tokens of each sequence")
    parser.add_argument("--batch", type=whole, metavar="B", help="sequences (default 1)")
    parser.add_argument("--dtype", default="bf16", help="the cache's: fp8, q8_0, int4-g64, … (default bf16)")
    parser.add_argument("--engine", help="ideal, transformers, vllm, llama.cpp")
    parser.add_argument("--block-size", type=whole, metavar="N", help="tokens in a block (vllm)")
    parser.add_argument(
        "--source-len", type=whole, metavar="N", help="tokens of the encoder's output or picture; 0: none"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def whole(text: str) -> int:
    """A plain whole number of an argument; how small it may be, kvlib says."""
    if not re.fullmatch("-?[0-9]{1,15}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number such as 4096, not {text!r}")
    return int(text)


def policy(args, name, **more):
    """The engine called `name`, with `more` and the options that were given."""
    from ..engines import engine

    given = {option: getattr(args, option, None) for option in ("tp", "block_size", "kv_cache_dtype")}
    return engine(name, **more, **{option: value for option, value in given.items() if value is not None})


def _size(args) -> int:
    from ..configs import layout as layout_of

    layout, engine, asked = layout_of(args.model), policy(args, args.engine or "ideal"), dtype(args.dtype)
    args.batch = 1 if args.batch is None else args.batch
    given = (layout, args.context, args.batch, asked, args.source_len)
    rows, parts = engine.rows(*given), engine.breakdown(*given)
    per_token, kept_in = engine.bytes_per_token(layout, asked), engine.stored_as(asked)
    if args.json:
        print_json(
            model=layout.name,
            context=args.context,
            batch=args.batch,
            source_len=args.source_len,
            dtype=kept_in,
            engine=engine.name,
            bytes=parts.total,
            tokens_bytes=parts.tokens,
            state_bytes=parts.state,
            cross_bytes=parts.cross,
            per_token=per_token,
            layers=[{**asdict(layer), "elements": layer.elements} for layer in layout.layers],
            rows=[asdict(row) for row in rows],
        )
        return 0

    print(f"{layout.name}: {sequences(args.context, args.batch)}, {kept_in}, engine {engine.name}\n")
    for row in rows:
        if row.part == "tokens":
            _print_row(row, args.batch, asked, engine)
    for kind, why in (("shared", "they read an earlier layer's keys and values"), ("none", "no attention")):
        if n := sum(layer.kind == kind for layer in layout.layers):
            print(f"{plural(n, kind + ' layer')}\n  0 bytes: {why}\n")
    print(f"total {parts.total:,} bytes = {both(parts.total)}")
    if parts.state:
        print(f"state {parts.state:,} bytes = {both(parts.state)}, whatever the context")
    if args.source_len is not None:
        print(f"cross {parts.cross:,} bytes = {both(parts.cross)} for a source of {args.source_len:,} tokens")
    print(f"one more token, while windows have room: {per_token:,} bytes = {fmt(per_token)}")
    return 0


def _print_row(row, batch, kept_in, engine):
    layer = row.layer
    window = f", window {layer.window:,}" if layer.window else ""
    print(f"{plural(row.n_layers, layer.kind + ' layer')}{window}")
    values = layer.v_elements // layer.n_kv_heads
    what = (
        f"{layer.elements:,} numbers"
        if layer.kind == "latent"
        else f"{plural(layer.n_kv_heads, 'KV head')} × ({layer.head_dim} in a key + {values} in a value)"
    )
    if kept_in.values == 1 and row.token_bytes == layer.elements * kept_in.bytes:
        print(f"  {what} × {plural(kept_in.bytes, 'byte')} = {row.token_bytes:,} bytes a token")
    else:
        print(f"  {what}, {row.token_bytes:,} bytes a token as {engine.name} keeps it")
    product = row.n_layers * row.tokens * row.token_bytes
    count_up = f"{plural(row.n_layers, 'layer')} × {row.tokens:,} tokens × {row.token_bytes:,} bytes"
    if product * batch == row.bytes:
        print(f"  {count_up} × {plural(batch, 'sequence')} = {row.bytes:,} bytes")
    else:
        print(f"  {count_up} = {product:,} bytes")
        print(f"  {plural(batch, 'sequence')}, in all {row.bytes:,} bytes")
    print(f"  ({row.note})\n" if row.note else "")


def _models(args) -> int:
    from ..configs import layout, models, source

    names = models()
    width = max(map(len, names))
    for name in names:
        per_token = f"{layout(name).bytes_per_token():>9,}"
        print(f"{name:{width}}  {per_token} bytes a token in bf16  {source(name)['id']}")
    return 0


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
