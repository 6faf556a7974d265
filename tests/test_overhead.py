"""What engines spend besides weights and cache, against cases worked out by hand from their code."""

from dataclasses import replace
from fractions import Fraction

import pytest

from kvlib.configs import checkpoint
from kvlib.engines.overhead import NEWEST, Run, llama_cpp, sglang, vllm, vllm_batch
from kvlib.units import GiB, MiB

LLAMA = Run(checkpoint("llama-3.1-8b"))
H100 = replace(LLAMA, memory=int(79.11 * GiB))


def parts(overhead):
    return {part.name: part.bytes for part in overhead.parts}


@pytest.mark.parametrize(
    ("run", "version", "batch"),
    [
        (LLAMA, NEWEST, (2048, 256)),
        (H100, NEWEST, (8192, 1024)),
        (replace(H100, small_batches=True), NEWEST, (2048, 256)),
        (replace(H100, memory=178 * GiB), NEWEST, (16384, 1024)),
        (replace(LLAMA, batched=4096, sequences=7), NEWEST, (4096, 7)),
        (replace(LLAMA, batched=64), NEWEST, (64, 64)),
        (LLAMA, "0.6.4", (8192, 256)),
        (replace(LLAMA, context=1000), "0.6.4", (2048, 256)),
        (replace(LLAMA, context=32_769), "0.6.4", (512, 256)),
        (replace(LLAMA, context=32_769), "0.7.2", (2048, 256)),
        (H100, "0.7.2-v1", (8192, 1024)),
    ],
)
def test_batches(run, version, batch):
    assert vllm_batch(run, version) == batch


@pytest.mark.parametrize(
    ("version", "share", "names", "outside"),
    [
        ("0.33.0", "0.92", ["activations", "kernels", "graphs"], ["cuda context", "communication"]),
        ("v0.20.1", "0.92", ["activations", "kernels", "graphs"], ["cuda context", "communication"]),
        ("0.19.0", "0.9", ["activations", "kernels"], ["cuda context", "communication"]),
        ("0.9.2", "0.9", ["activations", "kernels", "communication"], ["cuda context"]),
        ("0.7.2-v1", "0.9", ["activations", "kernels", "cuda context", "communication"], []),
        ("0.6.4", "0.9", ["activations", "kernels", "communication"], ["cuda context"]),
        ("0.5.3.post1", "0.9", ["activations", "logits", "kernels", "communication"], ["cuda context"]),
    ],
)
def test_what_each_version_counts(version, share, names, outside):
    found = vllm(replace(LLAMA, tp=2, gpus=2), version)
    assert found.utilization == Fraction(share)
    assert [part.name for part in found.parts] == names
    assert [part.name for part in found.outside] == outside
    assert all(part.bytes > 0 and part.source for part in (*found.parts, *found.outside))


