"""GPUs: every figure within reason, and found by name."""

import re

import pytest

from kvlib.hardware import GPU, GPUS, gpu
from kvlib.units import GB, UNITS, GiB


def test_names_in_any_case():
    assert gpu("h100") is gpu("H100") is GPUS["H100"]
    mine = GPU("mine", 1, 1.0, "here")
    assert gpu(mine) is mine


@pytest.mark.parametrize(("name", "near"), [("H10", "H100"), ("rtx 4091", "RTX4090"), ("a100", "A100-80GB")])
def test_near_matches(name, near):
    with pytest.raises(ValueError, match=f"unknown GPU.*{near}"):
        gpu(name)


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("RTX 4090", "RTX4090"), ("4090", "RTX4090"), ("NVIDIA GeForce RTX 3090", "RTX3090"),
        ("H100 SXM", "H100"), ("H100-80GB", "H100"), ("a100 80gb", "A100-80GB"), ("Tesla T4", "T4"),
        ("AMD Instinct MI300X", "MI300X"), ("l40s", "L40S"), ("A6000", "RTXA6000"), ("RTX A6000", "RTXA6000"),
        ("RTX 6000 Ada", "RTX6000Ada"), ("RTX PRO 6000", "RTXPRO6000"), ("rtx 4090 24gb", "RTX4090"),
        ("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA A100-SXM4-80GB", "A100-80GB"), ("B300 288GB", "B300"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTXPRO6000"), ("h20", "H20"),
        ("V100-SXM2-32GB", "V100-32GB"),
    ],
)  # fmt: skip
def test_as_people_call_them(name, card):
    assert gpu(name) is GPUS[card]


def test_a_card_of_ones_own():
    card = gpu("48GiB@1.5TB/s")
    assert (card.name, card.memory, card.bandwidth) == ("48GiB@1.5TB/s", 48 * GiB, 1.5e12)
    assert gpu("24GB@936GB").memory == 24 * GB


@pytest.mark.parametrize(
    "name", ["48@1TB/s", "48GiB@1", "48GiB@", "@1TB/s", "@", "x@y", "-1GiB@1TB/s", "1GiB@0B"]
)
def test_a_card_that_cannot_be_read(name):
    with pytest.raises(ValueError, match="MEMORY@BANDWIDTH"):
        gpu(name)


@pytest.mark.parametrize(
    ("name", "gib", "speed"),
    [
        ("M2 Max 32GB", 21.33, 400),
        ("apple m4 max 128gb", 96, 546),
        ("M4 Max 36GB", 27, 410),
        ("M1 8", 5.33, 68),
    ],
)
def test_apples_chips_have_what_metal_gives(name, gib, speed):
    # ollama issue 434 prints 21,845.34 MB of 32 GB, llama.cpp issue 3213 73,728 MB of 96.
    card = gpu(name)
    assert card.memory / GiB == pytest.approx(gib, abs=0.01) and card.bandwidth == speed * GB
    assert "Metal" in card.memory_source and not card.capability


@pytest.mark.parametrize(
    ("name", "sizes"), [("M4 Max", "36, 48, 64, 128 GB"), ("m3 ultra 64gb", "96, 256, 512")]
)
def test_apples_chips_need_their_memory(name, sizes):
    with pytest.raises(ValueError, match=sizes):
        gpu(name)


def test_what_metal_gives_was_printed_by_llama_cpp():
    printed = {"M2 Max 32GB": 21845.34, "M1 Pro 16GB": 10922.67, "M2 Max 96GB": 73728}  # MiB
    for name, mib in printed.items():
        assert gpu(name).memory / 2**20 == pytest.approx(mib, abs=0.02)


@pytest.mark.parametrize("name", ["RTX 4090 48GB", "H100 94GB", "4090D", "3090 Ti", "GB200"])
def test_a_card_of_another_size_or_kind_is_unknown(name):
    with pytest.raises(ValueError, match="unknown GPU"):
        gpu(name)


@pytest.mark.parametrize("name", ["H100 PCIe", "A100", "V100"])
def test_another_card_of_that_name(name):
    with pytest.raises(ValueError, match="unknown GPU"):
        gpu(name)  # other bandwidths, other memories


