"""The formula, to the byte, and what a layout refuses."""

import subprocess
import sys
import warnings
from dataclasses import replace

import pytest

from kvlib.engines import engine
from kvlib.layouts import Breakdown, CacheLayout, ContextWarning, LayerKV, StateTensor, kv_bytes
from kvlib.states import Compressed
from kvlib.units import KiB
from kvlib.widgets.groups import groups

LLAMA_2_7B = CacheLayout.uniform(32, 32, 128, n_heads=32)
GEMMA_2_27B = CacheLayout(
    (LayerKV("sliding", 16, 128, window=4096), LayerKV("full", 16, 128)) * 23, n_heads=32, max_context=8192
)
DEEPSEEK_V3 = CacheLayout((LayerKV("latent", 1, 576, v_head_dim=0),) * 61)


@pytest.mark.parametrize(
    ("n_layers", "n_kv_heads", "head_dim", "per_token"),
    [
        (12, 12, 64, 36_864),  # GPT-2
        (32, 32, 128, 524_288),  # Llama 2 7B
        (40, 40, 128, 819_200),  # Llama 2 13B
        (32, 8, 128, 131_072),  # Llama 3.1 8B
        (80, 8, 128, 327_680),  # Llama 3.1 70B
        (28, 4, 128, 56 * KiB),  # Qwen 2.5 7B
        (28, 8, 128, 112 * KiB),  # Llama 3.2 3B
        (36, 2, 128, 36 * KiB),  # Qwen 2.5 3B
        (30, 3, 64, 23_040),  # SmolLM2 135M
    ],
)
def test_bytes_per_token(n_layers, n_kv_heads, head_dim, per_token):
    layout = CacheLayout.uniform(n_layers, n_kv_heads, head_dim)
    assert layout.bytes_per_token() == layout.bytes(1) == per_token
    assert layout.bytes_per_token("fp8") * 2 == layout.bytes_per_token("fp32") / 2 == per_token


def test_worked_examples():
    assert LLAMA_2_7B.bytes(4096) == 2_147_483_648
    assert kv_bytes(n_layers=32, n_kv_heads=32, head_dim=128, context=4096) == 2_147_483_648
    # The exercise: layers=24, B=2, H=16, T=2048, d=64, 2 bytes.
    assert kv_bytes(n_layers=24, n_kv_heads=16, head_dim=64, context=2048, batch=2) == 402_653_184
    # Lesson 2's product at 100,000 tokens, and what the model has: 8 KV heads, not 64.
    assert CacheLayout.uniform(80, 64, 128).bytes(100_000) == 262_144_000_000
    assert CacheLayout.uniform(80, 8, 128).bytes(100_000) == 32_768_000_000
    assert DEEPSEEK_V3.bytes_per_token() == 70_272


