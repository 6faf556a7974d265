"""Which reader reads which model_type, and where a nested text config stands."""

from dataclasses import dataclass

from .attention import (
    every_head_full,
    exaone4,
    falcon,
    full,
    gemma3n,
    gemma4,
    gpt_bigcode,
    latent,
    llama4,
    mpt,
    periodic,
    qwen2,
    qwen2_moe,
    smollm3,
    windowed,
)
from .crossing import mllama, t5, whisper
from .hybrids import (
    bamba,
    falcon_h1,
    granite_hybrid,
    jamba,
    lfm2,
    mamba,
    mamba2,
    minimax,
    nemotron_h,
    qwen3_next,
    recurrent_gemma,
    zamba2,
)


@dataclass(frozen=True)
class Nested:
    """A model whose language part has a config of its own.

    text     model_type of the text config where it does not name one
    fixed    the text config is always of that type
    flat     the text fields may also stand at the top
    """

    text: str | None
    fixed: bool = True
    flat: bool = False


READERS = {
    full: """llama code_llama qwen3_vl_text qwen3_vl_moe_text gemma phi olmo olmo2 olmoe granite granitemoe
        granitemoeshared glm glm4 glm4_moe minimax_m2 nemotron ernie4_5 ernie4_5_moe seed_oss arcee cohere
        stablelm deepseek hunyuan_v1_dense internlm3 helium apertus""",
    every_head_full: "gpt2 gptj gpt_neox opt bloom",
    windowed: "mistral mixtral ministral ministral3 phi3 phimoe starcoder2 qwen3_moe",
    periodic(2): "gemma2 gpt_oss",
    periodic(6, "sliding_window_pattern"): "gemma3_text",
    periodic(4, "sliding_window_pattern"): "cohere2",
    periodic(4): "olmo3",
    exaone4: "exaone4",
    qwen2: "qwen2 qwen3 qwen2_vl_text qwen2_5_vl_text",
    qwen2_moe: "qwen2_moe",
    smollm3: "smollm3",
    llama4: "llama4_text",
    gemma3n: "gemma3n_text",
    gemma4: "gemma4_text",
    latent: "deepseek_v2 deepseek_v3 kimi_k2 glm4_moe_lite",
    falcon: "falcon",
    gpt_bigcode: "gpt_bigcode",
    mpt: "mpt",
    mamba: "mamba falcon_mamba",
    mamba2: "mamba2",
    jamba: "jamba",
    bamba: "bamba",
    granite_hybrid: "granitemoehybrid",
    falcon_h1: "falcon_h1",
    nemotron_h: "nemotron_h",
    zamba2: "zamba2",
    recurrent_gemma: "recurrent_gemma",
    lfm2: "lfm2 lfm2_moe",
    qwen3_next: "qwen3_next qwen3_5_text qwen3_5_moe_text",
    minimax: "minimax minimax_text_01",
    t5: "t5 mt5 umt5",
    whisper: "whisper",
    mllama: "mllama_text_model",
}
FAMILIES = {name: reader for reader, names in READERS.items() for name in names.split()}

# Published under a name of their own, read by the class on the right.
SAME_CLASS = {"kimi_k2": "deepseek_v3", "code_llama": "llama", "minimax_text_01": None, "deepseek": None}

NESTED = {
    "llava": Nested("llama", fixed=False),
    "llava_next": Nested("llama", fixed=False),
    "mistral3": Nested("mistral", fixed=False),
    "internvl": Nested("qwen2", fixed=False),
    "paligemma": Nested("gemma", fixed=False),
    "idefics3": Nested("llama", fixed=False),
    "smolvlm": Nested("llama", fixed=False),
    "aya_vision": Nested("cohere2", fixed=False),
    "mllama": Nested("mllama_text_model"),
    "llama4": Nested("llama4_text"),
    "gemma3": Nested("gemma3_text"),
    "gemma3n": Nested("gemma3n_text"),
    "gemma4": Nested("gemma4_text"),
    "qwen2_vl": Nested("qwen2_vl_text", flat=True),
    "qwen2_5_vl": Nested("qwen2_5_vl_text", flat=True),
    "qwen3_vl": Nested("qwen3_vl_text"),
    "qwen3_vl_moe": Nested("qwen3_vl_moe_text"),
    "qwen3_5": Nested("qwen3_5_text"),
    "qwen3_5_moe": Nested("qwen3_5_moe_text"),
}