@pytest.mark.parametrize("name", [None, "", 100, "TPU"])
def test_unknown(name):
    with pytest.raises(ValueError, match="unknown GPU"):
        gpu(name)


@pytest.mark.parametrize("bad", [0, -1, 1.5, None])
def test_memory_refused(bad):
    with pytest.raises(ValueError, match="memory"):
        GPU("x", bad, 1.0, "here")


@pytest.mark.parametrize("bad", [0, -1.0, float("nan")])
def test_bandwidth_refused(bad):
    with pytest.raises(ValueError, match="bandwidth"):
        GPU("x", 1, bad, "here")


@pytest.mark.parametrize("card", GPUS.values(), ids=GPUS)
def test_figures_agree_with_their_source(card):
    # The source names the size on the box in GB and the bandwidth; what is reported lies near the one,
    # and the other is what is used.
    boxed = re.search(r"(\d+) GB\b", card.source)
    said = re.search(r"([\d.,]+) (GB|TB)/s", card.source)
    assert boxed and said, card.source
    assert 0.9 < card.memory / (int(boxed[1]) * GB) < 1.08
    assert card.bandwidth == pytest.approx(float(said[1].replace(",", "")) * UNITS[said[2]])


# nvidia-smi's totals (rocm-smi's for the MI300X), in MiB.
SMI = {
    "T4": 15360, "L4": 23034, "A10G": 23028, "RTX3090": 24576, "RTX4090": 24564, "RTX5090": 32607,
    "L40S": 46068, "A100-40GB": 40960, "A100-80GB": 81920, "H100": 81559, "H200": 143771, "B200": 183359,
    "MI300X": 196592, "V100-32GB": 32768, "RTXA6000": 49140, "RTX6000Ada": 46068, "RTXPRO6000": 97887,
    "H20": 97871, "B300": 275040,
}  # fmt: skip


@pytest.mark.parametrize("card", GPUS.values(), ids=GPUS)
def test_memory_is_what_cuda_reports(card):
    # The report is named, its figure is the entry's, and it is a little less than nvidia-smi's.
    said = re.search(r"(\d+\.\d\d) GiB", card.memory_source)
    assert float(said[1]) * GiB == pytest.approx(card.memory, abs=1)
    least = 0.999 if card.name == "MI300X" else 0.95
    assert least * SMI[card.name] * 2**20 < card.memory < 1.0001 * SMI[card.name] * 2**20
    assert card.name == "MI300X" or card.memory < 0.998 * SMI[card.name] * 2**20


def test_compute_capabilities():
    known = {card.capability for card in GPUS.values()}
    assert known == {0, 70, 75, 80, 86, 89, 90, 100, 103, 120}
    assert [name for name, card in GPUS.items() if not card.capability] == ["MI300X"]


@pytest.mark.parametrize("card", GPUS.values(), ids=GPUS)
def test_a_peak_agrees_with_its_source(card):
    # A datasheet's figure is dense, or "with sparsity" twice the dense one.
    assert bool(card.peak) == bool(card.peak_source)
    if card.peak:
        said = re.search(r"([\d.,]+) TFLOPS (BF16|FP16)\b", card.peak_source)
        dense = float(said[1].replace(",", "")) / (2 if "with sparsity" in card.peak_source else 1)
        assert card.peak == pytest.approx(dense * 1e12)
        assert (said[2] == "FP16") == (card.capability in (70, 75))  # those two know no bf16
        assert 50 < card.peak / card.bandwidth < 1000 or card.name == "H20"


def test_cards_whose_peak_was_not_found_have_none():
    # AWS's variant of the A10 is not the A10; of the other two, what is published disagrees or has no source.
    assert [name for name, card in GPUS.items() if not card.peak] == ["A10G", "RTX6000Ada", "RTXPRO6000"]
    assert gpu("48GiB@1TB/s").peak == gpu("M1 8").peak == 0


@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_peak_refused(bad):
    with pytest.raises(ValueError, match="peak"):
        GPU("x", 1, 1.0, "here", peak=bad)
