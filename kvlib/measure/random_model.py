"""A decoder with random weights: whatever a model's shape, its steps take the time they would take."""

import torch

from ..cache import torch_dtype
from ..decoder import Decoder, Layer
from ..units import whole_number


def random_decoder(
    layout, hidden, ffn, vocab, *, tied=False, dtype="fp32", device="cpu", seed=0, **rest
) -> Decoder:
    """A decoder of this shape with random weights: the right speed, no sense.

    hidden, ffn, vocab  widths
    tied                the output head is the embedding

    Every matrix is drawn where it stays and in its own dtype: nothing but the weights takes memory.
    Raises ValueError for a count below 1 or a layout without n_heads.
    """
    for name, width in (("hidden", hidden), ("ffn", ffn), ("vocab", vocab)):
        whole_number(name, width)
    H, kv = whole_number("n_heads", layout.n_heads), layout.layers[0]
    generator = torch.Generator(device).manual_seed(seed)

    def weight(rows, columns):
        w = torch.empty(rows, columns, dtype=torch_dtype(dtype), device=device)
        return w.normal_(std=rows**-0.5, generator=generator)

    one = torch.ones(hidden, dtype=torch_dtype(dtype), device=device)
    D, H_kv = kv.head_dim, kv.n_kv_heads
    layers = [
        Layer(one, weight(hidden, (H + 2 * H_kv) * D), weight(H * D, hidden), one,
              weight(hidden, 2 * ffn), weight(ffn, hidden))
        for _ in layout.layers
    ]  # fmt: skip
    head = None if tied else weight(hidden, vocab)
    return Decoder(layout, layers, weight(hidden, vocab), one, head=head, **rest)
