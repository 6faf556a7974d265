"""Tensor parallelism: one decoder over several processes, each with its heads and their cache.

    runs = run(load_smollm2, "The cache of", ranks=3)     the text, from three processes
    shard_layout(layout, 3).bytes(context)                 what the cache of each takes

Every rank keeps its query heads with the KV heads that they read, and its share of the MLP. What the
ranks compute is added up twice a layer, after the heads and after the MLP (Megatron-LM, arXiv 1909.08053).
"""

from .processes import launch
from .shards import ShardedDecoder, shard_layout
from .text import RankRun, run

__all__ = ["RankRun", "ShardedDecoder", "launch", "run", "shard_layout"]
