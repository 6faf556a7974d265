"""What `kvlib measure` does: measure, show a table, compare, draw, and write a record."""

import os
import shlex
import sys
from pathlib import Path

import torch

from ..smollm2 import load_smollm2
from ..units import fmt, unknown, whole_number
from . import compare, decode, lowrank, plots, quality, record, retrieval
from .progress import Progress, table
from .rows import COLUMNS, why
from .shapes import SHAPES, shape_decoder
from .timing import copy_bytes

PICTURES = (".png", ".svg", ".pdf")
CONTEXTS = {"smollm2": (128, 512, 2048)} | dict.fromkeys(SHAPES, (512, 2048, 8192, 32768))
# With 32 KV heads a sequence takes four times the room that it takes with 8, so they come one at a time.
BATCHES = {"smollm2": (1,), "1b": (1, 8, 32), "7b": (1,), "7b-gqa": (1, 16), "8b": (1, 16)}


def run(args) -> int:
    """Run `kvlib measure` with parsed arguments; returns the exit status, 0.

    Raises ValueError for a bad argument.
    """
    others = _others(args)
    _check_files(args, measured=len(others) < 2)
    if len(others) == 2:
        a, b = others.items()
    else:
        kept = _measured(args)
        if args.json:
            record.write(args.json, kept)
            print(f"record written to {args.json}", file=sys.stderr)
        a, b = ("this run", kept), next(iter(others.items()), None)
    if b:
        _compared(a, b)
    if args.plot:
        plots.step_times(a[1]["rows"], dict([b] if b else []), label=a[0]).savefig(args.plot, dpi=144)
        print(f"picture drawn in {args.plot}", file=sys.stderr)
    return 0


def _others(args) -> dict:
    """The records to compare with, by the names they were given by."""
    for option in ("compare", "plot"):
        if getattr(args, option) and (args.quality or args.singular_values or args.retrieval):
            raise ValueError(f"{option} is for decode times, not for --quality and its like")
    others = {given: compare.read(given) for given in args.compare or ()}
    if len(args.compare or ()) != len(others) or len(others) > 2:
        raise ValueError("compare takes one record, or two that differ")
    of = [record["model"] for record in others.values()]
    if len(of) == 1 and of != [args.shape]:
        raise ValueError(f"compare: {args.compare[0]} is a record of {of[0]}; add --shape {of[0]}")
    if len(set(of)) == 2:
        raise ValueError(f"compare: both records must be of one model, not of {of[0]} and {of[1]}")
    return others


def _check_files(args, measured):
    """Before anything is measured: what is to be written can be."""
    if args.json and not measured:
        raise ValueError("json is for what is measured; with two records to compare, nothing is")
    for option, file in (("json", args.json), ("plot", args.plot)):
        if file and not Path(file).absolute().parent.is_dir():
            raise ValueError(f"{option}: there is no folder {Path(file).parent}")
    if args.plot and (kind := Path(args.plot).suffix) not in PICTURES:
        raise ValueError(f"plot must be a file whose name ends in {', '.join(PICTURES)}, not in {kind!r}")


def _measured(args) -> dict:
    """The record of what `args` ask for."""
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: this machine has no CUDA GPU that torch can use")
    threads = torch.get_num_threads()
    if args.threads is not None:
        torch.set_num_threads(whole_number("threads", args.threads))
    try:
        if args.retrieval:
            return _retrieval(args, device)
        measure = _quality if args.quality else _singular_values if args.singular_values else _decode
        return measure(args, device)
    finally:
        torch.set_num_threads(threads)


def _compared(a, b):
    """Print two records, (name, record) each, side by side."""
    for letter, (name, of) in zip("AB", (a, b), strict=True):
        print(f"\n{letter}  {name}: {compare.about(of)}", end="")
    print("\n")
    print(table(compare.pairs(a[1], b[1]), compare.COLUMNS))
    for letter, one, other in (("A", a, b), ("B", b, a)):
        for line in compare.alone(one[1], other[1]):
            print(f"only in {letter}: {line}")


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
    if args.no_graph and torch.device(device).type != "cuda":
        raise ValueError(f"no-graph is for CUDA: a step on {device} is no graph")
    dtype = args.dtype or default_dtype(device)
    caches = args.caches or list(decode.CACHES)
    contexts, batches = args.contexts or CONTEXTS[args.shape], args.batches or BATCHES[args.shape]
    if args.shape == "smollm2":
        decoder = _smollm2(args, device, dtype).decoder
    else:
        decoder = shape_decoder(args.shape, dtype=dtype, device=device)
    decoder.graph = not args.no_graph
    about = _about(args, args.shape, device, dtype=dtype)
    copied = copy_bytes(device)
    progress = Progress(len(caches) * len(contexts) * len(batches))
    rows, bandwidth = decode.decode_times(
        decoder, contexts, caches, batches, args.steps, progress, copy_bytes=copied
    )
    print(f"{args.shape}, {dtype}, on {about['device']}, {about['threads']} threads")
    weights = fmt(decoder.weights_bytes)
    print(f"weights {weights}; a copy of {fmt(copied)}: {bandwidth / 1e9:.1f} GB/s, read and written\n")
    print(table(rows, COLUMNS))
    for row in rows:
        if "failed" in row:
            print(why(row))
    return about | {
        "weights_bytes": decoder.weights_bytes,
        "copy_bytes": copied,
        "copy_bandwidth": round(bandwidth),
        "rows": [_rounded(row) for row in rows],
    }


def default_dtype(device) -> str:
    """fp32 on a CPU. On CUDA bf16, or fp16 below compute capability 8, where bf16 has no arithmetic."""
    if torch.device(device).type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


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


def _retrieval(args, device):
    lm = _smollm2(args, device, "fp32")
    prompt, tail, questions = retrieval.material(lm.tokenizer)
    kept = _about(args, "smollm2-135m", device) | {
        "text": retrieval.NAMED,
        "prompt_tokens": len(prompt),
        "scored_tokens": len(tail) - 1,
        "facts": len(questions),
        "rows": [],
    }
    progress = Progress(len(retrieval.CACHES))
    for row in retrieval.rows(lm.decoder, prompt, tail, questions):
        kept["rows"].append(row)
        progress.step(f"{row['name']}: perplexity {row['perplexity']:.1f}")
        if args.json:
            record.write(args.json, kept)  # a run that is stopped leaves the rows that it has
    columns = {
        "cache": lambda row: row["name"],
        "bytes": lambda row: f"{row['bytes']:,}",
        "perplexity": lambda row: row["perplexity"],
        "facts": lambda row: sum(row["found"]),
    }
    print(f"SmolLM2 behind a prompt of {len(prompt):,} tokens with {len(questions)} facts\n")
    print(table(kept["rows"], columns))
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
