"""vLLM's pool of blocks: layers in groups that draw on one pool of equal pages."""

from dataclasses import dataclass

from ..layouts import LayerKV


@dataclass(frozen=True)
class Layers:
    """The layers that vLLM treats alike.

    layer       one of them; of a state, a layer that keeps nothing else
    n_layers    how many there are
    need        what decides the blocks of a request: ("full", None), (kind, window) or ("state", None)
    block_size  tokens in a block; 0 for a state
    page        bytes of a block of one layer before padding, over all GPUs
    """

    layer: LayerKV
    n_layers: int
    need: tuple
    block_size: int
    page: int


@dataclass(frozen=True)
class Pool:
    """What a block is made of.

    With one kind of need a block has a page of each layer, as large as that layer needs it. Otherwise the
    layers form groups of `size`, and a block is `size` pages of `page` bytes, whichever group takes it.

    buckets  the layers by what they need
    size     layers in a group; None where one block table serves all layers
    page     bytes of a page where there are groups
    """

    buckets: tuple[Layers, ...]
    size: int | None = None
    page: int = 0

    @property
    def block_bytes(self) -> int:
        """Bytes of one block, over all GPUs."""
        if self.size is None:
            return sum(one.n_layers * one.page for one in self.buckets)
        return self.size * self.page

    def groups(self, one: Layers) -> int:
        """Groups that these layers make; the last one may lack layers and still takes whole blocks."""
        return 1 if self.size is None else -(-one.n_layers // self.size)

    def note(self, one: Layers) -> str:
        """What a reader of the count should know of these layers; "" for nothing."""
        if self.size is None:
            return ""
        groups = self.groups(one)
        note = f"{groups} group{'s' if groups > 1 else ''} of {self.size} layers"
        if unused := groups * self.size - one.n_layers:
            note += f", room for {unused} more unused"
        if one.page < self.page:
            note += f", pages padded from {one.page:,} to {self.page:,} bytes"
        return note


def grouped(buckets: list[Layers]) -> Pool:
    """Groups of equal size over equal pages: the largest bucket's size where that wastes little."""
    counts = [one.n_layers for one in buckets]
    size = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    return Pool(tuple(buckets), size, max(one.page for one in buckets))
