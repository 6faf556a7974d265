"""Wrong answers to chapter 04, sharing heads."""

import copy
from decimal import Decimal

import numpy as np

# 04-read: what a reader of configs gets wrong.


def reads(dim="named", kv="named", inner=True, kind="three", order=(0, 1, 2, 3)):
    """A reader of configs, wrong in the ways that are named."""

    def read(config):
        c = config.get("text_config", config) if inner else config
        heads = c["num_attention_heads"]
        n_kv = {
            "named": lambda: c.get("num_key_value_heads") or heads,
            "get": lambda: c.get("num_key_value_heads", heads),
            "bare": lambda: c["num_key_value_heads"],
            "one": lambda: c.get("num_key_value_heads") or 1,
            "query": lambda: heads,
            "group": lambda: heads // (c.get("num_key_value_heads") or heads),
        }[kv]()
        divided = c["hidden_size"] // heads
        d = {
            "named": lambda: c.get("head_dim") or divided,
            "get": lambda: c.get("head_dim", divided),
            "bare": lambda: c["head_dim"],
            "divided": lambda: divided,
            "max": lambda: max(c.get("head_dim") or 0, divided),
            "min": lambda: min(c.get("head_dim") or divided, divided),
            "kv": lambda: c.get("head_dim") or c["hidden_size"] // n_kv,
            "float": lambda: c.get("head_dim") or c["hidden_size"] / heads + 0.5,
        }[dim]()
        mha, mqa = n_kv == heads, n_kv == 1
        k = {
            "three": "MHA" if mha else "MQA" if mqa else "GQA",
            "no mqa": "MHA" if mha else "GQA",
            "no mha": "MQA" if mqa else "GQA",
            "swapped": "MQA" if mha else "MHA" if mqa else "GQA",
            "lower": "mha" if mha else "mqa" if mqa else "gqa",
        }[kind]
        whole = (c["num_hidden_layers"], n_kv, d, k)
        return tuple(whole[i] for i in order)

    return read


def prints(config):
    print(reads()(config))


# 04-grouped: what attention in groups gets wrong.


