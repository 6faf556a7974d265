"""`kvlib fit` for readers: a line for every GiB, with the option that replaces it."""

import math

from ..budget import Budget
from ..hardware import gpu as gpu_of
from ..units import TB, fmt, fmt_seconds
from .options import both, plural, print_parts, sequences


def print_fit(args, budget: Budget, found: dict):
    """The figures of --json in words."""
    gpu, batch = gpu_of(budget.gpu), found["batch"]
    by = "Metal gives by default" if gpu.memory_source.startswith("Metal") else "CUDA reports it"
    memory = f"{fmt(gpu.memory, digits=2)} as {by}" if gpu.memory_source != "given" else "as given"
    print(f"{found['model']} on {found['gpus']} × {gpu.name} ({memory}, {gpu.bandwidth / TB:g} TB/s each)")
    counted = f"cache in {found['dtype']}, counted as {found['engine']} keeps it"
    print(f"{sequences(args.context, batch)}, {counted}")
    if found["remark"]:
        print(f"(not vllm: {found['remark']})")
    print()
    _print_memory(args, budget, found)
    print(f"weights   {both(budget.weights_bytes)}, {_weights(found)} (--weights-dtype, --weights)")
    for field in found["weights_left_out"]:
        print(f"  without {field}: the size of this tower is not known (--weights to say it all)")
    _print_overhead(args, found)
    print(f"cache     {both(found['cache_bytes'])} (--context, --batch, --dtype)")
    print_parts(found)
    if found["fits"]:
        print(f"free      {both(budget.room - found['cache_bytes'])}")
    else:
        print(f"does not fit: {both(found['short_by'])} short")
    _print_limits(args, budget, found)
    if found["vllm"]:
        print(f"\n{found['vllm']}")
        if found["vllm"].startswith("vllm serve MODEL"):
            print(f"(MODEL: the folder or the Hugging Face id of {args.model}'s checkpoint)")
        if args.weights_dtype and found["weights_format"] != "bf16":
            print(f"(with a checkpoint whose weights are in {found['weights_format']})")


def _print_memory(args, budget, found):
    total = gpu_of(budget.gpu).memory * budget.gpus
    print(f"memory    {both(total)} (--gpu MEMORY@BANDWIDTH)")
    whose = "as asked for" if args.utilization is not None else "its default"
    if found["engine_version"] and args.utilization is None:
        whose += f" in vLLM {found['engine_version']}"
    share = f"{budget.utilization:g} of the memory, {whose}"
    print(f"usable    {both(budget.usable)}, {share} (--utilization)")
    outside = found["outside_parts"]
    if outside:
        each = ", ".join(f"{part['name']} {fmt(part['bytes'], digits=2)}" for part in outside)
        print(f"  not usable: {both(total - budget.usable)}, of which on each GPU {each}")
    if short := found["startup_short_by"]:
        most = 1 - sum(part["bytes"] for part in outside) / gpu_of(budget.gpu).memory
        limit = f"--utilization at most {math.floor(100 * most) / 100:g}"
        print(f"  vllm would not start: {fmt(short)} more than is free by then ({limit})")


def _weights(found) -> str:
    kind = found["weights_format"]
    if kind == "given":
        return "as given"
    if kind == "gguf":
        return "as the file has them"
    numbers = f"{found['parameters']:,} parameters"
    wide = found["weights_wide_bytes"]
    if kind == "bf16" or not wide:
        return f"{numbers} in {kind}"
    return f"{numbers} in {kind}, of which {fmt(wide)} stay in 16 bits"


def _print_overhead(args, found):
    if args.overhead is not None:
        print(f"overhead  {both(found['overhead_bytes'])}, as given (--overhead)")
        return
    parts, gpus = found["overhead_parts"], found["gpus"]
    hint = " (--overhead SIZE in its place)" if parts else ": not estimated (--overhead SIZE to keep some)"
    print(f"overhead  {both(found['overhead_bytes'])}{hint}")
    for part in parts:
        each = f" on each of {gpus} GPUs" if gpus > 1 else ""
        flag = "--" + part["name"].replace(" ", "-")
        print(f"  {part['name']} {fmt(part['bytes'])}{each}: {part['source']} ({flag})")


def _print_limits(args, budget, found):
    batch, most, longest = found["batch"], found["max_sequences"], found["max_context"]
    print(f"\nmost sequences of {args.context:,} tokens: {'no end' if most is None else f'{most:,}'}")
    made_for = budget.layout.max_context
    beyond = f" (the model was made for {made_for:,})" if made_for else ""
    longest = "no end" if longest is None else f"{longest:,} tokens"
    print(f"longest context of {plural(batch, 'sequence')}: {longest}{beyond}")
    floor = fmt_seconds(found["decode_floor_seconds"])
    print(f"decode floor: {floor} a step, at most {found['tokens_per_second']:,.1f} tokens/s")
    weights, cache = both(found["weights_read_bytes"]), both(found["cache_read_bytes"])
    print(f"  reads {weights} of weights and {cache} of cache")
    if batch > 1 and found["parameters"] and found["active_parameters"] < found["parameters"]:
        print("  (of experts those of one token: sequences that choose others read more)")
