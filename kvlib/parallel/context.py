"""Context parallelism: a rank keeps some of a sequence's tokens, with all of their KV heads.

R ranks take the tokens in turn: token p lies on rank p mod R. So the ranks differ by at most one token,
however long the text grows. vLLM 0.33.0 deals them out so with its default cp_kv_cache_interleave_size of 1
(config/parallel.py), and SGLang 0.5.23 (srt/layers/dcp/layout.py). Helix, arXiv 2507.07120, is the paper.

Every rank has the queries of all new tokens. It computes what they read of its own tokens, with the
logarithm of the sum of their weights, and these parts are merged. That is exact: what the kernels do with
the parts of one GPU's memory (flash-decoding), here between processes.
"""

import torch
from torch import distributed as dist

from ..attention import QUERY_BLOCK, visible
from ..cache import Cache
from ..cache.contiguous import Rows
from ..decoder import Decoder, Layer
from ..layouts import CacheLayout
from ..units import whole_number
from .ranks import RankDecoder, check_rank


def context_bytes(layout: CacheLayout, context, rank, ranks, batch=1, dtype="bf16") -> int:
    """Bytes that `rank` keeps of `batch` sequences with `context` tokens each, whose tokens `ranks` share.

    Raises ValueError for a rank that is none of `ranks`, or a layer that keeps something else than every
    token: where a window, a state or compressed entries would lie is not said here.
    """
    _check(layout, rank, ranks)
    own = rank_tokens(whole_number("context", context), rank, ranks)
    return layout.bytes(own, batch, dtype) if own else 0


def rank_tokens(tokens, rank, ranks) -> int:
    """How many of a sequence's first `tokens` tokens lie on `rank`."""
    return len(range(rank, tokens, ranks))


def _check(layout, rank, ranks):
    check_rank(rank, ranks)
    for i, kv in enumerate(layout.layers):
        if kv.window is not None or kv.state or kv.compressed or kv.cross_elements:
            raise ValueError(
                f"layout: layer {i} of {layout.name}, {kv.kind!r}, does not keep every token; "
                "only layers that do are shared out by tokens here"
            )


class ContextCache(Cache):
    """The keys and values of the tokens that lie on `rank`, one of `ranks`; for the rest see `Cache`.

    `length` and `capacity` count all tokens of a sequence, `nbytes` what the rank keeps. It has no `view`:
    a rank alone cannot say what a token reads. `partial_attention` takes what `held` and `seen` give.
    """

    kind = "context"

    def __init__(self, layout, *, rank, ranks, **rest):
        _check(layout, rank, ranks)
        self.rank, self.ranks = rank, ranks
        super().__init__(layout, **rest)

    def storage(self, kv):
        return Rows(kv, rank_tokens(self.capacity, self.rank, self.ranks), **self._like())

    def write(self, layer, k, v):
        """Store those of the new tokens' keys and values [B, H_kv, T, D] that lie here."""
        self.check_new(layer, k, v)
        self.wrote(layer)
        own, slots = self.once(self._own)
        self.layers[layer].write(slots, k[:, :, own], v[:, :, own])

    def _own(self):
        """Which of the new tokens lie here, and in which slots."""
        positions = self.positions()[0]
        own = (positions % self.ranks == self.rank).nonzero()[:, 0]
        return own, positions[own] // self.ranks

    def held(self, layer):
        """The layer's keys and values [B, H_kv, own tokens, D]."""
        store, own = self.layers[layer], self.own_tokens
        return store.k[:, :, :own], store.v[:, :, :own]

    def seen(self):
        """[1 or B, 1, T, own tokens]: True where a new token may see one that lies here."""
        return visible(self.new, self.length, pad=self.pad, device=self.device)[..., self.rank :: self.ranks]

    @property
    def own_tokens(self) -> int:
        """Tokens of each sequence that lie here (padding included)."""
        return rank_tokens(self.length, self.rank, self.ranks)

    @property
    def nbytes(self) -> int:
        return sum(store.held_bytes(self.own_tokens) for store in self.layers)

    def predict(self, context) -> int:
        return context_bytes(self.layout, context, self.rank, self.ranks, self.batch, self.dtype_name)


def partial_attention(q, k, v, seen):
    """What queries read of some of the tokens, and the logarithm of the sum of the weights there.

    q  [B, H, T, D]; k, v [B, H_kv, n, D], of n tokens, 0 too; seen [1 or B, 1, T, n], True = visible
    Returns [B, H, T, D] and [B, H, T], in float32 at least: zeros and −inf where nothing is seen. `merge`
    makes the whole of several.
    """
    exact = torch.promote_types(q.dtype, torch.float32)
    rows, k, v = q.unflatten(1, (k.shape[1], -1)).to(exact), k[:, :, None].to(exact), v[:, :, None].to(exact)
    scores = rows @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # [B, H_kv, G, T, n]
    scores = scores.masked_fill(~seen[:, :, None], float("-inf"))
    total = scores.logsumexp(-1, keepdim=True)  # it takes the largest score out of its sum by itself
    weights = (scores - total.clamp(min=torch.finfo(exact).min)).exp()
    return (weights @ v).flatten(1, 2), total.squeeze(-1).flatten(1, 2)


def merge(parts, totals):
    """Attention over all tokens, from R `partial_attention` ones: parts [R, B, H, T, D], totals [R, B, H, T].

    Each part weighs by its share of the sum of all weights. Every token must see one in some part.
    """
    return (totals.softmax(0)[..., None] * parts).sum(0)


class ContextDecoder(RankDecoder):
    """`whole` on one of `ranks` ranks, with the cache of that rank's tokens, a `ContextCache`.

    Its weights are those of `whole`, all of them. For rank, device and group see `ShardedDecoder`.
    """

    def __init__(self, whole: Decoder, rank: int, ranks: int, *, device=None, group=None):
        _check(whole.layout, rank, ranks)
        self.rank, self.ranks = rank, ranks
        device = device or whole.device
        layers = [Layer(**{name: w.to(device) for name, w in vars(layer).items()}) for layer in whole.layers]
        super().__init__(whole, whole.layout, layers, device=device, group=group)

    def prepare(self, cache):
        """Nothing: no kernel reads a part of the tokens."""

    def _mix(self, i, qkv, rotary, cache, pad):
        if not isinstance(cache, ContextCache) or (cache.rank, cache.ranks) != (self.rank, self.ranks):
            raise ValueError(f"cache must be a ContextCache of rank={self.rank}, ranks={self.ranks}")
        q, k, v = self._heads(qkv, rotary)
        cache.write(i, k, v)
        read = zip(q.split(QUERY_BLOCK, 2), cache.once(cache.seen).split(QUERY_BLOCK, 2), strict=True)
        out, total = zip(*(partial_attention(some, *cache.held(i), seen) for some, seen in read), strict=True)
        out = merge(self._gathered(torch.cat(out, 2)), self._gathered(torch.cat(total, 2)))
        return out.to(q.dtype).transpose(1, 2).reshape(-1, self.n_heads * self.head_dim)

    def _gathered(self, x):
        """Every rank's x, as one tensor [R, …]."""
        x = x.contiguous()
        every = [torch.empty_like(x) for _ in range(self.ranks)]
        dist.all_gather(every, x, group=self.group)
        return torch.stack(every)
