"""`kvlib fit`: what fits on a GPU, how fast it can decode at best, and the line that serves it."""

import os
import shlex
from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path

from ..budget import Budget
from ..configs import Checkpoint, checkpoint, models, source
from ..configs.gguf import is_gguf, weights_bytes
from ..engines import VLLM, engine
from ..engines.overhead import NEWEST, Overhead, Part, Run, llama_cpp, numbers_of, sglang, vllm, vllm_batch
from ..units import read_bytes, whole_number
from .fit_text import print_fit
from .options import (
    add_cache_arguments,
    cache_figures,
    cards,
    count,
    engine_of,
    given_to_engine,
    layout_and_dtype,
    print_json,
    source_len,
)

# The parts of an estimate, and what an option for each replaces.
PARTS = {
    "activations": "the widest moment of the profiling run",
    "logits": "logits and their sampling",
    "kernels": "kernels and their buffers",
    "cuda context": "what CUDA itself takes",
    "communication": "what NCCL takes",
    "graphs": "captured CUDA graphs",
    "compute buffer": "llama.cpp's",
}


def option(part: str) -> str:
    return "--" + part.replace(" ", "-")


def add_arguments(parser):
    parser.epilog = (
        "Each line of the answer names the option that replaces it. Sizes are 1.5GiB, 1.5GB, or 1.5 for GiB."
    )
    add_cache_arguments(parser)
    parser.add_argument(
        "--gpu", required=True, metavar="NAME[:COUNT]", help="H100, 4090:2, or any card as 48GiB@1TB/s:2"
    )
    of = parser.add_argument_group("weights", "as the checkpoint's quantization_config says, unless told")
    of.add_argument("--weights-dtype", metavar="FORMAT", help="bf16, fp8, awq, nvfp4, q4_k_m, …")
    of.add_argument("--weights", type=_size, metavar="SIZE", help="of all GPUs, in place of the count")
    of = parser.add_argument_group("memory besides weights and cache", "estimated as the engine spends it")
    of.add_argument("--engine-version", metavar="VERSION", help=f"vLLM's whose rules hold (default {NEWEST})")
    of.add_argument(
        "--utilization", type=float, metavar="SHARE", help="of the memory (default: the engine's own)"
    )
    of.add_argument(
        "--max-num-seqs", type=count, metavar="N", help="sequences that vLLM prepares for (default its own)"
    )
    of.add_argument(
        "--overhead", type=_size, metavar="SIZE", help="of all GPUs, in place of all these parts:"
    )
    for part, text in PARTS.items():
        of.add_argument(option(part), type=_size, metavar="SIZE", help=f"on each GPU: {text}")


def _size(text) -> int:
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
    of_file = _of_file(args)
    weights = checkpoint(args.model, args.weights_dtype, of_file or args.weights)
    gpu, gpus = cards(args.gpu)
    batch = whole_number("batch", 1 if args.batch is None else args.batch)
    whole_number("context", args.context)
    kept_by, remark = _counted_as(args, layout, dtype, gpu, gpus)
    of_engine = _overhead(args, kept_by, weights, layout, gpu, gpus)
    parts, outside = _replaced(args, of_engine)
    budget = Budget(
        layout,
        weights_bytes=weights.bytes,
        weights_read_bytes=weights.read_bytes,
        gpu=gpu,
        gpus=gpus,
        utilization=float(of_engine.utilization) if args.utilization is None else args.utilization,
        overhead_bytes=gpus * sum(part.bytes for part in parts) if args.overhead is None else args.overhead,
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
        "parameters": weights.parameters and weights.parameters.total,
        "active_parameters": weights.parameters and weights.parameters.active,
        "utilization": budget.utilization,
        "usable_bytes": budget.usable,
        "weights_bytes": budget.weights_bytes,
        "weights_format": "gguf" if of_file else weights.quantized or "bf16",
        "weights_wide_bytes": weights.wide_bytes,
        "weights_left_out": list(weights.left_out),
        "overhead_bytes": budget.overhead_bytes,
        "overhead_parts": [part._asdict() for part in parts] if args.overhead is None else [],
        "outside_parts": [part._asdict() for part in outside],
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
        "engine_version": _version(args) if kept_by.name == VLLM.name else None,
        "startup_short_by": _startup(args, kept_by, budget, outside),
        "vllm": None,
        "remark": remark,
    }
    if found["fits"] and isinstance(kept_by, VLLM) and not found["startup_short_by"]:
        found["vllm"] = _serve_line(args, dtype.name, kept_by, budget, found["max_sequences"])
    if args.json:
        print_json(**found)
    else:
        print_fit(args, budget, found)
    return 0


def _of_file(args) -> int | None:
    """The size of the weights that a GGUF file has; None for another model, or where an option says it."""
    if args.weights is not None or args.weights_dtype or not is_gguf(Path(args.model)):
        return None
    if (nbytes := weights_bytes(Path(args.model))) is None:
        raise ValueError(f"--weights: {args.model} is one part of several; say the size of all")
    return nbytes


def _version(args) -> str:
    return args.engine_version or NEWEST


def _usual(args, gpu) -> str:
    """The engine that is counted unless told: llama.cpp for its own files and for Apple's chips."""
    return "llama.cpp" if _metal(gpu) or is_gguf(Path(args.model)) else VLLM.name


def _metal(gpu) -> bool:
    return gpu.memory_source.startswith("Metal")


