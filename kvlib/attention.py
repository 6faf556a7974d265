"""Attention over cached keys and values: one call for every cache and every head sharing.

Keys and values are never expanded for grouped-query attention. The G = H / H_kv query
heads that share a KV head become G × T rows of one matrix, so each key is read once.

One new float32 token on a CPU, the step that a reply is made of, has loops of its own in
`kvlib.kernels.cpu`; PyTorch's products serve the rest.

Keys come oldest first and the new ones last, so who may see whom follows from the
shapes alone: of S keys, the last T belong to the T new tokens.
"""

import numpy as np
import torch
import torch.nn.functional as F

from .kernels.cpu.memory import Plain

# Queries in one block of a prefill: bounds the mask, and skips keys that none of them sees.
QUERY_BLOCK = 256


def attention(q, k, v, window=None, sinks=0, pad=None):
    """What T new tokens read from S keys and values; causal.

    q       [B, H, T, D], the new tokens' queries
    k, v    [B, H_kv, S, D], S >= T, oldest first, the new ones last
    window  tokens each query sees, itself included; None means all before it
    sinks   first keys that stay visible whatever the window (StreamingLLM's sinks)
    pad     [B] whole numbers: keys at the front of each sequence that are padding

    Returns [B, H, T, D]. Raises ValueError for shapes that do not fit together.
    """
    B, H, T, D = q.shape
    S = check(q, k, v)
    if in_place(q, k, v) and k.is_contiguous() and v.is_contiguous() and (sinks == 0 or window is None):
        first = 0 if window is None else max(0, S - window)
        start = np.full(B, first) if pad is None else pad.numpy().clip(first, S - 1)
        memory = Plain(k.numpy(), v.numpy())
        return attention_in_place(q, memory, k.shape[1], start, np.full(B, S))
    sees_all = (window is None or S <= window) and pad is None
    if T > QUERY_BLOCK:
        if sees_all and S == T and q.is_cuda:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=H != k.shape[1])
        parts = []
        for start in range(0, T, QUERY_BLOCK):
            end = min(start + QUERY_BLOCK, T)
            seen = S - T + end  # later keys are in the future of the whole block
            parts.append(attention(q[:, :, start:end], k[:, :, :seen], v[:, :, :seen], window, sinks, pad))
        return torch.cat(parts, dim=2)
    if T == 1 and (sees_all or (pad is None and S <= window + sinks)):
        mask = None
    else:
        mask = visible(T, S, window, sinks, pad, device=q.device)
    return grouped(q, k, v, mask)


def loops(dtype, device):
    """`kvlib.kernels.cpu` where it serves, for float32 on a CPU; else None. A GPU does without Numba."""
    if dtype != torch.float32 or device.type != "cpu":
        return None
    from .kernels import cpu as kernel

    return kernel


def in_place(q, k, v) -> bool:
    """Whether `attention_in_place` serves these: one new float32 token on a CPU, without gradients."""
    return q.shape[2] == 1 and all(
        x.dtype == torch.float32 and x.device.type == "cpu" and not x.requires_grad for x in (q, k, v)
    )


def attention_in_place(q, memory, n_kv_heads, start, stop):
    """What one new token of each sequence reads from memory (`kvlib.kernels`), wherever its tokens lie there.

    q [B, H, 1, D]; sequence b sees its tokens start[b] … stop[b] - 1. Returns [B, H, 1, D].
    Raises ValueError for another number of sequences.
    """
    if len(q) != len(stop):
        raise ValueError(f"q must have {len(stop)} sequences, as the memory has, not {len(q)}")
    from .kernels.cpu import attend

    rows = q.squeeze(2).contiguous().numpy()
    out = attend(rows, memory, n_kv_heads, start, stop, torch.get_num_threads())
    return torch.from_numpy(out).unsqueeze(2)


def grouped(q, k, v, mask=None):
    """Attention with query heads grouped over their KV head. mask [1 or B, 1, T, S], True = visible."""
    B, H, T, D = q.shape
    H_kv = k.shape[1]
    G = H // H_kv
    rows = q.reshape(B, H_kv, G * T, D)  # head h reads KV head h // G
    if mask is None and not q.is_cuda:
        return _decode(rows, k, v).reshape(B, H, T, D)
    if mask is not None:
        mask = mask.repeat(1, 1, G, 1)  # [1 or B, 1, G·T, S]
    return F.scaled_dot_product_attention(rows, k, v, attn_mask=mask).reshape(B, H, T, D)


def _decode(rows, k, v):
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


def check(q, k, v) -> int:
    B, H, T, D = q.shape
    if k.shape != v.shape or k.shape[0] != B or k.shape[3] != D:
        raise ValueError(
            f"k and v must be [B, H_kv, S, D] with q's B={B} and D={D}, not {[*k.shape]} and {[*v.shape]}"
        )
    H_kv, S = k.shape[1:3]
    if H % H_kv:
        raise ValueError(f"q's heads must be divisible by k's: {H} query heads over {H_kv} KV heads")
    if S < T:
        raise ValueError(f"k must hold the {T} new tokens' keys too, not {S}")
    return S
