"""A kernel reads a cache's view where it lies, and gives what the reference gives from what is gathered."""

import pytest
import torch

from kvlib.attention import ContiguousView, attention, kernels, reference
from kvlib.cache import ContiguousCache, PagedCache, make_cache
from kvlib.decoder import rotary_tables, rotate
from kvlib.kernels.cpu import reading
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure.random_model import random_decoder

TIGHT = dict(atol=1e-5, rtol=1e-5)
H, H_KV, D = 6, 2, 16
FULL = CacheLayout.uniform(2, H_KV, D, n_heads=H)
GEMMA = CacheLayout((LayerKV("sliding", H_KV, D, window=5), LayerKV("full", H_KV, D)), n_heads=H)
CACHES = [
    ("contiguous", FULL, {}, None), ("contiguous", FULL, {}, [0, 3, 5]), ("contiguous", GEMMA, {}, None),
    ("contiguous", GEMMA, {}, [0, 3, 5]), ("sliding", FULL, dict(window=6, sinks=2), None),
    ("sliding", FULL, dict(window=6), [0, 3, 5]), ("paged", FULL, dict(block_size=4), None),
    ("paged", FULL, dict(block_size=4), [0, 3, 5]), ("paged", GEMMA, dict(block_size=4), [0, 3, 5]),
    ("quantized", FULL, dict(group=8), None), ("quantized", GEMMA, dict(group=8), None),
]  # fmt: skip


@pytest.fixture(scope="module")
def fast():
    found = kernels(torch.device("cpu"), torch.float32)
    assert found, "Numba is among the dependencies"
    return found


def pair(kind, layout, options, pad, T):
    caches = [make_cache(kind, layout, batch=3, capacity=T, **options) for _ in range(2)]
    for cache in caches:
        cache.pad = None if pad is None else torch.tensor(pad)
    return caches


def gathered(q, view):
    """The reference, in float64, over what the view points at."""
    k, v = (x.double() for x in view.gather())
    return reference(q.double(), k, v, view.window, view.sinks, view.padding(k.shape[2]))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind, layout, options, pad", CACHES)
def test_a_token_is_rotated_stored_and_read(kind, layout, options, pad, threads, fast, monkeypatch):
    """`token` against rotate, write and the reference, each by itself, while every ring turns twice."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    T = 24
    ours, theirs = pair(kind, layout, options, pad, T)
    tables = rotary_tables(T, D, 1e4, torch.zeros(1))
    torch.manual_seed(1)
    before = torch.randn(2, 2, 3, H_KV, 8, D)
    for cache in (ours, theirs):
        cache.append(8)
        for layer in range(2):
            cache.write(layer, *before[layer])
    for t in range(8, T):
        at = torch.full((3,), t) - (0 if pad is None else torch.tensor(pad))
        cos, sin = (table[at, 0][:, None, None] for table in tables)
        ours.append(1), theirs.append(1)
        for layer in range(2):
            qkv = torch.randn(3, 1, H + 2 * H_KV, D)
            out = fast.token(qkv, H, cos, sin, ours.view(layer))
            qk = rotate(qkv[:, :, : H + H_KV], cos, sin).transpose(1, 2)
            theirs.write(layer, qk[:, H:], qkv[:, :, H + H_KV :].transpose(1, 2))
            expected = gathered(qk[:, :H], theirs.view(layer))
            torch.testing.assert_close(out.view(3, H, 1, D).double(), expected, **TIGHT)
            alone = attention(qk[:, :H], theirs.view(layer))
            torch.testing.assert_close(alone.double(), expected, **TIGHT)
    assert ours.length == theirs.length == T and ours.nbytes == theirs.nbytes == ours.predicted_bytes


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-5, 0.0), (0.0, 3.0), (100.0, -40.0)])
def test_a_token_is_packed_to_the_same_bytes(bits, scale, offset, fast):
    """`token`, whose rotation by nothing changes no bit, against `write`."""
    layout = CacheLayout.uniform(1, 2, 32, n_heads=4)
    ours, theirs = pair("quantized", layout, dict(codes=f"int{bits}", group=16), None, 30)
    cos, sin = torch.ones(1, 1, 1, 32), torch.zeros(1, 1, 1, 32)
    torch.manual_seed(0)
    for _ in range(30):
        heads = torch.randn(3, 1, 8, 32) * scale + offset
        heads[:, :, :4] /= 100 + 1e4 * scale  # scores too large for float32 would say nothing
        ours.append(1), theirs.append(1)
        out = fast.token(heads, 4, cos, sin, ours.view(0))
        q, k, v = (x.transpose(1, 2) for x in heads.split([4, 2, 2], dim=2))
        theirs.write(0, k, v)
        expected = gathered(q, theirs.view(0))
        torch.testing.assert_close(out.view(3, 4, 1, 32).double(), expected, atol=1e-3, rtol=1e-3)
    for name in "kv":
        x, y = getattr(ours.layers[0], name), getattr(theirs.layers[0], name)
        assert torch.equal(x.codes, y.codes)
        assert torch.equal(x.scale, y.scale) and torch.equal(x.zero, y.zero)
    assert ours.nbytes == theirs.nbytes == ours.predicted_bytes


def test_keys_by_channel_are_read_in_place_and_stored_by_the_cache(fast):
    cache = make_cache("quantized", FULL, keys="channel", group=8, batch=2, capacity=30)
    torch.manual_seed(0)
    for T in (1, 1, 9, 1, 1, 1, 1, 1, 1, 1):
        cache.append(T)
        for layer in range(2):
            cache.write(layer, *torch.randn(2, 2, H_KV, T, D))
            q, view = torch.randn(2, H, T, D), cache.view(layer)
            torch.testing.assert_close(attention(q, view).double(), gathered(q, view), **TIGHT)
            assert fast.token(torch.randn(2, 1, 10, D), H, None, None, view) is None


@pytest.mark.parametrize("kind, first", [("contiguous", 1), ("contiguous", 12), ("paged", 6)])
def test_padding_fed_token_by_token(kind, first):
    """Also before a sequence's own first token, when it sees nothing but padding."""
    layout = CacheLayout.uniform(2, 2, 16, n_heads=4, max_context=64)
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=16)
    tokens, pad = torch.randint(0, 16, (2, 12)), torch.tensor([0, 5])
    expected = decoder(tokens, pad=pad, logits_to_keep=0)
    cache = make_cache(kind, layout, batch=2, capacity=12)
    cache.pad = pad
    steps = [decoder(tokens[:, :first], cache, logits_to_keep=0)]
    steps += [decoder(tokens[:, i : i + 1], cache, logits_to_keep=0) for i in range(first, 12)]
    out = torch.cat(steps, dim=1)
    assert out.isfinite().all()
    torch.testing.assert_close(out[:, 5:], expected[:, 5:], atol=1e-4, rtol=1e-4)


