"""Chapter 08's clock: the median of timed steps, and how far they spread."""

import statistics

from ...answers import Function, Slip
from ..common import question


def _report(runs, warm):
    """(median, spread) of the runs after the first `warm`; a run is (called, returned, done)."""
    return _of([done - called for called, _, done in runs[warm:]])


def _of(took, middle=statistics.median, spread=lambda took, middle: (max(took) - min(took)) / middle):
    return middle(took), spread(took, middle(took))


def _whole(runs, warm, **of):
    return _of([done - called for called, _, done in runs[warm:]], **of)


def _lower(took):
    return sorted(took)[(len(took) - 1) // 2]


def _upper(took):
    return sorted(took)[len(took) // 2]


def _deviation(of):
    return lambda took, middle: (of(took) if took[1:] else 0) / middle


def _quartiles(method):
    def spread(took, middle):
        low, _, high = statistics.quantiles(took * (1 + (len(took) < 2)), n=4, method=method)
        return (high - low) / middle

    return spread


def _middle_of_the_row(took):
    return took[len(took) // 2]


def _by_length(runs):
    return sorted(runs, key=lambda run: run[2] - run[0])


def _ends(runs):
    """As if the times of `runs` were sorted: the middle, and the last less the first."""
    took = [done - called for called, _, done in runs]
    half = len(took) // 2
    middle = took[half] if len(took) % 2 else (took[half - 1] + took[half]) / 2
    return middle, (took[-1] - took[0]) / middle


def _turned(runs):
    took = sorted(done - called for called, _, done in runs)
    half = len(took) // 2
    middle = (took[half - 1] + took[half]) / 2 if len(took) % 2 else took[half]
    return middle, (took[-1] - took[0]) / middle


@question("08-timing", points=5, kind="code", minutes=12)
def _timing():
    def runs(rng, count):
        now, found = 10.0, []
        for number in range(count):
            returned = rng.uniform(0.5, 2)
            took = (
                returned + rng.uniform(3, 9) + (20 if number < 2 else 0) + (15 if rng.random() < 0.15 else 0)
            )
            found.append((round(now, 3), round(now + returned, 3), round(now + took, 3)))
            now += took + rng.uniform(0, 1)
        return found

    def cases(rng):
        yield [(0.0, 1.0, 9.0), (10.0, 10.5, 14.0), (20.0, 20.5, 23.0), (30.0, 30.5, 35.0)], 1
        yield [(0.0, 0.5, 4.0), (5.0, 5.5, 7.0)], 0
        yield [(0.0, 0.0003, 0.0213), (0.1, 0.1002, 0.1187), (0.2, 0.2004, 0.2254)], 0  # a GPU's times
        yield [(0.0, 0.5, 9.0), (10.0, 10.5, 12.0)], 1
        for _ in range(24):
            warm = rng.randint(0, 3)
            yield runs(rng, warm + rng.randint(3, 9)), warm

    def run(change):
        return lambda a: [change(*times) for times in a["runs"]]

    deviation = "Its spread is the standard deviation; the question asks for slowest less fastest."
    half = "Its spread is of the middle half of the runs; the question asks for slowest less fastest."
    rounds = "It rounds; hand back all digits."
    one_middle = "Of an even count it takes one of the two in the middle; the median is their mean."
    return Function(
        _report,
        cases,
        (
            Slip(
                "It stops the clock when the call returns; the device has done its work later.",
                runs=run(lambda called, returned, done: (called, returned, returned)),
            ),
            Slip(
                "It starts the clock when the call has returned; the work began before.",
                runs=run(lambda called, returned, done: (returned, returned, done)),
            ),
            Slip(
                "It takes the times on the clock for durations: subtract when the call was made.",
                runs=run(lambda called, returned, done: (0, returned, done)),
            ),
            Slip("It counts the warm-up in: leave out the first `warm` runs.", warm=0),
            Slip("It leaves out one run; `warm` says how many.", warm=1),
            Slip("It leaves out one run too many.", warm=lambda a: a["warm"] + 1),
            Slip("It leaves out one run too many.", lambda runs, warm: _ends(_by_length(runs[warm + 1 :]))),
            Slip(
                "It sorts before it leaves the warm-up out, so the fastest go; leave out the first runs.",
                lambda runs, warm: _of(sorted(done - called for called, _, done in runs)[warm:]),
            ),
            Slip(
                "It does not sort the times: the middle and the ends of the row are any runs.",
                lambda runs, warm: _ends(runs[warm:]),
            ),
            Slip(
                "It leaves out the last runs; the first ones are the warm-up.",
                lambda runs, warm: _ends(_by_length(runs[:-warm])),
            ),
            Slip("It has odd and even counts the wrong way round.", lambda runs, warm: _turned(runs[warm:])),
            Slip(
                "It keeps as many runs as the warm-up has; leave so many out.",
                lambda runs, warm: _whole(runs[-warm:], 0),
            ),
            Slip("It leaves out one run too few.", lambda runs, warm: _whole(runs[warm - 1 :], 0)),
            Slip("It leaves out one run too few.", warm=lambda a: max(a["warm"] - 1, 0)),
            Slip("It keeps the warm-up and leaves out the rest.", lambda runs, warm: _whole(runs[:warm], 0)),
            Slip(
                "It leaves out the last runs; the first ones are the warm-up.",
                lambda runs, warm: _whole(runs[: len(runs) - warm], 0),
            ),
            Slip(
                "It takes the mean; one interrupted run moves it. Take the median.",
                lambda runs, warm: _whole(runs, warm, middle=statistics.fmean),
            ),
            Slip(
                "It takes the fastest run; the question asks for the median.",
                lambda runs, warm: _whole(runs, warm, middle=min),
            ),
            Slip(
                "It takes the slowest run; the question asks for the median.",
                lambda runs, warm: _whole(runs, warm, middle=max),
            ),
            Slip(
                "It adds the runs up; the question asks for the median.",
                lambda runs, warm: _whole(runs, warm, middle=sum),
            ),
            Slip(one_middle, lambda runs, warm: _whole(runs, warm, middle=_upper)),
            Slip(one_middle, lambda runs, warm: _whole(runs, warm, middle=_lower)),
            Slip(
                "It takes the middle one in the order of the runs; sort their times first.",
                lambda runs, warm: _whole(runs, warm, middle=_middle_of_the_row),
            ),
            Slip(
                "Its spread is in seconds; the question asks for a share of the median.",
                then=lambda v: (v[0], v[1] * v[0]),
            ),
            Slip(
                "Its spread is in per cent; the question asks for a share.", then=lambda v: (v[0], 100 * v[1])
            ),
            Slip(
                "Its spread is from the median to the slowest; take it from the fastest.",
                lambda runs, warm: _whole(runs, warm, spread=lambda took, m: (max(took) - m) / m),
            ),
            Slip(
                "Its spread is from the fastest to the median; take it to the slowest.",
                lambda runs, warm: _whole(runs, warm, spread=lambda took, m: (m - min(took)) / m),
            ),
            Slip(
                "Its spread is slowest over fastest; take their difference, as a share of the median.",
                lambda runs, warm: _whole(runs, warm, spread=lambda took, m: max(took) / min(took)),
            ),
            Slip(
                "It divides the spread by the slowest run; the question asks for a share of the median.",
                lambda runs, warm: _whole(
                    runs, warm, spread=lambda took, m: (max(took) - min(took)) / max(took)
                ),
            ),
            Slip(
                "Its spread counts the warm-up in.",
                lambda runs, warm: (
                    _report(runs, warm)[0],
                    _report(runs, 0)[1] * _report(runs, 0)[0] / _report(runs, warm)[0],
                ),
            ),
            Slip("Its spread is less than 0: take slowest less fastest.", then=lambda v: (v[0], -v[1])),
            Slip(half, lambda runs, warm: _whole(runs, warm, spread=_quartiles("inclusive"))),
            Slip(half, lambda runs, warm: _whole(runs, warm, spread=_quartiles("exclusive"))),
            Slip(rounds, then=lambda v: (round(v[0], 2), round(v[1], 2))),
            Slip(rounds, then=lambda v: (round(v[0], 3), round(v[1], 3))),
            Slip(rounds, then=lambda v: (round(v[0], 3), v[1])),
            Slip("It halves the spread; take all of slowest less fastest.", then=lambda v: (v[0], v[1] / 2)),
            Slip(
                "It divides the spread by the fastest run; the question asks for a share of the median.",
                lambda runs, warm: _whole(
                    runs, warm, spread=lambda took, m: (max(took) - min(took)) / min(took)
                ),
            ),
            Slip(
                "It divides the spread by the mean; the question asks for a share of the median.",
                lambda runs, warm: _whole(
                    runs, warm, spread=lambda took, m: (max(took) - min(took)) / statistics.fmean(took)
                ),
            ),
            Slip(deviation, lambda runs, warm: _whole(runs, warm, spread=_deviation(statistics.stdev))),
            Slip(deviation, lambda runs, warm: _whole(runs, warm, spread=_deviation(statistics.pstdev))),
            Slip("It gives the spread first; the median comes first.", then=lambda v: (v[1], v[0])),
            Slip("It gives the median alone; give the spread too.", then=lambda v: v[0]),
            Slip("It gives milliseconds; the times are seconds.", then=lambda v: (1000 * v[0], v[1])),
        ),
        where={
            "It is wrong only for an even count of runs.": lambda runs, warm: (len(runs) - warm) % 2 == 0,
            "It is wrong only where there is a warm-up.": lambda runs, warm: warm > 0,
            "It is wrong only where there is no warm-up.": lambda runs, warm: warm == 0,
            "It is wrong only where a single run is left.": lambda runs, warm: len(runs) - warm == 1,
        },
        idea="First the time that each run took, then which runs count, then the middle one.",
    )
