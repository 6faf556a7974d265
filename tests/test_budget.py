"""The budget: the lessons' figures, corrected, and the searches held to a count by hand."""

import dataclasses
import warnings

import pytest

from kvlib.budget import Arithmetic, Budget
from kvlib.hardware import GPU
from kvlib.layouts import CacheLayout, ContextWarning, LayerKV, StateTensor
from kvlib.units import GB, GiB, KiB, MiB

LLAMA_3_8B = CacheLayout.uniform(32, 8, 128, n_heads=32, name="llama", max_context=8192)
# Lesson 1's card: 24 GiB, read at an H100's 3.35 TB/s.
CARD = GPU("24 GiB card", 24 * GiB, 3350 * GB, "lesson 1")


def lesson_1(**changes):
    return Budget(**{"layout": LLAMA_3_8B, "weights_bytes": 6 * GB, "gpu": CARD, **changes})


def test_lesson_1_reading_the_cache():
    # 4,096 tokens × 128 KiB = 512 MiB; a step that reads only that.
    only_cache = lesson_1(weights_bytes=0)
    assert only_cache.cache_bytes(4096) == 512 * MiB
    assert only_cache.decode_floor(4096) * 1e3 == pytest.approx(0.160, abs=0.0005)
    assert only_cache.decode_floor(4096, batch=8) * 1e3 == pytest.approx(1.28, abs=0.005)


def test_lesson_1_a_whole_step():
    assert lesson_1().decode_floor(4096, batch=8) * 1e3 == pytest.approx(3.07, abs=0.005)
    assert lesson_1().decode_floor(4096) * 1e3 == pytest.approx(1.95, abs=0.005)
    assert lesson_1().tokens_per_second(4096, batch=8) == pytest.approx(8 / 0.003073, rel=1e-3)


@pytest.mark.parametrize(("room", "sequences"), [(18 * GiB, 36), (18 * GB, 33), (36 * 512 * MiB - 1, 35)])
def test_lesson_1_concurrency(room, sequences):
    budget = lesson_1(gpu=GPU("room", room, 1.0, "lesson 1"), weights_bytes=0, utilization=1)
    assert budget.max_sequences(4096) == sequences


def test_lesson_1_concurrency_of_the_whole_card():
    assert lesson_1().usable == 23_192_823_398  # 0.9 × 24 GiB, rounded down
    assert lesson_1().max_sequences(4096) == 32
    assert lesson_1().fits(4096, 32) and not lesson_1().fits(4096, 33)


def lesson_3(billions, bytes_a_weight, layout, context, batch):
    """Its print-out: weights, cache, 15 % for the rest, and the sum, in GiB to one decimal."""
    weights = int(billions * GB * bytes_a_weight)
    cache = layout.bytes(context, batch)
    overhead = (weights + cache) * 15 // 100
    budget = Budget(layout, weights, CARD, overhead_bytes=overhead)
    parts = [weights, budget.cache_bytes(context, batch), overhead, weights + cache + overhead]
    assert budget.room == budget.usable - weights - overhead
    return [round(part / GiB, 1) for part in parts]


def test_lesson_3_print_outs_are_gib():
    assert lesson_3(8, 2, LLAMA_3_8B, 8192, 1) == [14.9, 1.0, 2.4, 18.3]
    with pytest.warns(ContextWarning):
        assert lesson_3(8, 0.5, LLAMA_3_8B, 32768, 1) == [3.7, 4.0, 1.2, 8.9]


def test_room_and_what_is_missing():
    small = lesson_1(weights_bytes=30 * GiB)
    assert small.room == 0
    assert small.short_by(1) == 30 * GiB + 128 * KiB - small.usable
    assert small.max_sequences(1) == 0 and small.max_context() == 0
    assert lesson_1(overhead_bytes=GiB).room == lesson_1().room - GiB
    assert lesson_1(gpus=2).usable == 46_385_646_796


def test_max_context_is_exact():
    budget = lesson_1()
    longest = budget.max_context()
    assert longest == budget.room // (128 * KiB)
    assert budget.max_context(batch=3) == budget.room // (3 * 128 * KiB)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        budget.max_context()  # looks at contexts beyond the model's without warning of them


def windowed(n_full, n_sliding, window):
    full, sliding = LayerKV("full", 1, 64), LayerKV("sliding", 1, 64, window=window)
    return CacheLayout((full,) * n_full + (sliding,) * n_sliding)


