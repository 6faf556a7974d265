"""Chapter 07's four-bit codes: numbers into bytes, and back."""

from ...answers import Each, Function, Slip
from ..common import question

STEPS = 15  # between the 16 codes of four bits


def _encode(numbers, steps=STEPS, to_code=round, zero=min):
    """([bytes], scale, zero) of numbers in four-bit codes, the first of two in a byte's low bits."""
    low = zero(numbers)
    scale = (max(numbers) - min(numbers)) / steps or 1.0
    codes = [to_code((x - low) / scale) for x in numbers]
    return _packed(codes), scale, low


def _packed(codes):
    codes = codes + [0] * (len(codes) % 2)
    return [a | b << 4 for a, b in zip(codes[::2], codes[1::2], strict=True)]


def _swapped(packed):
    return [byte >> 4 | (byte & 15) << 4 for byte in packed]


def _codes(packed, n=None):
    return [code for byte in packed for code in (byte & 15, byte >> 4)][:n]


def _decode(packed, scale, zero, n):
    return [code * scale + zero for code in _codes(packed, n)]


def _halves(numbers):
    """All even places in the first bytes' low bits; the halves of the row side by side."""
    packed, scale, zero = _encode(numbers)
    codes = _codes(packed)
    half = len(codes) // 2
    return [a | b << 4 for a, b in zip(codes[:half], codes[half:], strict=True)], scale, zero


