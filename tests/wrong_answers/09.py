"""Wrong answers of chapter 09, as numbers and letters; its functions are in `09_code.py`."""

from .made import each, rows

MIB, GIB = 2**20, 2**30

GEMMA = [
    (2 * 42 * 8 * 224, "names head_dim"),
    (2 * 42 * 16 * 256, "the query heads"),
    (42 * 8 * 256, "keys and values both count"),
    (2 * 42 * 8 * 256 * 2, "not bytes"),
    (2 * 8 * 256, "one layer"),
    (2 * 21 * 8 * 256, "the sliding layers"),
    (2 * 42 * 256, "the KV heads"),
    (2 * 42 * 16 * 224, "Two things"),
    (2 * 42 * 8 * 224 * 2, "Two things"),
    ("a lot", "Give a number"),
    ([172032], "Give one number"),
    (2 * 42 * 3584, "Two things"),
    (42 * 8 * 256 * 8, "the query heads, and bytes"),
    (26 * 2 * 8 * 256, None),
]
DEEPSEEK = [
    (61 * 512, "the rotary part"),
    (2 * 61 * 512, "Two things"),
    (2 * 61 * 576, "one latent stands for both"),
    (2 * 61 * 128 * 56, "no head keeps"),
    (2 * 61 * 128 * 128, "no head keeps"),
    (61 * 128 * (192 + 128), "You expand it"),
    (2 * 61 * 128 * 192, "You expand it"),
    (61 * (512 + 128), "not v_head_dim"),
    (61 * (512 + 192), "the whole key's width"),
    (61 * (1536 + 64), "q_lora_rank"),
    (576, "one layer"),
    (61 * 64, "beside the rotary part"),
    (61 * (128 + 64), "a whole key"),
    (62 * 576, None),
    (61 * (1536 + 512 + 64), None),
]
FALCON = [
    (2 * 60 * 64, "new_decoder_architecture is true"),
    (2 * 60 * 128 * 64, "the query heads"),
    (60 * 8 * 64, "keys and values both count"),
    (2 * 8 * 64, "one layer"),
    (2 * 60 * 8 * 64 * 2, "not bytes"),
    (60 * 64, "Two things"),
]
QWEN = [
    (2 * 48 * 2 * 256, "all the layers"),
    (2 * 36 * 2 * 256, "with a state"),
    (2 * 4 * 2 * 256, "the interval"),
    (2 * 12 * 16 * 256, "the query heads"),
    (2 * 12 * 2 * 128, "names head_dim"),
    (12 * 2 * 256, "keys and values both count"),
    (2 * 2 * 256, "one layer"),
    (2 * 48 * 2 * 128, "all the layers at half their width"),
]
TOKEN = 2 * 8 * 128 * 2
WINDOWS = {
    "sliding layers": [
        (24 * 18_000 * TOKEN / MIB, "no more tokens than the window"),
        (24 * (18_000 + 4096) * TOKEN / MIB, "You add the window"),
        (24 * (18_000 - 4096) * TOKEN / MIB, "what left the window"),
        (8 * 4096 * TOKEN / MIB, "the ratio round"),
        (32 * 4096 * TOKEN / MIB, "every fourth is full"),
        (4096 * TOKEN / MIB, "one layer"),
        (24 * 4096 * TOKEN / 2 / MIB, "Half of it is missing"),
        (24 * 4096 * TOKEN / 4 / MIB, "Two things"),
        (24 * 4096 * TOKEN * 4 / MIB, "the query heads"),
        (24 * 4096 * TOKEN * 8 / MIB, "a byte has 8"),
        (24 * 4096 * TOKEN / 1e6, "You answer in MB"),
        (24 * 4096 * TOKEN / GIB, "You answer in GiB"),
        (24 * 4096 * TOKEN, "You answer in bytes"),
        (8 * 18_000 * TOKEN / MIB, "Two things"),
    ],
    "full layers": [
        (8 * 4096 * TOKEN / MIB, "has no window"),
        (8 * (18_000 - 4096) * TOKEN / MIB, "beyond the window"),
        (8 * (18_000 + 4096) * TOKEN / MIB, "You add the window"),
        (24 * 18_000 * TOKEN / MIB, "the ratio round"),
        (32 * 18_000 * TOKEN / MIB, "all 32 layers"),
        (18_000 * TOKEN / MIB, "one layer"),
        (8 * 18_000 * TOKEN / 2 / MIB, "Half of it is missing"),
        ("563 MB", None),
    ],
    "all layers": [
        (32 * 18_000 * TOKEN / MIB, "every layer as full"),
        (32 * 4096 * TOKEN / MIB, "every layer slide"),
        (8 * 18_000 * TOKEN / MIB, "leave out the sliding"),
        (24 * 4096 * TOKEN / MIB, "leave out the full"),
        ((8 * 4096 + 24 * 18_000) * TOKEN / MIB, "the ratio round"),
    ],
}
STATE = 112 * 64 * 128 * 4
STATES = {
    "one state": [
        (STATE / 2 / MIB, "2 bytes a number"),
        (STATE / 4 / MIB, "numbers, not bytes"),
        (STATE * 2 / MIB, "no pair of keys and values"),
        (STATE / 112 / MIB, "leave out the heads"),
        (STATE / 64 / MIB, "the width of a head"),
        (STATE / 128 / MIB, "the size of the state"),
        (STATE * 8000 / MIB, "multiply by the tokens"),
        (STATE * 35 / MIB, "every layer"),
        (STATE / 1e6, "You answer in MB"),
        (STATE, "You answer in bytes"),
    ],
    "break-even": [
        (STATE / TOKEN * 2, "the keys alone"),
        (STATE / TOKEN / 4, "the query heads"),
        (STATE / TOKEN * 8, "one KV head"),
        (STATE / TOKEN / 2, "2 bytes a number"),
        (TOKEN / STATE, "turn it round"),
        (STATE * 35 / TOKEN, "a layer of each"),
        (STATE / TOKEN / 5, "a layer of each"),
    ],
    "model": [
        (40 * 8000 * TOKEN / MIB, "every layer keep keys"),
        (5 * 8000 * TOKEN / MIB, "leave out the states"),
        (35 * STATE / MIB, "the layers that attend"),
        ((5 * STATE + 35 * 8000 * TOKEN) / MIB, "the wrong way round"),
        ((STATE + 8000 * TOKEN) / MIB, "one layer of each kind"),
        ((35 * STATE + 5 * 8000 * TOKEN * 4) / MIB, "the query heads"),
        ((35 * STATE + 5 * 8000 * TOKEN / 2) / MIB, "the keys alone"),
        ((35 * STATE + 40 * 8000 * TOKEN) / MIB, "let every layer attend"),
        (40 * STATE / MIB, None),
    ],
}
LATENT = 27 * 576 * 2
ENGINES = {
    "vLLM": [
        (75 * LATENT / MIB, "whole blocks"),
        (64 * LATENT / MIB, "round down"),
        (96 * LATENT / MIB, "one block too many"),
        (256 * LATENT / MIB, "llama.cpp's cells"),
        (80 * LATENT * 2 / MIB, "the latent twice"),
        (80 * LATENT / 2 / MIB, "numbers, not bytes"),
        (80 * 27 * 512 * 2 / MIB, "the rotary part"),
        (80 * 27 * 16 * 320 * 2 / MIB, "this engine keeps the latent"),
        (80 * 576 * 2 / MIB, "one layer"),
        (80 * LATENT / 1e6, "You answer in MB"),
        (5 * LATENT / MIB, "You count blocks"),
        (1024 * LATENT / MIB, None),
    ],
    "llama.cpp": [
        (75 * LATENT / MIB, "whole blocks or cells"),
        (0, "round down"),
        (80 * LATENT / MIB, "vLLM's blocks"),
        (512 * LATENT / MIB, "256 cells too many"),
        (256 * 27 * 512 * 2 / MIB, "the rotary part"),
        (256 * LATENT / 1024, "You answer in KiB"),
    ],
    "vLLM, expanded": [
        (80 * 27 * 16 * 320 * 2 / MIB, "padded here"),
        (80 * 27 * 16 * 256 * 2 / MIB, "the values' width"),
        (80 * 27 * 16 * 192 * 2 / MIB, "keys and no values"),
        (80 * 27 * 384 * 2 / MIB, "one head"),
        (80 * LATENT / MIB, "here it is expanded"),
        (75 * 27 * 16 * 384 * 2 / MIB, "whole blocks"),
        (80 * 16 * 384 * 2 / MIB, "one layer"),
    ],
}
AUDIT = {
    "A: reason": [
        ("a", "the latent, not heads"),
        ("c", "by all layers"),
        ("e", "It is not right"),
        ("z", "one of: a, b"),
    ],
    "A: bytes per token": [
        (2 * 61 * 512 * 2, "That is the claim"),
        (61 * 1152 * 2, "kept once"),
        (61 * 512 * 2, "beside the latent"),
        (61 * (512 + 128) * 2, "is qk_rope_head_dim"),
        (2 * 61 * 128 * 56 * 2, "You count heads"),
        (61 * 576, "numbers, not bytes"),
        (576 * 2, "one layer"),
        (61 * 576 * 2 / 1024, "You answer in KiB"),
    ],
    "B: reason": [("d", "8 heads of 16"), ("b", "no latent"), ("f", "has a window")],
    "B: GiB": [
        (2.19, "That is the claim"),
        (2 * 28 * 16 * 128 * 40_960 * 2 / GIB, "the query heads"),
        (2 * 28 * 8 * 128 * 40_960 * 2 / 1e9, "You answer in GB"),
        (2 * 8 * 128 * 40_960 * 2 / GIB, "one layer"),
    ],
    "C: reason": [("b", "the sum is a slip"), ("a", "the latent, not heads"), ("e", "It is not right")],
    "C: GiB": [
        (576 * 65_536 / 2 / GIB, "That is one layer"),
        (61 * 576 * 65_536 * 2 / GIB, "16 bits a number"),
        (61 * 576 * 65_536 / GIB, "8 bits a number"),
        (61 * 576 * 65_536 / 2 / MIB, "You answer in MiB"),
        (61 * 512 * 65_536 / 2 / GIB, "The rotary part"),
    ],
    "D: reason": [
        ("c", "before you call it wrong"),
        ("f", "none is claimed"),
        ("D", "before you call it wrong"),
    ],
}
READ = dict.fromkeys(("latent", "width", "ranks", "numbers"), True)
WRONG = [
    *rows(
        "09-keeps",
        {"Gemma 2 9B": GEMMA, "DeepSeek-V3": DEEPSEEK, "Falcon 40B": FALCON, "Qwen3-Next 80B": QWEN},
    ),
    *rows("09-windows", WINDOWS),
    *rows("09-state", STATES),
    *rows("09-engines", ENGINES),
    *rows("09-audit", AUDIT),
    ("09-windows", 946.5, "Give a dict with the keys"),
    ("09-explain", "It is wrong.", "write 80 to 160"),
    ("09-explain", {"text": "word " * 200} | READ, "write 80 to 160"),
    ("09-explain", {"text": "word " * 100}, "Read your text against these"),
    ("09-explain", {"text": "word " * 100} | READ | {"ranks": False}, "every GPU keeps all of it", 3),
    ("09-explain", 17, "Give a dict"),
]
RIGHT = [
    ("09-keeps", each("09-keeps", **{"Gemma 2 9B": "172,032", "Falcon 40B": " 61440 "})[0]),
    ("09-windows", {"sliding layers": "384 MiB", "full layers": "0.549 GiB", "all layers": 946}),
    ("09-windows", {"sliding layers": 384, "full layers": 562, "all layers": 947.0}),
    ("09-state", {"one state": "3.5 MiB", "break-even": 896, "model": 279}),
    ("09-state", {"one state": 3.5, "break-even": "896", "model": "0.272 GiB"}),
    ("09-engines", {"vLLM": 2.37, "llama.cpp": "7.59 MiB", "vLLM, expanded": 25.3}),
    (
        "09-audit",
        {
            "A: reason": "B)", "A: bytes per token": "70.3 kB", "B: reason": "(a)", "B: GiB": 4.38,
            "C: reason": ["c"], "C: GiB": "1098 MiB", "D: reason": " E ",
        },
    ),
    ("09-explain", {"text": "word " * 80} | READ),
]  # fmt: skip
