"""One token's step of a decoder, captured once as a CUDA graph and replayed for the tokens after it.

A step of a small model launches hundreds of kernels, and launching takes longer than they run. A graph
launches them all at once. It repeats what it was captured with: the same kernels on the same addresses. So
whatever changes from step to step must lie in tensors that the cache keeps in place (`Cache.device_lengths`).
"""

import torch


class Captured:
    """A decoder's step over the memory of one cache."""

    def __init__(self, decoder, tokens, cache):
        self.decoder = decoder  # a graph reads the weights' memory, so they must live as long as it
        self.tokens = tokens.clone()

        def step():
            cache.begin(1)  # nothing that an earlier run has computed may be taken for this one's
            return decoder.step(self.tokens, cache)

        self.replay, self.logits = record(step, tokens.device)

    def __call__(self, tokens, cache):
        """Logits [B, 1, vocab] of tokens [B, 1], for which the cache has room."""
        self.tokens.copy_(tokens)
        self.replay()
        for layer in range(len(cache.layers)):
            cache.wrote(layer)
        return self.logits.clone()  # the next step writes to the same memory


def record(step, device):
    """Capture what `step` launches: a function that launches it again, and the result that this overwrites.

    It runs once before, for what happens only the first time (compiling, libraries that set memory aside)
    cannot be captured. So running it twice must leave what running it once does.
    """
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = step()
    return graph.replay, result
