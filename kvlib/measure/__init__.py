"""What a real cache takes, in time and memory, beside what kvlib predicts.

`kvlib measure` runs what is here; chapters call the functions by name. Nothing imports
torch before it is called.
"""

from importlib import import_module

_LAZY = {
    "attention_against_copy": "attention_speed",
    "copy_bandwidth": "timing",
    "timed": "timing",
    "decode_times": "decode",
    "shape_decoder": "shapes",
    "step_times": "plots",
    "perplexity": "quality",
    "precisions": "quality",
    "windows": "quality",
    "text": "quality",
    "singular_values": "lowrank",
    "ranks": "lowrank",
    "default_dtype": "command",
    "run": "command",
}

__all__ = [*_LAZY, "add_arguments"]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'kvlib.measure' has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def add_arguments(parser) -> None:
    """The options of `kvlib measure`, added to an argparse parser."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--quality", action="store_true", help="perplexity against precision, window and rank, not time"
    )
    what.add_argument(
        "--singular-values", action="store_true", help="of SmolLM2's keys and values, layer by layer"
    )
    what.add_argument(
        "--retrieval", action="store_true",
        help="perplexity behind a prompt of 7,552 tokens, and facts planted in it that are found again",
    )  # fmt: skip
    parser.add_argument(
        "--shape", default="smollm2",
        help="smollm2; or with random weights 1b (Llama 3.2's), 7b (Llama 2's), 7b-gqa (the same with 8 KV "
        "heads) or 8b (Llama 3.1's)",
    )  # fmt: skip
    parser.add_argument("--contexts", type=_numbers, metavar="N,N,…", help="tokens before the new one")
    parser.add_argument("--batches", type=_numbers, metavar="N,N,…", help="sequences (default: by the shape)")
    parser.add_argument(
        "--caches", type=_names, metavar="NAME,…",
        help="none, contiguous, sliding, int8, int4, int2, paged (default: all)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=15, help="steps that a median is of (15)")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument(
        "--dtype",
        help="fp32, bf16 or fp16 (default: fp32 on a CPU; on CUDA what the GPU has arithmetic for)",
    )
    parser.add_argument(
        "--no-graph", action="store_true", help="on CUDA, launch a step's kernels one by one, not as a graph"
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--text", metavar="FILE", help="a text for --quality (default: the course's)")
    parser.add_argument("--json", metavar="FILE", help="write a record, with all that is needed to repeat it")
    parser.add_argument(
        "--compare", action="append", metavar="RECORD",
        help="beside this run, a record: decode (the book's) or a file of one; given twice, those two alone",
    )  # fmt: skip
    parser.add_argument("--plot", metavar="FILE", help="draw the times over context (.png, .svg, .pdf)")


def _numbers(text):
    return [int(part) for part in text.split(",")]


def _names(text):
    return [part.strip() for part in text.split(",")]
