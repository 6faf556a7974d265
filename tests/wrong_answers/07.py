"""Wrong answers to chapter 07's numbers, codes and bytes."""

from decimal import Decimal
from fractions import Fraction


def bits(each=4.5, mib=140.625, times=3.556):
    return {"bits per number": each, "MiB": mib, "times smaller than bf16": times}


METHODS = {
    "a window with attention sinks": "now",
    "eviction by attention received (H2O)": "now",
    "DMS": "trained",
    "sparse attention with an indexer (DSA)": "same",
    "position interpolation": "same",
    "PCA and entropy coding (KVTC)": "now",
}
WINDOW, H2O, DMS, DSA, POSITIONS, KVTC = METHODS


def codes_of(numbers, nearest=round, steps=15):
    zero = min(numbers)
    scale = (max(numbers) - zero) / steps or 1
    return [nearest((x - zero) / scale) for x in numbers], scale, zero


def even(codes):
    return [*codes, 0] if len(codes) % 2 else codes


def right_encode(numbers):
    codes, scale, zero = codes_of(numbers)
    codes = even(codes)
    return [a | b << 4 for a, b in zip(codes[::2], codes[1::2], strict=True)], scale, zero


def right_decode(packed, scale, zero, n):
    return [c * scale + zero for byte in packed for c in (byte & 15, byte >> 4)][:n]


def encode(change, **how):
    """An `encode` that packs as `change` says."""

    def wrong(numbers):
        codes, scale, zero = codes_of(numbers, **how)
        return change(codes), scale, zero

    return {"encode": wrong, "decode": right_decode}


def returning(change):
    """An `encode` that hands over something else than it should."""
    return {
        "encode": lambda numbers: change(*right_encode(numbers), numbers),
        "decode": right_decode,
    }


def decode(change):
    return {"encode": right_encode, "decode": change}


def low_first(codes, shift=4):
    codes = even(codes)
    return [codes[i] | codes[i + 1] << shift for i in range(0, len(codes), 2)]


def high_first(codes):
    codes = even(codes)
    return [codes[i] << 4 | codes[i + 1] for i in range(0, len(codes), 2)]


def until_the_last_pair(codes):
    return [a | b << 4 for a, b in zip(codes[::2], codes[1::2], strict=False)]


def beyond_the_end(codes):
    return [codes[i] | codes[i + 1] << 4 for i in range(0, len(codes), 2)]


def around_zero(numbers):
    scale = max(map(abs, numbers)) / 7 or 1
    return low_first([round(x / scale) & 15 for x in numbers]), scale, 0


def around_the_mean(numbers):
    mean = sum(numbers) / len(numbers)
    scale = (max(numbers) - min(numbers)) / 15 or 1
    return low_first([max(0, min(15, round((x - mean) / scale))) for x in numbers]), scale, mean


def with_whole_zero(numbers):
    scale = (max(numbers) - min(numbers)) / 15 or 1
    zero = round(-min(numbers) / scale)
    return low_first([max(0, min(15, round(x / scale) + zero)) for x in numbers]), scale, zero


def no_guard(numbers):
    zero = min(numbers)
    scale = (max(numbers) - zero) / 15
    return low_first([round((x - zero) / scale) for x in numbers]), scale, zero


def printing(numbers):
    print(right_encode(numbers))


def signed(packed, scale, zero, n):
    codes = [c for byte in packed for c in (byte & 15, byte >> 4)]
    return [(c - 16 if c >= 8 else c) * scale + zero for c in codes][:n]


def read_as(number):
    """A `decode` that makes a number of a code, scale and zero as `number` says."""

    def wrong(packed, scale, zero, n):
        return [number(c, scale, zero) for byte in packed for c in (byte & 15, byte >> 4)][:n]

    return decode(wrong)


