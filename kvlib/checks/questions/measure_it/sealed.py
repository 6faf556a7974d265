"""Chapter 08's prediction: sealed by its hash, then measured, then compared.

A clock says another number on each machine. So the prediction is held to the formula, the record to its
seal, and the ratio to the times of the answer's own record, whatever they are.
"""

import hashlib
import math
import statistics
from dataclasses import dataclass

from ...answers import BLANK, Number, Slip, joined, mark_plain
from ...plain import kind
from ..common import question

UNIT = "times"
OTHER_UNITS = ("", "%", "bytes", "MB", "MiB", "s", "ms")
LEAST = 5  # runs


def seal(value: float, unit: str) -> str:
    """What a prediction is sealed with: `given-seal` in the notebook is the same."""
    return hashlib.sha256(f"{value:.4g} {unit}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Sealed:
    """A prediction, the record of its measurement, and what was measured; a third of the points each.

    predicted  marks the prediction

    The answer is a dict: "predicted", a number; "record", a dict with "sealed", the seal, and "seconds", a
    list for "short" and one for "long", the warm-up first; "ratio", of the medians without the warm-up.
    """

    predicted: Number

    @property
    def parts(self) -> dict:
        """What a variant keeps apart."""
        return {"predicted": self.predicted}

    def example(self) -> dict:
        """An answer that is right."""
        times = {"short": [9.0, 2.0, 1.0, 2.0, 3.0], "long": [9.0, 5.0, 4.0, 5.0, 9.0]}
        predicted = self.predicted.right
        record = {"sealed": seal(predicted, UNIT), "seconds": times}
        return {"predicted": predicted, "record": record, "ratio": 2.5}

    def mark(self, answer):
        if not isinstance(answer, dict):
            return 0, 'Not yet. Give a dict with the keys "predicted", "record" and "ratio".'
        marks = {
            "predicted": mark_plain(self.predicted, answer.get("predicted")),
            "record": self._record(answer.get("record"), answer.get("predicted")),
            "ratio": self._ratio(answer.get("ratio"), answer.get("record")),
        }
        return joined(marks)

    def _record(self, record, predicted):
        if record is None or record is ...:
            return 0, BLANK
        fault = _fault(record)
        value, unread = self.predicted.read(predicted)
        if fault or unread:
            return 0, f"Not yet. {fault or 'There is no prediction that it could have been sealed with.'}"
        if record["sealed"] == seal(value, UNIT):
            return 1, "Right."
        for unit in OTHER_UNITS:
            if record["sealed"] == seal(value, unit):
                return 0, f'Not yet. The seal is of the unit "{unit}"; a ratio is so many "{UNIT}".'
        if record["sealed"] == f"{value:.4g} {UNIT}" or isinstance(record["sealed"], (int, float)):
            return 0, "Not yet. What was sealed is the prediction itself; its seal is the hash."
        return 0, (
            "Not yet. The seal is not of this prediction: it was changed after the measurement, or rounded. "
            "Seal the prediction, then measure again."
        )

    def _ratio(self, ratio, record):
        if ratio is None or ratio is ...:
            return 0, BLANK
        if fault := _fault(record):
            return 0, f"Not yet. Without a record nothing can be compared. {fault}"
        return mark_plain(_measured(record["seconds"]), ratio)


def _fault(record) -> str:
    """What is wrong with the form of a record, or ""."""
    if not isinstance(record, dict) or not {"sealed", "seconds"} <= record.keys():
        return "The record is what `measure` returned, with its seal and its seconds."
    seconds = record["seconds"]
    if not isinstance(seconds, dict) or seconds.keys() != {"short", "long"}:
        return 'The record holds seconds for "short" and for "long".'
    for name, times in seconds.items():
        if not isinstance(times, (list, tuple)) or not all(isinstance(t, (int, float)) for t in times):
            return f'The seconds of "{name}" are a list of numbers, not {kind(times)}.'
        if len(times) < LEAST:
            return f"Measure at least {LEAST} times, the warm-up among them; one run proves little."
        if not all(0 < t < math.inf for t in times):
            return "A time is more than 0 seconds: where the clock is too coarse, copy more often in one run."
    if len(seconds["short"]) != len(seconds["long"]):
        return "Both were measured in turn, so both lists are as long."
    if max(seconds["short"] + seconds["long"]) > 1000:
        return "These are no seconds: hardly a copy of a few megabytes takes a thousand."
    return ""


def _measured(seconds) -> Number:
    """Marks the ratio of the medians; a slip that gives the same as the right way is none."""
    short, long = seconds["short"], seconds["long"]

    def ratio(of, first=1):
        return of(long[first:]) / of(short[first:])

    right = ratio(statistics.median)
    slips = (
        Slip("You count the warm-up in; leave the first run out.", ratio(statistics.median, 0)),
        Slip("You take the mean of the runs; take the median.", ratio(statistics.fmean)),
        Slip("You take the mean, the warm-up in it; take the median.", ratio(statistics.fmean, 0)),
        Slip("You take the fastest runs; take the medians.", ratio(min)),
        Slip("You take the slowest runs; take the medians.", ratio(max)),
        Slip("You take the warm-up alone; take the median of the runs after it.", long[0] / short[0]),
        Slip("You take the last run alone; take the median of all after the warm-up.", long[-1] / short[-1]),
        Slip("It is the other way round: long over short.", 1 / right),
        Slip("You give by how much it is longer; the question asks how many times as long.", right - 1),
        Slip("You subtract the times; divide them.", _median(long) - _median(short)),
        Slip("You give the long time, in seconds; divide by the short one.", _median(long)),
    )  # fmt: skip
    apart = tuple(slip for slip in slips if abs(slip.instead - right) > 0.01 * right)
    return Number(right, {}, apart, tol=0.005, idea="It is the ratio of the medians of your own record.")


def _median(times):
    return statistics.median(times[1:])


@question(
    "08-predict",
    points=6,
    kind="predict",
    minutes=15,
    drawn=dict(weights=(3, 5, 6), layers=(6, 8), tokens=(3_072, 6_144)),
)
def _predict(weights=4, layers=4, tokens=4_096, few=256):
    def step(weights, weight_bytes, layers, kv_heads, number_bytes, tokens):
        return weights * 1e6 * weight_bytes + 2 * layers * kv_heads * 64 * number_bytes * tokens

    def times(tokens, few, **model):
        return step(tokens=tokens, **model) / step(tokens=few, **model)

    return Sealed(
        Number(
            times,
            dict(
                tokens=tokens,
                few=few,
                weights=weights,
                weight_bytes=1,
                layers=layers,
                kv_heads=2,
                number_bytes=2,
            ),
            (
                Slip(
                    "The cache comes out half as large as it is: you take the weights' dtype for the cache's,"
                    " or the cache's for the weights'. Or: you count the keys or the values, not both.",
                    number_bytes=1,
                ),
                Slip("You take fp32's 4 bytes for the cache; it is fp16.", number_bytes=4),
                Slip("You count one layer: every layer keeps a cache of its own.", layers=1),
                Slip("You leave out the weights; a step reads them too.", weights=0),
                Slip("You leave out the cache of the short step; it reads one, too.", few=0),
                Slip("It is the other way round: the long step over the short one.", then=lambda v: 1 / v),
                Slip(
                    "You give by how much it is longer; the question asks how many times as long.",
                    then=lambda v: v - 1,
                ),
                Slip(
                    "You answer in per cent; the question asks how many times as long.",
                    then=lambda v: 100 * v,
                ),
                Slip("You give the cache over the weights.", _cache_over_weights),
                Slip("You take a million weights for a billion.", weights=1000 * weights),
                Slip("You subtract the bytes of the steps; divide them.", _difference),
                Slip("You give the bytes of the long step; divide by those of the short one.", _long_step),
            ),
            idea="What does each step read? Weights and cache, each in its own dtype.",
        )
    )


def _cache_over_weights(tokens, few, weights, weight_bytes, layers, kv_heads, number_bytes):
    return 2 * layers * kv_heads * 64 * number_bytes * tokens / (weights * 1e6 * weight_bytes)


def _difference(tokens, few, weights, weight_bytes, layers, kv_heads, number_bytes):
    return 2 * layers * kv_heads * 64 * number_bytes * (tokens - few)


def _long_step(tokens, few, weights, weight_bytes, layers, kv_heads, number_bytes):
    return weights * 1e6 * weight_bytes + 2 * layers * kv_heads * 64 * number_bytes * tokens
