"""Low rank: how few directions the keys and values of each layer really use.

A layer's keys are rows of H_kv × D numbers. Where their singular values fall off quickly, a few
directions carry them, and keeping only the coordinates along those (PCA, as KVTC does, arXiv
2511.01815) takes rank / (H_kv × D) of the bytes.

Rotary positions turn every key by another angle and so spread a direction over many. The keys
are therefore also looked at before rotation; the cache then turns them as it reads them. The
first tokens, to which every later one attends, are unlike all others: they are kept whole.
"""

import torch

from ..attention import ContiguousView
from ..cache import Cache, make_cache
from ..decoder import rotate
from ..units import whole_number
from .quality import perplexity

RANKS = (8, 16, 32, 48, 64, 96, 128, 160, 192)
SINKS = 4  # first tokens kept whole, as KVTC does


def unrotated(k, cos, sin):
    """Keys k [B, H_kv, S, D] as they were before `rotate` turned them by cos, sin [S, 1, D]."""
    return rotate(k.transpose(1, 2), cos, -sin).transpose(1, 2)


@torch.inference_mode()
def keys_and_values(decoder, tokens):
    """What each layer's cache holds of tokens [n] after the sinks, a list of a layer an entry.

    Each entry is {"k", "k_rotated", "v"}, all [n - SINKS, H_kv × D]: k is before rotation,
    k_rotated as attention reads it.
    """
    n = len(tokens)
    options = dict(capacity=n, dtype=decoder.dtype, device=decoder.device)
    cache = make_cache("contiguous", decoder.layout, **options)
    decoder(torch.as_tensor(tokens, device=decoder.device)[None], cache)
    cos, sin = decoder.cos[:n], decoder.sin[:n]
    return [
        {"k": _rows(unrotated(k, cos, sin)), "k_rotated": _rows(k), "v": _rows(v)}
        for k, v in (cache.view(i).gather() for i in range(len(cache.layers)))
    ]


def _rows(x):  # [1, H_kv, S, D] to [S - SINKS, H_kv × D]
    return x[0, :, SINKS:].transpose(0, 1).flatten(1)


def singular_values(decoder, tokens, digits=3):
    """Of each layer's keys and values, the mean taken off, the largest being 1: a list, a layer an entry.

    Each entry is {"k": [...], "k_rotated": [...], "v": [...]} with H_kv × D numbers, largest first.
    """
    layers = []
    for parts in keys_and_values(decoder, tokens):
        values = {name: torch.linalg.svdvals((x - x.mean(0)).double()) for name, x in parts.items()}
        layers.append({name: [round(s, digits) for s in (x / x[0]).tolist()] for name, x in values.items()})
    return layers


def needed(values, share) -> int:
    """How many of the singular values it takes for `share` of the sum of their squares."""
    squares = torch.tensor(values, dtype=torch.float64).square()
    return int((squares.cumsum(0) < share * squares.sum()).sum()) + 1


@torch.inference_mode()
def bases(decoder, tokens, rotated=False):
    """For each layer, the mean and the principal directions of its keys and of its values.

    A list of ((mean [E], directions [E, E]) of keys, the same of values), E = H_kv × D, the
    directions as columns, the one that carries most first.
    """

    def basis(x):
        mean = x.mean(0)
        return mean, torch.linalg.svd((x - mean).double(), full_matrices=True).Vh.T.to(x.dtype)

    name = "k_rotated" if rotated else "k"
    return [(basis(parts[name]), basis(parts["v"])) for parts in keys_and_values(decoder, tokens)]


