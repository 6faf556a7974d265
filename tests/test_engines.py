"""Each engine's policy against cases worked out by hand from the source that it cites."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings, strategies as st

from kvlib.engines import ENGINES, VLLM, Ideal, engine
from kvlib.layouts import CacheLayout, LayerKV, StateTensor
from kvlib.units import DTYPES, MiB

BF16 = DTYPES["bf16"]
FULL = LayerKV("full", 8, 128)  # 4,096 bytes a token in bf16
SLIDING = LayerKV("sliding", 8, 128, window=1024)
CHUNKED = LayerKV("chunked", 8, 128, window=1024)
LATENT = LayerKV("latent", 1, 576, v_head_dim=0)

LLAMA = CacheLayout.uniform(32, 8, 128, n_heads=32)
MISTRAL = CacheLayout((replace(SLIDING, window=4096),) * 32, n_heads=32)
HYBRID = CacheLayout((SLIDING,) * 5 + (FULL,), n_heads=32)
DEEPSEEK = CacheLayout((LATENT,) * 61, n_heads=128)


def kept(layout, context, name, batch=1, dtype="bf16", **options):
    return engine(name, **options).bytes(layout, context, batch, dtype)


# Ideal and transformers


def test_ideal_is_the_layout():
    for layout in (LLAMA, MISTRAL, HYBRID, DEEPSEEK):
        assert kept(layout, 5000, "ideal", batch=3) == layout.bytes(5000, 3)


@pytest.mark.parametrize(
    ("context", "tokens"), [(1, 1), (1022, 1022), (1023, 1023), (1024, 1023), (1025, 1023), (9999, 1023)]
)
@pytest.mark.parametrize("layer", [SLIDING, CHUNKED])
def test_transformers_keeps_w_minus_1(layer, context, tokens):
    assert kept(CacheLayout((layer,)), context, "transformers") == tokens * 4096
    assert kept(CacheLayout((layer, FULL)), context, "transformers") == (tokens + context) * 4096


def test_transformers_window_of_one_drops_nothing():
    assert kept(CacheLayout((replace(SLIDING, window=1),)), 7, "transformers") == 7 * 4096


def test_transformers_copies_falcon_to_every_query_head():
    falcon_40b = CacheLayout((LayerKV("full", 8, 64),) * 60, n_heads=128, architecture="falcon")
    assert falcon_40b.bytes(10) == 10 * 60 * 2 * 8 * 64 * 2
    assert kept(falcon_40b, 10, "transformers") == 10 * 60 * 2 * 128 * 64 * 2
    falcon_7b = CacheLayout((LayerKV("full", 1, 64),) * 32, n_heads=71, architecture="falcon")
    assert kept(falcon_7b, 10, "transformers") == falcon_7b.bytes(10)


# vLLM


@pytest.mark.parametrize(("context", "blocks"), [(1, 1), (16, 1), (17, 2), (4096, 256), (4097, 257)])
def test_vllm_rounds_up_to_blocks(context, blocks):
    assert kept(LLAMA, context, "vllm") == blocks * 16 * 131072
    assert kept(LLAMA, context, "vllm", batch=3) == 3 * blocks * 16 * 131072
    assert kept(LLAMA, context, "vllm", block_size=1) == context * 131072


def test_vllm_window_and_tokens_in_flight():
    # 4095 + 2 × 2048 = 8191 tokens are 512 blocks, and one for a window that begins inside a block.
    assert kept(MISTRAL, 32768, "vllm") == 513 * 16 * 131072
    # One batch in flight: 6143 tokens, 384 blocks; 8 tokens a batch: 4103 tokens, 257 blocks.
    assert kept(MISTRAL, 32768, "vllm", async_scheduling=False) == 385 * 16 * 131072
    few = {"async_scheduling": False, "max_num_batched_tokens": 8}
    assert kept(MISTRAL, 32768, "vllm", **few) == 258 * 16 * 131072
    # To the token: 4095 + 4096, and the one block more.
    assert kept(MISTRAL, 32768, "vllm", block_size=1) == 8192 * 131072
    # Chunked attention has no token to spare in its chunk: 1024 + 4096.
    assert kept(CacheLayout((CHUNKED,)), 32768, "vllm", block_size=1) == 5120 * 4096
    # A context that ends before: its own blocks, and the one more.
    assert kept(MISTRAL, 100, "vllm") == 8 * 16 * 131072
    # Windows alone are no hybrid: turning the hybrid manager off changes nothing.
    assert kept(MISTRAL, 32768, "vllm", hybrid=False) == 513 * 16 * 131072


def test_vllm_hybrid_groups():
    # 5 sliding and 1 full layer: groups of 1, six of them, on pages of 65,536 bytes.
    # Sliding: 1023 + 4096 = 5119 tokens, 320 blocks and 1. Full: 2048 blocks.
    assert kept(HYBRID, 32768, "vllm") == (5 * 321 + 2048) * 65536
    assert kept(HYBRID, 32768, "vllm", hybrid=False) == 6 * 2048 * 65536


def test_vllm_pads_groups_that_lack_layers():
    # Gemma 3 1B: 22 sliding, 4 full layers. Groups of 4: six of sliding layers, the last two short
    # of one layer each, and one full; a block is 4 pages of 16 × 1,024 bytes.
    sliding, full = LayerKV("sliding", 1, 256, window=512), LayerKV("full", 1, 256)
    layout = CacheLayout(((sliding,) * 5 + (full,)) * 4 + (sliding,) * 2)
    blocks = -(-(511 + 4096) // 16) + 1
    assert kept(layout, 32768, "vllm") == (6 * blocks + 2048) * 4 * 16 * 1024
    rows = engine("vllm").rows(layout, 32768, 1, BF16)
    assert [(row.layer.kind, row.n_layers) for row in rows] == [("sliding", 22), ("full", 4)]
    assert rows[0].note == "6 groups of 4 layers, room for 2 more unused"


def test_vllm_takes_the_larger_group_when_little_is_lost():
    # 13 full and 12 sliding layers: 13 < 1.5 × 12, so two groups of 13.
    layout = CacheLayout((FULL,) * 13 + (SLIDING,) * 12)
    assert kept(layout, 32768, "vllm") == (2048 + 321) * 13 * 65536
    # 18 and 12: no longer; groups of 12, two of them for the 18.
    layout = CacheLayout((FULL,) * 18 + (SLIDING,) * 12)
    assert kept(layout, 32768, "vllm") == (2 * 2048 + 321) * 12 * 65536


def test_vllm_makes_pages_equal():
    # The full layer keeps twice as much a token: the sliding ones get blocks of 32 tokens.
    twice = LayerKV("full", 8, 256)
    layout = CacheLayout((SLIDING,) * 5 + (twice,))
    assert kept(layout, 32768, "vllm") == (5 * (160 + 1) + 2048) * 131072
    # 1.5 times as much: no whole number of tokens fills the page, so it is padded.
    more = LayerKV("full", 12, 128)
    layout = CacheLayout((SLIDING,) * 5 + (more,))
    assert kept(layout, 32768, "vllm") == (5 * 321 + 2048) * 98304
    notes = [row.note for row in engine("vllm").rows(layout, 32768, 1, BF16)]
    assert "padded from 65,536 to 98,304" in notes[0] and "padded" not in notes[1]


def test_vllm_full_layers_of_different_sizes_share_one_table():
    layout = CacheLayout((FULL, LayerKV("full", 4, 128), LayerKV("full", 8, 192, v_head_dim=128)))
    assert kept(layout, 17, "vllm") == 2 * 16 * (4096 + 2048 + 2 * 8 * 320)


def test_vllm_switches_the_hybrid_manager_off_for_chunked_attention():
    llama_4 = CacheLayout(((CHUNKED,) * 3 + (FULL,)) * 12)
    assert kept(llama_4, 32768, "vllm") == 48 * 2048 * 65536
    # Asked for: 1024 + 4096 tokens are 320 blocks, with no block more.
    assert kept(llama_4, 32768, "vllm", hybrid=True) == (3 * 320 + 2048) * 12 * 65536


def test_vllm_tensor_parallel():
    # Heads are split while they last (8 over 2, 4, 8), then copied: 16 GPUs keep two copies each.
    whole = 256 * 16 * 131072
    for tp in (1, 2, 4, 8):
        assert kept(LLAMA, 4096, "vllm", tp=tp) == whole
    assert kept(LLAMA, 4096, "vllm", tp=16) == 2 * whole
    assert kept(LLAMA, 4096, "vllm", tp=32) == 4 * whole
    # Over 4 GPUs, 2 heads and 4 heads both become 1: the layers are alike and share their groups.
    halves = CacheLayout((LayerKV("full", 2, 128),) * 3 + (LayerKV("full", 4, 128),) * 3 + (SLIDING,) * 6)
    assert kept(halves, 32768, "vllm", tp=4) == 4 * (1024 + 321) * 6 * 16384
    # The latent is on every GPU.
    assert kept(DEEPSEEK, 4096, "vllm") == 4096 * 70272
    assert kept(DEEPSEEK, 4096, "vllm", tp=8) == 8 * 4096 * 70272


def test_vllm_quantized():
    assert kept(LLAMA, 4096, "vllm", dtype="fp8") == 4096 * 65536
    assert kept(LLAMA, 4096, "vllm", kv_cache_dtype="fp8") == 4096 * 65536
    # 8 heads × (256 values and 2 scales of 4 bytes) × 32 layers = 67,584 bytes a token.
    for name in ("fp8_per_token_head", "int8_per_token_head"):
        assert kept(LLAMA, 4096, "vllm", kv_cache_dtype=name) == 4096 * 67584
    assert kept(LLAMA, 4096, "vllm", kv_cache_dtype="int4_per_token_head") == 4096 * 8 * 136 * 32
    assert kept(DEEPSEEK, 64, "vllm", kv_cache_dtype="fp8_ds_mla") == 64 * 61 * 656
    assert kept(DEEPSEEK, 64, "vllm", dtype="fp8") == 64 * 61 * 576
    assert kept(LLAMA, 4096, "vllm", dtype="fp8", kv_cache_dtype="float16") == 4096 * 131072


def test_vllm_gives_up_windows_beside_a_latent_that_fits_no_page():
    # Pages of 16 × 1,152 and 16 × 4,096 bytes: the one does not divide the other.
    layout = CacheLayout((LATENT, SLIDING))
    assert kept(layout, 32768, "vllm") == 32768 * (1152 + 4096)
    # Pages of 16 × 1,024 and 16 × 4,096 do: the latent layer gets blocks of 64 tokens.
    layout = CacheLayout((replace(LATENT, head_dim=512), SLIDING))
    assert kept(layout, 32768, "vllm") == (512 + 321) * 65536


def test_vllm_refuses_what_it_cannot_count():
    state = LayerKV("state", state=(StateTensor(500),))
    with pytest.raises(ValueError, match="an indexer's keys beside recurrent states"):
        kept(CacheLayout((replace(LATENT, indexer=128), state)), 10, "vllm")
    with pytest.raises(ValueError, match="tp must divide a layer's recurrent state, and 3 does not"):
        kept(CacheLayout((state,)), 10, "vllm", tp=3)
    with pytest.raises(ValueError, match="pp above 1 is counted only for layers that need the same"):
        kept(HYBRID, 10, "vllm", pp=2)
    with pytest.raises(ValueError, match="pp must be at most the 32 layers, not 33"):
        kept(LLAMA, 10, "vllm", pp=33)
    with pytest.raises(ValueError, match="width of the keys and values of its latent is not known"):
        kept(DEEPSEEK, 10, "vllm", mla_absorbed=False)
    with pytest.raises(ValueError, match="fp8_ds_mla"):
        kept(LLAMA, 10, "vllm", kv_cache_dtype="fp8_ds_mla")
    wide = replace(SLIDING, window=99)
    with pytest.raises(ValueError, match="windows of different sizes"):
        kept(CacheLayout((SLIDING, wide, FULL)), 10, "vllm", hybrid=False)
    with pytest.raises(ValueError, match="needs a full layer"):
        kept(CacheLayout((SLIDING, CHUNKED)), 10, "vllm")
    with pytest.raises(ValueError, match="latent"):
        kept(CacheLayout((LATENT, CHUNKED)), 10, "vllm", hybrid=True)
    with pytest.raises(ValueError, match="tp must divide n_kv_heads"):
        kept(CacheLayout((FULL,)), 10, "vllm", tp=3)
    with pytest.raises(ValueError, match="tp must divide n_heads"):
        kept(LLAMA, 10, "vllm", tp=64)


# llama.cpp


@pytest.mark.parametrize(("context", "cells"), [(1, 256), (256, 256), (257, 512), (4096, 4096)])
def test_llama_cpp_cells_come_in_256s(context, cells):
    assert kept(LLAMA, context, "llama.cpp", batch=3) == 3 * cells * 131072


def test_llama_cpp_packs():
    # 1,024 numbers a row: f16 2,048 bytes, q8_0 32 × 34, q4_0 32 × 18; keys and values, 32 layers.
    assert kept(LLAMA, 4096, "llama.cpp", dtype="fp16") == 4096 * 64 * 2048 == 512 * MiB
    assert kept(LLAMA, 4096, "llama.cpp", dtype="q8_0") == 4096 * 64 * 1088
    assert kept(LLAMA, 4096, "llama.cpp", dtype="q4_0") == 4096 * 64 * 576


def test_llama_cpp_windowed_cache():
    # 1024 + 512 = 1536 cells for the window; 1,000 of context are padded to 1,024 and stay below.
    assert kept(HYBRID, 32768, "llama.cpp") == (5 * 1536 + 32768) * 4096
    assert kept(HYBRID, 1000, "llama.cpp") == 6 * 1024 * 4096
    assert kept(HYBRID, 32768, "llama.cpp", n_ubatch=1) == (5 * 1280 + 32768) * 4096
    assert kept(HYBRID, 32768, "llama.cpp", swa_full=True) == 6 * 32768 * 4096


def test_llama_cpp_one_pool_for_all():
    # 3 × 1000 tokens are 3,072 cells in one pool, 3 × 1,024 in three; windows 3 × 1024 + 512, padded.
    assert kept(LLAMA, 1000, "llama.cpp", batch=3, unified=True) == 3072 * 131072
    assert kept(LLAMA, 10, "llama.cpp", batch=3, unified=True) == 256 * 131072
    assert kept(LLAMA, 10, "llama.cpp", batch=3) == 3 * 256 * 131072
    assert kept(HYBRID, 32768, "llama.cpp", batch=3, unified=True) == (5 * 3584 + 3 * 32768) * 4096


def test_llama_cpp_ignores_some_windows():
    assert kept(replace(MISTRAL, architecture="mistral"), 32768, "llama.cpp") == 32768 * 131072
    assert kept(replace(HYBRID, architecture="gemma3_text"), 32768, "llama.cpp") == kept(
        HYBRID, 32768, "llama.cpp"
    )


def test_llama_cpp_refuses():
    with pytest.raises(ValueError, match="head_dim must be a multiple of 32 for q8_0"):
        kept(CacheLayout.uniform(2, 2, 80), 10, "llama.cpp", dtype="q8_0")


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("vllm", "t5"), ("vllm", "mllama_text_model"), ("llama.cpp", "recurrent_gemma")],
)
def test_an_engine_that_does_not_run_the_model(name, architecture):
    with pytest.raises(ValueError, match=f"engine {name} does not run {architecture}"):
        kept(replace(LLAMA, architecture=architecture), 10, name)


# All of them


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("vllm", "q8_0"),
        ("vllm", "int8"),
        ("transformers", "fp8"),
        ("llama.cpp", "int8-g64"),
        ("llama.cpp", "fp8"),
    ],
)
def test_a_dtype_the_engine_cannot_store(name, dtype):
    with pytest.raises(ValueError, match=f"engine {name} keeps no cache in dtype '{dtype}'"):
        kept(LLAMA, 10, name, dtype=dtype)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("vlm", {}, "engine 'vlm'.*vllm"),
        ("llamacpp", {}, "llama.cpp"),
        (None, {}, "engine None"),
        (42, {}, "engine 42"),
        ("vllm", {"blocksize": 16}, "block_size"),
        ("ideal", {"tp": 2}, "option of engine ideal"),
        ("vllm", {"block_size": 0}, "block_size"),
        ("vllm", {"tp": -1}, "tp"),
        ("vllm", {"tp": 1.5}, "tp"),
        ("vllm", {"max_num_batched_tokens": 0}, "max_num_batched_tokens"),
        ("vllm", {"kv_cache_dtype": "fp7"}, "kv_cache_dtype.*fp8"),
        ("vllm", {"hybrid": "no"}, "hybrid"),
        ("vllm", {"async_scheduling": 1}, "async_scheduling"),
        ("llama.cpp", {"n_ubatch": 0}, "n_ubatch"),
        ("llama.cpp", {"unified": 1}, "unified"),
        ("llama.cpp", {"swa_full": "yes"}, "swa_full"),
        ("llama.cpp", {"type_k": "q9_0"}, "q8_0"),
        ("llama.cpp", {"mla_absorbed": 1}, "mla_absorbed"),
        ("vllm", {"pp": 0}, "pp"),
        ("vllm", {"prefix_caching": 1}, "prefix_caching"),
        ("vllm", {"checkpoints": -1}, "checkpoints"),
        ("sglang", {"page_size": 0}, "page_size"),
        ("sglang", {"swa_full_tokens_ratio": 1.5}, "swa_full_tokens_ratio"),
        ("sglang", {"prefix_caching": "no"}, "prefix_caching"),
    ],
)
def test_refusals(name, options, named):
    with pytest.raises(ValueError, match=named):
        engine(name, **options)


def test_an_engine_passes_as_it_is():
    policy = engine("vLLM", tp=2)
    assert engine(policy) is policy and policy == VLLM(tp=2)
    assert engine(policy, block_size=32) == VLLM(tp=2, block_size=32)
    assert engine("ideal") == Ideal()


def test_every_policy_cites_its_source():
    for policy in ENGINES.values():
        if policy is not Ideal:
            assert "rom " in policy.__doc__ and any(digit in policy.__doc__ for digit in "0123456789")


heads = st.sampled_from([1, 2, 4, 8])
dims = st.sampled_from([32, 64, 128])


@st.composite
def layouts(draw):
    """Any mixture of full and windowed layers that every engine serves: windows of one kind and size."""
    window = draw(st.integers(2, 3000))
    kind = draw(st.sampled_from(["sliding", "chunked"]))
    layer = st.one_of(
        st.builds(LayerKV, st.just("full"), heads, dims),
        st.builds(LayerKV, st.just(kind), heads, dims, window=st.just(window)),
        st.just(LayerKV("none")),
        st.just(LayerKV("shared", shares_with=0)),
    )
    return CacheLayout(tuple(draw(st.lists(layer, min_size=1, max_size=12))))


latents = st.integers(1, 8).map(lambda n: CacheLayout((LATENT,) * n))


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(layouts(), latents), st.integers(1, 10_000), st.integers(1, 9), st.sampled_from(sorted(ENGINES))
)
def test_properties(layout, context, batch, name):
    windows = {layer.kind for layer in layout.layers if layer.window}
    assume(name != "sglang" or "chunked" not in windows)  # refused
    one = kept(layout, context, name)
    assert kept(layout, context + 1, name) >= one, "more context never takes less"
    assert kept(layout, context, name, batch=batch) == batch * one, "sequences add up"
    ideal = layout.bytes(context)
    windowed = [layer for layer in layout.layers if layer.window and context >= layer.window]
    if name == "transformers":
        assert one == ideal - sum(layer.bytes_per_token() for layer in windowed)
    elif name != "sglang" or not windows:  # it gives windows a share of the slots, however small
        assert one >= ideal
    rows = engine(name).rows(layout, context, batch, BF16)
    assert sum(row.bytes for row in rows) == batch * one
    assert sum(row.n_layers for row in rows) == sum(1 for layer in layout.layers if layer.elements)


@settings(max_examples=100, deadline=None)
@given(layouts(), st.integers(1, 10_000), st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16]))
def test_vllm_properties(layout, context, block_size, tp):
    whole = kept(layout, context, "vllm", block_size=block_size)
    assert kept(layout, context, "vllm", block_size=block_size, tp=tp) >= whole, "copies only add"
    assert kept(layout, context, "vllm", block_size=block_size) >= layout.bytes(context)
