"""Wrong answers of chapter 10, as numbers and letters; its functions are in `10_code.py`."""

from .made import each, rows

KIB, MIB, GIB = 2**10, 2**20, 2**30

EACH = 321 * 128 * KIB
LATENCY = {
    "TTFT": [
        (0.5, "leave out the wait"),
        (0.3, "leave out the prefill"),
        (2.0, "to the last token"),
        (0.86, "add a decode step"),
        (800, "You answer in ms"),
        ("0.5 s", "leave out the wait"),
        (1.1, None),
    ],
    "TPOT": [
        (1200 / 21, "one step fewer"),
        (1200 / 22, "add a step"),
        (2000 / 20, "before the first token"),
        (1700 / 20, "the prefill too"),
        (1200, "how many steps"),
        (20 / 1.2, "turn it round"),
        (0.06, "You answer in s"),
        (2000 / 21, "Two things"),
        (1.2, "Two things"),
    ],
    "in the system": [
        (210 * 2.0, "for a minute"),
        (3.5 * 1.7, "Those that wait"),
        (3.5 * 0.8, "stop at the first token"),
        (3.5 * 1.2, "begin at the first token"),
        (3.5 / 2.0, "multiplies rate and time"),
        (3.5, "what arrives"),
        (210, "Two things"),
        (2.0 / 3.5, "multiplies rate and time"),
        (210 * 1.7, "Two things"),
        (105, "Two things"),
    ],
    "cache": [
        (3.5 * 2.0 * EACH / MIB, "keep nothing yet"),
        (3.5 * 1.2 * EACH / MIB, "in prefill keeps"),
        (210 * 1.7 * EACH / MIB, "for a minute"),
        (EACH / MIB, "several run at once"),
        (3.5 * 1.7 * 21 * 128 * KIB / MIB, "the new tokens alone"),
        (3.5 * 1.7 * EACH / 2 / MIB, "half of it is missing"),
        (3.5 * 1.7 * EACH / 1e6, "You answer in MB"),
        (3.5 * 1.7 * EACH / GIB, "You answer in GiB"),
        (3.5 * 1.7 * 300 * 128 * KIB / MIB, "the prompt alone"),
        (210 * EACH / MIB, None),
    ],
}
HEAD = 2 * 36 * 128 * 2
RANKS = {
    "one rank": [
        (HEAD * 2 / 8 / KIB, "that splits a head"),
        (HEAD * 2 / KIB, "all KV heads on each rank"),
        (HEAD / 8 / KIB, "it is whole on each"),
        (HEAD * 8 / KIB, "That is all ranks together"),
        (HEAD / 36 / KIB, "one layer"),
        (HEAD / 2 / KIB, "Half of it is missing"),
        (HEAD, "You answer in bytes"),
        (HEAD / 1e3, "You answer in kB"),
        (36, "all KV heads on each rank"),
        ("18 MB", None),
    ],
    "all ranks": [
        (HEAD * 2 / KIB, "copies of a head"),
        (HEAD * 2 * 8 / KIB, "all KV heads on each rank"),
        (HEAD / KIB, "That is one rank"),
        (HEAD * 8 / 36 / KIB, "one layer"),
        (HEAD * 8 / MIB, "You answer in MiB"),
    ],
    "tokens": [
        (8 * 30 * GIB / HEAD, "the room of all ranks"),
        (30 * GIB / HEAD / 8, "against the room of one"),
        (30 * GIB / HEAD / 2, "the whole model's cache"),
        (30 * GIB / HEAD * 4, "split a head"),
        (30e9 / HEAD, "GB for GiB"),
        (30 * GIB / HEAD * 2, "half of it is missing"),
        (30 * GIB / HEAD * 36, "one layer"),
        (30e9 / HEAD / 2, "Two things"),
        (30 / 18, None),
    ],
}
SENT = 80 * 4096 * 6000
LINK = {
    "all at once": [
        (1000 * SENT / 200e9, "rated in bits"),
        (1000 * SENT * 8 / (200 * GIB), "giga is 10**9"),
        (1000 * SENT * 8 * 12 / 200e9, "the query heads"),
        (1000 * SENT * 8 * 2 / 200e9, "in the 2 already"),
        (SENT / 1e9, "what is sent, in GB"),
        (200e9 / SENT / 8, "turn it round"),
        (1000 * SENT * 4 / 200e9, "Half of it is missing"),
        (1000 * SENT * 8 / 200e9 / 80, "one layer"),
        (1000 * 80 * 4096 * 8 / 200e9, "the whole prompt"),
        (SENT * 8 / 200e9, "You answer in s"),
        (SENT / 200e9, "Two things"),
    ],
    "layer by layer": [
        (1000 * SENT * 8 / 200e9, "wait for all layers"),
        (0, "Something is left"),
        (1000 * SENT / 200e9 / 80, "rated in bits"),
        (1000 * SENT * 4 / 200e9 / 80, "Half of it is missing"),
        (SENT * 8 / 200e9 / 80, "You answer in s"),
        (1000 * SENT * 8 / 200e9 / 2, "Two things"),
    ],
}
FIT = 46 * 8192
SERVE = {
    "gpu_memory_utilization": [
        (13 / 80, "the other process"),
        (67, "That is GiB"),
        ((80 - 13 - 15) / 80, "take the weights off"),
        (46 / 80, "weights and overhead"),
        (0.9, "vLLM's default"),
        ((80 - 13 - 6) / 80, "the overhead off"),
        (1.0, "Nothing is left"),
        (83.75, "You answer in %"),
        (15 / 80, None),
    ],
    "cache GiB": [
        (80 - 15 - 6, "forget the other process"),
        (80 - 13 - 6, "forget the weights"),
        (80 - 13 - 15, "forget the overhead"),
        (67, "all that vLLM may use"),
        (80, "what else is on the GPU"),
        (46 * 67 / 80, "the share twice"),
        (46 * GIB / 1e9, "You answer in GB"),
        (80 - 15, "Two things"),
    ],
    "max_num_seqs": [
        (FIT / 18_000, "a whole number"),
        (21, "round up"),
        (67 * 8192 // 18_000, "what vLLM may use"),
        (80 * 8192 // 18_000, "the whole GPU"),
        (FIT * 2 // 18_000, "128 KiB is one token"),
        (FIT, "how many requests"),
    ],
    "max_model_len": [
        (FIT, "one request alone"),
        (67 * 8192 // 6, "what vLLM may use"),
        (80 * 8192 // 6, "the whole GPU"),
        (2 * FIT // 6, "128 KiB is one token"),
        (FIT // 6 // 16, "number of blocks"),
        (18_000, "how long may they be"),
        (FIT / 2 // 6, "keys and values together"),
        (131_072, None),
    ],
}
LOG = {
    "A: cause": [
        ("b", "Not even one block"),
        ("c", "Not even one block"),
        ("e", "does not start"),
        ("d", "add up what the log"),
    ],
    "A: utilization": [
        (5.73 / 8, "the activations' peak"),
        (6.65 / 8, "nothing for the cache"),
        (0.7625, "to the old share"),
        (1.95 / 8, "leave out the weights"),
        (7.15 / 5.6, "the old share of the GPU"),
        (7.15, "That is GiB"),
        (89.4, "You answer in %"),
        (5.7 / 8, "the activations' peak"),
        (5.2 / 8, "the weights alone"),
        (1.55 / 8, None),
    ],
    "B: cause": [
        ("e", "for a third"),
        ("f", "that prefixes are looked for"),
        ("a", "so the weights fit"),
        ("b", "Two requests run"),
        ("d", "it got the memory"),
    ],
    "B: times": [
        (2.5, "do not fill the whole cache"),
        (0.821 / 2 * 3, "must go on fitting"),
        (1.5, "those that wait alone"),
        (0.821, "those that run alone"),
        (0.821 / 2, "what one takes"),
        (205, "That is in %"),
        (1.05, "the room that is missing"),
        (2.5 / 0.821, "by the share that is used"),
        (0.821 * 5, "what two take"),
        (44.9 / 2, None),
    ],
    "C: cause": [("a", "before the weights"), ("c", "no cache yet"), ("e", "does not start")],
    "C: GiB": [
        (71.24 - 59.32, "vLLM is short of"),
        (79.15 - 71.24, "vLLM leaves free"),
        (59.32, "what is free"),
        (71.24, "vLLM wants"),
        (0.25, "answer with a share"),
        (79.15, "the whole GPU"),
    ],
    "D: cause": [
        ("a", "GiB are left"),
        ("c", "Nothing runs yet"),
        ("d", "the longest request"),
        ("g", "one of: a, b"),
    ],
    "D: GiB": [
        (8.69 * 131_072 / 81_536, "all that it needs"),
        (131_072 / 81_536, "how many times"),
        (131_072 / 81_536 - 1, "a share of the room"),
        (2 * (8.69 * 131_072 / 81_536 - 8.69), "on both GPUs"),
        (8.69, "what there is"),
        (8.69 * 81_536 / 131_072, "turn the ratio round"),
    ],
}
TABLES = {
    "10-latency": LATENCY, "10-ranks": RANKS, "10-link": LINK, "10-serve": SERVE, "10-log": LOG,
}  # fmt: skip
WRONG = [row for name, answers in TABLES.items() for row in rows(name, answers)]
RIGHT = [
    ("10-latency", {"TTFT": "800 ms", "TPOT": "0.06 s", "in the system": 7.0, "cache": 239}),
    ("10-latency", {"TTFT": 0.8, "TPOT": 60, "in the system": "7", "cache": "0.233 GiB"}),
    ("10-ranks", {"one rank": 18, "all ranks": "0.141 MiB", "tokens": 1.75e6}),
    ("10-link", {"all at once": 78.6, "layer by layer": "0.983 ms"}),
    ("10-link", {"all at once": "0.0786 s", "layer by layer": 0.98304}),
    ("10-serve", each("10-serve", gpu_memory_utilization=0.84, max_num_seqs=20.0, max_model_len=62_800)[0]),
    ("10-serve", each("10-serve", gpu_memory_utilization="0.83", max_model_len="62805")[0]),
    (
        "10-log",
        {
            "A: cause": "(a)", "A: utilization": "0.89", "B: cause": "C", "B: times": "2.05 times",
            "C: cause": "D", "C: GiB": "19.8 GiB", "D: cause": "b)", "D: GiB": 5.28,
        },
    ),
]  # fmt: skip
