"""What transformers itself keeps: models on the meta device, so of their real shapes and no weight.

A forward pass with use_cache=True runs through every layer's own code; then the bytes of every
tensor the cache holds are added up, apart by what they hold.
"""

import copy
import importlib
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.modeling_outputs import BaseModelOutput  # noqa: E402
from transformers.models.auto import modeling_auto as auto  # noqa: E402

# Meta tensors have no values: every token goes to every expert, and no mask is asked whether it masks.
torch.fx.experimental._config.meta_nonzero_assume_all_nonzero = True
transformers.PreTrainedModel.warn_if_padding_and_no_attention_mask = lambda *given: None
transformers.logging.set_verbosity_error()
warnings.filterwarnings("ignore", module="transformers")

DATA = Path(__file__).parent / "data" / "configs.jsonl"
# Published under a name that only the publisher's own code knows; the class on the right is the same.
SAME_CLASS = {"kimi_k2": "deepseek_v3", "mimo": "qwen2", "minimax_m3": "minimax_m3_vl_text"}
# Gemma 3n's towers need the package timm; Gemma 4's forward reads values, which meta tensors lack.
TEXT_ALONE = {"gemma3n", "gemma4"}
HEADS = (
    auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
    auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
)
# Experts whose code asks for values, which meta tensors lack; no cache depends on them.
HOLLOW = {
    "DbrxExperts",
    "LongcatFlashExperts",
    "NllbMoeExperts",
    "Step3p7Experts",
    "SwitchTransformersExperts",
}
# Of a layer of a cache: what grows with the tokens, what is of fixed size, and what is no cache.
TOKENS = {"keys", "values", "indexer_keys", "idx_keys", "compressed_kv", "buffer_kv", "buffer_gate"}
TOKENS |= {"overlap_kv", "overlap_gate"}
SIDE = {"conv_states", "recurrent_states"}
ASIDE = {"_sliding_window_tensor", "indexer_position_ids", "seqlen_offset"}


@dataclass(frozen=True)
class Kept:
    """Bytes a cache holds: of tokens, of fixed state, of a source sequence."""

    tokens: int
    state: int = 0
    cross: int = 0


@dataclass
class Encoded(BaseModelOutput):
    """What an encoder of text or of sound hands to its decoder."""

    attention_mask: torch.Tensor | None = None
    router_logits: tuple | None = None


def published() -> dict[str, dict]:
    """name -> config of every line of tests/data/configs.jsonl."""
    return {row["name"]: row["config"] for row in map(json.loads, DATA.read_text().splitlines())}


def model(config: dict, text: bool = False):
    """The model of a config on the meta device, in bf16; with `text`, its language part alone."""
    config = copy.deepcopy(dict(config))
    # How weights are packed is not part of the shapes; neither is the dtype they are published in.
    for key in ("quantization_config", "auto_map", "torch_dtype", "dtype", "architectures"):
        config.pop(key, None)
    if config["model_type"] in TEXT_ALONE:
        config = config["text_config"]
    config["model_type"] = SAME_CLASS.get(config["model_type"], config["model_type"])
    made = transformers.AutoConfig.for_model(**config)
    if text:
        made = made.get_text_config(decoder=True)
    made._attn_implementation = "eager"
    names = next((n for n in HEADS if made.model_type in n), None)
    cls = getattr(transformers, names[made.model_type]) if names else _text_class(type(made))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            model = cls(made).eval()
    finally:
        torch.set_default_dtype(before)
    for module in model.modules():
        if type(module).__name__ in HOLLOW:
            module.forward = lambda hidden, *given: torch.zeros_like(hidden)
    return model


def _text_class(config_class: type) -> type:
    """The class of a language part that has no name of its own among transformers' heads."""
    module = importlib.import_module(config_class.__module__.replace("configuration_", "modeling_"))
    made = [cls for cls in vars(module).values() if getattr(cls, "config_class", None) is config_class]
    made = [cls for cls in made if cls.__module__ == module.__name__ and "PreTrained" not in cls.__name__]
    return min(made, key=lambda cls: (not cls.__name__.endswith(("Model", "LM", "Decoder")), cls.__name__))


def n_parameters(model) -> int:
    """Distinct parameters; a tied matrix counts once."""
    return sum(p.numel() for p in model.parameters())


def kept(model, context: int, batch: int = 1, source_len: int = 7) -> Kept | None:
    """What `model` keeps after reading `batch` sequences of `context` tokens; None if it has no cache.

    source_len: tokens of the source sequence of an encoder's output. Whisper's is always 1500 positions.
    """
    config = model.config
    ids = torch.zeros(batch, context, dtype=torch.long, device="meta")
    inputs = {"input_ids": ids}
    if config.model_type == "whisper":
        sound = torch.zeros(batch, config.num_mel_bins, 3000, device="meta", dtype=torch.bfloat16)
        inputs = {"input_features": sound, "decoder_input_ids": ids}
    elif config.model_type in ("t5", "mt5", "umt5"):
        inputs = {"input_ids": ids.new_zeros(batch, source_len), "decoder_input_ids": ids}
    elif config.is_encoder_decoder:
        names = ("encoder_config", "vision_config", "encoder")
        parts = (
            *(getattr(config, name, None) for name in names),
            config.get_text_config(encoder=True),
            config,
        )
        widths = (getattr(part, name, None) for part in parts for name in ("d_model", "hidden_size"))
        width = next(filter(None, widths))
        source = torch.zeros(batch, source_len, width, device="meta", dtype=torch.bfloat16)
        inputs = {"encoder_outputs": Encoded(source), "decoder_input_ids": ids}
    if config.model_type == "recurrent_gemma":
        # It makes a cache of its own and does not give it back; one that is lent it fills.
        inputs["past_key_values"] = transformers.DynamicCache(config=config)
    with torch.no_grad():
        out = model(**inputs, use_cache=True)
    names = ("past_key_values", "cache_params", "state")
    cache = inputs.get("past_key_values") or next((out[n] for n in names if out.get(n) is not None), None)
    if cache is None:
        return None
    if isinstance(cache, transformers.EncoderDecoderCache):
        own, source = cache.self_attention_cache, cache.cross_attention_cache
        return Kept(*_bytes(own), _bytes(source)[0])
    tokens, state = _bytes(cache)
    for module in model.modules():  # Griffin keeps its states in its modules
        for name in ("conv1d_state", "recurrent_states"):
            state += _size(getattr(module, name, None))
    return Kept(tokens, state)


def _tensors(value):
    """Every tensor within a value."""
    if isinstance(value, torch.Tensor):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    ):
        yield from _tensors(inner)


def _size(value) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(value))


def _bytes(cache) -> tuple[int, int]:
    """Bytes of tokens and of fixed state; a cache that holds anything else is not understood."""
    if not hasattr(cache, "layers"):  # tensors alone, or an object of them: a state
        held = cache if isinstance(cache, list | tuple) else vars(cache)
        return 0, _size({n: v for n, v in held.items() if n not in ASIDE} if isinstance(held, dict) else held)
    tokens, state = 0, _size(getattr(cache, "linear_cache", None))
    for layer in cache.layers:
        held = {name: value for name, value in vars(layer).items() if name not in ASIDE and _size(value)}
        assert held.keys() <= TOKENS | SIDE, (
            f"{type(layer).__name__} also holds {held.keys() - TOKENS - SIDE}"
        )
        if held.get("values") is held.get("keys"):
            held.pop("values", None)  # one tensor serves as both
        tokens += sum(_size(value) for name, value in held.items() if name in TOKENS)
        state += sum(_size(value) for name, value in held.items() if name in SIDE)
    return tokens, state
