"""`make recordings`: keys of one layer and KV head of SmolLM2, and a query that reads them.

    python -m tools.real_key        # writes book/recordings/key.json

The model reads one sentence on a CPU in float32. Kept are the head's keys before rotation and its first
query head's query of the last token, as attention uses it, in 1/64. Of every layer and KV head is kept
how far its largest channel stands out, and how much the keys gain by grouping along channels; of the
recorded keys, what each way of quantizing them costs.
"""

import math
import shlex
import sys

import torch

from kvlib import load_smollm2
from kvlib.cache.codes import Codes
from kvlib.decoder import rotate
from kvlib.measure import record
from kvlib.measure.lowrank import unrotated
from kvlib.widgets.realkey import BITS, CHANNELS, GROUPS, TOKENS, numbers
from kvlib.widgets.recorded import packed, unpacked
from tools.recordings import FILE as DECODE

FILE = DECODE.with_name("key.json")
SENTENCE = (
    "Each word that a language model reads leaves a key and a value in its memory, and a few channels of the "
    "keys are far larger than all the others."
)
# Of the 90 heads, the one whose keys gain most by channel, before rotation: `gains` has them all.
LAYER, KV_HEAD = 2, 0
UNIT = 64


@torch.inference_mode()
def run(lm, text=SENTENCE) -> dict:
    """What the model keeps of `text`: its tokens, and of every layer keys and the newest query.

    keys, before  [layers, H_kv, T, D] after and before rotation; queries [layers, H, D] after it
    """
    ids, _ = lm.encode([text])
    T, decoder, queries = ids.shape[1], lm.decoder, []
    mix = decoder._mix

    def watched(i, qkv, rotary, cache, pad):
        queries.append(rotate(qkv[:, :, : decoder.n_heads], *rotary)[0, -1])
        return mix(i, qkv, rotary, cache, pad)

    decoder._mix = watched
    try:
        cache = lm.make_cache(capacity=T)
        decoder(ids, cache)
    finally:
        del decoder._mix
    keys = torch.cat([cache.view(i).gather()[0] for i in range(lm.layout.n_layers)])
    return {
        "tokens": [lm.tokenizer.decode([t]) for t in ids[0].tolist()],
        "keys": keys,
        "before": unrotated(keys, decoder.cos[:T], decoder.sin[:T]),
        "queries": torch.stack(queries),
    }


def read_back(keys, bits, group, by_channel):
    """Keys [..., T, D] as a cache of codes reads them."""
    heads = keys.reshape(1, -1, *keys.shape[-2:])
    kind = dict(bits=bits, group=group, by_channel=by_channel, dtype=keys.dtype, device=keys.device)
    return Codes(*heads.shape, **kind).rounded(heads).view(keys.shape)


def rms(x, dim=None):
    """The root of the mean of the squares, in float64."""
    return x.double().square().mean(dim).sqrt()


def outliers(keys) -> list:
    """[layers][H_kv]: the mean size of the largest channel, in those of the median channel."""
    sizes = keys.abs().mean(-2)
    return [[round(x, 1) for x in row] for row in (sizes.amax(-1) / sizes.median(-1).values).tolist()]


def gains(keys) -> list:
    """[layers][H_kv]: how many times larger the error is by token than by channel, at 4 bits in 32s."""
    by_token, by_channel = (rms(read_back(keys, 4, 32, way) - keys, (-2, -1)) for way in (False, True))
    return [[round(x, 2) for x in row] for row in (by_token / by_channel).tolist()]


def measured(found: dict) -> list[dict]:
    """What each way of quantizing the recorded keys costs: errors of the numbers and of scores q·k / √D."""
    query, rows = torch.from_numpy(unpacked(found["query"]) / found["unit"]), []
    angles = torch.outer(
        torch.arange(TOKENS, dtype=torch.float64),
        found["rope_theta"] ** -(torch.arange(0, CHANNELS, 2, dtype=torch.float64) / CHANNELS),
    )
    cos, sin = torch.cat((angles.cos(), angles.cos()), -1), torch.cat((-angles.sin(), angles.sin()), -1)
    for rotated in (True, False):
        keys = torch.from_numpy(numbers(found, rotated))

        def scores(keys, rotated=rotated):
            turned = keys.double() if rotated else rotate(keys.double()[None], cos, sin)[0]
            return turned @ query / math.sqrt(CHANNELS)

        for group in GROUPS:
            for bits in BITS:
                for way in ("token", "channel"):
                    read = read_back(keys, bits, group, way == "channel")
                    error, off = rms(read - keys).item(), rms(scores(read) - scores(keys)).item()
                    setting = {"rotated": rotated, "group": group, "bits": bits, "keys": way}
                    rows.append(setting | {"error": round(error, 4), "scores": round(off, 4)})
    return rows


def rounded(found: dict, rope_theta: float) -> dict:
    """A run as it is kept. The keys' two bytes lie apart: so the file compresses better."""

    def whole(values):
        return (values.double() * UNIT).round().long().numpy()

    before, queries = found["before"], found["queries"]
    head = KV_HEAD * queries.shape[1] // before.shape[1]
    keys = whole(before[LAYER, KV_HEAD])
    kept = {
        "layer": LAYER, "kv_head": KV_HEAD, "head": head, "rope_theta": rope_theta, "unit": UNIT,
        "tokens": found["tokens"], "keys_high": packed(keys >> 8, "i1"), "keys_low": packed(keys & 255, "u1"),
        "query": packed(whole(queries[LAYER, head]), "i2"),
    }  # fmt: skip
    return kept | {
        "outliers": outliers(found["keys"]),
        "gains": {"before": gains(before), "after": gains(found["keys"])},
        "measured": measured(kept),
    }


def main() -> int:
    torch.set_num_threads(1)
    lm = load_smollm2("cpu", "float32")
    about = record.provenance("smollm2-135m", shlex.join(["python", "-m", "tools.real_key"]))
    about |= {"dtype": "fp32", "prompt": SENTENCE}
    record.write(FILE, about | rounded(run(lm), rope_theta(lm)))
    print(f"recording written to {FILE.name}")
    return 0


def rope_theta(lm) -> float:
    """The base of the model's rotary angles, read from the second angle of position 1."""
    D, sin, cos = lm.decoder.head_dim, *(table[1, 0].double() for table in (lm.decoder.sin, lm.decoder.cos))
    return round(math.atan2(-sin[1], cos[1]) ** (-D / 2))


if __name__ == "__main__":
    sys.exit(main())
