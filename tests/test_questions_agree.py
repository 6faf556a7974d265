"""What the exercises of chapters 9 and 10 take for right is what kvlib counts."""

import pytest

import kvlib
from kvlib.checks.questions import QUESTIONS
from kvlib.engines import engine
from kvlib.units import GiB, KiB, MiB

SEEDS = ["", *(f"{n:08x}" for n in range(12))]


def right(name, seed=""):
    """The numbers of the variant `seed`, and the right answer to each part."""
    question = QUESTIONS[name]
    return question.numbers(seed), {k: part.right for k, part in question.build(seed).parts.items()}


def test_configs_keep_what_their_layouts_count():
    _, numbers = right("09-keeps")
    names = ("gemma-2-9b", "deepseek-v3", "falcon-40b", "qwen-3-next-80b")
    counted = [kvlib.layout(name).bytes_per_token("bf16") // 2 for name in names]
    assert list(numbers.values()) == counted


@pytest.mark.parametrize("seed", SEEDS)
def test_windows_and_engines_are_those_of_the_models(seed):
    given, mib = right("09-windows", seed)
    assert mib["all layers"] * MiB == kvlib.layout("command-r7b").bytes(given["tokens"])
    given, mib = right("09-engines", seed)
    tokens, lite = given["tokens"], kvlib.layout("deepseek-v2-lite")
    engines = {
        "vLLM": engine("vllm", block_size=given["block"]),
        "llama.cpp": engine("llama.cpp"),
        "vLLM, expanded": engine("vllm", block_size=given["block"], mla_absorbed=False),
    }
    assert {k: v * MiB for k, v in mib.items()} == {k: e.bytes(lite, tokens) for k, e in engines.items()}


def test_published_numbers_are_audited_with_the_layouts():
    _, audit = right("09-audit")
    v3 = kvlib.layout("deepseek-v3")
    assert audit["A: bytes per token"] == v3.bytes_per_token()
    assert audit["B: GiB"] * GiB == kvlib.layout("qwen-3-0.6b").bytes(40_960)
    assert audit["C: GiB"] * GiB == v3.bytes_per_token("fp32") / 8 * 65_536
    assert kvlib.layout("llama-3.1-405b").bytes_per_token() == 516_096  # D, and it is right


@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_keep_what_vllm_gives_them(seed):
    given, kib = right("10-ranks", seed)
    layout = kvlib.CacheLayout.uniform(given["layers"], given["kv_heads"], 128)
    assert kib["all ranks"] * KiB == engine("vllm", tp=given["ranks"]).bytes_per_token(layout)


def test_a_latent_is_on_every_rank():
    """09-explain: 670 MiB on each of 8 GPUs, where the sheet says 2.04 GiB."""
    v3 = kvlib.layout("deepseek-v3")
    assert engine("vllm", tp=8).bytes(v3, 10_000) == 8 * v3.bytes(10_000)
    assert round(v3.bytes(10_000) / MiB) == 670
    sheet = 2 * 61 * 128 * (7168 // 128) * 10_000 * 2 / 8
    assert round(sheet / GiB, 2) == 2.04 and round(sheet / v3.bytes(10_000), 1) == 3.1
