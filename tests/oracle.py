"""What transformers itself keeps: models on the meta device, so of their real shapes and no weight.

A forward pass with use_cache=True runs through every layer's own code; then the bytes of every
tensor the cache holds are added up, apart by what they hold.
"""

import copy
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.models.auto import modeling_auto as auto  # noqa: E402

transformers.logging.set_verbosity_error()
warnings.filterwarnings("ignore", module="transformers")

DATA = Path(__file__).parent / "data" / "configs.jsonl"
# Published under a name that only the publisher's own code knows; the class on the right is the same.
SAME_CLASS = {"kimi_k2": "deepseek_v3"}
# Gemma 3n's towers need the package timm; Gemma 4's forward reads values, which meta tensors lack.
TEXT_ALONE = {"gemma3n", "gemma4"}
SIDE = {"conv_states", "recurrent_states", "linear_cache"}


@dataclass(frozen=True)
class Kept:
    """Bytes a cache holds: of tokens, of fixed state, of a source sequence."""

    tokens: int
    state: int = 0
    cross: int = 0


def published() -> dict[str, dict]:
    """name -> config of every line of tests/data/configs.jsonl."""
    return {row["name"]: row["config"] for row in map(json.loads, DATA.read_text().splitlines())}


def model(config: dict):
    """The model of a config on the meta device, in bf16."""
    config = copy.deepcopy(dict(config))
    # How weights are packed is not part of the shapes; neither is the dtype they are published in.
    for key in ("quantization_config", "auto_map", "torch_dtype", "dtype", "architectures"):
        config.pop(key, None)
    if config["model_type"] in TEXT_ALONE:
        config = config["text_config"]
    config["model_type"] = SAME_CLASS.get(config["model_type"], config["model_type"])
    made = transformers.AutoConfig.for_model(**config)
    made._attn_implementation = "eager"
    names = (
        auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
        auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )
    cls = next(getattr(transformers, n[made.model_type]) for n in names if made.model_type in n)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            return cls(made).eval()
    finally:
        torch.set_default_dtype(before)


def n_parameters(model) -> int:
    """Distinct parameters; a tied matrix counts once."""
    return sum(p.numel() for p in model.parameters())


def kept(model, context: int, batch: int = 1, source_len: int = 7) -> Kept:
    """What `model` keeps after reading `batch` sequences of `context` tokens.

    source_len: tokens of the source sequence of a T5. Whisper's is always 1500 positions.
    """
    ids = torch.zeros(batch, context, dtype=torch.long, device="meta")
    inputs = {"input_ids": ids}
    if model.config.model_type == "whisper":
        sound = torch.zeros(batch, model.config.num_mel_bins, 3000, device="meta", dtype=torch.bfloat16)
        inputs = {"input_features": sound, "decoder_input_ids": ids}
    elif model.config.is_encoder_decoder:
        inputs = {"input_ids": ids.new_zeros(batch, source_len), "decoder_input_ids": ids}
    if model.config.model_type == "recurrent_gemma":
        # It makes a cache of its own and does not give it back; one that is lent it fills.
        inputs["past_key_values"] = transformers.DynamicCache(config=model.config)
    with torch.no_grad():
        out = model(**inputs, use_cache=True)
    cache = inputs.get("past_key_values") or out.get("past_key_values", out.get("cache_params"))
    if isinstance(cache, transformers.EncoderDecoderCache):
        own, source = cache.self_attention_cache, cache.cross_attention_cache
        return Kept(*_bytes(own), _bytes(source)[0])
    tokens, state = _bytes(cache)
    for module in model.modules():  # Griffin keeps its states in its modules
        for name in ("conv1d_state", "recurrent_states"):
            state += _size(getattr(module, name, None))
    return Kept(tokens, state)


def _size(value) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 0


def _bytes(cache) -> tuple[int, int]:
    tokens = sum(_size(getattr(layer, name, None)) for layer in cache.layers for name in ("keys", "values"))
    state = sum(_size(getattr(layer, name, None)) for layer in cache.layers for name in SIDE)
    return tokens, state + _size(getattr(cache, "linear_cache", None))
