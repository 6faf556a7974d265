"""Attention as the definition has it, in float64: no cache, no grouping, one query at a time."""

import torch


def attend(q, k, v, window=None, sinks=0):
    """q [H, T, D], k and v [H_kv, T, D] of one sequence: [H, T, D]."""
    q, k, v = q.double(), k.double(), v.double()
    H, T, D = q.shape
    out = torch.empty_like(q)
    for h in range(H):
        keys, values = k[h // (H // len(k))], v[h // (H // len(v))]
        for t in range(T):
            seen = [j for j in range(t + 1) if window is None or j > t - window or j < sinks]
            weights = torch.softmax(keys[seen] @ q[h, t] / D**0.5, dim=0)
            out[h, t] = weights @ values[seen]
    return out


def batch(q, k, v, window=None, sinks=0):
    """The same for a batch [B, …]."""
    return torch.stack([attend(*one, window, sinks) for one in zip(q, k, v, strict=True)])
