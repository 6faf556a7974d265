"""What a captured step may do, proved without a GPU.

A CUDA graph launches the same kernels with the same arguments on the same addresses, again and again. So on a
CPU, where Triton's interpreter runs the kernels, every call of one step is recorded and made again as it was:
what the host decided in the recorded step stays decided. And on fake tensors of a GPU, which have a device
but hold nothing, whatever would make the host wait for the GPU raises.
"""

import inspect
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kvlib.cache import ContiguousCache, QuantizedCache, make_cache, torch_dtype
from kvlib.decoder import Decoder, Layer
from kvlib.layouts import CacheLayout, LayerKV
from kvlib.measure.random_model import random_decoder

from .fake_gpu import fake_gpu

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no Triton for this system")
FULL = CacheLayout.uniform(1, 1, 16, n_heads=3, max_context=512)
MIXED = CacheLayout((LayerKV("sliding", 1, 16, window=6), LayerKV("full", 1, 16)), n_heads=3, max_context=512)
CACHES = {
    "contiguous": ("contiguous", MIXED, {}),
    "sliding": ("sliding", FULL, dict(window=8, sinks=2)),
    "paged": ("paged", MIXED, dict(block_size=4)),
    "int8 and a ring": ("quantized", MIXED, dict(codes="int8", group=8)),
    "int4 by channel": ("quantized", FULL, dict(codes="int4", group=8, keys="channel")),
}


class Recorder(TorchDispatchMode):
    """Every call to the device, in order: a function, its arguments, and where its results lie."""

    def __init__(self):
        super().__init__()
        self.calls, self.launching = [], False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        if self.launching:  # what the interpreter does to run a kernel
            return out
        taken = {x.untyped_storage().data_ptr() for x in tree_leaves((args, kwargs)) if torch.is_tensor(x)}
        results = tree_leaves(out)
        assert all(map(torch.is_tensor, results)), f"{function} answers the host, which would wait"
        own = [x for x in results if x.untyped_storage().data_ptr() not in taken]
        self.calls.append((lambda: tree_leaves(function(*args, **kwargs)), results, own))
        return out

    def replay(self):
        for call, results, own in self.calls:
            again = call()
            for before, now in zip(results, again or (), strict=bool(results)):
                if any(before is x for x in own):
                    before.copy_(now)


@pytest.fixture
def gpu(monkeypatch):
    """The GPU's kernels on this CPU, and graphs that a recorder keeps: (kernels, number of captures)."""
    from kvlib.kernels.cuda import graph, views

    captures = []

    def record(step, device):
        step()  # as the true one does, for what happens the first time alone
        recorder, launch = Recorder(), views._launch

        def recorded(*args, **constants):
            recorder.launching = True
            launch(*args, **constants)
            recorder.launching = False
            recorder.calls.append((lambda: launch(*args, **constants), (), ()))

        with monkeypatch.context() as patch, recorder:
            patch.setattr(views, "_launch", recorded)
            result = step()
        captures.append(recorder)
        return recorder.replay, result

    monkeypatch.setattr(graph, "record", record)
    monkeypatch.setattr(views, "_processors", lambda device: 1)
    return views, captures


def decoder_of(layout, kernels, dtype="fp32"):
    decoder = random_decoder(layout, hidden=32, ffn=32, vocab=40, dtype=dtype)
    decoder.kernels = kernels
    return decoder


def made(name, **more):
    kind, layout, options = CACHES[name]
    return make_cache(kind, layout, **dict(capacity=360) | options | more)