def test_activations():
    # The widest layer: three hidden states, gate and up (2 × 14,336) and what down takes.
    wide = 3 * 4096 + 3 * 14_336
    assert parts(vllm(replace(LLAMA, context=20_000), "0.6.4"))["activations"] == 20_000 * wide * 2
    shared = replace(LLAMA, context=20_000, tp=4, gpus=4, sequences=1)
    assert parts(vllm(shared, "0.6.4"))["activations"] == 20_000 * (3 * 4096 + 3 * 14_336 // 4) * 2
    # Logits of 256 sequences beside 2,048 hidden states; 14 bytes each since 0.19, 39 where they are sorted.
    for version, each in ((NEWEST, 14), ("0.14.0", 39)):
        logits = each * 256 * 128_256
        assert parts(vllm(LLAMA, version))["activations"] == 2048 * 4096 * 2 + logits
    # In memory that PyTorch keeps for later, the two do not take each other's place.
    old = parts(vllm(LLAMA, "0.5.0"))
    assert (old["activations"], old["logits"]) == (8192 * wide * 2, 39 * 256 * 128_256)
    # Eight experts' outputs are whole on every GPU, their insides shared out.
    moe = Run(checkpoint("qwen-3-30b-a3b"), batched=16384, sequences=1, tp=2)
    assert parts(vllm(moe))["activations"] == 16384 * (3 * 2048 + 8 * 3 * 768 // 2 + 8 * 2048) * 2


def test_the_logits_of_pull_request_10511():
    # vLLM 0.6.6, Llama 3 8B with its 8,192 tokens on an H100: 1.26 GiB, on one GPU and on two.
    for tp in (1, 2):
        peak = parts(vllm(replace(H100, context=8192, tp=tp, gpus=tp), "0.6.6"))["activations"]
        assert peak / GiB == pytest.approx(1.26, abs=0.005)


@pytest.mark.parametrize(("sequences", "graphs"), [(256, 51 + 35), (1024, 51 + 51), (3, 3 + 2), (1, 2 + 1)])
def test_graphs(sequences, graphs):
    # Sizes 1, 2, 4, by eights to 256, by sixteens to 512: 51. vLLM prints PIECEWISE=51, FULL=35 for 256.
    run = replace(LLAMA, batched=8192, sequences=sequences, layers=36)
    found = next(part for part in vllm(run).parts if part.name == "graphs")
    assert found.source.startswith(f"{graphs} graphs of 36 layers")
    assert found.bytes / GiB == pytest.approx(0.52 * graphs / 86, abs=1e-4)


def test_links():
    slow, fast = (replace(LLAMA, tp=2, gpus=2, fast_link=link) for link in (False, True))
    taken = [parts(vllm(run, "0.9.2"))["communication"] for run in (slow, fast)]
    assert [round(each / GiB, 2) for each in taken] == [0.39, 2.01]
    assert "communication" not in parts(vllm(LLAMA, "0.9.2"))


@pytest.mark.parametrize("version", ["", "0.2.7", "33", "new", "0.33.0-v1", "0.6.4-v1"])
def test_versions_that_are_not_known(version):
    with pytest.raises(ValueError, match="engine version must be one of vLLM's from 0.3"):
        vllm(LLAMA, version)


def test_sglang():
    # 24 GiB: 512 + 1.5 × 4,096 + 128 + 2 × 48, and 8 for each of 50 captured prefills, in MiB.
    found = sglang(LLAMA)
    assert found.utilization == Fraction(str(round((24576 - 512 - 6144 - 128 - 96 - 400) / 24576, 3)))
    assert [part.name for part in found.parts] == ["cuda context"]
    # An H100: 8,192 tokens, 256 sequences, 58 captured prefills; at least 10 GiB, whatever the batches.
    mib = 79.11 * 1024
    kept = 512 + 12288 + 128 + 512 + 464
    assert sglang(H100).utilization == Fraction(str(round((mib - kept) / mib, 3)))
    few = replace(H100, batched=2048, sequences=1)
    assert sglang(few).utilization == Fraction(str(round(1 - 10 / 79.11, 3)))
    latent = replace(LLAMA, latent=True)
    assert sglang(latent).utilization == Fraction(
        str(round((24576 - 512 - 6144 - 128 - 96 - 1536) / 24576, 3))
    )
    # What CUDA takes before the share is measured costs the share of it.
    given = sglang(replace(H100, gpus=8, tp=8, fast_link=True), Fraction("0.5"))
    assert parts(given)["communication"] == int(2.01 * GiB) // 2
    assert given.outside[0].bytes == H100.memory - H100.memory // 2


def test_llama_cpp():
    # LLamaSharp 1099: 300.75 MiB for Qwen 2.5 3B.
    found = llama_cpp(Run(checkpoint("qwen-2.5-3b")))
    assert parts(found)["compute buffer"] == int(300.75 * MiB) and found.utilization == 1
    assert parts(llama_cpp(LLAMA, 1024))["compute buffer"] == 1024 * 4 * (128_256 + 4096)


@pytest.mark.parametrize("field", ["batched", "sequences"])
def test_limits_refused(field):
    with pytest.raises(ValueError, match=field):
        replace(LLAMA, **{field: 0})