def _without_last(numbers):
    packed, scale, zero = _encode(numbers)
    return packed[: len(numbers) // 2], scale, zero


def _scaled(numbers, scale):
    packed, _, zero = _encode(numbers)
    return packed, scale, zero


def _last_high(numbers):
    packed, scale, zero = _encode(numbers)
    return packed[: len(numbers) // 2] + [b << 4 for b in packed[len(numbers) // 2 :]], scale, zero


def _padded_in_front(numbers):
    packed, scale, zero = _encode(numbers)
    codes = _codes(packed, len(numbers))
    return _packed([0] * (len(codes) % 2) + codes), scale, zero


def _whole_zero(numbers):
    """The scheme of a whole zero point: the code that stands for 0."""
    scale = (max(numbers) - min(numbers)) / STEPS or 1.0
    zero = round(-min(numbers) / scale)
    return _packed([max(0, min(15, round(x / scale) + zero)) for x in numbers]), scale, zero


def _around_mean(numbers):
    mean = sum(numbers) / len(numbers)
    scale = (max(numbers) - min(numbers)) / STEPS or 1.0
    return _packed([max(0, min(15, round((x - mean) / scale))) for x in numbers]), scale, mean


def _eight_bits(numbers):
    scale = (max(numbers) - min(numbers)) / 255 or 1.0
    return [round((x - min(numbers)) / scale) for x in numbers], scale, min(numbers)


def _no_guard(numbers):
    low, high = min(numbers), max(numbers)
    scale = (high - low) / STEPS
    return _packed([round((x - low) / scale) for x in numbers]), scale, low


def _from_zero(numbers):
    """Codes of the sizes alone, as if 0 were the least number."""
    scale = max(map(abs, numbers)) / STEPS or 1.0
    return _packed([max(0, min(15, round(x / scale))) for x in numbers]), scale, 0


def _zero_behind(numbers):
    _, scale, low = _encode(numbers)
    codes = [round((x - low) / scale) for x in numbers + [0] * (len(numbers) % 2)]
    return _packed(codes), scale, low


def _by_size(numbers):
    scale = max(map(abs, numbers)) / STEPS or 1.0
    return _packed([round((x - min(numbers)) / scale) for x in numbers]), scale, min(numbers)


def _signed(numbers):
    scale = max(map(abs, numbers)) / 7 or 1.0
    return _packed([round(x / scale) & 15 for x in numbers]), scale, 0


def _rows(rng):
    """Numbers with two decimals, none of them halfway between two codes."""
    while True:
        numbers = [round(rng.uniform(-3, 3), 2) for _ in range(rng.randint(2, 11))]
        low, scale = min(numbers), (max(numbers) - min(numbers)) / STEPS
        if scale and all(abs((x - low) / scale % 1 - 0.5) > 0.02 for x in numbers):
            return numbers


@question("07-codec", points=6, kind="code", minutes=20)
def _codec():
    def to_encode(rng):
        yield from (([0.0, 15.0],), ([3.0, -2.0, 1.0],), ([2.5, 2.5, 2.5, 2.5],), ([-0.75],))
        for _ in range(20):
            yield (_rows(rng),)

    def to_decode(rng):
        yield [33], 1.0, 0.0, 2
        yield [248, 7], 0.5, -1.0, 3
        for _ in range(20):
            numbers = _rows(rng)
            yield *_encode(numbers), len(numbers)

    single = "It stores one code in a byte; two fit."
    nibbles = "It puts the first code of a byte into the high bits; here it stands in the low ones."
    steps = "It divides by 16: between 16 codes lie 15 steps."
    equal = (
        "It goes wrong where all numbers are equal and no distance is left to divide: the scale is 1 then."
    )
    sixteen = "Its second code counts 10 or 15 times; shifted by four bits, it counts 16 times."
    few = "It shifts the second code by too few bits, so it runs into the first; a code has 4."
    up = "It rounds up, so an error can be a whole step: round to the nearest code."
    rounded = "It rounds the scale; keep all its digits."
    whole = "It gives the distance from minimum to maximum; the scale is one step of it."
    order = "It hands its parts over in another order: packed, scale, zero."
    return Each(
        {
            "encode": Function(
                _encode,
                to_encode,
                (
                    Slip(nibbles, then=lambda v: (_swapped(v[0]), *v[1:])),
                    Slip(steps, lambda numbers: _encode(numbers, 16)),
                    Slip(steps, lambda numbers: _encode(numbers, 16, lambda v: min(15, round(v)))),
                    Slip(
                        "It rounds down, so an error can be a whole step: round to the nearest code.",
                        lambda numbers: _encode(numbers, to_code=int),
                    ),
                    Slip(up, lambda numbers: _encode(numbers, to_code=lambda v: -int(-v // 1))),
                    Slip(equal, _no_guard),
                    Slip("It loses the last number of an odd count.", _without_last),
                    Slip("It takes 0 for the least number; codes count up from the minimum.", _from_zero),
                    Slip("It makes signed codes around 0; these count up from the minimum.", _signed),
                    Slip(single, then=lambda v: (_codes(v[0]), *v[1:])),
                    Slip(
                        single,
                        lambda numbers: (_codes(_encode(numbers)[0], len(numbers)), *_encode(numbers)[1:]),
                    ),
                    Slip(
                        "It puts one half of the row into the low bits and the other into the high ones; "
                        "neighbours share a byte.",
                        _halves,
                    ),
                    Slip(whole, lambda numbers: _scaled(numbers, max(numbers) - min(numbers))),
                    Slip(whole, lambda numbers: _scaled(numbers, max(numbers) - min(numbers) or 1.0)),
                    Slip(
                        "It shifts the second code by 8 bits; a code has 4.",
                        then=lambda v: ([byte & 15 | byte >> 4 << 8 for byte in v[0]], *v[1:]),
                    ),
                    *(
                        Slip(few, then=lambda v, by=by: ([b & 15 | b >> 4 << by for b in v[0]], *v[1:]))
                        for by in (2, 3)
                    ),
                    Slip(
                        "It puts both codes into the same four bits: shift the second by 4.",
                        then=lambda v: ([(b & 15) + (b >> 4) for b in v[0]], *v[1:]),
                    ),
                    Slip("It gives the first byte alone; go on.", then=lambda v: (v[0][:1], *v[1:])),
                    Slip(
                        "Its scale is the inverse of a step.",
                        then=lambda v: (v[0], 1 / v[1] if v[1] else v[1], v[2]),
                    ),
                    Slip(
                        "It hands over the maximum as zero point; code 0 stands for the minimum.",
                        lambda numbers: (*_encode(numbers)[:2], max(numbers)),
                    ),
                    Slip("It hands over 0 as zero point; it is the minimum.", then=lambda v: (v[0], v[1], 0)),
                    Slip(
                        "Its zero point is a code, as some libraries have it; here it is the minimum.",
                        _whole_zero,
                    ),
                    Slip("It takes the mean for the zero point; here it is the minimum.", _around_mean),
                    Slip(
                        "It puts the empty place of an odd count in front; it comes last.", _padded_in_front
                    ),
                    Slip(
                        "It fills up an odd count with the number 0; nothing is in the place.", _zero_behind
                    ),
                    Slip(
                        "It divides by the largest size; a step is of the way from minimum to maximum.",
                        _by_size,
                    ),
                    Slip("It puts the last code of an odd count into the high bits.", _last_high),
                    Slip(
                        "It counts codes up to 14 only; the maximum gets 15.",
                        lambda numbers: _encode(numbers, to_code=lambda v: min(14, round(v))),
                    ),
                    Slip("It makes codes of eight bits; four bits count to 15.", _eight_bits),
                    Slip(sixteen, then=lambda v: ([(b & 15) + 15 * (b >> 4) for b in v[0]], *v[1:])),
                    Slip(sixteen, then=lambda v: ([(b & 15) + 10 * (b >> 4) for b in v[0]], *v[1:])),
                    Slip(rounded, then=lambda v: (v[0], round(v[1], 2), v[2])),
                    Slip(rounded, then=lambda v: (v[0], round(v[1], 3), round(v[2], 3))),
                    Slip(
                        "It hands over bytes; give a list of whole numbers.",
                        then=lambda v: (bytes(v[0]), *v[1:]),
                    ),
                    Slip(order, then=lambda v: (v[1], v[2], v[0])),
                    Slip(order, then=lambda v: (v[0], v[2], v[1])),
                    Slip(
                        "It hands over the bytes alone; without scale and zero nobody can read them.",
                        then=lambda v: v[0],
                    ),
                ),
                where={
                    equal: lambda numbers: min(numbers) == max(numbers),
                    "It is wrong only for an odd count of numbers.": lambda numbers: len(numbers) % 2 == 1,
                },
                idea="Do three numbers by hand, then write their codes side by side.",
            ),
            "decode": Function(
                _decode,
                to_decode,
                (
                    Slip(nibbles, packed=lambda a: _swapped(a["packed"])),
                    Slip(
                        "It reads the codes as signed; they count up from the zero point.",
                        lambda packed, scale, zero, n: [
                            (c - 16 if c > 7 else c) * scale + zero for c in _codes(packed, n)
                        ],
                    ),
                    Slip("It gives the empty half of the last byte too: n says how many there are.", n=None),
                    Slip("It leaves the zero point out.", zero=0),
                    Slip("It subtracts the zero point; code 0 stands for it.", zero=lambda a: -a["zero"]),
                    Slip(
                        "It adds the zero point before it multiplies by the scale.",
                        lambda packed, scale, zero, n: [(c + zero) * scale for c in _codes(packed, n)],
                    ),
                    Slip("It gives the codes, not the numbers that they stand for.", scale=1, zero=0),
                    Slip("It leaves the scale out.", scale=1),
                    Slip(
                        "It rounds the numbers; give them as they come.", then=lambda v: [round(x) for x in v]
                    ),
                    Slip("It gives the numbers in reverse.", then=lambda v: v[::-1]),
                    Slip(
                        "It splits a byte into its decimal digits; a code is four of its bits.",
                        lambda packed, scale, zero, n: [
                            c * scale + zero for b in packed for c in (b % 10, b // 10)
                        ][:n],
                    ),
                    Slip(
                        "It keeps three bits of a code, & 7; four bits are & 15.",
                        lambda packed, scale, zero, n: [(c & 7) * scale + zero for c in _codes(packed, n)],
                    ),
                    Slip(
                        "It divides by the scale; a code says how many steps to take.",
                        scale=lambda a: 1 / a["scale"],
                    ),
                    Slip(
                        "It reads one number from a byte; a byte holds two.",
                        lambda packed, scale, zero, n: [(b & 15) * scale + zero for b in packed],
                    ),
                    Slip(
                        "It does not cut the high bits off before it reads the low code.",
                        lambda packed, scale, zero, n: [
                            c * scale + zero for b in packed for c in (b, b >> 4)
                        ][:n],
                    ),
                    Slip(
                        "It reads all low codes before all high ones; neighbours share a byte.",
                        lambda packed, scale, zero, n: [
                            c * scale + zero for c in [b & 15 for b in packed] + [b >> 4 for b in packed]
                        ][:n],
                    ),
                ),
                where={
                    "It is wrong only for an odd count of numbers.": lambda packed, scale, zero, n: n % 2 == 1
                },
                idea="`byte & 15` is the code in the low four bits, `byte >> 4` the one in the high four.",
            ),
        }
    )