@pytest.mark.parametrize(
    "room", [3 * 256 * 99, 3 * 256 * 100, 256 * (100 * 2 + 1000), 256 * (100 * 2 + 1001)]
)
def test_max_context_of_a_windowed_layout(room):
    # One full and two windowed layers, 256 bytes a token each; counted out one context at a time.
    layout = windowed(1, 2, window=100)
    by_hand = max(t for t in range(1, 2000) if 256 * (t + 2 * min(t, 100)) <= room)
    budget = Budget(layout, 0, GPU("tiny", room, 1.0, "here"), utilization=1)
    assert budget.max_context() == by_hand


def test_no_end_to_the_context():
    only_windows = windowed(0, 4, window=100)
    fits = GPU("tiny", 4 * 100 * 256, 1.0, "here")
    assert Budget(only_windows, 0, fits, utilization=1).max_context() is None
    short = GPU("tinier", 4 * 100 * 256 - 1, 1.0, "here")
    assert Budget(only_windows, 0, short, utilization=1).max_context() == 99


def test_state_counts_and_never_grows():
    mamba = CacheLayout((LayerKV("state", state=(StateTensor(500),)),) * 10)
    budget = Budget(mamba, 0, GPU("tiny", 25_000, 1e4, "here"), utilization=1)
    assert budget.cache_bytes(1) == budget.cache_bytes(10**9) == 10_000
    assert budget.max_sequences(4096) == 2
    assert budget.max_context() is None
    assert budget.max_context(batch=3) == 0
    assert budget.decode_floor(4096) == 1.0


def test_a_sequence_that_keeps_nothing():
    assert Budget(CacheLayout((LayerKV("none"),)), 0, "H100").max_sequences(8192) is None


def test_experts_at_rest_are_not_read():
    moe = lesson_1(weights_read_bytes=GB)
    assert moe.room == lesson_1().room
    assert moe.decode_floor(4096) == pytest.approx((GB + 512 * MiB) / 3350e9)


def test_cross_attention_counts():
    layout = CacheLayout((LayerKV("full", 1, 64, cross_elements=128),))
    budget = Budget(layout, 0, CARD, source_len=1500)
    assert budget.cache_bytes(10) == 10 * 256 + 1500 * 256
    assert budget.decode_floor(10) == pytest.approx(1510 * 256 / 3350e9)


def test_an_engine_reserves_more():
    assert lesson_1(engine="transformers").max_sequences(4096) == 32


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"gpu": "H1000"}, "GPU.*H100"),
        ({"gpus": 0}, "gpus"),
        ({"gpus": 1.5}, "gpus"),
        ({"weights_bytes": -1}, "weights_bytes"),
        ({"weights_bytes": 1e9}, "weights_bytes"),
        ({"overhead_bytes": -1}, "overhead_bytes"),
        ({"weights_read_bytes": -1}, "weights_read_bytes"),
        ({"source_len": -1}, "source_len"),
        ({"utilization": 0}, "utilization"),
        ({"utilization": 1.01}, "utilization"),
        ({"utilization": float("nan")}, "utilization"),
        ({"utilization": "most"}, "utilization"),
        ({"dtype": "bf17"}, "dtype.*bf16"),
        ({"engine": "vlm"}, "engine"),
    ],
)
def test_refusals(changes, named):
    with pytest.raises(ValueError, match=named):
        lesson_1(**changes)


@pytest.mark.parametrize("call", ["cache_bytes", "short_by", "fits", "max_sequences", "decode_floor"])
def test_a_context_must_be_whole_and_positive(call):
    for context in (0, -1, 1.5, True, "4k"):
        with pytest.raises(ValueError, match="context"):
            getattr(lesson_1(), call)(context)
    with pytest.raises(ValueError, match="batch"):
        lesson_1().max_context(0)


# ---- arithmetic, and where it takes longer than reading

LLAMA = Arithmetic(LLAMA_3_8B, weights=7_504_924_672, output=525_336_576)
H100 = Budget(LLAMA_3_8B, 2 * 8_030_261_248, "H100", weights_read_bytes=2 * LLAMA.weights)


