"""Layers that also, or only, keep the keys and values of another sequence."""

from ..layouts import LayerKV
from .attention import full, heads, hidden_over_heads


def t5(f) -> list[LayerKV]:
    """T5's decoder: d_kv is a field of its own, and every layer also keeps the encoder's output."""
    n_heads, head_dim = f.size("num_attention_heads"), f.count("head_dim")
    f.same("num_key_value_heads", n_heads)
    if not f.flag("is_encoder_decoder", True):
        raise f.refuse("is_encoder_decoder", "an encoder alone keeps no cache; true is needed")
    n_layers = f.whole("num_decoder_layers") or f.size("num_hidden_layers")
    f.ignore("num_hidden_layers", "hidden_size")
    return [LayerKV("full", n_heads, head_dim, cross_elements=2 * n_heads * head_dim)] * n_layers


def whisper(f) -> list[LayerKV]:
    """Whisper's decoder: decoder_layers counts, num_hidden_layers is the encoder's."""
    n_heads, width = f.count("decoder_attention_heads"), f.count("d_model")
    if width % n_heads:
        raise f.refuse("d_model", f"{n_heads} heads cannot share it evenly")
    if not f.flag("is_encoder_decoder", True):
        raise f.refuse("is_encoder_decoder", "true is needed")
    f.ignore("num_hidden_layers", "encoder_layers", "encoder_attention_heads")
    f.same("num_attention_heads", f.get("encoder_attention_heads"))
    f.same("num_key_value_heads", n_heads)
    f.same("hidden_size", width)
    f.same("head_dim", width // n_heads)
    for name in ("d_model", "decoder_layers", "decoder_attention_heads"):
        f.size(name)
    layer = LayerKV("full", n_heads, width // n_heads, cross_elements=2 * width)
    return [layer] * f.count("decoder_layers")


def mllama(f) -> list[LayerKV]:
    """Llama 3.2 Vision: cross_attention_layers keep the picture's keys and values, not the text's."""
    n_heads, n_kv_heads, head_dim = heads(f)
    f.same("head_dim", hidden_over_heads(f, n_heads))
    layers = full(f)
    if f.get("cross_attention_layers") is None:
        f.given.pop("cross_attention_layers", None)
        f.defaults["cross_attention_layers"] = [3, 8, 13, 18, 23, 28, 33, 38]
    picture = LayerKV("cross", cross_elements=2 * n_kv_heads * head_dim)
    for i in f.indices("cross_attention_layers", len(layers)):
        layers[i] = picture
    return layers
