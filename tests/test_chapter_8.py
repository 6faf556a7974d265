"""Chapter 8 has a branch for a GPU in its cells. Here it runs without one, on small stand-ins."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kvlib import fmt, measure
from kvlib.generate import LanguageModel
from kvlib.layouts import CacheLayout
from kvlib.measure import decode, longest, steps
from kvlib.measure.random_model import random_decoder
from kvlib.units import KiB

CHAPTER = Path(__file__).parents[1] / "book" / "08-measure-it.ipynb"
LAYOUT = CacheLayout.uniform(1, 1, 32, n_heads=2, max_context=200_000, name="tiny")
# From the cell that asks for a GPU on; those before it are the same everywhere.
FIRST = "device"


class Letters:
    """A tokenizer of 40 letters."""

    def encode(self, text):
        return SimpleNamespace(ids=[ord(letter) % 40 for letter in text])

    def decode(self, tokens):
        return "".join(chr(65 + token) for token in tokens)

    def get_vocab_size(self):
        return 40


def tiny(*args, **rest):
    return random_decoder(LAYOUT, hidden=32, ffn=32, vocab=40)


@pytest.fixture
def gpu(monkeypatch):
    """The cells' own switch says GPU; what they then call works on the CPU. Returns what was asked of it."""
    asked = []

    def shape_decoder(name, *, dtype, device):
        asked.append((name, dtype, device))
        return tiny()

    def graph_off_and_on(decoder, make_cache):
        assert make_cache(capacity=4).capacity == 4
        return {"off": 0.02, "on": 0.01}

    memory = longest.Memory
    small = 6_000 * KiB
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(measure, "default_dtype", lambda device: "fp16", raising=False)
    monkeypatch.setattr(measure, "shape_decoder", shape_decoder, raising=False)
    monkeypatch.setattr(longest, "Memory", lambda decoder, budget=None: memory(decoder, budget or small))
    monkeypatch.setattr(steps, "graph_off_and_on", graph_off_and_on)
    monkeypatch.setattr(decode, "copy_bandwidth", lambda device, nbytes=None: 1e9)
    return asked


def cells():
    found = [cell for cell in json.loads(CHAPTER.read_text())["cells"] if cell["cell_type"] == "code"]
    ids = [cell["id"] for cell in found]
    return {cell["id"]: "".join(cell["source"]) for cell in found[ids.index(FIRST) :]}


def test_the_cells_run_where_there_is_a_gpu(gpu, monkeypatch):
    lm, drawn = LanguageModel(tiny(), Letters()), []
    names = {
        "load_smollm2": lambda device, dtype: lm, "lm": None, "torch": torch, "display": drawn.append,
        "fmt": fmt,
    }  # fmt: skip
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: SimpleNamespace(update=lambda c: None))
    said = {}
    for name, source in cells().items():
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(source, name, "exec"), names)
        said[name] = out.getvalue()
    assert said["device"] == "a GPU, fp16\n" and names["device"] == "cuda"
    assert [name for name, *_ in gpu] == ["7b-gqa", "1b"] and gpu[0][1:] == ("fp16", "cuda")
    assert [len(lane.tokens) for lane in names["lanes"]] == [400, 400]
    assert names["screen"]._repr_mimebundle_()["text/html"].count("400 tokens in") == 2
    assert "the same tokens: True" in said["shuffled-run"]
    assert "graph off: 20 ms per step" in said["graph-run"] and len(drawn) == 1
    assert "pretended" not in said["longest-memory"] and said["longest-reach"].count("refused") == 2
    assert said["decode"].startswith("7b-gqa") and "16,384" in said["decode"]
    assert names["lm"] is None, "the memory is wanted for the larger model"
