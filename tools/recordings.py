"""`make recordings`: what SmolLM2 does while it continues a sentence, for the figure that plays it again.

    python -m tools.recordings       # writes book/recordings/decode.json

A run on a CPU in float32, greedy, with a cache. Of each step are kept, of every layer and head, the newest
token's scores (in tenths) and weights (in whole per cent), and the likeliest next tokens; of every token
that was projected, how long its key and its value is in each layer (in hundredths).
"""

import math
import shlex
import sys
from pathlib import Path

import torch

from kvlib import load_smollm2
from kvlib.decoder import rotate
from kvlib.measure import record
from kvlib.widgets.recorded import packed

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "book" / "recordings" / "decode.json"
PROMPT = "The capital of France is Paris. The capital of Italy is"
STEPS = 8  # tokens that are written
CANDIDATES = 4  # next tokens of each step that are kept


class Watched:
    """While the block lasts, `steps` takes of each step of the decoder what its newest token scored.

    An entry a step, (scores, weights), each a list of [H, S], a layer an entry; S keys are there then. It
    needs a cache.
    """

    def __init__(self, decoder):
        self.decoder, self.steps = decoder, []

    def __enter__(self):
        self._kernels, self.decoder.kernels = self.decoder.kernels, None  # they would rotate by themselves
        self.decoder._mix = self._watched
        return self.steps

    def __exit__(self, *error):
        del self.decoder._mix
        self.decoder.kernels = self._kernels

    def _watched(self, i, qkv, rotary, cache, pad):
        out = type(self.decoder)._mix(self.decoder, i, qkv, rotary, cache, pad)
        if i == 0:
            self.steps.append(([], []))
        scores = newest_scores(qkv, rotary, cache.view(i).gather()[0], self.decoder.n_heads)
        for kept, values in zip(self.steps[-1], (scores, scores.softmax(-1)), strict=True):
            kept.append(values)
        return out


def newest_scores(qkv, rotary, k, n_heads):
    """[H, S]: the newest query's products with every key, over √D.

    qkv [1, T, H + 2 H_kv, D] as projected, rotary the cos and sin of its tokens, k [1, H_kv, S, D] as cached.
    """
    q = rotate(qkv[:, :, :n_heads], *rotary)[0, -1]  # [H, D]
    groups = q.view(k.shape[1], -1, q.shape[-1])  # the query heads that share a KV head
    return (groups @ k[0].transpose(1, 2)).flatten(0, 1) / math.sqrt(q.shape[-1])


@torch.inference_mode()
def run(lm, prompt=PROMPT, steps=STEPS) -> dict:
    """What is recorded of the model's run, as tensors and texts; `rounded` makes it small.

    tokens      every token's text, the prompt's first; the last is written and not read
    scores, weights  [layers, H, S] of each step, S the keys that are there
    keys, values     [layers, tokens in the cache]: the length of all KV heads' numbers together
    next        of each step, (text, probability) of the likeliest next tokens
    """
    ids, _ = lm.encode([prompt])
    prompt_tokens = ids.shape[1]
    cache, fed, likeliest = lm.make_cache(capacity=prompt_tokens + steps), ids, []
    with Watched(lm.decoder) as seen:
        for _ in range(steps):
            chances, tokens = lm.decoder(fed, cache)[0].float().softmax(-1).topk(CANDIDATES)
            texts = [lm.tokenizer.decode([token], skip_special_tokens=False) for token in tokens.tolist()]
            likeliest.append(list(zip(texts, chances.tolist(), strict=True)))
            fed = tokens[None, :1]
            ids = torch.cat([ids, fed], dim=1)
    kept = [cache.view(i).gather() for i in range(lm.layout.n_layers)]
    return {
        "prompt_tokens": prompt_tokens,
        "tokens": [lm.tokenizer.decode([t]) for t in ids[0].tolist()],
        "scores": [torch.stack(scores) for scores, _ in seen],
        "weights": [torch.stack(weights) for _, weights in seen],
        "keys": torch.stack([k[0].transpose(0, 1).flatten(1).norm(dim=1) for k, _ in kept]),
        "values": torch.stack([v[0].transpose(0, 1).flatten(1).norm(dim=1) for _, v in kept]),
        "next": likeliest,
    }


def rounded(found: dict) -> dict:
    """A run as it is kept: its arrays packed, the steps of scores and weights one after the other.

    Raises ValueError for a score that a byte cannot hold.
    """

    def whole(values, unit):
        return (values.double() / unit).round().long().numpy()

    return {
        "prompt_tokens": found["prompt_tokens"],
        "tokens": found["tokens"],
        "scores": packed(whole(torch.cat(found["scores"], dim=2), 0.2), "i1"),
        "weights": packed(whole(torch.cat(found["weights"], dim=2), 0.01), "u1"),
        "keys": packed(whole(found["keys"], 0.01), "u2"),
        "values": packed(whole(found["values"], 0.01), "u2"),
        "next": [[[text, round(1000 * p)] for text, p in step] for step in found["next"]],
    }


def main() -> int:
    torch.set_num_threads(1)
    lm = load_smollm2("cpu", "float32")
    about = record.provenance("smollm2-135m", shlex.join(["python", "-m", "tools.recordings"]))
    about |= {"dtype": "fp32", "prompt": PROMPT, "temperature": 0}
    FILE.parent.mkdir(exist_ok=True)
    record.write(FILE, about | rounded(run(lm)))
    print(f"recording written to {FILE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
