"""Wrong answers to chapter 06, scaling limits: functions."""

import math
from fractions import Fraction

TB, MiB = 10**12, 2**20


def fit(
    room=lambda m, u, w, o: m * u - w - o,
    blocks=lambda r, p, b: int(r // (p * b)),
    each=lambda c, b: -(-c // b),
    end=lambda n, e: n // e,
    least=0,
):
    def sequences(memory, utilization, weights, overhead, per_token, context, block_size):
        have = blocks(room(memory, utilization, weights, overhead), per_token, block_size)
        found = end(have, each(context, block_size))
        return found if least is None else max(least, found)

    return sequences


def without_blocks(m, u, w, o, p, c, b):
    return max(0, int((m * u - w - o) // (p * c)))


def rounded(m, u, w, o, p, c, b):
    return max(0, round((m * u - w - o) / (p * b)) // -(-c // b))


def raises_if_none(m, u, w, o, p, c, b):
    if m * u < w + o:
        raise ValueError("does not fit")
    return fit()(m, u, w, o, p, c, b)


def none_if_none(m, u, w, o, p, c, b):
    return fit()(m, u, w, o, p, c, b) if m * u >= w + o else None


def floor(
    weights=lambda p, w, b: p * w / 8,
    cache=lambda c, b: b * c * MiB,
    speed=lambda bw: bw * TB,
    work=lambda p, b: 2 * p * b,
    pick=max,
    ms=1000,
    words=("compute", "bandwidth"),
    out=lambda ms, word: (ms, word),
):
    def step(params, weight_bits, cache_mib, batch, bandwidth_tb, tflops):
        read = (weights(params, weight_bits, batch) + cache(cache_mib, batch)) / speed(bandwidth_tb)
        compute = work(params, batch) / (tflops * 1e12)
        return out(ms * pick(read, compute), words[0] if compute > read else words[1])

    return step


def floor_in_bits_of_bandwidth(p, w, c, b, bw, t):
    return floor()(p, 8 * w, 8 * c, b, bw, t)


def floor_in_two_units(p, w, c, b, bw, t):
    read, compute = 1000 * (p * w / 8 + b * c * MiB) / (bw * TB), 2 * p * b / (t * 1e12)
    return max(read, compute), "compute" if compute > read else "bandwidth"


def floor_prints(*a):
    print(floor()(*a))


def turn(weights=lambda p, w: p * w / 8, cache=MiB, speed=TB, work=2, up=math.ceil, never=None):
    def batch(params, weight_bits, cache_mib, bandwidth_tb, tflops):
        gains = work * params / (tflops * 1e12) - cache * cache_mib / (speed * bandwidth_tb)
        if gains <= 0:
            return never
        return up(weights(params, weight_bits) / (speed * bandwidth_tb) / gains)

    return batch


def turn_one_cache(p, w, c, bw, t):
    return math.ceil((p * w / 8 + c * MiB) / (bw * TB) / (2 * p / (t * 1e12)))


def turn_never_asks(p, w, c, bw, t):
    return math.ceil(p * w / 8 / (bw * TB) / (2 * p / (t * 1e12) - c * MiB / (bw * TB)))


def turn_tries_few(p, w, c, bw, t):
    step = floor()
    return next((b for b in range(1, 100) if step(p, w, c, b, bw, t)[1] == "compute"), None)


def turn_always_none(p, w, c, bw, t):
    return turn()(p, w, c, bw, t) if c == 0 else None


def turn_by_the_machine(p, w, c, bw, t):
    return math.ceil(t / bw)


WRONG = [
    ("06-fit", fit(room=lambda m, u, w, o: m - w - o), "It fills the whole GPU"),
    ("06-fit", fit(room=lambda m, u, w, o: m * u - o), "It forgets the weights"),
    ("06-fit", fit(room=lambda m, u, w, o: m * u - w), "It forgets the overhead"),
    ("06-fit", fit(room=lambda m, u, w, o: (m - w - o) * u), "what weights and overhead leave"),
    ("06-fit", fit(room=lambda m, u, w, o: (m - w) * u - o), "It takes the share of what the weights leave"),
    ("06-fit", fit(room=lambda m, u, w, o: m * u - w + o), "It adds the overhead to the room"),
    ("06-fit", fit(least=None), "It goes below 0"),
    ("06-fit", fit(end=lambda n, e: n / e), "It gives a fraction of a sequence"),
    ("06-fit", fit(end=lambda n, e: -(-n // e)), "It rounds up"),
    ("06-fit", without_blocks, "It cuts the room into tokens, not into blocks"),
    ("06-fit", fit(each=lambda c, b: c // b), "It rounds a sequence's blocks down"),
    ("06-fit", fit(each=lambda c, b: c // b + 1), "one block more than it may need"),
    ("06-fit", fit(end=lambda n, e: n), "It gives the blocks"),
    ("06-fit", fit(least=1), "wrong only where"),
    ("06-fit", raises_if_none, "wrong only where weights and overhead alone do not fit"),
    ("06-fit", none_if_none, "wrong only where weights and overhead alone do not fit"),
    ("06-fit", rounded, "round the room's blocks down"),
    ("06-fit", lambda *a: math.inf, None),
    ("06-fit", fit(blocks=lambda r, p, b: int(r // p)), "by one token's bytes"),
    ("06-floor", floor(weights=lambda p, w, b: b * p * w / 8), "It reads the weights for each sequence"),
    ("06-floor", floor(weights=lambda p, w, b: p * w), "It counts bits for bytes"),
    ("06-floor", floor(weights=lambda p, w, b: 2 * p), "It takes 2 bytes for a weight"),
    ("06-floor", floor(weights=lambda p, w, b: 0), "It forgets to read the weights"),
    ("06-floor", floor(cache=lambda c, b: c * MiB), "It reads the cache of one sequence"),
    ("06-floor", floor(cache=lambda c, b: 0), "It forgets the cache"),
    ("06-floor", floor(cache=lambda c, b: b * c * 10**6), "It takes MiB for MB"),
    ("06-floor", floor(cache=lambda c, b: b * c), "takes its MiB for bytes"),
    ("06-floor", floor(speed=lambda bw: bw * 10**9), "It takes a TB for 10**9 bytes"),
    ("06-floor", floor(speed=lambda bw: bw * 2**40), "It takes TB for TiB"),
    ("06-floor", floor(speed=lambda bw: bw * 2**40, cache=lambda c, b: b * c * 10**6), "It takes TB for TiB"),
    ("06-floor", floor(work=lambda p, b: p * b), "It counts one operation for each parameter"),
    ("06-floor", floor(work=lambda p, b: 2 * p), "It computes for one sequence"),
    ("06-floor", floor(pick=min), "It takes the shorter of the two times"),
    ("06-floor", floor(pick=lambda r, c: r + c), "It adds the two times"),
    ("06-floor", floor(pick=lambda r, c: r), "It gives the time of reading alone"),
    ("06-floor", floor(pick=lambda r, c: c), "It gives the time of computing alone"),
    ("06-floor", floor(ms=1), "It gives seconds"),
    ("06-floor", floor(ms=10**6), "It gives microseconds"),
    ("06-floor", floor(words=("bandwidth", "compute")), "the two words the wrong way round"),
    ("06-floor", floor(words=("bandwidth", "bandwidth")), 'It always says "bandwidth"'),
    ("06-floor", floor(words=("compute", "compute")), 'It always says "compute"'),
    ("06-floor", floor(words=("Compute", "memory")), "only number 2 is wrong"),
    ("06-floor", floor(out=lambda ms, word: ms), "It gives the time alone"),
    ("06-floor", floor(out=lambda ms, word: (word, ms)), "It gives the word first"),
    ("06-floor", floor_in_bits_of_bandwidth, "It counts bits: bandwidth is in bytes"),
    ("06-floor", floor_in_two_units, "It compares milliseconds with seconds"),
    ("06-floor", floor(out=lambda ms, word: (round(ms, 2), word)), "It rounds the time"),
    ("06-floor", floor_prints, "It prints; hand the result back"),
    ("06-turning", turn(cache=0), "It forgets the cache"),
    ("06-turning", turn_one_cache, "It reads one sequence's cache"),
    ("06-turning", turn(up=math.floor), "It rounds down"),
    ("06-turning", turn(up=lambda v: v), "It gives a fraction"),
    ("06-turning", turn(up=round), "It rounds to the nearest"),
    ("06-turning", turn(up=lambda v: math.ceil(v) + 1), "It gives one sequence too many"),
    ("06-turning", turn(never=0), "It gives 0 where no batch"),
    ("06-turning", turn(never=-1), "wrong only where no batch turns compute-bound"),
    ("06-turning", turn(never=math.inf), "wrong only where no batch turns compute-bound"),
    ("06-turning", turn_never_asks, "It gives a number below 0"),
    ("06-turning", turn(weights=lambda p, w: p * w), "It counts bits for bytes"),
    ("06-turning", turn(weights=lambda p, w: 2 * p), "It takes 2 bytes for a weight"),
    ("06-turning", turn(speed=2**40), "It takes TB for TiB"),
    ("06-turning", turn(cache=10**6), "It takes MiB for MB"),
    ("06-turning", turn(work=1), "It counts one operation for each parameter"),
    ("06-turning", turn(cache=-MiB), "it counts against it"),
    ("06-turning", turn_tries_few, "wrong only where it takes a batch of 100 or more"),
    ("06-turning", turn_always_none, None),
    ("06-turning", turn_by_the_machine, None),
]


def fit_exactly(m, u, w, o, p, c, b):
    room = Fraction(str(u)) * m - w - o
    return max(0, math.floor(room / (p * b)) // math.ceil(c / b))


def turn_by_steps(p, w, c, bw, t):
    """Doubles the batch until computing takes longer, then looks closer."""
    if 2 * p / (t * 1e12) <= c * MiB / (bw * TB):
        return None

    def computes(b):
        return 2 * p * b / (t * 1e12) >= (p * w / 8 + b * c * MiB) / (bw * TB)

    high = 1
    while not computes(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if computes(middle) else (middle, high)
    return float(high)


RIGHT = [
    ("06-fit", fit()),
    ("06-fit", fit_exactly),
    ("06-floor", floor(out=lambda ms, word: [ms, word])),
    ("06-floor", floor(out=lambda ms, word: (float(f"{ms:.6g}"), word))),
    ("06-turning", turn()),
    ("06-turning", turn_by_steps),
]
