"""Wrong answers of chapter 09 that are programs: a student's own, changed as students err."""

# ruff: noqa: E501

from .made import edited

READER = """
def read(config):
    n = config["num_hidden_layers"]
    heads = config["num_attention_heads"]
    kv = config.get("num_key_value_heads")
    if kv is None:
        kv = heads
    if heads % kv != 0:
        raise ValueError("KV heads")
    dim = config.get("head_dim")
    if dim is None:
        dim = config["hidden_size"] // heads
    size = 2 * kv * dim
    window = config.get("sliding_window")
    p = config.get("sliding_window_pattern")
    if p is None:
        p = 6
    types = config.get("layer_types")
    shared = config.get("num_kv_shared_layers")
    if shared is None:
        shared = 0
    result = []
    for i in range(n):
        if types is not None:
            kind = types[i]
            if kind not in ("full_attention", "sliding_attention"):
                raise ValueError("unknown layer")
            w = window if kind == "sliding_attention" else None
        elif window is None or (i + 1) % p == 0:
            w = None
        else:
            w = window
        if i >= n - shared:
            result.append((0, None))
        else:
            result.append((size, w))
    return result
"""
KEPT = """
def kept(layers, tokens, batch):
    total = 0
    for layer in layers:
        kind = layer["kind"]
        if kind == "full":
            total += 2 * layer["kv_heads"] * layer["head_dim"] * tokens * 2
        elif kind == "sliding":
            total += 2 * layer["kv_heads"] * layer["head_dim"] * min(tokens, layer["window"]) * 2
        elif kind == "latent":
            total += (layer["rank"] + layer["rotary"]) * tokens * 2
        elif kind == "state":
            total += layer["numbers"] * 4
        elif kind == "shared":
            pass
        else:
            raise ValueError(kind)
    return total * batch
"""


def read(*changes):
    return edited(READER, "read", *changes)


def kept(*changes):
    return edited(KEPT, "kept", *changes)


DIM = '    dim = config.get("head_dim")\n    if dim is None:\n        dim = config["hidden_size"] // heads\n'
KV = '    kv = config.get("num_key_value_heads")\n    if kv is None:\n        kv = heads\n'
FIT = '    if heads % kv != 0:\n        raise ValueError("KV heads")\n'
KIND = """            if kind not in ("full_attention", "sliding_attention"):
                raise ValueError("unknown layer")
"""
P = "    if p is None:\n        p = 6\n"
SHARED = "    if shared is None:\n        shared = 0\n"

