"""Models that see or hear, whose language part is another family's, in text_config: a line each.

The language part may be of any architecture that kvlib knows; on the left is the one that a config
means which does not say. What a tower gives the language model are tokens like any others.
"""

from ..record import Nested

_ANY = {
    "cohere2": "cohere2_vision",
    "deepseek_v3": "kimi_k25",
    "exaone4": "exaone4_5",
    "gemma3_text": "shieldgemma2",
    "granite": "granite_speech granite_speech_plus",
    "hyperclovax": "hyperclovax_vision_v2",
    "kimi_linear": "kimi_k3",
    "lfm2": "lfm2_vl",
    "lfm3": "lfm3_vl",
    "llama": """deepseek_vl deepseek_vl_hybrid glmasr janus llava_next_video perception_lm
        video_llava vipllava voxtral""",
    "mistral": "idefics2",
    "nemotron_h": "nemotron_h_omni nemo_speechlm",
    "opt": "blip-2 instructblip instructblipvideo",
    "persimmon": "fuyu",
    "qwen2": """audioflamingo3 fast_vlm got_ocr2 llava_onevision musicflamingo ovis2 pp_chart2table
        qwen2_audio vibevoice vibevoice_asr video_llama_3""",
    "qwen3": "fun_asr_nano lighton_ocr moss_transcribe_diarize qianfan_ocr qwen3_asr",
    "qwen3_5_text": "minicpm_ocr minicpmv4_6 minicpmv4_7",
}
# The language part has a class of its own.
_OWN = {
    "aria_text": "aria",
    "cohere_compass_text": "cohere_compass",
    "cosmos3_edge_text": "cosmos3_edge",
    "emu3_text_model": "emu3",
    "ernie4_5_vl_moe_text": "ernie4_5_vl_moe",
    "glm4v_moe_text": "glm4v_moe",
    "glm4v_text": "glm4v glm46v glmga",
    "glm_ocr_text": "glm_ocr",
    "granite_docling_text": "granite_docling",
    "hunyuan_vl_text": "hunyuan_vl",
    "inkling2_text": "inkling2",
    "inkling_text": "inkling_mm_model",
    "kosmos_2_5_text_model": "kosmos-2.5",
    "kosmos_2_text_model": "kosmos-2",
    "molmo2_text": "molmo2",
    "muse_glimmer_text": "muse_glimmer",
    "muse_spark_text": "muse_spark",
    "paddleocr_vl_text": "paddleocr_vl",
    "qwen2_5_omni_text": "qwen2_5_omni_thinker",
    "qwen3_omni_moe_text": "qwen3_omni_moe_thinker",
    "qwen3_vl_text": "cosmos3_omni",
}
# What describes a tower, and would be suspect in a language model.
_BESIDE = {
    "granite_speech": ("has_lora_adapter", "window_size"),
    "granite_speech_plus": ("has_lora_adapter", "window_size"),
    "kimi_k25": ("use_unified_vision_chunk",),
    "kosmos-2": ("latent_query_num",),
    "kosmos-2.5": ("latent_query_num",),
    "moss_transcribe_diarize": ("audio_chunk_size",),
    "musicflamingo": ("head_dim",),
    "qwen2_5_omni_thinker": ("seconds_per_chunk",),
    "vibevoice": ("diffusion_head_config",),
    "vibevoice_asr": ("acoustic_tokenizer_chunk_size",),
}
NESTED = {
    name: Nested(text, fixed=fixed, beside=_BESIDE.get(name, ()))
    for fixed, names in ((False, _ANY), (True, _OWN))
    for text, outer in names.items()
    for name in outer.split()
}
NESTED["step3p7"] = Nested("step3p5", flat=True)
