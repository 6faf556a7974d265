"""What one rank of several keeps: its heads in the layout, and its part of a decoder's weights."""

from dataclasses import replace

import torch
from torch import distributed as dist

from ..decoder import Decoder, Layer
from ..layouts import CacheLayout
from ..units import whole_number
from .ranks import RankDecoder, check_rank


def shard_layout(layout: CacheLayout, ranks: int) -> CacheLayout:
    """What each of `ranks` ranks keeps: `layout` with a rank's query heads and KV heads.

    Where there are more ranks than KV heads, a rank keeps one KV head and ranks / H_kv of them keep the
    same one, so that all ranks together keep more than `layout`. A latent is whole on every rank. So does
    vLLM (QKVParallelLinear in model_executor/layers/linear.py; `engine("vllm", tp=ranks)` counts its blocks).

    Raises ValueError where the heads cannot be shared out evenly, or a layer keeps a state or cross
    attention, of which this does not say how they are cut.
    """
    whole_number("ranks", ranks)
    for i, kv in enumerate(layout.layers):
        if kv.state or kv.cross_elements:
            raise ValueError(
                f"layout: layer {i} of {layout.name} keeps a state or cross attention; only the heads of "
                "self-attention are cut here"
            )
    heads, kv_heads = layout.n_heads, {kv.n_kv_heads for kv in layout.layers if _has_heads(kv)}

    def even(n):
        return (not heads or heads % n == 0) and all(h % n == 0 or n % h == 0 for h in kv_heads)

    if not even(ranks):
        counts = [f"{heads} query heads"] if heads else []
        counts += [f"{h} KV heads" for h in sorted(kv_heads)]
        right = [str(n) for n in range(1, (heads or max(kv_heads)) + 1) if even(n)]
        raise ValueError(
            f"ranks must be {' or '.join(right)} for {layout.name}, not {ranks}: {' and '.join(counts)} "
            f"cannot be shared out evenly over {ranks}"
        )
    layers = tuple(
        replace(kv, n_kv_heads=max(1, kv.n_kv_heads // ranks)) if _has_heads(kv) else kv
        for kv in layout.layers
    )
    return replace(layout, layers=layers, n_heads=heads and heads // ranks)


def _has_heads(kv) -> bool:
    """Whether a layer's keys and values can be cut: a latent is one vector for all heads."""
    return kv.elements > 0 and kv.kind != "latent"


class ShardedDecoder(RankDecoder):
    """The part of a decoder that one of `ranks` ranks keeps; torch.distributed joins it to the others.

    whole   the decoder to cut; what the rank keeps is copied, so that `whole` can be dropped
    rank    which part, from 0
    device  where the part goes (None: where `whole` is)
    group   the process group of the ranks (None: all processes)

    Embedding, norms and head are on every rank: each gets the same logits as the others. `layout` is the
    rank's own, and so are the caches made from it.

    Raises ValueError where heads or the MLP's width cannot be shared out evenly.
    """

    def __init__(self, whole: Decoder, rank: int, ranks: int, *, device=None, group=None):
        layout = shard_layout(whole.layout, ranks)
        check_rank(rank, ranks)
        ffn = whole.layers[0].down.shape[0]
        if ffn % ranks:
            raise ValueError(f"ranks must divide ffn: {ffn} columns of the MLP over {ranks} ranks")
        device = device or whole.device
        layers = [_shard_layer(layer, whole, rank, ranks, device) for layer in whole.layers]
        super().__init__(whole, layout, layers, device=device, group=group)

    def _add(self, x, y, w):
        """x + y @ w, where each rank has its columns of y and its rows of w: the ranks' products add up."""
        product = y @ w
        dist.all_reduce(product, group=self.group)
        return x + product


def _shard_layer(layer: Layer, whole: Decoder, rank, ranks, device) -> Layer:
    """The rank's columns of what reads the hidden state, and its rows of what adds to it."""

    def part(w, dim, parts=ranks):
        """The rank's of `parts` equal parts; of fewer parts than ranks, neighbours have the same."""
        return w.chunk(parts, dim)[rank * parts // ranks].to(device, copy=True)

    H, H_kv, D = whole.n_heads, whole.n_kv_heads, whole.head_dim
    q, k, v = layer.qkv.split([H * D, H_kv * D, H_kv * D], dim=1)
    gate, up = layer.gate_up.chunk(2, dim=1)
    kept = min(ranks, H_kv)
    return Layer(
        norm=layer.norm.to(device),
        qkv=torch.cat([part(q, 1), part(k, 1, kept), part(v, 1, kept)], dim=1),
        out=part(layer.out, 0),
        mlp_norm=layer.mlp_norm.to(device),
        gate_up=torch.cat([part(gate, 1), part(up, 1)], dim=1),
        down=part(layer.down, 0),
    )
