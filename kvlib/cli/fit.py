"""`kvlib fit`: what fits on a GPU, how fast it can decode at best, and the line that serves it."""

import os
import re
import shlex

from ..budget import Budget
from ..configs import layout as layout_of, models, parameters, read_config, source
from ..engines import VLLM, engine
from ..hardware import gpu as gpu_of
from ..units import TB, GiB, dtype, fmt, fmt_seconds, whole_number
from . import both, plural, policy as as_given, print_json, sequences


def add_arguments(parser):
    parser.add_argument("--gpu", required=True, metavar="NAME[:COUNT]", help="H100, RTX4090:2, …")
    parser.add_argument(
        "--weights-dtype", default="bf16", metavar="DTYPE", help="fp8, int4, … (default bf16)"
    )
    parser.add_argument("--utilization", type=float, default=0.9, help="share of the memory (default 0.9)")
    parser.add_argument("--overhead", type=float, default=0, metavar="GIB", help="GiB kept for activations")


def run(args) -> int:
    """What `kvlib fit` prints; returns the exit status."""
    layout = layout_of(args.model)
    weights_in = dtype(args.weights_dtype)
    numbers = parameters(read_config(args.model)[0])
    name, colon, gpus = args.gpu.partition(":")
    gpus = whole_number("COUNT in --gpu NAME:COUNT", _number(gpus) if colon else 1)
    gpu = gpu_of(name)
    batch = 1 if args.batch is None else args.batch
    if not 0 <= args.overhead < 1e6:
        raise ValueError(f"--overhead must be a number of GiB of at least 0, not {args.overhead}")
    policy, remark = _counted_as(args, layout, gpu, gpus)
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
    if found["fits"] and policy.name == VLLM.name:
        most = found["max_sequences"] if args.batch is None else batch
        found["vllm"] = _serve_line(args, gpus, most)
    if args.json:
        print_json(**found)
    else:
        _print_fit(args, budget, found)
    return 0


def _number(text):
    """`text` as the number it is, or as it is, for `count` to refuse."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text


def _counted_as(args, layout, gpu, gpus):
    """The policy to count with, and why it is not vLLM's where nobody asked for another."""
    # vLLM 0.33.0's own choice for its server, engine/arg_utils.py.
    if gpu.memory >= 160 * GiB:
        batched = 16384
    else:
        batched = 8192 if gpu.memory >= 70 * GiB and not gpu.name.startswith("A100") else 2048
    name = (args.engine or VLLM.name).lower()
    if name != VLLM.name:
        return as_given(args, name), None
    policy = as_given(args, name, tp=gpus, max_num_batched_tokens=batched)
    try:
        policy.rows(layout, 1, 1, dtype(args.dtype))
    except ValueError as error:
        if args.engine or args.block_size:
            raise
        return engine("ideal"), str(error)
    return policy, None


def _serve_line(args, gpus, most) -> str:
    """The command whose settings are those that were counted."""
    name = args.model
    if name.lower() in models():
        name = source(name.lower())["id"]
    elif name.endswith("config.json"):
        name = os.path.dirname(name) or "."
    cache = dtype(args.dtype).name
    flags = {
        "--max-model-len": args.context,
        "--max-num-seqs": most,
        "--dtype": "float32" if cache == "fp32" else None,
        "--kv-cache-dtype": {"bf16": "bfloat16", "fp16": "float16", "fp32": "auto"}.get(cache, cache),
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
        f"{sequences(args.context, batch)}, cache in {found['dtype']}, counted as {found['engine']} keeps it"
    )
    if found["remark"]:
        print(f"(not vllm: {found['remark']})")
    print(f"\nusable    {both(budget.usable)}, {args.utilization:g} of the memory")
    weights = f"{found['parameters']:,} parameters in {dtype(args.weights_dtype).name}"
    print(f"weights   {both(budget.weights_bytes)}, {weights}")
    print(
        f"overhead  {both(budget.overhead_bytes)}{'' if args.overhead else ' (--overhead GIB to keep some)'}"
    )
    print(f"cache     {both(found['cache_bytes'])}")
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
    if found["vllm"]:
        print(f"\n{found['vllm']}")
        if dtype(args.weights_dtype).bits < 16:
            print(f"(with a checkpoint whose weights are in {dtype(args.weights_dtype).name})")
