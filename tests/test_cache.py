"""One matrix: every cache × chunking × heads × windows × dtypes against attention without a cache."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

from kvlib.attention import attention
from kvlib.blocks import OutOfBlocks
from kvlib.cache import ContiguousCache, PagedCache, QuantizedCache, SlidingCache, codes as coding, make_cache
from kvlib.layouts import CacheLayout, LayerKV

from . import reference

HEADS = {"MHA": (4, 4), "GQA": (6, 2), "MQA": (4, 1)}
# How far an output may be from float64's: the new tokens' own rounding, and the kernels'.
TOLERANCE = {"fp32": 1e-5, "fp16": 4e-3, "bf16": 3e-2}
D = 8


@pytest.fixture(params=["kernels", "reference alone"], scope="module", autouse=True)
def kernels(request):
    """Everything here holds with the kernels of this device, and with KVLIB_KERNELS=off."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "reference alone":
            patch.setenv("KVLIB_KERNELS", "off")
        yield


def store(cache, *pairs):
    """One step: the new tokens' (k, v) of each layer; what the last of these layers then holds or sees."""
    cache.append(pairs[0][0].shape[2])
    for layer, (k, v) in enumerate(pairs):
        cache.write(layer, k, v)
    return cache.view(len(pairs) - 1).gather()


ACTIONS = "add", "fork", "free", "one", "all"


def draw(H, H_kv, T, dtype="fp32", B=2, seed=0):
    torch.manual_seed(seed)
    kind = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    return tuple(torch.randn(B, heads, T, D).to(kind) for heads in (H, H_kv, H_kv))


def run(cache, q, k, v, chunks):
    """Every layer's outputs [layers, B, H, T, D], with the tokens given in `chunks`."""
    outputs, start = [], 0
    for T in chunks:
        part = slice(start, start + T)
        cache.append(T)
        read = []
        for layer in range(2):
            cache.write(layer, k[:, :, part], v[:, :, part])
            read.append(attention(q[:, :, part], cache.view(layer)))
        outputs.append(torch.stack(read))
        start += T
        assert cache.length == start
        assert cache.nbytes == cache.predicted_bytes <= cache.reserved_bytes
    return torch.cat(outputs, dim=3)


@st.composite
def chunkings(draw, most=40):
    total = draw(st.integers(1, most))
    how = draw(st.sampled_from(["at once", "one by one", "uneven"]))
    if how == "at once":
        return [total]
    if how == "one by one":
        return [1] * total
    chunks = []
    while sum(chunks) < total:
        chunks.append(draw(st.integers(1, total - sum(chunks))))
    return chunks


@settings(max_examples=120, deadline=None)
@given(
    heads=st.sampled_from(sorted(HEADS)), chunks=chunkings(), window=st.none() | st.integers(1, 12),
    sinks=st.integers(0, 4), block_size=st.integers(1, 6), dtype=st.sampled_from(sorted(TOLERANCE)),
    kind=st.sampled_from(["contiguous", "windowed layer", "sliding", "paged", "paged, windowed layer"]),
    seed=st.integers(0, 3),
)  # fmt: skip
def test_exact_caches(heads, chunks, window, sinks, block_size, dtype, kind, seed):
    H, H_kv = HEADS[heads]
    T = sum(chunks)
    q, k, v = draw(H, H_kv, T, dtype, seed=seed)
    layout = CacheLayout.uniform(2, H_kv, D, n_heads=H)
    room = dict(batch=2, capacity=T, dtype=dtype)
    windows = [(None, 0)] * 2  # each layer's window and sinks
    if "windowed" in kind and window:  # as Gemma has them: one layer slides, one is full
        layout = CacheLayout(
            (LayerKV("sliding", H_kv, D, window=window), LayerKV("full", H_kv, D)), n_heads=H
        )
        windows = [(window, 0), (None, 0)]
    if kind == "sliding":
        window = window or T
        cache, windows = SlidingCache(layout, window=window, sinks=sinks, **room), [(window, sinks)] * 2
    elif "paged" in kind:
        cache = PagedCache(layout, block_size=block_size, **room)
    else:
        cache = ContiguousCache(layout, **room)
    out = run(cache, q, k, v, chunks)
    for layer, (W, first) in enumerate(windows):
        expected = reference.batch(q, k, v, W, first)
        assert (out[layer].double() - expected).abs().max() < TOLERANCE[dtype]


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [9, 1, 1, 20, 9]])
@pytest.mark.parametrize("sinks", [0, 3])
def test_a_sequence_many_times_the_window_keeps_the_window(chunks, sinks):
    """Five turns of the ring: the keys and values themselves, in order."""
    _, k, v = draw(1, 1, 40)
    cache = SlidingCache(CacheLayout.uniform(1, 1, D), window=8, sinks=sinks, batch=2)
    start = 0
    for T in chunks:
        part = slice(start, start + T)
        keys, values = store(cache, (k[:, :, part], v[:, :, part]))
        start += T
    held = [*range(sinks), *range(max(sinks, 32), 40)]
    memory = cache.layers[0].view(cache.length, first=None, last=None, new=0).gather()
    assert torch.equal(memory[0], k[:, :, held])
    assert torch.equal(memory[1], v[:, :, held])
    assert torch.equal(keys[:, :, -chunks[-1] :], k[:, :, -chunks[-1] :])
    assert cache.nbytes == cache.reserved_bytes == 2 * len(held) * 2 * D * 4