READ = [
    (read((DIM, '    dim = config["hidden_size"] // heads\n')), "though the config names head_dim"),
    (
        read((DIM, '    dim = config.get("head_dim", config["hidden_size"] // heads)\n')),
        "where head_dim is None",
    ),
    (read((DIM, '    dim = max(config.get("head_dim") or 0, config["hidden_size"] // heads)\n')), None),
    (read((DIM, '    dim = config["head_dim"]\n')), "where head_dim is missing or None"),
    (read((KV, "    kv = heads\n")), "the query heads"),
    (read((KV, '    kv = config.get("num_key_value_heads") or 1\n')), "one KV head where none"),
    (read((KV, '    kv = config["num_key_value_heads"]\n')), "where num_key_value_heads is missing or None"),
    (read((FIT, "")), "does not refuse KV heads"),
    (read((FIT, ""), (KIND, "")), "It refuses nothing"),
    (read((FIT, "    assert heads % kv == 0\n")), "do not divide the query heads, it does not"),
    (read((KIND, "")), "does not know"),
    (read((KIND, KIND.replace("ValueError", "KeyError"))), "does not raise ValueError"),
    (read(("2 * kv * dim", "kv * dim")), "the keys or the values"),
    (read(("2 * kv * dim", "4 * kv * dim")), "counts bytes"),
    (read(("(i + 1) % p", "i % p")), "counts from 0"),
    (read(("(i + 1) % p == 0", "(i + 1) % p != 0")), "the wrong way round"),
    (read(("p = 6", "p = 2")), "the default is 6"),
    (read((P, "    if p is None:\n        p = n + 1\n")), "lets all layers slide"),
    (read(("if types is not None", "if False")), "does not look at layer_types"),
    (read(("i >= n - shared", "False")), "does not look at num_kv_shared_layers"),
    (read(("i >= n - shared", "i < shared")), "they are the last"),
    (read(("i >= n - shared", "i > n - shared")), "one layer too late"),
    (read(("(0, None)", "(0, w)")), "no window either"),
    (read(('window if kind == "sliding_attention" else None', "window")), "where layer_types is there"),
    (read((SHARED, "")), "where num_kv_shared_layers is missing or None"),
    (read(("result.append((size, w))", "result.append(size)")), "it gives no window"),
    (read(("    return result", "    return [r for r in result if r[0]]")), "not left out"),
    (read(("    return result", "    print(result)")), "ends without a return"),
    (read(("(size, w)", "(w, size)")), "the wrong order"),
    (
        read(
            ("            result.append((0, None))", "            yield 0, None"),
            ("            result.append((size, w))", "            yield size, w"),
        ),
        "a generator where a list",
    ),
    (read(("    return result", "    return dict(enumerate(result))")), "a dict where a list"),
    (read(("    return result", "    return result[0]")), "a tuple where a list"),
    (read(("            w = None\n", "            w = 0\n"), ("else None", "else 0")), "that is None, not 0"),
    (read(("heads % kv != 0", "kv % heads != 0")), "refuses KV heads that do divide"),
    (
        read(("    return result", "    result[-shared:] = [(0, None)] * shared\n    return result")),
        "num_kv_shared_layers",
    ),
    (read(("size = 2 * kv * dim", "size = 2 * kv * dim * n")), None),
]
COUNT = [
    (kept(("return total * batch", "return total")), "forgets the batch"),
    (kept(('layer["numbers"] * 4', 'layer["numbers"] * 4 / batch')), "one state for the whole batch"),
    (kept(('layer["numbers"] * 4', 'layer["numbers"] * 2')), "in 2 bytes a number"),
    (kept(('layer["numbers"] * 4', 'layer["numbers"]')), "not its bytes"),
    (kept(('layer["numbers"] * 4', 'layer["numbers"] * 4 * tokens')), "by the tokens"),
    (kept(('layer["numbers"] * 4', 'layer["numbers"] * 8')), "no pair of keys"),
    (kept(("min(tokens, layer", "max(tokens, layer")), "the larger of"),
    (kept(('min(tokens, layer["window"])', "tokens")), "does not look at the window"),
    (kept(('min(tokens, layer["window"])', 'layer["window"]')), "always keeps a whole window"),
    (kept(('min(tokens, layer["window"])', 'min(tokens, layer["window"] - 1)')), "one token fewer than its"),
    (
        kept(('min(tokens, layer["window"])', 'min(tokens, layer["window"]) * layer["window"]')),
        "a layer is sliding",
    ),
    (kept(('(layer["rank"] + layer["rotary"])', 'layer["rank"]')), "the rotary part"),
    (
        kept(('(layer["rank"] + layer["rotary"])', '2 * (layer["rank"] + layer["rotary"])')),
        "the latent twice",
    ),
    (
        kept(('(layer["rank"] + layer["rotary"])', '(2 * layer["rank"] + layer["rotary"])')),
        "the latent twice, and",
    ),
    (kept(('(layer["rank"] + layer["rotary"])', 'layer["rank"] * layer["rotary"]')), "a layer is latent"),
    (
        kept(
            (
                "            pass",
                '            total += 2 * layer["kv_heads"] * layer["head_dim"] * tokens * 2',
            )
        ),
        "lets a shared layer keep",
    ),
    (kept(("            raise ValueError(kind)", "            pass")), "passes over a kind"),
    (kept(("            raise ValueError(kind)", "            return None")), "At a kind of layer"),
    (kept(("            raise ValueError(kind)", "            raise KeyError(kind)")), "At a kind of layer"),
    (
        kept((' * tokens * 2\n        elif kind == "sliding"', ' * tokens\n        elif kind == "sliding"')),
        "a layer is full",
    ),
    (kept(("total += 2 * ", "total += ")), "the keys or the values"),
    (kept(("    return total * batch", "    print(total * batch)")), "ends without a return"),
    (kept(("        else:", "            return total * batch\n        else:")), None),
    (kept(("total * batch", "total * batch / 1024")), "1024 times too small"),
    (
        kept(('layer["rotary"]) * tokens * 2', 'layer["rotary"]) * tokens * 2 / batch')),
        "has the batch wrong where a layer is latent",
    ),
    (kept(("            pass", "            raise ValueError(kind)")), "a layer is shared"),
    (kept(("    return total * batch", "    return [total] * batch")), "a list where an int"),
]
WRONG = [("09-reader", f, said) for f, said in READ] + [("09-kept", f, said) for f, said in COUNT]
RIGHT = [
    ("09-reader", read()),
    ("09-reader", read(("    return result", "    return tuple([a, b] for a, b in result)"))),
    ("09-reader", read(("result.append((size, w))", "result.append((float(size), w))"))),
    ("09-kept", kept()),
    ("09-kept", kept(("total = 0", "total = 0.0"))),
    ("09-kept", kept(("total * batch", "__import__('numpy').int64(total * batch)"))),
]  # fmt: skip
