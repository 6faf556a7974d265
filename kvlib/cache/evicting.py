"""Caches that keep the tokens that received most attention and evict the rest: H2O and SnapKV.

Each KV head keeps tokens of its own. The decoder tells such a cache the new tokens' queries
(`observe`) once they have read the layer; from them the cache computes the weights that its keys
received, a second time, for the attention that reads a cache never shows them. Keys keep the
positions that they were turned to.
"""

import torch
import torch.nn.functional as F

from ..attention import ContiguousView, received
from ..units import whole_number
from .base import Cache, CacheFull, zeros


class Kept:
    """One layer's kept tokens, oldest first: keys and values [B, H_kv, slots, D].

    scores  [B, H_kv, slots]: what each has received, in float32; None where nothing is summed up
    """

    sinks = 0

    def __init__(self, kv, slots, scored, *, batch, dtype, device):
        shape = batch, kv.n_kv_heads, slots
        self.k, self.v = (zeros(*shape, kv.head_dim, dtype=dtype, device=device) for _ in "kv")
        self.scores = zeros(*shape, dtype=torch.float32, device=device) if scored else None
        self.window, self.held = slots, 0
        self.seen: tuple[torch.Tensor, ...] | None = None  # in a step: the kept and the new

    @property
    def _memory(self):
        return [x for x in (self.k, self.v, self.scores) if x is not None]

    def read(self):
        """Keys and values [B, H_kv, S, D]: those kept, and in a step the new ones too."""
        return self.seen or (self.k[:, :, : self.held], self.v[:, :, : self.held])

    def keep(self, chosen, *found) -> None:
        """Of keys, values and scores `found`, keep those at `chosen` [B, H_kv, n]; None: all."""
        for memory, x in zip(self._memory, found, strict=True):
            if chosen is not None:
                x = x.gather(2, chosen if x.dim() == 3 else chosen[..., None].expand(-1, -1, -1, x.shape[3]))
            self.held = x.shape[2]
            memory[:, :, : self.held] = x
        self.seen = None

    def held_bytes(self, length) -> int:
        return sum(x[:, :, : self.held].nbytes for x in self._memory)

    def lost(self, length, cropped) -> str | None:
        """Why the first `cropped` of `length` tokens can't be had again; None: they can."""
        return None if cropped == length else "other tokens would have been kept"

    @property
    def reserved_bytes(self) -> int:
        return sum(x.nbytes for x in self._memory)


class EvictingCache(Cache):
    """What H2O and SnapKV share. A subclass says which tokens a layer keeps: `chosen`.

    budget  tokens that each KV head keeps (SnapKV: of the prompt)
    A step's new tokens see all that was kept and each other; then `observe` evicts.
    """

    scored = False

    def __init__(self, layout, *, budget, **rest):
        self.budget = whole_number("budget", budget)
        super().__init__(layout, **rest)

    def storage(self, kv):
        if kv.kind != "full":
            raise ValueError("layout: eviction is for layers of full attention; a sliding one evicts by age")
        return Kept(kv, self.slots, self.scored, **self._like())

    @property
    def slots(self) -> int:
        """Tokens that each KV head has room for."""
        return self.budget

    def append(self, T=1):
        if self.pad is not None:
            raise ValueError("eviction needs prompts of one length: padding would be kept in tokens' place")
        if any(store.seen for store in self.layers):
            raise ValueError("observe(layer, q) must follow each write: the cache evicts by the queries")
        super().append(T)

    def clear(self):
        super().clear()
        for store in self.layers:
            store.held, store.seen = 0, None

    def write(self, layer, k, v):
        self.check_new(layer, k, v)
        self.wrote(layer)
        store = self.layers[layer]
        pairs = zip(store.read(), (k, v), strict=True)
        store.seen = tuple(torch.cat([old, new.to(self.dtype)], dim=2) for old, new in pairs)

    def view(self, layer):
        return ContiguousView.of(*self.layers[layer].read())

    def observe(self, layer, q):
        """Evict: q [B, H, T, D] are the new tokens' queries. Raises ValueError before `write`."""
        store = self.layers[layer]
        if not store.seen:
            raise ValueError(f"layer {layer} has no new tokens: write their keys and values first")
        chosen, *scores = self.choose(store, q, store.seen[0])
        store.keep(chosen, *store.seen, *scores)

    def choose(self, store, q, k):
        """Which of the S keys k [B, H_kv, S, D] stay: [B, H_kv, n] in ascending order, or None for all.

        Behind it, if the cache is `scored`, what each has received, [B, H_kv, S].
        """
        raise NotImplementedError


