"""Questions of chapter 06: what limits a step, and from which batch on, for any GPU and any model."""

from ....units import TB, MiB
from ...answers import Function, Slip
from ..common import question

# What can go wrong with the numbers that both functions are given.
MISREAD = (
    Slip("It counts bits for bytes: a weight takes weight_bits / 8 bytes.",
         weight_bits=lambda n: 8 * n["weight_bits"]),
    Slip("It takes 2 bytes for a weight; weight_bits says how many bits it has.", weight_bits=16),
    Slip("It takes a TB for 10**9 bytes: that is a GB.",
         bandwidth_tb=lambda n: n["bandwidth_tb"] / 1000),
    Slip("It takes TB for TiB: a TB is 10**12 bytes.",
         bandwidth_tb=lambda n: n["bandwidth_tb"] * 2**40 / TB),
    Slip("It takes MiB for MB: a MiB is 2**20 bytes.",
         cache_mib=lambda n: n["cache_mib"] * 1e6 / MiB),
    Slip("It counts one operation for each parameter; there are two, a product and a sum.",
         tflops=lambda n: 2 * n["tflops"]),
)  # fmt: skip


def _step(params, weight_bits, cache_mib, batch, bandwidth_tb, tflops, reads=1, computes=None, limit=max):
    """What 06-floor asks for; the last arguments spoil it."""
    read = (reads * params * weight_bits / 8 + batch * cache_mib * MiB) / (bandwidth_tb * TB)
    compute = 2 * params * (batch if computes is None else computes) / (tflops * 1e12)
    return 1000 * limit(read, compute), "compute" if compute > read else "bandwidth"


def _mixed(params, weight_bits, cache_mib, batch, bandwidth_tb, tflops):
    return _step(params, weight_bits, cache_mib, batch, bandwidth_tb, 1000 * tflops)


def _hardware(rng):
    return rng.choice([0.3, 0.9, 2.0, 3.35, 8.0]), rng.choice([65, 165, 312, 990, 2250])


def _steps(rng):
    yield 8_000_000_000, 16, 512, 1, 3.35, 990
    yield 8_000_000_000, 16, 0, 1000, 3.35, 990
    yield 8_000_000_000, 16, 16, 600, 3.35, 990
    yield 8_000_000_000, 4, 0, 1, 8.0, 10  # slow enough to be compute-bound with one sequence
    yield 8_000_000_000, 4, 16, 4, 8.0, 10
    for _ in range(24):
        params, bits = rng.randint(1, 80) * 10**9, rng.choice([4, 4.5, 8, 16])
        yield params, bits, rng.choice([0, 8, 64, 512]), rng.choice([1, 8, 64, 500, 1500]), *_hardware(rng)


@question("06-floor", points=4, kind="code", minutes=12)
def _floor():
    def spoilt(said, **wrong):
        return Slip(said, lambda *a: _step(*a, **wrong))

    shorter = "It takes the shorter of the two times; the step ends when both are done."
    swapped = {"compute": "bandwidth", "bandwidth": "compute"}.get

    def word(said, change):
        return Slip(said, then=lambda v: (v[0], change(v[1])))

    return Function(
        lambda params, weight_bits, cache_mib, batch, bandwidth_tb, tflops: _step(
            params, weight_bits, cache_mib, batch, bandwidth_tb, tflops
        ),
        _steps,
        (
            Slip(
                "It reads the weights for each sequence; one reading serves the batch.",
                lambda p, w, c, b, *rest: _step(p, w, c, b, *rest, reads=b),
            ),
            Slip(
                "It reads the cache of one sequence; the step reads that of each.",
                lambda p, w, c, b, *rest: _step(p, w, c / b, b, *rest),
            ),
            Slip("It forgets the cache, which is read at every step, or takes its MiB for bytes.",
                 cache_mib=0),
            spoilt("It forgets to read the weights.", reads=0),
            spoilt("It computes for one sequence; the batch has several.", computes=1),
            *MISREAD,
            Slip("It counts bits: bandwidth is in bytes, and so are weights and cache to be.",
                 lambda p, w, c, *rest: _step(p, 8 * w, 8 * c, *rest)),
            spoilt("It adds the two times; they pass side by side, so the longer one counts.",
                   limit=lambda read, compute: read + compute),
            spoilt(shorter, limit=min),
            Slip(shorter, lambda *a: (_step(*a, limit=min)[0], swapped(_step(*a)[1]))),
            spoilt("It gives the time of reading alone, also where computing takes longer.",
                   limit=lambda read, compute: read),
            spoilt("It gives the time of computing alone, also where reading takes longer.",
                   limit=lambda read, compute: compute),
            Slip("It compares milliseconds with seconds: bring both times to one unit first.", _mixed),
            *(Slip("It rounds the time; hand it back as it comes out.",
                   then=lambda v, digits=digits: (round(v[0], digits), v[1])) for digits in (0, 1, 2)),
            Slip("It takes MiB for KiB: a MiB is 2**20 bytes.", cache_mib=lambda n: n["cache_mib"] / 1024),
            Slip("It takes 10**9 for a TFLOP: that is a GFLOP.", tflops=lambda n: n["tflops"] / 1000),
            Slip("It computes with the bytes of the weights; two operations are for each parameter.",
                 tflops=lambda n: 8 * n["tflops"] / n["weight_bits"]),
            Slip("It gives seconds; milliseconds are asked for.", then=lambda v: (v[0] / 1000, v[1])),
            Slip("It gives microseconds; milliseconds are asked for.", then=lambda v: (1000 * v[0], v[1])),
            word("It has the two words the wrong way round.", swapped),
            word('It says "memory"; of memory there is bandwidth and capacity.',
                 lambda said: "memory" if said == "bandwidth" else said),
            word('It always says "bandwidth".', lambda said: "bandwidth"),
            word('It always says "compute".', lambda said: "compute"),
            Slip("It gives the time alone; the word for what limits it is asked for.", then=lambda v: v[0]),
            Slip("It gives the word first; the time comes first.", then=lambda v: v[::-1]),
        ),
        where={
            "It is wrong only where computing takes longer.": lambda *a: "compute" in _step(*a),
            "It is wrong only where reading takes longer.": lambda *a: "bandwidth" in _step(*a),
            "It is wrong only for more than one sequence.": lambda p, w, c, batch, *rest: batch > 1,
            "It is wrong only where there is a cache to read.": lambda p, w, cache_mib, *rest: cache_mib > 0,
        },
        idea="Two times: bytes over bandwidth, operations over operations per second. The longer one counts.",
    )  # fmt: skip


