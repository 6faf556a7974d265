"""Decoders in the shapes of real models: their widths, their bytes, and what making one takes."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kvlib import configs
from kvlib.layouts import CacheLayout
from kvlib.measure import decode, shapes
from kvlib.measure.random_model import random_decoder

# A config.json of next to nothing.
TINY = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, "max_position_embeddings": 128,
    "tie_word_embeddings": False,
}  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(shapes.SHAPES, "tiny", TINY)
    monkeypatch.setattr(shapes, "MAX_CONTEXT", 256)


def test_the_shapes_are_those_of_shipped_models():
    layouts = {name: configs.layout(widths) for name, widths in shapes.SHAPES.items()}
    assert {name: of.bytes_per_token("fp16") for name, of in layouts.items()} == {
        "1b": configs.layout("llama-3.2-1b").bytes_per_token("fp16"),
        "7b": 512 * 1024, "7b-gqa": 128 * 1024, "8b": 128 * 1024,
    }  # fmt: skip
    sizes = {name: configs.parameters(widths).total for name, widths in shapes.SHAPES.items()}
    for name, model in (("1b", "llama-3.2-1b"), ("7b", "llama-2-7b"), ("8b", "llama-3.1-8b")):
        assert sizes[name] == configs.parameters(model).total
    assert sizes["7b-gqa"] == sizes["7b"] - 32 * 2 * 4096 * (4096 - 1024)  # fewer columns for keys and values


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", [None, 1])
def test_a_shape_has_the_parameters_of_its_config(tiny, monkeypatch, tied, n_layers):
    widths = TINY | {"tie_word_embeddings": tied}
    monkeypatch.setitem(shapes.SHAPES, "tiny", widths)
    decoder = shapes.shape_decoder("tiny", dtype="bf16", device="cpu", n_layers=n_layers)
    assert decoder.dtype == torch.bfloat16 and decoder.layout.name == "tiny"
    assert (decoder.head is decoder.embedding) == tied
    assert decoder.layout.n_layers == len(decoder.layers) == (n_layers or 2)
    expected = configs.parameters(widths | {"num_hidden_layers": n_layers or 2}).total
    assert decoder.weights_bytes == 2 * expected
    assert decoder.max_context == decoder.layout.max_context == 256 > TINY["max_position_embeddings"]


def test_a_shape_runs_with_a_cache(tiny, monkeypatch):
    monkeypatch.setattr(decode, "copy_bandwidth", lambda device, nbytes: 1e9)
    decoder = shapes.shape_decoder("tiny", dtype="fp32", device="cpu")
    rows, _ = decode.decode_times(decoder, [200], ["contiguous", "paged"], [3], steps=1)
    assert [row["cache_bytes"] for row in rows] == [decoder.layout.bytes(204, 3, "fp32")] * 2


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (dict(name="9b"), "unknown shape '9b'"),
        (dict(n_layers=3), "n_layers must be at most the 2 of tiny, not 3"),
        (dict(n_layers=0), "n_layers"),
        (dict(dtype="int4"), "unknown dtype"),
    ],
)
def test_a_bad_shape_is_refused(tiny, bad, said):
    with pytest.raises(ValueError, match=said):
        shapes.shape_decoder(**(dict(name="tiny", dtype="fp32", device="cpu") | bad))


def test_weights_that_do_not_fit_are_refused_before_one_is_made(tiny, monkeypatch):
    takes = 4 * configs.parameters(TINY).total
    monkeypatch.setattr(shapes, "random_decoder", lambda *_, **__: "made")
    monkeypatch.setattr(shapes, "room", lambda device: takes)
    assert shapes.shape_decoder("tiny", dtype="fp32", device="cpu") == "made"
    monkeypatch.setattr(shapes, "room", lambda device: takes - 1)
    with pytest.raises(ValueError, match=r"tiny takes .* of weights in fp32, and .* is free on cpu"):
        shapes.shape_decoder("tiny", dtype="fp32", device="cpu")


class Made(TorchDispatchMode):
    """Counts the bytes of every tensor that is made, and notes in which dtypes."""

    def __init__(self):
        super().__init__()
        self.nbytes, self.dtypes = 0, set()

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        out = op(*args, **(kwargs or {}))
        given = {x.untyped_storage().data_ptr() for x in args if isinstance(x, torch.Tensor)}
        if isinstance(out, torch.Tensor) and out.untyped_storage().data_ptr() not in given:
            self.nbytes += out.nbytes
            self.dtypes.add(out.dtype)
        return out


@pytest.mark.parametrize("tied", [False, True])
def test_making_a_decoder_makes_its_weights_and_nothing_beside_them(tied):
    """So the memory that it takes never exceeds the weights: a 7B shape in fp16 fits a T4, barely."""
    layout = CacheLayout.uniform(3, 2, 32, n_heads=4, max_context=1)
    with Made() as made:
        decoder = random_decoder(layout, 64, 96, 50, tied=tied, dtype="bf16")
    tables = 4096  # cos and sin of one position, and what they are made from, in fp32
    assert decoder.weights_bytes > 40 * tables
    assert made.nbytes <= decoder.weights_bytes + tables
