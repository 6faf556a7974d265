"""Wrong answers to chapter 08's code, a clock, a peak and a line, and to its sealed prediction."""

import hashlib
import statistics
from decimal import Decimal

import numpy as np


def step_report(runs, warm):
    took = [done - called for called, _, done in runs[warm:]]
    median = statistics.median(took)
    return median, (max(took) - min(took)) / median


def of_times(middle=statistics.median, spread=None):
    """A report that takes something else than the median, or another spread."""

    def wrong(runs, warm):
        took = [done - called for called, _, done in runs[warm:]]
        center = middle(took)
        return center, spread(took, center) if spread else (max(took) - min(took)) / center

    return wrong


def of_runs(change):
    """A report of other runs, or of other readings of them."""
    return lambda runs, warm: step_report(change(runs, warm), 0)


def most_in_use(log):
    alive, most, then = {}, 0, {}
    for name, nbytes in log:
        if nbytes:
            alive[name] = nbytes
        else:
            alive.pop(name)
        if sum(alive.values()) > most:
            most, then = sum(alive.values()), dict(alive)
    return most, then


def peak(copy=dict, later=False, free=True):
    def wrong(log):
        alive, most, then = {}, 0, {}
        for name, nbytes in log:
            if nbytes:
                alive[name] = nbytes
            elif free:
                del alive[name]
            now = sum(alive.values())
            if now > most or later and now == most:
                most, then = now, copy(alive)
        return most, then

    return wrong


def running_total(log):
    """Adds and subtracts, by what a name was given first."""
    sizes, now, most, alive, then = {}, 0, 0, {}, {}
    for name, nbytes in log:
        if name not in sizes:
            sizes[name] = nbytes
        if nbytes:
            now, alive[name] = now + nbytes, nbytes
        else:
            now -= sizes[name]
            del alive[name]
        if now > most:
            most, then = now, dict(alive)
    return most, then


def only_sum(log):
    return sum(nbytes for _, nbytes in log), {name: nbytes for name, nbytes in log if nbytes}


def at_the_end(log):
    alive = {}
    for name, nbytes in log:
        alive[name] = nbytes
    alive = {name: nbytes for name, nbytes in alive.items() if nbytes}
    return sum(alive.values()), alive


def largest(log):
    name, nbytes = max(log, key=lambda line: line[1])
    return nbytes, {name: nbytes}


def slope_of(x, y):
    mx, my = statistics.fmean(x), statistics.fmean(y)
    over = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return over / sum((a - mx) ** 2 for a in x)


def line(slope=slope_of, begin=None):
    def found(contexts, seconds, bandwidth):
        m = slope(contexts, seconds)
        through_means = statistics.fmean(seconds) - m * statistics.fmean(contexts)
        b = begin(contexts, seconds, m) if begin else through_means
        return m * bandwidth, b * bandwidth

    return found


def of_line(change):
    return lambda x, y, bandwidth: change(*line()(x, y, bandwidth))


def polyfit(contexts, seconds, bandwidth):
    slope, begin = np.polyfit(contexts, seconds, 1)
    return slope * bandwidth, begin * bandwidth


def through_the_origin(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)


RATIO = (4e6 + 2048 * 4096) / (4e6 + 2048 * 256)
TIMES = {"short": [9.0, 2.0, 1.0, 2.5, 3.0], "long": [9.0, 5.0, 4.0, 6.0, 12.0]}


def seal(predicted, unit="times"):
    return hashlib.sha256(f"{predicted:.4g} {unit}".encode()).hexdigest()[:12]


def trial(predicted=RATIO, sealed=None, seconds=None, ratio=5.5 / 2.25):
    record = {"sealed": sealed or seal(float(predicted)), "seconds": seconds or TIMES}
    return {"predicted": predicted, "record": record, "ratio": ratio}