def bounds(x, bits, dim, group):
    """The most a number of x may be off: half a step of its group, and float16's rounding of the ends."""
    grouped = x.unflatten(dim, (-1, group))
    low, high = grouped.aminmax(dim=dim + 1, keepdim=True)
    step = ((high - low) / (2**bits - 1)).clamp(min=2.0**-14)
    bound = step / 2 * (1 + 2.0**-9) + (low.abs() + high.abs()) * 2.0**-10
    return bound.expand_as(grouped).reshape(x.shape).clone()


@settings(max_examples=80, deadline=None)
@given(
    codes=st.sampled_from(["int8", "int4", "int2"]), group=st.sampled_from([4, 8]), seed=st.integers(0, 3),
    keys=st.sampled_from(["token", "channel"]), chunks=chunkings(), heads=st.sampled_from(sorted(HEADS)),
    scale=st.sampled_from([1e-3, 1.0, 100.0]), offset=st.sampled_from([0.0, 5.0]),
)  # fmt: skip
def test_quantized_caches_stay_within_their_step(codes, group, seed, keys, chunks, heads, scale, offset):
    H, H_kv = HEADS[heads]
    T, bits = sum(chunks), coding.BITS[codes]
    q, k, v = draw(H, H_kv, T, seed=seed)
    k, v = k * scale + offset, v * scale + offset
    layout = CacheLayout.uniform(2, H_kv, D, n_heads=H)
    cache = QuantizedCache(layout, codes=codes, group=group, keys=keys, batch=2, capacity=T)
    out = run(cache, q, k, v, chunks)
    packed = T // group * group if keys == "channel" else T
    assert cache.nbytes == 2 * (
        layout.bytes_per_token(f"{codes}-g{group}") * packed + layout.bytes_per_token("fp32") * (T - packed)
    )
    k_bound, v_bound = torch.zeros_like(k), bounds(v, bits, 3, group)
    k_bound[:, :, :packed] = (
        bounds(k[:, :, :packed], bits, 2 if keys == "channel" else 3, group) if packed else 0
    )
    v_bound[:, :, packed:] = 0
    held_k, held_v = cache.view(0).gather()
    assert ((held_k - k).abs() <= k_bound).all() and ((held_v - v).abs() <= v_bound).all()
    if keys == "token":
        # A score is off by at most d = |q|·bound / sqrt(D), so weights by a factor e^±2d.
        G = H // H_kv
        d = (q.abs() @ k_bound.repeat_interleave(G, 1).transpose(-1, -2)).amax(
            -1, keepdim=True
        ).double() / D**0.5
        limit = torch.expm1(2 * d) * v.abs().max() + v_bound.max() + 1e-4 * (1 + v.abs().max())
        assert ((out[0].double() - reference.batch(q, k, v)).abs() <= limit).all()


@settings(max_examples=60, deadline=None)
@given(
    codes=st.sampled_from(["int8", "int4", "int2"]), group=st.sampled_from([4, 8]), seed=st.integers(0, 3),
    window=st.integers(1, 12), chunks=chunkings(), heads=st.sampled_from(sorted(HEADS)),
)  # fmt: skip
def test_a_sliding_layer_is_a_ring_of_codes(codes, group, seed, window, chunks, heads):
    """Every key and value is what its codes stand for, in the window and in the full layer beside it."""
    H, H_kv = HEADS[heads]
    q, k, v = draw(H, H_kv, sum(chunks), seed=seed)
    layout = CacheLayout((LayerKV("sliding", H_kv, D, window=window), LayerKV("full", H_kv, D)), n_heads=H)
    cache = QuantizedCache(layout, codes=codes, group=group, batch=2, capacity=sum(chunks))
    out = run(cache, q, k, v, chunks)
    groups = (x.unflatten(3, (-1, group)) for x in (k, v))
    k, v = (coding.dequantize(*coding.quantize(x, coding.BITS[codes], dim=4)).flatten(3) for x in groups)
    for layer, W in enumerate((window, None)):
        assert (out[layer].double() - reference.batch(q, k, v, W)).abs().max() < TOLERANCE["fp32"]


