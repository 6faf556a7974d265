"""What one of several ranks has of a decoder, whatever it is that they share."""

from ..decoder import Decoder
from ..units import whole_number


def check_rank(rank, ranks):
    """Raises ValueError for a rank that is none of `ranks`, which are counted from 0."""
    whole_number("ranks", ranks)
    if whole_number("rank", rank, least=0) >= ranks:
        raise ValueError(f"rank must be less than ranks={ranks}, not {rank}")


class RankDecoder(Decoder):
    """`whole` on one rank: with a layout and layers of the rank's own; embedding, norm and head are whole.

    device  where the weights go; group  the ranks' process group (None: all)
    """

    def __init__(self, whole: Decoder, layout, layers, *, device, group):
        embedding = whole.embedding.to(device)
        head = None if whole.head is whole.embedding else whole.head.to(device)
        super().__init__(layout, layers, embedding, whole.norm.to(device), head=head, eps=whole.eps)
        self.group = group
        self.graph = False  # collectives within a captured CUDA graph have not been tried
        self.cos, self.sin = whole.cos.to(device), whole.sin.to(device)  # of the whole's rotary base
