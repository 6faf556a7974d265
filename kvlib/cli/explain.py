"""`kvlib explain`: what an engine said, computed again."""

import os
import sys
from dataclasses import asdict

from ..explain import Explanation, explain
from ..explain.facts import MOST
from .options import cards, count, print_json


def add_arguments(parser):
    parser.epilog = (
        "Reads vLLM, SGLang, llama.cpp, Ollama, TensorRT-LLM and torch: paste the lines, or a whole log."
    )
    parser.add_argument(
        "log", nargs="?", default="-", metavar="FILE", help="the log (default: standard input)"
    )
    parser.add_argument(
        "--model", metavar="CONFIG|MODEL", help="a config.json, its folder, a GGUF file or a shipped model"
    )
    parser.add_argument("--gpu", metavar="NAME[:COUNT]", help="H100, 4090:2, or any card as 48GiB@1TB/s")
    parser.add_argument(
        "--tp", type=count, metavar="N", help="GPUs that share each layer, if the log does not say it"
    )
    parser.add_argument("--pp", type=count, metavar="N", help="GPUs that share out the layers")
    parser.add_argument("--dtype", help="the model's (default bf16)")
    parser.add_argument("--kv-cache-dtype", metavar="NAME", help="what the cache is kept in: fp8, q8_0, …")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(args) -> int:
    """What `kvlib explain` prints; returns the exit status."""
    answer = answered(_read(args.log), args)
    if args.json:
        print_json(**asdict(answer))
    else:
        print(answer.text())
    return 0


def answered(log: str | bytes, args) -> Explanation:
    """What is said of a log with these options."""
    gpu, gpus = cards(args.gpu) if args.gpu else (None, 1)
    return explain(
        log,
        model=args.model,
        gpu=gpu,
        dtype=args.dtype,
        cache_dtype=args.kv_cache_dtype,
        tp=args.tp or (gpus if gpus > 1 and not args.pp else None),
        pp=args.pp,
    )


def _read(path: str) -> bytes:
    """The log's bytes; of a larger one its end, which says why an engine stopped."""
    if path == "-":
        if sys.stdin is None:
            raise ValueError("there is no standard input; name the log's file")
        if sys.stdin.isatty():
            print("paste the log, then Ctrl-D:", file=sys.stderr)
        return sys.stdin.buffer.read()[-MOST - 1 :]
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; a log is a file, and a model goes after --model")
    with open(path, "rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - MOST - 1))
        return log.read(MOST + 1)
