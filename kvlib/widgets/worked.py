"""The 7B example, multiplied one factor at a time, and the cache against the context."""

from ..layouts import kv_bytes
from ..units import fmt
from .base import Choice, Figure, Table, Whole, constant, dtypes

PRECISIONS = ("fp32", "bf16", "fp8", "int4")
CHART = (512, 1024, 2048, 4096, 8192)


class WorkedExample(Figure):
    """The cache of a 7B model of the Llama 2 kind, step by step, to 2,147,483,648 bytes.

    WorkedExample(context=8192): the model's shape may be set too (n_layers, n_kv_heads, head_dim).
    `nbytes` is the product. Raises ValueError for a factor out of bounds.
    """

    script = "worked.js"
    title = constant("The 7B example, multiplied step by step")
    lead = constant("Start from one key of one head, and multiply until it is the whole cache.")

    n_layers = Whole(32, most=256)
    n_kv_heads = Whole(32, most=256)
    head_dim = Whole(128, most=1024)
    step = Whole(1, most=7)
    chart = constant(list(CHART))
    context = Whole(4096, most=131072)
    batch = Whole(1, most=256)
    dtype = Choice("bf16", PRECISIONS)
    dtypes = constant(dtypes(PRECISIONS))

    def bytes_at(self, context: int) -> int:
        return kv_bytes(
            n_layers=self.n_layers,
            n_kv_heads=self.n_kv_heads,
            head_dim=self.head_dim,
            context=context,
            batch=self.batch,
            dtype=self.dtype,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the whole cache."""
        return self.bytes_at(self.context)

    def table(self) -> Table:
        contexts = sorted({*CHART, self.context})
        rows = [[f"{n:,}", f"{self.bytes_at(n):,}", fmt(self.bytes_at(n))] for n in contexts]
        caption = (
            f"{self.n_layers} layers × {self.batch} sequences × {self.n_kv_heads} KV heads × "
            f"{self.head_dim} numbers × 2 (keys and values) in {self.dtype}, by context"
        )
        return Table(caption, ["context, tokens", "bytes", "read as"], rows)
