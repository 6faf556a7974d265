"""Vectors of float32 in compiled code: what a processor handles at once, written out.

LLVM vectorises a plain loop over one token, but it sums each product by itself, keeps the sums of
the values in memory and calls exp one number at a time. On an AMD EPYC (Zen 4), with the data in
its cache, products written with these vectors took 1.4 µs for 64 tokens (head_dim 128, four query
heads) where loops took 2.5 µs.

A vector holds LANES numbers. Arrays must be C-contiguous: a vector reads neighbours in memory.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

# The features that Numba compiles for. Without AVX-512 a product's sums would not fit the registers.
LANES = 16 if "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2] else 8
LINE = 16  # float32 in a cache line

INT = ir.IntType(32)
INTS = ir.VectorType(INT, LANES)
FLOATS = ir.VectorType(ir.FloatType(), LANES)


class Vector(types.Type):
    """LANES numbers in a register."""

    def __init__(self):
        super().__init__(f"float32 x {LANES}")


vector = Vector()


@register_default(Vector)
class VectorModel(models.PrimitiveModel):
    """A Vector is LLVM's own vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, FLOATS)


def place_of(array, kind):
    """A builder of the address of array[row, column]; refuses what is not two-dimensional, C and `kind`."""
    if not isinstance(array, types.Array) or (array.ndim, array.layout) != (2, "C"):
        raise TypingError(f"keys, values and rows must lie in C-contiguous arrays, not {array}")

    def address(context, builder, signature, args):
        struct = context.make_array(array)(context, builder, args[0])
        at = cgutils.get_item_pointer(context, builder, array, struct, args[1:3], wraparound=False)
        return builder.bitcast(at, kind.as_pointer())

    return address


@intrinsic
def load(typing, array, row, column):
    """The vector array[row, column : column + LANES]."""
    address = place_of(array, FLOATS)

    def build(*given):
        return given[1].load(address(*given), align=4)

    return vector(array, types.intp, types.intp), build


@intrinsic
def store(typing, array, row, column, x):
    """array[row, column : column + LANES] = x."""
    address = place_of(array, FLOATS)

    def build(context, builder, signature, args):
        builder.store(args[3], address(context, builder, signature, args), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), build


@intrinsic
def prefetch(typing, array, row, column):
    """Ask for the cache line of array[row, column], which may lie beyond the array's end.

    Into the second cache: asked for into the first, too few lines were under way at once, and on
    that EPYC attention read 16 GB/s instead of 25 (two threads).
    """
    byte = ir.IntType(8)
    address = place_of(array, byte)

    def build(context, builder, signature, args):
        shape = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), INT, INT, INT])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], shape)
        read, second_cache, data = INT(0), INT(2), INT(1)
        builder.call(function, [address(context, builder, signature, args), read, second_cache, data])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), build


def shuffle(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT, len(lanes)), lanes))


@intrinsic
def splat(typing, x):
    """The same number in every lane."""

    def build(context, builder, signature, args):
        none = ir.Constant(FLOATS, ir.Undefined)
        return shuffle(builder, builder.insert_element(none, args[0], INT(0)), none, [0] * LANES)

    return vector(types.float32), build


@intrinsic
def lane(typing, x, i):
    """The number in lane i."""

    def build(context, builder, signature, args):
        return builder.extract_element(args[0], builder.trunc(args[1], INT))

    return types.float32(vector, types.intp), build


def _multiply_add(builder, a, b, c):
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32"), [a, b, c]
    )


@intrinsic
def multiply_add(typing, a, b, c):
    """a × b + c, rounded once where the processor can."""

    def build(context, builder, signature, args):
        return _multiply_add(builder, *args)

    return vector(vector, vector, vector), build


@intrinsic
def outer(typing, a, b, sums):
    """Tuples of vectors: sums[i × len(b) + j] + a[i] × b[j]."""

    def build(context, builder, signature, args):
        a, b, sums = (cgutils.unpack_tuple(builder, x) for x in args)
        pairs = [(x, y) for x in a for y in b]
        out = [_multiply_add(builder, *pair, c) for pair, c in zip(pairs, sums, strict=True)]
        return context.make_tuple(builder, signature.return_type, out)

    return sums(a, b, sums), build


@intrinsic
def totals(typing, vectors):
    """Of LANES vectors: lane i holds the sum of the i-th. Summed as one, in a sixteenth of the additions."""
    if len(vectors) != LANES:
        raise TypingError(f"totals needs {LANES} vectors, not {len(vectors)}")

    def build(context, builder, signature, args):
        kept, width = cgutils.unpack_tuple(builder, args[0]), LANES
        while len(kept) > 1:
            width //= 2
            low = [at + i for at in range(0, 2 * LANES, 2 * width) for i in range(width)]
            high = [i + width for i in low]
            pairs = zip(kept[::2], kept[1::2], strict=True)
            kept = [
                builder.fadd(shuffle(builder, *pair, low), shuffle(builder, *pair, high)) for pair in pairs
            ]
        return kept[0]

    return vector(vectors), build


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def larger(typing, a, b):
    """The larger of a and b, lane by lane; b where a is nan."""

    def build(context, builder, signature, args):
        return _larger(builder, *args)

    return vector(vector, vector), build


@intrinsic
def largest_of_row(typing, x):
    """Where lanes i, i + 4, … belong to one row: the row's largest, in each of them."""

    def build(context, builder, signature, args):
        x, by = args[0], LANES // 2
        while by >= 4:
            x = _larger(builder, shuffle(builder, x, x, [(i + by) % LANES for i in range(LANES)]), x)
            by //= 2
        return x

    return vector(vector), build


@intrinsic
def scale_by_power(typing, x, n):
    """x × 2**n for whole numbers -126 ≤ n ≤ 127 that come as 1.5 × 2**23 + n: the bits say the exponent."""

    def build(context, builder, signature, args):
        bits = builder.add(builder.bitcast(args[1], INTS), ir.Constant(INTS, [127] * LANES))
        power = builder.bitcast(builder.shl(bits, ir.Constant(INTS, [23] * LANES)), FLOATS)
        return builder.fmul(args[0], power)

    return vector(vector, vector), build


@intrinsic
def where_less(typing, x, y, a, b):
    """a where x < y, else b."""

    def build(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return vector(vector, vector, vector, vector), build


def _register(sign, operation):
    @intrinsic
    def apply(typing, a, b):
        def build(context, builder, signature, args):
            return getattr(builder, operation)(*args)

        return vector(vector, vector), build

    @overload(sign)
    def chosen(a, b):
        if a is vector and b is vector:
            return lambda a, b: apply(a, b)


for _sign, _operation in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")
):  # fmt: skip
    _register(_sign, _operation)
