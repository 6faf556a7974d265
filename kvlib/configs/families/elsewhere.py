"""Models that run on their publisher's own code (auto_map), not on a class of transformers.

No class there could be asked, so their layers are read from vLLM: model_executor/models/chatglm.py,
bailing_moe.py, qwen.py, internlm2.py, baichuan.py and exaone.py, and what a config leaves out has no default.
"""

from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, Nested, each
from . import llama, qwen


def grouped(f) -> list[LayerKV]:
    """As Llama; without num_key_value_heads, or with null, one KV head a query head."""
    f.nullable("num_key_value_heads")
    if f.given.get("num_key_value_heads") is None:
        f.given.pop("num_key_value_heads", None)
    return readers.full(f)


def chatglm(f) -> list[LayerKV]:
    """ChatGLM 2 to GLM-4: multi_query_attention keeps multi_query_group_num KV heads."""
    n_heads = f.size("num_attention_heads")
    head_dim = readers.hidden_over_heads(f, n_heads)
    f.same("kv_channels", head_dim)
    grouped = f.flag("multi_query_attention")
    n_kv_heads = f["multi_query_group_num"] if grouped else n_heads
    f.read.add("multi_query_group_num")
    readers.divides(f, "multi_query_group_num", n_kv_heads, n_heads)
    f.same("head_dim", head_dim)
    f.same("num_key_value_heads", n_kv_heads)
    return [LayerKV("full", n_kv_heads, head_dim)] * readers.depth(f)


def qwen_1(f) -> list[LayerKV]:
    """The first Qwen: one KV head a query head."""
    f.same("kv_channels", readers.hidden_over_heads(f, f.size("num_attention_heads")))
    return readers.every_head_full(f)


def bailing(f) -> list[LayerKV]:
    """Ling and Ring, 1 and 2: every layer attends in full."""
    f.ignore("max_window_layers")
    if f.flag("use_sliding_window"):
        f.refuse("use_sliding_window", "false is needed: no code that slides was read")
    f.ignore("sliding_window")
    return grouped(f)


GROUPED = Architecture(grouped, whole=weights.uncounted, defaults=None)
ALIKE = replace(GROUPED, layers=readers.every_head_full)
PHI = {"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_embd": "hidden_size"}
PHI |= {"n_head_kv": "num_key_value_heads"}
RECORDS = {
    **each("internlm2 minicpm orion solar Yi", GROUPED),
    **each("baichuan internlm xverse", ALIKE),
    "exaone": replace(GROUPED, names={"num_layers": "num_hidden_layers"}),
    "chatglm": replace(GROUPED, layers=chatglm, names={"num_layers": "num_hidden_layers"}),
    "phi-msft": replace(GROUPED, names=PHI),
    "qwen": replace(GROUPED, layers=qwen_1),
    **each("bailing_moe bailing_moe_v2", replace(GROUPED, layers=bailing)),
    **each("phi3_v phi4mm", Architecture(llama.phi3, whole=weights.uncounted, defaults="phi3")),
    **each("minicpmv minicpmo", Architecture(qwen.qwen2, whole=weights.uncounted, defaults="qwen2")),
}
NESTED = {
    "internvl_chat": Nested("internlm2", fixed=False, key="llm_config"),
    "deepseek_vl_v2": Nested("deepseek_v2", fixed=False, key="language_config"),
    "multi_modality": Nested("llama", fixed=False, key="language_config"),
    "kimi_vl": Nested("deepseek_v3", fixed=False),
}
