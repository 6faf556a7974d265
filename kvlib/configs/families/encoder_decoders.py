"""Models whose decoder also keeps the keys and values of an encoder's output."""

from ...layouts import LayerKV
from .. import weights
from ..record import Architecture, each


def t5(f) -> list[LayerKV]:
    """T5's decoder: d_kv is a field of its own, and every layer also keeps the encoder's output."""
    n_heads, head_dim = f.size("num_attention_heads"), f.whole_number("head_dim")
    f.same("num_key_value_heads", n_heads)
    if not f.flag("is_encoder_decoder", True):
        f.refuse("is_encoder_decoder", "an encoder alone keeps no cache; true is needed")
    n_layers = f.optional("num_decoder_layers") or f.size("num_hidden_layers")
    f.ignore("num_hidden_layers", "hidden_size")
    return [LayerKV("full", n_heads, head_dim, cross_elements=2 * n_heads * head_dim)] * n_layers


def t5_weights(f) -> weights.Parameters:
    wide, inner, n_heads = weights.hidden(f), f.whole_number("d_ff"), f.whole_number("num_attention_heads")
    heads = n_heads * f.whole_number("head_dim")
    gated = str(f.choice("feed_forward_proj", T5_PROJECTIONS)).startswith("gated")
    block = (3 if gated else 2) * wide * inner
    encoder = f.whole_number("num_hidden_layers")
    decoder = f.optional("num_decoder_layers") or encoder
    total = encoder * (4 * wide * heads + block + 2 * wide)
    total += decoder * (8 * wide * heads + block + 3 * wide)
    biases = (encoder + decoder) if f.model_type == "umt5" else 2
    total += biases * f.whole_number("relative_attention_num_buckets") * n_heads + 2 * wide
    embedding = f.whole_number("vocab_size") * wide
    return weights.Parameters(total + embedding, total + embedding, embedding)


T5_PROJECTIONS = ("relu", "gated-gelu", "gelu", "gelu_new", "silu", "gated-relu", "gated-silu")


def whisper(f) -> list[LayerKV]:
    """Whisper's decoder: decoder_layers counts, num_hidden_layers is the encoder's."""
    n_heads, width = f.size("decoder_attention_heads"), f.size("d_model")
    if width % n_heads:
        f.disagree("d_model", f"{n_heads} heads cannot share it evenly")
    if not f.flag("is_encoder_decoder", True):
        f.refuse("is_encoder_decoder", "true is needed")
    f.ignore("num_hidden_layers", "encoder_layers", "encoder_attention_heads")
    f.same("num_attention_heads", f.get("encoder_attention_heads"))
    head_dim = max(1, width // n_heads)
    for name, value in {"num_key_value_heads": n_heads, "hidden_size": width, "head_dim": head_dim}.items():
        f.same(name, value)
    return [LayerKV("full", n_heads, head_dim, cross_elements=2 * width)] * f.size("decoder_layers")


def whisper_weights(f) -> weights.Parameters:
    wide = f.whole_number("d_model")
    norm, attention = 2 * wide, 4 * wide * wide + 3 * wide

    def block(name: str) -> int:
        inner = f.whole_number(name)
        return 2 * wide * inner + inner + wide

    total = f.whole_number("encoder_layers") * (attention + block("encoder_ffn_dim") + 2 * norm)
    total += f.whole_number("decoder_layers") * (2 * attention + block("decoder_ffn_dim") + 3 * norm)
    total += 3 * f.whole_number("num_mel_bins") * wide + 3 * wide * wide + 2 * wide + 2 * norm
    total += (f.whole_number("max_source_positions") + f.whole_number("max_target_positions")) * wide
    embedding = f.whole_number("vocab_size") * wide
    return weights.Parameters(total + embedding, total + embedding, embedding)


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
NESTED = {}
