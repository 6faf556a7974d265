"""A Llama-style decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Weights are stored [in, out], so that `x @ w` for one token walks memory in order; what
reads the same input is one matrix (q, k and v; gate and up).
"""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from .attention import attention, loops
from .cache.storage import torch_dtype
from .fixed import Filled
from .layouts import CacheLayout
from .units import whole_number

FEW = 8  # rows for which one pass of our own beats PyTorch's six


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
    """

    def __init__(self, layout: CacheLayout, layers, embedding, norm, *, head=None, rope_theta=1e4, eps=1e-5):
        self.layout, self.layers, self.embedding, self.norm = layout, layers, embedding, norm
        self.head = embedding if head is None else head
        self.eps = eps
        self.n_heads, kv = layout.n_heads, layout.layers[0]
        self.n_kv_heads, self.head_dim = kv.n_kv_heads, kv.head_dim
        self.max_context = layout.max_context or 8192
        self.kernel = loops(self.dtype, self.device)
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
    def forward(self, tokens, cache=None, pad=None, every=False):
        """Logits of the token after the last: [B, vocab]; of every position if `every`: [B, T, vocab].

        tokens  [B, T]; with a cache, those after what it has seen
        pad     [B], without a cache: padding tokens in front (a cache has its own `pad`)
        Raises ValueError beyond max_context.
        """
        T = tokens.shape[1]
        past = 0 if cache is None else cache.length
        pad = pad if cache is None else cache.pad
        if past + T > self.max_context:
            raise ValueError(f"context must be at most {self.max_context} tokens, not {past + T}")
        if pad is None:
            rotary = self.cos[past : past + T], self.sin[past : past + T]  # [T, 1, D]
        else:
            positions = (torch.arange(past, past + T, device=self.device) - pad[:, None]).clamp(min=0)
            rotary = self.cos[positions], self.sin[positions]  # [B, T, 1, D]
        if cache is None:
            windows = [kv.window for kv in self.layout.layers]
            mix = self._mix(tokens, rotary, lambda i, q, k, v: attention(q, k, v, windows[i], pad=pad))
        elif T == 1 and self.kernel and cache.dtype == self.dtype and cache.direct:
            cos, sin = (table.view(-1, self.head_dim).numpy() for table in rotary)
            mix = partial(cache.attend_token, cos=cos, sin=sin)
        else:
            mix = self._mix(tokens, rotary, cache.attend)
        return self._run(tokens, mix, every)

    __call__ = forward

    @torch.inference_mode()
    def step(self, tokens, cache, position):
        """`forward` for one token a sequence, at `position` (a tensor [1] on the device).

        No shape depends on the position, so the same kernels serve every step and a CUDA graph
        can hold them. Needs `cache.fixed`; call `cache.advance` after it. Returns logits [B, vocab].
        """
        at = position if cache.pad is None else position - cache.pad
        shape = (1, 1) if cache.pad is None else (-1, 1, 1)
        rotary = tuple(t.index_select(0, at).view(*shape, self.head_dim) for t in (self.cos, self.sin))
        filled = Filled(position, cache.pad)
        mix = self._mix(tokens, rotary, lambda i, q, k, v: cache.attend_at(i, q, k, v, filled))
        return self._run(tokens, mix)

    def _mix(self, tokens, rotary, attend):
        """A function from layer i and its qkv [B·T, (H + 2 H_kv) × D] to what it reads, [B·T, H × D]."""
        H, H_kv = self.n_heads, self.n_kv_heads

        def mix(i, qkv):
            qkv = qkv.view(*tokens.shape, H + 2 * H_kv, self.head_dim)
            qk = rotate(qkv[:, :, : H + H_kv], *rotary)
            q = qk[:, :, :H].transpose(1, 2)  # [B, H, T, D]
            k = qk[:, :, H:].transpose(1, 2)  # [B, H_kv, T, D]
            v = qkv[:, :, H + H_kv :].transpose(1, 2)
            return attend(i, q, k, v).transpose(1, 2).reshape(tokens.numel(), H * self.head_dim)

        return mix

    def _run(self, tokens, mix, every=False):
        B, T = tokens.shape
        x = self.embedding.index_select(1, tokens.flatten()).t().contiguous()  # [B·T, hidden]
        for i, layer in enumerate(self.layers):
            qkv = self._normed(x, layer.norm) @ layer.qkv
            x = torch.addmm(x, mix(i, qkv), layer.out)
            gate, up = (self._normed(x, layer.mlp_norm) @ layer.gate_up).chunk(2, dim=-1)
            x = torch.addmm(x, F.silu(gate) * up, layer.down)
        if not every:
            x = x.view(B, T, -1)[:, -1]
        logits = self._normed(x, self.norm) @ self.head
        return logits.view(B, T, -1) if every else logits

    def _normed(self, x, weight):
        if self.kernel and len(x) <= FEW:
            return torch.from_numpy(self.kernel.rms_norm(x.numpy(), weight.numpy(), self.eps))
        return F.rms_norm(x, weight.shape, weight, self.eps)


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


def random_decoder(layout, hidden, ffn, vocab, *, dtype="fp32", device="cpu", seed=0, **rest) -> Decoder:
    """A decoder of this shape with random weights: the right speed, no sense.

    hidden, ffn, vocab: widths. Raises ValueError for a count below 1 or a layout without n_heads.
    """
    hidden, ffn, vocab = (
        whole_number("hidden", hidden),
        whole_number("ffn", ffn),
        whole_number("vocab", vocab),
    )
    H, kv = whole_number("n_heads", layout.n_heads), layout.layers[0]
    generator = torch.Generator(device).manual_seed(seed)

    def weight(rows, columns):
        w = torch.empty(rows, columns, dtype=torch_dtype(dtype), device=device)
        return w.normal_(std=rows**-0.5, generator=generator)

    one = torch.ones(hidden, dtype=torch_dtype(dtype), device=device)
    D, H_kv = kv.head_dim, kv.n_kv_heads
    layers = [
        Layer(one, weight(hidden, (H + 2 * H_kv) * D), weight(H * D, hidden), one,
              weight(hidden, 2 * ffn), weight(ffn, hidden))
        for _ in layout.layers
    ]  # fmt: skip
    return Decoder(layout, layers, weight(hidden, vocab), one, head=weight(hidden, vocab), **rest)
