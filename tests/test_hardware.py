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
        ("RTX 6000 Ada", "RTX6000Ada"), ("RTX PRO 6000", "RTXPRO6000"),
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
    assert known == {0, 70, 75, 80, 86, 89, 90, 100, 120}
    assert [name for name, card in GPUS.items() if not card.capability] == ["MI300X"]
