"""Models whose decoder also keeps the keys and values of an encoder's output."""

from ...layouts import LayerKV
from .. import weights
from ..record import Architecture, each


def t5(f) -> list[LayerKV]:
    """T5's decoder: d_kv is a field of its own, and every layer also keeps the encoder's output."""
    n_heads, head_dim = f.size("num_attention_heads"), f["head_dim"]
    f.same("num_key_value_heads", n_heads)
    f.same("is_encoder_decoder", True)  # an encoder alone keeps no cache
    n_layers = f.optional("num_decoder_layers") or f.size("num_hidden_layers")
    f.ignore("num_hidden_layers", "hidden_size")
    return [LayerKV("full", n_heads, head_dim, cross_elements=2 * n_heads * head_dim)] * n_layers


def t5_weights(f) -> weights.Parameters:
    wide, inner, n_heads = f["hidden_size"], f["d_ff"], f["num_attention_heads"]
    heads = n_heads * f["head_dim"]
    gated = str(f.choice("feed_forward_proj", T5_PROJECTIONS)).startswith("gated")
    block = (3 if gated else 2) * wide * inner
    encoder = f["num_hidden_layers"]
    decoder = f.optional("num_decoder_layers") or encoder
    total = encoder * (4 * wide * heads + block + 2 * wide)
    total += decoder * (8 * wide * heads + block + 3 * wide)
    biases = (encoder + decoder) if f.model_type == "umt5" else 2
    total += biases * f["relative_attention_num_buckets"] * n_heads + 2 * wide
    embedding = f["vocab_size"] * wide
    # A step is the decoder's, and its cross attention's keys and values are cached.
    read = decoder * (6 * wide * heads + block + 3 * wide) + wide + embedding
    return weights.Parameters(total + embedding, total + embedding, embedding, read)


T5_PROJECTIONS = ("relu", "gated-gelu", "gelu", "gelu_new", "silu", "gated-relu", "gated-silu")


def whisper(f) -> list[LayerKV]:
    """Whisper's decoder: decoder_layers counts, num_hidden_layers is the encoder's."""
    n_heads, width = f.size("decoder_attention_heads"), f.size("d_model")
    if width % n_heads:
        f.disagree("d_model", f"{n_heads} heads cannot share it evenly")
    f.same("is_encoder_decoder", True)
    f.ignore("num_hidden_layers", "encoder_layers", "encoder_attention_heads")
    f.same("num_attention_heads", f.get("encoder_attention_heads"))
    head_dim = max(1, width // n_heads)
    for name, value in {"num_key_value_heads": n_heads, "hidden_size": width, "head_dim": head_dim}.items():
        f.same(name, value)
    return [LayerKV("full", n_heads, head_dim, cross_elements=2 * width)] * f.size("decoder_layers")


def whisper_weights(f) -> weights.Parameters:
    wide = f["d_model"]
    norm, attention = 2 * wide, 4 * wide * wide + 3 * wide

    def block(name: str) -> int:
        inner = f[name]
        return 2 * wide * inner + inner + wide

    total = f["encoder_layers"] * (attention + block("encoder_ffn_dim") + 2 * norm)
    total += f["decoder_layers"] * (2 * attention + block("decoder_ffn_dim") + 3 * norm)
    total += 3 * f["num_mel_bins"] * wide + 3 * wide * wide + 2 * wide + 2 * norm
    total += (f["max_source_positions"] + f["max_target_positions"]) * wide
    embedding = f["vocab_size"] * wide
    # A step is the decoder's, and its cross attention's keys and values are cached.
    side = 2 * attention - 2 * wide * wide - wide
    read = f["decoder_layers"] * (side + block("decoder_ffn_dim") + 3 * norm) + norm
    return weights.Parameters(total + embedding, total + embedding, embedding, read + embedding)


T5 = Architecture(t5, whole=t5_weights, encoder=True, unserved=("vllm",))
RECORDS = {
    **each("t5 mt5 umt5", T5),
    "whisper": Architecture(
        whisper,
        whole=whisper_weights,
        encoder=True,
        # The class calls the encoder's sizes by these names; the cache is the decoder's.
        names=dict.fromkeys(("num_attention_heads", "num_hidden_layers", "hidden_size")),
        unserved=("llama.cpp",),
    ),
}