def test_windows_stop_growing():
    # Lesson 3: 368 KiB a token, 2.875 GiB at 8K if every layer were full; 2.156 GiB with its windows.
    assert GEMMA_2_27B.bytes_per_token() == 368 * KiB
    assert GEMMA_2_27B.bytes(4096) == 4096 * 368 * KiB
    assert GEMMA_2_27B.bytes(8192) == 2_315_255_808 == (8192 + 4096) * 184 * KiB
    chunked = CacheLayout((LayerKV("chunked", 1, 1, window=8),))
    assert [chunked.bytes(t) // 4 for t in (1, 7, 8, 9, 1000)] == [1, 7, 8, 8, 8]


def test_batch_and_dtypes():
    assert LLAMA_2_7B.bytes(100, batch=7) == 7 * LLAMA_2_7B.bytes(100)
    # A row is packed on its own: 3 × 24 numbers are 72, three groups of 32.
    odd = CacheLayout.uniform(1, 3, 24)
    assert odd.bytes_per_token("q8_0") == 2 * 3 * 34
    assert odd.bytes_per_token("int8-g64") == 2 * 2 * 68
    assert CacheLayout((LayerKV("full", 1, 33, v_head_dim=1),)).bytes_per_token("int4") == 17 + 1


def test_what_keeps_no_tokens():
    layout = CacheLayout(
        (
            LayerKV("full", 2, 64, state=(StateTensor(50),), cross_elements=8),
            LayerKV("shared", shares_with=0),
            LayerKV("state", state=(StateTensor(250, dtype="fp32"),)),
            LayerKV("cross", cross_elements=6),
            LayerKV("none"),
        )
    )
    assert layout.n_layers == 5
    assert layout.breakdown(10, source_len=0) == Breakdown(10 * 512, 1100, 0)
    assert layout.breakdown(10, 3, source_len=1500) == Breakdown(3 * 10 * 512, 3300, 3 * 1500 * (8 + 6) * 2)
    assert layout.breakdown(1, batch=5, dtype="fp32", source_len=2).cross == 2 * 5 * 14 * 4
    assert layout.bytes(10, source_len=1500) == 10 * 512 + 1100 + 1500 * (8 + 6) * 2
    # The shared layer reads layer 0 once more; state and cross attention are read whole.
    assert layout.bytes_read(10, source_len=0) == 2 * 10 * 512 + 1100
    assert layout.bytes_read(10, source_len=1500) == 2 * 10 * 512 + 1100 + 1500 * (8 + 6) * 2
    assert layout.bytes_read(10, batch=4, source_len=7) == 4 * layout.bytes_read(10, source_len=7)


def test_one_meaning_of_bytes():
    whisper = CacheLayout((LayerKV("full", 20, 64, cross_elements=2560),) * 32, name="whisper")
    plain = CacheLayout((LayerKV("full", 2, 64, state=(StateTensor(50),)),) * 3, name="plain")
    for call in ("bytes", "breakdown", "bytes_read"):
        with pytest.raises(ValueError, match="source_len is needed: whisper .* or 0 where there is none"):
            getattr(whisper, call)(448)
        for given in (0, 1500):
            with pytest.raises(ValueError, match=f"source_len must be left out, not {given}: plain"):
                getattr(plain, call)(448, source_len=given)
        for bad in (-1, 1.5, "x", True):
            with pytest.raises(ValueError, match="source_len must be a whole number of at least 0"):
                getattr(whisper, call)(448, source_len=bad)
    assert whisper.bytes(448, source_len=1500) == 319_160_320 == (448 + 1500) * 163_840
    assert whisper.bytes(448, source_len=0) == 448 * 163_840
    for layout, source_len in ((whisper, 9), (plain, None), (GEMMA_2_27B, None)):
        parts = layout.breakdown(7, 3, "fp32", source_len)
        assert (
            layout.bytes(7, 3, "fp32", source_len) == parts.total == parts.tokens + parts.state + parts.cross
        )


def test_what_all_layers_agree_on():
    assert (LLAMA_2_7B.n_kv_heads, LLAMA_2_7B.head_dim) == (32, 128) and GEMMA_2_27B.n_kv_heads == 16
    mixed = CacheLayout((LayerKV("full", 8, 64), LayerKV("none"), LayerKV("full", 4, 64)), name="mixed")
    assert mixed.head_dim == 64
    with pytest.raises(ValueError, match="n_kv_heads is no single number: mixed has layers with 4 and 8"):
        mixed.n_kv_heads  # noqa: B018
    with pytest.raises(
        ValueError, match="head_dim is no single number: model has no layer that keeps tokens"
    ):
        CacheLayout((LayerKV("none"),)).head_dim  # noqa: B018


def test_a_state_can_be_counted_as_an_engine_keeps_it():
    conv, recurrent = StateTensor(10, kernel=4), StateTensor(100, dtype="fp32", named="float32")
    griffin = StateTensor(10, kernel=4, positions=3)
    layer = LayerKV("state", state=(conv, recurrent))
    assert layer.state_bytes == 10 * 4 * 2 + 100 * 4
    assert LayerKV("state", state=(griffin,)).state_bytes == 10 * 3 * 2
    assert (conv.nbytes(), conv.nbytes("fp32", 3)) == (80, 120)
    assert (recurrent.nbytes(), recurrent.nbytes("fp32", 3)) == (200, 400)
    for bad in ({"elements": 0}, {"elements": 1.5}, {"elements": 1, "kernel": 0}):
        with pytest.raises(ValueError, match="whole number"):
            StateTensor(**bad)
    with pytest.raises(ValueError, match="at most its kernel"):
        StateTensor(1, kernel=4, positions=5)
    with pytest.raises(ValueError, match="dtype 'float23'"):
        StateTensor(1, dtype="float23")


def test_beyond_the_models_context_computes_and_warns():
    with pytest.warns(ContextWarning, match="8,193 is beyond the 8,192 tokens"):
        assert GEMMA_2_27B.bytes(8193) == (8193 + 4096) * 184 * KiB
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GEMMA_2_27B.bytes(8192)
        DEEPSEEK_V3.bytes(10**7)


@pytest.mark.parametrize("bad", [0, -1, 1.5, 2.0, "3", None, True])
@pytest.mark.parametrize("argument", ["n_layers", "n_kv_heads", "head_dim", "n_heads", "context", "batch"])
def test_counts_refused(argument, bad):
    if argument in ("context", "batch"):
        given = {"context": 1, argument: bad}
        calls = [lambda: LLAMA_2_7B.bytes(**given), lambda: LLAMA_2_7B.bytes_read(**given)]
        calls.append(lambda: engine("vllm").bytes(LLAMA_2_7B, **given))
    elif argument == "n_heads" and bad is None:
        return  # not said is allowed
    else:
        given = {"n_layers": 1, "n_kv_heads": 1, "head_dim": 1, argument: bad}
        calls = [lambda: CacheLayout.uniform(**given)]
    for call in calls:
        with pytest.raises(ValueError, match=f"{argument} must be a whole number"):
            call()


def test_other_refusals():
    with pytest.raises(ValueError, match="divisible by n_kv_heads: 32 query heads"):
        CacheLayout.uniform(1, 5, 64, n_heads=32)
    with pytest.raises(ValueError, match="dtype 'bf61'.*bf16"):
        LLAMA_2_7B.bytes(1, dtype="bf61")
    with pytest.raises(ValueError, match="dtype"):
        engine("vllm").bytes(LLAMA_2_7B, 1, dtype="nope")
    with pytest.raises(ValueError, match="engine 'vlm'.*vllm"):
        engine("vlm")
    for call in (lambda: LLAMA_2_7B.breakdown(1, 0), lambda: LLAMA_2_7B.bytes_read(1, batch=0)):
        with pytest.raises(ValueError, match="batch"):
            call()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kind": "sliding", "n_kv_heads": 1, "head_dim": 1}, "window"),
        ({"kind": "chunked", "n_kv_heads": 1, "head_dim": 1, "window": 0}, "window"),
        ({"kind": "full", "n_kv_heads": 1, "head_dim": 1, "window": 9}, "window belongs to"),
        ({"kind": "full"}, "n_kv_heads"),
        ({"kind": "latent", "n_kv_heads": 1}, "head_dim"),
        ({"kind": "shared"}, "shares_with"),
        ({"kind": "full", "n_kv_heads": 1, "head_dim": 1, "shares_with": 0}, "shares_with"),
        ({"kind": "slidding"}, "kind 'slidding'.*sliding"),
    ],
)
def test_layers_refused(given, named):
    with pytest.raises(ValueError, match=named):
        LayerKV(**given)


