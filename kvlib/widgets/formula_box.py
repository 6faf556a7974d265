"""The formula as a box that grows: one number of one key, multiplied factor by factor into a cache."""

from fractions import Fraction

from ..layouts import CacheLayout, LayerKV
from ..units import UNITS, dtype as as_dtype, fmt
from .base import Choice, Figure, Table, Whole, constant, dtypes

VECTORS = {"keys and values": 2, "one latent vector": 1}
PRECISIONS = ("fp32", "bf16", "fp8", "int8", "int4", "q8_0", "q4_0")
# What each product is, by what is kept of a token.
PARTS = {
    "keys and values": ("one number", "one head's key", "one head's key and value"),
    "one latent vector": ("one number", "one head's latent vector", "one head's latent vector"),
}
WHOLES = ("one token in one layer", "one token", "one sequence", "the cache")


class FormulaBox(Figure):
    """Bytes per number × head_dim × 2 × KV heads × layers × context × batch, a factor a step.

    FormulaBox(n_kv_heads=8, context=8192): each factor is a trait, readable and observable; the defaults are
    Llama 2 7B at 4,096 tokens. `step` is the last factor that has been multiplied, 1 to 7. `products` are
    the seven (numbers, bytes). A dtype that stores several numbers together (q4_0) stores whole blocks of
    them for each token's keys in a layer, so from there on the bytes can exceed the factors' product.
    Raises ValueError for a factor below 1 or above its bound.
    """

    script = "formula_box.js"
    title = constant("The formula, one factor at a time")
    lead = constant(
        "From one number of one key to the whole cache: step through the factors, "
        "then change one and see the box change."
    )

    step = Whole(1, most=7)
    dtype = Choice("bf16", PRECISIONS)
    head_dim = Whole(128, most=1024)
    vectors = Choice("keys and values", VECTORS)
    n_kv_heads = Whole(32, most=256)
    n_layers = Whole(32, most=256)
    context = Whole(4096, most=2**24)
    batch = Whole(1, most=4096)
    dtypes = constant(dtypes(PRECISIONS))
    vector_counts = constant(VECTORS)
    wholes = constant({kept: [*parts, *WHOLES] for kept, parts in PARTS.items()})

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

    @property
    def padding(self) -> int:
        """Places for a number that stay empty at the end of a token's keys in a layer."""
        return -self.n_kv_heads * self.head_dim % as_dtype(self.dtype).values

    @property
    def products(self) -> list:
        """(numbers, bytes) after each factor; one head's bytes are its share of the blocks it lies in."""
        kind, layout, kept = as_dtype(self.dtype), self.cache_layout, VECTORS[self.vectors]
        counts = [1, self.head_dim, kept * self.head_dim]
        for factor in (self.n_kv_heads, self.n_layers, self.context, self.batch):
            counts.append(counts[-1] * factor)
        sizes = [Fraction(n * kind.bytes, kind.values) for n in counts[:3]]
        sizes += [
            layout.layers[0].bytes_per_token(kind),
            layout.bytes_per_token(kind),
            layout.bytes(self.context, 1, kind),
            self.nbytes,
        ]
        return list(zip(counts, sizes, strict=True))

    def table(self) -> Table:
        factors = [
            f"{self.dtype}, bytes per number",
            f"× {self.head_dim:,} in a head (head_dim)",
            f"× {VECTORS[self.vectors]} ({self.vectors})",
            f"× {_many(self.n_kv_heads, 'KV head')}" + (", in whole blocks" if self.padding else ""),
            f"× {_many(self.n_layers, 'layer')}",
            f"× {_many(self.context, 'token')}",
            f"× {_many(self.batch, 'sequence')}",
        ]
        rows = [
            [whole, factor, f"{numbers:,}", _bytes(size)]
            for whole, factor, (numbers, size) in zip(
                self.wholes[self.vectors], factors, self.products, strict=True
            )
        ]
        return Table("The cache, one factor at a time", ["so far", "factor", "numbers", "bytes"], rows)


def _many(n: int, one: str) -> str:
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def _bytes(size) -> str:
    """`size`, whole or in sixteenths, as text: "4,096 = 4 KiB", "1,400 ≈ 1.367 KiB" or "1.0625"."""
    if size != int(size):
        return f"{float(size):,.4f}".rstrip("0")
    text, size = f"{int(size):,}", int(size)
    if size < 1024:
        return text
    exact = size * 1000 % UNITS[fmt(size).split()[1]] == 0
    return f"{text} {'=' if exact else '≈'} {fmt(size)}"