def held(layers, tokens, kv_heads, head_dim, bits, group, keep=None, ends=4, groups=None):
    keep = keep or (lambda layer, t: t if layer is None else min(t, layer[0] + layer[1]))
    groups = -(-head_dim // group) if groups is None else groups
    key = head_dim * bits // 8 + ends * groups
    return 2 * kv_heads * key * sum(keep(layer, tokens) for layer in layers)


def keeping(windowed, full=lambda t: t):
    """A `held` whose layers with a window keep what `windowed` says, and the others what `full` says."""

    def keep(layer, t):
        return full(t) if layer is None else windowed(t, *layer)

    return lambda *a: held(*a, keep=keep)


def with_first_window(layers, *rest):
    [first, *_] = [layer for layer in layers if layer] or [None]
    return held([layer or first for layer in layers], *rest)


def by_bits_per_number(layers, tokens, kv_heads, head_dim, bits, group):
    kept = sum(tokens if x is None else min(tokens, sum(x)) for x in layers)
    return 2 * kept * kv_heads * head_dim * (bits + 32 / group) / 8


def read(**wrong):
    return {"tokens": 844.8, "codes": 1.647, "window": 9.94} | wrong


def audit(**wrong):
    return {"promised": 131_072, "true": 116_508, "missing": 11.11, "why": "scales"} | wrong


WRONG = [
    ("07-bits", bits(4, 125, 4), "You count the codes alone", 2),  # and calculates on
    ("07-bits", bits(4.25, 132.8, 3.765), "You count the scale and not the zero point", 2),
    ("07-bits", bits(36), "You give every number a scale and a zero point of its own", 2),
    ("07-bits", bits(288), "You count the bits of a whole group", 2),
    ("07-bits", bits(0.5625), "You answer in bytes", 2),
    ("07-bits", bits(5), "fp16 has 16", 2),
    ("07-bits", bits(0.5), "without the codes", 2),
    ("07-bits", bits(2052), "You multiply by the group", 2),
    ("07-bits", bits(4.0625), "scale and zero point in bytes", 2),
    ("07-bits", bits(mib=70.3), "the keys or the values, not both", 2),
    ("07-bits", bits(mib=4.394), "You count one layer", 2),
    ("07-bits", bits(mib=17.58), "You count one KV head", 2),
    ("07-bits", bits(mib=147.456), "You answer in MB", 2),
    ("07-bits", bits(mib=0.1373), "You answer in GiB", 2),
    ("07-bits", bits(mib=147_456_000), "You answer in bytes", 2),
    ("07-bits", bits(mib=1125), "You count bits", 2),
    ("07-bits", bits(mib=500), "as if nothing had been quantised", 2),
    ("07-bits", bits(mib=0.03516), "You count one token", 2),
    ("07-bits", bits(mib=62.5), "Two things, perhaps. You count the codes alone", 2),
    ("07-bits", bits(times=0.28125), "the other way round", 2),
    ("07-bits", bits(times=7.11), "You divide by fp32's 32 bits", 2),
    ("07-bits", bits(times=1.778), "You take bf16 for 8 bits", 2),
    ("07-bits", bits(times=71.9), "You give the share that is saved", 2),
    ("07-bits", bits(mib=281.25), "the 2 of keys and values stands in the formula once", 2),
    ("07-bits", bits(mib=140_625), None, 2),
    ("07-bits", bits(times=28.1), "what is left in per cent", 2),
    ("07-bits", bits(times=3.6), "Nearly: give three digits", 2),
    ("07-bits", bits(times="3.56 GB"), "Give a number without a unit", 2),
    ("07-bits", 5, "Give a dict with the keys"),
    ("07-methods", METHODS | {WINDOW: "same"}, "It drops tokens or shrinks numbers", 2.5),
    ("07-methods", METHODS | {H2O: "trained"}, "It needs no training", 2.5),
    ("07-methods", METHODS | {DMS: "now"}, "The model has to learn it", 2.5),
    ("07-methods", METHODS | {DMS: "same"}, "A model learns which", 2.5),
    ("07-methods", METHODS | {DSA: "now"}, "the indexer's keys even add bytes", 2.5),
    ("07-methods", METHODS | {DSA: "trained"}, "It does need training, but", 2.5),
    ("07-methods", METHODS | {POSITIONS: "now"}, "What is scaled down is their positions", 2.5),
    ("07-methods", METHODS | {KVTC: "trained"}, "It needs no training", 2.5),
    ("07-methods", METHODS | {DMS: "later"}, "Answer with one of: now, same, trained", 2.5),
    ("07-methods", dict.fromkeys(METHODS, "now"), "What is scaled down is their positions", 1.5),
    ("07-codec", encode(high_first), "the first code of a byte into the high bits", 3),
    ("07-codec", encode(beyond_the_end), "It is wrong only for an odd count", 3),
    ("07-codec", encode(until_the_last_pair), "It loses the last number of an odd count", 3),
    ("07-codec", decode(right_decode) | {"encode": no_guard}, "where all numbers are equal", 3),
    ("07-codec", encode(low_first, steps=16), "between 16 codes lie 15 steps", 3),
    (
        "07-codec",
        encode(lambda codes: low_first([min(15, c) for c in codes]), steps=16),
        "between 16 codes lie 15 steps",
        3,
    ),
    ("07-codec", encode(low_first, nearest=int), "It rounds down", 3),
    ("07-codec", encode(low_first, nearest=lambda x: -int(-x // 1)), "It rounds up", 3),
    ("07-codec", encode(high_first, nearest=int), "Two things", 3),
    ("07-codec", encode(lambda codes: codes), "It stores one code in a byte", 3),
    ("07-codec", encode(lambda codes: low_first(codes, 8)), "It shifts the second code by 8 bits", 3),
    ("07-codec", encode(lambda codes: low_first(codes[::-1])), None, 3),
    ("07-codec", encode(lambda codes: low_first([0] * (len(codes) % 2) + codes)), "it comes last", 3),
    ("07-codec", encode(lambda codes: low_first([min(14, c) for c in codes])), "up to 14 only", 3),
    ("07-codec", encode(lambda codes: codes, steps=255), "It makes codes of eight bits", 3),
    (
        "07-codec",
        encode(lambda codes: [a + 15 * b for a, b in zip(even(codes)[::2], even(codes)[1::2], strict=True)]),
        "it counts 16 times",
        3,
    ),
    ("07-codec", decode(right_decode) | {"encode": around_the_mean}, "It takes the mean", 3),
    ("07-codec", decode(right_decode) | {"encode": with_whole_zero}, "Its zero point is a code", 3),
    ("07-codec", returning(lambda p, s, z, x: (p, s, 0)), "It hands over 0 as zero point", 3),
    ("07-codec", returning(lambda p, s, z, x: (p, round(s, 2), z)), "It rounds the scale", 3),
    ("07-codec", returning(lambda p, s, z, x: ("".join(map(chr, p)), s, z)), None, 3),
    (
        "07-codec",
        returning(lambda p, s, z, x: {"packed": p, "scale": s, "zero": z}),
        "It gives a dict where a tuple is wanted",
        3,
    ),
    ("07-codec", decode(right_decode) | {"encode": around_zero}, "It makes signed codes around 0", 3),
    ("07-codec", decode(right_decode) | {"encode": printing}, "It prints", 3),
    ("07-codec", returning(lambda p, s, z, x: (bytes(p), s, z)), "It hands over bytes", 3),
    ("07-codec", returning(lambda p, s, z, x: (s, z, p)), "in another order", 3),
    ("07-codec", returning(lambda p, s, z, x: p), "It hands over the bytes alone", 3),
    ("07-codec", returning(lambda p, s, z, x: (p, max(x) - min(x), z)), "the scale is one step of it", 3),
    ("07-codec", returning(lambda p, s, z, x: (p, s, max(x))), "hands over the maximum as zero point", 3),
    ("07-codec", returning(lambda p, s, z, x: (p, (max(x) - min(x)) / 15, z)), "all numbers are equal", 3),
    ("07-codec", decode(lambda p, s, z, n: right_decode([b >> 4 | (b & 15) << 4 for b in p], s, z, n)),
     "the first code of a byte into the high bits", 3),
    ("07-codec", decode(signed), "It reads the codes as signed", 3),
    ("07-codec", decode(lambda p, s, z, n: right_decode(p, s, z, 99)), "n says how many there are", 3),
    ("07-codec", decode(lambda p, s, z, n: right_decode(p, s, z, n // 2 * 2)), "for an odd count", 3),
    ("07-codec", read_as(lambda c, s, z: c * s), "It leaves the zero point out", 3),
    ("07-codec", read_as(lambda c, s, z: (c + z) * s), "adds the zero point before it multiplies", 3),
    ("07-codec", read_as(lambda c, s, z: c * s - z), "It subtracts the zero point", 3),
    ("07-codec", read_as(lambda c, s, z: c), "It gives the codes", 3),
    ("07-codec", read_as(lambda c, s, z: c / s + z), "It divides by the scale", 3),
    ("07-codec", read_as(lambda c, s, z: round(c * s + z)), "It rounds the numbers", 3),
    ("07-codec", decode(lambda p, s, z, n: right_decode(p, s, z, n)[::-1]), "in reverse", 3),
    ("07-codec", read_as(lambda c, s, z: c + z), "It leaves the scale out", 3),
    ("07-codec", decode(lambda p, s, z, n: [c * s + z for b in p for c in (b, b >> 4)][:n]),
     "It does not cut the high bits off", 3),
    ("07-codec", decode(lambda p, s, z, n: [b * s + z for b in p]), None, 3),
    ("07-bytes", lambda *a: held(*a) // 2, "the keys or the values, not both"),
    ("07-bytes", lambda *a: held(*a, ends=0), "It counts the codes alone"),
    ("07-bytes", lambda *a: held(*a, ends=2), "It counts the scale and not the zero point"),
    ("07-bytes", lambda *a: held(*a, ends=8), "fp16 takes 2"),
    ("07-bytes", lambda *a: held(*a, ends=32), "It counts scale and zero point in bits"),
    ("07-bytes", lambda *a: held(*a, groups=a[3] // a[5]), "It leaves out the last group"),
    ("07-bytes", by_bits_per_number, "a part of a scale and a zero point"),
    ("07-bytes", lambda *a: held(*a, groups=1), "one scale and zero point per key"),
    ("07-bytes", lambda *a: held(*a, groups=a[3]), "It gives every number a scale"),
    ("07-bytes", keeping(lambda t, w, s: w + s), "It counts a window as full from the first token on"),
    ("07-bytes", keeping(lambda t, w, s: min(t, w) + s), "It adds the sinks even where the text is shorter"),
    ("07-bytes", keeping(lambda t, w, s: min(t, w)), "It forgets the sinks"),
    ("07-bytes", keeping(lambda t, w, s: t), "It ignores the windows"),
    ("07-bytes", keeping(lambda t, w, s: max(t, w + s)), "It keeps the larger of window and text"),
    ("07-bytes", keeping(lambda t, w, s: t + w + s), "It adds window and sinks to the tokens"),
    ("07-bytes", keeping(lambda t, w, s: min(t, w + s - 1)), "one token too few in a window"),
    ("07-bytes", keeping(lambda t, w, s: min(t, w + s), full=lambda t: 0), "leaves out the layers without"),
    ("07-bytes", with_first_window, "It puts the window on every layer"),
    ("07-bytes", lambda layers, t, kv, *a: held(layers, t, 1, *a), "It forgets the KV heads"),
    ("07-bytes", lambda layers, *a: held(layers[:1], *a), "It counts one layer"),
    ("07-bytes", lambda *a: 8 * held(*a), "It takes bits for bytes"),
    ("07-bytes", lambda *a: held(*a) / 2**20, "It gives MiB"),
    ("07-bytes", lambda *a: held(*a, ends=0) // 2, "Two things"),
    ("07-bytes", lambda layers, t, kv, d, b, g: 2 * t * kv * d * len(layers), None),
    ("07-bytes", lambda *a: print(held(*a)), "It prints"),
    ("07-bytes", lambda *a: held(*a, groups=a[3] // a[5] + 1), "It counts a group more"),
    ("07-bytes", lambda *a: held(*a, groups=a[5]), "how many groups has a key"),
    ("07-bytes", lambda *a: held(*a[:4], 16, a[5], ends=0), "as if nothing had been quantised"),
    ("07-bytes", keeping(lambda t, w, s: min(t, w - s)), "It takes the sinks out of the window"),
    ("07-bytes", lambda layers, *a: held(layers[:-1], *a), None),
    ("07-bytes", lambda layers, *a: len(layers) * held(layers[:1], *a), "the kept tokens of the first"),
    ("07-record", read(tokens=819.2), "You leave out the sinks", 2),
    ("07-record", read(tokens=6.4), "You give the ratio of the bytes of a token", 2),
    ("07-record", read(tokens=1056), "You count the codes alone", 2),
    ("07-record", read(tokens=422.4), "You take the bf16 row", 2),
    ("07-record", read(tokens=20.6), "the wrong way round", 2),
    ("07-record", read(tokens=469.3), "You take the int8 row", 2),
    ("07-record", read(tokens=6_082_560), "You give the bytes of the window", 2),
    ("07-record", read(tokens=132), "You give the tokens that the window holds", 2),
    ("07-record", read(codes=5.69), "the codes here group keys by channel", 2),
    ("07-record", read(codes=1.0165), "You give the ratio", 2),
    ("07-record", read(codes=101.6), "You give the ratio in per cent", 2),
    ("07-record", read(codes=0.01647), "You answer in a fraction", 2),
    ("07-record", read(codes=0.42), "You subtract", 2),
    ("07-record", read(codes=1.6), "Nearly: give three digits", 2),
    ("07-record", read(codes=25.916), "You give the perplexity itself", 2),
    ("07-record", read(window=87.5), "You read the row without sinks", 2),
    ("07-record", read(window=9.04), "You divide by the window's own perplexity", 2),
    ("07-record", read(codes=64.7), "You read a row of int2", 2),
    ("07-record", read(codes=-1.65), "A higher perplexity is a rise", 2),
    ("07-record", read(window=6.2), "You read the row of another window", 2),
    ("07-record", read(tokens=1690), None, 2),
    ("07-record", read(window=2.534), "You subtract", 2),
    ("07-audit", audit(promised=65_536), "You take half of f16", 3),
    ("07-audit", audit(promised=32_768), "You take the 2 bytes of f16", 3),
    ("07-audit", audit(promised=262_144), "the keys or the values, not both", 3),
    ("07-audit", audit(promised=122_070), "You count 10⁹ bytes", 3),
    ("07-audit", audit(promised=16_384), "You count bits where bytes are meant", 3),
    ("07-audit", audit(promised=4_194_304), "You count one layer", 3),
    ("07-audit", audit(promised=131.072), "You answer in thousands of tokens", 3),
    ("07-audit", audit(promised=1_048_576), "You count one KV head", 3),
    ("07-audit", audit(true=131_072), "each block of 32 also stores its scale", 3),
    ("07-audit", audit(true=104_858), "q4_0 has a scale only", 3),
    ("07-audit", audit(true=61_681), "You take q8_0's 34 bytes a block", 3),
    ("07-audit", audit(true=26_214), "You give every number a scale of its own", 3),
    ("07-audit", audit(true=10_000), None, 3),
    ("07-audit", audit(missing=12.5), "You divide by the true number", 3),
    ("07-audit", audit(missing=0.111), "You answer in a fraction", 3),
    ("07-audit", audit(missing=88.9), "You give the share that does fit", 3),
    ("07-audit", audit(missing=5.88), "You take q8_0 and its half", 3),
    ("07-audit", audit(missing=14_564), "You give the tokens that are missing", 3),
    ("07-audit", audit(missing=-11.1), "What is missing is more than 0", 3),
    ("07-audit", audit(promised=134_217_728), None, 3),
    ("07-audit", audit(missing=20), "You add a zero point to each block", 3),
    ("07-audit", audit(why="units"), "Both sides count in GiB here", 3),
    ("07-audit", audit(why="zeros"), "q4_0 stores no zero point", 3),
    ("07-audit", audit(why="GB"), "Answer with one of", 3),
]  # fmt: skip


def encode_in_loops(numbers):
    low, high = sorted(numbers)[0], sorted(numbers)[-1]
    scale = 1 if low == high else (high - low) / 15
    packed = [0] * ((len(numbers) + 1) // 2)
    for i, x in enumerate(numbers):
        packed[i // 2] += int((x - low) / scale + 0.5) * 16 ** (i % 2)
    return [packed, scale, low]


RIGHT = [
    ("07-bits", bits(Fraction(9, 2), "141 MiB", Fraction(32, 9))),
    ("07-bits", bits(Decimal("4.50"), 140.6, "3.56")),
    ("07-methods", {name: word.upper() for name, word in METHODS.items()}),
    ("07-codec", {"encode": encode_in_loops, "decode": lambda p, s, z, n: tuple(right_decode(p, s, z, n))}),
    ("07-bytes", held),
    ("07-bytes", lambda *a: float(held(*a))),
    ("07-record", read(tokens=845, codes="1.65 %", window="9.94%")),
    ("07-record", read(codes=1.63)),  # against bf16's reference, which is the same to three digits
    ("07-audit", audit(promised="131,072", true=116_508.4, missing="11.1 %", why="Scales")),
]
