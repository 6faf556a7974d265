"""Lines that engines printed in public reports: figures as they stand, the rest shortened; no paths, no names."""

# ruff: noqa: E501

QWEN_27B = {
    "model_type": "qwen3_5_text",
    "num_attention_heads": 24, "num_key_value_heads": 4, "head_dim": 256, "full_attention_interval": 4,
    "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    "linear_num_key_heads": 16, "linear_num_value_heads": 48, "mamba_ssm_dtype": "float32",
    "vocab_size": 248320, "intermediate_size": 17408, "num_hidden_layers": 64, "hidden_size": 5120,
}  # fmt: skip
CORE = "(EngineCore_DP0 pid=1094) ValueError: To serve at least one request with the models's max seq len"
TRY = "Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
PROFILED = "Memory profiling results: total_gpu_memory=23.58GiB initial_memory_usage=15.34GiB"
LEFT = "Based on the available memory, the estimated maximum model length is"
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate"


def too_long(length, fits):
    return (
        f"The model's max seq len ({length}) is larger than the maximum number of tokens that can be stored in "
        f"KV cache ({fits}). {TRY}"
    )


def needs(length, needed, available, rest=""):
    return (
        f"{CORE} ({length}), ({needed} KV cache is needed, which is larger than the available KV cache memory "
        f"({available}). {rest}{TRY}"
    )


