"""Engines on several GPUs, SGLang's pools, and states beside attention: cases worked out by hand."""

from dataclasses import replace

import pytest

from kvlib.budget import Budget
from kvlib.configs import layout as layout_of
from kvlib.engines import engine
from kvlib.hardware import GPU
from kvlib.layouts import CacheLayout, Compressed, LayerKV, StateTensor
from kvlib.units import GiB

from .test_engines import CHUNKED, DEEPSEEK, FULL, HYBRID, LATENT, LLAMA, MISTRAL, kept

# 100 channels of a convolution over 4 inputs and a state of 40,000 numbers: 80,600 bytes in bf16.
STATE = LayerKV("state", state=(StateTensor(100, kernel=4), StateTensor(40_000, dtype="fp32")))
MIXED = CacheLayout((FULL,) * 2 + (STATE,) * 6)


def test_vllm_makes_a_block_no_smaller_than_a_state():
    # 80,600 / 4,096 = 19.7 tokens, in 16s: 32; pages of 131,072 bytes, groups of 2.
    rows = engine("vllm").rows(MIXED, 1000)
    assert [(row.part, row.tokens, row.bytes) for row in rows] == [
        ("tokens", 32 * 32, 32 * 2 * 131_072),
        ("state", 0, 3 * 2 * 2 * 131_072),
    ]
    assert rows[1].note == (
        "3 groups of 2 layers, pages padded from 80,600 to 131,072 bytes; a sequence takes 2 of them"
    )
    # In float32 as the config names it: 160,600 bytes, 40 tokens, in 16s 48.
    named = replace(STATE, state=(STATE.state[0], replace(STATE.state[1], named="fp32")))
    assert engine("vllm").rows(replace(MIXED, layers=(FULL, named)), 48)[0].bytes == 48 * 4096
    # Blocks as large as asked for, where they are large enough.
    assert engine("vllm", block_size=64).rows(MIXED, 1000)[0].bytes == 16 * 2 * 64 * 4096


def test_vllm_keeps_a_state_once_without_prefix_caching():
    states = [
        engine("vllm", **options).breakdown(MIXED, 1000).state / (3 * 2 * 131_072)
        for options in ({}, {"prefix_caching": False}, {"checkpoints": 1}, {"checkpoints": 0})
    ]
    assert states == [2, 1, 3, 2]
    # Mamba 2 has a checkpoint unless told: its convolution has groups.
    mamba_2 = replace(STATE, state=(replace(STATE.state[0], groups=(2, 10)), STATE.state[1]))
    one = CacheLayout((FULL, mamba_2))
    assert engine("vllm").breakdown(one, 1).state == 3 * 131_072
    assert engine("vllm", checkpoints=0).breakdown(one, 1).state == 2 * 131_072


def test_vllm_pages_a_latent_beside_states_in_128s():
    # 80,600 / 1,152 = 70 tokens.
    rows = engine("vllm").rows(CacheLayout((LATENT, STATE)), 129)
    assert [(row.tokens, row.bytes) for row in rows] == [(256, 256 * 1152), (0, 2 * 128 * 1152)]


def test_vllm_counts_attention_and_state_of_one_layer():
    both = CacheLayout((replace(FULL, state=STATE.state),) * 4)
    rows = engine("vllm").rows(both, 32)
    assert [(row.part, row.n_layers, row.bytes) for row in rows] == [
        ("tokens", 4, 4 * 131_072),
        ("state", 4, 2 * 4 * 131_072),
    ]


def test_states_are_shared_out():
    alone = CacheLayout((STATE,))
    for name in ("vllm", "sglang"):
        one = engine(name).breakdown(alone, 1).state
        assert engine(name, tp=4).breakdown(alone, 1).state == one
    # A group of channels too few for the GPUs is copied: 80 + 4 × 20 numbers over 4 GPUs.
    grouped = StateTensor(100, kernel=4, groups=(1, 20))
    copied = CacheLayout((LayerKV("state", state=(grouped,)),))
    assert engine("vllm", tp=4).breakdown(copied, 1).state == (80 + 4 * 20) * 3 * 2
    assert engine("vllm", tp=1).breakdown(copied, 1).state == 100 * 3 * 2
    with pytest.raises(ValueError, match="tp must divide a layer's recurrent state"):
        odd = LayerKV("state", state=(replace(grouped, elements=140, groups=(6, 20)),))
        engine("vllm", tp=4).breakdown(CacheLayout((odd,)), 1)


def test_states_that_were_not_read():
    unread = replace(MIXED, architecture="bailing_hybrid")
    for name in ("vllm", "sglang"):
        with pytest.raises(ValueError, match="was not read"):
            engine(name).bytes(unread, 1)
    assert engine("vllm").bytes(replace(MIXED, architecture="qwen3_next"), 1) > 0


def test_indexers_and_entries_that_were_not_read():
    indexed = CacheLayout((replace(LATENT, indexer=128),), architecture="minimax_m3")
    entries = CacheLayout((replace(FULL, compressed=(Compressed(4, 512),)),))
    for name in ("vllm", "sglang"):
        with pytest.raises(ValueError, match="an indexer's key of minimax_m3 was not read"):
            engine(name).bytes(indexed, 1)
        with pytest.raises(ValueError, match="compressed entries of a layer was not read"):
            engine(name).bytes(entries, 1)
        assert engine(name).bytes(replace(indexed, architecture="deepseek_v32"), 16) == 16 * (1152 + 132)