def softmax(scores, axis=-1):
    weights = np.exp(scores - scores.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


def one_by_one(which, scale=lambda t, d: d**-0.5, weigh=softmax):
    """Attention, head by head; `which(h, heads, kv_heads)` is the KV head that h reads."""

    def attend(q, k, v):
        rows = []
        for h in range(len(q)):
            g = which(h, len(q), len(k))
            rows.append(weigh(k[g] @ q[h] * scale(k.shape[1], q.shape[1])) @ v[g])
        return np.array(rows)

    return attend


def right_head(h, heads, kv_heads):
    return h // (heads // kv_heads)


def by_repeat(q, k, v):
    k, v = (np.repeat(x, len(q) // len(k), axis=0) for x in (k, v))
    return (softmax(np.einsum("hd,htd->ht", q, k) / q.shape[1] ** 0.5)[:, None, :] @ v)[:, 0]


def by_tile(q, k, v):
    k, v = (np.tile(x, (len(q) // len(k), 1, 1)) for x in (k, v))
    return (softmax(np.einsum("hd,htd->ht", q, k) / q.shape[1] ** 0.5)[:, None, :] @ v)[:, 0]


def groups(q, k, v, axis=-1, flat=True, weigh=None, transposed=False):
    g = q.reshape(len(k), -1, q.shape[1])
    scores = g @ k.transpose(0, 2, 1) / q.shape[1] ** 0.5
    out = (softmax(scores, axis) if weigh is None else weigh(scores)) @ v
    out = out.swapaxes(0, 1) if transposed else out
    return out.reshape(q.shape) if flat else out


def tiled_in_only(q, k, v):
    g = q.reshape(-1, len(k), q.shape[1]).swapaxes(0, 1)
    return (softmax(g @ k.swapaxes(1, 2) / q.shape[1] ** 0.5) @ v).reshape(q.shape)


def only_for_a_single_kv_head(q, k, v):
    return groups(q, k[:1], v[:1])


def without_groups(q, k, v):
    return groups(q, k, v) if len(q) == len(k) else q @ np.ones((3, 5, 7))


def mean_of_heads(q, k, v):
    return groups(q, k.mean(0, keepdims=True), v.mean(0, keepdims=True))


def gives_weights(q, k, v):
    return softmax(q.reshape(len(k), -1, q.shape[1]) @ k.swapaxes(1, 2) / q.shape[1] ** 0.5).reshape(
        len(q), -1
    )


def gives_all_three(q, k, v):
    return groups(q, k, v), k, v


SHARE = "share that is saved"
LLAMA, QWEN = 448.0, 144.0
GOOD = {"Llama 3.2 3B": LLAMA, "Qwen 2.5 3B": QWEN, "claim over Qwen": 512 / 144}


def three_b(points=2, **wrong):
    names = {"llama": "Llama 3.2 3B", "qwen": "Qwen 2.5 3B", "claim": "claim over Qwen"}
    return GOOD | {names[name]: value for name, value in wrong.items()}


STORED = {"kept": 1.875, "needed": 0.3125, "why": "b"}

WRONG = [
    ("04-kinds", {"A": "MHA", "B": "MQA", "C": "GQA"}, "more than one", 1),
    ("04-kinds", {"A": "MQA", "B": "GQA", "C": "MHA"}, "share a single KV head", 1),
    ("04-kinds", {"A": "GQA", "B": "GQA", "C": "GQA"}, "fewer KV heads than query heads", 1),
    ("04-kinds", {"A": "MHA", "B": "MHA", "C": "MQA"}, "the two counts are equal", 2),
    ("04-kinds", {"A": "MHA", "B": "GQA"}, "Not answered yet", 2),
    ("04-kinds", {"A": "multi", "B": "GQA", "C": "MQA"}, "one of: GQA, MHA, MQA", 2),
    ("04-kinds", ["MHA", "GQA", "MQA"], "Give a dict with the keys"),
    ("04-factor", 1 / 16, "You turn it round"),
    ("04-factor", 120, "You subtract"),
    ("04-factor", 32, "You count the 2 for keys and values again"),
    ("04-factor", 128, "sharing among all would be MQA"),
    ("04-factor", 8, "That is the number of KV heads"),
    ("04-factor", 4, "the low end of the claim"),
    ("04-factor", 93.75, SHARE),
    ("04-factor", 0.9375, SHARE),
    ("04-factor", "4 to 8", "Give a number"),
    ("04-factor", 6, "the middle of the claim"),
    ("04-factor", 64, None),
    ("04-factor", (4, 8), "Give one number, not a tuple"),
    ("04-head-dim", 80, "Half of it is missing"),
    ("04-head-dim", 640, "You count the query heads"),
    ("04-head-dim", 200, "You divide hidden_size by the query heads"),
    ("04-head-dim", 6400, "You take hidden_size for head_dim"),
    ("04-head-dim", 800, "You divide hidden_size by the KV heads"),
    ("04-head-dim", 4, "You count one layer"),
    ("04-head-dim", 320, "You take 4 bytes per number"),
    ("04-head-dim", 1280, "You count bits"),
    ("04-head-dim", 163840, "You answer in bytes"),
    ("04-head-dim", 0.15625, "You answer in MiB"),
    ("04-head-dim", 163.84, "You answer in kB"),
    ("04-head-dim", 100, "You divide hidden_size by the query heads"),
    ("04-head-dim", 128, None),
    ("04-head-dim", 20, "You count one head"),
    ("04-head-dim", "160 tokens", "Give the number in KiB"),
    ("04-read", reads("divided"), "It always divides for head_dim"),
    ("04-read", reads("max"), "It takes the larger of head_dim and the division"),
    ("04-read", reads("min"), "It takes the smaller of head_dim and the division"),
    ("04-read", reads("kv"), "It divides hidden_size by the KV heads"),
    ("04-read", reads("get"), "It gives None for head_dim"),
    ("04-read", reads("bare"), "wrong only where head_dim is missing or null"),
    ("04-read", reads("named", "get"), "It gives None for the KV heads"),
    ("04-read", reads("get", "get"), "wrong only where a field is null"),
    ("04-read", reads("named", "bare"), "wrong only where num_key_value_heads is missing or null"),
    ("04-read", reads("bare", "bare"), "wrong only where a field is missing or null"),
    ("04-read", reads("divided", "query"), None),
    ("04-read", reads("named", "query"), "It takes the query heads for the KV heads"),
    ("04-read", reads("named", "one"), "It takes one KV head where the field is missing"),
    ("04-read", reads("named", "group"), "It gives the query heads that share a KV head"),
    ("04-read", reads(inner=False), "in text_config"),
    ("04-read", reads(kind="no mqa"), "It says GQA of a model whose query heads all share"),
    ("04-read", reads(kind="no mha"), "It says GQA of a model whose query heads have a KV head each"),
    ("04-read", reads(kind="swapped"), "MHA and MQA the wrong way round"),
    ("04-read", reads(order=(0, 1, 2)), "It leaves out the kind"),
    ("04-read", reads(order=(0, 2, 1, 3)), "in another order"),
    ("04-read", reads("float"), "wrong only where head_dim is missing or null"),
    ("04-read", prints, "It prints; hand the result back"),
    (
        "04-read",
        reads()({"num_hidden_layers": 1, "num_attention_heads": 4, "hidden_size": 8}),
        "without brackets",
    ),
    ("04-three-b", three_b(llama=512, qwen=512), "That is the claim's figure", 1),
    ("04-three-b", three_b(llama=224, qwen=72), "Half of it is missing", 1),
    ("04-three-b", three_b(llama=1344, qwen=1152), "You count the query heads", 1),
    ("04-three-b", three_b(llama=112, qwen=36), "You give the KiB of one token", 1),
    ("04-three-b", three_b(llama=0.4375, qwen=0.140625), "You answer in GiB", 1),
    ("04-three-b", three_b(llama=469.76, qwen=150.99), "You answer in MB", 1),
    ("04-three-b", three_b(llama=896, qwen=288), "You take 4 bytes per number", 1),
    ("04-three-b", three_b(llama=16, qwen=4), "You count one layer", 1),
    ("04-three-b", three_b(llama=672, qwen=576), "Half of it is missing", 1),
    ("04-three-b", three_b(claim=144 / 512), "You turn it round", 2),
    ("04-three-b", three_b(claim=512 / 448), "That is the claim over Llama 3.2 3B", 2),
    ("04-three-b", three_b(claim=4), "You compare the KV heads alone", 2),
    ("04-three-b", three_b(claim=368), "You subtract", 2),
    ("04-grouped", one_by_one(lambda h, heads, kv: h % kv), "as np.tile does"),
    ("04-grouped", by_tile, "as np.tile does"),
    ("04-grouped", by_repeat, "The result is right, but it took"),
    ("04-grouped", tiled_in_only, "puts the outputs back as np.repeat would"),
    ("04-grouped", lambda q, k, v: groups(q, k, v, transposed=True), "mixes up the order of the outputs"),
    ("04-grouped", one_by_one(right_head, lambda t, d: 1), "leaves out the division"),
    ("04-grouped", one_by_one(right_head, lambda t, d: 1 / d), "not by its square root"),
    ("04-grouped", one_by_one(right_head, lambda t, d: d**0.5), "multiplies by the square root"),
    ("04-grouped", one_by_one(right_head, lambda t, d: t**-0.5), "the square root of the tokens"),
    ("04-grouped", one_by_one(right_head, weigh=lambda s: s), "leaves out the softmax"),
    ("04-grouped", one_by_one(right_head, weigh=np.exp), "do not add up to 1"),
    ("04-grouped", lambda q, k, v: groups(q, k, v, axis=1), "runs over the query heads"),
    ("04-grouped", lambda q, k, v: groups(q, k, v, axis=0), None),
    ("04-grouped", lambda q, k, v: groups(q, k, v, axis=(0, 1, 2)), "the sum of all heads together"),
    ("04-grouped", lambda q, k, v: groups(q, k, v, flat=False), "It keeps the groups apart"),
    ("04-grouped", only_for_a_single_kv_head, "Every query head reads the first KV head"),
    ("04-grouped", without_groups, "wrong only where several query heads share"),
    ("04-grouped", mean_of_heads, "It averages the KV heads"),
    ("04-grouped", gives_weights, "It gives the weights"),
    ("04-grouped", lambda q, k, v: groups(q, k, k), "It averages the keys"),
    ("04-grouped", lambda q, k, v: groups(q, v, k), "keys and values the wrong way round"),
    ("04-grouped", gives_all_three, "It gives a tuple where an array"),
    ("04-stored", STORED | {"kept": 0.3125}, "That is what has to be kept", 2),
    ("04-stored", STORED | {"needed": 1.875}, "You count the heads of the shape", 2),
    ("04-stored", {"kept": 0.3125, "needed": 1.875, "why": "b"}, "the KV heads suffice", 1),
    ("04-stored", STORED | {"kept": 0.9375, "needed": 0.15625}, "Half of it is missing", 1),
    ("04-stored", STORED | {"kept": 3.75, "needed": 0.625}, "You take 4 bytes per number", 1),
    ("04-stored", STORED | {"kept": 0.046875, "needed": 0.0078125}, "You count one layer", 1),
    ("04-stored", STORED | {"kept": 2.0133, "needed": 0.33554}, "You answer in GB", 1),
    ("04-stored", STORED | {"kept": 1920, "needed": 320}, "You answer in MiB", 1),
    ("04-stored", STORED | {"why": "a"}, "In fp32 the shape would be the same", 2),
    ("04-stored", STORED | {"why": "c"}, "All heads are as wide as the config says", 2),
    ("04-stored", STORED | {"why": "d"}, "Queries are not kept", 2),
    ("04-stored", STORED | {"why": "e"}, "Grouped-query attention does shrink the cache", 2),
    ("04-history", "b", "all query heads share one single KV head"),
    ("04-history", "MQA", "all query heads share one single KV head"),
    ("04-history", "a", "there would be 64 KV heads"),
    ("04-history", "d", "not how many heads keep them"),
    ("04-history", 3, "one of: a, b, c, d"),
]


def attend_in_float32(q, k, v):
    return groups(*(x.astype(np.float32) for x in (q, k, v)))


def attend_by_einsum(q, k, v):
    g = q.reshape(len(k), -1, q.shape[1])
    return np.einsum("kgt,ktd->kgd", softmax(np.einsum("kgd,ktd->kgt", g, k) / q.shape[1] ** 0.5), v).reshape(
        q.shape
    )


def read_as_a_list(config):
    return list(reads()(copy.copy(config)))


RIGHT = [
    ("04-kinds", {"A": "multi-head", "B": "gqa", "C": "Multi-query attention"}),
    ("04-factor", "16"),
    ("04-factor", np.array(16)),
    ("04-head-dim", "160 KiB"),
    ("04-head-dim", "0.15625 MiB"),
    ("04-head-dim", Decimal(160)),
    ("04-read", read_as_a_list),
    ("04-three-b", {"Llama 3.2 3B": "448 MiB", "Qwen 2.5 3B": np.float32(144), "claim over Qwen": 3.56}),
    ("04-grouped", attend_in_float32),
    ("04-grouped", attend_by_einsum),
    ("04-grouped", one_by_one(right_head)),
    ("04-grouped", lambda q, k, v: one_by_one(right_head)(q, k, v).tolist()),
    ("04-stored", {"kept": 1.88, "needed": "0.313", "why": "b)"}),
    ("04-history", "(C)"),
    ("04-history", "GQA"),
]