WRONG = [
    ("08-timing", lambda runs, warm: step_report(runs, 0), "It counts the warm-up in"),
    ("08-timing", lambda runs, warm: step_report(runs, 1), "It leaves out one run; `warm` says"),
    ("08-timing", of_runs(lambda runs, warm: runs[: len(runs) - warm]), "It leaves out the last runs"),
    ("08-timing", lambda runs, warm: step_report(runs, warm + 1), "It leaves out one run too many"),
    (
        "08-timing",
        of_runs(lambda runs, warm: [(c, r, r) for c, r, _ in runs[warm:]]),
        "It stops the clock when the call returns",
    ),
    (
        "08-timing",
        of_runs(lambda runs, warm: [(r, r, d) for _, r, d in runs[warm:]]),
        "It starts the clock when the call has returned",
    ),
    (
        "08-timing",
        of_runs(lambda runs, warm: [(0, r, d) for _, r, d in runs[warm:]]),
        "It takes the times on the clock for durations",
    ),
    ("08-timing", of_runs(lambda runs, warm: [(c, r, r) for c, r, _ in runs]), "Two things"),
    ("08-timing", of_times(statistics.fmean), "It takes the mean"),
    ("08-timing", of_times(min), "It takes the fastest run"),
    ("08-timing", of_times(sum), "It adds the runs up"),
    ("08-timing", of_times(lambda t: sorted(t)[len(t) // 2]), "the median is their mean"),
    ("08-timing", of_times(lambda t: sorted(t)[(len(t) - 1) // 2]), "the median is their mean"),
    ("08-timing", of_times(lambda t: t[len(t) // 2]), "in the order of the runs"),
    ("08-timing", of_times(spread=lambda t, m: max(t) - min(t)), "Its spread is in seconds"),
    ("08-timing", of_times(spread=lambda t, m: 100 * (max(t) - min(t)) / m), "Its spread is in per cent"),
    ("08-timing", of_times(spread=lambda t, m: (max(t) - m) / m), "from the median to the slowest"),
    ("08-timing", of_times(spread=lambda t, m: max(t) / min(t)), "Its spread is slowest over fastest"),
    ("08-timing", of_times(spread=lambda t, m: statistics.pstdev(t) / m), "the standard deviation"),
    (
        "08-timing",
        of_times(spread=lambda t, m: (max(t) - min(t)) / statistics.fmean(t)),
        "It divides the spread by the mean",
    ),
    ("08-timing", lambda runs, warm: step_report(runs, warm)[::-1], "It gives the spread first"),
    ("08-timing", lambda runs, warm: step_report(runs, warm)[0], "It gives the median alone"),
    (
        "08-timing",
        lambda runs, warm: (1000 * step_report(runs, warm)[0], step_report(runs, warm)[1]),
        "It gives milliseconds",
    ),
    ("08-timing", of_runs(lambda runs, warm: runs[-warm:]), "It keeps as many runs as the warm-up has"),
    ("08-timing", of_runs(lambda runs, warm: runs[warm - 1 :]), "It leaves out one run too few"),
    ("08-timing", of_times(spread=lambda t, m: (max(t) - min(t)) / max(t)), "by the slowest run"),
    ("08-timing", of_times(spread=lambda t, m: (min(t) - max(t)) / m), "Its spread is less than 0"),
    (
        "08-timing",
        lambda runs, warm: tuple(round(number, 2) for number in step_report(runs, warm)),
        "It rounds",
    ),
    (
        "08-timing",
        lambda runs, warm: {"median": step_report(runs, warm)[0]},
        "It gives a dict where a tuple is wanted",
    ),
    ("08-timing", lambda runs, warm: (step_report(runs, warm)[0], 0.5), None),
    ("08-timing", lambda runs, warm: print(step_report(runs, warm)), "It prints"),
    ("08-timing", step_report([(0, 1, 2)], 0), "Hand over the function or class itself"),
    ("08-peak", only_sum, "It never takes back what is freed"),
    ("08-peak", peak(free=False), "It never takes back what is freed"),
    ("08-peak", at_the_end, "It gives what is in use at the end"),
    ("08-peak", lambda log: largest(log) if log else (0, {}), "It gives the largest tensor"),
    ("08-peak", largest, "It gives the largest tensor"),
    ("08-peak", peak(later=True), "It keeps the last time of the peak"),
    ("08-peak", peak(copy=lambda alive: alive), "Its dict changes after the peak"),
    ("08-peak", running_total, "It takes a name that is used again"),
    ("08-peak", lambda log: most_in_use(log)[0], "It gives the bytes alone"),
    ("08-peak", lambda log: most_in_use(log)[1], "the bytes come first"),
    ("08-peak", lambda log: most_in_use(log)[::-1], "the other way round"),
    ("08-peak", lambda log: (most_in_use(log)[0], list(most_in_use(log)[1])), "It gives names alone"),
    ("08-peak", lambda log: (most_in_use(log)[0], only_sum(log)[1]), "It gives all names that occur"),
    ("08-peak", lambda log: most_in_use(log[1:]), None),
    ("08-peak", lambda log: most_in_use(log) if log else None, "It is wrong only for an empty log"),
    ("08-peak", lambda log: most_in_use([line for line in log if line[0] != "weights"]), "the weights"),
    (
        "08-peak",
        lambda log: (most_in_use(log)[0], list(most_in_use(log)[1].items())),
        "It gives a list of what was alive",
    ),
    ("08-peak", lambda log: (most_in_use(log)[0] / 1e6, most_in_use(log)[1]), "It gives MB or MiB"),
    (
        "08-peak",
        lambda log: (only_sum(log)[0], most_in_use(log)[1]),
        "its bytes add up all that was ever made",
    ),
    ("08-peak", lambda log: print(most_in_use(log)), "It prints"),
    ("08-line", line(lambda x, y: (y[-1] - y[0]) / (x[-1] - x[0])), "the first and the last point"),
    (
        "08-line",
        line(lambda x, y: (y[-1] - y[0]) / (x[-1] - x[0]), lambda x, y, m: y[0] - m * x[0]),
        "the first and the last point",
    ),
    (
        "08-line",
        line(lambda x, y: (y[1] - y[0]) / (x[1] - x[0]), lambda x, y, m: y[0] - m * x[0]),
        "the first two points",
    ),
    ("08-line", line(through_the_origin, lambda x, y, m: 0), "It draws the line through zero"),
    ("08-line", line(through_the_origin), "It leaves the means out of the slope"),
    ("08-line", line(lambda x, y: 1 / slope_of(y, x)), "fit seconds over contexts"),
    ("08-line", line(lambda x, y: slope_of(y, x)), "It divides by the spread of the seconds"),
    (
        "08-line",
        line(lambda x, y: slope_of(x, y) * sum((a - statistics.fmean(x)) ** 2 for a in x)),
        "It does not divide by the spread",
    ),
    ("08-line", line(begin=lambda x, y, m: y[0]), "It takes the first step's time"),
    ("08-line", line(begin=lambda x, y, m: statistics.fmean(y)), "It takes the mean time"),
    (
        "08-line",
        line(begin=lambda x, y, m: statistics.fmean(y) + m * statistics.fmean(x)),
        "It adds where it goes back to context 0",
    ),
    ("08-line", line(begin=lambda x, y, m: y[0] - m * x[0]), "It begins the line at the first point"),
    ("08-line", line(begin=lambda x, y, m: 0), None),
    (
        "08-line",
        line(lambda x, y: y[-1] / x[-1], lambda x, y, m: 0),
        "It divides the last time by its context",
    ),
    (
        "08-line",
        line(begin=lambda x, y, m: statistics.median(y) - m * statistics.median(x)),
        "It goes through the medians",
    ),
    (
        "08-line",
        line(begin=lambda x, y, m: statistics.fmean(x) - m * statistics.fmean(y)),
        "It has contexts and seconds exchanged",
    ),
    ("08-line", of_line(lambda m, b: (8 * m, 8 * b)), "It gives bits"),
    ("08-line", of_line(lambda m, b: {"token": m, "step": b}), "It gives a dict where a tuple is wanted"),
    ("08-line", lambda x, y, bandwidth: line()(x, y, 1), "It gives seconds"),
    ("08-line", lambda x, y, bandwidth: line()(x, y, 1 / bandwidth), "It divides by the bandwidth"),
    (
        "08-line",
        lambda x, y, bandwidth: (line()(x, y, bandwidth)[0], line()(x, y, 1)[1]),
        "It leaves the second number in seconds",
    ),
    ("08-line", of_line(lambda m, b: (b, m)), "the bytes of a token come first"),
    ("08-line", of_line(lambda m, b: m), "It gives the bytes of a token alone"),
    ("08-line", of_line(lambda m, b: (m / 1e9, b / 1e9)), "the question asks for bytes"),
    ("08-line", lambda x, y, bandwidth: polyfit(x, y, 1), "It gives seconds"),
    ("08-predict", trial((4e6 + 1024 * 4096) / (4e6 + 1024 * 256)), "the weights' dtype for the cache's", 4),
    ("08-predict", trial((8e6 + 2048 * 4096) / (8e6 + 2048 * 256)), "the cache's for the weights'", 4),
    ("08-predict", trial(16.0), "You leave out the weights", 4),
    ("08-predict", trial(1 / RATIO), "the long step over the short one", 4),
    ("08-predict", trial(RATIO - 1), "by how much it is longer", 4),
    ("08-predict", trial(100 * RATIO), "You answer in per cent", 4),
    ("08-predict", trial((4e6 + 2048 * 4096) / 4e6), "You leave out the cache of the short step", 4),
    ("08-predict", trial((4e6 + 512 * 4096) / (4e6 + 512 * 256)), "You count one layer", 4),
    ("08-predict", trial(2048 * 4096 / 4e6), "You give the cache over the weights", 4),
    ("08-predict", trial(4e6 + 2048 * 4096), "You give the bytes of the long step", 4),
    ("08-predict", trial(sealed=seal(3.0)), "it was changed after the measurement", 4),
    ("08-predict", trial(sealed=seal(RATIO, "MB")), 'The seal is of the unit "MB"', 4),
    ("08-predict", trial(sealed=f"{RATIO:.4g} times"), "its seal is the hash", 4),
    ("08-predict", trial(sealed=RATIO), "its seal is the hash", 4),
    ("08-predict", trial() | {"predicted": None}, "There is no prediction", 2),
    ("08-predict", trial() | {"record": TIMES}, "The record is what `measure` returned", 2),
    ("08-predict", trial(seconds={"short": [1.0] * 3, "long": [2.0] * 3}), "Measure at least 5 times", 2),
    ("08-predict", trial(seconds=TIMES | {"long": [2.0] * 9}), "both lists are as long", 2),
    ("08-predict", trial(seconds=TIMES | {"long": [0.0] * 5}), "A time is more than 0 seconds", 2),
    ("08-predict", trial(seconds=TIMES | {"long": [5e6] * 5}), "These are no seconds", 2),
    ("08-predict", trial(ratio=6 / 2.5), "You count the warm-up in", 4),
    ("08-predict", trial(ratio=6.75 / 2.125), "You take the mean of the runs", 4),
    ("08-predict", trial(ratio=7.2 / 3.5), "You take the mean, the warm-up in it", 4),
    ("08-predict", trial(ratio=4.0), "You take the fastest runs", 4),
    ("08-predict", trial(ratio=2.25 / 5.5), "It is the other way round", 4),
    ("08-predict", trial(ratio=5.5 / 2.25 - 1), "You give by how much it is longer", 4),
    ("08-predict", trial(ratio=3.25), "You subtract the times", 4),
    ("08-predict", trial(ratio=5.5), "You give the long time", 4),
    ("08-predict", trial(ratio=RATIO), None, 4),  # what was predicted, not what was measured
    ("08-predict", RATIO, "Give a dict with the keys"),
]

RIGHT = [
    ("08-timing", lambda runs, warm: list(step_report([list(map(Decimal, run)) for run in runs], warm))),
    ("08-timing", lambda runs, warm: np.array(step_report(runs, warm))),
    ("08-peak", most_in_use),
    ("08-peak", peak(copy=lambda alive: {**alive})),
    ("08-line", polyfit),
    ("08-line", of_line(lambda m, b: (round(m), int(b)))),
    ("08-line", lambda x, y, bandwidth: np.polyfit(x, np.array(y) * bandwidth, 1)),
    ("08-predict", trial(round(RATIO, 2))),
    ("08-predict", trial(str(round(RATIO, 3)), ratio="2.44")),
]