# report: (engine, text, options, what the answer says of it)
VLLM = {
    "vllm 10517, 20k": (
        f"Loading model weights took 14.9888 GB\n{PROFILED} kv_cache_size=3.81GiB gpu_memory_utilization=0.90\n"
        "GPU blocks: 1952, # CPU blocks: 2048\nMaximum concurrency for 20000 tokens per request: 1.56x",
        {"model": "llama-3.1-8b"}, ["31,232 tokens: 1.56 sequences of 20,000", "what kvlib counts"],
    ),
    "vllm 10517, 29k": (
        f"{PROFILED} kv_cache_size=2.89GiB gpu_memory_utilization=0.90\n# GPU blocks: 1478, # CPU blocks: 2048\n"
        f"Maximum concurrency for 29000 tokens per request: 0.82x\n{too_long(29000, 23648)}",
        {"model": "llama-3.1-8b"}, ["23,648 tokens, less than a sequence of 29,000", "what kvlib counts"],
    ),
    "vllm 25350": (
        needs(221000, "10.12 GiB", "5.59 GiB", f"{LEFT} 122080. "),
        {"model": "qwen-3-30b-a3b", "cache_dtype": "fp8"}, ["at most 122,080 tokens fit", "what kvlib counts"],
    ),
    "vllm 34076": (
        needs(262144, "24.0 GiB", "3.18 GiB", f"{LEFT} 34736. "),
        {"model": "qwen-3-30b-a3b", "pp": 2}, ["at most 34,736 tokens fit", "differs", "--tp 1 --pp 1"],
    ),
    "vllm 16118": (
        "ERROR 04-05 01:12:55 [core.py:390] " + needs(1048576, "24.00 GiB", "9.97 GiB"),
        {"model": "llama-4-scout", "tp": 8}, ["vLLM does not start", "what kvlib counts"],
    ),
    "vllm 27508": (
        needs(131072, "4.54 GiB", "1.71 GiB"),
        {"model": "gpt-oss-120b"}, ["needs 4.54 GiB", "differs by", "not as assumed"],
    ),
    "vllm 21348": (
        "Available KV cache memory: 8.11 GiB\nGPU KV cache size: 178,880 tokens",
        {"model": "qwen-3-235b-a22b", "tp": 4}, ["178,880 tokens", "-1.1 % of that", "not as assumed"],
    ),
    "vllm 13596": (
        "INFO 02-20 00:01:02 kv_cache_utils.py:522] # GPU blocks: 127626\n"
        "INFO 02-20 00:01:02 kv_cache_utils.py:525] Maximum concurrency for 2048 tokens per request: 997.08x",
        {}, ["2,042,016 tokens: 997.08 sequences of 2,048"],
    ),
    "vllm 12569": (
        "INFO 01-30 03:18:12 gpu_model_runner.py:848] Loading model weights took 67.7229 GB\n"
        "# GPU blocks: 1381\nMaximum concurrency for 2048 tokens per request: 10.79x",
        {}, ["22,096 tokens: 10.79 sequences of 2,048", "67.72 GiB"],
    ),
    "vllm 2418": (f"# GPU blocks: 229, # CPU blocks: 512\n{too_long(4096, 3664)}", {}, ["3,664 tokens, less"]),
    "QwenLM/Qwen3 295": (too_long(32768, 7344), {}, ["7,344 tokens, less than a sequence of 32,768"]),
    "DeepSeek-V2 83": (f"[rank0]: ValueError: {too_long(163840, 13360)}", {}, ["13,360 tokens, less"]),
    "OpenRLHF 336": (
        f"(LLMRayActor pid=20770) INFO 06-28 06:11:45 # GPU blocks: 378, # CPU blocks: 1638\n{too_long(8192, 6048)}",
        {}, ["6,048 tokens, less than a sequence of 8,192"],
    ),
    "vllm 11391": (too_long(56000, 43328), {}, ["43,328 tokens, less than a sequence of 56,000"]),
    "vllm 13061": (
        "model weights take 13.95GiB; non_torch_memory takes 0.25GiB; PyTorch activation peak memory takes 0.19GiB; "
        f"the rest of the memory reserved for KV Cache is 8.69GiB.\n{too_long(131072, 81536)}",
        {}, ["81,536 tokens, less than a sequence of 131,072", "13.95 GiB", "8.69 GiB on a GPU"],
    ),
    "vllm 13882": (
        "the current vLLM instance can use total_gpu_memory (8.00GiB) x gpu_memory_utilization (0.70) = 5.60GiB\n"
        "model weights take 5.20GiB; non_torch_memory takes 0.03GiB; PyTorch activation peak memory takes 1.42GiB; "
        "the rest of the memory reserved for KV Cache is -1.05GiB.\n# cuda blocks: 0, # CPU blocks: 4681",
        {}, ["1.05 GiB more than vLLM's share", "--gpu-memory-utilization 0.89", "481.28 MiB for the cache"],
    ),
    "vllm 2248": (f"No available memory for the cache blocks. {TRY}", {}, ["not one block is left"]),
    "kvcached 29": (
        "ValueError: Free memory on device (59.32/79.15 GiB) on startup is less than desired GPU memory utilization "
        "(0.9, 71.24 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        {}, ["71.24 GiB; 59.32 GiB is free", "--gpu-memory-utilization 0.74"],
    ),
    "pytorch 175666": (
        "free memory on device cuda:0 (19.77/22.05 GiB) on startup is less than desired GPU memory utilization "
        "(0.9, 19.84 GiB)",
        {}, ["19.84 GiB; 19.77 GiB is free", "--gpu-memory-utilization 0.89"],
    ),
    "vllm 6102": (
        "WARNING 08-20 10:18:39 scheduler.py:1141] Sequence group 147 is preempted by PreemptionMode.RECOMPUTE mode "
        "because there is not enough KV cache space. total_num_cumulative_preemption=1",
        {}, ["thrown away and computed again"],
    ),
    "vllm 546": (
        "Sequence group chat-7e63 is preempted by PreemptionMode.SWAP mode because there is not enough KV cache space.",
        {}, ["swapped out"],
    ),
    "GAIR-NLP/LIMO 29": (
        "Sequence group 221 is preempted by PreemptionMode.RECOMPUTE mode because there is not enough KV cache space. "
        "Increase gpu_memory_utilization or tensor_parallel_size. total_num_cumulative_preemption=101",
        {}, ["101 times so far"],
    ),
    "vllm 27073": (
        "Engine 000: Avg generation throughput: 569.6 tokens/s, Running: 27 reqs, Waiting: 62 reqs, GPU KV cache "
        "usage: 99.7%, Prefix cache hit rate: 46.3%",
        {}, ["99.7 % of it used"],
    ),
    "stepfun-ai/Step3 14": (
        "(EngineCore_2 pid=28306) ERROR 08-06 14:37:29 [core.py:683] RuntimeError: CUDA out of memory occurred when "
        "warming up sampler with 1024 dummy requests.",
        {}, ["1,024 sequences", "--max-num-seqs 256"],
    ),
    "talos-argocd-proxmox 1995": (
        "Available KV cache memory: 4.99 GiB\nGPU KV cache size: 302,921 tokens\n"
        "Maximum concurrency for 131,072 tokens per request: 2.31x",
        {"model": QWEN_27B, "tp": 2, "cache_dtype": "fp8"}, ["2.31 sequences of 131,072", "what kvlib counts"],
    ),
    "tpu-inference 223": (
        needs(131072, "16.00 GiB", "0.71 GiB", f"{LEFT} 5632. "),
        {"model": "llama-3.1-8b"}, ["needs 16 GiB", "5,632 tokens: -2.2 % of that", "not as assumed"],
    ),
    "vllm 17327": (
        "qwen3-1 | INFO 04-29 01:09:49 [kv_cache_utils.py:634] GPU KV cache size: 198,784 tokens\n"
        "qwen3-1 | INFO 04-29 01:09:49 [kv_cache_utils.py:637] Maximum concurrency for 8,192 tokens per request: 24.27x",
        {}, ["198,784 tokens: 24.27 sequences of 8,192"],
    ),
}  # fmt: skip

