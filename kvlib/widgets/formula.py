"""The formula as seven factors that can be turned, and what doubling one does."""

from ..layouts import CacheLayout, LayerKV
from ..units import dtype as as_dtype, fmt
from .base import Choice, Figure, Table, Whole, constant, dtypes

VECTORS = {"keys and values": 2, "one latent vector": 1}
PRECISIONS = ("fp32", "bf16", "fp8", "int8", "int4", "q8_0", "q4_0")


class Formula(Figure):
    """2 × layers × batch × KV heads × context × head_dim × bytes per number.

    Formula(n_layers=32, n_kv_heads=8): each factor is a trait, readable and observable.
    `nbytes` is the product; a dtype that stores several numbers together (q4_0) stores whole blocks of
    them, which can be more. Raises ValueError for a factor below 1 or above its bound.
    """

    script = "formula.js"
    title = constant("The formula, factor by factor")
    lead = constant(
        "Change any factor. The cache is their product, so doubling one doubles the whole; "
        "only a precision that stores numbers in blocks rounds up."
    )

    vectors = Choice("keys and values", VECTORS)
    vector_counts = constant(VECTORS)
    n_layers = Whole(32, most=256)
    batch = Whole(1, most=4096)
    n_kv_heads = Whole(32, most=256)
    context = Whole(4096, most=2**24)
    head_dim = Whole(128, most=1024)
    dtype = Choice("bf16", PRECISIONS)
    dtypes = constant(dtypes(PRECISIONS))

    @property
    def cache_layout(self) -> CacheLayout:
        if self.vectors == "keys and values":
            layer = LayerKV("full", self.n_kv_heads, self.head_dim)
        else:
            layer = LayerKV("latent", self.n_kv_heads, self.head_dim, v_head_dim=0)
        return CacheLayout((layer,) * self.n_layers)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole cache."""
        return self.cache_layout.bytes(self.context, self.batch, self.dtype)

    def table(self) -> Table:
        padded = self.n_kv_heads * self.head_dim % as_dtype(self.dtype).values
        rows = [
            ["vectors kept of a token", VECTORS[self.vectors]],
            ["layers", self.n_layers],
            ["sequences (batch)", self.batch],
            ["KV heads", self.n_kv_heads],
            ["tokens (context)", f"{self.context:,}"],
            ["numbers in a head (head_dim)", self.head_dim],
            ["precision", self.dtype],
            [
                "in whole blocks" if padded else "product",
                f"{self.nbytes:,} bytes = {fmt(self.nbytes)} = {fmt(self.nbytes, 'GB')}",
            ],
        ]
        return Table("The factors of the cache's size", ["factor", "value"], rows)
