"""The GPU's kernels against float64, on a GPU where there is one and else by Triton's interpreter.

`tests/conftest.py` asks for the interpreter before anything imports Triton. It runs a program of a kernel
as Python, so shapes here are small; `tests/test_kernels_compiled.py` compiles the same kernels.
"""

import sys

import pytest
import torch
import torch.nn.functional as F

from kvlib.attention import ContiguousView, attention, reference
from kvlib.cache import make_cache
from kvlib.decoder import rotary_tables, rotate
from kvlib.kernels import kernels_for
from kvlib.layouts import CacheLayout, LayerKV

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no Triton for this system")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {"fp32": 3e-6, "fp16": 2e-3, "bf16": 3e-2}
H, H_KV, D = 6, 2, 16
FULL = CacheLayout.uniform(1, H_KV, D, n_heads=H)
WINDOW = CacheLayout((LayerKV("sliding", H_KV, D, window=5),), n_heads=H)
PAD = [3, 11]  # beyond the first group, and beyond all whole groups
CACHES = {
    "contiguous": ("contiguous", FULL, {}),
    "ring": ("contiguous", WINDOW, {}),
    "ring with sinks": ("sliding", FULL, dict(window=6, sinks=2)),
    "paged": ("paged", FULL, dict(block_size=4)),
    "paged with a window": ("paged", WINDOW, dict(block_size=4)),
    "ring of codes": ("quantized", WINDOW, dict(group=8)),
    **{
        f"{codes} by {keys}": ("quantized", FULL, dict(codes=codes, keys=keys, group=8))
        for codes in ("int8", "int4", "int2")
        for keys in ("token", "channel")
    },
}


@pytest.fixture(scope="module")
def views():
    from kvlib.kernels.cuda import views

    return views


@pytest.fixture(params=["number by number", "matrix product"])
def multiplied(request, views, monkeypatch):
    """Both ways to multiply, whatever would be chosen here, in small tiles, so that there are several."""

    def tiles(G, *_):
        if request.param == "number by number":
            return dict(G=G, R=views.triton.next_power_of_2(G), T=4, DOT=None)
        return dict(G=G, R=16, T=16, DOT=views.tl.float32)

    monkeypatch.setattr(views, "tiles", tiles)


def made(name, dtype, pad=None, batch=2, capacity=40):
    kind, layout, options = CACHES[name]
    cache = make_cache(kind, layout, batch=batch, capacity=capacity, dtype=dtype, device=DEVICE, **options)
    cache.pad = None if pad is None else torch.tensor(pad)
    return cache


def draw(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)


def add(cache, T, seed=0):
    """T more random tokens, by the cache's own `write`."""
    cache.append(T)
    for layer, kv in enumerate(cache.layout.layers):
        shape = 2, cache.batch, kv.n_kv_heads, T, kv.head_dim
        cache.write(layer, *draw(*shape, dtype=cache.dtype, seed=seed))


def gathered(q, view):
    """The reference, in float64, over what the view points at."""
    k, v = (x.double() for x in view.gather())
    return reference(q.double(), k, v, view.window, view.sinks, view.padding(k.shape[2]))


