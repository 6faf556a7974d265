"""Engines held to what they printed in public reports: tokens within the log's rounding, MiB exact."""

import pytest

import kvlib
from kvlib.engines import engine
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.units import GiB, MiB

from .engine_lines import QWEN_27B


def tokens(model, available, context, name="vllm", dtype="bf16", **options):
    """The tokens that the engine makes of what is available on each GPU."""
    layout = kvlib.layout(model)
    capacity = engine(name, **options).capacity(layout, int(available * GiB), context, dtype)
    return capacity.blocks * capacity.block_size


@pytest.mark.parametrize(
    ("report", "model", "available", "context", "printed", "options"),
    [
        ("vllm 10517", "llama-3.1-8b", 3.81, 20_000, 31_232, {}),
        ("vllm 10517", "llama-3.1-8b", 2.89, 29_000, 23_648, {}),
        ("vllm 25350", "qwen-3-30b-a3b", 10.55, 221_000, 230_528, {"kv_cache_dtype": "fp8"}),
        ("vllm 25350", "qwen-3-30b-a3b", 5.59, 221_000, 122_080, {"kv_cache_dtype": "fp8"}),
        # vLLM 0.15 took the smaller of two GPUs' memory for the whole model, though pp was 2.
        ("vllm 34076", "qwen-3-30b-a3b", 3.18, 262_144, 34_736, {}),
        # The first GPU had 8.11 GiB; these tokens are what 8.02 hold, so another had less.
        ("vllm 21348", "qwen-3-235b-a22b", 8.02, 40_960, 178_880, {"tp": 4}),
        (
            "sglang, in vllm 21348",
            "qwen-3-235b-a22b",
            2 * 8.234,
            40_960,
            367_404,
            {"name": "sglang", "tp": 4},
        ),
    ],
)
def test_capacity(report, model, available, context, printed, options):
    # Memory is printed in hundredths of a GiB.
    least, most = (tokens(model, available + error, context, **options) for error in (-0.005, 0.005))
    assert least <= printed <= most, report


@pytest.mark.parametrize(
    ("report", "model", "context", "needed", "options"),
    [
        ("vllm 25350", "qwen-3-30b-a3b", 221_000, 10.12, {"kv_cache_dtype": "fp8"}),
        ("vllm 34076", "qwen-3-30b-a3b", 262_144, 24.0, {}),
        (
            "vllm 27508",
            "gpt-oss-120b",
            131_072,
            4.54,
            {"max_num_batched_tokens": 1024, "async_scheduling": False},
        ),
    ],
)
def test_what_one_sequence_needs(report, model, context, needed, options):
    layout = CacheLayout(kvlib.layout(model).layers)
    assert round(engine("vllm", **options).bytes(layout, context) / GiB, 2) == needed, report


def test_llama_4_over_eight_gpus():
    # vllm 16118: windows of chunked attention keep every token; 24.00 GiB on each GPU.
    layout = CacheLayout(kvlib.layout("llama-4-scout").layers)
    assert engine("vllm", tp=8).bytes(layout, 2**20) == 8 * 24 * GiB


def test_blocks_on_the_cpu():
    # 4 GiB of swap: vllm 10517 has 2,048 blocks, vllm 5248 (deepseek-coder-6.7b over 2 GPUs) 1,024 a GPU.
    assert 4 * GiB // (16 * kvlib.layout("llama-3.1-8b").bytes_per_token()) == 2048
    coder = CacheLayout.uniform(32, 32, 128)
    assert engine("vllm", tp=2).capacity(coder, 4 * GiB, 16).blocks == 1024