def test_arithmetic_counted_one_product_at_a_time():
    """Two layers, 4 query heads on 2 KV heads of 3 numbers, one with a window; 10 weights, 4 of them out."""
    layout = CacheLayout((LayerKV("full", 2, 3), LayerKV("sliding", 2, 3, window=2)), n_heads=4)
    tiny = Arithmetic(layout, 10, 4)
    for context in (1, 2, 5):
        looked_at = context + min(context, 2)
        assert tiny.decode(context) == 2 * 10 + looked_at * 4 * (2 * 3 + 2 * 3)
    prompt = sum(2 * 6 + (t + min(t, 2)) * 4 * 12 for t in range(1, 6)) + 2 * 4
    assert tiny.prefill(5) == prompt and tiny.prefill(5, batch=3) == 3 * prompt
    assert tiny.decode(5, batch=3) == 3 * tiny.decode(5)


def test_a_shared_layer_computes_as_the_one_it_shares_with():
    one = LayerKV("full", 1, 64)
    shared = CacheLayout((one, LayerKV("shared", shares_with=0)), n_heads=4)
    twice = CacheLayout((one, one), n_heads=4)
    assert Arithmetic(shared, 0).decode(100) == Arithmetic(twice, 0).decode(100) == 100 * 2 * 4 * 2 * 128


def test_the_floors_by_hand():
    # 15.01 GB at 3.35 TB/s; two for each weight, 32 layers × 32 heads × 256 × 2 for each token attended to.
    assert H100.decode_floor(8192, 16) * 1e3 == pytest.approx((15.0098 + 16 * 1.073742) / 3.35, rel=1e-4)
    operations = 16 * (2 * 7_504_924_672 + 8192 * 524_288)
    assert LLAMA.decode(8192, 16) == operations
    assert H100.compute_floor(operations) == operations / 989.5e12
    assert H100.prefill_floor(8192, 2) == (2 * LLAMA.weights + 2 * GiB) / 3350e9
    assert Budget(LLAMA_3_8B, 0, CARD).compute_floor(operations) is None
    assert dataclasses.replace(H100, gpus=2).compute_floor(operations) == operations / (2 * 989.5e12)


@pytest.mark.parametrize("context", [1, 100, 300, 8192])
def test_where_a_decode_step_turns(context):
    """Held to trying every number of sequences."""

    def first(holds):
        return next((n for n in range(1, 2000) if holds(n)), None)

    cache = first(lambda n: H100.cache_read_bytes(context, n) > 2 * LLAMA.weights)
    assert cache == (turn if (turn := H100.cache_bound_from(context)) < 2000 else None)
    computes = first(lambda n: H100.compute_floor(LLAMA.decode(context, n)) > H100.decode_floor(context, n))
    assert H100.compute_bound_from(context, LLAMA) == computes


def test_no_batch_of_long_texts_is_bound_by_arithmetic():
    assert H100.cache_bound_from(8192) == 14
    assert H100.compute_bound_from(8192, LLAMA) is None
    assert 290 < H100.compute_bound_from(1, LLAMA) < 310  # 989.5 / 3.35 = 295 products a byte pair


def test_where_a_prompt_turns():
    turn = H100.compute_bound_prompt(LLAMA)
    assert 300 < turn < 340  # more than 295: the output matrix meets one token, and the cache is written
    for prompt, longer in ((turn - 1, False), (turn, True)):
        assert (H100.compute_floor(LLAMA.prefill(prompt)) > H100.prefill_floor(prompt)) == longer


def test_without_a_peak_nothing_turns():
    unknown = Budget(LLAMA_3_8B, 2 * LLAMA.weights, CARD)
    assert unknown.compute_bound_from(1, LLAMA) is unknown.compute_bound_prompt(LLAMA) is None
    assert Budget(CacheLayout((LayerKV("none"),)), 1, CARD).cache_bound_from(10) is None


@pytest.mark.parametrize(
    ("layout", "numbers", "named"),
    [
        (LLAMA_3_8B, (-1,), "weights"),
        (LLAMA_3_8B, (1, 2), "output must be at most weights"),
        (CacheLayout.uniform(1, 1, 8), (1,), "n_heads"),
        (
            CacheLayout((LayerKV("latent", 1, 576, v_head_dim=0),), n_heads=16),
            (1,),
            "only layers that attend.*latent",
        ),
        (
            CacheLayout((LayerKV("full", 1, 8, indexer=4),), n_heads=1),
            (1,),
            "only layers that attend.*indexer=4",
        ),
    ],
)
def test_arithmetic_refused(layout, numbers, named):
    with pytest.raises(ValueError, match=named):
        Arithmetic(layout, *numbers)