def close(out, expected, dtype):
    torch.testing.assert_close(out.double(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def turns(cache, at):
    """cos and sin [B, 1, 1, D] of positions [B]."""
    head_dim = cache.layout.head_dim
    tables = rotary_tables(64, head_dim, 1e4, torch.zeros(1, dtype=cache.dtype, device=DEVICE))
    return [table[at.to(DEVICE), 0][:, None, None] for table in tables]


def one_step(views, cache, qkv, n_heads, cos, sin):
    """The kernels' answer for one token, and float64's over what they stored; the rotated heads."""
    heads = qkv.shape[2]
    H_kv = (heads - n_heads) // 2
    cache.append(1)
    out = views.token(qkv, n_heads, cos, sin, cache.view(0))
    cache.wrote(0)
    turned = torch.cat([rotate(qkv[:, :, : n_heads + H_kv], cos, sin), qkv[:, :, n_heads + H_kv :]], dim=2)
    turned = turned.transpose(1, 2)
    q = turned[:, :n_heads]
    return out.view(q.shape), gathered(q, cache.view(0)), turned


@pytest.mark.parametrize("pad", [None, PAD], ids=["even", "padded"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CACHES)
def test_a_token_is_rotated_stored_and_read(name, dtype, pad, multiplied, views):
    """Against float64 over what was stored; and what was stored against the cache's own `write`."""
    if pad and "sinks" in name:
        pytest.skip("sinks take no padding")
    ours, theirs = made(name, dtype, pad), made(name, dtype, pad)
    add(ours, 14), add(theirs, 14)
    for t in (14, 15, 16) if dtype == "fp32" else (15,):  # a group becomes whole; rings have turned
        while ours.length < t:
            add(ours, 1, seed=t), add(theirs, 1, seed=t)
        qkv = draw(2, 1, H + 2 * H_KV, D, dtype=ours.dtype, seed=t)
        cos, sin = turns(ours, torch.tensor([t - n for n in pad or [0, 0]]))
        out, expected, turned = one_step(views, ours, qkv, H, cos, sin)
        close(out, expected, dtype)
        theirs.append(1)
        theirs.write(0, turned[:, H : H + H_KV], turned[:, H + H_KV :])
        close(views.attention(turned[:, :H], theirs.view(0)), gathered(turned[:, :H], theirs.view(0)), dtype)
        if "int" not in name and "codes" not in name:  # what rounds to another code is compared below
            for x, y in zip(ours.view(0).gather(), theirs.view(0).gather(), strict=True):
                close(x, y.double(), dtype)
    assert ours.nbytes == theirs.nbytes == ours.predicted_bytes


@pytest.mark.parametrize("keys", ["token", "channel"])
@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-5, 0.0), (0.0, 3.0), (100.0, -40.0)])
def test_a_token_is_packed_to_the_same_bytes(bits, scale, offset, keys, views):
    """`token`, whose rotation by nothing changes no bit, against `write`; a group becomes whole."""
    layout = CacheLayout.uniform(1, 2, 32, n_heads=4)
    options = dict(codes=f"int{bits}", group=16, keys=keys, batch=2, capacity=40, device=DEVICE)
    ours, theirs = (make_cache("quantized", layout, **options) for _ in range(2))
    add(ours, 14), add(theirs, 14)
    cos, sin = (torch.full((1, 1, 1, 32), x, device=DEVICE) for x in (1.0, 0.0))
    for t in range(3):
        heads = draw(2, 1, 8, 32, seed=t) * scale + offset
        ours.append(1), theirs.append(1)
        views.token(heads, 4, cos, sin, ours.view(0))
        theirs.write(0, *(x.transpose(1, 2) for x in heads[:, :, 4:].split([2, 2], dim=2)))
    for name in "kv":
        x, y = getattr(ours.layers[0], name), getattr(theirs.layers[0], name)
        assert torch.equal(x.codes, y.codes)
        assert torch.equal(x.scale, y.scale) and torch.equal(x.zero, y.zero)
    n = ours.length % 16 if keys == "channel" else 0
    for x, y in zip(ours.layers[0].residual, theirs.layers[0].residual, strict=True):
        assert torch.equal(x[:, :, :n], y[:, :, :n])


@pytest.mark.parametrize("heads", [(1, 1), (3, 1), (8, 2), (8, 1), (24, 1)], ids=str)
@pytest.mark.parametrize("kind", ["contiguous", "paged", "int4 by channel"])
def test_any_sharing_of_heads(kind, heads, multiplied, views):
    widths(kind, *heads, 16, views)


@pytest.mark.parametrize("head_dim", [64, 80, 256])
@pytest.mark.parametrize("kind", ["contiguous", "int8 by token", "int2 by channel"])
def test_any_head_dim(kind, head_dim, multiplied, views):
    widths(kind, 4, 2, head_dim, views)


def widths(name, n_heads, n_kv_heads, head_dim, views):
    kind, _, options = CACHES[name]
    layout = CacheLayout.uniform(1, n_kv_heads, head_dim, n_heads=n_heads)
    cache = make_cache(kind, layout, capacity=40, device=DEVICE, **options)
    add(cache, 22)
    qkv = draw(1, 1, n_heads + 2 * n_kv_heads, head_dim, seed=1)
    out, expected, _ = one_step(views, cache, qkv, n_heads, *turns(cache, torch.tensor([22])))
    close(out, expected, "fp32")


@pytest.mark.parametrize("length", [1, 31, 33, 150])
def test_a_context_of_any_length_is_split_and_merged(length, views, multiplied):
    q, k, v = draw(2, 4, 1, 16), *draw(2, 2, 1, length, 16, seed=1)
    view = ContiguousView.of(k, v)
    close(views.attention(q, view), gathered(q, view), "fp32")