SGLANG = {
    "vllm 21348, SGLang": (
        "KV Cache is allocated. #tokens: 367404, K size: 8.23 GB, V size: 8.23 GB",
        {"model": "qwen-3-235b-a22b", "tp": 4}, ["367,404 tokens", "what kvlib counts", "none, to the log's"],
    ),
    "sglang 29575": (
        "[2026-06-28 15:16:45] max_total_num_tokens=2086558, chunked_prefill_size=8192, max_prefill_tokens=16384, "
        "max_running_requests=33, context_len=256000, available_gpu_mem=17.22 GB",
        {}, ["2,086,558 tokens of all sequences together, 8.15 sequences of 256,000"],
    ),
    "club-3090 1261": (
        "[2026-09-12 00:22:48 TP0] KV Cache is allocated. dtype: torch.float8_e4m3fn, #tokens: 454112, "
        "K size: 3.46 GB, V size: 3.46 GB",
        {"model": QWEN_27B, "tp": 2}, ["454,112 tokens", "32,768 bytes in fp8", "what kvlib counts"],
    ),
    "sglang 4330": ("RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.", {}, ["must grow"]),
    "InferenceX 2128": (
        "Load weight end. quant=fp8, fmt=e4m3, avail mem=12.25 GB, mem usage=125.65 GB.\nValueError: Loaded weights "
        "leave no GPU memory for the KV cache under --mem-fraction-static=0.88.",
        {}, ["weights take all of it", "0.9112", "--mem-fraction-static 0.94"],
    ),
    "sglang 36583": (
        "Input length (3034 tokens) exceeds the maximum allowed length (1735 tokens)",
        {}, ["The prompt has 3,034 tokens", "at most 1,735"],
    ),
    "sglang, docs/advanced_features/hyperparameter_tuning.md": (
        "KV cache pool is full. Retract requests. #retracted_reqs: 1, #new_token_ratio: 0.9998 -> 1.0000",
        {}, ["took back 1 request,", "--schedule-conservativeness"],
    ),
}  # fmt: skip

