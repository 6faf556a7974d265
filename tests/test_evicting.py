"""H2O and SnapKV against their published rules, token by token in float64; fp8 against torch's."""

import copy

import pytest
import torch

from kvlib.attention import attention, received
from kvlib.cache import CacheFull, ContiguousCache, Fp8Cache, H2OCache, SnapKVCache, make_cache
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure.random_model import random_decoder

H, H_KV, D, B = 6, 2, 8, 2
LAYOUT = CacheLayout.uniform(2, H_KV, D, n_heads=H, max_context=256)
CHUNKS = [[40], [1] * 40, [24, 1, 1, 1, 9, 1, 3], [5, 20, 15]]


def draw(T, seed=0):
    torch.manual_seed(seed)
    return tuple(torch.randn(B, heads, T, D) for heads in (H, H_KV, H_KV))


def run(cache, q, k, v, chunks):
    """The outputs of layer 0, [B, H, T, D], and after each chunk what it holds: a list of (k, v)."""
    outputs, held, start = [], [], 0
    for T in chunks:
        part = slice(start, start + T)
        cache.append(T)
        for layer in range(2):
            cache.write(layer, k[:, :, part], v[:, :, part])
            out = attention(q[:, :, part], cache.view(layer))
            cache.observe(layer, q[:, :, part])
        outputs.append(out)
        held.append(tuple(x.clone() for x in cache.view(1).gather()))
        assert cache.nbytes == cache.predicted_bytes <= cache.reserved_bytes
        start += T
    return torch.cat(outputs, dim=2), held


