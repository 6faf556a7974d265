"""Models whose decoder also keeps the keys and values of an encoder's output."""

from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, Nested, each


def t5(f) -> list[LayerKV]:
    """T5's decoder: d_kv is a field of its own, and every layer also keeps the encoder's output."""
    n_heads, head_dim = f.size("num_attention_heads"), f["head_dim"]
    f.same("num_key_value_heads", n_heads)
    f.same("is_encoder_decoder", True)  # an encoder alone keeps no cache
    n_layers = f.optional("num_decoder_layers") or f.size("num_hidden_layers")
    f.ignore("num_hidden_layers", "hidden_size")
    f.read |= {"encoder_attention_type", "encoder_sparse_step", "num_sparse_encoder_layers"}
    f.read |= {"num_sparse_decoder_layers"}
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


# How an encoder attends, and the convolutions of one that hears: nothing of it is kept.
ENCODERS_OWN = set(
    """attention_type attention_window share_encoder_decoder_embeddings conv_depthwise_kernel_size
    num_conv_pos_embedding_groups num_conv_pos_embeddings speech_encoder_attention_heads conv_channels
    conv_kernel_sizes num_conv_layers conv_dim conv_kernel conv_stride guided_attention_loss_num_heads
    guided_attention_loss_scale guided_attention_loss_sigma use_guided_attention_loss encoder_layers
    speech_encoder_layers speech_encoder_chunk_size speech_encoder_left_chunk_num char_vocab_size
    encoder_sparse_step""".split()
)


def decoder(layers="decoder_layers", heads="decoder_attention_heads", width="d_model"):
    """BART's kind of decoder: its depth and its heads are fields of their own, beside the encoder's."""

    def reader(f) -> list[LayerKV]:
        n_heads, wide = f.size(heads), f.size(width)
        if wide % n_heads:
            f.disagree(width, f"{n_heads} heads cannot share it evenly")
        f.same("is_encoder_decoder", True)
        f.same("add_cross_attention", True)
        f.read |= ENCODERS_OWN
        for name in ("conv_dim", "conv_kernel", "conv_stride"):
            if not isinstance(f.given.get(name), list | tuple | None):
                f.refuse(name, "a list is needed, a number for each of the encoder's convolutions")
        f.ignore("num_hidden_layers", "encoder_layers", "encoder_attention_heads", "num_encoder_layers")
        f.ignore("num_encoder_attention_heads", "t2u_encoder_attention_heads", "t2u_decoder_attention_heads")
        f.same("num_attention_heads", f.get("encoder_attention_heads", f.get("num_encoder_attention_heads")))
        head_dim = max(1, wide // n_heads)
        for name, value in {
            "num_key_value_heads": n_heads,
            "hidden_size": wide,
            "head_dim": head_dim,
        }.items():
            f.same(name, value)
        return [LayerKV("full", n_heads, head_dim, cross_elements=2 * wide)] * f.size(layers)

    return reader


def grouped(f) -> list[LayerKV]:
    """A decoder like Llama's, whose every layer also keeps the encoder's output, of the same shape."""
    f.same("is_encoder_decoder", True)
    f.ignore("encoder_num_hidden_layers", "encoder_num_attention_heads", "encoder_num_key_value_heads")
    return [replace(one, cross_elements=one.elements) for one in readers.full(f)]


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


# The class calls the encoder's sizes by these names; the cache is the decoder's.
OWN_NAMES = dict.fromkeys(("num_attention_heads", "num_hidden_layers", "hidden_size"))
T5 = Architecture(t5, whole=t5_weights, encoder=True, unserved=("vllm",))
# Only Whisper among these runs in the engines that are counted here.
ELSEWHERE = ("llama.cpp", "vllm")
BART = Architecture(decoder(), whole=weights.uncounted, encoder=True, names=OWN_NAMES, unserved=ELSEWHERE)
RECORDS = {
    **each("t5 mt5 umt5", T5),
    **each(
        "longt5 pop2piano switch_transformers udop",
        replace(T5, whole=weights.uncounted, names={"d_kv": "head_dim"}, unserved=ELSEWHERE),
    ),
    "whisper": replace(BART, whole=whisper_weights, unserved=("llama.cpp",)),
    **each("bart bigbird_pegasus blenderbot blenderbot-small fsmt led m2m_100 marian mbart", BART),
    **each("mvp nllb-moe pegasus pegasus_x plbart speech_to_text", BART),
    **each("seamless_m4t seamless_m4t_v2 speecht5", replace(BART, layers=decoder(width="hidden_size"))),
    "prophetnet": replace(
        BART, layers=decoder("num_decoder_layers", "num_decoder_attention_heads", "hidden_size")
    ),
    **each("canary_decoder cohere_asr", replace(BART, layers=grouped, names={})),
    "moonshine": replace(
        BART,
        layers=grouped,
        names={"num_key_value_heads": None, "decoder_num_key_value_heads": "num_key_value_heads"},
    ),
}
NESTED = {"florence2": Nested("bart"), "canary": Nested("canary_decoder", key="decoder_config")}
