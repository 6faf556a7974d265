"""The CPU loops that read a cache in place, against float64 and against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from numba.core.errors import TypingError

from kvlib.attention import ContiguousView, attention
from kvlib.decoder import rotary_tables
from kvlib.kernels import cpu
from kvlib.kernels.cpu import reading, storing
from kvlib.kernels.cpu.compiling import sources
from kvlib.kernels.cpu.memory import Packed, Paged, Plain

from . import reference

ENTRIES = [
    (reading, "_attend"), (reading, "_attend_token"), (reading, "_attend_parallel"),
    (storing, "place"), (storing, "rms_norm"), (storing, "silu_mul"),
]  # fmt: skip
TIGHT = dict(atol=1e-5, rtol=1e-5)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def expected(q, k, v, seen):
    """What q [B, H, D] reads of k and v [B, H_kv, T, D], by position: float64, a head at a time.

    seen  for each sequence, the positions that it sees
    """
    out, G = np.empty(q.shape), q.shape[1] // k.shape[1]
    for b, h in np.ndindex(q.shape[:2]):
        keys, values = (x[b, h // G, seen[b]].astype(np.float64) for x in (k, v))
        scores = keys @ q[b, h].astype(np.float64) / np.sqrt(q.shape[2])
        weights = np.exp(scores - scores.max())
        out[b, h] = weights @ values / weights.sum()
    return out


def spans(start, stop, sinks=0):
    """The positions that each sequence sees."""
    pairs = zip(start, stop, strict=True)
    return [sorted({*range(min(sinks, end)), *range(first, end)}) for first, end in pairs]


def close(out, k, v, q, start, stop, sinks=0):
    np.testing.assert_allclose(out, expected(q, k, v, spans(start, stop, sinks)), **TIGHT)


@st.composite
def ends(draw, most=200):
    """Each sequence's first token and end."""
    stop = draw(st.lists(st.integers(1, most), min_size=1, max_size=3))
    return np.array([draw(st.integers(0, end - 1)) for end in stop]), np.array(stop)


@pytest.fixture(params=[1, 2, 3], ids="{} threads".format)
def threads(request, monkeypatch):
    """However little there is to read, this many share it."""
    monkeypatch.setattr(reading, "ALONE", 0)
    return request.param


# H, H_kv, D
SHAPES = st.sampled_from([
    (1, 1, 8), (3, 3, 5), (6, 2, 16), (7, 1, 64), (8, 2, 32), (3, 1, 80), (8, 1, 96), (4, 1, 128), (2, 2, 256)
])  # fmt: skip


def fixed(**more):
    return settings(max_examples=40, deadline=None, suppress_health_check=["function_scoped_fixture"], **more)


@fixed()
@given(span=ends(), shape=SHAPES, seed=st.integers(0, 9))
def test_plain_memory(threads, span, shape, seed):
    (start, stop), (H, H_kv, D) = span, shape
    q, k, v = draw(len(stop), H, D, seed=seed), *draw(2, len(stop), H_kv, max(stop), D, seed=seed + 10)
    close(cpu.attend(q, Plain(k, v), H_kv, start, stop, threads), k, v, q, start, stop)


def ring(x, stop, slots, sinks):
    """x [B, H_kv, T, D] as its first stop[b] tokens lie in a ring behind the sinks; nan where none lies."""
    out = np.full((*x.shape[:2], slots, x.shape[3]), np.nan, np.float32)
    for b, end in enumerate(stop):
        for t in range(end):
            out[b, :, t if t < sinks else sinks + (t - sinks) % (slots - sinks)] = x[b, :, t]
    return out


@fixed()
@given(
    stop=st.lists(st.integers(1, 300), min_size=1, max_size=3), length=st.integers(1, 120),
    sinks=st.integers(0, 5), shape=SHAPES, share=st.floats(0, 1), seed=st.integers(0, 9),
)  # fmt: skip
def test_rings_turned_by_any_amount(threads, stop, length, sinks, shape, share, seed):
    """Windows smaller than what is held, and padding: sequences begin anywhere in what is left."""
    H, H_kv, D = shape
    stop = np.array(stop)
    held = np.maximum(stop - length, 0)
    start = np.minimum(held + ((stop - held) * share).astype(int), stop - 1)
    q, k, v = draw(len(stop), H, D, seed=seed), *draw(2, len(stop), H_kv, max(stop), D, seed=seed + 10)
    memory = Plain(*(ring(x, stop, sinks + length, sinks) for x in (k, v)), sinks)
    close(cpu.attend(q, memory, H_kv, start, stop, threads), k, v, q, start, stop, sinks)