@pytest.mark.parametrize("sinks, slots", [(0, 7), (2, 9), (3, 4)])
def test_rings_turned_by_any_amount(sinks, slots, views, multiplied):
    cache = make_cache("sliding", FULL, window=slots - sinks, sinks=sinks, batch=2, device=DEVICE)
    q = draw(2, H, 1, D, seed=9)
    for t in range(2 * slots + 3):
        add(cache, 1, seed=t)
        if t % 3 == 0 or t > 2 * slots:
            close(views.attention(q, cache.view(0)), gathered(q, cache.view(0)), "fp32")


def test_blocks_anywhere_and_nothing_read_but_one_s_own(views, multiplied):
    """Sequences of different length in shuffled blocks; every slot that none of them holds is nan."""
    cache = make_cache("paged", FULL, block_size=4, batch=3, capacity=40, device=DEVICE)
    order = torch.randperm(len(cache.pool._free), generator=torch.Generator().manual_seed(0))
    cache.pool._free = [cache.pool._free[i] for i in order]
    for store in cache.layers:
        store.k.fill_(float("nan")), store.v.fill_(float("nan"))
    for b, n in enumerate((17, 4, 9)):
        add(cache.select([b]), n, seed=b)
    q = draw(3, H, 1, D, seed=5)
    out = views.attention(q, cache.view(0))
    for b in range(3):
        close(out[b : b + 1], gathered(q[b : b + 1], cache.select([b]).view(0)), "fp32")


def test_a_sequence_that_sees_nothing_reads_zeros_and_disturbs_no_other(views, multiplied):
    cache = make_cache("paged", FULL, block_size=4, batch=2, capacity=8, device=DEVICE)
    add(cache.select([1]), 3)
    q = draw(2, H, 1, D, seed=5)
    out = views.attention(q, cache.view(0))
    assert (out[0] == 0).all()
    close(out[1:], gathered(q[1:], cache.select([1]).view(0)), "fp32")


@pytest.mark.parametrize("where", ["k", "v"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_hidden(where, bad, views, multiplied):
    q, k, v = draw(1, 4, 1, 16), *draw(2, 1, 2, 100, 16, seed=1)
    (k if where == "k" else v)[0, 0, 70] = bad
    out = views.attention(q, ContiguousView.of(k, v))
    assert not out[0, :2].isfinite().any() and out[0, 2:].isfinite().all()


def test_scores_far_apart_lose_nothing(views, multiplied):
    q, k, v = draw(1, 1, 1, 16), *draw(2, 1, 1, 90, 16, seed=1)
    k *= torch.linspace(-200, 200, 90, device=DEVICE)[:, None]
    view = ContiguousView.of(k, v)
    torch.testing.assert_close(views.attention(q, view).double(), gathered(q, view), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows, hidden", [(1, 64), (3, 100), (2, 3000)])
def test_norm_and_gate(rows, hidden, dtype, views):
    x, weight = draw(rows, 2 * hidden, dtype=dtype), draw(hidden, dtype=dtype, seed=1)
    name = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}[dtype]
    first = x[:, :hidden]  # with gaps between its rows, as the last tokens of a batch of prompts
    expected = F.rms_norm(first.double(), (hidden,), weight.double(), 1e-5)
    close(views.rms_norm(first, weight, 1e-5), expected, name)
    gate, up = x.double().chunk(2, dim=1)
    close(views.silu_mul(x), F.silu(gate) * up, name)


def test_what_the_kernels_cannot_read_is_left_to_the_reference(views):
    q, k = draw(1, 2, 1, 24), draw(1, 2, 9, 24)
    turned = k.transpose(1, 2).contiguous().transpose(1, 2)
    assert views.attention(q, ContiguousView.of(turned, turned)) is None
    three = make_cache("quantized", CacheLayout.uniform(1, 2, 24, n_heads=2), group=12, device=DEVICE)
    add(three, 2)
    assert views.attention(q, three.view(0)) is None and not three.captured
    with_gradient = k.clone().requires_grad_()
    assert views.attention(q, ContiguousView.of(with_gradient, with_gradient)) is None
    assert views.attention(q.expand(1, 2, 3, 24), ContiguousView.of(k, k)) is None


@pytest.mark.skipif(DEVICE == "cpu", reason="attention on a CPU is the CPU's")
def test_attention_on_a_gpu_is_these_kernels(views):
    assert kernels_for(torch.device("cuda"), torch.float16) is views
    q, k = draw(1, 2, 1, 24), draw(1, 2, 9, 24)
    assert torch.equal(attention(q, ContiguousView.of(k, k)), views.attention(q, ContiguousView.of(k, k)))
