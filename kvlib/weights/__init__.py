"""How many parameters a model has, from its config alone.

Every matrix of every layer is counted with the `Fields` and the layers that `kvlib.configs` reads,
so heads and head_dim are those of the cache. Biases and norms are counted where they matter.
Tests hold the total within 0.5 % of what transformers 5.23 builds from the same config.
"""

from dataclasses import dataclass

from ..configs import layout, read_config, text_fields
from .feedforward import feed_forward
from .mixers import mixer
from .towers import tower


@dataclass(frozen=True)
class Parameters:
    """Numbers of weights. total: all that is loaded, a vision tower too (Gemma 3n's towers apart:
    their shapes are not in its config). active: those one token passes through, so of each mixture
    only the experts chosen. embedding: the input embedding table."""

    total: int
    active: int
    embedding: int

    def weights_bytes(self, bits: float = 16) -> int:
        """Bytes of all weights at `bits` a weight (bf16: 16; a 4-bit format with its scales: about 4.5)."""
        return int(self.total * bits / 8)


def parameters(config) -> Parameters:
    """The parameters of a config.json: a dict, a path, or a shipped model's name.

    Raises UnsupportedConfig where `layout` does, or where a part's shape is not known.
    """
    found, _ = read_config(config)
    f, layers = text_fields(found), layout(found).layers
    if f.model_type in ("t5", "mt5", "umt5"):
        return t5(f)
    if f.model_type == "whisper":
        return whisper(f)
    hidden, vocab = f.count("hidden_size"), f.count("vocab_size")
    side = f.whole("word_embed_proj_dim") if f.model_type == "opt" else None
    embedding = vocab * (side or hidden)
    total = embedding * (1 if tied(f, found) else 2) + positions(f, hidden)
    total += 2 * hidden * side if side and side != hidden else 0
    if f.model_type in ("gptj", "phi"):
        total += vocab  # the head's bias
    idle = 0
    for i, layer in enumerate(layers):
        dense, experts, chosen, each = feed_forward(f, i, layer, hidden)
        total += mixer(f, layer, layers, hidden) + norms(f) * hidden + dense + experts * each
        idle += (experts - chosen) * each
    total += extras(f, layers, hidden) + tower(found, f, hidden)
    return Parameters(total, total - idle, embedding)


def tied(f, found: dict) -> bool:
    """Whether the output matrix is the embedding; a nested config's own flag counts as the outer one's."""
    value = f.flag("tie_word_embeddings")
    if f.nested and f.model_type not in ("gemma3_text", "gemma4_text", "gemma3n_text"):
        value = bool(found.get("tie_word_embeddings", f.given.get("tie_word_embeddings", False)))
    if f.model_type in ("lfm2", "lfm2_moe") and "tie_embedding" in f:
        value = f.flag("tie_embedding")
    return value


def positions(f, hidden: int) -> int:
    """Learned position embeddings, where a family has them."""
    if f.model_type in ("gpt2", "gpt_bigcode"):
        return f.count("max_position_embeddings") * hidden
    return (f.count("max_position_embeddings") + 2) * hidden if f.model_type == "opt" else 0


# Layer norms' widths in units of hidden size, a layer; LayerNorm with a bias counts double.
NORMS = (
    {"gemma2": 4, "gemma3_text": 4, "gemma3n_text": 8, "gemma4_text": 5, "olmo": 0, "glm4": 4, "mpt": 2}
    | dict.fromkeys(
        "gpt2 gpt_neox gpt_bigcode starcoder2 opt bloom stablelm phimoe nemotron falcon".split(), 4
    )
    | dict.fromkeys("gptj phi".split(), 2)
    | dict.fromkeys("mamba mamba2 falcon_mamba nemotron_h cohere cohere2".split(), 1)
)


def norms(f) -> int:
    return NORMS.get(f.model_type, 2)


def extras(f, layers, hidden: int) -> int:
    """What a family has besides embeddings and layers of the usual parts."""
    total, n_layers = hidden, len(layers)  # the last norm
    per_layer = f.get("hidden_size_per_layer_input") or 0
    if per_layer:
        total += n_layers * (
            2 * hidden * per_layer + (f.count("vocab_size_per_layer_input") + hidden) * per_layer
        )
    if f.model_type == "gemma3n_text":
        streams = f.count("altup_num_inputs")
        total += 2 * (streams - 1) * hidden * hidden
        total += n_layers * hidden * (2 * f.count("laurel_rank") + streams)
    if f.model_type == "zamba2":
        total += zamba2_shared(f, layers, hidden)
    return total


def zamba2_shared(f, layers, hidden: int) -> int:
    """Zamba 2's attention blocks: few, and used again and again, with an adapter and a matrix a use."""
    uses = sum(layer.kind == "full" for layer in layers)
    inner, rank = f.nullable("intermediate_size") or 4 * hidden, f.count("adapter_rank")
    block = 2 * hidden * 7 * hidden + 3 * hidden * inner
    adapters = rank * (hidden + 2 * inner) + (
        3 * rank * 4 * hidden if f.flag("use_shared_attention_adapter") else 0
    )
    return min(uses, f.count("num_mem_blocks")) * block + uses * (hidden * hidden + adapters)


def t5(f) -> Parameters:
    hidden, inner = f.count("hidden_size"), f.count("d_ff")
    wide = f.count("num_attention_heads") * f.count("head_dim")
    gated = str(f.get("feed_forward_proj", "relu")).startswith("gated")
    block = (3 if gated else 2) * hidden * inner
    encoder = f.count("num_hidden_layers")
    decoder = f.whole("num_decoder_layers") or encoder
    total = encoder * (4 * hidden * wide + block + 2 * hidden)
    total += decoder * (8 * hidden * wide + block + 3 * hidden)
    buckets = f.count("relative_attention_num_buckets") * f.count("num_attention_heads")
    total += buckets * ((encoder + decoder) if f.model_type == "umt5" else 2) + 2 * hidden
    embedding = f.count("vocab_size") * hidden
    total += embedding
    return Parameters(total, total, embedding)


def whisper(f) -> Parameters:
    hidden = f.count("d_model")
    norm, side = 2 * hidden, 4 * hidden * hidden + 3 * hidden

    def block(inner):
        return 2 * hidden * inner + inner + hidden

    total = f.count("encoder_layers") * (side + block(f.count("encoder_ffn_dim")) + 2 * norm)
    total += f.count("decoder_layers") * (2 * side + block(f.count("decoder_ffn_dim")) + 3 * norm)
    total += 3 * f.count("num_mel_bins") * hidden + 3 * hidden * hidden + 2 * hidden + 2 * norm
    total += (f.count("max_source_positions") + f.count("max_target_positions")) * hidden
    embedding = f.count("vocab_size") * hidden
    return Parameters(total + embedding, total + embedding, embedding)
