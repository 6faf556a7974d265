"""What an engine said, explained: paste its log, and have its figures computed again.

>>> from kvlib.explain import explain
>>> answer = explain("GPU KV cache size: 178,880 tokens", model="qwen-3-235b-a22b", tp=4)
>>> answer.engine
'vllm'
"""

from dataclasses import replace

from . import llama_cpp, out_of_memory, sglang, vllm
from .answer import Explanation, Flag
from .facts import Fact, read
from .subject import CARD, MODEL, subject_of

__all__ = ["Explanation", "Fact", "Flag", "explain"]

# In the order in which they are asked where a text has lines of several.
_ENGINES = (vllm.explain, sglang.explain, llama_cpp.explain, sglang.tensorrt, out_of_memory.explain)


def explain(text, *, model=None, gpu=None, dtype=None, cache_dtype=None, tp=None, pp=None) -> Explanation:
    """What the log in `text` (a string, or bytes of any kind) says, computed again step by step.

    model        as `kvlib.layout` takes it; else the one that the text names, if it is shipped
    gpu          its name, as `hardware.gpu` takes it
    dtype        the model's (default bf16); cache_dtype: what the cache is kept in, as the engine's flag
    tp, pp       GPUs over which heads and layers are split, where the text does not say it

    Raises ValueError for a model, a GPU, a dtype or a number that is not known; never for the text.
    """
    facts = read(text)
    of = subject_of(facts, model, gpu, dtype, cache_dtype, tp, pp)
    made = None
    stopped = facts.get("tried", "torch") and not facts.get("needed", "vllm") and not facts.get("none")
    for one in (out_of_memory.explain, *_ENGINES) if stopped else _ENGINES:
        if made := one(facts, of):
            break
    if made is None:
        what = "No line of an engine that kvlib knows was found that says how large a cache is."
        made = Explanation("", (), (), f"{what} What was pasted is quoted below.", missing=(MODEL, CARD))
        if facts.found:
            made = replace(made, verdict=f"{what} The facts below were read, and they say too little alone.")
    return replace(made, facts=facts.found, unread=facts.unread, more_unread=facts.more_unread)
