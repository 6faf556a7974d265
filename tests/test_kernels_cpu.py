"""The CPU loops that read a cache in place, against float64 and against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from kvlib.fixed import stepper

from kvlib.attention import attention
from kvlib.cache import ContiguousCache, PagedCache, make_cache
from kvlib.cache.quantized import pack
from kvlib.decoder import rotary_tables, rotate
from kvlib.kernels import cpu as kernel
from kvlib.kernels.memory import Packed, Paged, Plain
from kvlib.layouts import CacheLayout
from kvlib.measure.random_model import random_decoder

from . import reference

TIGHT = dict(atol=1e-5, rtol=1e-5)


def draw(B, H, H_kv, S, D, seed=0):
    torch.manual_seed(seed)
    return torch.randn(B, H, D), torch.randn(B, H_kv, S, D), torch.randn(B, H_kv, S, D)


def last(q, k, v, start, stop):
    """What q [B, H, D] reads of k and v [B, H_kv, S, D], sequence b from start[b] to stop[b]: float64."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1).double() for x in (k, v))
    rows = []
    for b, (first, end) in enumerate(zip(start, stop, strict=True)):
        weights = torch.softmax(k[b, :, first:end] @ q[b].double()[:, :, None] / q.shape[2] ** 0.5, dim=1)
        rows.append((weights * v[b, :, first:end]).sum(1))
    return torch.stack(rows)


@st.composite
def spans(draw, most=200):
    """B, S, and each sequence's first token and end."""
    S = draw(st.integers(1, most))
    stop = draw(st.lists(st.integers(1, S), min_size=1, max_size=3))
    return S, np.array([draw(st.integers(0, end - 1)) for end in stop]), np.array(stop)


@pytest.fixture(params=[1, 2, 3], ids="{} threads".format)
def threads(request, monkeypatch):
    """However little there is to read, this many share it."""
    monkeypatch.setattr(kernel, "ALONE", 0)
    return request.param


SHAPES = st.sampled_from([(1, 1, 8), (3, 3, 5), (6, 2, 16), (7, 1, 64), (8, 2, 32)])  # H, H_kv, D


def fixed(**more):
    return settings(max_examples=40, deadline=None, suppress_health_check=["function_scoped_fixture"], **more)


@fixed()
@given(span=spans(), shape=SHAPES, seed=st.integers(0, 9))
def test_plain_memory(threads, span, shape, seed):
    (S, start, stop), (H, H_kv, D) = span, shape
    q, k, v = draw(len(stop), H, H_kv, S, D, seed)
    out = kernel.attend(q.numpy(), Plain(k.numpy(), v.numpy()), H_kv, start, stop, threads)
    torch.testing.assert_close(torch.from_numpy(out).double(), last(q, k, v, start, stop), **TIGHT)