LLAMA_CPP = {
    "llama.cpp 11200": (
        "llama_kv_cache_init: kv_size = 32768, offload = 1, type_k = 'q8_0', type_v = 'q8_0', n_layer = 64\n"
        "llama_kv_cache_init: layer 0: n_embd_k_gqa = 1024, n_embd_v_gqa = 1024\n"
        "llama_new_context_with_model: KV self size  = 4352.00 MiB, K (q8_0): 2176.00 MiB, V (q8_0): 2176.00 MiB",
        {}, ["4.25 GiB for the cache", "64 layers × 32,768 cells × 2,176 bytes", "to the log's rounding"],
    ),
    "llama-cpp-python 66": (
        "llama_model_load_internal: n_ctx      = 512\nllama_model_load_internal: n_layer    = 60\n"
        "llama_init_from_file: kv self size  = 1560.00 MB",
        {}, ["1.52 GiB for the cache", "512 cells / 60 layers = 53,248 bytes"],
    ),
    "LLamaSharp 1099": (
        "llama_context: n_ctx = 4096\n[llama Debug]: llama_kv_cache_init: layer 35: n_embd_k_gqa = 256\n"
        "llama_init_from_model: KV self size  =  144.00 MiB, K (f16):   72.00 MiB, V (f16):   72.00 MiB",
        {"model": "qwen-2.5-3b"}, ["144 MiB for the cache", "36,864 bytes", "to the log's rounding"],
    ),
    "ik_llama.cpp 235": (
        "llama_new_context_with_model: n_ctx      = 32768\n"
        "llama_kv_cache_init: layer 1: n_embd_head_qk_rope = 64, kv_lora_rank = 512\n"
        "llama_new_context_with_model: KV self size  = 2196.00 MiB, c^KV (f16): 2196.00 MiB, kv^T: not used",
        {"model": "deepseek-v3"}, ["2.14 GiB for the cache", "70,272 bytes", "to the log's rounding"],
    ),
    "lmstudio 1862": (
        "llama_kv_cache: size = 16384.00 MiB ( 65536 cells,  16 layers,  4/4 seqs), K (f16): 8192.00 MiB, V (f16): 8192.00 MiB\n"
        "llama_memory_recurrent: size = 598.50 MiB ( 4 cells,  64 layers,  4 seqs), R (f32): 22.50 MiB, S (f32): 576.00 MiB",
        {"model": QWEN_27B}, ["16 GiB for the cache", "65,536 each, 4 sequences", "598.5 MiB", "to the log's rounding"],
    ),
    "gpt-oss-120b with -c 65535, in a comment of a public script": (
        "llama_kv_cache_iswa: creating non-SWA KV cache, size = 65536 cells\n"
        "llama_kv_cache: size = 2304.00 MiB (65536 cells, 18 layers, 4/1 seqs)\n"
        "llama_kv_cache_iswa: creating     SWA KV cache, size = 1024 cells\n"
        "llama_kv_cache: size =   36.00 MiB ( 1024 cells, 18 layers, 4/1 seqs)",
        {"model": "gpt-oss-120b"}, ["2.29 GiB for the cache", "65,536 for all, 4 sequences", "to the log's rounding"],
    ),
    "gpustack 1269": (
        "3.02.199.202 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4480.00 MiB on device 3: cudaMalloc "
        "failed: out of memory\n3.02.199.205 E llama_kv_cache_init: failed to allocate buffer for kv cache",
        {}, ["no 4.38 GiB left for the cache", "--ctx-size"],
    ),
    "ik_llama.cpp 749": (
        "KV self size  = 1005.79 MiB, c^KV (f16): 1005.79 MiB, kv^T (f16):    0.00 MiB\nallocating 279356.51 MiB on "
        "device 0: cudaMalloc failed: out of memory\nllama_new_context_with_model: failed to allocate compute buffers",
        {}, ["no 272.81 GiB left for the compute buffer", "--ubatch-size 256"],
    ),
    "ramalama 1914": (
        "slot update_slots: id  0 | task 2017 | new prompt, n_ctx_slot = 2048, n_keep = 0, n_prompt_tokens = 2059\n"
        "error: the request exceeds the available context size. try increasing the context size",
        {"model": "llama-3.1-8b"}, ["2,048 cells, and the prompt has 2,059", "--ctx-size 2816", "+768 tokens"],
    ),
    "textgen 7257": (
        '{"error":{"code":400,"message":"the request exceeds the available context size.","n_prompt_tokens":14429,'
        '"n_ctx":8192}}',
        {}, ["8,192 cells, and the prompt has 14,429", "--ctx-size 18176"],
    ),
    "llama.cpp 27752": ("W decode: failed to find a memory slot for batch of size 26", {}, ["no cell left"]),
    "TensorRT-LLM 1400": (
        "[TensorRT-LLM][INFO] Allocate 69524783104 bytes for k/v cache.\n"
        "[TensorRT-LLM][INFO] Using 132608 tokens in paged KV cache.",
        {"model": "llama-2-7b"}, ["132,608 tokens = 524,288 bytes", "what kvlib counts"],
    ),
    "TensorRT-LLM 224": ("[TensorRT-LLM][INFO] Using 10718 tokens in paged KV cache.", {}, ["10,718 tokens"]),
}  # fmt: skip

