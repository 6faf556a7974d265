"""The cache of Hugging Face transformers."""

import dataclasses
from dataclasses import dataclass

from ..configs import architecture
from .base import Engine


@dataclass(frozen=True)
class Transformers(Engine):
    """What a `DynamicCache` holds after a forward pass.

    A windowed or chunked layer keeps the last W − 1 tokens: the next token brings itself, so
    W − 1 old ones complete its window. Falcon's keys and values are copied to every query head
    before they are cached (new decoder architecture only). DeepSeek V4's keys are its values too;
    in its layers without compressed entries both are kept. From transformers 5.23: cache_utils.py,
    `DynamicSlidingWindowLayer.update`; models/falcon/modeling_falcon.py and modeling_deepseek_v4.py.
    The dtype is the model's, so a convolution's inputs are kept in it too.
    """

    name = "transformers"
    counts_indexer = True
    dtypes = ("bf16", "fp16", "fp32")

    def tokens(self, layer, context, batch, layout):
        if layer.window is None or layer.window == 1:
            # Its slice [-W + 1:] is [0:] for W = 1, which drops nothing.
            return context
        return min(context, layer.window - 1)

    def token_bytes(self, layer, layout, dtype):
        record = architecture(layout.architecture)
        if record and record.copied_to_query_heads and layer.n_kv_heads > 1 and layout.n_heads:
            layer = dataclasses.replace(layer, n_kv_heads=layout.n_heads)
        twice = record and record.key_kept_as_value and not layer.compressed
        return layer.bytes_per_token(dtype) * (2 if twice else 1)

    def state_bytes(self, layer, dtype):
        return sum(one.nbytes(one.dtype or dtype, one.positions) for one in layer.state)
