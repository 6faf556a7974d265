"""Models that run on their publisher's own code (auto_map), not on a class of transformers.

No class there could be asked, so what a layer keeps is read from the code of an engine, and what a config
leaves out has no default but where that code has one. mlc: mlc-ai/mlc-llm@79d603f, python/mlc_llm/model.
vLLM: vllm-project/vllm, vllm/model_executor/models, at the commit named.
"""

from dataclasses import replace

from ...layouts import LayerKV
from .. import readers, weights
from ..record import Architecture, Nested, each
from . import llama


def grouped(f) -> list[LayerKV]:
    """As Llama, its heads sharing hidden_size; without num_key_value_heads one KV head a query head.

    internlm2: mlc, vLLM@0531c22 internlm2.py; phi-msft: mlc; exaone: vLLM@0531c22 exaone.py.
    """
    f.nullable("num_key_value_heads")
    if f.given.get("num_key_value_heads") is None:
        f.given.pop("num_key_value_heads", None)
    return readers.divided_full(f)


def named(f) -> list[LayerKV]:
    """As `grouped`, where publishers differ in what a left-out num_key_value_heads stands for.

    minicpm: mlc, vLLM@00db011 minicpm.py; orion: mlc, vLLM@0531c22 orion.py; Yi: vLLM@05aa9e6 yi.py.
    """
    f.size("num_key_value_heads")
    return readers.divided_full(f)


def named_with_head_dim(f) -> list[LayerKV]:
    """As `named`, but a head_dim counts. solar: vLLM@00bd149 solar.py."""
    f.size("num_key_value_heads")
    return readers.full(f)


def unswitched(f) -> None:
    """use_sliding_window: false beats the window; no code that slides was read."""
    f.ignore("max_window_layers")
    if f.flag("use_sliding_window"):
        f.refuse("use_sliding_window", "false is needed: no code that slides was read")
    if f.get("use_sliding_window") is False:
        f.ignore("sliding_window")


def version(f, *known: str) -> str | None:
    """`version`, a number or a string, of a model whose versions have different language models."""
    value = f.get("version")
    if not isinstance(value, str | float) or str(value) not in known:
        f.refuse("version", f"known here: {', '.join(known)}")
        return None
    return str(value)


def minicpm_v(f) -> list[LayerKV]:
    """MiniCPM-V: `version` says whose layers it has, all full. vLLM@004202b, @73fb7a4 minicpmv.py.

    None or 2.0 to 2.6: MiniCPM, Llama 3 or Qwen 2, whose heads share hidden_size; 4.0: Llama, where a
    head_dim counts; 4.5: Qwen 3, where it does too, and is 128 if left out.
    """
    unswitched(f)
    if "version" not in f or version(f, "2.0", "2.5", "2.6", "4.0", "4.5") not in ("4.0", "4.5"):
        return named(f)
    if str(f.get("version")) == "4.5" and "head_dim" not in f:
        if readers.hidden_over_heads(f, f.size("num_attention_heads")) != 128:
            f.missing("head_dim", "Qwen 3 assumes 128, and hidden_size over the heads is another")
    return named_with_head_dim(f)


def minicpm_o(f) -> list[LayerKV]:
    """MiniCPM-o 2.6, a MiniCPM-V 2.6 that hears. vLLM@0020281 minicpmo.py."""
    version(f, "2.6")
    unswitched(f)
    return named(f)


def phi_3(f) -> list[LayerKV]:
    """Phi-3 that sees, or hears too: its layers slide where sliding_window is given; heads share hidden_size.

    phi3_v: mlc, vLLM@004202b phi3v.py; phi4mm: vLLM@01ab0ee phi4mm.py; the window:
    vLLM@004a5da vllm/attention/layer.py.
    """
    f.same("head_dim", readers.hidden_over_heads(f, f.size("num_attention_heads")))
    if f.get("sliding_window") is not None:
        f.same("use_sliding_window", True)  # what a false beside it means was not read
    return llama.phi3(f)


def chatglm(f) -> list[LayerKV]:
    """ChatGLM 2 to GLM-4: multi_query_attention keeps multi_query_group_num KV heads. mlc, chatglm3."""
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
    """The first Qwen: one KV head a query head. mlc."""
    f.same("kv_channels", readers.hidden_over_heads(f, f.size("num_attention_heads")))
    return readers.every_head_full(f)


def bailing(f) -> list[LayerKV]:
    """Ling and Ring, 1 and 2: every layer attends in full. vLLM@3a04cf8 bailing_moe.py."""
    unswitched(f)
    return named_with_head_dim(f)


GROUPED = Architecture(grouped, whole=weights.uncounted, defaults=None)
# baichuan and internlm: mlc; xverse: vLLM@0531c22 xverse.py.
ALIKE = replace(GROUPED, layers=readers.every_head_full)
PHI = {"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_embd": "hidden_size"}
PHI |= {"n_head_kv": "num_key_value_heads"}
RECORDS = {
    "internlm2": GROUPED,
    **each("minicpm orion Yi", replace(GROUPED, layers=named)),
    "solar": replace(GROUPED, layers=named_with_head_dim),
    **each("baichuan internlm xverse", ALIKE),
    "exaone": replace(GROUPED, names={"num_layers": "num_hidden_layers"}),
    "chatglm": replace(GROUPED, layers=chatglm, names={"num_layers": "num_hidden_layers"}),
    "phi-msft": replace(GROUPED, names=PHI),
    "qwen": replace(GROUPED, layers=qwen_1),
    **each("bailing_moe bailing_moe_v2", replace(GROUPED, layers=bailing)),
    **each("phi3_v phi4mm", Architecture(phi_3, whole=weights.uncounted, defaults="phi3")),
    "minicpmv": replace(GROUPED, layers=minicpm_v),
    "minicpmo": replace(GROUPED, layers=minicpm_o),
}
# kimi_vl: vLLM@0322cc0 kimi_vl.py; deepseek_vl_v2: vLLM@0399e24 deepseek_vl2.py, which heeds use_mla;
# multi_modality: sgl-project/sglang@0e6ed14 srt/configs/janus_pro.py. internvl_chat holds one of several
# models and chooses by its llm_config's architectures: one that names no model_type is not guessed.
NESTED = {
    "internvl_chat": Nested("internlm2", fixed=False, key="llm_config", named=True),
    "deepseek_vl_v2": Nested("deepseek_v2", fixed=False, key="language_config"),
    "multi_modality": Nested("llama", fixed=False, key="language_config"),
    "kimi_vl": Nested("deepseek_v3", fixed=False),
}
