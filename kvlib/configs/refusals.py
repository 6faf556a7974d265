"""Refusing a config: the error, how it shows a value, and the fields that may be passed over unread.

A field that no reader asked for must be on the list of those known not to matter, or be switched
off; if its name suggests that it could change the cache, the config is refused.
"""

import re
import reprlib
from pathlib import Path


class UnsupportedConfig(ValueError):
    """This config's cache is not known to the byte.

    problems  one sentence for every field refused: its name, its value, what is needed
    """

    def __init__(self, *problems: str):
        self.problems = problems
        if len(problems) > 1:
            problems = (f"{len(problems)} fields are refused:", *(f"  {problem}" for problem in problems))
        super().__init__("\n".join(problems))


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 8
_SHORT.maxlevel = 3


def shown(value) -> str:
    """A value in a message: as Python writes it, cut short where it is long or deep."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python will not write out an integer of thousands of digits
        return "a number of thousands of digits"


def needs(field: str, value, need: str) -> str:
    """The problem of one field: what it says, and what would be needed."""
    return f"{field} = {shown(value)}: {need}"


SUSPECT = re.compile(
    r"attn|attention|window|head|cache|latent|share|state|kv|sliding|layer_types|block_type|hybrid|pattern"
    r"|chunk|lora|mla|recurr|ssm|mamba|conv|linear_|cross|per_layer_config|indexer|index_|compress|sparse"
    r"|num_layers|n_layer|group|bidirectional|encoder_decoder|full_att|multi_query|new_decoder|mqa|gqa"
    r"|text_config|llm_config|language_config|memory"
)
# Not excused by a harmless ending.
ALWAYS_SUSPECT = re.compile(r"kv|cache|window|compress|share|latent")

HARMLESS_ENDING = re.compile(
    r"(dropout|drop|drop_rate|layerdrop|_bias|multiplier|softcapping|_soft_cap|_token_id|_token_index|_scale"
    r"|_factor|_coef|_coefficient|_init|_std|_eps|_act|_dtype_original|_in_fp32)$"
)

HARMLESS = set((Path(__file__).parent / "harmless.txt").read_text().split())

REFUSED = {
    "per_layer_config": "layers that differ one by one are not read from it",
    "cross_attention_hidden_size": "a decoder that also attends to an encoder of another width",
}


def unread(model_type: str, name: str, value) -> str | None:
    """The problem of a field that no reader asked for; None if it cannot change the cache."""
    if value is None or value is False or value in (0, "") or value in ([], {}):
        return None
    if name in REFUSED:
        return needs(name, value, REFUSED[name])
    lower = name.lower()
    if name in HARMLESS or (HARMLESS_ENDING.search(name) and not ALWAYS_SUSPECT.search(lower)):
        return None
    if not SUSPECT.search(lower):
        return None
    need = f"{model_type} is not known to read it, and by its name it could change the cache"
    return needs(name, value, f"{need}; remove it if it does not")
