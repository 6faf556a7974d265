"""Write kvlib/configs/defaults.json: what transformers' config classes assume of a field left out.

    python -m tools.config_defaults            # write
    python -m tools.config_defaults --check    # fail if the file is not what it would write

Kept of each class: the fields that decide shapes (whole numbers, flags, lists, names of
types) and the other names it accepts for them. Dropouts, token ids and the like are not.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from kvlib.configs.families import RECORDS, class_of

FILE = Path(__file__).resolve().parents[1] / "kvlib" / "configs" / "defaults.json"

# Fields that are never a shape, or whose default says nothing.
LEFT_OUT = """
    transformers_version architectures output_hidden_states return_dict dtype chunk_size_feed_forward
    is_encoder_decoder id2label label2id problem_type use_cache pad_token_id bos_token_id eos_token_id
    decoder_start_token_id rope_parameters initializer_range initializer_factor init_std pretraining_tp
    output_router_logits router_aux_loss_coef norm_topk_prob suppress_tokens begin_suppress_tokens
    time_step_limit per_layer_config num_labels
""".split()


def shape_field(name, value) -> bool:
    if name in LEFT_OUT or any(part in name for part in ("dropout", "pdrop", "summary_", "mask_", "router_")):
        return False
    return not isinstance(value, float)


def defaults() -> dict:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    table = {}
    for model_type in sorted({class_of(name) for name in RECORDS} - {None}):
        cls = CONFIG_MAPPING[model_type]
        fields = {
            f.name: list(f.default) if isinstance(f.default, tuple) else f.default
            for f in dataclasses.fields(cls)
            if f.default is not dataclasses.MISSING and shape_field(f.name, f.default)
        }
        table[model_type] = {"fields": fields}
        if cls.attribute_map:
            table[model_type]["aliases"] = dict(cls.attribute_map)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in defaults().items())
    text = "{\n" + lines + "\n}\n"
    if args.check:
        return 0 if FILE.read_text() == text else 1
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
