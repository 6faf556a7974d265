"""Attention over cached keys and values: one call for every cache and every head sharing.

A cache hands out a `View`: where a layer's keys and values lie. The reference here gathers what
the view points at, on any device, and is right for every cache. A kernel that can read the view
where it lies takes its place and gives the same numbers (`kvlib.kernels`; KVLIB_KERNELS=off
leaves the reference alone).

Keys and values are never expanded for grouped-query attention. The G = H / H_kv query heads that
share a KV head become G × T rows of one matrix, so each key is read once.
"""

import os
from dataclasses import dataclass
from importlib import import_module

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

# Queries in one block of a prefill: bounds the mask, and skips keys that none of them sees.
QUERY_BLOCK = 256
# On a GPU. Not cuDNN's, which would come first on some and plans anew for every length.
FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(kw_only=True, eq=False)
class View:
    """Where one layer's keys and values lie, and which of them the newest tokens see.

    first, last  [B], whole numbers on the memory's device: the newest token of sequence b sees its
                 tokens at positions first[b] … last[b] − 1, and the sinks before them
    new          how many of the newest tokens may ask: their keys and values are there too
    window       tokens that each of them sees, itself included; None means all before it
    sinks        first tokens that stay visible whatever the window (StreamingLLM, arXiv 2309.17453)
    storable     whether a kernel may store the new token itself, where the view says that it lies; or
                 only the cache's own `write` can
    written      whether the new tokens' keys and values are there yet

    A view is of one step: the next `append` may change its tensors in place.
    """

    first: torch.Tensor
    last: torch.Tensor
    new: int
    window: int | None = None
    sinks: int = 0
    storable: bool = False
    written: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """B, H_kv, D."""
        raise NotImplementedError

    def gather(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [B, H_kv, S, D], oldest first, each sequence's newest token last."""
        raise NotImplementedError

    def padding(self, S: int) -> torch.Tensor | None:
        """[B]: how many of the S gathered tokens of each sequence are padding in front; None: none are."""
        raise NotImplementedError


@dataclass(kw_only=True, eq=False)
class ContiguousView(View):
    """Keys and values k, v [B, H_kv, slots, D]; `length` tokens have passed in every sequence.

    The token at position p lies in slot p. With more tokens than slots the memory is a ring behind
    the sinks: from there on a token lies in slot sinks + (p − sinks) mod (slots − sinks).
    pad  [B]: positions at the front of each sequence that are padding (None: there are none)
    """

    k: torch.Tensor
    v: torch.Tensor
    length: int
    pad: torch.Tensor | None = None

    @classmethod
    def of(cls, k, v, window=None, sinks=0, pad=None) -> "ContiguousView":
        """A view of keys and values [B, H_kv, S, D] that lie in the order of their tokens."""
        if k.shape != v.shape:
            raise ValueError(f"k and v must have one shape, not {[*k.shape]} and {[*v.shape]}")
        S = k.shape[2]
        first, last = visible_span(torch.full((len(k),), S, device=k.device), window, pad)
        return cls(
            k=k, v=v, length=S, pad=pad, first=first, last=last, new=S, window=window, sinks=sinks
        )  # fmt: skip

    @property
    def shape(self):
        return self.k.shape[0], self.k.shape[1], self.k.shape[3]

    def gather(self):
        slots, sinks = self.k.shape[2], self.sinks
        if self.length <= slots:
            return self.k[:, :, : self.length], self.v[:, :, : self.length]
        oldest = sinks + (self.length - sinks) % (slots - sinks)
        parts = slice(0, sinks), slice(oldest, None), slice(sinks, oldest)
        return tuple(torch.cat([x[:, :, part] for part in parts], dim=2) for x in (self.k, self.v))

    def padding(self, S):
        return None if self.pad is None else (self.pad - (self.length - S)).clamp(min=0)


def visible_span(lengths, window=None, pad=None):
    """first, last [B] of a `View` whose sequences have `lengths` [B] tokens, padding included."""
    first = torch.zeros_like(lengths) if window is None else (lengths - window).clamp(min=0)
    if pad is not None:  # a padding token sees itself, or it would see nothing
        first = torch.maximum(first, torch.minimum(pad, lengths - 1))
    return first, lengths


def kernels(device, dtype):
    """What reads views of this device and dtype faster than the reference does: a module, or None."""
    if os.environ.get("KVLIB_KERNELS") == "off":
        return None
    return import_module(f"{__package__}.kernels").kernels_for(device, dtype)


def attention(q, view: View):
    """What the last T tokens of each sequence read; causal.

    q  [B, H, T, D], their queries; T at most view.new
    Returns [B, H, T, D]. Raises ValueError for shapes that do not fit together.
    """
    check_queries(q, view)
    faster = kernels(q.device, q.dtype)
    if faster and (out := faster.attention(q, view)) is not None:
        return out
    k, v = (x.to(q.dtype) for x in view.gather())
    return reference(q, k, v, view.window, view.sinks, view.padding(k.shape[2]))


def check_queries(q, view: View) -> None:
    """Raises ValueError unless q [B, H, T, D] can read the view: compiled kernels check no bounds."""
    B, H, T, D = q.shape
    sequences, n_kv_heads, head_dim = view.shape
    if (sequences, head_dim) != (B, D):
        raise ValueError(f"q must have the view's B={sequences} and D={head_dim}, not B={B} and D={D}")
    if H % n_kv_heads:
        raise ValueError(f"q's heads must be divisible by k's: {H} query heads over {n_kv_heads} KV heads")
    if not view.written:
        raise ValueError("the view's new tokens are not there yet: write their keys and values first")
    if view.new < T:
        raise ValueError(f"q is of {T} new tokens, but the view is of {view.new} alone")


def reference(q, k, v, window=None, sinks=0, pad=None):
    """Attention of q [B, H, T, D] over k, v [B, H_kv, S, D], oldest first, the T new ones last.

    Who may see whom follows from the shapes: of S keys, the last T belong to the T new tokens.
    """
    T, S = q.shape[2], k.shape[2]
    sees_all = (window is None or S <= window) and pad is None
    if T > QUERY_BLOCK:
        if sees_all and S == T and _flash_serves(q):
            return _fused(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])
        parts = []
        for start in range(0, T, QUERY_BLOCK):
            end = min(start + QUERY_BLOCK, T)
            seen = S - T + end  # later keys are in the future of the whole block
            parts.append(reference(q[:, :, start:end], k[:, :, :seen], v[:, :, :seen], window, sinks, pad))
        return torch.cat(parts, dim=2)
    if T == 1 and (sees_all or (pad is None and S <= window + sinks)):
        mask = None
    else:
        mask = visible(T, S, window, sinks, pad, device=q.device)
    return grouped(q, k, v, mask)