def _turn(params, weight_bits, cache_mib, bandwidth_tb, tflops):
    """What 06-turning asks for, before it is rounded; None if no batch does."""
    reading = params * weight_bits / 8 / (bandwidth_tb * TB)
    gains = 2 * params / (tflops * 1e12) - cache_mib * MiB / (bandwidth_tb * TB)
    return reading / gains if gains > 0 else None


def _turning(*a):
    batch = _turn(*a)
    return None if batch is None else -int(-batch // 1)


def _machines(rng):
    yield 8_000_000_000, 16, 0, 3.35, 990
    yield 8_000_000_000, 16, 512, 3.35, 990
    yield 8_000_000_000, 16, 16, 3.35, 990
    yield 10**12, 16, 0, 1.0, 128  # equal times at a whole batch, which floats keep exactly
    yield 10**12, 8, 0, 2.0, 512
    yield 2**30, 16, 16, 1.0, 128  # a sequence more adds as much to both times
    for number in range(40):
        params, bits = rng.randint(1, 80) * 10**9, rng.choice([4, 4.5, 8, 16])
        bandwidth, tflops = _hardware(rng)
        even = (
            2 * params * bandwidth / tflops / MiB
        )  # the MiB that take as long to read as a token to compute
        share = 0 if number % 4 == 0 else rng.uniform(1.1, 4) if number % 4 == 1 else rng.uniform(0.1, 0.8)
        case = params, bits, round(share * even, 2), bandwidth, tflops
        batch = _turn(*case)
        if batch is None or 0.02 < batch % 1 < 0.98:  # at a whole number the rounding of floats decides
            yield case


@question("06-turning", points=3, kind="code", minutes=10)
def _batch():
    def rounded(said, way):
        return Slip(said, lambda *a: None if _turn(*a) is None else way(_turn(*a)))

    no_cache = "It forgets the cache: every sequence more adds to what is read."
    adds = "It adds the time to read a cache to what each sequence gains; it counts against it."

    def never(value):
        """Instead of None."""
        return Slip(
            f"It gives {value} where no batch turns compute-bound; None is asked for.",
            lambda *a: value if _turn(*a) is None else _turning(*a),
        )

    def always(p, w, c, bandwidth, tflops):
        gains = 2 * p / (tflops * 1e12) - c * MiB / (bandwidth * TB)
        return -int(-(p * w / 8 / (bandwidth * TB) / gains) // 1)

    return Function(
        lambda params, weight_bits, cache_mib, bandwidth_tb, tflops: _turning(
            params, weight_bits, cache_mib, bandwidth_tb, tflops
        ),
        _machines,
        (
            Slip(no_cache, cache_mib=0),
            Slip(no_cache, lambda *a: None if _turn(*a) is None else _turning(*a[:2], 0, *a[3:])),
            Slip("It reads one sequence's cache, however many there are.", _one_cache),
            Slip(adds, lambda p, w, c, *rest: _turning(p, w, -c, *rest)),
            Slip(adds, lambda p, w, c, *rest: _turn(p, w, c, *rest) and _turning(p, w, -c, *rest)),
            rounded("It rounds down: there computing is still the quicker one.", lambda v: int(v // 1)),
            rounded("It gives a fraction; a batch is whole sequences.", lambda v: v),
            rounded("It rounds to the nearest; the batch is the first that is large enough.", round),
            rounded("It gives one sequence too many.", lambda v: -int(-v // 1) + 1),
            rounded("It gives one sequence too many where both times are equal: at least as long is enough.",
                    lambda v: int(v // 1) + 1),
            Slip("It gives a number below 0 where no batch turns compute-bound; give None.", always),
            never(0),
            never(1),
            *MISREAD,
        ),
        where={
            "It is wrong only where no batch turns compute-bound.": lambda *a: _turn(*a) is None,
            "It is wrong only where it takes a batch of 100 or more.": lambda *a: (_turn(*a) or 0) > 99,
            "It is wrong only where it takes a batch of 1,000 or more.": lambda *a: (_turn(*a) or 0) > 999,
            "It is wrong only where some batch turns compute-bound.": lambda *a: _turn(*a) is not None,
            "It is wrong only where there is a cache to read.": lambda p, w, cache_mib, *rest: cache_mib > 0,
            "It is wrong only where a sequence more adds as much to reading as to computing.": _parallel,
        },
        idea="Both times grow with the batch. Write them down, set them equal, and solve for the batch.",
    )  # fmt: skip


def _parallel(params, weight_bits, cache_mib, bandwidth_tb, tflops):
    return 2 * params / (tflops * 1e12) == cache_mib * MiB / (bandwidth_tb * TB)


def _one_cache(params, weight_bits, cache_mib, bandwidth_tb, tflops):
    read = (params * weight_bits / 8 + cache_mib * MiB) / (bandwidth_tb * TB)
    return -int(-(read / (2 * params / (tflops * 1e12))) // 1)
