"""The command line: `kvlib size`, `kvlib fit`, `kvlib models`, `kvlib measure`.

Answers go to stdout with exit status 0; what kvlib does not know goes to stderr with status 2.
Only `measure` imports torch, and only when it runs.
"""

import argparse
import json
import os
import shlex
import sys
import warnings
from dataclasses import asdict

from .units import TB, UNITS, GiB, count, dtype, fmt, fmt_seconds, unknown

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
    size.add_argument("--tp", type=_whole, metavar="N", help="GPUs that share the KV heads (vllm)")
    size.add_argument("--source-len", type=_whole, metavar="N", help="tokens of the encoder's output")
    size.set_defaults(run=_size)

    fit = add["fit"]
    fit.add_argument("--gpu", required=True, metavar="NAME[:COUNT]", help="H100, RTX4090:2, …")
    fit.add_argument(
        "--weights-dtype", default="bf16", metavar="DTYPE", help="bf16, int8, int4, … (default bf16)"
    )
    fit.add_argument(
        "--utilization", type=float, default=0.9, help="share of the memory to use (default 0.9)"
    )
    fit.add_argument(
        "--overhead", type=float, default=0, metavar="GIB", help="GiB kept for activations, all GPUs"
    )
    fit.set_defaults(run=_fit)

    add["models"].set_defaults(run=_models)
    if argv[:1] == ["measure"]:
        from . import measure

        measure.add_arguments(add["measure"])
        add["measure"].set_defaults(run=measure.run)
    return parser