def test_pipelines():
    # Layers are only shared out; where they are not shared out evenly, the fullest GPU decides.
    assert kept(LLAMA, 4096, "vllm", pp=4) == kept(LLAMA, 4096, "vllm")
    assert engine("vllm", tp=2, pp=3).gpus == 6
    capacity = engine("vllm", pp=2).capacity(LLAMA, GiB, 4096)
    assert capacity.blocks == 2 * engine("vllm").capacity(LLAMA, GiB, 4096).blocks
    # 32 layers over 3 GPUs: 11 of them on one.
    stage = 11 * 16 * 4096
    assert engine("vllm", pp=3).capacity(LLAMA, GiB, 4096).blocks == GiB // stage
    gpu = GPU("small", 100 * stage, 1.0, "here")
    budget = Budget(LLAMA, 0, gpu, gpus=3, utilization=1, engine=engine("vllm", pp=3))
    assert budget.max_context() == 1600 and budget.fits(1600) and not budget.fits(1601)
    even = Budget(LLAMA, 0, gpu, gpus=3, utilization=1, engine="vllm")
    assert even.max_context() == 1600 * 33 // 32 // 16 * 16 == 1648


# SGLang


def test_sglang_has_a_slot_for_a_token():
    assert kept(LLAMA, 5001, "sglang", batch=3) == 3 * 5001 * 131_072
    assert kept(LLAMA, 5001, "sglang", page_size=64) == 79 * 64 * 131_072
    assert kept(LLAMA, 100, "sglang", dtype="fp8") == 100 * 65_536
    assert kept(LLAMA, 100, "sglang", tp=16) == 100 * 2 * 131_072
    assert kept(DEEPSEEK, 100, "sglang", tp=8) == 8 * 100 * 70_272


def test_sglang_windows_have_a_share_of_the_slots():
    # Five windowed layers and a full one, 4,096 bytes a token each.
    assert kept(HYBRID, 10_000, "sglang") == (10_000 + 5 * 8000) * 4096
    assert kept(HYBRID, 10_000, "sglang", swa_full_tokens_ratio=0.1) == (10_000 + 5 * 1000) * 4096
    assert kept(MISTRAL, 10_000, "sglang") == 10_000 * 131_072  # windows alone have a slot each
    assert engine("sglang").bytes_per_token(HYBRID) == 5 * 4096
    found = engine("sglang").capacity(HYBRID, GiB, 1000)
    assert found.tokens == GiB // (5 * 4096) and found.sequences == found.tokens / 1000
    paged = engine("sglang", page_size=64).capacity(HYBRID, GiB, 1000)
    assert (paged.blocks, paged.block_size) == (GiB // (5 * 4096) // 64, 64)


def test_sglang_states():
    # A convolution's 3 inputs in bf16, the state in float32; three slots with the radix cache.
    one = 100 * 3 * 2 + 40_000 * 4
    assert engine("sglang").breakdown(MIXED, 10).state == 3 * 6 * one
    assert engine("sglang", prefix_caching=False).breakdown(MIXED, 10).state == 6 * one
    assert engine("sglang").bytes_read(MIXED, 10) == 6 * one + 10 * 2 * 4096
    assert layout_of("qwen-3-next-80b").architecture == "qwen3_next"
    assert engine("sglang").breakdown(layout_of("qwen-3-next-80b"), 1).state > 0


def test_sglang_refuses():
    with pytest.raises(ValueError, match="chunked attention has a pool"):
        kept(CacheLayout((CHUNKED, FULL)), 10, "sglang")
    with pytest.raises(ValueError, match="cross attention is not counted"):
        engine("sglang").bytes(CacheLayout((replace(FULL, cross_elements=10),)), 1, source_len=1)
    with pytest.raises(ValueError, match="shares memory between states and tokens"):
        engine("sglang").capacity(MIXED, GiB, 10)
    with pytest.raises(ValueError, match="no capacity in tokens"):
        engine("sglang").capacity(CacheLayout((LayerKV("none"),)), GiB, 10)
    with pytest.raises(ValueError, match="tp must divide n_heads"):
        kept(LLAMA, 10, "sglang", tp=3)


@pytest.mark.parametrize("name", ["ideal", "transformers", "llama.cpp"])
def test_engines_that_are_told_their_cache(name):
    with pytest.raises(ValueError, match="does not size its cache by the memory"):
        engine(name).capacity(LLAMA, GiB, 10)


# llama.cpp


def test_llama_cpp_with_two_types():
    k, v = 1024 // 32 * 34, 1024 // 32 * 18
    assert kept(LLAMA, 256, "llama.cpp", type_k="q8_0", type_v="q4_0") == 256 * 32 * (k + v)
    assert kept(LLAMA, 256, "llama.cpp", dtype="fp16", type_v="q4_0") == 256 * 32 * (2048 + v)
    assert engine("llama.cpp", type_k="F16", type_v="q4_0").stored_as() == "fp16/q4_0"
    assert engine("llama.cpp", type_k="q8_0", type_v="q8_0").stored_as() == "q8_0"
    with pytest.raises(ValueError, match="keeps no cache in dtype 'fp8'"):
        kept(LLAMA, 256, "llama.cpp", type_k="fp8")
    with pytest.raises(ValueError, match="v_head_dim must be a multiple of 32 for q8_0, not 80"):
        kept(
            CacheLayout((LayerKV("full", 1, 64, v_head_dim=80),)), 1, "llama.cpp", dtype="fp16", type_v="q8_0"
        )
