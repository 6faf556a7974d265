"""One table of levers: the factor of the formula that each changes, what it keeps, its cost, where it is.

What was measured comes from the record "retrieval" (`kvlib.measure.retrieval`) and, of low rank, from
"quality"; what is kept is computed from layouts; of what cannot be run here, the paper is named.
"""

from ..configs import layout
from ..units import dtype
from . import records
from .progress import table as as_text

# Of a record's rows by their kind: the factor of the formula, and where it is found.
FOUND = {
    "fp8": ("bytes", "vLLM, SGLang: --kv-cache-dtype fp8_e4m3"),
    "int8": ("bytes", "llama.cpp: --cache-type-k q8_0"),
    "int4": ("bytes", "llama.cpp: q4_0; transformers: QuantizedCache"),
    "int2": ("bytes", "transformers: QuantizedCache"),
    "sliding": ("tokens", "Gemma 3; TensorRT-LLM: max_attention_window"),
    "h2o": ("tokens", "kvpress: ObservedAttentionPress"),
    "snapkv": ("tokens", "kvpress: SnapKVPress"),
}
COLUMNS = "lever", "factor", "kept", "perplexity", "facts", "found in"


def kept(row, model, context) -> float:
    """Of the bytes that bf16 takes for `context` tokens, the share that the cache of a record's row keeps."""
    if row["kind"] == "quantized":
        return dtype(f"{row['codes']}-g32").bits / 16
    if row["kind"] == "fp8":
        return 0.5
    tokens = min(context, row.get("window", row.get("budget", context)) + row.get("sinks", 0))
    sums = 4 * sum(kv.n_kv_heads for kv in model.layers) if row["kind"] == "h2o" else 0
    return tokens * (1 + sums / model.bytes_per_token("bf16")) / context


def rows(record=None) -> list[dict]:
    """The table's rows, {heading: text}, from a record of `kvlib measure --retrieval` (None: the book's)."""
    record = record or records.record("retrieval")
    model, full = layout("smollm2-135m"), record["rows"][0]
    made = []
    for row in sorted(record["rows"][1:], key=lambda row: [*FOUND].index(_lever(row))):
        factor, where = FOUND[_lever(row)]
        share = kept(row, model, record["prompt_tokens"])
        cost = f"{row['perplexity'] / full['perplexity'] - 1:+.1%}"
        facts = f"{sum(row['found'])} of {len(row['found'])}"
        made.append((row["name"], factor, f"{share:.0%}", cost, facts, where))
    return [dict(zip(COLUMNS, row, strict=True)) for row in made + _elsewhere()]


def _lever(row):
    return row.get("codes", row["kind"])


def _elsewhere():
    """What needs another model or more training, or keeps every byte."""
    ranks = records.record("quality")["rank"]
    half = next(row for row in ranks if row["rank"] == ranks[-1]["rank"] // 2)
    poorer = f"{half['perplexity'] / ranks[-1]['perplexity'] - 1:+.1%}"
    sharing = layout("gemma-3n-e4b").layers
    own = sum(kv.kind != "shared" for kv in sharing) / len(sharing)
    latent = layout("deepseek-v3").layers[0].bytes_per_token()
    index = dtype("fp8").nbytes(128) + dtype("fp32").bytes
    return [
        ("low rank, half", "numbers", "50%", poorer, "-", "trained so: DeepSeek's MLA"),
        ("cross-layer sharing", "layers", f"{own:.0%}", "CLA", "-", "trained so: Gemma 3n"),
        ("sparse reading", "none", f"{1 + index / latent:.0%}", "DSA", "-", "trained so: DeepSeek-V3.2"),
        ("offloading", "none", "100%", "exact", "all", "SGLang: --enable-hierarchical-cache"),
    ]


def table(record=None) -> str:
    """`rows` as text."""
    return as_text(rows(record), {heading: lambda row, heading=heading: row[heading] for heading in COLUMNS})