@fixed()
@given(span=ends(), shape=SHAPES, size=st.integers(1, 20), seed=st.integers(0, 9), sorted_=st.booleans())
def test_paged_memory(threads, span, shape, size, seed, sorted_):
    """Blocks anywhere in the pool, in any order or in a row; those that no one reads hold nan."""
    (start, stop), (H, H_kv, D) = span, shape
    B, blocks = len(stop), -(-max(stop) // size)
    q, k, v = draw(B, H, D, seed=seed), *draw(2, B, H_kv, blocks * size, D, seed=seed + 10)
    order = np.random.default_rng(seed).permutation(B * blocks + 2)[: B * blocks]
    table = (np.arange(B * blocks) if sorted_ else order).reshape(B, blocks)
    pool = np.full((2, H_kv, B * blocks + 2, size, D), np.nan, np.float32)
    for memory, x in zip(pool, (k, v), strict=True):
        memory[:, table] = x.reshape(B, H_kv, blocks, size, D).swapaxes(0, 1)
    memory = Paged(*pool.reshape(2, H_kv, -1, D), table, size)
    close(cpu.attend(q, memory, H_kv, start, stop, threads), k, v, q, start, stop)


def packed(x, bits):
    """Codes [..., n] in bytes, the first in the lowest bits."""
    shifted = x.reshape(*x.shape[:-1], -1, 8 // bits) << np.arange(0, 8, bits)
    return shifted.sum(-1).astype(np.uint8)


def random_codes(rng, shape, bits, group, by_channel):
    """Codes in bytes, the bits of their scales and zeros, and the numbers that they stand for: float64."""
    B, H_kv, T, D = shape
    number = rng.integers(0, 2**bits, shape)
    scales = (B, H_kv, T // group, D) if by_channel else (B, H_kv, T, D // group)
    scale = (rng.random(scales) / 2**bits * 4).astype(np.float16)
    zero = (rng.standard_normal(scales) - 2).astype(np.float16)
    wide = [np.repeat(x.astype(np.float64), group, axis=2 if by_channel else 3) for x in (scale, zero)]
    return packed(number, bits), scale.view(np.uint16), zero.view(np.uint16), number * wide[0] + wide[1]


@fixed()
@given(
    span=ends(150), shape=st.sampled_from([(1, 1, 16), (6, 2, 80), (8, 1, 64), (7, 1, 128)]),
    bits=st.sampled_from([8, 4, 2]), group=st.sampled_from([8, 16]), length=st.integers(1, 200),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_packed_by_token(threads, span, shape, bits, group, length, seed):
    """In rings too: slots hold the last `length` tokens, and the window is what is left of the span."""
    (start, stop), (H, H_kv, D) = span, shape
    start = np.maximum(start, stop - length)
    rng, B = np.random.default_rng(seed), len(stop)
    k, v = (random_codes(rng, (B, H_kv, length, D), bits, group, False) for _ in "kv")
    none = np.zeros((B, H_kv, 0, D), np.float32)
    q = draw(B, H, D, seed=seed)
    memory = Packed(*k[:3], *v[:3], none, none, 0, bits, group, False)
    in_order = [x[3][:, :, np.arange(max(stop)) % length] for x in (k, v)]
    close(cpu.attend(q, memory, H_kv, start, stop, threads), *in_order, q, start, stop)


@fixed()
@given(ends(150), st.sampled_from([8, 4, 2]), st.sampled_from([8, 16]), st.integers(0, 9))
def test_packed_by_channel(threads, span, bits, group, seed):
    """Whole groups of tokens as codes; the rest wait in full precision."""
    start, stop = span
    stop = np.full_like(stop, max(stop))  # as many wait in each sequence
    rng, B, T = np.random.default_rng(seed), len(stop), max(stop)
    coded, slots = T // group * group, -(-T // group) * group
    k = random_codes(rng, (B, 2, slots, 32), bits, group, True)
    v = random_codes(rng, (B, 2, slots, 32), bits, group, False)
    waiting = draw(2, B, 2, group, 32, seed=seed + 10)
    q = draw(B, 6, 32, seed=seed)
    memory = Packed(*k[:3], *v[:3], *waiting, coded, bits, group, True)
    rest = waiting[:, :, :, : T - coded]
    in_order = [np.concatenate([x[3][:, :, :coded], w], 2) for x, w in zip((k, v), rest, strict=True)]
    close(cpu.attend(q, memory, 2, start, stop, threads), *in_order, q, start, stop)


@pytest.mark.parametrize("where", ["k", "v"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_hidden(where, bad):
    q, k, v = draw(1, 4, 8), *draw(2, 1, 2, 100, 8, seed=1)
    (k if where == "k" else v)[0, 0, 70] = bad
    out = cpu.attend(q, Plain(k, v), 2, np.array([0]), np.array([100]))
    assert not np.isfinite(out[0, :2]).any() and np.isfinite(out[0, 2:]).all()


def test_scores_far_apart_lose_nothing():
    q, k, v = draw(1, 1, 8), *draw(2, 1, 1, 300, 8, seed=1)
    k *= np.linspace(-200, 200, 300, dtype=np.float32)[:, None]
    out = cpu.attend(q, Plain(k, v), 1, np.array([0]), np.array([300]))
    np.testing.assert_allclose(out, expected(q, k, v, spans([0], [300])), atol=1e-4, rtol=1e-4)


def test_vectors_never_read_across_a_stride():
    """A vector is read from neighbouring memory, so arrays that have none there are refused."""
    q, x = draw(1, 2, 16), draw(1, 2, 8, 16)
    with pytest.raises(TypingError, match="C-contiguous"):
        cpu.attend(q, Plain(x.swapaxes(1, 2), x.swapaxes(1, 2)), 2, np.array([0]), np.array([2]))


MEMORY = {
    "plain": lambda B, H_kv, T, D: Plain(*np.full((2, B, H_kv, T, D), np.nan, np.float32)),
    "ring": lambda B, H_kv, T, D: Plain(*np.full((2, B, H_kv, 7, D), np.nan, np.float32), 2),
    "paged": lambda B, H_kv, T, D: Paged(
        *np.full((2, H_kv, B * -(-T // 4) * 4, D), np.nan, np.float32),
        np.random.default_rng(1).permutation(B * -(-T // 4)).reshape(B, -1), 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("D", [16, 80])
@pytest.mark.parametrize("kind", MEMORY)
def test_a_token_is_rotated_stored_and_read(kind, D, threads):
    """Sequences of different length, token by token, against float64."""
    H, H_kv, T, B = 6, 2, 20, 3
    memory = MEMORY[kind](B, H_kv, T, D)
    window, sinks = (5, 2) if kind == "ring" else (T, 0)
    cos, sin = (table.numpy()[:, 0] for table in rotary_tables(T, D, 1e4, torch.zeros(1)))
    keys, values = np.zeros((2, B, H_kv, T, D))
    pad = np.array([0, 3, 5])  # the second and third sequence begin later
    for step in range(T):
        at = np.maximum(step - pad, 0)
        qkv = draw(B, (H + 2 * H_kv) * D, seed=step)
        stop = at + 1
        start = np.maximum(0, stop - window)
        token = qkv, (H, H_kv), cos[at], sin[at], memory
        out = cpu.attend_token(*token, start, stop, threads)
        heads = qkv.reshape(B, -1, D).astype(np.float64)
        half = np.concatenate([heads[..., D // 2 :], heads[..., : D // 2]], -1)
        turned = heads * cos[at][:, None] + half * sin[at][:, None]
        for b in range(B):
            keys[b, :, at[b]], values[b, :, at[b]] = turned[b, H : H + H_kv], heads[b, H + H_kv :]
        close(out.reshape(B, H, D), keys, values, turned[:, :H], start, stop, sinks)
        np.testing.assert_allclose(cpu.place(*token, at), turned[:, :H], **TIGHT)


def test_one_token_of_a_contiguous_window():
    q, k, v = torch.randn(2, 4, 1, 8), torch.randn(2, 2, 30, 8), torch.randn(2, 2, 30, 8)
    full = torch.cat([torch.zeros(2, 4, 29, 8), q], dim=2)
    expected = reference.batch(full, k, v, 7)[:, :, -1:]
    torch.testing.assert_close(attention(q, ContiguousView.of(k, v, window=7)).double(), expected, **TIGHT)


def test_compiled_code_is_found_again_in_the_next_process():
    """Numba looks for it by what the function encloses; another compiled function is not the same there."""
    entries = [getattr(module, name) for module, name in ENTRIES]
    enclosed = [cell.cell_contents for entry in entries for cell in entry.py_func.__closure__]
    assert enclosed == [sources()] * len(ENTRIES)