def test_a_ring_of_codes_takes_tokens_one_by_one():
    layout = CacheLayout((LayerKV("sliding", 1, D, window=4),))
    with pytest.raises(ValueError, match="keys must be .token."):
        QuantizedCache(layout, group=8, keys="channel")


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_packed_codes_come_back(bits):
    codes = torch.randint(0, 2**bits, (3, 5, 16), dtype=torch.uint8)
    packed = coding.pack(codes, bits)
    assert packed.nbytes == codes.numel() * bits // 8
    assert torch.equal(coding.unpack(packed, bits), codes)


def test_quantized_memory_is_really_small():
    layout = CacheLayout.uniform(2, 2, 64)
    cache = QuantizedCache(layout, codes="int4", group=32, capacity=96)
    real = [t for layer in cache.layers for x in (layer.k, layer.v) for t in (x.codes, x.scale, x.zero)]
    assert (
        sum(t.untyped_storage().nbytes() for t in real)
        == layout.bytes(96, dtype="int4-g32")
        == cache.reserved_bytes
    )


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9), st.integers(1, 6)),
        min_size=1, max_size=25,
    ),
    block_size=st.integers(1, 4), num_blocks=st.integers(1, 14),
)  # fmt: skip
def test_paged_sequences_against_a_plain_model(steps, block_size, num_blocks):
    """Forks, frees and reuse: each sequence's keys are a plain tensor that nothing else can touch."""
    layout = CacheLayout.uniform(2, 2, D, n_heads=4)
    cache = PagedCache(layout, block_size=block_size, num_blocks=num_blocks)
    model = [torch.zeros(2, 0, D)]  # [H_kv, T, D] a sequence; values are the keys' negatives
    torch.manual_seed(0)
    for action, which, T in steps:
        if action == "add":
            cache.add()
            model.append(torch.zeros(2, 0, D))
        elif not model:
            continue
        elif action == "fork":
            assert cache.fork(which % len(model)) == len(model)
            model.append(model[which % len(model)])
        elif action == "free":
            cache.free(which % len(model))
            model.pop(which % len(model))
        else:
            chosen = [which % len(model)] if action == "one" else list(range(len(model)))
            part = cache.select(chosen)
            new = torch.randn(len(chosen), 2, T, D)
            before = cache.pool.num_free, cache.lengths, [list(t.blocks) for t in cache.tables]
            try:
                keys, values = store(part, (new, -new), (new + 1, -new - 1))
            except OutOfBlocks as error:
                assert error.short > 0
                assert before == (cache.pool.num_free, cache.lengths, [list(t.blocks) for t in cache.tables])
                continue
            for row, i in enumerate(chosen):
                model[i] = torch.cat([model[i], new[row]], dim=1)
                n = model[i].shape[1]
                assert torch.equal(keys[row, :, keys.shape[2] - n :], model[i] + 1)
                assert torch.equal(values[row, :, keys.shape[2] - n :], -model[i] - 1)
        assert cache.lengths == [tokens.shape[1] for tokens in model]
        assert cache.nbytes == cache.predicted_bytes <= cache.block_bytes <= cache.reserved_bytes
        assert cache.block_bytes == cache.pool.num_used * block_size * layout.bytes_per_token("fp32")
        for i, tokens in enumerate(model):
            slots = [cache.tables[i].slot(t) for t in range(cache.lengths[i])]
            assert torch.equal(cache.layers[0].k[0, :, slots], tokens)


def test_sequences_of_different_length_attend_to_their_own():
    q, k, v = draw(6, 2, 9, B=3)
    cache = PagedCache(CacheLayout.uniform(1, 2, D, n_heads=6), block_size=4, batch=3, capacity=16)
    for b, n in enumerate((8, 3, 5)):
        store(cache.select([b]), [x[b : b + 1, :, :n] for x in (k, v)])
    last = [x[:, :, 8:] for x in (q, k, v)]
    store(cache, last[1:])
    out = attention(last[0], cache.view(0))
    for b, n in enumerate((8, 3, 5)):
        own = [torch.cat([x[b, :, :n], new[b]], dim=1) for x, new in zip((q, k, v), last, strict=True)]
        torch.testing.assert_close(out[b].double(), reference.attend(*own)[:, -1:], atol=1e-5, rtol=1e-5)


