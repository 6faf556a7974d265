"""More wrong answers to the exercises of chapter 04."""

from .made import edited, rows

READ = """
def read_geometry(config):
    text = config.get("text_config", config)
    heads = text["num_attention_heads"]
    kv_heads = text.get("num_key_value_heads") or heads
    head_dim = text.get("head_dim") or text["hidden_size"] // heads
    kind = "MHA" if kv_heads == heads else "MQA" if kv_heads == 1 else "GQA"
    return text["num_hidden_layers"], kv_heads, head_dim, kind
"""
GROUPED = """
import numpy as np
def grouped_attention(q, k, v):
    (heads, width), kv_heads = q.shape, k.shape[0]
    groups = q.reshape(kv_heads, heads // kv_heads, width)
    scores = groups @ k.swapaxes(1, 2) / np.sqrt(width)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights @ v).reshape(heads, width)
"""
ONE_BY_ONE = """
import numpy as np
def grouped_attention(q, k, v):
    out = np.zeros_like(q)
    for h in range(len(q)):
        g = h // (len(q) // len(k))
        scores = k[g] @ q[h] / np.sqrt(q.shape[1])
        weights = np.exp(scores - scores.max())
        out[h] = weights / weights.sum() @ v[g]
    return out
"""


def read(*changes):
    return edited(READ, "read_geometry", *changes)


def grouped(*changes):
    return edited(GROUPED, "grouped_attention", *changes)


SUM = "weights.sum(axis=-1, keepdims=True)"
WEIGHTS = "np.exp(scores - scores.max(axis=-1, keepdims=True))"
BACK = "(weights @ v).reshape(heads, width)"

WRONG = [
    ("04-factor", 6.25, "the share that is left, in per cent"),
    ("04-factor", 17, "You add 1"),
    ("04-factor", 384 / 144, "You count the queries too"),
    ("04-head-dim", 160 / 128, "You leave head_dim out"),
    ("04-head-dim", 5, "You divide head_dim by the heads"),
    ("04-head-dim", 2 * 40 * 5120 * 2 / 1024, "for all that the KV heads keep of a token"),
    ("04-read", read(("], kv_heads", "], heads")), "but gives the query heads for the KV heads"),
    ("04-read", read(('text.get("head_dim")', 'config.get("head_dim")')), "beside text_config"),
    *rows(
        "04-three-b",
        {
            "Qwen 2.5 3B": [(128, "You take the claim's layers"), (576, "You take the claim's KV heads")],
            "claim over Qwen": [
                (448 / 144, "That is Llama 3.2 3B over Qwen"),
                (23 / 9, "You give by how much the claim is larger"),
                (3200 / 9, "You answer in per cent"),
                (512, "You give the MiB that the claim keeps"),
                (128 / 9, "You count the claim's 32 query heads"),
                (16 / 9, "Or: You count the query heads"),
                (1, "You take the claim's geometry for Qwen 2.5 3B, too"),
            ],
        },
    ),
    *rows(
        "04-stored",
        {
            "needed": [
                (6, "how many times as large it is"),
                (0.3125 * 5, "what is kept in excess"),
                (0.3125 * 7, "it is among them"),
                (0.3125 * 1.5, "You divide by the KV heads"),
            ]
        },
    ),
    ("04-grouped", grouped((f"    weights /= {SUM}\n", "")), "The softmax divides by it"),
    ("04-grouped", grouped((SUM, "weights.sum(axis=1, keepdims=True)")), "each weighs the tokens"),
    ("04-grouped", grouped((SUM, "weights.sum()")), "It divides by that over all heads"),
    ("04-grouped", grouped((SUM, "weights.sum(axis=(1, 2), keepdims=True)")), "by that over a group"),
    ("04-grouped", grouped((WEIGHTS, "scores")), "It divides scores by their sum"),
    ("04-grouped", grouped((WEIGHTS, "np.exp(scores)")), "It is wrong only where scores are large"),
    ("04-grouped", grouped(("np.sqrt(width)", "np.sqrt(heads)")), "the square root of the query heads"),
    ("04-grouped", grouped(("np.sqrt(width)", "np.sqrt(kv_heads)")), "the square root of the KV heads"),
    (
        "04-grouped",
        grouped((BACK, "np.repeat((weights @ v).mean(1), heads // kv_heads, 0)")),
        "It averages the outputs of a group",
    ),
    (
        "04-grouped",
        edited(ONE_BY_ONE, "grouped_attention", ("h // (len(q) // len(k))", "h // len(k)")),
        "It gives query head h the KV head h // H_kv",
    ),
    ("04-grouped", grouped((f"{BACK}\n", f"{BACK}.T\n")), "where an array of shape [4, 2] is wanted"),
]
RIGHT = [
    ("04-grouped", edited(ONE_BY_ONE, "grouped_attention")),
    ("04-grouped", grouped((BACK, f"list({BACK})"))),
    ("04-read", read(("return ", "return *(), "))),
    ("04-three-b", {"Llama 3.2 3B": "448 MiB", "Qwen 2.5 3B": "144", "claim over Qwen": 3.56}),
]
