"""A Llama-style decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Weights are stored [in, out], so that `x @ w` for one token walks memory in order; what
reads the same input is one matrix (q, k and v; gate and up).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .attention import ContiguousView, attention, kernels
from .layouts import CacheLayout
from .units import whole_number


@dataclass
class Layer:
    """One layer's weights."""

    norm: torch.Tensor  # [hidden]
    qkv: torch.Tensor  # [hidden, (H + 2 H_kv) D]
    out: torch.Tensor  # [H D, hidden]
    mlp_norm: torch.Tensor  # [hidden]
    gate_up: torch.Tensor  # [hidden, 2 ffn]
    down: torch.Tensor  # [ffn, hidden]


class Decoder:
    """Tokens to logits.

    layout     heads, head_dim and windows, from which its caches are made too
    embedding  [hidden, vocab], a column a token; also the output head unless `head` is given
    rope_theta, eps  rotary base and the norms' epsilon

    Attribute graph: on a GPU, whether a step of one token is captured as a CUDA graph when a cache
    first takes it, and replayed from then on; else its kernels are launched one by one.
    """

    def __init__(self, layout: CacheLayout, layers, embedding, norm, *, head=None, rope_theta=1e4, eps=1e-5):
        self.layout, self.layers, self.embedding, self.norm = layout, layers, embedding, norm
        self.head = embedding if head is None else head
        self.eps = eps
        self.n_heads = whole_number("n_heads", layout.n_heads)
        self.n_kv_heads, self.head_dim = layout.n_kv_heads, layout.head_dim
        self.max_context = layout.max_context or 8192
        self.kernels = kernels(self.device, self.dtype)
        self.graph = True
        self.cos, self.sin = rotary_tables(self.max_context, self.head_dim, rope_theta, embedding)

    @property
    def dtype(self) -> torch.dtype:
        return self.embedding.dtype

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @property
    def weights_bytes(self) -> int:
        """Bytes of weights; a tied embedding counts once."""
        tensors = [t for layer in self.layers for t in vars(layer).values()] + [self.norm, self.embedding]
        if self.head is not self.embedding:
            tensors.append(self.head)
        return sum(t.nbytes for t in tensors)

    @torch.inference_mode()
    def forward(self, tokens, cache=None, pad=None, logits_to_keep=None):
        """Logits of the token after the last: [B, vocab].

        tokens  [B, T]; with a cache, those after what it has seen
        pad     [B], without a cache: padding tokens in front (a cache has its own `pad`)
        logits_to_keep  as in transformers, of how many last positions (0: all); [B, n, vocab] then
        Raises ValueError beyond max_context, or for another number of sequences than the cache's.
        """
        B, T = tokens.shape
        past = 0 if cache is None else cache.length
        if past + T > self.max_context:
            raise ValueError(f"context must be at most {self.max_context} tokens, not {past + T}")
        if cache is not None and B != cache.batch:
            raise ValueError(f"tokens must be of {cache.batch} sequences, as the cache's are, not {B}")
        kept = 1 if logits_to_keep is None else logits_to_keep or T
        logits = None
        if cache is not None:
            cache.append(T)
            if T == 1 and self.graph and self.kernels:
                logits = self.kernels.step(self, tokens, cache)
        if logits is None:
            logits = self.step(tokens, cache, pad, kept)
        return logits[:, -1] if logits_to_keep is None else logits

    __call__ = forward

    def step(self, tokens, cache=None, pad=None, kept=1):
        """Logits [B, kept, vocab] of the last `kept` of the tokens [B, T], for which the cache has room.

        All that `forward` leaves to the device. With the kernels of a GPU nothing of one token's step depends
        on numbers of the host that change, so what is launched once can be replayed for the next token.
        """
        B, T = tokens.shape
        rotary = self._rotary(T, cache, pad)
        x = self.embedding.index_select(1, tokens.flatten()).t().contiguous()  # [B·T, hidden]
        for i, layer in enumerate(self.layers):
            qkv = (self._normed(x, layer.norm) @ layer.qkv).view(B, T, -1, self.head_dim)
            x = self._add(x, self._mix(i, qkv, rotary, cache, pad), layer.out)
            x = self._add(x, self._gated(self._normed(x, layer.mlp_norm) @ layer.gate_up), layer.down)
        x = x.view(B, T, -1)[:, -kept:].flatten(0, 1)
        return (self._normed(x, self.norm) @ self.head).view(B, kept, -1)

    def prepare(self, cache) -> None:
        """Compile now what a step with this cache will need, so that no step waits for it."""
        if self.kernels:
            self.kernels.prepare(cache.view(0), cache.in_place)

    def _add(self, x, y, w):
        """x + y @ w: here, and nowhere else, `kvlib.parallel` adds up what several ranks computed."""
        return x.addmm_(y, w)

    def _mix(self, i, qkv, rotary, cache, pad):
        """What the tokens read in layer i: qkv [B, T, H + 2 H_kv, D] to [B·T, H × D]."""
        H = self.n_heads
        if cache is not None and self.kernels and qkv.shape[1] == 1:
            out = self.kernels.token(qkv, H, *rotary, cache.view(i))  # rotates, stores and reads at once
            if out is not None:
                cache.wrote(i)
                return out
        q, k, v = self._heads(qkv, rotary)
        if cache is None:
            view = ContiguousView.of(k, v, self.layout.layers[i].window, pad=pad)
        else:
            cache.write(i, k, v)
            view = cache.view(i)
        out = attention(q, view)
        if cache is not None:
            cache.observe(i, q)
        return out.transpose(1, 2).reshape(-1, H * self.head_dim)

    def _heads(self, qkv, rotary):
        """Queries [B, H, T, D], keys and values [B, H_kv, T, D] of qkv, rotated."""
        H, H_kv = self.n_heads, self.n_kv_heads
        qk = rotate(qkv[:, :, : H + H_kv], *rotary)
        return (x.transpose(1, 2) for x in (qk[:, :, :H], qk[:, :, H:], qkv[:, :, H + H_kv :]))

    def _rotary(self, T, cache, pad):
        """cos and sin of the T newest tokens: [B or 1, T, 1, D]."""
        if cache is not None:
            positions = cache.rotary_positions()
        else:
            positions = torch.arange(T, device=self.device)[None]
            if pad is not None:
                positions = (positions - pad[:, None]).clamp(min=0)
        shape = *positions.shape, 1, self.head_dim
        cos, sin = (table.index_select(0, positions.flatten()).view(shape) for table in (self.cos, self.sin))
        return cos, sin

    def _normed(self, x, weight):
        if self.kernels and len(x) <= self.kernels.FEW:
            return self.kernels.rms_norm(x, weight, self.eps)
        return F.rms_norm(x, weight.shape, weight, self.eps)

    def _gated(self, gate_up):
        """silu(gate) × up of [rows, 2 ffn]."""
        if self.kernels and len(gate_up) <= self.kernels.FEW:
            return self.kernels.silu_mul(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate) * up


def rotary_tables(max_context, head_dim, theta, like):
    """cos and sin [max_context, 1, D] of each position's angles; the second half repeats the first.

    The first half of sin is negative: `rotate` needs no other sign. RoFormer, arXiv 2104.09864.
    """
    half = torch.arange(0, head_dim, 2, dtype=torch.float32)
    angles = torch.outer(torch.arange(max_context, dtype=torch.float32), 1.0 / theta ** (half / head_dim))
    cos = torch.cat((angles.cos(), angles.cos()), dim=-1)
    sin = torch.cat((-angles.sin(), angles.sin()), dim=-1)
    return tuple(t[:, None].to(like.device, like.dtype) for t in (cos, sin))


def rotate(x, cos, sin):
    """x [B, T, heads, D] turned by its position: halves (a, b) to (a cos − b sin, b cos + a sin)."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)
