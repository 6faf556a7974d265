"""A GGUF file's header as a config: what llama.cpp's metadata says, in the names of config.json.

Only the header is read, and no more than HEADER of it: the keys and values, the tensors' names. Where an
architecture's layers are not told by its metadata alone, the file is refused; its config.json says them.
The format is ggml-org/ggml's docs/gguf.md; the keys are those that llama.cpp's conversion/ writes.
"""

import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

HEADER = 64 * 2**20  # bytes; vocabularies are in it, and no header comes near
MOST_ITEMS = 3_000_000  # keys, tensors, and strings in lists
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9
_KEPT = 4096  # items of a list that is kept; of a longer one its length is

# llama.cpp's architecture -> the model_type whose reader it takes. Those alone of which every layer keeps
# keys and values of one shape, or windows in a pattern that the model_type fixes.
_TYPES = {
    "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe",
    "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3_text", "phi3": "phi3",
    "olmo": "olmo", "olmo2": "olmo2", "granite": "granite", "glm4": "glm4", "internlm2": "internlm2",
    "smollm3": "smollm3", "seed_oss": "seed_oss", "arcee": "arcee", "command-r": "cohere",
    "cohere2": "cohere2", "gpt-oss": "gpt_oss", "deepseek2": "deepseek_v3",
    "qwen3vl": "qwen3_vl_text", "qwen2vl": "qwen2_vl_text",
}  # fmt: skip
_FIELDS = {
    "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
    "context_length": "max_position_embeddings", "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    "vocab_size": "vocab_size",
}  # fmt: skip
# Beside them, by model_type.
_MORE = {
    "phi3": {"attention.sliding_window": "sliding_window"},
    "gemma2": {"attention.sliding_window": "sliding_window"},
    "gemma3_text": {"attention.sliding_window": "sliding_window"},
    "cohere2": {"attention.sliding_window": "sliding_window"},
    "gpt_oss": {
        "attention.sliding_window": "sliding_window", "expert_count": "num_local_experts",
        "expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "intermediate_size",
    },
    "qwen2_moe": {
        "expert_count": "num_experts", "expert_used_count": "num_experts_per_tok",
        "expert_feed_forward_length": "moe_intermediate_size",
        "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    },
    "qwen3_moe": {
        "expert_count": "num_experts", "expert_used_count": "num_experts_per_tok",
        "expert_feed_forward_length": "moe_intermediate_size",
    },
    "deepseek_v3": {
        "attention.kv_lora_rank": "kv_lora_rank", "attention.q_lora_rank": "q_lora_rank",
        "rope.dimension_count": "qk_rope_head_dim", "expert_count": "n_routed_experts",
        "expert_used_count": "num_experts_per_tok", "expert_shared_count": "n_shared_experts",
        "expert_feed_forward_length": "moe_intermediate_size",
        "leading_dense_block_count": "first_k_dense_replace",
    },
}  # fmt: skip


class HeaderEnds(ValueError):
    """The bytes end before the header does."""


class _Header:
    """A reader of the header's bytes. Raises ValueError where they end or lie."""

    def __init__(self, data: bytes, name: str):
        self.data, self.at, self.items, self.name = data, 0, 0, name

    def wrong(self, what: str, kind: type[ValueError] = ValueError) -> ValueError:
        return kind(f"config: {self.name} is no GGUF file that can be read ({what})")

    def ended(self, what: str = "its header ends too early") -> ValueError:
        return self.wrong(what, HeaderEnds)

    def scalar(self, kind: str) -> Any:
        size = struct.calcsize(f"<{kind}")
        if self.at + size > len(self.data):
            raise self.ended()
        (found,) = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += size
        return found

    def count(self) -> int:
        number = self.scalar("Q")
        self.items += number
        if self.items > MOST_ITEMS:
            raise self.wrong(f"it counts more than {MOST_ITEMS:,} entries")
        return number

    def string(self) -> str:
        size = self.scalar("Q")
        if size > len(self.data) - self.at:
            raise self.ended("a name is longer than its header")
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", errors="replace")

    def pass_strings(self, n: int) -> None:
        """The same without reading them: a vocabulary has hundreds of thousands."""
        data, at, end = self.data, self.at, len(self.data)
        for _ in range(n):
            size = int.from_bytes(data[at : at + 8], "little")
            at += 8
            if at > end:
                raise self.ended()
            if size > end - at:
                raise self.ended("a name is longer than its header")
            at += size
        self.at = at

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind != _LIST or depth > 2:
            raise self.wrong(f"a value of an unknown type, {kind}")
        of, n = self.scalar("I"), self.count()
        if of in _SCALARS and n > _KEPT:
            self.at += n * struct.calcsize(f"<{_SCALARS[of]}")
            return n
        if of == _STRING and n > _KEPT:
            self.pass_strings(n)
            return n
        found = [self.value(of, depth + 1) for _ in range(n)]
        return found if n <= _KEPT else n


def is_gguf(path: Path) -> bool:
    """Whether the file begins as a GGUF file does."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def read(path: Path) -> tuple[dict, list[str], int]:
    """(keys and values, names of the tensors, bytes of the header) of a GGUF file.

    Of a list of more than 4,096 entries the value is its length. Raises ValueError for anything malformed.
    What is returned is kept for whoever asks next of the same file, and must not be changed.
    """
    of = os.stat(path)
    return _read(os.path.abspath(path), path.name, of.st_size, of.st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: str, name: str, size: int, changed: int) -> tuple[dict, list[str], int]:
    with open(path, "rb") as file:
        of = _Header(file.read(HEADER), name)
    of.at = 4
    version = of.scalar("I")
    if version not in (2, 3):
        raise of.wrong(f"version {version}; 2 and 3 are read")
    n_tensors, n_values = of.count(), of.count()
    found = {}
    for _ in range(n_values):
        key = of.string()
        found[key] = of.value(of.scalar("I"))
    tensors = []
    for _ in range(n_tensors):
        tensors.append(of.string())
        dimensions = of.scalar("I")
        if dimensions > 4:
            raise of.wrong(f"a tensor of {dimensions} dimensions")
        of.at += 8 * dimensions + 4 + 8
    if of.at > len(of.data):
        raise of.ended()
    return found, tensors, of.at


def weights_bytes(path: Path, size: int | None = None) -> int | None:
    """Bytes of the tensors: the file beyond its header. None where the file is one part of several.

    size: of the whole file, where `path` holds only its beginning.
    """
    found, _, header = read(path)
    if found.get("split.count", 0) not in (0, 1):
        return None
    return (os.path.getsize(path) if size is None else size) - header


def config(path: Path) -> dict:
    """The fields of a config.json that the header tells. ValueError for an architecture that is not read."""
    found, tensors, _ = read(path)
    arch = found.get("general.architecture")
    if not isinstance(arch, str) or arch not in _TYPES:
        raise ValueError(
            f"config: {path.name} has the architecture {str(arch)[:40]!r}, whose layers are not read from a "
            "GGUF file; give the config.json of the model that it was made from"
        )
    model_type = _TYPES[arch]
    given = {
        key.removeprefix(f"{arch}."): value for key, value in found.items() if key.startswith(f"{arch}.")
    }
    if model_type == "llama" and given.get("expert_count"):
        model_type = "mixtral"
        given |= {
            "num_local_experts": given["expert_count"],
            "num_experts_per_tok": given.get("expert_used_count"),
        }
    names = _FIELDS | _MORE.get(model_type, {})
    made: dict[str, Any] = {"model_type": model_type}
    made |= {field: _one(path, key, given[key]) for key, field in names.items() if key in given}
    made |= {name: given[name] for name in ("num_local_experts", "num_experts_per_tok") if name in given}
    made.setdefault("num_key_value_heads", made.get("num_attention_heads"))
    tokens = found.get("tokenizer.ggml.tokens")
    if "vocab_size" not in made and tokens is not None:
        made["vocab_size"] = len(tokens) if isinstance(tokens, list) else tokens
    made["tie_word_embeddings"] = "output.weight" not in tensors
    if model_type == "deepseek_v3":
        _latent(made, given)
    elif given.get("attention.value_length", made.get("head_dim")) != made.get("head_dim"):
        raise ValueError(
            f"config: {path.name} has values of another width than its keys; give its config.json"
        )
    if model_type not in (
        "qwen3",
        "qwen3_moe",
        "gemma",
        "gemma2",
        "gemma3_text",
        "gpt_oss",
        "llama",
        "mixtral",
    ):
        heads, hidden = made.get("num_attention_heads"), made.get("hidden_size")
        if (
            isinstance(heads, int)
            and isinstance(hidden, int)
            and heads
            and made.get("head_dim") == hidden // heads
        ):
            del made["head_dim"]
    return made


def _latent(made: dict, given: dict) -> None:
    """The widths of a latent's heads: of the expanded ones where the file also tells the latent's own."""
    del made["num_key_value_heads"]
    made.pop("head_dim", None)
    made["num_key_value_heads"] = made.get("num_attention_heads")
    key = given.get("attention.key_length_mla", given.get("attention.key_length"))
    rope = made.get("qk_rope_head_dim")
    if isinstance(key, int) and isinstance(rope, int):
        made["qk_nope_head_dim"] = key - rope
    made["v_head_dim"] = given.get("attention.value_length_mla", given.get("attention.value_length"))


def _one(path: Path, key: str, value):
    """A number that holds for every layer."""
    if isinstance(value, list):
        if len(set(map(str, value))) != 1:
            raise ValueError(f"config: {path.name} has layers that differ in {key}; give its config.json")
        return value[0]
    return value