def received(q, k, newest=None):
    """The weight that each key gets from the new tokens' queries, summed: [B, H_kv, S] in float32.

    q  [B, H, T, D] and k [B, H_kv, S, D], the T new tokens last, as `reference` takes them; causal
    newest  of how many of the last queries (None: of all T)
    The G query heads of a KV head add up: what is dropped, all of them lose. Fused attention never
    shows these weights, so whoever needs them computes them a second time, a block of queries at once.
    """
    T, S, D = q.shape[2], k.shape[2], q.shape[3]
    total = torch.zeros(k.shape[:3], device=k.device)
    keys = k.to(q.dtype).transpose(-1, -2)[:, :, None]  # [B, H_kv, 1, D, S]
    for start in range(T - min(newest or T, T), T, QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, T)
        seen = S - T + end
        rows = q[:, :, start:end].unflatten(1, (k.shape[1], -1))  # [B, H_kv, G, t, D]
        scores = (rows @ keys[..., :seen]).float() * D**-0.5
        hidden = ~visible(end - start, seen, device=q.device)
        weights = scores.masked_fill_(hidden, float("-inf")).softmax(dim=-1)
        total[:, :, :seen] += weights.sum(dim=(2, 3))
    return total


def grouped(q, k, v, mask=None):
    """Attention with query heads grouped over their KV head. mask [1 or B, 1, T, S], True = visible."""
    B, H, T, D = q.shape
    H_kv = k.shape[1]
    G = H // H_kv
    rows = q.reshape(B, H_kv, G * T, D)  # head h reads KV head h // G
    if mask is None and not q.is_cuda:
        return _few_rows(rows, k, v).reshape(B, H, T, D)
    if mask is not None:
        mask = mask.repeat(1, 1, G, 1)  # [1 or B, 1, G·T, S]
    return _fused(rows, k, v, attn_mask=mask).reshape(B, H, T, D)


def _flash_serves(q):
    """Whether FlashAttention can take q: elsewhere PyTorch would keep all T² scores of grouped heads."""
    return q.is_cuda and q.dtype.itemsize == 2 and torch.cuda.get_device_capability(q.device) >= (8, 0)


def _fused(q, k, v, **how):
    if not q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, **how)
    with sdpa_kernel(FUSED):
        return F.scaled_dot_product_attention(q, k, v, **how)


def _few_rows(rows, k, v):
    """A few rows that see every key, on a CPU.

    Two plain products read K and V once each. Keys stand on the left: with so few rows
    on the right, that is the order in which the CPU's matrix product runs fastest. Softmax
    wants each row in one piece, so the scores, far smaller than K, are turned first.
    """
    scores = k @ (rows * rows.shape[-1] ** -0.5).transpose(-1, -2)  # [B, H_kv, S, G·T]
    scores = scores.transpose(-1, -2).contiguous()  # [B, H_kv, G·T, S]
    return torch.softmax(scores, dim=-1) @ v


def visible(T, S, window=None, sinks=0, pad=None, device=None):
    """[1 or B, 1, T, S]: True where new token t may see key s. Padding sees padding, itself only."""
    query = torch.arange(S - T, S, device=device)[:, None]
    key = torch.arange(S, device=device)
    mask = key <= query
    if window is not None:
        mask &= (key > query - window) | (key < sinks)
    mask = mask[None, None]
    if pad is not None:
        # A row without one visible key would be 0/0; a padding token sees itself.
        mask = mask & ((key >= pad.view(-1, 1, 1, 1)) | (key == query))
    return mask
