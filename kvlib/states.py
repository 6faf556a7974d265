"""What a layer keeps besides keys and values of each token: states of fixed size, compressed entries."""

from dataclasses import dataclass, field

from .units import DType, dtype as as_dtype, whole_number


@dataclass(frozen=True)
class StateTensor:
    """One tensor of fixed size that a layer keeps of a sequence, however long it is.

    elements   numbers at one position of a short convolution's memory (its channels), or in
               the whole of a recurrent state
    kernel     positions that the convolution sees; None for a recurrent state
    positions  those of them that transformers keeps: all `kernel`, unless said (engines that
               slide the memory along need only kernel − 1)
    dtype      what transformers keeps it in: None means the model's own dtype
    named      the dtype that the checkpoint's config asks for, where it has a field for it
    groups     (groups, channels of each) that heads of a Mamba 2 share: every GPU needs a whole one
    """

    elements: int
    kernel: int | None = None
    positions: int | None = None
    dtype: str | None = None
    named: str | None = None
    groups: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self):
        whole_number("elements", self.elements)
        if self.kernel is not None:
            whole_number("kernel", self.kernel)
        if self.positions is not None:
            if self.kernel is None or whole_number("positions", self.positions, 0) > self.kernel:
                raise ValueError("positions are those a convolution keeps: at most its kernel")
        for name in (self.dtype, self.named):
            if name is not None:
                as_dtype(name)

    def nbytes(self, dtype: "str | DType" = "bf16", positions: int | None = None) -> int:
        """Bytes of one sequence's tensor, its numbers kept in `dtype`.

        positions: how many of a convolution's positions are kept (None: all of its kernel).
        """
        width = self.kernel if positions is None else positions
        return as_dtype(dtype).nbytes(self.elements * (1 if self.kernel is None else width or 0))


@dataclass(frozen=True)
class Compressed:
    """Entries that each stand for `every` tokens, as DeepSeek V4 keeps them beyond its window.

    elements  numbers in one entry
    open      numbers kept of each token of the block that is not full yet, from which its entry will be made
    carried   numbers kept of the last full block for the next one's entry, once there is a full block
    """

    every: int
    elements: int
    open: int = 0
    carried: int = 0

    def __post_init__(self):
        whole_number("every", self.every)
        whole_number("elements", self.elements)

    def nbytes(self, context: int, dtype: "str | DType" = "bf16") -> int:
        """Bytes once `context` tokens have passed; each entry is a row of its own."""
        kind, (full, rest) = as_dtype(dtype), divmod(context, self.every)
        carried = kind.nbytes(self.carried) if full else 0
        return full * kind.nbytes(self.elements) + rest * kind.nbytes(self.open) + carried
