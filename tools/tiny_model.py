"""Train the tiny language model of the damaged cache, and measure what each damage costs it.

    python -m tools.tiny_model           trains, measures, writes kvlib/widgets/tiny.json
    python -m tools.tiny_model --measure measures the model that is there, anew

It is a Llama-style decoder of about 100,000 weights, for the stories of tools/tiny_stories.py, a token for
each word. Its weights become codes of 4 bits, one scale for each matrix: from half of the training on,
the forward pass sees the rounded ones (the gradient passes by the rounding; Jacob and others, arXiv
1712.05877). Minutes on one core of a CPU.
"""

import argparse
import json
import math
import platform
import sys
import time
from random import Random

import torch
import torch.nn.functional as F

from kvlib.decoder import rotary_tables, rotate
from kvlib.widgets.tiny import FILE, matrices

from .tiny_recall import measured, shown
from .tiny_stories import story, vocabulary

SHAPE = {
    "layers": 3, "hidden": 64, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn": 96,
    "rope_theta": 10000.0, "eps": 1e-5, "max_context": 160,
}  # fmt: skip
BITS = 4
SEED, STEPS, BATCH, RATE = 1, 1500, 32, 3e-3
ASIDE = 0.1  # how much a token of a beginning counts, beside one of an end
SPREAD = 5.0  # the largest code stands for this many times a weight's mean size


class Net(torch.nn.Module):
    """The model while it learns: matrices [in, out] in the order of `kvlib.widgets.tiny.matrices`."""

    def __init__(self, words):
        super().__init__()
        self.words, self.rounds = words, False
        self.matrices = torch.nn.ParameterList()
        for name, rows, columns in matrices(SHAPE, len(words)):
            # What is added to the residual stream begins small.
            size = 0.5 if name == "embedding" else (0.5 if name in ("out", "down") else 1) / math.sqrt(rows)
            self.matrices.append(torch.nn.Parameter(torch.randn(rows, columns) * size))
        self.cos, self.sin = rotary_tables(
            SHAPE["max_context"], SHAPE["head_dim"], SHAPE["rope_theta"], torch.ones(())
        )

    @staticmethod
    def codes(x):
        """Codes around 0 and their scale, a number that float16 holds."""
        most = 2 ** (BITS - 1) - 1
        scale = (x.detach().abs().mean() * SPREAD / most).half().float()
        return (x.detach() / scale).round().clamp(-most, most), scale

    def weights(self):
        if not self.rounds:
            return list(self.matrices)
        return [x + (codes * scale - x).detach() for x in self.matrices for codes, scale in [self.codes(x)]]

    def forward(self, tokens):
        """Logits [B, T, vocab] of tokens [B, T]."""
        (B, T), H, H_kv, D = tokens.shape, SHAPE["n_heads"], SHAPE["n_kv_heads"], SHAPE["head_dim"]
        *layers, embedding = self.weights()
        cos, sin = self.cos[None, :T], self.sin[None, :T]
        x = embedding.t()[tokens]
        for i in range(0, len(layers), 4):
            qkv, out, gate_up, down = layers[i : i + 4]
            mixed = (self.normed(x) @ qkv).view(B, T, -1, D)
            q, k = (
                part.transpose(1, 2) for part in rotate(mixed[:, :, : H + H_kv], cos, sin).split((H, H_kv), 2)
            )
            v = mixed[:, :, H + H_kv :].transpose(1, 2)
            read = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            x = x + read.transpose(1, 2).reshape(B, T, -1) @ out
            gate, up = (self.normed(x) @ gate_up).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ down
        return self.normed(x) @ embedding

    @staticmethod
    def normed(x):
        return F.rms_norm(x, x.shape[-1:], None, SHAPE["eps"])


def batch(rng, ids):
    """Tokens [BATCH, T] of new stories; how much each counts: 0 for padding, 1 in the end, ASIDE before it.

    What the beginning says is drawn by chance: nobody can foretell it, and it would be most of the loss.
    """
    stories = [story(rng) for _ in range(BATCH)]
    longest = max(len(one.prompt + one.end) for one in stories)
    tokens, counts = torch.zeros(BATCH, longest, dtype=torch.long), torch.zeros(BATCH, longest)
    for one, row, count in zip(stories, tokens, counts, strict=True):
        words = one.prompt + one.end
        row[: len(words)] = torch.tensor([ids[word] for word in words])
        count[: len(words)] = torch.tensor([ASIDE] * len(one.prompt) + [1.0] * len(one.end))
    return tokens, counts


def train(steps=STEPS, seed=SEED):
    """The trained `Net`, and the mean loss of the ends' tokens in its last hundred steps."""
    torch.manual_seed(seed)
    rng, words = Random(seed), vocabulary()
    ids = {word: i for i, word in enumerate(words)}
    net, ended = Net(words), []
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.05)
    for step in range(steps):
        net.rounds = step >= steps // 2
        for group in optimizer.param_groups:
            falls = 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = RATE * min(1, (step + 1) / 100) * falls
        tokens, counts = batch(rng, ids)
        due, counts = tokens[:, 1:].flatten(), counts[:, 1:].flatten()
        losses = F.cross_entropy(net(tokens[:, :-1]).flatten(0, 1), due, reduction="none")
        optimizer.zero_grad()
        ((losses * counts).sum() / counts.sum()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        ended.append(losses[counts == 1].mean().item())
        if (step + 1) % 100 == 0:
            print(
                f"step {step + 1:,} of {steps:,}: loss of the ends {sum(ended[-100:]) / 100:.4f}", flush=True
            )
    return net, sum(ended[-100:]) / len(ended[-100:])


def packed(net, loss, steps, seconds) -> dict:
    """What the file holds of a trained net, without what is measured of it."""
    middle = 2 ** (BITS - 1) - 1
    pairs = [net.codes(x) for x in net.matrices]
    codes = [(c + middle).int().flatten().tolist() for c, _ in pairs]
    return {
        "about": {
            "command": f"python -m tools.tiny_model --steps {steps}",
            "text": "stories by the grammar of tools/tiny_stories.py, written for this course (MIT)",
            "parameters": sum(map(len, codes)), "seed": SEED, "steps": steps, "stories": steps * BATCH,
            "loss_of_the_ends": round(loss, 4), "seconds": round(seconds), "date": time.strftime("%Y-%m-%d"),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        },
        "shape": SHAPE,
        "vocabulary": " ".join(net.words),
        "levels": 2 * middle + 1,
        "scales": [scale.item() for _, scale in pairs],
        "codes": "".join(chr(ord("a") + code) for one in codes for code in one),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--measure", action="store_true", help="keep the weights, measure anew")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.measure:
        data = json.loads(FILE.read_text(encoding="utf-8"))
    else:
        start = time.perf_counter()
        net, loss = train(asked.steps)
        data = packed(net, loss, asked.steps, time.perf_counter() - start)
    stories = shown(data)
    data["stories"] = [
        {
            "seed": seed,
            "prompt": " ".join(one.prompt),
            "end": " ".join(one.end),
            "facts": [*one.facts.items()],
        }
        for seed, one in stories.items()
    ]
    data["measured"] = measured(data, next(iter(stories.values())))
    FILE.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(data["measured"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
