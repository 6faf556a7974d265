"""Decode steps of one fixed shape, which a CUDA graph can hold.

A step of a 7B model launches hundreds of kernels; launched one by one they cost more time
than the memory they read. A graph is captured once and launched as a whole. For that, no
shape may depend on how many tokens have passed: attention gets the cache's whole memory and
a tensor that says how far it is filled. Its fastest kernel is measured once for each shape.
"""

import time
import warnings
from functools import cache

import torch

from .attention import check, grouped


class Filled:
    """How far a cache's memory is filled: its slots up to `position` (a tensor [1]), less the padding.

    pad  [B] or None: slots at the front of each sequence that hold padding
    Masks are made once a step for each size of memory and serve every layer.
    """

    def __init__(self, position, pad=None):
        self.position, self.pad, self._made = position, pad, {}

    def mask(self, S):
        """[1 or B, 1, 1, S], True where a slot may be seen."""
        if S not in self._made:
            slot = torch.arange(S, device=self.position.device)
            mask = (slot <= self.position).view(1, 1, 1, S)
            self._made[S] = mask if self.pad is None else mask & (slot >= self.pad.view(-1, 1, 1, 1))
        return self._made[S]

    def blocks(self, S):
        """The same as a FlexAttention BlockMask, whose blocks beyond the position are never read."""
        if ("blocks", S) not in self._made:
            from torch.nn.attention.flex_attention import BlockMask

            size = 128
            n = -(-S // size)
            position, pad = self.position, self.pad

            def sees(b, h, query, slot):
                filled = slot <= position[0]
                return filled if pad is None else filled & (slot >= pad[b])

            used = (position // size + 1).clamp(max=n).to(torch.int32).view(1, 1, 1)
            every = torch.arange(n, dtype=torch.int32, device=position.device).view(1, 1, 1, n)
            self._made["blocks", S] = BlockMask.from_kv_blocks(
                used, every, BLOCK_SIZE=size, mask_mod=sees, seq_lengths=(1, S)
            )
        return self._made["blocks", S]


def attention_at(q, k, v, filled: Filled):
    """What one new token a sequence reads from a cache's memory, in the order of its slots.

    q [B, H, 1, D]; k, v [B, H_kv, slots, D], the new token's among them. Returns [B, H, 1, D].
    One query sees all that is filled, so the order of the slots does not matter.
    """
    check(q, k, v)
    if not q.is_cuda:
        return masked_at(q, k, v, filled)
    shape = (*q.shape, *k.shape[1:3], q.dtype, filled.pad is None)
    if shape not in _FASTEST:
        _FASTEST[shape] = _fastest((masked_at, flex_at), q, k, v, filled)
    return _FASTEST[shape](q, k, v, filled)


def masked_at(q, k, v, filled):
    """Scaled dot product attention with a mask: reads the whole memory, filled or not."""
    return grouped(q, k, v, filled.mask(k.shape[2]))


def flex_at(q, k, v, filled):
    """FlexAttention's decoding kernel: reads only filled blocks, and splits them over the GPU."""
    grouped_heads = q.shape[1] != k.shape[1]
    return _flex(q.is_cuda)(q, k, v, block_mask=filled.blocks(k.shape[2]), enable_gqa=grouped_heads)


_FASTEST = {}  # shape -> kernel, on CUDA


@cache
def _flex(compiled):
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False) if compiled else flex_attention


def _fastest(kernels, *inputs):
    """The kernel with the least median time on these inputs, on CUDA."""
    times = {}
    for kernel in kernels:
        try:
            runs = []
            for _ in range(13):
                torch.cuda.synchronize()
                start = time.perf_counter()
                kernel(*inputs)
                torch.cuda.synchronize()
                runs.append(time.perf_counter() - start)
        except Exception as error:  # a kernel that this GPU or this build cannot compile
            warnings.warn(f"{kernel.__name__} is left out: {error}", stacklevel=2)
        else:
            times[kernel] = sorted(runs[3:])[5]
    return min(times, key=times.get)


def stepper(decoder, cache, pad=None):
    """A function from tokens [B, T] to logits [B, vocab], the fastest way this device has.

    The first call is the prefill; each later one is one token a sequence. Without a cache
    (None) every call gets all tokens, `pad` [B] of them padding.
    """
    if cache is None:
        return lambda tokens: decoder(tokens, pad=pad)
    if cache.kernel and cache.ready(0):
        cache.kernel.prepare(cache.source(0)[0], cache.direct, torch.get_num_threads())
    if decoder.device.type != "cuda" or not cache.fixed:
        return lambda tokens: decoder(tokens, cache)
    graph = None

    def step(tokens):
        nonlocal graph
        if tokens.shape[1] > 1 or cache.length == 0:
            return decoder(tokens, cache)
        graph = graph or FixedStep(decoder, cache)
        return graph(tokens)

    return step


class FixedStep:
    """`Decoder.step` with its inputs in fixed memory; on CUDA captured as a graph when made.

    Captured between two tokens: what it writes while warming up lies in the next token's slot.
    """

    def __init__(self, decoder, cache):
        if not cache.fixed:
            raise ValueError(
                f"cache must be one whose shapes stay fixed (contiguous, sliding), not {cache.kind}"
            )
        self.decoder, self.cache, self.graph = decoder, cache, None
        self.tokens = torch.zeros(cache.batch, 1, dtype=torch.long, device=decoder.device)
        self.position = torch.full((1,), cache.length, device=decoder.device)
        if decoder.device.type == "cuda":
            cache.check_room()
            self._capture()

    def _capture(self):
        side = torch.cuda.Stream()  # capture wants the kernels compiled and warm
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.logits = self._run()

    def _run(self):
        return self.decoder.step(self.tokens, self.cache, self.position)

    def __call__(self, tokens):
        """Logits [B, vocab] after one more token a sequence, tokens [B, 1]."""
        self.cache.check_room()
        self.tokens.copy_(tokens)
        self.position.fill_(self.cache.length)
        if self.graph:
            self.graph.replay()
        else:
            self.logits = self._run()
        self.cache.advance()
        return self.logits