def heaviest(weight, n, newest):
    """The n tokens of most weight [B, H_kv, S] among all but the `newest`, and those: [B, H_kv, n + newest].

    Of equal weights the older token goes first. In ascending order.
    """
    S = weight.shape[2]
    best = weight[:, :, : S - newest].sort(dim=2, descending=True, stable=True).indices[:, :, :n]
    last = torch.arange(S - newest, S, device=weight.device).expand(*weight.shape[:2], -1)
    return torch.cat([best.sort(dim=2).values, last], dim=2)


class H2OCache(EvictingCache):
    """Half of the budget for the heavy hitters, half for the newest tokens (arXiv 2306.14048).

    A heavy hitter is a token that received most attention, summed over all queries since it came. Each
    sum is kept beside its token, 4 bytes a KV head a layer. The paper evicts one token for each that
    comes; of T tokens in one step, T are evicted after all have read.
    """

    kind = "h2o"
    scored = True

    def choose(self, store, q, k):
        weight = received(q, k)
        weight[:, :, : store.held] += store.scores[:, :, : store.held]
        if k.shape[2] <= self.budget:
            return None, weight
        heavy = self.budget // 2
        return heaviest(weight, heavy, self.budget - heavy), weight

    def predict(self, context):
        heads = sum(kv.n_kv_heads for kv in self.layout.layers)
        per_token = self.layout.bytes_per_token(self.dtype_name) + 4 * heads
        return self.batch * min(context, self.budget) * per_token


class SnapKVCache(EvictingCache):
    """Of the prompt, the tokens that its last ones attend to; of what follows, all (arXiv 2404.14469).

    The first step is the prompt, whole. Its last `observed` tokens stay, and before them those that
    received most from their queries: weights averaged over `pooled` neighbours, so that a token
    is kept with what surrounds it. `capacity` is of the tokens kept: budget, and those generated.
    The defaults are those of the authors' code (github.com/FasterDecoding/SnapKV, snapkv_utils.py).
    """

    kind = "snapkv"
    _prompt = 0  # tokens of the first step

    def __init__(self, layout, *, budget, observed=32, pooled=5, **rest):
        self.observed, self.pooled = whole_number("observed", observed), whole_number("pooled", pooled)
        if self.observed >= budget:
            raise ValueError(f"observed must be less than budget={budget}, not {observed}")
        if self.pooled % 2 == 0:
            raise ValueError(f"pooled must be odd, a token in the middle of its neighbours, not {pooled}")
        super().__init__(layout, budget=budget, **rest)

    @property
    def slots(self):
        return self.capacity

    def append(self, T=1):
        first = self.length == 0
        held = min(T, self.budget) if first else self.layers[0].held + T
        if held > self.capacity:
            raise CacheFull(held, self.capacity)
        super().append(T)
        if first:
            self._prompt = T

    def choose(self, store, q, k):
        if store.held or k.shape[2] <= self.budget:
            return (None,)  # not the prompt, or a short one
        weight = received(q, k, newest=self.observed)
        weight[:, :, -self.observed :] = 0  # they stay, and lend their neighbours nothing
        weight = F.avg_pool1d(weight, self.pooled, stride=1, padding=self.pooled // 2)
        return (heaviest(weight, self.budget - self.observed, self.observed),)

    def predict(self, context):
        prompt = self._prompt or context
        tokens = min(prompt, self.budget) + context - prompt
        return self.batch * tokens * self.layout.bytes_per_token(self.dtype_name)
