"""This engine beside transformers' own generate, for `make bench`: the same weights, dtype and threads."""

import time
import warnings
from functools import partial

import torch

from kvlib.cache import make_cache, torch_dtype
from kvlib.measure.command import default_dtype
from kvlib.measure.decode import decode_times, fill
from kvlib.measure.quality import text
from kvlib.measure.rows import takes
from kvlib.measure.shapes import SHAPES, shape_decoder
from kvlib.measure.timing import median, spread, wait
from kvlib.smollm2 import load_smollm2, model_file
from kvlib.units import fmt_seconds


def decode(rounds):
    """Decode, SmolLM2, float32, greedy, each side's own generate (target: 1.5 × the default cache)"""
    from transformers import AutoModelForCausalLM

    lm = load_smollm2("cpu")
    path = model_file()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    rows = []
    for context in (128, 2048):
        prompt = prompt_of(lm, context)
        tokens = torch.tensor([lm.tokenizer.encode(prompt).ids])
        sides = {
            "kvlib": partial(ours, lm, prompt),
            "transformers, default cache": partial(theirs, model, tokens, None),
            "transformers, static cache": partial(theirs, model, tokens, "static"),
        }
        seconds = {name: [] for name in sides}
        for _ in range(rounds):
            for name, generate in sides.items():
                seconds[name] += generate()
        base = median(seconds["kvlib"])
        for name, took in seconds.items():
            rows.append({
                "side": name, "context": tokens.shape[1], "a token takes": fmt_seconds(median(took)),
                "tokens/s": round(1 / median(took), 1), "kvlib is faster by": round(median(took) / base, 2),
                "varies": f"{spread(took):.0%}",
            })  # fmt: skip
    return rows


def prompt_of(lm, context) -> str:
    """The course's text, again and again, cut to `context` tokens."""
    ids = lm.tokenizer.encode(text() * (1 + context // 1000)).ids[:context]
    return lm.tokenizer.decode(ids)


def ours(lm, prompt, new=16):
    """Seconds from one token to the next, as a caller of generate sees them."""
    stamps = []
    lm.generate(prompt, new, stop=False, on_token=lambda piece: stamps.append(time.perf_counter()))
    return intervals(stamps)


def theirs(model, tokens, implementation, new=16, skip=1):
    """The same of transformers' own loop; `tokens` [B, T]. `skip` is the steps that make things once."""
    from transformers import LogitsProcessor

    stamps = []

    class Stamp(LogitsProcessor):  # called once a step; a streamer would take only one sequence
        def __call__(self, ids, scores):
            wait(scores.device)
            stamps.append(time.perf_counter())
            return scores

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=new, min_new_tokens=new,
            do_sample=False, eos_token_id=None, pad_token_id=0, cache_implementation=implementation,
            logits_processor=[Stamp()],
        )  # fmt: skip
    return intervals(stamps, skip)


def intervals(stamps, skip=1):
    """Times from each stamp to the next, after the first `skip`; the first stamp ends the prefill."""
    return [later - earlier for earlier, later in zip(stamps[skip:], stamps[skip + 1 :], strict=False)]


def cuda(rounds, shape="7b-gqa", context=8192, batches=(1, 16), device="cuda"):
    """CUDA, a 7B shape with 8 KV heads, context 8192 (target: 75 % of the floor at batch 1, 80 % at 16)"""
    if device == "cuda" and not torch.cuda.is_available():
        print("no CUDA GPU here: nothing was measured")
        return []
    dtype = default_dtype(device)
    decoder = shape_decoder(shape, dtype=dtype, device=device)
    rows, _ = decode_times(decoder, [context], ["contiguous"], batches, steps=10 * rounds)
    shown = [_ours_on_cuda(decoder, row) for row in rows]
    floors = {row["batch"]: row.get("floor_seconds") for row in rows}
    del decoder
    return shown + transformers_static(shape, context, batches, floors, dtype, device)


def _ours_on_cuda(decoder, row):
    shown = {"side": "kvlib", "batch": row["batch"]}
    if "seconds" not in row:
        return shown | {"a step takes": takes(row), "of the floor": ""}
    took = median(stepped(decoder, row["batch"], row["context"]))
    return shown | {"a step takes": fmt_seconds(took), "of the floor": f"{row['floor_seconds'] / took:.0%}"}


def stepped(decoder, batch, context, new=24, skip=6):
    """Seconds from one token to the next, the likeliest taken each time: what `theirs` counts."""
    capacity, like = context + new, dict(dtype=decoder.dtype, device=decoder.device)
    stamps = []
    with torch.inference_mode():
        cache = make_cache("contiguous", decoder.layout, batch=batch, capacity=capacity, **like)
        fill(cache, context)
        decoder.prepare(cache)
        token = torch.zeros(batch, 1, dtype=torch.long, device=decoder.device)
        for _ in range(new):
            token = decoder(token, cache).argmax(dim=-1, keepdim=True)
            wait(decoder.device)
            stamps.append(time.perf_counter())
    return intervals(stamps, skip)


def transformers_static(shape, context, batches, floors, dtype, device):
    """transformers with its static cache, compiled on CUDA, at the same shape with random weights."""
    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError:
        return []
    config = LlamaConfig(**SHAPES[shape] | {"max_position_embeddings": context + 64})
    with torch.device(device):
        model = LlamaForCausalLM(config).to(torch_dtype(dtype)).eval()
    rows = []
    for batch in batches:
        row = {"side": "transformers, static cache", "batch": batch}
        zeros = torch.zeros(batch, context, dtype=torch.long, device=device)
        try:
            took = median(theirs(model, zeros, "static", new=24, skip=6))
            reached = f"{floors[batch] / took:.0%}" if floors[batch] else ""
            rows.append(row | {"a step takes": fmt_seconds(took), "of the floor": reached})
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            rows.append(row | {"a step takes": "out of memory", "of the floor": ""})
    return rows