def test_the_module_is_not_shadowed():
    import kvlib
    import kvlib.layouts as L

    assert L.CacheLayout is CacheLayout is kvlib.CacheLayout and callable(kvlib.layout)


def test_import_and_count_without_torch():
    code = (
        "import sys, kvlib, kvlib.engines, kvlib.budget, kvlib.hardware;"
        "kvlib.engine('vllm').bytes(kvlib.CacheLayout.uniform(2, 2, 64), 10);"
        "print('torch' in sys.modules, 'transformers' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3


def test_an_indexers_key_is_a_row_of_its_own():
    latent = LayerKV("latent", 1, 576, v_head_dim=0, indexer=128)
    assert latent.elements == 576 and latent.bytes_per_token() == 2 * (576 + 128)
    assert LayerKV("full", 1, 3, indexer=3).bytes_per_token("int4") == 3 * 2
    of = CacheLayout((latent,) * 61)
    assert of.bytes(100, 2) == 2 * 100 * 61 * 1408 == engine("transformers").bytes(of, 100, 2)
    with pytest.raises(ValueError, match="indexer's keys or compressed entries is not counted"):
        engine("llama.cpp").bytes(of, 100)


def test_compressed_entries_stand_for_many_tokens():
    """DeepSeek V4: a window of 128 keys that are values too; beyond it an entry for every 4, or every 128."""
    four = (Compressed(4, 512, 2048, 4096), Compressed(4, 128, 512, 1024))
    many = (Compressed(128, 512, 1024),)
    window = LayerKV("sliding", 1, 512, v_head_dim=0, window=128)
    of = CacheLayout((replace(window, compressed=four), replace(window, compressed=many)))
    # 1,030 tokens: 257 whole blocks of 4 and two tokens of the next; 8 of 128 and six.
    sparse = 257 * (512 + 128) + 2 * (2048 + 512) + 4096 + 1024
    heavy = 8 * 512 + 6 * 1024
    assert of.bytes(1030) == 2 * (2 * 128 * 512 + sparse + heavy)
    assert of.bytes(3) == 2 * (2 * 3 * 512 + 3 * (2048 + 512) + 3 * 1024)
    assert of.bytes_per_token() == 2 * (512 + 512 + (512 + 128) // 4 + 512 // 128)
    assert engine("ideal").bytes_per_token(of) == of.bytes_per_token()
    assert engine("ideal").bytes_read(of, 1030) == engine("ideal").bytes(of, 1030) == of.bytes(1030)
    assert engine("ideal").rows(of, 1030)[0].note == "and entries that each stand for 4 tokens"
    with pytest.raises(ValueError, match="compressed entries"):
        groups(of)
