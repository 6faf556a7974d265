"""Command lines as nobody should type them: every option with what may be put there by hand or by mistake."""

import random

MODELS = [
    "llama-3.1-8b", "gpt2", "deepseek-v3", "qwen-3-next-80b", "gpt-oss-20b", "t5-base",
    "mamba-130m", "gemma-3-1b", "Qwen3 8B", "meta-llama/Llama-3.1-8B-Instruct",
    "https://huggingface.co/Qwen/Qwen3-8B", "lama", "", ".", "/", "~", "no.json", "no.gguf", "x" * 5000,
    "\x00", "../..", "-", "Qwen/" + "y" * 90, "{}", "llama-4-scout", "falcon-h1-34b",
]  # fmt: skip
NUMBERS = [
    "0", "1", "-1", "4096", "128k", "128Ki", "8_192", "8,192", "1e5", "128 k", "10**9",
    "99999999999999999", "1.5k", "1.5", "٣", "½", "0x10", "", " 4096 ", "inf", "nan", "1M",
    "4096tokens", "9" * 400, "−5",
]  # fmt: skip
GPUS = [
    "H100", "4090", "RTX 4090", "A100-80GB", "H100 SXM", "h100:8", "8xH100", "4090 x2", "2x", "x2",
    ":", "H100:", ":2", "H100:0", "H100:99999999999", "M4 Max", "M4 Max 64GB", "48GiB@1.0TB/s",
    "48GiB@1TB/s:2", "48@1", "@", "", "TPU", "0GiB@0B/s", "1e9GiB@1TB/s", "999999999999TiB@1TB/s",
    "x" * 3000, "B300", "H20:2", "Radeon", "RTX5090D", "A100",
]  # fmt: skip
DTYPES = [
    "bf16",
    "FP8",
    "fp8_e4m3",
    "f16",
    "q8_0",
    "Q4_0",
    "nvfp4",
    "mxfp4",
    "int4-g64",
    "int4-g3",
    "fp9",
    "",
]
ENGINES = ["vllm", "vLLM", "sglang", "llama.cpp", "transformers", "ideal", "ollama", "", "tensorrt"]
SIZES = ["1", "1.5GiB", "24GB", "0", "-1", "x", "", "1e9", "9" * 300, "99999999TiB"]
SHARES = ["0.9", "0", "1", "1.1", "-1", "x", "", "nan", "inf", "1e-300"]
COUNTED = ("--context", "--batch", "--source-len", "--block-size", "--tp", "--pp", "--max-num-batched-tokens")
FLAGS = ("--unified", "--swa-full", "--mla-expanded", "--json", "--no-prefix-caching", "--no-hybrid")
OPTIONS = {
    **dict.fromkeys((*COUNTED, "--ubatch", "--state-checkpoints"), NUMBERS),
    **dict.fromkeys(("--dtype", "--kv-cache-dtype", "--cache-type-k", "--cache-type-v"), DTYPES),
    **dict.fromkeys(FLAGS, None),
    "--engine": ENGINES,
    "--swa-ratio": SHARES,
}
FIT = {
    **dict.fromkeys(("--weights", "--overhead", "--activations", "--graphs"), SIZES),
    "--gpu": GPUS,
    "--weights-dtype": [*DTYPES, "awq", "q4_k_m", "gptq"],
    "--utilization": SHARES,
    "--engine-version": ["0.33.0", "0.6.4", "0.1", "x", "", "9.9.9.9"],
    "--max-num-seqs": NUMBERS,
}


def command(rng: random.Random) -> list[str]:
    """A command and its arguments; most have what they need, so that the options are reached."""
    name = rng.choice(("size", "fit", "fit", "models", "explain", "siez"))
    if name not in ("size", "fit"):
        return [name, *rng.sample(["-x", "--json", "a", "--gpu", "H100", "--model", ""], rng.randint(0, 3))]
    options = OPTIONS | (FIT if name == "fit" else {})
    needed = ["--context"] + ["--gpu"] * (name == "fit")
    given = [*needed, *rng.sample(list(options), rng.randint(0, 4))]
    made = [name, rng.choice(MODELS) if rng.random() < 0.4 else rng.choice(MODELS[:8])]
    for option in given:
        values = options[option]
        easy = values and rng.random() < 0.5
        made += [option] if values is None else [option, values[0] if easy else rng.choice(values)]
    return made
