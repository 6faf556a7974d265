"""Tensor parallelism: the layout of a rank, its weights, and decoders over two and four processes."""

import os
import pickle
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from kvlib.cache import make_cache
from kvlib.engines import engine
from kvlib.generate import LanguageModel
from kvlib.layouts import CacheLayout, LayerKV, StateTensor
from kvlib.measure.random_model import random_decoder
from kvlib.parallel import ShardedDecoder, launch, processes, run, shard_layout, text

MHA = CacheLayout.uniform(2, 4, 8, n_heads=4, max_context=64, name="mha")
GQA = CacheLayout.uniform(2, 2, 8, n_heads=8, max_context=64, name="gqa")
WINDOWS = CacheLayout(
    (LayerKV("sliding", 2, 8, window=5), LayerKV("full", 2, 8)), n_heads=4, max_context=64, name="windows"
)
LLAMA = CacheLayout.uniform(32, 8, 128, n_heads=32, name="llama")
SMOLLM2 = CacheLayout.uniform(30, 3, 64, n_heads=9, name="smollm2")
DEEPSEEK = CacheLayout((LayerKV("latent", 1, 576, v_head_dim=0),) * 61, n_heads=128, name="deepseek")
CACHES = {
    "contiguous": ("contiguous", {}),
    "sliding": ("sliding", dict(window=6, sinks=2)),
    "paged": ("paged", dict(block_size=4)),
    "int8": ("quantized", dict(codes="int8", group=8)),
    "int4 by channel": ("quantized", dict(codes="int4", group=4, keys="channel")),
}
TOKENS = torch.randint(0, 50, (3, 18), generator=torch.Generator().manual_seed(1))
PAD = torch.tensor([0, 3, 7])
TINY = dict(hidden=48, ffn=96, vocab=50)


def tiny(layout=GQA, **rest):
    return random_decoder(layout, **TINY | rest)


# The layout of a rank.


@pytest.mark.parametrize(
    ("layout", "ranks", "heads", "kv_heads", "copies"),
    [
        (LLAMA, 1, 32, 8, 1), (LLAMA, 2, 16, 4, 1), (LLAMA, 8, 4, 1, 1), (LLAMA, 16, 2, 1, 2),
        (LLAMA, 32, 1, 1, 4), (SMOLLM2, 3, 3, 1, 1), (SMOLLM2, 9, 1, 1, 3), (GQA, 4, 2, 1, 2),
        (DEEPSEEK, 8, 16, 1, 8),
    ],
)  # fmt: skip
def test_a_rank_keeps_its_share_of_the_heads(layout, ranks, heads, kv_heads, copies):
    shard = shard_layout(layout, ranks)
    assert (shard.n_heads, shard.n_kv_heads, shard.head_dim) == (heads, kv_heads, layout.head_dim)
    assert ranks * shard.bytes(60, 3) == copies * layout.bytes(60, 3)


def test_layers_keep_their_kinds():
    mixed = CacheLayout(
        (LayerKV("sliding", 4, 8, window=5), LayerKV("full", 2, 16), LayerKV("none")), n_heads=8
    )
    assert shard_layout(mixed, 4).layers == (
        LayerKV("sliding", 1, 8, window=5), LayerKV("full", 1, 16), LayerKV("none"),
    )  # fmt: skip


@pytest.mark.parametrize("layout", [LLAMA, SMOLLM2, GQA, MHA, DEEPSEEK], ids=lambda layout: layout.name)
@pytest.mark.parametrize("ranks", range(1, 34))
def test_vllm_takes_on_each_gpu_what_the_ranks_layout_says(layout, ranks):
    """Over all GPUs: ranks times the rank's layout, where whole blocks are filled."""
    policy = engine("vllm", tp=ranks)
    try:
        shard = shard_layout(layout, ranks)
    except ValueError:
        with pytest.raises(ValueError, match="tp must divide"):
            policy.bytes(layout, 64)
        return
    assert policy.bytes(layout, 64, batch=2) == ranks * shard.bytes(64, batch=2)
    assert policy.bytes_per_token(layout) == ranks * shard.bytes_per_token()
    assert policy.bytes_read(layout, 61) == ranks * shard.bytes_read(61)


@pytest.mark.parametrize(
    ("layout", "ranks", "says"),
    [
        (SMOLLM2, 2, "ranks must be 1 or 3 or 9 for smollm2, not 2: 9 query heads and 3 KV heads"),
        (LLAMA, 64, "ranks must be 1 or 2 or 4 or 8 or 16 or 32 for llama, not 64"),
        (CacheLayout.uniform(1, 4, 8, n_heads=12), 3, "1 or 2 or 4 or 12 for model, not 3: 12 query heads"),
        (CacheLayout.uniform(1, 4, 8), 3, "ranks must be 1 or 2 or 4 for model, not 3: 4 KV heads"),
        (LLAMA, 0, "ranks must be a whole number of at least 1, not 0"),
        (LLAMA, 2.0, "ranks must be a whole number"),
        (CacheLayout((LayerKV("state", state=(StateTensor(8),)),)), 1, "layer 0 of model keeps a state"),
        (CacheLayout((LayerKV("full", 2, 4, cross_elements=8),)), 2, "cross attention"),
    ],
)  # fmt: skip
def test_heads_that_cannot_be_shared_out_are_refused(layout, ranks, says):
    with pytest.raises(ValueError, match=says):
        shard_layout(layout, ranks)


