"""Bytes, dtypes and how they are said; and what is refused."""

import numpy as np
import pytest

from kvlib.units import (
    GB,
    DType,
    GiB,
    KiB,
    MiB,
    dtype,
    fmt,
    fmt_seconds,
    read_bytes,
    read_count,
    unknown,
    whole_number,
)


@pytest.mark.parametrize(
    ("name", "elements", "nbytes"),
    [
        ("fp32", 3, 12),
        ("bf16", 3, 6),
        ("fp8", 3, 3),
        ("int4", 2, 1),
        ("int4", 3, 2),  # a nibble begun is a byte stored
        ("int2", 5, 2),
        ("q8_0", 32, 34),
        ("q8_0", 33, 68),
        ("q4_0", 128, 72),
        # 64 codes of a byte, then an fp16 scale and an fp16 zero point
        ("int8-g64", 64, 68),
        ("int8-g64", 65, 136),
        ("int4-g64", 128, 72),
        ("int2-g32", 64, 24),
        ("bf16", 0, 0),
    ],
)
def test_nbytes(name, elements, nbytes):
    assert dtype(name).nbytes(elements) == nbytes


@pytest.mark.parametrize(
    ("name", "bits"), [("bf16", 16), ("int4", 4), ("q4_0", 4.5), ("q8_0", 8.5), ("int4-g64", 4.5)]
)
def test_bits_with_scales(name, bits):
    assert dtype(name).bits == bits


def test_long_names_and_dtypes_pass():
    assert dtype("bfloat16") == dtype("torch.bfloat16") == dtype("bf16")
    assert dtype("float32") == dtype("fp32") and dtype("half") == dtype("fp16")
    assert dtype(DType("mine", 1, 3)).nbytes(2) == 6


@pytest.mark.parametrize(
    "name",
    ["bf17", "", None, 16, "int8-g", "int8-g0", "int4-g3", "int8-g-64", "int8-g6.4", "fp8-g64", "int8-g٦"],
)
def test_unknown_dtypes(name):
    with pytest.raises(ValueError, match="dtype"):
        dtype(name)


def test_errors_suggest_what_is_near():
    with pytest.raises(ValueError, match="did you mean bf16"):
        dtype("bf17")
    assert str(unknown("GPU", "a100", ["H100", "A100-40GB"])).endswith("did you mean A100-40GB or H100?")
    assert "known: a, b" in str(unknown("thing", "zzz", ["a", "b"]))
    assert str(unknown("thing", "zzz", map(str, range(20)))).endswith("11, …")
    assert "known: 16, 8" in str(unknown("bits", 3, [16, 8]))


@pytest.mark.parametrize("value", [0, -1, 1.5, 1.0, "2", None, True, float("nan"), [1], np.float64(2)])
def test_counts_refused(value):
    with pytest.raises(ValueError, match="n_layers must be a whole number of at least 1"):
        whole_number("n_layers", value)


def test_counts():
    assert whole_number("n", 3) == 3 and whole_number("n", 0, least=0) == 0
    assert type(whole_number("n", np.int64(7))) is int
    with pytest.raises(ValueError, match="at least 0"):
        whole_number("n", -1, least=0)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((0,), "0 B"),
        ((1023,), "1,023 B"),
        ((KiB,), "1 KiB"),
        ((131072,), "128 KiB"),
        ((1536,), "1.5 KiB"),
        ((512 * MiB,), "512 MiB"),
        ((GiB - 1,), "1,024 MiB"),
        ((2**40,), "1 TiB"),
        ((-KiB,), "-1 KiB"),
        ((4 * GiB, "GB"), "4.295 GB"),
        ((GB, "GB"), "1 GB"),
        ((1000, "kB"), "1 kB"),
        ((10 * GB, "MiB", 1), "9,536.7 MiB"),
        ((100, "GiB", 0), "0 GiB"),
        ((3 * GiB, None, 0), "3 GiB"),
    ],
)
def test_fmt(args, said):
    assert fmt(*args) == said


def test_fmt_knows_no_kb():
    for unit in ("KB", "kb", "Gib", ""):
        with pytest.raises(ValueError, match="unit"):
            fmt(1, unit)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1.5, "1.5 s"),
        (0.00307, "3.07 ms"),
        (160e-6, "160 µs"),
        (2e-9, "2 ns"),
        (0, "0 ns"),
    ],
)
def test_fmt_seconds(seconds, said):
    assert fmt_seconds(seconds) == said


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("8_192", 8192),
        ("131,072", 131072),
        ("128k", 128_000),
        ("128K", 131072),
        ("128Ki", 131072),
        (" 128 Ki ", 131072),
        ("25.6k", 25600),
        ("1m", 1_000_000),
        ("1M", 1048576),
        ("0.5Mi", 524288),
        ("0", 0),
        ("-5", -5),
    ],
)
def test_counts_are_read(text, count):
    assert read_count(text) == count and type(read_count(text)) is int


@pytest.mark.parametrize(
    "text",
    ["", "k", "4q", "1.5", "1.0001k", "4kb", "٤", "9" * 5000, "1e3", "8_19", "1,2", "1__000", "--5", "4 k k"],
)
def test_counts_that_cannot_be_read(text):
    with pytest.raises(ValueError, match="must be a whole number such as 4096, 8_192, 128Ki"):
        read_count(text)


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("24GiB", 24 * GiB),
        ("24 GiB", 24 * GiB),
        ("1.5GB", 1_500_000_000),
        ("1073741824", GiB),
        ("512 MiB", 512 * MiB),
        ("7B", 7),
        ("1_024kB", 1024 * 1000),
        ("23.5GiB", 23 * GiB + GiB // 2),
        ("0.1KiB", 102),
    ],
)
def test_bytes_are_read(text, nbytes):
    assert read_bytes(text) == nbytes


@pytest.mark.parametrize("text", ["", "GiB", "24gib", "24G", "1.5B", "inf", "nan", "1GiB2"])
def test_bytes_that_cannot_be_read(text):
    with pytest.raises(ValueError, match="must be bytes such as 24GiB"):
        read_bytes(text)


def test_what_is_said_is_read_back():
    for n in (1, 1023, 131072, 3 * GiB, 7 * KiB + 512):
        assert read_bytes(fmt(n)) == n


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("FP8", "fp8"), ("fp8_e4m3", "fp8"), ("fp8_e5m2", "fp8"), ("float8_e4m3fn", "fp8"), ("F16", "fp16"),
        ("f32", "fp32"), ("Q8_0", "q8_0"), ("BF16", "bf16"), ("NVFP4", "nvfp4"), ("MXFP4", "mxfp4"),
    ],
)  # fmt: skip
def test_dtypes_by_any_engines_name(written, name):
    assert dtype(written).name == name


@pytest.mark.parametrize(
    ("name", "bits"),
    [("q5_1", 6), ("q5_0", 5.5), ("q4_1", 5), ("iq4_nl", 4.5), ("mxfp4", 4.25), ("nvfp4", 4.5)],
)
def test_bits_with_their_scales(name, bits):
    assert dtype(name).bits == bits