def test_one_token_of_some_sequences_only():
    """A first token that is padding for one of two sequences: nothing of it is stored."""
    layout = CacheLayout.uniform(2, 1, 8, n_heads=2)
    cache = PagedCache(layout, batch=2, capacity=8)
    cache.pad = torch.tensor([1, 0])
    q, k, v = torch.randn(2, 2, 1, 8), torch.randn(2, 1, 1, 8), torch.randn(2, 1, 1, 8)
    cache.append(1)
    for layer in range(2):
        cache.write(layer, k, v)
        assert not cache.view(layer).storable
        torch.testing.assert_close(attention(q, cache.view(layer))[1], v[1].expand(2, 1, 8))
    assert cache.lengths == [0, 1]


@pytest.mark.parametrize("kind", ["contiguous", "paged", "sliding", "quantized"])
def test_what_does_not_fit_is_refused_before_it_is_read(kind):
    """Compiled loops check no bounds: shapes are checked before them."""
    layout = CacheLayout.uniform(1, 2, 32, n_heads=4, max_context=64)
    options = dict(window=8) if kind == "sliding" else {}
    cache = make_cache(kind, layout, batch=2, capacity=8, **options)
    q, k = torch.zeros(2, 4, 1, 32), torch.zeros(2, 2, 1, 32)
    cache.append(1)
    cache.write(0, k, k)
    for bad in (q[:, :3], q[:1], q[..., :8], torch.zeros(2, 4, 2, 32)):
        with pytest.raises(ValueError):
            attention(bad, cache.view(0))
    for bad in (k[:1], k[:, :1], k[..., :8], torch.zeros(2, 2, 2, 32)):
        with pytest.raises(ValueError, match="must be"):
            cache.write(0, bad, k)
        with pytest.raises(ValueError, match="must be"):
            cache.write(0, k, bad)
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=16)
    empty = make_cache(kind, layout, batch=2, capacity=8, **options)
    with pytest.raises(ValueError, match="2 sequences"):
        decoder(torch.zeros(1, 1, dtype=torch.long), empty)
    assert empty.length == 0


def test_several_tokens_of_a_turned_ring_ask_right_after_they_are_written():
    """Later, the first of them may have lost what they saw: that is refused, not answered wrongly."""
    cache = make_cache("sliding", FULL, window=4, batch=1)
    cache.append(9)
    k, v, q = torch.randn(1, H_KV, 9, D), torch.randn(1, H_KV, 9, D), torch.randn(1, H, 9, D)
    for layer in range(2):
        cache.write(layer, k, v)
    assert attention(q, cache.view(1)).shape == q.shape
    with pytest.raises(ValueError, match="9 new tokens"):
        attention(q, cache.view(0))
    last = attention(q[:, :, 8:], cache.view(0))
    torch.testing.assert_close(last, attention(q, cache.view(1))[:, :, 8:], **TIGHT)


