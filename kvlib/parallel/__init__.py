"""Tensor and context parallelism: one decoder over several processes, each with a share of the cache.

    runs = run(load_smollm2, "The cache of", ranks=3)                       heads shared out
    shard_layout(layout, 3).bytes(context)                                  what the cache of each takes
    runs = run(load_smollm2, "The cache of", ranks=2, parallel="context")   tokens shared out
    context_bytes(layout, context, rank=0, ranks=2)                         what the cache of one takes

By tensor parallelism every rank keeps its query heads with the KV heads that they read, and its share of
the MLP. What the ranks compute is added up twice a layer, after the heads and after the MLP (Megatron-LM,
arXiv 1909.08053). By context parallelism every rank keeps some of the tokens: see `kvlib.parallel.context`.
"""

from .context import ContextCache, ContextDecoder, context_bytes, rank_tokens
from .processes import launch
from .shards import ShardedDecoder, shard_layout
from .text import RankRun, run

__all__ = [
    "ContextCache", "ContextDecoder", "RankRun", "ShardedDecoder", "context_bytes", "launch", "rank_tokens",
    "run", "shard_layout",
]  # fmt: skip
