"""GPUs: every figure within reason, and found by name."""

import re

import pytest

from kvlib.hardware import GPU, GPUS, gpu
from kvlib.units import GB, UNITS


def test_names_in_any_case():
    assert gpu("h100") is gpu("H100") is GPUS["H100"]
    mine = GPU("mine", 1, 1.0, "here")
    assert gpu(mine) is mine


@pytest.mark.parametrize(("name", "near"), [("H10", "H100"), ("rtx 4090", "RTX4090"), ("a100", "A100-80GB")])
def test_near_matches(name, near):
    with pytest.raises(ValueError, match=f"unknown GPU.*{near}"):
        gpu(name)


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
