"""Every model type of transformers that writes text: its class's default config, and what that keeps.

    KVLIB_ORACLE=full python -m pytest tests/test_census.py -s     # measure all, and print the table
    python -m tests.census [TYPE ...]                              # measure them, and write the record

Measuring all takes minutes, so what was measured is recorded in tests/data/model-types.tsv, and
`make test` holds kvlib to the record. Windows are cut to 16 tokens, so that they fill.
"""

import json
import sys
from dataclasses import dataclass

from kvlib.configs.families import RECORDS, class_of

from . import oracle
from .mutants import WINDOW

RECORD = oracle.DATA.with_name("model-types.tsv")
# What kvlib does not read of these, and why: each line a type and the reason.
REFUSED = oracle.DATA.with_name("refused-types.tsv")
CONTEXT, BATCH, SOURCE = 48, 2, 7
SOURCE_LEN = {"whisper": 1500, "mllama": 0}
WINDOWS = {"sliding_window", "sliding_window_size", "attention_window_size", "attention_chunk_size"}
# What a default lacks to be a model that generates: a decoder's flag, a size that has no default, or
# sizes that fit one another.
_DECODER = """bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert
reformer roberta roberta-prelayernorm roc_bert roformer xlm-roberta xlm-roberta-xl""".split()
_MROPE = {
    "rope_type": "default",
    "rope_theta": 1e4,
    "mrope_section": [8, 12, 12],
    "partial_rotary_factor": 0.5,
}
_MROPE = {"text_config": {"rope_parameters": _MROPE, "head_dim": 128}}
_HUNYUAN = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [16, 16, 16, 16]}
_QSA = {"indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 256, "indexer_budget": 2048}
_QSA = {**_QSA, "indexer_compress_ratio": 16, "ple_layer_ids": [2, 3], "eos_token_id": 1}
CHANGES = {
    **dict.fromkeys(_DECODER, {"is_decoder": True}),
    **dict.fromkeys(("glm4v", "glm46v", "glmga", "glm4v_moe"), _MROPE),
    **dict.fromkeys(("hunyuan_v1_dense", "hunyuan_v1_moe", "ministral"), {"head_dim": 128}),
    "cohere_compass": {"text_config": {"rope_parameters": {"full_attention": None}}},
    "cohere_compass_text": {"rope_parameters": {"full_attention": None}},
    "bamba": {"attn_layer_indices": [1, 4]},
    "chameleon": {"vocabulary_map": {"<image>": 1, "IMGIMGA": 2}},
    "glm4_moe": {"head_dim": 128},
    "qwen3_omni_moe_thinker": {"text_config": {"head_dim": 128}},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 16},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "dbrx": {"attn_config": {"rope_theta": 1e4, "clip_qkv": 8, "kv_n_heads": 8}},
    "deepseek_v2": {"num_experts_per_tok": 6, "moe_intermediate_size": 1408},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "hunyuan_vl": {"text_config": {"head_dim": 128, "rope_parameters": _HUNYUAN}},
    "nemotron": {"num_key_value_heads": 8},
    "qwen4_exp": {"text_config": _QSA},
    "qwen4_exp_text": _QSA,
    "step3p5": {"sliding_window": WINDOW},
    "step3p7": {"text_config": {"sliding_window": WINDOW}},
    "xmod": {"is_decoder": True, "default_language": "en_XX"},
}


# Language parts whose own default does not fit itself: as part of a whole model it does.
UNFIT = {
    "canary_decoder",
    "glm4_moe",
    "glm4v_text",
    "glm4v_moe_text",
    "hunyuan_vl_text",
    "qwen3_omni_moe_text",
}


@dataclass(frozen=True)
class Measured:
    """What transformers keeps of a default config, and its parameters; or why that is not known."""

    kept: oracle.Kept | None
    parameters: int | None = None
    why: str = ""


def types() -> list[str]:
    return sorted({name for names in oracle.HEADS for name in names})


def default(model_type: str) -> dict:
    """The default config as transformers saves it, windows cut."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    made = CONFIG_MAPPING[model_type](**CHANGES.get(model_type, {}))
    config = json.loads(made.to_json_string(use_diff=False))
    for part in (config, config.get("text_config")):
        (part or {}).pop("time_step_limit", None)  # an Infinity, which the class writes and does not read
        for name in WINDOWS & (part or {}).keys():
            if part[name]:
                part[name] = WINDOW
    return config


def language_models() -> list[str]:
    """The language models that kvlib reads and transformers has a class for, wrappers left out."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    known = {name for name in RECORDS if class_of(name) == name} & set(CONFIG_MAPPING)
    return sorted(known - UNFIT)


def measure(model_type: str) -> Measured:
    """Build the model of the default config, or its language model alone, and run it."""
    why = ""
    for part in ("whole", "text"):
        try:
            model = oracle.model(default(model_type), text=part == "text")
            kept = oracle.kept(model, CONTEXT, BATCH, SOURCE)
        except Exception as error:
            why = why or f"{type(error).__name__}: {error}".split("\n")[0][:150]
            continue
        if kept is None:
            return Measured(None, why="it keeps no cache")
        whole = part == "whole" and model_type not in oracle.TEXT_ALONE
        return Measured(kept, oracle.n_parameters(model) if whole else None)
    return Measured(None, why=why)


def recorded() -> dict[str, Measured]:
    found = {}
    for line in RECORD.read_text().splitlines():
        model_type, *kept, parameters, why = line.split("\t")
        numbers = oracle.Kept(*map(int, kept)) if not why else None
        found[model_type] = Measured(numbers, int(parameters) if parameters else None, why)
    return found


def refused() -> dict[str, str]:
    """model_type -> why kvlib does not read it."""
    return dict(line.split("\t") for line in REFUSED.read_text().splitlines())


def write(measured: dict[str, Measured]) -> None:
    lines = []
    for model_type, one in sorted(measured.items()):
        kept = vars(one.kept).values() if one.kept else ("", "", "")
        lines.append("\t".join(map(str, (model_type, *kept, one.parameters or "", one.why))))
    RECORD.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    chosen = sys.argv[1:]
    known = recorded() if chosen else {}
    write(known | {model_type: measure(model_type) for model_type in chosen or types()})