@fixed()
@given(span=spans(), shape=SHAPES, size=st.integers(1, 20), seed=st.integers(0, 9), sorted_=st.booleans())
def test_paged_memory(threads, span, shape, size, seed, sorted_):
    """Blocks anywhere in the pool, in any order or in a row; those that no one reads hold nan."""
    (S, start, stop), (H, H_kv, D) = span, shape
    B, blocks = len(stop), -(-S // size)
    q, k, v = draw(B, H, H_kv, blocks * size, D, seed)
    table = torch.arange(B * blocks) if sorted_ else torch.randperm(B * blocks + 2)[: B * blocks]
    pool = torch.full((2, H_kv, B * blocks + 2, size, D), torch.nan)
    for memory, x in zip(pool, (k, v), strict=True):
        memory[:, table] = x.view(B, H_kv, blocks, size, D).transpose(0, 1).reshape(H_kv, -1, size, D)
    source = Paged(*pool.flatten(2, 3).numpy(), table.view(B, blocks).numpy(), size)
    out = kernel.attend(q.numpy(), source, H_kv, start, stop, threads)
    torch.testing.assert_close(torch.from_numpy(out).double(), last(q, k, v, start, stop), **TIGHT)


@fixed()
@given(
    span=spans(), bits=st.sampled_from([8, 4, 2]), by_channel=st.booleans(), group=st.sampled_from([8, 16]),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_packed_memory(threads, span, bits, by_channel, group, seed):
    """What is read is exactly what the codes stand for, and the tokens that wait."""
    S, start, stop = span
    q, k, v = draw(len(stop), 6, 2, S, 16, seed)
    cache = make_cache(
        "quantized", CacheLayout.uniform(1, 2, 16, n_heads=6), codes=f"int{bits}", group=group,
        keys="channel" if by_channel else "token", batch=len(stop), capacity=S,
    )  # fmt: skip
    held = cache.update(0, k, v)
    memory, end = cache.layers[0].source()
    assert isinstance(memory, Packed) and end == S
    out = kernel.attend(q.numpy(), memory, 2, start, stop, threads)
    torch.testing.assert_close(torch.from_numpy(out).double(), last(q, *held, start, stop), **TIGHT)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_every_code_is_unpacked(bits):
    codes = torch.randint(0, 2**bits, (5, 32), dtype=torch.uint8)
    out = np.empty((5, 32), np.float32)
    kernel.unpack(pack(codes, bits).numpy(), 0, 5, bits, out)
    assert torch.equal(torch.from_numpy(out), codes.float())


def test_every_half_is_read_exactly():
    bits = np.arange(2**16, dtype=np.uint16)
    read = np.array([kernel.half(b) for b in bits], np.float32)
    assert np.array_equal(read, bits.view(np.float16).astype(np.float32), equal_nan=True)


def test_exp_is_within_its_promise():
    x = -np.geomspace(1e-6, 87, 20001).astype(np.float32)
    values = np.array([kernel.exp(y) for y in x], np.float64)
    assert np.abs(values / np.exp(x.astype(np.float64)) - 1).max() < 2e-7 + 87 * 2.0**-24
    assert kernel.exp(np.float32(0)) == 1 and kernel.exp(np.float32(-1e4)) < 2e-38


@pytest.mark.parametrize("where", ["k", "v"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_hidden(where, bad):
    q, k, v = draw(1, 4, 2, 100, 8)
    (k if where == "k" else v)[0, 0, 70] = bad
    out = kernel.attend(q.numpy(), Plain(k.numpy(), v.numpy()), 2, np.array([0]), np.array([100]))
    assert not np.isfinite(out[0, :2]).any() and np.isfinite(out[0, 2:]).all()


def test_scores_far_apart_lose_nothing():
    q, k, v = draw(1, 1, 1, 300, 8)
    k *= torch.linspace(-200, 200, 300)[:, None]
    out = kernel.attend(q.numpy(), Plain(k.numpy(), v.numpy()), 1, np.array([0]), np.array([300]))
    expected = last(q, k, v, [0], [300])
    torch.testing.assert_close(torch.from_numpy(out).double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "kind, options, pad",
    [("contiguous", {}, None), ("contiguous", {}, [0, 3, 5]), ("paged", dict(block_size=4), None),
     ("paged", dict(block_size=4), [0, 3, 5]), ("sliding", dict(window=6, sinks=2), None)],
)  # fmt: skip
def test_a_token_is_turned_stored_and_read(kind, options, pad, threads):
    """`attend_token` against rotate, update and attention, each by itself."""
    H, H_kv, D, T = 6, 2, 16, 20
    layout = CacheLayout.uniform(2, H_kv, D, n_heads=H)
    pad = None if pad is None else torch.tensor(pad)
    ours, theirs = (make_cache(kind, layout, batch=3, capacity=T, **options) for _ in range(2))
    tables = rotary_tables(T, D, 1e4, torch.zeros(1))
    torch.manual_seed(1)
    for cache in (ours, theirs):
        cache.pad = pad
    before = torch.randn(2, 3, H_kv, 8, D)
    for layer in range(2):
        ours.update(layer, *before), theirs.update(layer, *before)
    assert ours.direct
    for t in range(8, T):
        at = [t] if pad is None else (t - pad).tolist()
        cos, sin = (table[at, 0] for table in tables)
        for layer in range(2):
            qkv = torch.randn(3, (H + 2 * H_kv) * D)
            out = ours.attend_token(layer, qkv, cos.numpy(), sin.numpy())
            heads = qkv.view(3, 1, -1, D)
            qk = rotate(heads[:, :, : H + H_kv], cos[:, None, None], sin[:, None, None]).transpose(1, 2)
            held = theirs.update(layer, qk[:, H:], heads[:, :, H + H_kv :].transpose(1, 2))
            # Doubles go the other way: through PyTorch's own products.
            expected = attention(
                qk[:, :H].double(), *(x.double() for x in held), pad=theirs.padding(layer, held[0].shape[2])
            )
            torch.testing.assert_close(out.view(3, H, 1, D).double(), expected, **TIGHT)
    assert ours.length == theirs.length == T and ours.nbytes == theirs.nbytes == ours.predicted_bytes


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
    assert not cache.direct
    q, k, v = torch.randn(2, 2, 1, 8), torch.randn(2, 1, 1, 8), torch.randn(2, 1, 1, 8)
    for layer in range(2):
        out = cache.attend(layer, q, k, v)
        torch.testing.assert_close(out[1], v[1].expand(2, 1, 8))
    assert cache.lengths == [0, 1]


@pytest.mark.parametrize("kind", ["contiguous", "paged", "sliding", "quantized"])
def test_what_does_not_fit_is_refused_before_it_is_read(kind):
    """Compiled loops check no bounds: shapes are checked before them."""
    layout = CacheLayout.uniform(1, 2, 32, n_heads=4, max_context=64)
    options = dict(window=8) if kind == "sliding" else {}
    cache = make_cache(kind, layout, batch=2, capacity=8, **options)
    q, k = torch.zeros(2, 4, 1, 32), torch.zeros(2, 2, 1, 32)
    for bad in (q[:, :3], q[:1], q[..., :8]):
        with pytest.raises(ValueError):
            cache.attend(0, bad, k, k)
    with pytest.raises(ValueError, match="2 sequences"):
        cache.attend(0, q[:1], k[:1], k[:1])
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=16)
    with pytest.raises(ValueError, match="2 sequences"):
        decoder(torch.zeros(1, 1, dtype=torch.long), make_cache(kind, layout, batch=2, capacity=8, **options))


def test_a_full_cache_claims_no_slot():
    layout = CacheLayout.uniform(1, 1, 8, n_heads=1)
    cache = make_cache("contiguous", layout, capacity=1)
    row = np.zeros((1, 8), np.float32)
    cache.attend_token(0, torch.zeros(1, 24), row, row)
    with pytest.raises(ValueError, match="capacity=1"):
        cache.attend_token(0, torch.zeros(1, 24), row, row)
    assert cache.length == 1


@pytest.mark.parametrize("kind", [ContiguousCache, PagedCache])
def test_an_update_of_ones_own_is_never_passed_by(kind):
    class Forgetful(kind):
        def update(self, layer, k, v):
            k, v = super().update(layer, k, v)
            return k, torch.zeros_like(v)

    q, k, v = (x.unsqueeze(2) for x in (torch.ones(1, 2, 8), torch.ones(1, 1, 8), torch.ones(1, 1, 8)))
    cache = Forgetful(CacheLayout.uniform(1, 1, 8, n_heads=2), capacity=4)
    assert not cache.direct and cache.attend(0, q, k, v).abs().max() == 0


@pytest.mark.parametrize("count", [1, 2], ids="{} threads".format)
@pytest.mark.parametrize(
    "kind, options",
    [("contiguous", {}), ("paged", {}), ("quantized", {}), ("quantized", dict(keys="channel"))],
)
def test_no_step_waits_for_a_compiler(kind, options, count, monkeypatch):
    monkeypatch.setattr(kernel, "ALONE", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    layout = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=64)
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=16)
    cache = make_cache(kind, layout, capacity=64, **options)
    step = stepper(decoder, cache)
    compiled = kernel._attend, kernel._attend_token, kernel._attend_parallel, kernel.place
    step(torch.zeros(1, 20, dtype=torch.long))
    before = [len(function.signatures) for function in compiled]
    step(torch.zeros(1, 1, dtype=torch.long))
    assert [len(function.signatures) for function in compiled] == before


def test_gradients_are_never_lost():
    q, k, v = (x.unsqueeze(2) if x.dim() == 3 else x for x in draw(1, 2, 1, 5, 8))
    attention(q, k.requires_grad_(), v).sum().backward()
    assert k.grad is not None


def test_one_token_of_a_contiguous_window():
    q, k, v = draw(2, 4, 2, 30, 8)
    q = q.unsqueeze(2)
    full = torch.cat([torch.zeros(2, 4, 29, 8), q], dim=2)
    expected = reference.batch(full, k, v, 7)[:, :, -1:]
    torch.testing.assert_close(attention(q, k, v, window=7).double(), expected, **TIGHT)


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-4, 1.0, 300.0, 1e5])
def test_the_nearest_half_is_torchs(scale):
    torch.manual_seed(0)
    x = torch.tensor([0.0, -0.0, 65519.9, 65520.0, torch.inf, -torch.inf])
    x = torch.cat([torch.randn(3000) * scale, x])
    x = torch.cat([x, x.half().float(), (x.half().float() + (x * 1.0009765625).half().float()) / 2])  # ties
    x = x[~x.isnan()]
    bits = np.array([kernel.to_half(y) for y in x.numpy()], np.uint16)
    assert np.array_equal(bits, x.half().view(torch.int16).numpy().view(np.uint16))
    assert np.isnan(kernel.half(kernel.to_half(np.float32(np.nan))))


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-5, 0.0), (0.0, 3.0), (100.0, -40.0)])
def test_a_token_is_packed_to_the_same_bytes(bits, scale, offset):
    """`attend_token`, whose rotation by nothing changes no bit, against `update`."""
    layout = CacheLayout.uniform(1, 2, 32, n_heads=4)
    options = dict(codes=f"int{bits}", group=16, batch=3, capacity=30)
    ours, theirs = (make_cache("quantized", layout, **options) for _ in range(2))
    cos, sin = np.ones((1, 32), np.float32), np.zeros((1, 32), np.float32)
    torch.manual_seed(0)
    for _ in range(30):
        heads = torch.randn(3, 8, 1, 32) * scale + offset
        heads[:, :4] /= 100 + 1e4 * scale  # scores too large for float32 would say nothing
        out = ours.attend_token(0, heads.flatten(1), cos, sin)
        held = theirs.update(0, heads[:, 4:6], heads[:, 6:])
        expected = attention(heads[:, :4].double(), *(x.double() for x in held))
        torch.testing.assert_close(out.view(3, 4, 1, 32).double(), expected, atol=1e-3, rtol=1e-3)
    for name in "kv":
        x, y = getattr(ours.layers[0], name), getattr(theirs.layers[0], name)
        assert torch.equal(x.codes, y.codes)
        assert torch.equal(x.scale, y.scale) and torch.equal(x.zero, y.zero)
    assert ours.nbytes == theirs.nbytes == ours.predicted_bytes


def test_a_packed_nan_comes_back():
    x = np.arange(16, dtype=np.float32)
    x[5] = np.nan
    codes, scale, zero = np.zeros(8, np.uint8), np.zeros(2, np.uint16), np.zeros(2, np.uint16)
    kernel.quantize(x, 4, 8, codes, scale, zero)
    assert np.isnan(kernel.half(zero[0])) and np.isfinite(kernel.half(zero[1]))