def test_a_hybrid_to_the_token():
    # talos-argocd-proxmox 1995: Qwen3.8 27B over 2 GPUs, fp8, 4.99 GiB each, prefix caching, vLLM 0.27.
    layout = kvlib.layout(QWEN_27B)
    policy = engine("vllm", tp=2, kv_cache_dtype="fp8")
    found = policy.capacity(layout, int(4.99 * GiB), 131_072)
    assert (found.block_size, found.tokens) == (1568, 302_921) and round(found.sequences, 2) == 2.31
    # A block of 1,568 tokens is no smaller than a state: 5,120 × 3 numbers in bf16, 24 × 128 × 128 in fp32.
    state = 2 * (5120 * 3 * 2 + 24 * 128 * 128 * 4)
    assert policy.state_bytes(layout.layers[0], kvlib.dtype("bf16")) == state
    assert -(-(state // 2) // 1024) == 1566 and 1568 % 16 == 0
    tokens, states = policy.rows(layout, 131_072)
    assert tokens.bytes == 84 * 16 * 1568 * 2048 and states.bytes == 3 * 2 * 16 * 1568 * 2048
    # Without prefix caching a state takes one block, and 84 + 3 blocks are a sequence.
    alone = engine("vllm", tp=2, kv_cache_dtype="fp8", prefix_caching=False)
    assert alone.capacity(layout, int(4.99 * GiB), 131_072).tokens == 208 * 131_072 // 87
    # Where FlashInfer runs the prefill, vLLM 0.33 keeps a checkpoint beside them.
    newer = engine("vllm", tp=2, kv_cache_dtype="fp8", checkpoints=1)
    assert newer.capacity(layout, int(4.99 * GiB), 131_072).tokens == 208 * 131_072 // 93


def test_llama_cpp_of_a_hybrid():
    # lmstudio 1862: four sequences' states, and 16,384 MiB of keys and values.
    parts = engine("llama.cpp").breakdown(kvlib.layout(QWEN_27B), 65_536, 4)
    assert (parts.tokens, parts.state) == (16_384 * MiB, int(598.5 * MiB))


# Heads of Qwen2.5-Coder 32B and of LLaMA 30B.
CODER_32B, LLAMA_30B = CacheLayout.uniform(64, 8, 128), CacheLayout.uniform(60, 52, 128)


@pytest.mark.parametrize(
    ("report", "model", "context", "dtype", "printed", "options"),
    [
        ("llama.cpp 11200", CODER_32B, 32_768, "q8_0", 4352, {}),
        ("llama-cpp-python 66", LLAMA_30B, 512, "fp32", 1560, {}),
        ("LLamaSharp 1099", "qwen-2.5-3b", 4096, "fp16", 144, {}),
        ("ik_llama.cpp 92", "llama-3.1-8b", 2048, "fp16", 104, {"type_k": "q8_0", "type_v": "iq4_nl"}),
        ("ik_llama.cpp 235", "deepseek-v3", 32_768, "fp16", 2196, {}),
        ("ik_llama.cpp 259", "deepseek-v3", 32_768, "q8_0", 1166.625, {}),
    ],
)
def test_llama_cpp(report, model, context, dtype, printed, options):
    layout = kvlib.layout(model) if isinstance(model, str) else model
    assert engine("llama.cpp", **options).bytes(layout, context, dtype=dtype) == printed * MiB, report


@pytest.mark.parametrize(("slots", "printed"), [(3, 27), (4, 18)])
def test_llama_cpp_shares_a_context_out(slots, printed):
    # unsloth 7530: Gemma 3 270M, 1,024 tokens over so many slots, each padded to 256 cells.
    gemma = kvlib.layout("gemma-3-270m")
    assert engine("llama.cpp").bytes(gemma, 1024 // slots, slots, "fp16") == printed * MiB


def test_latents_expanded():
    layout = kvlib.layout("deepseek-v3")
    # 128 heads of 128 + 64 numbers in a key and 128 in a value; vLLM pads the values to the keys.
    # llama.cpp 11397 prints these: n_embd_k_gqa = 24576, n_embd_v_gqa = 16384.
    old = engine("llama.cpp", mla_absorbed=False)
    assert 128 * 192 == 24576 and 128 * 128 == 16384
    assert old.bytes(layout, 4096, dtype="fp16") == 4096 * 61 * 128 * (192 + 128) * 2
    assert engine("vllm", mla_absorbed=False).bytes(layout, 4096) == 4096 * 61 * 128 * 2 * 192 * 2
    assert engine("vllm", mla_absorbed=False, tp=8).bytes(layout, 4096) == 4096 * 61 * 128 * 2 * 192 * 2
    assert engine("llama.cpp").bytes(layout, 4096, dtype="fp16") == 4096 * 70_272


def test_an_indexers_keys():
    # DeepSeek V3.2: 128 fp8 numbers and an fp32 scale, on every GPU, whatever the cache's dtype.
    layer = LayerKV("latent", 1, 576, v_head_dim=0, indexer=128)
    layout = CacheLayout((layer,) * 61, n_heads=128)
    assert engine("vllm").bytes(layout, 64) == 64 * 61 * (1152 + 132)
    assert engine("vllm", tp=8, kv_cache_dtype="fp8_ds_mla").bytes(layout, 64) == 8 * 64 * 61 * (656 + 132)
    assert engine("sglang", tp=8).bytes(layout, 64) == 8 * 64 * 61 * (1152 + 132)
    assert engine("sglang").bytes(layout, 64, dtype="fp8") == 64 * 61 * (576 + 132)
