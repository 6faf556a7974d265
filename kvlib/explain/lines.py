"""The lines of engines that are known: where each is found, and what it says.

A line is found by a piece of text that it always has, its anchor; the pattern is then tried only near it.
So the time grows with the text alone, whatever was pasted. Every engine here writes GB for GiB and MB for
MiB in some of its versions: all sizes are read as binary.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from ..units import UNITS


def S(name):
    """A size: 24.0 GiB."""
    return rf"(?P<{name}>-?[0-9]{{1,15}}(?:\.[0-9]{{1,9}})? ?(?:(?:[KMGT]i?)?B|bytes))"


def N(name):
    """A whole number: 131,072."""
    return rf"(?P<{name}>[0-9][0-9,]{{0,20}})"


def R(name):
    """A decimal: 0.90."""
    return rf"(?P<{name}>[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)"


def W(name):
    """A word, such as the name of a type or a path."""
    return rf"(?P<{name}>[\w./:@+-]{{1,160}})"


@dataclass(frozen=True)
class Line:
    """A line that `engine` prints: the text to find it by, and the pattern whose groups are its facts."""

    engine: str
    anchor: str
    pattern: str

    @cached_property
    def regex(self) -> re.Pattern:
        return re.compile(self.pattern)


LINES = (
    # vLLM. 0.3 to 0.33: worker.py, gpu_worker.py, kv_cache_utils.py, scheduler.py, loggers.py.
    Line("vllm", "Available KV cache memory:", rf"Available KV cache memory: {S('available')}"),
    Line("vllm", "reserved for KV Cache is", rf"reserved for KV Cache is {S('available')}"),
    Line("vllm", "kv_cache_size=", rf"kv_cache_size={S('available')}"),
    Line("vllm", "available KV", rf"available KV [Cc]ache memory \({S('available')}\)"),
    Line("vllm", "KV cache is", rf"\({S('needed')} KV cache is ?needed"),
    Line("vllm", "max seq len (", rf"max seq len \({N('max_len')}\)"),
    Line("vllm", "estimated maximum model", rf"estimated maximum model length is {N('longest')}"),
    Line("vllm", "be stored in KV cache (", rf"stored in KV cache \({N('tokens')}\)"),
    Line("vllm", "GPU KV cache size:", rf"GPU KV cache size: {N('tokens')} tokens"),
    Line("vllm", "GPU blocks:", rf"GPU blocks: {N('blocks')}"),
    Line("vllm", "# cuda blocks:", rf"# cuda blocks: {N('blocks')}"),
    Line("vllm", "Maximum concurrency for", rf"for {N('max_len')} tokens per request: {R('times')}x"),
    Line("vllm", "No available memory for the cache", r"(?P<none>No available memory for the cache) blocks"),
    Line("vllm", "is preempted by", r"is preempted by PreemptionMode\.(?P<preempted>[A-Z]{1,20})"),
    Line("vllm", "num_cumulative_preemption=", rf"num_cumulative_preemption={N('preemptions')}"),
    Line(
        "vllm",
        "desired GPU memory utilization",
        rf"\((?P<free>[0-9.]{{1,12}})/{S('total')}\) on startup is less than desired GPU memory utilization"
        rf" \({R('utilization')}, {S('desired')}\)",
    ),
    Line("vllm", "GPU KV cache usage:", rf"GPU KV cache usage: {R('usage')}%"),
    Line("vllm", "Running:", rf"Running: {N('running')} reqs"),
    Line("vllm", "Waiting:", rf"Waiting: {N('waiting')} reqs"),
    Line("vllm", "total_gpu_memory", rf"total_gpu_memory(?:=| \(){S('total')}"),
    Line("vllm", "gpu_memory_utilization", rf"gpu_memory_utilization(?:=| \(){R('utilization')}"),
    Line("vllm", "gpu-memory-utilization", rf"--gpu-memory-utilization[= ]{R('utilization')}"),
    Line("vllm", "odel weights take", rf"odel weights take {S('weights')}"),
    Line("vllm", "odel weights took", rf"odel weights took {S('weights')}"),
    Line("vllm", "Model loading took", rf"Model loading took {S('weights')}"),
    Line("vllm", "activation peak memory takes", rf"activation peak memory takes {S('activations')}"),
    Line("vllm", "dummy requests", rf"warming up sampler with {N('dummies')} dummy requests"),
    # Options, as a command or a configuration that was printed has them.
    Line("", "tensor_parallel_size", rf"tensor_parallel_size['\"]?[=: ]{{1,3}}{N('tp')}"),
    Line("", "--tensor-parallel-size", rf"--tensor-parallel-size[= ]{N('tp')}"),
    Line("", "--tp", rf"--tp(?:-size)?[= ]{N('tp')}"),
    Line("", "pipeline_parallel_size", rf"pipeline_parallel_size['\"]?[=: ]{{1,3}}{N('pp')}"),
    Line("", "--pipeline-parallel-size", rf"--pipeline-parallel-size[= ]{N('pp')}"),
    Line("", "kv_cache_dtype", rf"kv_cache_dtype['\"]?[=: ]{{1,3}}['\"]?{W('cache_dtype')}"),
    Line("", "--kv-cache-dtype", rf"--kv-cache-dtype[= ]{W('cache_dtype')}"),
    Line("", "model=", rf"\bmodel=['\"]{W('model')}['\"]"),
    Line("", "vllm serve", rf"vllm serve {W('model')}"),
    Line("", "--model", rf"--model(?:-path)?[= ]{W('model')}"),
    # SGLang.
    Line("sglang", "KV Cache is allocated", rf"Cache is allocated\..{{0,60}}#tokens: {N('tokens')}"),
    Line("sglang", "KV Cache is allocated", rf"\..{{0,90}}K size: {S('k_size')}, V size: {S('v_size')}"),
    Line("sglang", "KV Cache is allocated", rf"Cache is allocated\. dtype: torch\.{W('cache_dtype')}"),
    Line("sglang", "max_total_num_tokens=", rf"max_total_num_tokens={N('tokens')}"),
    Line("sglang", "context_len=", rf"context_len={N('max_len')}"),
    Line("sglang", "increas", r"(?P<none>Not enough memory)\. Please try (?:to )?increas"),
    Line("sglang", "weights leave no", r"(?P<none>weights leave no GPU memory)"),
    Line("sglang", "mem-fraction-static", r"mem-fraction-static[= ](?P<share>0\.[0-9]{1,6})"),
    Line("sglang", "KV cache pool is full", r"(?P<pool_full>pool is full)\. Retract requests"),
    Line("sglang", "#retracted_reqs:", rf"#retracted_reqs: {N('retracted')}"),
    Line("sglang", "Load weight end", rf"Load weight end\..{{0,120}}avail mem={S('free_after')}"),
    Line("sglang", "Load weight end", rf"Load weight end\..{{0,160}}mem usage={S('weights')}"),
    Line(
        "sglang",
        "exceeds the maximum allowed",
        rf"\({N('prompt')} tokens\) exceeds the maximum allowed length \({N('tokens')}",
    ),
    # llama.cpp, and what is built on it.
    Line("llama.cpp", "KV self size", rf"KV self size ?= ?{S('kv')}"),
    Line("llama.cpp", "kv self size", rf"kv self size ?= ?{S('kv')}"),
    # Cells of a stream; sequences / streams, of which there is one where all sequences share a pool.
    Line(
        "llama.cpp",
        "cells,",
        rf"size = {S('kv')} \( ?{N('cells')} cells, {N('layers')} layers, ?{N('seqs')}"
        rf"(?:/ ?{N('streams')})? seqs\)(?!, ?R \()",
    ),
    Line("llama.cpp", "SWA KV cache, size", rf"(?:non-)?SWA KV cache, size = {N('pool_cells')} cells"),
    Line("llama.cpp", "rs_seq), R", rf"size = {S('state')} \( ?{N('state_seqs')} cells, .{{5,60}}, R \("),
    Line("llama.cpp", "seqs), R", rf"size = {S('state')} \( ?{N('state_seqs')} cells, .{{5,60}}, R \("),
    Line("llama.cpp", "kv_size = ", rf"kv_size = {N('cells')}"),
    Line("llama.cpp", "n_layer", rf"\bn_layer ?= ?{N('layers')}"),
    Line("llama.cpp", "K (", rf"[ ^]K \({W('type_k')}\): {S('k_size')}"),
    Line("llama.cpp", "V (", rf" V \({W('type_v')}\): {S('v_size')}"),
    Line("llama.cpp", "type_k = ", rf"type_k = '{W('type_k')}'"),
    Line("llama.cpp", "type_v = ", rf"type_v = '{W('type_v')}'"),
    Line("llama.cpp", "c^KV (", rf"c\^KV \({W('type_k')}\)"),
    Line("llama.cpp", "n_embd_k_gqa = ", rf"n_embd_k_gqa = {N('k_width')}"),
    Line("llama.cpp", "n_embd_v_gqa = ", rf"n_embd_v_gqa = {N('v_width')}"),
    Line("llama.cpp", "kv_lora_rank = ", rf"kv_lora_rank = {N('latent')}"),
    Line("llama.cpp", "n_embd_head_qk_rope = ", rf"n_embd_head_qk_rope = {N('rope')}"),
    Line("llama.cpp", "n_ctx", rf"\bn_ctx ?= ?{N('context')}"),
    Line("llama.cpp", "n_seq_max", rf"n_seq_max ?= ?{N('seqs')}"),
    Line("llama.cpp", "cudaMalloc failed", rf"allocating {S('tried')} on device [0-9]+: cudaM"),
    Line("llama.cpp", "for kv cache", r"failed to allocate buffer for (?P<kv_failed>kv cache)"),
    Line("llama.cpp", "compute buffers", r"failed to allocate (?P<compute_failed>compute buffers)"),
    Line("llama.cpp", "available context size", r"(?P<exceeded>exceeds the available context size)"),
    Line("llama.cpp", "find a memory slot", r"(?P<exceeded>failed to find a memory slot)"),
    Line("llama.cpp", "find a KV slot", r"(?P<exceeded>could not find a KV slot)"),
    Line("llama.cpp", "n_ctx_slot", rf"n_ctx_slot\"?(?: = |:){N('slot')}"),
    Line("llama.cpp", "n_prompt_tokens", rf"n_prompt_tokens\"?(?: = |:){N('prompt')}"),
    Line("llama.cpp", "\"n_ctx\":", rf"\"n_ctx\":{N('slot')}"),
    # Ollama.
    Line("ollama", "memory.required.full=", rf"memory\.required\.full=\"{S('full')}\""),
    Line("ollama", "memory.required.kv=", rf"memory\.required\.kv=\"{S('kv')}\""),
    Line("ollama", "memory.available=", rf"memory\.available=\"\[{S('free_bytes')}"),
    Line("ollama", "layers.model=", rf"layers\.model={N('layers_all')}"),
    Line("ollama", "layers.offload=", rf"layers\.offload={N('layers_gpu')}"),
    Line("ollama", "--ctx-size", rf"--ctx-size {N('context')}"),
    Line("ollama", "--parallel", rf"--parallel {N('seqs')}"),
    Line("ollama", "KvSize:", rf"KvSize:{N('context')}"),
    Line("ollama", "KvCacheType:", r"KvCacheType:(?P<type_k>[a-z][a-z0-9_]{1,12})"),
    Line("ollama", "msg=\"kv cache\"", rf"msg=\"kv cache\" .{{0,60}}size=\"{S('kv')}\""),
    # TensorRT-LLM.
    Line("tensorrt-llm", "for k/v cache", rf"Allocate {N('pool')} bytes for k/v cache"),
    Line("tensorrt-llm", "tokens in paged KV cache", rf"Using {N('tokens')} tokens in paged KV cache"),
    # torch.
    Line("torch", "Tried to allocate", rf"Tried to allocate {S('tried')}"),
    Line("torch", "total capac", rf"total capaci?ty of {S('total')} of which {S('free_bytes')}"),
    Line(
        "torch",
        "total capac",
        rf"; {S('total')} total capacity; {S('allocated')} already allocated; {S('free_bytes')} free",
    ),
    Line("torch", "allocated by PyTorch", rf"{S('allocated')} is allocated by PyTorch"),
    Line("torch", "reserved by PyTorch", rf"{S('reserved')} is reserved by PyTorch"),
    Line("torch", "reserved in total", rf"{S('reserved_total')} reserved in total by PyTorch"),
    Line("torch", "memory in use", rf"this process has {S('in_use')} memory in use"),
)  # fmt: skip

SIZES = set(
    "available needed total desired weights activations k_size v_size free_after kv state tried full"
    " free_bytes allocated reserved reserved_total in_use".split()
)
COUNTS = set(
    "max_len longest tokens blocks preemptions running waiting dummies tp pp retracted prompt cells layers"
    " seqs streams state_seqs pool_cells k_width v_width latent rope context slot layers_all layers_gpu"
    " pool".split()
)
RATIOS = {"times", "usage", "utilization", "share", "free"}
# Nothing that an engine runs with is without one of these.
POSITIVE = set(
    "total desired max_len cells layers seqs streams context slot pool needed utilization share tried weights"
    " kv tokens tp pp full prompt k_width v_width latent".split()
)

_MOST = 10**15


def value(name: str, text: str) -> tuple:
    """(what a group says, half of its last digit); bytes for a size. ValueError where it cannot be meant."""
    if name in SIZES:
        number = text.rstrip("KMGTiBbytes ")
        unit = text[len(number) :].strip()[:1]
        size = 1 if unit in "Bb" else UNITS[f"{unit}iB"]
    elif name in COUNTS or name in RATIOS:
        number, size = text.replace(",", "").rstrip("."), 1
    else:
        return text, 0
    found = float(number) * size
    decimals = len(number.partition(".")[2])
    if abs(found) > _MOST or (found <= 0 and name in POSITIVE):
        raise ValueError(f"{name} is no figure of an engine: {text}")
    error = size / (2 * 10**decimals) if decimals or name in SIZES else 0.0
    return (int(found), 0) if name in COUNTS else (found, error)
