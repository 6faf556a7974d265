"""Decoders in the shapes of models that people run, with random weights: the right speed, no sense.

    decoder = shape_decoder("7b-gqa", dtype="fp16", device="cuda")

The widths are those of the models that kvlib ships.
"""

from dataclasses import replace

from ..configs import config, layout, parameters
from ..decoder import Decoder
from ..units import dtype as as_dtype, fmt, unknown, whole_number
from .memory import room
from .random_model import random_decoder

# A config.json each. Llama 2 7B's also with the eight KV heads that its successors have.
SHAPES = {
    "1b": config("llama-3.2-1b"),
    "7b": config("llama-2-7b"),
    "7b-gqa": config("llama-2-7b") | {"num_key_value_heads": config("llama-3.1-8b")["num_key_value_heads"]},
    "8b": config("llama-3.1-8b"),
}

# Tokens that every shape reaches, whatever its model was trained for: a step takes as long at any position.
MAX_CONTEXT = 131072


def shape_decoder(name, *, dtype, device, n_layers=None) -> Decoder:
    """A decoder of the shape `name` of SHAPES, its weights drawn on `device` in `dtype`.

    n_layers  only so many layers (default: the model's own), for a machine with less memory

    Raises ValueError for an unknown shape, more layers than the model has, or weights that do not fit.
    """
    if name not in SHAPES:
        raise unknown("shape", name, SHAPES)
    widths = SHAPES[name]
    if n_layers is not None:
        deepest = widths["num_hidden_layers"]
        if whole_number("n_layers", n_layers) > deepest:
            raise ValueError(f"n_layers must be at most the {deepest} of {name}, not {n_layers}")
        widths = widths | {"num_hidden_layers": n_layers}
    weights, free = as_dtype(dtype).nbytes(parameters(widths).total), room(device)
    if weights > free:
        needs = f"takes {fmt(weights)} of weights in {dtype}, and {fmt(free)} is free on {device}"
        raise ValueError(f"shape: {name} {needs}; take a smaller one, or fewer n_layers")
    return random_decoder(
        replace(layout(widths), name=name, max_context=MAX_CONTEXT),
        widths["hidden_size"], widths["intermediate_size"], widths["vocab_size"],
        tied=widths["tie_word_embeddings"], dtype=dtype, device=device,
    )  # fmt: skip
