"""`kvlib fit`: what fits on a GPU, how fast it can decode at best, and the line that serves it."""

import os
import shlex
from argparse import ArgumentTypeError

from ..budget import Budget
from ..configs import models, parameters, source
from ..engines import VLLM, engine
from ..hardware import gpu as gpu_of
from ..units import TB, GiB, dtype as as_dtype, fmt, fmt_seconds, read_bytes, whole_number
from .options import (
    add_cache_arguments,
    both,
    cache_figures,
    engine_of,
    layout_and_dtype,
    plural,
    print_json,
    print_parts,
    sequences,
    source_len,
)


def add_arguments(parser):
    add_cache_arguments(parser)
    parser.add_argument("--gpu", required=True, metavar="NAME[:COUNT]", help="H100, RTX4090:2, …")
    parser.add_argument(
        "--weights-dtype", default="bf16", metavar="DTYPE", help="fp8, int4, … (default bf16)"
    )
    parser.add_argument("--utilization", type=float, default=0.9, help="share of the memory (default 0.9)")
    parser.add_argument(
        "--overhead", type=_overhead, default=0, metavar="SIZE", help="kept for activations: 1.5GiB, 1.5"
    )


def _overhead(text) -> int:
    """Bytes; a number without a unit is GiB."""
    try:
        nbytes = read_bytes(text if text[-1:].isalpha() else f"{text}GiB")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if nbytes < 0:
        raise ArgumentTypeError(f"must be at least 0, not {text!r}")
    return nbytes


def run(args) -> int:
    """What `kvlib fit` prints; returns the exit status."""
    layout, dtype = layout_and_dtype(args)
    source_len(args, layout)
    weights_in, numbers = as_dtype(args.weights_dtype), parameters(args.model)
    name, colon, gpus = args.gpu.partition(":")
    gpus = whole_number("COUNT in --gpu NAME:COUNT", _number(gpus) if colon else 1)
    gpu = gpu_of(name)
    batch = 1 if args.batch is None else args.batch
    kept_by, remark = _counted_as(args, layout, dtype, gpu, gpus)
    budget = Budget(
        layout,
        weights_bytes=weights_in.nbytes(numbers.total),
        weights_read_bytes=weights_in.nbytes(numbers.read),
        gpu=gpu,
        gpus=gpus,
        utilization=args.utilization,
        overhead_bytes=args.overhead,
        dtype=dtype,
        engine=kept_by,
        source_len=args.source_len,
    )
    found = {
        **cache_figures(kept_by, layout, args.context, batch, dtype, args.source_len),
        "gpu": gpu.name,
        "gpus": gpus,
        "gpu_memory_bytes": gpu.memory,
        "gpu_memory_source": gpu.memory_source,
        "parameters": numbers.total,
        "active_parameters": numbers.active,
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
        "weights_read_bytes": budget.weights_read_bytes,
        "cache_read_bytes": budget.cache_read_bytes(args.context, batch),
        "decode_floor_seconds": budget.decode_floor(args.context, batch),
        "tokens_per_second": budget.tokens_per_second(args.context, batch),
        "vllm": None,
        "remark": remark,
    }
    if found["fits"] and kept_by.name == VLLM.name:
        found["vllm"] = _serve_line(
            args, dtype.name, gpus, found["max_sequences"] if args.batch is None else batch
        )
    if args.json:
        print_json(**found)
    else:
        _print_fit(args, budget, found)
    return 0


def _number(text):
    """`text` as the number it is, or as it is, for `whole_number` to refuse."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _counted_as(args, layout, dtype, gpu, gpus):
    """The engine to count with, and why it is not vLLM where nobody asked for another."""
    # vLLM 0.33.0's own choice for its server, engine/arg_utils.py.
    if gpu.memory >= 160 * GiB:
        batched = 16384
    else:
        batched = 8192 if gpu.memory >= 70 * GiB and not gpu.name.startswith("A100") else 2048
    name = (args.engine or VLLM.name).lower()
    if name != VLLM.name:
        return engine_of(args, name), None
    vllm = engine_of(args, name, tp=gpus, max_num_batched_tokens=batched)
    try:
        vllm.rows(layout, 1, 1, dtype, args.source_len)
    except ValueError as error:
        if args.engine or args.block_size or args.kv_cache_dtype:
            raise
        return engine("ideal"), str(error)
    return vllm, None


def _serve_line(args, cache, gpus, most) -> str:
    """The command whose settings are those that were counted."""
    name = args.model
    if name.lower() in models():
        name = source(name.lower())["id"]
    elif name.endswith("config.json"):
        name = os.path.dirname(name) or "."
    stored = {"bf16": "bfloat16", "fp16": "float16", "fp32": "auto"}.get(cache, cache)
    flags = {
        "--max-model-len": args.context,
        "--max-num-seqs": most,
        "--dtype": "float32" if cache == "fp32" else None,
        "--kv-cache-dtype": args.kv_cache_dtype or stored,
        "--tensor-parallel-size": gpus,
        "--gpu-memory-utilization": args.utilization,
        "--block-size": args.block_size,
    }
    given = " ".join(f"{flag} {value}" for flag, value in flags.items() if value is not None)
    return f"vllm serve {shlex.quote(name)} {given}"


def _print_fit(args, budget, found):
    gpu, batch, weights_in = budget.gpu, found["batch"], as_dtype(args.weights_dtype)
    memory = f"{fmt(gpu.memory, digits=2)} as CUDA reports it"
    print(f"{found['model']} on {found['gpus']} × {gpu.name} ({memory}, {gpu.bandwidth / TB:g} TB/s each)")
    counted = f"cache in {found['dtype']}, counted as {found['engine']} keeps it"
    print(f"{sequences(args.context, batch)}, {counted}")
    if found["remark"]:
        print(f"(not vllm: {found['remark']})")
    print(f"\nusable    {both(budget.usable)}, {args.utilization:g} of the memory")
    print(f"weights   {both(budget.weights_bytes)}, {found['parameters']:,} parameters in {weights_in.name}")
    hint = "" if args.overhead else " (--overhead SIZE to keep some)"
    print(f"overhead  {both(budget.overhead_bytes)}{hint}")
    print(f"cache     {both(found['cache_bytes'])}")
    print_parts(found)
    if found["fits"]:
        print(f"free      {both(budget.room - found['cache_bytes'])}")
    else:
        print(f"does not fit: {both(found['short_by'])} short")

    most, longest = found["max_sequences"], found["max_context"]
    print(f"\nmost sequences of {args.context:,} tokens: {'no end' if most is None else f'{most:,}'}")
    made_for = budget.layout.max_context
    beyond = f" (the model was made for {made_for:,})" if made_for else ""
    longest = "no end" if longest is None else f"{longest:,} tokens"
    print(f"longest context of {plural(batch, 'sequence')}: {longest}{beyond}")
    floor = fmt_seconds(found["decode_floor_seconds"])
    print(f"decode floor: {floor} a step, at most {found['tokens_per_second']:,.1f} tokens/s")
    weights, cache = both(found["weights_read_bytes"]), both(found["cache_read_bytes"])
    print(f"  reads {weights} of weights and {cache} of cache")
    if batch > 1 and found["active_parameters"] < found["parameters"]:
        print("  (of experts those of one token: sequences that choose others read more)")
    if found["vllm"]:
        print(f"\n{found['vllm']}")
        if weights_in.bits < 16:
            print(f"(with a checkpoint whose weights are in {weights_in.name})")
