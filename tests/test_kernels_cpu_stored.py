"""The CPU loops around attention: storing and packing, the exponential, the gate, what is kept on disk."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numba import njit

from kvlib.cache.codes import pack, quantize
from kvlib.decoder import rotary_tables, rotate
from kvlib.kernels import cpu
from kvlib.kernels.cpu import codes, compiling, lanes, reading, storing
from kvlib.kernels.cpu.memory import Packed, Plain


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def packed(numbers, bits):
    """Codes [..., n] in bytes, the first in the lowest bits."""
    shifted = numbers.reshape(*numbers.shape[:-1], -1, 8 // bits) << np.arange(0, 8, bits)
    return shifted.sum(-1).astype(np.uint8)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_every_code_is_unpacked(bits):
    numbers = np.random.default_rng(0).integers(0, 2**bits, (5, 32))
    out = np.empty((5, 32), np.float32)
    codes.unpack(packed(numbers, bits), 0, 5, bits, out)
    assert np.array_equal(out, numbers)
    assert np.array_equal(packed(numbers, bits), pack(torch.from_numpy(numbers).byte(), bits).numpy())


def test_every_half_is_read_exactly():
    bits = np.arange(2**16, dtype=np.uint16)
    read = np.array([codes.half(b) for b in bits], np.float32)
    assert np.array_equal(read, bits.view(np.float16).astype(np.float32), equal_nan=True)


@njit
def powers(x):
    out = np.empty_like(x)
    for i in range(len(x)):
        lanes.store(out, i, 0, compiling.exp2(lanes.load(x, i, 0)))
    return out


def test_exp2_is_within_its_promise():
    x = -np.geomspace(1e-6, 126, 20000).astype(np.float32).reshape(-1, lanes.LANES)
    assert np.abs(powers(x) / np.exp2(x.astype(np.float64)) - 1).max() < 3e-7
    edges = np.zeros((1, lanes.LANES), np.float32)
    edges[0, 1:7] = -1, -126, -126.01, -1e4, -np.inf, np.nan
    assert powers(edges)[0, :6].tolist() == [1, 0.5, 2.0**-126, 0, 0, 0] and np.isnan(powers(edges)[0, 6])


def test_rotation_is_the_decoders():
    cos, sin = (table[4:5, 0] for table in rotary_tables(9, 32, 1e4, torch.zeros(1)))
    qkv = torch.from_numpy(draw(2, 6 * 32))
    memory = Plain(*np.zeros((2, 2, 1, 9, 32), np.float32))
    q = cpu.place(qkv.numpy(), (4, 1), cos.numpy(), sin.numpy(), memory, np.array([4, 4]))
    heads = rotate(qkv.view(2, 1, 6, 32), cos[:, None, None], sin[:, None, None])[:, 0]
    torch.testing.assert_close(torch.from_numpy(q), heads[:, :4])
    torch.testing.assert_close(torch.from_numpy(memory.k[:, :, 4]), heads[:, 4:5])
    assert np.array_equal(memory.v[:, 0, 4], qkv[:, 5 * 32 :]) and not memory.k[:, :, :4].any()


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-5, 0.0), (0.0, 3.0), (100.0, -40.0)])
def test_a_token_is_packed_to_the_same_bytes(bits, scale, offset):
    """`place`, whose rotation by nothing changes no bit, against `quantize`; in a ring of 20 slots."""
    memory = Packed(
        *(np.zeros((3, 2, 20, n), np.uint8 if n > 2 else np.uint16) for n in (4 * bits, 2, 2) * 2),
        *np.zeros((2, 3, 2, 0, 32), np.float32), 0, bits, 16, False,
    )  # fmt: skip
    cos, sin = np.ones((1, 32), np.float32), np.zeros((1, 32), np.float32)
    for t in range(30):
        qkv = draw(3, 8 * 32, seed=t) * np.float32(scale) + np.float32(offset)
        q = cpu.place(qkv, (4, 2), cos, sin, memory, np.full(3, t))
        heads = torch.from_numpy(qkv).view(3, 8, 2, 16)
        assert np.array_equal(q.ravel(), heads[:, :4].ravel())
        for at, stored in ((4, memory[:3]), (6, memory[3:6])):
            number, *rest = quantize(heads[:, at : at + 2], bits, dim=3)
            assert np.array_equal(stored[0][:, :, t % 20], pack(number.flatten(2), bits))
            for ours, theirs in zip(stored[1:], rest, strict=True):
                assert np.array_equal(ours[:, :, t % 20].view(np.float16), theirs.squeeze(3))


def test_a_packed_nan_comes_back():
    x = np.arange(16, dtype=np.float32)
    x[5] = np.nan
    code, scale, zero = np.zeros(8, np.uint8), np.zeros(2, np.uint16), np.zeros(2, np.uint16)
    codes.quantize(x, 4, 8, code, scale, zero)
    assert np.isnan(codes.half(zero[0])) and np.isfinite(codes.half(zero[1]))


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-4, 1.0, 300.0, 1e5])
def test_the_nearest_half_is_torchs(scale):
    torch.manual_seed(0)
    x = torch.tensor([0.0, -0.0, 65519.9, 65520.0, torch.inf, -torch.inf])
    x = torch.cat([torch.randn(3000) * scale, x])
    x = torch.cat([x, x.half().float(), (x.half().float() + (x * 1.0009765625).half().float()) / 2])  # ties
    x = x[~x.isnan()]
    bits = np.array([codes.to_half(y) for y in x.numpy()], np.uint16)
    assert np.array_equal(bits, x.half().view(torch.int16).numpy().view(np.uint16))
    assert np.isnan(codes.half(codes.to_half(np.float32(np.nan))))


@pytest.mark.parametrize("ffn", [1, 7, 8, 16, 50, 1536])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_the_gate_is_torchs(ffn, scale):
    x = torch.from_numpy(draw(3, 2 * ffn)) * scale
    x[0, 0], x[1, 0] = 0, -120.0
    ours = torch.from_numpy(cpu.silu_mul(x.numpy()))
    torch.testing.assert_close(ours, F.silu(x[:, :ffn]) * x[:, ffn:], rtol=2e-6, atol=1e-30)


def test_the_gate_hides_nothing():
    x = torch.ones(1, 64)
    x[0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    ours = torch.from_numpy(cpu.silu_mul(x.numpy()))
    torch.testing.assert_close(ours, F.silu(x[:, :32]) * x[:, 32:], equal_nan=True)


ENTRIES = [
    reading._attend, reading._attend_token, reading._attend_parallel,
    storing.place, storing.rms_norm, storing.silu_mul,
]  # fmt: skip


def test_code_kept_on_disk_is_of_these_sources(tmp_path, monkeypatch):
    """Numba looks at the entry point's own file only, and at what the function encloses."""
    for entry in ENTRIES:
        assert compiling.sources() in [cell.cell_contents for cell in entry.py_func.__closure__]
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("2")
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "a.py"))
    before = compiling.sources()
    (tmp_path / "b.py").write_text("3")
    assert compiling.sources() != before