def test_the_last_to_write_a_shared_block_needs_no_copy_of_it():
    cache = PagedCache(CacheLayout.uniform(1, 1, D), block_size=4, num_blocks=2)
    _, k, v = draw(1, 1, 3, B=1)
    store(cache, (k, v))
    cache.fork()
    new = torch.ones(2, 1, 1, D)
    keys, _ = store(cache, (new, new))  # two sequences, two blocks: exactly enough
    assert cache.pool.num_free == 0 and torch.equal(keys[0], keys[1])


def test_an_exhausted_pool_is_left_as_it_was():
    cache = PagedCache(CacheLayout.uniform(1, 1, D), block_size=2, num_blocks=3, batch=2)
    _, k, v = draw(1, 1, 2)
    store(cache, (k, v))
    memory, free = cache.layers[0].k.clone(), cache.pool.num_free
    with pytest.raises(OutOfBlocks, match="1 short"):
        store(cache, (k, v))
    assert torch.equal(cache.layers[0].k, memory) and cache.pool.num_free == free and cache.lengths == [2, 2]


@pytest.mark.parametrize(
    "kind, options",
    [("contiguous", {}), ("sliding", dict(window=16, sinks=2)), ("paged", {}),
     ("quantized", dict(group=8)), ("quantized", dict(group=8, keys="channel"))],
)  # fmt: skip
def test_adding_a_token_moves_no_memory_and_writes_no_other(kind, options):
    cache = make_cache(kind, CacheLayout.uniform(1, 1, D), capacity=64, **options)
    _, k, v = draw(1, 1, 64, B=1)

    def memory(x):
        if isinstance(x, torch.Tensor):
            return [x]
        if isinstance(x, (list, tuple)):
            return [t for y in x for t in memory(y)]
        return memory(list(vars(x).values())) if type(x).__module__.startswith("kvlib") else []

    for t in range(40):
        store(cache, (k[:, :, t : t + 1], v[:, :, t : t + 1]))
    tensors = memory(cache.layers)
    before, versions = [t.clone() for t in tensors], [t.data_ptr() for t in tensors]
    store(cache, (k[:, :, 40:41], v[:, :, 40:41]))
    after = memory(cache.layers)
    assert [t.data_ptr() for t in after] == versions
    changed = sum((a != b).sum().item() * a.element_size() for a, b in zip(after, before, strict=True))
    group = 8 * D * 2 * 4 if options.get("keys") == "channel" else 0  # the group this token completes
    assert 0 < changed <= 2 * D * 4 + group


@pytest.mark.parametrize("kind, options", [("contiguous", {}), ("quantized", dict(group=8))])
def test_a_full_cache_refuses_and_stays_as_it_was(kind, options):
    cache = make_cache(kind, CacheLayout.uniform(1, 1, D), capacity=4, **options)
    _, k, v = draw(1, 1, 3, B=1)
    store(cache, (k, v))
    with pytest.raises(ValueError, match="capacity=4"):
        store(cache, (k, v))
    assert cache.length == 3


@pytest.mark.parametrize(
    "kind, options, named",
    [("continuous", {}, "did you mean contiguous"), ("contiguous", dict(capacity=0), "capacity"),
     ("contiguous", dict(dtype="int8"), "dtype"), ("contiguous", dict(batch=1.5), "batch"),
     ("sliding", dict(window=0), "window"), ("sliding", dict(window=4, sinks=-1), "sinks"),
     ("quantized", dict(codes="int3"), "codes"), ("quantized", dict(group=3, codes="int8"), "group"),
     ("quantized", dict(keys="head"), "keys"), ("paged", dict(block_size=0), "block_size"),
     ("paged", dict(num_blocks=-1), "num_blocks")],
)  # fmt: skip
def test_bad_options_are_refused_by_name(kind, options, named):
    with pytest.raises(ValueError, match=named):
        make_cache(kind, CacheLayout.uniform(1, 1, D), **options)


def test_a_layer_that_keeps_no_keys_and_values_is_refused():
    latent = CacheLayout((LayerKV("latent", 1, 8, v_head_dim=0),))
    with pytest.raises(ValueError, match="latent"):
        ContiguousCache(latent)