# The weights of a rank.


@pytest.mark.parametrize(("layout", "ranks"), [(MHA, 2), (MHA, 4), (GQA, 2), (GQA, 4), (GQA, 8)])
def test_the_ranks_parts_are_the_whole(layout, ranks):
    whole, D = tiny(layout), layout.head_dim
    shards = [ShardedDecoder(whole, rank, ranks) for rank in range(ranks)]
    H, H_kv = shards[0].n_heads, shards[0].n_kv_heads
    copies = ranks * H_kv // layout.n_kv_heads
    for i, layer in enumerate(whole.layers):
        parts = [shard.layers[i] for shard in shards]
        q, k, v = zip(*(part.qkv.split([H * D, H_kv * D, H_kv * D], 1) for part in parts), strict=True)
        gate, up = zip(*(part.gate_up.chunk(2, 1) for part in parts), strict=True)
        assert torch.equal(torch.cat(q + k[::copies] + v[::copies], 1), layer.qkv)
        assert torch.equal(torch.cat(k, 1), torch.cat([k[n // copies * copies] for n in range(ranks)], 1))
        assert torch.equal(torch.cat(gate + up, 1), layer.gate_up)
        assert torch.equal(torch.cat([part.out for part in parts]), layer.out)
        assert torch.equal(torch.cat([part.down for part in parts]), layer.down)
        # Copied, so that the whole can be dropped.
        kept = {part.down.untyped_storage().data_ptr() for part in parts}
        assert len(kept) == ranks and layer.down.untyped_storage().data_ptr() not in kept


def test_a_tied_head_stays_tied():
    whole = tiny()
    whole.head = whole.embedding
    shard = ShardedDecoder(whole, 0, 2)
    assert shard.head is shard.embedding


def test_parts_that_cannot_be_cut_are_refused():
    with pytest.raises(ValueError, match="ranks must divide ffn: 90 columns of the MLP over 4 ranks"):
        ShardedDecoder(tiny(ffn=90), 0, 4)
    with pytest.raises(ValueError, match="rank must be less than ranks=2, not 2"):
        ShardedDecoder(tiny(), 2, 2)
    with pytest.raises(ValueError, match="ranks must be 1 or 2 or 4 or 8 for gqa, not 3"):
        ShardedDecoder(tiny(), 0, 3)


# Decoders over several processes.


def compare(rank, ranks, device, layouts):
    """In a rank: for each layout and cache, how far the logits of every step are from the whole decoder's.

    Also the tokens that both choose, and the cache's bytes, held and predicted.
    """
    assert (dist.get_rank(), dist.get_world_size(), torch.get_num_threads()) == (rank, ranks, 1)
    found = {}
    for layout in layouts:
        # Another rotary base and another eps than a decoder's own: they must come along.
        whole = tiny(layout, rope_theta=100.0, eps=1e-2)
        shard = ShardedDecoder(whole, rank, ranks)
        for name, (kind, options) in CACHES.items():
            if layout is layouts[-1] and options.get("keys") == "channel":
                continue  # not with sliding layers
            logits = []
            for decoder in (whole, shard):
                cache = make_cache(kind, decoder.layout, batch=3, capacity=18, **options)
                cache.pad = None if name == "sliding" else PAD
                steps = [TOKENS[:, :10], *TOKENS[:, 10:].split(1, dim=1)]
                logits.append(torch.stack([decoder(step, cache) for step in steps]))
            off = (logits[0] - logits[1]).abs().max().item()
            same = torch.equal(*(x.argmax(-1) for x in logits))
            found[layout.name, name] = off, same, cache.nbytes, cache.predicted_bytes, cache.layout
    return found


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_ranks_give_the_decoders_logits_with_every_cache(ranks, monkeypatch):
    monkeypatch.setenv("KVLIB_KERNELS", "off")  # `run` is tested with them
    layouts = (MHA, GQA, WINDOWS)
    for found in launch(compare, ranks, layouts):
        for layout in layouts:
            shard = shard_layout(layout, ranks)
            for name, (kind, _) in CACHES.items():
                if (layout.name, name) not in found:
                    continue
                off, same, nbytes, predicted, its_layout = found.pop((layout.name, name))
                # Of numbers a hair's breadth apart, one may be rounded up and the other down to a code.
                assert off < (1e-4 if kind != "quantized" else 0.02), (layout.name, name)
                assert same or kind == "quantized"
                assert its_layout == shard and nbytes == predicted
                if name == "contiguous":
                    assert nbytes == shard.bytes(18, 3, "fp32")
                if name == "paged":
                    assert nbytes == shard.bytes_per_token("fp32") * (3 * 18 - int(PAD.sum()))
        assert found == {}


PROMPTS = [[1, 2, 3, 4, 5], [6, 7]]


def test_run_gives_the_tokens_of_one_process():
    """With the kernels of the CPU, and prompts of unequal length."""
    make = partial(random_decoder, GQA, **TINY)
    options = dict(cache="paged", block_size=4)
    alone = LanguageModel(make(), text._Ids()).generate(PROMPTS, 8, **options)
    runs = run(make, PROMPTS, 2, 8, **options)
    assert [one.rank for one in runs] == [0, 1]
    for one in runs:
        assert one.tokens == alone.tokens and one.text == alone.text
        assert (one.device, one.n_heads, one.n_kv_heads, len(one.seconds)) == ("cpu", 4, 1, 8)
        assert 2 * one.cache_bytes == 2 * one.predicted_bytes == alone.cache.nbytes
    replicated = 4 * (2 * 48 * 50 + 48 + 2 * 2 * 48)
    assert 2 * (runs[0].weights_bytes - replicated) == make().weights_bytes - replicated


def test_the_real_model_over_three_ranks():
    smollm2 = pytest.importorskip("kvlib.smollm2")
    lm = smollm2.load_smollm2("cpu")
    alone = lm.generate("The capital of France is", 12, stop=False)
    for one in run(smollm2.load_smollm2, "The capital of France is", 3, 12, stop=False):
        assert one.tokens == alone.tokens and one.text == alone.text
        assert 3 * one.cache_bytes == 3 * one.predicted_bytes == alone.cache.nbytes
        assert (one.n_heads, one.n_kv_heads) == (3, 1)


def test_ranks_that_disagree_are_not_believed(monkeypatch):
    runs = [text.RankRun(rank, "cpu", "", [rank], [], 1, 1, 1, 1, 1, 1) for rank in range(2)]
    monkeypatch.setattr(text, "launch", lambda *args, **options: runs)
    with pytest.raises(RuntimeError, match="rank 1 chose other tokens than rank 0"):
        run(tiny, [[1]], 2)


# What goes wrong.


def misbehave(rank, ranks, device, how, folder):
    """Rank 1 does, while rank 0 waits for it."""
    Path(folder, str(rank)).write_text(str(os.getpid()))
    dist.barrier()
    if rank == 1:
        if how == "raise":
            raise ValueError("the second rank gave up")
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    dist.all_reduce(torch.ones(1))


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("raise", RuntimeError, "rank 1 of 2 failed: ValueError: the second rank gave up"),
        ("die", RuntimeError, "rank 1 of 2 failed: its process was ended by signal 9"),
        ("sleep", TimeoutError, "longer than timeout=8 seconds; not done: 0, 1 of 2"),
    ],
)  # fmt: skip
def test_a_rank_that_fails_ends_them_all(how, error, says, tmp_path):
    with pytest.raises(error, match=says) as caught:
        launch(misbehave, 2, how, str(tmp_path), timeout=8 if how == "sleep" else 300)
    if how == "raise":
        assert "in misbehave" in caught.value.__notes__[0]
    started = [int(path.read_text()) for path in tmp_path.iterdir()]
    assert len(started) == 2 or how == "sleep"  # on a slow machine they may not have come so far
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_ranks_end_with_the_process_that_started_them(tmp_path):
    """A notebook's kernel is killed when it is restarted."""
    program = f"import tests.test_parallel as t; t.launch(t.misbehave, 2, 'sleep', {str(tmp_path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    while len(list(tmp_path.iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.1)
    parent.kill()
    parent.communicate(timeout=60)  # its output ends once no rank holds it any more


def test_what_cannot_be_started_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="ranks must be"):
        launch(compare, 0)
    with pytest.raises(ValueError, match="timeout must be above 0 seconds, not 0"):
        launch(compare, 2, timeout=0)
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        launch(compare, 2, device="tpu")
    with pytest.raises(ValueError, match="must be picklable"):
        run(lambda device: tiny(), [[1]], 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)
    with pytest.raises(
        ValueError, match=r"device cuda needs a GPU \(and NCCL\) for each of 2 ranks; there are 1"
    ):
        launch(compare, 2, device="cuda")
    assert processes._devices(2, None) == ["cpu", "cpu"] and processes._devices(1, None) == ["cuda:0"]


def test_a_function_of_the_notebook_is_refused(monkeypatch):
    """A notebook's module has no file from which another process could read it."""

    def mine(): ...

    mine.__module__ = "__main__"
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)  # as in a notebook
    for work in (mine, partial(mine)):
        with pytest.raises(ValueError, match="mine is written in the notebook"):
            run(work, [[1]], 2)
    assert pickle.loads(processes._pickled(compare, (1,))) == (compare, (1,))