OLLAMA = {
    "ollama 12000": (
        'msg=offload library=cuda layers.requested=-1 layers.model=49 layers.offload=48 memory.available="[11.1 GiB]" '
        'memory.required.full="11.4 GiB" memory.required.partial="8.9 GiB" memory.required.kv="992.0 MiB"\n'
        'msg="starting llama server" cmd="ollama runner --ctx-size 8192 --batch-size 512 --parallel 1"',
        {}, ["needs 11.4 GiB and 11.1 GiB is free: 48 of 49 layers", "OLLAMA_KV_CACHE_TYPE=q8_0"],
    ),
    "ollama 3431": (
        "llama_new_context_with_model: KV self size  = 2560.00 MiB, K (f16): 1280.00 MiB, V (f16): 1280.00 MiB\n"
        '{"function":"initialize","msg":"new slot","n_ctx_slot":2048,"slot_id":0}',
        {}, ["2.5 GiB for the cache"],
    ),
}  # fmt: skip

TORCH = {
    "FreeToken 168": (
        f"{OOM} 128.00 MiB. GPU 0 has a total capacity of 11.63 GiB of which 21.56 MiB is free. Including non-PyTorch "
        "memory, this process has 11.07 GiB memory in use. Of the allocated memory 10.85 GiB is allocated by PyTorch, "
        "with 22.00 MiB in private pools, and 36.30 MiB is reserved by PyTorch but unallocated.",
        {"model": "qwen-3-8b"}, ["21.56 MiB of 11.63 GiB was free", "would be 910 tokens"],
    ),
    "text-generation-inference 3105": (
        f"{OOM} 30.52 GiB. GPU 2 has a total capacity of 79.10 GiB of which 14.37 GiB is free. Process 3342216 has "
        "64.72 GiB memory in use. Of the allocated memory 62.19 GiB is allocated by PyTorch, and 1.00 GiB is reserved "
        "by PyTorch but unallocated.",
        {}, ["asked for 30.52 GiB at once", "16.15 GiB is short"],
    ),
    "text-generation-inference 1356": (
        f"{OOM} 18.00 MiB. GPU 0 has a total capacty of 79.11 GiB of which 14.62 MiB is free. Of the allocated memory "
        "78.11 GiB is allocated by PyTorch, and 131.85 MiB is reserved by PyTorch but unallocated.",
        {}, ["fragmentation", "expandable_segments"],
    ),
    "vllm 783": (
        f"{OOM} 1.63 GiB (GPU 0; 44.56 GiB total capacity; 27.91 GiB already allocated; 565.31 MiB free; 27.93 GiB "
        "reserved in total by PyTorch)",
        {}, ["Other processes hold 16.08 GiB"],
    ),
    "memo 33": (
        f"{OOM} 32.00 GiB. GPU 0 has a total capacity of 22.00 GiB of which 0 bytes is free. Of the allocated memory "
        "38.97 GiB is allocated by PyTorch, and 3.20 GiB is reserved by PyTorch but unallocated.",
        {}, ["No card can give that"],
    ),
}  # fmt: skip

LINES = {"vllm": VLLM, "sglang": SGLANG, "llama.cpp": LLAMA_CPP, "ollama": OLLAMA, "torch": TORCH}
