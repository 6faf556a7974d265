"""More wrong answers to chapter 09: layers miscounted, sums taken over, programs with one line wrong."""

from .made import edited, rows

MIB, GIB = 2**20, 2**30
LAYER = 2 * 8 * 128 * 2 / MIB  # of a token
STATE, TOKEN = 112 * 64 * 128 * 4, 2 * 8 * 128 * 2
LATENT, HEADS = 576 * 27 * 2 / MIB, 16 * 384 * 27 * 2 / MIB

PARTS = {
    "09-keeps": {
        "Gemma 2 9B": [(2 * 42 * 8 * 256 * 4096, "multiply by the window")],
        "DeepSeek-V3": [(61 * 288, "You halve it")],
        "Falcon 40B": [(2 * 60 * 128 * 64, "divide hidden_size by them")],
    },
    "09-windows": {
        "sliding layers": [
            (16 * 4096 * LAYER, "half of the layers as full"),
            (28 * 4096 * LAYER, "let 28 slide"),
            (2 * 24 * 4096 * LAYER, "4 bytes per number"),
            (24 * 4096 * LAYER / 8, "one KV head"),
        ],
        "full layers": [
            (16 * 18_000 * LAYER, "half of the layers as full"),
            (4 * 18_000 * LAYER, "four layers as full"),
        ],
        "all layers": [
            (16 * (4096 + 18_000) * LAYER, "half of the layers as full"),
            ((4096 + 18_000) * LAYER, "one layer"),
            ((24 * 4096 + 32 * 18_000) * LAYER, "all 32 layers as full"),
        ],
    },
    "09-state": {
        "break-even": [(STATE / TOKEN / 2, "4 of keys and values")],
        "model": [
            ((35 * STATE + 10 * 8000 * TOKEN) / MIB, "4 bytes a number of keys"),
            ((40 * STATE + 5 * 8000 * TOKEN) / MIB, "a state in all layers"),
        ],
    },
    "09-engines": {
        "vLLM": [(80 * 16 * LATENT, "the latent for each head")],
        "llama.cpp": [(256 * 16 * LATENT, "the latent for each head")],
        "vLLM, expanded": [(80 * (HEADS + LATENT), "You add the latent")],
    },
    "09-audit": {
        "A: bytes per token": [(2 * 61 * 128 * 128 * 2, "You count heads")],
        "C: GiB": [(61 * 572 * 65_536 * 0.5 / GIB, "512 and 64 are not 572")],
    },
}

READ = """
def f(config):
    def field(name, default):
        value = config.get(name)
        return default if value is None else value
    n, heads = config["num_hidden_layers"], config["num_attention_heads"]
    kv_heads = field("num_key_value_heads", heads)
    if heads % kv_heads:
        raise ValueError("does not divide")
    numbers = 2 * kv_heads * field("head_dim", config["hidden_size"] // heads)
    window, pattern = field("sliding_window", None), field("sliding_window_pattern", 6)
    is_full = [window is None or (i + 1) % pattern == 0 for i in range(n)]
    names = field("layer_types", ["full_attention" if full else "sliding_attention" for full in is_full])
    if set(names) - {"full_attention", "sliding_attention"}:
        raise ValueError("unknown")
    pairs = [(numbers, window if name == "sliding_attention" else None) for name in names]
    shared = field("num_kv_shared_layers", 0)
    return pairs[: n - shared] + [(0, None)] * shared
"""
KEPT = """
def f(layers, tokens, batch):
    total = 0
    for layer in layers:
        kind = layer["kind"]
        if kind in ("full", "sliding"):
            seen = min(tokens, layer.get("window", tokens))
            total += batch * seen * 2 * layer["kv_heads"] * layer["head_dim"] * 2
        elif kind == "latent":
            total += batch * tokens * (layer["rank"] + layer["rotary"]) * 2
        elif kind == "state":
            total += batch * layer["numbers"] * 4
        elif kind != "shared":
            raise ValueError("unknown")
    return total
"""
SEEN = "min(tokens, layer.get('window', tokens))".replace("'", '"')


def reader(*change):
    return edited(READ, "f", change)


def kept(*change):
    return edited(KEPT, "f", change)


WRONG = [
    *(row for name, answers in PARTS.items() for row in rows(name, answers)),
    ("09-reader", reader('pattern", 6', 'pattern", 4'), "It takes 4 for the pattern"),
    ("09-reader", reader(" or (i + 1) % pattern == 0", ""), "all layers slide where there is a window"),
    (
        "09-reader",
        reader('["hidden_size"] // heads', '["hidden_size"] // kv_heads'),
        "hidden_size by the KV heads",
    ),
    ("09-reader", reader("2 * kv_heads", "2 * heads"), "though it has read the KV heads"),
    (
        "09-reader",
        reader(
            "return pairs[: n - shared]", "shared = shared and shared + 1\n    return pairs[: n - shared]"
        ),
        "one layer too early",
    ),
    ("09-kept", kept('+ layer["rotary"]', '- layer["rotary"]'), "takes the rotary part off the latent"),
    (
        "09-kept",
        kept(SEEN, SEEN.replace("tokens", "tokens * batch") + " / batch"),
        "tokens of the whole batch",
    ),
    ("09-kept", kept("    return total", "        return total"), "the first layer alone"),
    ("09-kept", kept("total +=", "total ="), "the last layer alone"),
    ("09-kept", kept('layer["rotary"]) * 2', 'layer["rotary"]) * 4'), "in 4 bytes a number"),
    ("09-kept", kept('elif kind != "shared"', "else"), "wrong just where a layer is shared"),
]
