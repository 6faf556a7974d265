"""`make bench`: this engine beside transformers and beside the machine's own memory.

    python -m tools.bench [--threads N] [--rounds N] [--only NAME,…] [--json FILE]

The same weights, dtype, threads and prompts; what is compared takes turns; medians. A thread without
work spins for a moment and then sleeps. If it slept at once, waking it would cost more than a small
product; if it spun for long, then with any other busy process on two cores each thread would wait for
the other, and a step would take ten times as long.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

# Before torch is imported, which reads them once.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # GNU's; some tenths of a millisecond
os.environ.setdefault("KMP_BLOCKTIME", "1")  # LLVM's and Intel's, in milliseconds

import torch

from kvlib.cache import make_cache
from kvlib.layouts import CacheLayout
from kvlib.measure import attention_against_copy, record
from kvlib.measure.decode import fill
from kvlib.measure.progress import table
from kvlib.measure.timing import Copy, median, spread, timed
from kvlib.smollm2 import load_smollm2
from kvlib.units import GB, fmt_seconds, unknown, whole_number

from .bench_transformers import cuda, decode


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="of both sides (default: OMP_NUM_THREADS, or all cores)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (default 3)")
    parser.add_argument("--only", metavar="NAME,…", help=f"some of {', '.join(BENCHES)}")
    parser.add_argument("--json", metavar="FILE", help="write a record")
    args = parser.parse_args(argv)
    chosen = args.only.split(",") if args.only else list(BENCHES)
    for name in chosen:
        if name not in BENCHES:
            parser.error(str(unknown("bench", name, BENCHES)))
    if args.threads:
        torch.set_num_threads(whole_number("threads", args.threads))
    about = record.provenance("bench", " ".join(["python", "-m", "tools.bench", *(argv or sys.argv[1:])]))
    print(f"{about['device']}, {about['threads']} threads, torch {about['versions']['torch']}")
    kept = about | quiet()
    for name in chosen:
        print(f"\n{BENCHES[name].__doc__}\n", flush=True)
        rows = BENCHES[name](args.rounds)
        if rows:
            print(table(rows, {key: lambda row, key=key: row[key] for key in rows[0]}), flush=True)
            kept[name] = rows
    after = quiet(say=False)
    if after["busy"] and not kept["busy"]:
        print("\nSomething else ran before the end: do not trust these times.")
    if args.json:
        record.write(args.json, kept | {"load_after": after["load"], "busy_after": after["busy"]})
    return 0


def quiet(say=True) -> dict:
    """Whether this machine does something else: how much its copies vary, and what else runs on it."""
    seconds = timed({"copy": (copy := Copy())}, repeats=11)["copy"]
    varies = spread(seconds)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    others = _others()
    busy = varies > 0.1 or others > 0.2
    if say:
        bandwidth = copy.moved / median(seconds) / GB
        print(
            f"copy bandwidth {bandwidth:.1f} GB/s, read and written, varies by {varies:.0%}; load {load:.1f}"
        )
        if busy:
            print(
                f"NOT QUIET: others keep {others:.1f} cores busy. Do not trust these times; run them again."
            )
    return {"copy_varies": round(varies, 3), "load": round(load, 2), "others": round(others, 2), "busy": busy}


def _others(seconds=0.5) -> float:
    """Cores that other processes keep busy, over a short time in which this one sleeps (Linux)."""

    def busy():
        fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields) - fields[3] - fields[4]  # less idle and waiting for disks

    try:
        before = busy()
        time.sleep(seconds)
        return (busy() - before) / os.sysconf("SC_CLK_TCK") / seconds
    except OSError:
        return 0.0


def attention_alone(rounds):
    """Decode attention alone, 32 heads over 8 KV heads, head_dim 128, float32 (target: 70 % of a copy)"""
    rows = []
    for batch, context in ((1, 8192), (8, 8192)):
        [row] = attention_against_copy([context], batch, 32, 8, 128, repeats=2 * rounds + 1)
        rows.append({
            "batch": batch, "context": context, "takes": fmt_seconds(row.seconds),
            "floor": fmt_seconds(row.floor_seconds), "of copy bandwidth": f"{row.fraction:.0%}",
        })  # fmt: skip
    return rows


ADDING = CacheLayout.uniform(n_layers=2, n_kv_heads=8, head_dim=128, n_heads=32)
KINDS = {
    "contiguous": {},
    "sliding": dict(window=512, sinks=4),
    "quantized": dict(codes="int4"),
    "paged": {},
}


def adding(rounds, contexts=(1000, 30000), repeats=101):
    """Adding one token, 2 layers of 8 KV heads, head_dim 128, attention apart (target: no growth)"""
    rows = []
    for kind, options in KINDS.items():
        calls = {}
        for context in contexts:
            cache = make_cache(kind, ADDING, capacity=context + repeats + 8, **options)
            fill(cache, context)
            calls[context] = storing(cache)
        took = {context: median(seconds) for context, seconds in timed(calls, repeats, warm=5).items()}
        row = {"cache": kind} | {f"at {context:,}": fmt_seconds(took[context]) for context in contexts}
        rows.append(row | {"ratio": round(took[contexts[-1]] / took[contexts[0]], 2)})
    return rows


def storing(cache):
    """A function that stores one token in every layer."""
    k = v = torch.randn(cache.batch, ADDING.layers[0].n_kv_heads, 1, ADDING.layers[0].head_dim)

    def store():
        cache.append(1)
        for i in range(len(cache.layers)):
            cache.write(i, k, v)

    return store


def profile(rounds):
    """Where a decode step's time goes, SmolLM2, context 2048: in PyTorch's operators and outside them"""
    lm = load_smollm2("cpu")
    cache = lm.make_cache(capacity=2100)
    fill(cache, 2048)
    token = torch.zeros(1, 1, dtype=torch.long)
    for _ in range(3):
        lm.decoder(token, cache)
    with torch.profiler.profile() as profiler:
        for _ in range(5 * rounds):
            lm.decoder(token, cache)
    step = median(timed({"step": lambda: lm.decoder(token, cache)}, 5 * rounds)["step"])
    events = sorted(profiler.key_averages(), key=lambda e: -e.self_cpu_time_total)
    took = [(e.key, e.count // (5 * rounds), e.self_cpu_time_total / 1e6 / (5 * rounds)) for e in events]
    outside = "outside: Numba's loops, Python", "", step - sum(seconds for *_, seconds in took)
    return [
        {"operator": key, "calls": calls, "share": f"{seconds / step:.0%}", "a step": fmt_seconds(seconds)}
        for key, calls, seconds in (outside, *took[:8])
    ]


def widgets(rounds):
    """Widgets"""
    subprocess.run([sys.executable, "-m", "tools.bench_widgets"], check=False)
    return []


def page(rounds):
    """The page's Python, from the press to an answer"""
    subprocess.run([sys.executable, "-m", "tools.bench_runtime"], check=False)
    return []


BENCHES = {
    "decode": decode,
    "attention": attention_alone,
    "adding": adding,
    "profile": profile,
    "cuda": cuda,
    "widgets": widgets,
    "page": page,
}

if __name__ == "__main__":
    sys.exit(main())