@pytest.mark.parametrize("kind", ["contiguous", "paged", "sliding", "quantized"])
@pytest.mark.parametrize("T", [1, 3])
def test_what_is_not_written_yet_is_refused_and_not_read_as_zeros(kind, T):
    options = dict(window=8) if kind == "sliding" else dict(group=8) if kind == "quantized" else {}
    cache = make_cache(kind, FULL, capacity=12, **options)
    q, k = torch.randn(1, H, T, D), torch.randn(1, H_KV, T, D)
    for _ in range(2):
        cache.append(T)
        with pytest.raises(ValueError, match="write their keys and values first"):
            attention(q, cache.view(0))
        cache.write(0, k, k)
        assert attention(q, cache.view(0)).abs().max() > 0
        with pytest.raises(ValueError, match="write their keys and values first"):
            attention(q, cache.view(1))


@pytest.mark.parametrize("kind", ["contiguous", "paged", "quantized"])
def test_a_token_that_a_kernel_stored_can_be_read_again(kind):
    layout = CacheLayout.uniform(2, H_KV, 32, n_heads=H, max_context=64)
    cache = make_cache(kind, layout, capacity=12)
    decoder = random_decoder(layout, 32, 32, 16)
    for T in (4, 1, 1):
        decoder(torch.zeros(1, T, dtype=torch.long), cache)
    part = cache.select([0]) if kind == "paged" else cache
    for layer in range(2):
        q = torch.randn(1, H, 1, 32)
        expected = gathered(q, part.view(layer))
        torch.testing.assert_close(attention(q, part.view(layer)).double(), expected, **TIGHT)


def test_a_view_sees_what_a_part_of_its_batch_has_added_since():
    cache = PagedCache(FULL, block_size=2, batch=2, capacity=16)
    torch.manual_seed(0)
    for one, T in ((cache, 3), (cache.select([1]), 2), (cache.select([0]), 4)):
        one.append(T)
        for layer in range(2):
            one.write(layer, *torch.randn(2, one.batch, H_KV, T, D))
            cache.view(layer)
    assert cache.lengths == [7, 5]
    q, apart = torch.randn(2, H, 1, D), [cache.select([i]) for i in range(2)]
    expected = torch.cat([attention(q[i : i + 1], one.view(1)) for i, one in enumerate(apart)])
    torch.testing.assert_close(attention(q, cache.view(1)), expected, **TIGHT)


@pytest.mark.parametrize("kind", [ContiguousCache, PagedCache])
@pytest.mark.parametrize("method", ["write", "view"])
def test_a_write_or_a_view_of_ones_own_is_never_passed_by(kind, method, fast):
    class Forgetful(kind):
        pass

    class Writes(kind):
        def write(self, layer, k, v):
            super().write(layer, k, torch.zeros_like(v))

    class Views(kind):
        def view(self, layer):
            k, v = super().view(layer).gather()
            return ContiguousView.of(k, torch.zeros_like(v))

    own = {"write": Writes, "view": Views}[method]
    assert Forgetful.in_place and not own.in_place
    layout = CacheLayout.uniform(1, 1, 8, n_heads=2, max_context=8)
    decoder = random_decoder(layout, hidden=16, ffn=16, vocab=16)
    plain, forgetful = kind(layout, capacity=4), own(layout, capacity=4)
    token = torch.ones(1, 1, dtype=torch.long)
    assert not torch.allclose(decoder(token, plain), decoder(token, forgetful))
    assert attention(torch.ones(1, 2, 1, 8), forgetful.view(0)).abs().max() == 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "kind, options",
    [("contiguous", {}), ("paged", {}), ("quantized", {}), ("quantized", dict(keys="channel"))],
)
def test_no_step_waits_for_a_compiler(kind, options, threads, fast, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    layout = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=64)
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=16)
    cache = make_cache(kind, layout, capacity=64, **options)
    decoder.prepare(cache)
    decoder(torch.zeros(1, 20, dtype=torch.long), cache)
    before = fast.compiled()
    decoder(torch.zeros(1, 1, dtype=torch.long), cache)
    assert fast.compiled() == before


@pytest.mark.parametrize("keys, direct", [("token", True), ("channel", False)])
def test_what_is_compiled_is_what_a_step_calls(keys, direct, monkeypatch):
    """Of an empty cache too, and whatever other tests have compiled before."""
    asked = []
    monkeypatch.setattr(reading, "prepare", lambda memory, direct, threads: asked.append(direct))
    cache = make_cache("quantized", FULL, keys=keys, group=8, capacity=8)
    random_decoder(FULL, 32, 32, 16).prepare(cache)
    assert asked == [direct]


def test_gradients_are_never_lost():
    q, k, v = torch.randn(1, 2, 1, 8), torch.randn(1, 1, 5, 8, requires_grad=True), torch.randn(1, 1, 5, 8)
    attention(q, ContiguousView.of(k, v)).sum().backward()
    assert k.grad is not None and k.grad.abs().max() > 0


def test_kernels_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("KVLIB_KERNELS", "off")
    assert kernels(torch.device("cpu"), torch.float32) is None
    assert random_decoder(FULL, 16, 16, 16).kernels is None