def _common(parser):
    parser.add_argument(
        "model", metavar="CONFIG|MODEL", help="a config.json, its folder, or a name of `kvlib models`"
    )
    parser.add_argument("--context", type=_whole, required=True, metavar="N", help="tokens of each sequence")
    parser.add_argument("--batch", type=_whole, metavar="B", help="sequences (default 1)")
    parser.add_argument(
        "--dtype", default="bf16", help="the cache's: bf16, fp8, q8_0, int4-g64, … (default bf16)"
    )
    parser.add_argument("--engine", help="ideal, transformers, vllm, llama.cpp")
    parser.add_argument("--block-size", type=_whole, metavar="N", help="tokens in a block (vllm)")
    parser.add_argument(
        "--kv-cache-dtype", metavar="NAME", help="vLLM's flag: fp8_per_token_head, fp8_ds_mla, …"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _whole(text: str) -> int:
    if not (text.lstrip("-").isascii() and text.lstrip("-").isdigit()) or len(text) > 15:
        raise argparse.ArgumentTypeError(f"must be a whole number such as 4096, not {text!r}")
    return int(text)


def _number(text: str):
    """`text` as an int if it is one; `count` refuses what is not."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _engine(args, name, **more):
    """The engine asked for, with the options that were given."""
    from .engines import engine

    given = {option: getattr(args, option, None) for option in ("tp", "block_size", "kv_cache_dtype")}
    return engine(name, **{option: value for option, value in {**more, **given}.items() if value is not None})


def _size(args) -> int:
    from .configs import layout as layout_of

    layout, policy, kept_in = layout_of(args.model), _engine(args, args.engine or "ideal"), dtype(args.dtype)
    args.batch = 1 if args.batch is None else args.batch
    total = layout.bytes(args.context, args.batch, kept_in, policy)
    state = layout.state_bytes(args.batch)
    cross = layout.cross_bytes(args.source_len, args.batch, kept_in) if args.source_len is not None else 0
    rows = policy.rows(layout, args.context, args.batch, kept_in)
    if args.json:
        _print_json(
            model=layout.name,
            context=args.context,
            batch=args.batch,
            dtype=kept_in.name,
            engine=policy.name,
            bytes=total,
            state_bytes=state,
            cross_bytes=cross,
            per_token=layout.bytes_per_token(kept_in),
            layers=[{**asdict(layer), "elements": layer.elements} for layer in layout.layers],
            rows=[asdict(row) for row in rows],
        )
        return 0

    print(f"{layout.name}: {_sequences(args.context, args.batch)}, {kept_in.name}, engine {policy.name}\n")
    for row in rows:
        _print_row(row, args.batch, kept_in, policy)
    for kind, why in (("shared", "they read an earlier layer's keys and values"), ("none", "no attention")):
        if n := sum(layer.kind == kind for layer in layout.layers):
            print(f"{_plural(n, kind + ' layer')}\n  0 bytes: {why}\n")
    print(f"total {total:,} bytes = {_both(total)}")
    if state:
        print(f"state {state:,} bytes = {_both(state)}, whatever the context")
    if args.source_len is not None:
        print(f"cross {cross:,} bytes = {_both(cross)} for a source of {args.source_len:,} tokens")
    elif each := layout.cross_bytes(1, args.batch, kept_in):
        print(f"cross {each:,} bytes for every token of the source (--source-len N)")
    per_token = layout.bytes_per_token(kept_in)
    print(f"one more token, while windows have room: {per_token:,} bytes = {fmt(per_token)}")
    return 0


def _print_row(row, batch, kept_in, policy):
    layer = row.layer
    window = f", window {layer.window:,}" if layer.window else ""
    print(f"{_plural(row.n_layers, layer.kind + ' layer')}{window}")
    values = layer.v_elements // layer.n_kv_heads
    what = (
        f"{layer.elements:,} numbers"
        if layer.kind == "latent"
        else f"{_plural(layer.n_kv_heads, 'KV head')} × ({layer.head_dim} in a key + {values} in a value)"
    )
    if kept_in.values == 1 and row.token_bytes == layer.elements * kept_in.bytes:
        print(f"  {what} × {_plural(kept_in.bytes, 'byte')} = {row.token_bytes:,} bytes a token")
    else:
        print(f"  {what}, {row.token_bytes:,} bytes a token as {policy.name} keeps it")
    product = row.n_layers * row.tokens * row.token_bytes
    count_up = f"{_plural(row.n_layers, 'layer')} × {row.tokens:,} tokens × {row.token_bytes:,} bytes"
    if product * batch == row.bytes:
        print(f"  {count_up} × {_plural(batch, 'sequence')} = {row.bytes:,} bytes")
    else:
        print(f"  {count_up} = {product:,} bytes")
        print(f"  {_plural(batch, 'sequence')}, in all {row.bytes:,} bytes")
    print(f"  ({row.note})\n" if row.note else "")


def _fit(args) -> int:
    from .budget import Budget
    from .configs import layout as layout_of
    from .configs import read_config
    from .hardware import gpu as gpu_of
    from .weights import parameters

    layout = layout_of(args.model)
    weights_in = dtype(args.weights_dtype)
    numbers = parameters(read_config(args.model)[0])
    name, colon, number = args.gpu.partition(":")
    gpu, gpus = gpu_of(name), count("COUNT in --gpu NAME:COUNT", _number(number) if colon else 1)
    batch = 1 if args.batch is None else args.batch
    if not 0 <= args.overhead < 1e6:
        raise ValueError(f"--overhead must be a number of GiB of at least 0, not {args.overhead}")
    policy, remark = _fit_engine(args, layout, gpu, gpus)
    budget = Budget(
        layout,
        weights_bytes=weights_in.nbytes(numbers.total),
        weights_read_bytes=weights_in.nbytes(numbers.active),
        gpu=gpu,
        gpus=gpus,
        utilization=args.utilization,
        overhead_bytes=round(args.overhead * GiB),
        dtype=args.dtype,
        engine=policy,
    )
    found = {
        "model": layout.name,
        "gpu": gpu.name,
        "gpus": gpus,
        "context": args.context,
        "batch": batch,
        "dtype": dtype(args.dtype).name,
        "engine": policy.name,
        "parameters": numbers.total,
        "usable_bytes": budget.usable,
        "weights_bytes": budget.weights_bytes,
        "overhead_bytes": budget.overhead_bytes,
        "cache_bytes": budget.cache_bytes(args.context, batch),
        "room_bytes": budget.room,
        "fits": budget.fits(args.context, batch),
        "short_by": budget.short_by(args.context, batch),
        "max_sequences": budget.max_sequences(args.context),
        "max_context": budget.max_context(batch),
        "model_max_context": layout.max_context,
        "decode_floor_seconds": budget.decode_floor(args.context, batch),
        "tokens_per_second": budget.tokens_per_second(args.context, batch),
        "vllm": None,
        "remark": remark,
    }
    if found["fits"] and not remark:
        most = found["max_sequences"] if args.batch is None else batch
        found["vllm"] = _serve_line(args, policy, gpus, most)
    if args.json:
        _print_json(**found)
    else:
        _print_fit(args, budget, found)
    return 0


def _fit_engine(args, layout, gpu, gpus):
    """The policy to count with, and why it is not vLLM's where nobody asked for another."""
    from .engines import VLLM, engine

    # vLLM 0.33.0's own choice for its server, engine/arg_utils.py.
    if gpu.memory >= 160 * GiB:
        batched = 16384
    else:
        batched = 8192 if gpu.memory >= 70 * GiB and not gpu.name.startswith("A100") else 2048
    if args.engine:
        more = {"tp": gpus, "max_num_batched_tokens": batched} if args.engine.lower() == "vllm" else {}
        return _engine(args, args.engine, **more), None
    kept_in = dtype(args.dtype)
    policy = _engine(args, VLLM.name, tp=gpus, max_num_batched_tokens=batched)
    try:
        policy.rows(layout, 1, 1, kept_in)
    except ValueError as error:
        if args.block_size or args.kv_cache_dtype:
            raise
        return engine("ideal"), str(error)
    return policy, None


def _serve_line(args, policy, gpus, most) -> str:
    from .configs import models, source

    name = args.model
    if name.lower() in models():
        name = source(name)["id"]
    elif name.endswith("config.json"):
        name = os.path.dirname(name) or "."
    cache = getattr(policy, "kv_cache_dtype", "auto")
    if cache == "auto":
        cache = {"bf16": "bfloat16", "fp16": "float16"}.get(dtype(args.dtype).name, dtype(args.dtype).name)
    flags = {
        "--max-model-len": args.context,
        "--max-num-seqs": most,
        "--kv-cache-dtype": "auto" if cache == "fp32" else cache,
        "--tensor-parallel-size": gpus,
        "--gpu-memory-utilization": args.utilization,
        "--block-size": args.block_size,
    }
    given = " ".join(f"{flag} {value}" for flag, value in flags.items() if value is not None)
    return f"vllm serve {shlex.quote(name)} {given}"


def _print_fit(args, budget, found):
    gpu, batch = budget.gpu, found["batch"]
    bandwidth = f"{gpu.bandwidth / TB:g} TB/s"
    print(f"{found['model']} on {found['gpus']} × {gpu.name} ({fmt(gpu.memory)}, {bandwidth} each)")
    print(
        f"{_sequences(args.context, batch)}, cache in {found['dtype']}, counted as {found['engine']} keeps it"
    )
    if found["remark"]:
        print(f"(not vllm: {found['remark']})")
    print(f"\nusable    {_both(budget.usable)}, {args.utilization:g} of the memory")
    weights = f"{found['parameters']:,} parameters in {dtype(args.weights_dtype).name}"
    print(f"weights   {_both(budget.weights_bytes)}, {weights}")
    print(
        f"overhead  {_both(budget.overhead_bytes)}{'' if args.overhead else ' (--overhead GIB to keep some)'}"
    )
    print(f"cache     {_both(found['cache_bytes'])}")
    if found["fits"]:
        print(f"free      {_both(budget.room - found['cache_bytes'])}")
    else:
        print(f"does not fit: {_both(found['short_by'])} short")

    most, longest = found["max_sequences"], found["max_context"]
    print(f"\nmost sequences of {args.context:,} tokens: {'no end' if most is None else f'{most:,}'}")
    made_for = budget.layout.max_context
    beyond = f" (the model was made for {made_for:,})" if made_for else ""
    longest = "no end" if longest is None else f"{longest:,} tokens"
    print(f"longest context of {_plural(batch, 'sequence')}: {longest}{beyond}")
    floor = fmt_seconds(found["decode_floor_seconds"])
    print(f"decode floor: {floor} a step, at most {found['tokens_per_second']:,.1f} tokens/s")
    if found["vllm"]:
        print(f"\n{found['vllm']}")
        if dtype(args.weights_dtype).bits < 16:
            print(f"(with a checkpoint whose weights are in {dtype(args.weights_dtype).name})")


def _models(args) -> int:
    from .configs import layout, models, source

    names = models()
    width = max(map(len, names))
    for name in names:
        per_token = f"{layout(name).bytes_per_token():>9,}"
        print(f"{name:{width}}  {per_token} bytes a token in bf16  {source(name)['id']}")
    return 0


def _print_json(**found):
    print(json.dumps(found, indent=2))


def _sequences(context, batch):
    return f"{_plural(batch, 'sequence')} of {_plural(context, 'token')}"


def _plural(number, noun):
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _both(nbytes):
    """In binary and in decimal units, so that nobody takes one for the other."""
    unit = next((u for u in ("TB", "GB", "MB", "kB") if nbytes >= UNITS[u]), "B")
    return fmt(nbytes) if unit == "B" else f"{fmt(nbytes)} ({fmt(nbytes, unit)})"