class LowRankCache(Cache):
    """Keeps `rank` coordinates of each token's keys and as many of its values, in every layer.

    basis    what `bases` returned for a calibration text; fixed, and not counted in `nbytes`
    cos, sin the decoder's rotary tables, to keep keys as they were before rotation; None keeps
             them rotated (the basis must have been made accordingly)
    sinks    first tokens that are kept whole
    """

    kind = "low-rank"

    def __init__(self, layout, *, basis, rank, cos=None, sin=None, sinks=SINKS, **rest):
        self.rank, self.sinks = whole_number("rank", rank), whole_number("sinks", sinks, least=0)
        kv = layout.layers[0]
        if any(other != kv or other.kind != "full" for other in layout.layers):
            raise ValueError("layout: a low-rank cache holds full attention layers, all alike")
        if self.rank > kv.k_elements:
            raise ValueError(f"rank must be at most n_kv_heads × head_dim = {kv.k_elements}, not {rank}")
        self.basis = [[(mean, directions[:, :rank]) for mean, directions in layer] for layer in basis]
        self.cos, self.sin = cos, sin
        super().__init__(layout, **rest)

    def storage(self, kv):
        return Coordinates(self.rank, kv, self.sinks, capacity=self.capacity, **self._like())

    def write(self, layer, k, v):
        self.check_new(layer, k, v)
        start = self.length - self.new
        if self.cos is not None:
            k = unrotated(k, self.cos[start : self.length], self.sin[start : self.length])
        self.layers[layer].write(start, k, v, self.basis[layer])

    def view(self, layer):
        k, v = self.layers[layer].read(self.length, self.basis[layer])
        if self.cos is not None:
            k = rotate(k.transpose(1, 2), self.cos[: self.length], self.sin[: self.length]).transpose(1, 2)
        return ContiguousView.of(k, v)

    def predict(self, context):
        whole = min(context, self.sinks)
        per_token = self.layout.bytes_per_token(self.dtype_name)
        coordinates = per_token * self.rank // self.layout.layers[0].k_elements
        return self.batch * (whole * per_token + (context - whole) * coordinates)


class Coordinates:
    """One layer's coordinates [2, B, capacity, rank], keys first; its first whole, [2, B, H_kv, n, D]."""

    window, sinks = None, 0

    def __init__(self, rank, kv, whole, *, capacity, batch, dtype, device):
        self.heads, like = (kv.n_kv_heads, kv.head_dim), dict(dtype=dtype, device=device)
        self.coordinates = torch.zeros(2, batch, max(0, capacity - whole), rank, **like)
        self.whole = torch.zeros(2, batch, kv.n_kv_heads, min(whole, capacity), kv.head_dim, **like)

    def write(self, start, k, v, basis) -> None:
        """Store k and v [B, H_kv, T, D] of the tokens from position `start` on."""
        end, sinks = start + k.shape[2], self.whole.shape[3]
        first = max(0, min(end, sinks) - start)  # of the new tokens, those kept whole
        for x, (mean, w), whole, kept in zip((k, v), basis, self.whole, self.coordinates, strict=True):
            whole[:, :, start : start + first] = x[:, :, :first]
            flat = x[:, :, first:].transpose(1, 2).flatten(2)  # [B, T, H_kv × D]
            kept[:, start + first - sinks : max(0, end - sinks)] = (flat - mean) @ w

    def read(self, end, basis):
        """Keys and values [B, H_kv, end, D], as their coordinates give them back."""
        sinks, held = self.whole.shape[3], []
        for (mean, w), whole, kept in zip(basis, self.whole, self.coordinates, strict=True):
            read = (kept[:, : max(0, end - sinks)] @ w.T + mean).unflatten(2, self.heads).transpose(1, 2)
            held.append(torch.cat([whole[:, :, : min(end, sinks)], read], dim=2))
        return held

    def held_bytes(self, length) -> int:
        sinks = self.whole.shape[3]
        held = self.coordinates[:, :, : max(0, length - sinks)]
        return held.nbytes + self.whole[:, :, :, : min(length, sinks)].nbytes

    @property
    def reserved_bytes(self) -> int:
        return self.coordinates.nbytes + self.whole.nbytes


def ranks(decoder, calibration, tokens, which=RANKS, rotated=False):
    """Perplexity of `tokens` for each rank, the directions found on `calibration`; a row at a time.

    rotated  keep the keys as attention reads them, instead of before rotation
    """
    basis = bases(decoder, calibration, rotated)
    tables = {} if rotated else dict(cos=decoder.cos, sin=decoder.sin)
    for rank in which:
        options = dict(capacity=len(tokens), dtype=decoder.dtype, device=decoder.device)
        cache = LowRankCache(decoder.layout, basis=basis, rank=rank, **tables, **options)
        value = perplexity(decoder, tokens, cache)
        per_token = cache.predict(SINKS + 1) - cache.predict(SINKS)
        yield {"rank": rank, "bytes_per_token": per_token, "perplexity": round(value, 3)}
