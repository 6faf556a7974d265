"""Chapter 08's line through the steps of growing contexts, by least squares."""

import statistics

from ...answers import Function, Slip
from ..common import question


def _line(contexts, seconds, bandwidth):
    """(bytes that a token adds to a step, bytes of a step without any), by least squares."""
    slope = _slope(contexts, seconds)
    begin = statistics.fmean(seconds) - slope * statistics.fmean(contexts)
    return slope * bandwidth, begin * bandwidth


def _slope(x, y):
    mx, my = statistics.fmean(x), statistics.fmean(y)
    over = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return over / sum((a - mx) ** 2 for a in x)


def _by(slope, begin=None):
    """A function that draws the line with this slope, through the means or from `begin`."""

    def line(contexts, seconds, bandwidth):
        found = slope(contexts, seconds)
        if begin is None:
            start = statistics.fmean(seconds) - found * statistics.fmean(contexts)
        else:
            start = begin(contexts, seconds, found)
        return found * bandwidth, start * bandwidth

    return line


def _ends(x, y):
    return (y[-1] - y[0]) / (x[-1] - x[0])


def _first_two(x, y):
    return (y[1] - y[0]) / (x[1] - x[0])


def _pieces(x, y):
    return statistics.fmean((y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(len(x) - 1))


def _through_zero(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)


@question("08-line", points=5, kind="code", minutes=15)
def _fit():
    def cases(rng):
        yield [0, 1000, 2000], [0.010, 0.011, 0.013], 1e9
        yield [100, 300], [0.004, 0.005], 2e9
        for _ in range(22):
            contexts = sorted(rng.sample(range(100, 20_000), rng.randint(3, 8)))
            begin, slope = rng.uniform(0.005, 0.02), rng.uniform(2e-6, 8e-6)
            seconds = [round(begin + slope * t * rng.uniform(0.8, 1.2), 6) for t in contexts]
            yield contexts, seconds, rng.choice([2e10, 3e11, 3.35e12])

    ends = "It draws the line through the first and the last point; least squares weighs all of them."
    sums = "It multiplies the sums without the count: least squares takes n × Σxy − Σx × Σy."

    def start_of(contexts, seconds, slope):
        return seconds[0]

    def from_first(contexts, seconds, slope):
        return seconds[0] - slope * contexts[0]

    def raw(x, y):
        n = len(x)
        over = n * sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y)
        return over / n / sum(a * a for a in x)

    def raw_products(x, y):
        mx = statistics.fmean(x)
        return sum(a * b for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)

    def unscaled(x, y):
        over = sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y)
        return over / (sum(a * a for a in x) - sum(x) ** 2)

    def no_means(x, y):
        mx, my = statistics.fmean(x), statistics.fmean(y)
        return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))

    return Function(
        _line,
        cases,
        (
            Slip(ends, _by(_ends, from_first)),
            Slip(ends, _by(_ends)),
            Slip(ends, _by(_ends, start_of)),
            Slip(
                "It draws the line through the first two points; least squares weighs all of them.",
                _by(_first_two, from_first),
            ),
            Slip(
                "It takes the mean of the slopes between neighbours; a short piece weighs too much.",
                _by(_pieces),
            ),
            Slip(
                "It draws the line through zero; a step with an empty cache takes time too.",
                _by(_through_zero, lambda x, y, slope: 0.0),
            ),
            Slip(
                "It leaves the means out of the slope: subtract them from contexts and seconds.",
                _by(_through_zero),
            ),
            Slip("It leaves the mean out of the divisor: subtract it from the contexts there too.", _by(raw)),
            Slip(sums, _by(unscaled)),
            Slip("It does not divide by the spread of the contexts.", _by(no_means)),
            Slip(
                "It divides by the spread of the seconds; the slope is seconds per token.",
                _by(lambda x, y: _slope(y, x)),
            ),
            Slip(
                "It fits contexts over seconds and turns the slope round; fit seconds over contexts.",
                _by(lambda x, y: 1 / _slope(y, x)),
            ),
            Slip(
                "It takes the first step's time for the step without a cache; go back to context 0.",
                _by(_slope, start_of),
            ),
            Slip(
                "It takes the mean time for the step without a cache; go back to context 0.",
                _by(_slope, lambda x, y, slope: statistics.fmean(y)),
            ),
            Slip(
                "It begins the line at the first point; it goes through the means.", _by(_slope, from_first)
            ),
            Slip(
                "It adds where it goes back to context 0: subtract slope × mean context.",
                _by(_slope, lambda x, y, slope: statistics.fmean(y) + slope * statistics.fmean(x)),
            ),
            Slip(
                "It divides each time by its context; part of the time is there without any.",
                _by(
                    lambda x, y: statistics.fmean(b / a if a else 0 for a, b in zip(x, y, strict=True)),
                    lambda x, y, slope: 0.0,
                ),
            ),
            Slip(
                "It divides the last time by its context; part of the time is there without any.",
                _by(lambda x, y: y[-1] / x[-1], lambda x, y, slope: 0.0),
            ),
            Slip(
                "It has contexts and seconds exchanged where it goes back to context 0.",
                _by(_slope, lambda x, y, slope: statistics.fmean(x) - slope * statistics.fmean(y)),
            ),
            Slip(
                "It goes through the medians; the line of least squares goes through the means.",
                _by(_slope, lambda x, y, slope: statistics.median(y) - slope * statistics.median(x)),
            ),
            Slip("It gives bits; the bandwidth is in bytes.", then=lambda v: (8 * v[0], 8 * v[1])),
            Slip("It gives bits; the bandwidth is in bytes.", then=lambda v: (8 * v[0], v[1])),
            Slip(
                "It turns the slope round: the sum of x × y stands above, that of x × x below.",
                _by(lambda x, y: 1 / _slope(x, y)),
            ),
            Slip(
                "It divides the mean time by the mean context; part of the time is there without any.",
                _by(lambda x, y: statistics.fmean(y) / statistics.fmean(x)),
            ),
            Slip(
                "It leaves the means out of the products; subtract them from contexts and seconds there too.",
                _by(raw_products),
            ),
            Slip(
                "It draws the line through the first two points; least squares weighs all of them.",
                _by(_first_two),
            ),
            Slip(ends, _by(_ends, lambda x, y, slope: min(y))),
            Slip("It gives seconds: in that time the memory moves bandwidth × seconds bytes.", bandwidth=1),
            Slip(
                "It divides by the bandwidth; bytes are seconds × bandwidth.",
                bandwidth=lambda a: 1 / a["bandwidth"],
            ),
            Slip(
                "It leaves the second number in seconds.",
                then=None,
                instead=lambda x, y, bandwidth: (_line(x, y, bandwidth)[0], _line(x, y, 1)[1]),
            ),
            Slip(
                "It leaves the first number in seconds per token.",
                lambda x, y, bandwidth: (_line(x, y, 1)[0], _line(x, y, bandwidth)[1]),
            ),
            Slip(
                "It gives the bytes of a step first; the bytes of a token come first.",
                then=lambda v: (v[1], v[0]),
            ),
            Slip(
                "It gives the bytes of a token alone; give those of a step without a cache too.",
                then=lambda v: v[0],
            ),
            Slip(
                "It divides bytes by 10⁹ or 2³⁰; the question asks for bytes.",
                then=lambda v: (v[0] / 1e9, v[1] / 1e9),
            ),
            Slip(
                "It divides bytes by 10⁹ or 2³⁰; the question asks for bytes.",
                then=lambda v: (v[0] / 1e9, v[1]),
            ),
            Slip(
                "It divides bytes by 10⁹ or 2³⁰; the question asks for bytes.",
                then=lambda v: (v[0] / 2**30, v[1] / 2**30),
            ),
        ),
        where={
            "It is wrong only for more than two points.": lambda x, y, bandwidth: len(x) > 2,
            "It is wrong only where the first context is not 0.": lambda x, y, bandwidth: x[0] > 0,
        },
        tol=1e-3,
        idea="Subtract the means first. Then slope = Σ x·y / Σ x·x, and the line goes through the means.",
    )