class Brute:
    """One KV head of one sequence: positions kept, and each one's sum of weights."""

    def __init__(self, q, k, v):  # q [G, T, D], k and v [T, D]
        self.q, self.k, self.v = q.double(), k.double(), v.double()
        self.kept, self.score, self.out = [], {}, []

    def weights(self, g, t, seen):
        return torch.softmax(self.k[seen] @ self.q[g, t] / D**0.5, dim=0)

    def step(self, start, T):
        """The new tokens read all kept and each other; their weights are added up."""
        for t in range(start, start + T):
            seen = self.kept + list(range(start, t + 1))
            rows = []
            for g in range(len(self.q)):
                w = self.weights(g, t, seen)
                rows.append(w @ self.v[seen])
                for position, part in zip(seen, w.tolist(), strict=True):
                    self.score[position] = self.score.get(position, 0) + part
            self.out.append(torch.stack(rows))
        self.kept += range(start, start + T)

    def h2o(self, start, T, budget):
        self.step(start, T)
        if len(self.kept) > budget:
            recent = budget - budget // 2
            older, newest = self.kept[:-recent], self.kept[-recent:]
            heavy = sorted(older, key=lambda p: -self.score[p])[: budget // 2]
            self.kept = sorted(heavy) + newest

    def snapkv(self, start, T, budget, observed, pooled):
        self.step(start, T)
        if start or budget >= T:
            return
        votes = [0.0] * T
        for t in range(T - observed, T):
            for g in range(len(self.q)):
                for position, part in enumerate(self.weights(g, t, list(range(t + 1))).tolist()):
                    votes[position] += part
        votes[T - observed :] = [0.0] * observed
        near = pooled // 2
        pools = [sum(votes[max(0, p - near) : p + near + 1]) for p in range(T - observed)]
        best = sorted(range(T - observed), key=lambda p: -pools[p])[: budget - observed]
        self.kept = sorted(best) + list(range(T - observed, T))


def check(cache, rule, chunks, **options):
    q, k, v = draw(40)
    out, held = run(cache, q, k, v, chunks)
    for b in range(B):
        for head in range(H_KV):
            group = slice(head * H // H_KV, (head + 1) * H // H_KV)
            brute, start = Brute(q[b, group], k[b, head], v[b, head]), 0
            for T, (held_k, held_v) in zip(chunks, held, strict=True):
                getattr(brute, rule)(start, T, **options)
                assert torch.equal(held_k[b, head], k[b, head, brute.kept])
                assert torch.equal(held_v[b, head], v[b, head, brute.kept])
                start += T
            expected = torch.stack(brute.out, dim=1)  # [G, T, D]
            torch.testing.assert_close(out[b, group].double(), expected, atol=1e-5, rtol=1e-5)
    return held[-1][0].shape[2]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("budget", [1, 7, 16, 60])
def test_h2o_keeps_what_its_rule_keeps(budget, chunks):
    cache = H2OCache(LAYOUT, budget=budget, batch=B, capacity=40)
    assert check(cache, "h2o", chunks, budget=budget) == min(budget, 40)


@pytest.mark.parametrize("chunks", [c for c in CHUNKS if c[0] > 1], ids=str)
@pytest.mark.parametrize("pooled", [1, 5])
@pytest.mark.parametrize("budget", [5, 12, 60])
def test_snapkv_keeps_what_its_rule_keeps(budget, pooled, chunks):
    options = dict(budget=budget, observed=4, pooled=pooled)
    cache = SnapKVCache(LAYOUT, batch=B, capacity=100, **options)
    assert check(cache, "snapkv", chunks, **options) == min(budget, chunks[0]) + 40 - chunks[0]


@pytest.mark.parametrize("T, newest", [(1, None), (9, None), (9, 4), (300, None), (300, 280), (9, 20)])
def test_received_adds_up_the_weights_of_the_newest_queries(T, newest):
    S = T + 5
    q, k = torch.randn(B, H, T, D), torch.randn(B, H_KV, S, D)
    keys = k.repeat_interleave(H // H_KV, dim=1).double()
    scores = q.double() @ keys.transpose(2, 3) / D**0.5
    scores.masked_fill_(torch.ones(T, S).triu(S - T + 1).bool(), float("-inf"))
    weights = scores.softmax(-1)[:, :, -newest if newest else 0 :]
    expected = weights.sum(2).unflatten(1, (H_KV, -1)).sum(2)
    torch.testing.assert_close(received(q, k, newest).double(), expected, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def tiny():
    return random_decoder(LAYOUT, hidden=48, ffn=64, vocab=50, seed=3)


TOKENS = torch.randint(0, 50, (1, 60), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind, options", [("h2o", dict(budget=60)), ("snapkv", dict(budget=60, observed=8))])
def test_with_room_for_all_nothing_changes(tiny, kind, options):
    cache = make_cache(kind, LAYOUT, capacity=60, **options)
    full = make_cache("contiguous", LAYOUT, capacity=60)
    for part in (TOKENS[:, :40], *TOKENS[:, 40:].split(1, dim=1)):
        torch.testing.assert_close(tiny(part, cache), tiny(part, full), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind, options", [("h2o", dict(budget=20)), ("snapkv", dict(budget=20, observed=8))])
def test_the_decoder_tells_the_cache_its_queries_and_a_cleared_one_begins_anew(tiny, kind, options):
    cache = make_cache(kind, LAYOUT, capacity=60, **options)
    first = tiny(TOKENS[:, :40], cache), tiny(TOKENS[:, 40:41], cache)
    assert cache.view(0).gather()[0].shape[2] == (20 if kind == "h2o" else 21)
    twin = copy.deepcopy(cache)
    assert torch.equal(tiny(TOKENS[:, 41:42], twin), tiny(TOKENS[:, 41:42], cache))
    cache.clear()
    assert cache.nbytes == 0
    again = tiny(TOKENS[:, :40], cache), tiny(TOKENS[:, 40:41], cache)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_eviction_refuses_what_it_cannot_do(tiny):
    with pytest.raises(ValueError, match="observed must be less than budget=32"):
        SnapKVCache(LAYOUT, budget=32)
    with pytest.raises(ValueError, match="pooled must be odd"):
        SnapKVCache(LAYOUT, budget=64, pooled=4)
    with pytest.raises(ValueError, match="budget"):
        H2OCache(LAYOUT, budget=0)
    sliding = CacheLayout((LayerKV("sliding", 2, 8, window=8),) * 2, n_heads=6)
    with pytest.raises(ValueError, match="full attention"):
        H2OCache(sliding, budget=8)
    cache = SnapKVCache(LAYOUT, budget=20, observed=8, capacity=22)
    tiny(TOKENS[:, :40], cache)
    tiny(TOKENS[:, 40:42], cache)
    with pytest.raises(CacheFull, match="23 tokens do not fit a cache of capacity=22"):
        tiny(TOKENS[:, 42:43], cache)
    with pytest.raises(ValueError, match="other tokens would have been kept"):
        cache.crop(41)
    cache.crop(42)
    cache = H2OCache(LAYOUT, budget=8, batch=2)
    cache.pad = torch.tensor([0, 3])
    with pytest.raises(ValueError, match="prompts of one length"):
        cache.append(4)


def test_a_step_whose_queries_were_not_told_is_refused():
    cache = H2OCache(LAYOUT, budget=8, batch=B)
    q, k, v = draw(4)
    cache.append(4)
    with pytest.raises(ValueError, match="layer 0 has no new tokens"):
        cache.observe(0, q)
    cache.write(0, k, v)
    with pytest.raises(ValueError, match="observe"):
        cache.append(1)


# fp8


@pytest.mark.parametrize("pad", [None, torch.tensor([0, 3])], ids=["even", "padded"])
@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_fp8_reads_what_torch_rounds(window, chunks, pad):
    kv = LayerKV("sliding", H_KV, D, window=window) if window else LayerKV("full", H_KV, D)
    layout = CacheLayout((kv, kv), n_heads=H)
    q, k, v = draw(40)
    k[0, 0, 3, 0] = 1000.0  # what does not fit becomes the largest number that does
    rounded = [x.clamp(-448, 448).to(torch.float8_e4m3fn).float() for x in (k, v)]
    caches = [kind(layout, batch=B, capacity=40) for kind in (Fp8Cache, ContiguousCache)]
    for cache in caches:
        cache.pad = pad
    (found, _), (expected, _) = run(caches[0], q, k, v, chunks), run(caches[1], q, *rounded, chunks)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_fp8_takes_a_byte_a_number(tiny):
    cache = make_cache("fp8", LAYOUT, capacity=60)
    tiny(TOKENS[:, :50], cache)
    tiny(TOKENS[:, 50:51], cache)
    assert cache.nbytes == cache.predicted_bytes == LAYOUT.bytes(51, 1, "fp8")


def test_kernels_leave_fp8_to_the_reference():
    cache = make_cache("fp8", LAYOUT, capacity=60)
    for device in ("cpu", "cuda"):
        views = pytest.importorskip(f"kvlib.kernels.{device}.views")
        assert views._memory(cache.view(0)) is None and not cache.in_place
        assert views._memory(make_cache("contiguous", LAYOUT).view(0)) is not None