def _counted_as(args, layout, dtype, gpu, gpus):
    """The engine to count with, and why it is not vLLM where nobody asked for another."""
    name = (args.engine or _usual(args, gpu)).lower()
    if name not in (VLLM.name, "sglang"):
        return engine_of(args, name), None
    stages = args.pp or 1
    if gpus % max(stages, 1):
        raise ValueError(f"--pp must divide the {gpus} GPUs, and {stages} does not")
    more: dict[str, int] = {"tp": gpus // max(stages, 1)}
    if args.tp is not None and args.tp != more["tp"]:
        raise ValueError(f"--tp × --pp must be the {gpus} GPUs of --gpu, not {args.tp} × {stages}")
    if name == "sglang":
        return engine_of(args, name, **more), None
    tokens, _ = vllm_batch(_run(args, None, layout, gpu, gpus), _version(args))
    more |= _checkpoints(args, layout, gpu)
    kept_by = engine_of(args, name, max_num_batched_tokens=tokens, **more)
    try:
        kept_by.rows(layout, 1, 1, dtype, args.source_len)
    except ValueError as error:
        if args.engine or given_to_engine(args):
            raise
        return engine("ideal"), str(error)
    return kept_by, None


# Gated delta nets, whose prefill FlashInfer runs on Hopper and Blackwell.
DELTA_NETS = ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "olmo_hybrid")


def _checkpoints(args, layout, gpu) -> dict[str, int]:
    """What vLLM's policy cannot know of recurrent states: the version, and the card."""
    if numbers_of(_version(args)) < (0, 33):
        return {"checkpoints": 0}
    if layout.architecture in DELTA_NETS and gpu.capability >= 90 and args.prefix_caching is None:
        return {"checkpoints": 1, "block_size": 64}
    return {}


def _run(args, weights, layout, gpu, gpus) -> Run:
    """The model and the limits that an engine makes its memory by."""
    return Run(
        weights,
        context=args.context,
        batched=args.max_num_batched_tokens,
        sequences=args.batch if args.max_num_seqs is None else args.max_num_seqs,
        layers=-(-layout.n_layers // (args.pp or 1)),
        tp=gpus // (args.pp or 1),
        gpus=gpus,
        memory=gpu.memory,
        fast_link=gpu.nvlink,
        small_batches=gpu.name.startswith("A100"),
        latent=any(layer.kind == "latent" for layer in layout.layers),
    )


def _overhead(args, kept_by, weights: Checkpoint, layout, gpu, gpus) -> Overhead:
    """What the engine spends; nothing is known of what ideal and transformers spend."""
    limits = _run(args, weights, layout, gpu, gpus)
    if isinstance(kept_by, VLLM):
        return vllm(limits, _version(args))
    if args.engine_version:
        raise ValueError("--engine-version: only vLLM's versions are told apart")
    if kept_by.name == "sglang":
        return sglang(limits, None if args.utilization is None else Fraction(str(args.utilization)))
    if kept_by.name == "llama.cpp":
        spent = llama_cpp(limits, kept_by.n_ubatch)
        parts = tuple(part for part in spent.parts if part.name != "cuda context" or not _metal(gpu))
        return Overhead(spent.utilization, parts)
    return Overhead(Fraction("0.9"), ())


def _startup(args, kept_by, budget, outside: list[Part]) -> int:
    """Bytes of each GPU by which vLLM's share is more than is free when it starts, which it refuses.

    Since vLLM 0.14, v1/worker/utils.py, request_memory: CUDA and NCCL are there by then.
    """
    if not isinstance(kept_by, VLLM) or numbers_of(_version(args)) < (0, 14):
        return 0
    taken = sum(part.bytes for part in outside)
    return max(0, budget.usable // budget.gpus + taken - budget.gpu.memory)


def _replaced(args, estimated: Overhead) -> tuple[list[Part], list[Part]]:
    """The parts within the engine's share and those outside, with the sizes that options give."""
    given = {name: getattr(args, name.replace(" ", "_")) for name in PARTS}
    given = {name: size for name, size in given.items() if size is not None}
    within, outside = (
        [Part(one.name, given.pop(one.name), "given") if one.name in given else one for one in parts]
        for parts in (estimated.parts, estimated.outside)
    )
    return within + [Part(name, size, "given") for name, size in given.items()], outside


def _serve_line(args, cache, kept_by, budget, most) -> str:
    """The command whose settings are those that were counted."""
    name = args.model
    if name.lower() in models() or name.lower() in {source(model)["id"].lower() for model in models()}:
        name = source(name.lower())["id"]
    elif name.endswith("config.json"):
        name = os.path.dirname(name) or "."
    elif name.endswith(".json"):
        name = "MODEL"
    prepared = vllm_batch(_run(args, None, budget.layout, budget.gpu, budget.gpus), _version(args))[1]
    at_most = min(most, prepared) if args.batch is None and most is not None else args.batch
    stored = {"bf16": "bfloat16", "fp16": "float16", "fp32": "auto"}.get(cache, cache)
    flags = {
        "--max-model-len": args.context,
        "--max-num-seqs": at_most,
        "--dtype": "float32" if cache == "fp32" else None,
        "--kv-cache-dtype": args.kv_cache_dtype or stored,
        "--tensor-parallel-size": kept_by.tp,
        "--pipeline-parallel-size": kept_by.pp if kept_by.pp > 1 else None,
        "--gpu-memory-utilization": budget.utilization,
        "--block-size": args.block_size,
        "--max-num-batched-tokens": args.max_num_batched_tokens,
    }
    given = " ".join(f"{flag} {value}" for flag, value in flags.items() if value is not None)
    switched = {
        " --no-enable-prefix-caching": args.prefix_caching is False,
        " --disable-hybrid-kv-cache-manager": args.hybrid is False,
        " --no-async-scheduling": args.async_scheduling is False,
    }
    given += "".join(flag for flag, on in switched.items() if on)
    before = "" if kept_by.mla_absorbed else "VLLM_MLA_DISABLE=1 "
    return f"{before}vllm serve {shlex.quote(name)} {given}"
