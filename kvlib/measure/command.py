"""What `kvlib measure` does: measure, show a table, and write a record."""

import os
import shlex
import sys
from pathlib import Path

import torch

from ..smollm2 import load_smollm2
from ..units import fmt, fmt_seconds, unknown, whole_number
from . import decode, lowrank, quality, record
from .progress import Progress, table
from .shapes import SHAPES, shape_decoder

CONTEXTS = {"smollm2": (128, 512, 2048)} | dict.fromkeys(SHAPES, (512, 2048, 8192, 32768))


def run(args) -> int:
    """Run `kvlib measure` with parsed arguments; returns the exit status, 0.

    Raises ValueError for a bad argument.
    """
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: this machine has no CUDA GPU that torch can use")
    threads = torch.get_num_threads()
    if args.threads is not None:
        torch.set_num_threads(whole_number("threads", args.threads))
    try:
        measure = _quality if args.quality else _singular_values if args.singular_values else _decode
        kept = measure(args, device)
    finally:
        torch.set_num_threads(threads)
    if args.json:
        record.write(args.json, kept)
        print(f"record written to {args.json}", file=sys.stderr)
    return 0


def _about(args, model, device, **more):
    load = {"load": round(os.getloadavg()[0], 2)} if hasattr(os, "getloadavg") else {}
    return record.provenance(model, _command(), device) | load | more


def _command():
    return shlex.join(["kvlib", *sys.argv[1:]])


def _smollm2(args, device, dtype):
    return load_smollm2(device, dtype)


def _tokens(args, lm):
    text = Path(args.text).read_text(encoding="utf-8") if args.text else quality.text()
    return lm.tokenizer.encode(text).ids


def _decode(args, device):
    if args.shape not in CONTEXTS:
        raise unknown("shape", args.shape, CONTEXTS)
    dtype = args.dtype or default_dtype(device)
    caches = args.caches or list(decode.CACHES)
    contexts = args.contexts or CONTEXTS[args.shape]
    if args.shape == "smollm2":
        decoder = _smollm2(args, device, dtype).decoder
    else:
        decoder = shape_decoder(args.shape, dtype=dtype, device=device)
    about = _about(args, args.shape, device, dtype=dtype)
    progress = Progress(len(caches) * len(contexts) * len(args.batches))
    rows, bandwidth = decode.decode_times(decoder, contexts, caches, args.batches, args.steps, progress)
    print(f"{args.shape}, {dtype}, on {about['device']}, {about['threads']} threads")
    weights = fmt(decoder.weights_bytes)
    print(f"weights {weights}; copy bandwidth {bandwidth / 1e9:.1f} GB/s, read and written\n")
    print(table(rows, COLUMNS))
    return about | {
        "weights_bytes": decoder.weights_bytes,
        "copy_bandwidth": round(bandwidth),
        "rows": [_rounded(row) for row in rows],
    }


def default_dtype(device) -> str:
    """fp32 on a CPU. On CUDA bf16, or fp16 below compute capability 8, where bf16 has no arithmetic."""
    if torch.device(device).type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


def _measured(show):
    """A cell of a row that was measured; one whose cache did not fit says so."""
    return lambda row: show(row) if "seconds" in row else "does not fit"


COLUMNS = {
    "cache": lambda row: row["cache"],
    "batch": lambda row: row["batch"],
    "context": lambda row: f"{row['context']:,}",
    "a step takes": _measured(lambda row: fmt_seconds(row["seconds"])),
    "floor": _measured(lambda row: fmt_seconds(row["floor_seconds"])),
    "reached": _measured(lambda row: f"{row['fraction']:.0%}"),
    "tokens/s": _measured(lambda row: f"{row['batch'] / row['seconds']:,.1f}"),
    "cache predicted": _measured(lambda row: fmt(row["predicted_bytes"])),
    "measured": _measured(lambda row: fmt(row["cache_bytes"])),
    "peak memory": _measured(lambda row: fmt(row["peak_bytes"])),
}


def _rounded(row):
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in row.items()}


def _quality(args, device):
    lm = _smollm2(args, device, "fp32")
    tokens = _tokens(args, lm)
    half = len(tokens) // 2
    about = _about(args, "smollm2-135m", device)
    runs = {
        "precision": quality.precisions(lm.decoder, tokens),
        "window": quality.windows(lm.decoder, tokens),
        "rank": lowrank.ranks(lm.decoder, tokens[:half], tokens[half:]),
        "rank_rotated": lowrank.ranks(lm.decoder, tokens[:half], tokens[half:], rotated=True),
    }
    windows = 2 * len(quality.WINDOWS) + 1
    progress = Progress(len(quality.PRECISIONS) + windows + 2 * len(lowrank.RANKS))
    kept = about | {"tokens": len(tokens), "rank_tokens": len(tokens) - half}
    for name, rows in runs.items():
        kept[name] = []
        for row in rows:
            kept[name].append(row)
            progress.step(f"{name}: perplexity {row['perplexity']:.1f}")
    print(f"SmolLM2 on {len(tokens):,} tokens: perplexity by what the cache keeps\n")
    for name in runs:
        columns = {column: lambda row, column=column: row[column] for column in kept[name][0]}
        print(f"{name.replace('_', ', ')}\n{table(kept[name], columns)}\n")
    return kept


def _singular_values(args, device):
    lm = _smollm2(args, device, "fp32")
    tokens = _tokens(args, lm)
    layers = lowrank.singular_values(lm.decoder, tokens)
    rows = [{"layer": i, "values": values} for i, values in enumerate(layers)]
    columns = {"layer": lambda row: row["layer"]} | {
        heading: lambda row, name=name: lowrank.needed(row["values"][name], 0.9)
        for name, heading in (("k", "keys"), ("k_rotated", "rotated keys"), ("v", "values"))
    }
    widest = len(layers[0]["k"])
    print(f"directions, of {widest}, that carry 90 % of the sum of squares, on {len(tokens):,} tokens\n")
    print(table(rows, columns))
    about = _about(args, "smollm2-135m", device)
    return about | {"tokens": len(tokens), "layers": layers}