def agree(name, gpu, shape, steps, pad=None):
    """A prompt of this shape [B, T], then tokens by one capture: what the reference gives."""
    kernels, captures = gpu
    layout, B = CACHES[name][1], shape[0]
    replayed, plain = decoder_of(layout, kernels), decoder_of(layout, None)
    ours, theirs = made(name, batch=B), made(name, batch=B)
    ours.pad = theirs.pad = pad
    torch.manual_seed(1)
    prompt = torch.randint(0, 40, shape)
    replayed(prompt, ours), plain(prompt, theirs)
    for _ in range(steps):
        token = torch.randint(0, 40, (B, 1))
        torch.testing.assert_close(replayed(token, ours), plain(token, theirs), atol=1e-4, rtol=1e-4)
    assert len(captures) == 1
    assert ours.nbytes == theirs.nbytes == ours.predicted_bytes


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/test_cuda.py replays true graphs")
@pytest.mark.parametrize("name", CACHES)
def test_one_recorded_step_serves_a_hundred_tokens(name, gpu):
    """Over windows that turn, blocks that fill and groups that become whole, as the reference has it."""
    agree(name, gpu, (1, 5), steps=100)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/test_cuda.py replays true graphs")
@pytest.mark.parametrize("name", ["contiguous", "paged", "int8 and a ring"])
def test_a_padded_batch_is_replayed(name, gpu):
    agree(name, gpu, (2, 6), steps=10, pad=torch.tensor([0, 3]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/test_cuda.py replays true graphs")
@pytest.mark.parametrize("name", ["contiguous", "paged", "int4 by channel"])
def test_a_cleared_cache_needs_no_new_capture_and_padding_one_of_its_own(name, gpu):
    kernels, captures = gpu
    layout = CACHES[name][1]
    replayed, plain = decoder_of(layout, kernels), decoder_of(layout, None)
    ours = made(name, batch=2)
    for pad, number in ((None, 1), ([2, 0], 2), (None, 2), ([0, 1], 2)):
        ours.clear()
        theirs = made(name, batch=2)
        ours.pad = theirs.pad = None if pad is None else torch.tensor(pad)
        for T in (4, 1, 1, 1):
            tokens = torch.randint(0, 40, (2, T))
            torch.testing.assert_close(replayed(tokens, ours), plain(tokens, theirs), atol=1e-4, rtol=1e-4)
        # Paged sequences have lengths of their own, and padding is not stored.
        assert len(captures) == (1 if name == "paged" else number)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/test_cuda.py replays true graphs")
def test_sequences_that_come_and_go_are_captured_anew(gpu):
    kernels, captures = gpu
    replayed, plain = decoder_of(FULL, kernels), decoder_of(FULL, None)
    caches = [made("paged", batch=1, num_blocks=40) for _ in range(2)]
    torch.manual_seed(1)
    for change in (lambda c: None, lambda c: c.fork(0), lambda c: c.fork(1), lambda c: c.free(0)):
        for cache in caches:
            change(cache)
        for T in (3, 1, 1, 1, 1):
            tokens = torch.randint(0, 40, (caches[0].batch, T))
            outs = [decoder(tokens, cache) for decoder, cache in zip((replayed, plain), caches, strict=True)]
            torch.testing.assert_close(*outs, atol=1e-4, rtol=1e-4)
    assert len(captures) == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/test_cuda.py replays true graphs")
def test_logits_of_one_step_outlive_the_next(gpu):
    decoder = decoder_of(FULL, gpu[0])
    cache = made("contiguous")
    first = decoder(torch.tensor([[1]]), cache)
    kept = first.clone()
    assert not torch.equal(decoder(torch.tensor([[2]]), cache), kept)
    assert torch.equal(first, kept)


@pytest.mark.parametrize("why", ["a view of its own", "the attribute graph", "groups of 12"])
def test_what_cannot_be_captured_runs_as_it_is(why, gpu):
    class Own(ContiguousCache):
        def view(self, layer):
            return super().view(layer)

    kernels, captures = gpu
    layout = CacheLayout.uniform(1, 1, 24, n_heads=3, max_context=512)
    decoder, plain = decoder_of(layout, kernels), decoder_of(layout, None)
    decoder.graph = why != "the attribute graph"
    options = dict(codes="int8", group=12) if why == "groups of 12" else {}
    kind = Own if why == "a view of its own" else QuantizedCache if options else ContiguousCache
    ours, theirs = (kind(layout, capacity=16, **options) for _ in range(2))
    for token in torch.tensor([[[1]], [[2]], [[3]]]):
        torch.testing.assert_close(decoder(token, ours), plain(token, theirs), atol=1e-4, rtol=1e-4)
    assert not captures


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", CACHES)
def test_a_step_on_a_gpu_never_waits_for_the_host(name, dtype, gpu, monkeypatch):
    """A prompt and tokens on fake tensors of a GPU: no answer to the host, no tensor left on the CPU."""
    kernels, _ = gpu
    launched = []

    def launch(kernel, grid, *arguments, **constants):
        launched.append(kernel.fn.__name__)
        tensors = [x for x in arguments if torch.is_tensor(x)]
        assert all(x.device.type == "cuda" and x.is_contiguous() for x in tensors)

    monkeypatch.setattr(kernels, "_launch", launch)
    monkeypatch.setattr("kvlib.kernels.cuda.graph.record", lambda step, device: (lambda: None, step()))
    monkeypatch.setattr(kernels, "_tensor_cores", lambda device: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    with fake_gpu(monkeypatch):
        like = dict(dtype=torch_dtype(dtype), device="cuda")
        layout, hidden = CACHES[name][1], 32
        heads = (layout.n_heads + 2 * layout.n_kv_heads) * layout.head_dim
        shapes = [(hidden, heads), (layout.n_heads * layout.head_dim, hidden), (hidden, 64), (32, hidden)]
        qkv, out, gate_up, down = (torch.empty(*shape, **like) for shape in shapes)
        one = torch.empty(hidden, **like)
        layers = [Layer(one, qkv, out, one, gate_up, down) for _ in layout.layers]
        decoder = Decoder(layout, layers, torch.empty(hidden, 40, **like), one)
        assert decoder.kernels is kernels
        cache = made(name, batch=2, dtype=dtype, device="cuda")
        for T in (300, *[1] * 20):
            tokens = torch.zeros(2, T, dtype=torch.long, device="cuda")
            assert decoder(tokens, cache).shape == (2, 40)
    for kernel in ("store", "decode", "merge", "norm", "gate"):
        assert kernel in launched


@pytest.mark.parametrize("name", CACHES)
def test_no_context_and_no_batch_is_compiled_in(name, gpu, monkeypatch):
    """Triton compiles anew for other constants, other types, a 1, and what 16 divides: none of it changes."""
    from kvlib.kernels.cuda.reading import CHANGING

    kernels, _ = gpu
    compiled = set()

    def launch(kernel, grid, *arguments, **constants):
        kinds = []
        for parameter, value in zip(inspect.signature(kernel.fn).parameters, arguments, strict=False):
            if torch.is_tensor(value):
                kinds.append((value.dtype, value.storage_offset() * value.element_size() % 16))
            elif isinstance(value, int) and parameter not in CHANGING:
                kinds.append(value)
            else:
                kinds.append(type(value))
        compiled.add((kernel.fn.__name__, *kinds, *sorted(constants.items())))

    monkeypatch.setattr(kernels, "_launch", launch)
    monkeypatch.setattr(kernels, "_processors", lambda device: 132)
    layout = CACHES[name][1]
    H, H_kv, D = layout.n_heads, layout.n_kv_heads, layout.head_dim
    for batch in (1, 2, 13, 16):
        for capacity in (1, 40, 129, 4096, 10_001):
            cache = made(name, batch=batch, capacity=capacity, device="meta")
            cache.append(1)
            qkv = torch.empty(batch, 1, H + 2 * H_kv, D, device="meta")
            angles = torch.empty(1, 1, 1, D, device="meta")
            for layer in range(len(layout.layers)):
                kernels.token(qkv, H, angles, angles, cache.view(layer))
            kernels.rms_norm(qkv.flatten(1), qkv[0].flatten(), 1e-5)
            kernels.silu_mul(qkv.flatten(1))
    assert len(compiled) == 5, sorted(map(str, compiled))
