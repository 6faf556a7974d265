"""A made-up record in the form of book/measurements/quality.json: nothing in it was measured."""

WHOLE = 23040  # SmolLM2's bytes per token in bf16


def record():
    precision = [("fp32", 2 * WHOLE, 20.0), ("bf16", WHOLE, 20.0), ("int8", 14400, 20.5)]
    precision += [
        ("int4, keys by token", 8640, 27.0),
        ("int4, keys by channel", 8640, 22.5),
        ("int2", 5760, 90.0),
    ]
    windows = [
        (64, 0, 160.0),
        (64, 4, 40.0),
        (256, 0, 120.0),
        (256, 4, 26.0),
        (1024, 0, 60.0),
        (1024, 4, 21.5),
    ]
    return {
        "model": "smollm2-135m",
        "device": "an imagined machine",
        "versions": {"torch": "0"},
        "date": "2000-01-01",
        "command": "none",
        "commit": "0000000",
        "tokens": 2000,
        "rank_tokens": 1000,
        "precision": [
            {"name": n, "dtype": n[:4], "k_groups": None, "bytes_per_token": b, "perplexity": p}
            for n, b, p in precision
        ],
        "window": [{"window": w, "sinks": s, "perplexity": p} for w, s, p in windows]
        + [{"window": None, "sinks": 0, "perplexity": 20.0}],
        "rank": [
            {"rank": r, "perplexity": p}
            for r, p in [(16, 140.0), (32, 60.0), (64, 30.0), (96, 24.0), (128, 24.0), (192, 24.0)]
        ],
    }
