"""State, cross attention and what a step reads, as each engine keeps them."""

from dataclasses import replace

import pytest

from kvlib.configs import layout as layout_of
from kvlib.engines import engine
from kvlib.layouts import CacheLayout, LayerKV, StateTensor

from .test_engines import DEEPSEEK, FULL, HYBRID, LLAMA

CONV, RECURRENT = StateTensor(100, kernel=4), StateTensor(5000, dtype="fp32")
MAMBA = CacheLayout((LayerKV("state", state=(CONV, RECURRENT)),) * 3)


def state(layout, name, batch=1, dtype="bf16", **options):
    return engine(name, **options).breakdown(layout, 10, batch, dtype).state


def test_state_as_each_engine_keeps_it():
    # transformers: all 4 positions of the convolution in the model's dtype, the rest in float32.
    assert state(MAMBA, "ideal") == state(MAMBA, "transformers") == 3 * (100 * 4 * 2 + 5000 * 4)
    assert state(MAMBA, "transformers", dtype="fp32") == 3 * (100 * 4 * 4 + 5000 * 4)
    # vLLM: the last 3 positions, and all in the model's dtype unless the config names another.
    assert state(MAMBA, "vllm") == state(MAMBA, "vllm", dtype="fp8") == 3 * (100 * 3 * 2 + 5000 * 2)
    assert state(MAMBA, "vllm", dtype="fp32") == 3 * (100 * 3 * 4 + 5000 * 4)
    named = replace(MAMBA, layers=(LayerKV("state", state=(CONV, replace(RECURRENT, named="fp32"))),))
    assert state(named, "vllm") == 100 * 3 * 2 + 5000 * 4
    # llama.cpp: the last 3 positions, all in float32, whatever the cache's type.
    assert state(MAMBA, "llama.cpp", dtype="q8_0", batch=4) == 4 * 3 * (100 * 3 * 4 + 5000 * 4)
    assert state(named, "llama.cpp") == 100 * 3 * 4 + 5000 * 4


def test_state_of_published_models():
    codestral = layout_of("mamba-codestral-7b")
    assert state(codestral, "vllm") == 138_149_888 and state(codestral, "transformers") == 273_678_336


def test_state_rows_and_a_pool_for_all():
    both = CacheLayout((LayerKV("full", 8, 128, state=(CONV,)),) * 2)
    rows = engine("llama.cpp", unified=True).rows(both, 100, 3)
    assert [(row.part, row.n_layers, row.bytes) for row in rows] == [
        ("tokens", 2, 2 * 512 * 4096),
        ("state", 2, 3 * 2 * 100 * 3 * 4),
    ]


WHISPER = CacheLayout(
    (LayerKV("full", 20, 64, cross_elements=2560),) * 32, architecture="whisper", n_heads=20
)


def test_cross_attention_as_each_engine_keeps_it():
    for name in ("ideal", "transformers"):
        parts = engine(name).breakdown(WHISPER, 448, 2, source_len=1500)
        assert (parts.tokens, parts.state, parts.cross) == (2 * 448 * 163_840, 0, 2 * 1500 * 163_840)
    # 1,500 frames are 94 blocks of 16.
    assert engine("vllm").breakdown(WHISPER, 448, source_len=1500).cross == 1504 * 163_840
    assert (
        engine("vllm", kv_cache_dtype="fp8").breakdown(WHISPER, 448, source_len=1500).cross == 1504 * 81_920
    )
    assert engine("vllm").breakdown(WHISPER, 448, source_len=0).cross == 0
    # llama.cpp computes them anew from the encoder's output at each step.
    t5 = replace(WHISPER, architecture="t5")
    assert engine("llama.cpp").breakdown(t5, 448, source_len=1500).cross == 0
    with pytest.raises(ValueError, match="source_len is needed"):
        engine("vllm").bytes(WHISPER, 448)
    with pytest.raises(ValueError, match="source_len must be left out"):
        engine("vllm").bytes(LLAMA, 448, source_len=1)
    with pytest.raises(ValueError, match="same size in every layer, as Whisper"):
        engine("vllm").bytes(replace(WHISPER, layers=(*WHISPER.layers, FULL)), 448, source_len=1)


def test_what_a_step_reads_as_the_engine_stores_it():
    assert engine("vllm", tp=16).bytes_read(LLAMA, 4096) == 2 * LLAMA.bytes(4096)  # two copies of each head
    assert engine("vllm", tp=8).bytes_read(DEEPSEEK, 17) == 8 * 17 * 70272
    assert engine("vllm", kv_cache_dtype="fp8").bytes_read(LLAMA, 17, 2) == 17 * 131072
    # A block's or a cell's free places are not read, nor what has left a window.
    assert engine("llama.cpp").bytes_read(HYBRID, 9000) == (5 * 1024 + 9000) * 4096
    assert engine("transformers").bytes_read(WHISPER, 448, source_len=1500) == (448 + 1500) * 163_840
