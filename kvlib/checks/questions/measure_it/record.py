"""Chapter 08's evidence: a record of steps read, a claim audited, a measurement described."""

from ....hardware import gpu
from ....measure import records
from ....units import GB, TB, GiB, TiB
from ...answers import Choice, Each, Number, Slip, Words
from ..common import question


@question("08-record", points=4, kind="log", minutes=8, drawn=dict(row=(10, 13)))
def _record(row=8):
    decode = records.record("decode")
    late = decode["rows"][row]
    [early] = [r for r in decode["rows"] if (r["cache"], r["context"]) == (late["cache"], 128)]
    given = dict(
        weights=decode["weights_bytes"],
        cache=late["cache_bytes"],
        copy=decode["copy_bandwidth"],
        seconds=late["seconds"],
    )
    no_weights = Slip("You leave out the weights; a step reads them too.", weights=0)
    no_cache = Slip("You leave out the cache; a step reads it too.", cache=0)
    peak = Slip(
        "You take the peak, which holds more than a step reads.",
        weights=late["peak_bytes"] - late["cache_bytes"],
    )
    whole_cache = "You divide the whole cache; what was added since 128 tokens?"

    early_row = "You read the row at 128 tokens."
    reads = "You take twice the bandwidth; the copy's counts reading and writing already."

    def floor(weights, cache, copy):
        return 1000 * (weights + cache) / copy

    def reached(weights, cache, copy, seconds):
        return floor(weights, cache, copy) / 10 / seconds

    def share(weights, cache):
        return 100 * cache / (weights + cache)

    def added(cache, before, seconds, seconds_before):
        return (cache - before) / (seconds - seconds_before) / GB

    return Each(
        {
            "floor": Number(
                floor,
                {name: given[name] for name in ("weights", "cache", "copy")},
                (
                    no_weights,
                    no_cache,
                    peak,
                    Slip("You have the division the wrong way round.", then=lambda v: 1000 / v),
                    Slip(
                        "You count the bytes twice; the bandwidth counts reading and writing already.",
                        then=lambda v: 2 * v,
                    ),
                    Slip("You take bits for bytes.", then=lambda v: 8 * v),
                    Slip("You give what was measured, not the floor.", 1000 * late["seconds"]),
                    Slip(early_row, cache=early["cache_bytes"], near=True),
                    Slip(reads, copy=2 * decode["copy_bandwidth"]),
                ),
                unit="ms",
                idea="Weights and cache, divided by the bandwidth of a copy.",
            ),
            "reached": Number(
                reached,
                given,
                (
                    no_weights,
                    no_cache,
                    peak,
                    Slip(
                        "You have the fraction the wrong way round: floor over measured.",
                        then=lambda v: 1e4 / v,
                    ),
                    Slip(early_row, cache=early["cache_bytes"], seconds=early["seconds"]),
                    Slip(reads, copy=2 * decode["copy_bandwidth"]),
                    Slip("You give what is missing to 100 %.", then=lambda v: 100 - v),
                    Slip(
                        "You give by how much the step is longer than the floor.",
                        then=lambda v: 1e4 / v - 100,
                    ),
                ),
                unit="%",
                idea="The floor over the measured time.",
                follows=("floor", lambda ms: ms / 10 / late["seconds"]),
            ),
            "cache share": Number(
                share,
                {name: given[name] for name in ("weights", "cache")},
                (
                    Slip(
                        "You divide by the weights; a step reads weights and cache.",
                        lambda weights, cache: 100 * cache / weights,
                    ),
                    Slip("You give the weights' share.", then=lambda v: 100 - v),
                    Slip(
                        "You divide by the peak, which holds more than a step reads.",
                        lambda weights, cache: 100 * cache / late["peak_bytes"],
                    ),
                    Slip(early_row, cache=early["cache_bytes"]),
                    Slip(
                        "You divide by the bytes that could be copied in its time; take those that it reads.",
                        lambda weights, cache: 100 * cache / given["copy"] / late["seconds"],
                    ),
                ),
                unit="%",
                idea="The cache's bytes of all that a step reads.",
            ),
            "added": Number(
                added,
                dict(
                    cache=late["cache_bytes"],
                    before=early["cache_bytes"],
                    seconds=late["seconds"],
                    seconds_before=early["seconds"],
                ),
                (
                    Slip(f"{whole_cache} And the time that was added?", before=0, seconds_before=0),
                    Slip(
                        "You divide all that the step reads by all its time; what was added to each?",
                        (late["cache_bytes"] + given["weights"]) / late["seconds"] / GB,
                    ),
                    Slip("You divide by the whole time of the step; how much was added?", seconds_before=0),
                    Slip(whole_cache, near=True, before=0),
                    Slip("You subtract the longer one: what was added is more than 0.", then=lambda v: -v),
                    Slip("You answer in MB/s; the question asks for GB/s.", then=lambda v: 1000 * v),
                    Slip(
                        "You answer in bytes per second; the question asks for GB/s.", then=lambda v: GB * v
                    ),
                    Slip("You have the division the wrong way round.", then=lambda v: 1 / v),
                    Slip("You answer in GiB/s; the question asks for GB/s.", then=lambda v: v * GB / GiB),
                    Slip(
                        "You give the bytes that are added, in MB; divide by the time.",
                        then=lambda v: 1000 * v * (late["seconds"] - early["seconds"]),
                    ),
                    Slip("You give the copy's bandwidth.", given["copy"] / GB),
                ),
                idea="The bytes that the longer context adds, by the time that it adds.",
            ),
        }
    )


@question(
    "08-audit",
    points=4,
    kind="audit",
    minutes=8,
    drawn=dict(billions=(3.2, 7.6, 8, 13), tokens=(10_240, 16_384, 20_480), claimed=(900, 1_500, 2_000)),
)
def _audit(billions=6.7, tokens=8_192, claimed=1_200):
    bandwidth = gpu("H100").bandwidth
    given = dict(billions=billions, weight_bytes=2, tokens=tokens, bandwidth=bandwidth, both=2)

    def floor(billions, weight_bytes, tokens, bandwidth, both):
        cache = both * 32 * 32 * 128 * 2 * tokens
        return 1000 * (billions * 1e9 * weight_bytes + cache) / bandwidth

    def most(**numbers):
        return 1000 / floor(**numbers)

    slips = (
        Slip("You leave out the cache; a step reads it too.", tokens=0),
        Slip("You leave out the weights; a step reads them too.", billions=0),
        Slip("You count one byte per weight; fp16 takes 2.", weight_bytes=1),
        Slip("You take fp32's 4 bytes per weight; fp16 takes 2.", weight_bytes=4),
        Slip("You count the keys or the values of the cache, not both.", both=1),
        Slip("You take 2⁴⁰ bytes for a TB; it has 10¹².", bandwidth=bandwidth * TiB / TB),
    )
    wrong_way = "This makes the time of a step longer, so the speed too small, not too large."
    return Each(
        {
            "floor": Number(
                floor,
                given,
                (
                    *slips,
                    Slip("You take bits for bytes: a byte has 8.", then=lambda v: 8 * v),
                    Slip("You give the time at the claimed speed.", 1000 / claimed),
                    Slip("You count 8 KV heads; this model has 32.", both=0.5),
                    Slip(
                        "You take 2³⁰ for a billion; it is 10⁹.", near=True, billions=billions * 2**30 / 1e9
                    ),
                ),
                unit="ms",
                idea="Weights and cache, divided by the memory's bandwidth.",
            ),
            "most": Number(
                most,
                given,
                (
                    *slips,
                    Slip("You give seconds per token.", then=lambda v: 1 / v),
                    Slip("You divide 1 by milliseconds: a second has 1,000.", then=lambda v: v / 1000),
                    Slip("You give what the post claims.", claimed),
                    Slip("You multiply by the context; a step makes one token.", then=lambda v: v * tokens),
                ),
                idea="How many steps of the floor's length fit into a second?",
                follows=("floor", lambda ms: 1000 / ms),
            ),
            "times": Number(
                lambda **numbers: claimed / most(**numbers),
                given,
                (
                    *slips[:4],
                    Slip("It is the other way round: the claim over the bound.", then=lambda v: 1 / v),
                    Slip("You answer in per cent; the question asks how many times.", then=lambda v: 100 * v),
                    Slip("You subtract the speeds; divide them.", then=lambda v: claimed - claimed / v),
                    Slip(
                        "You give how much more it is; the question asks how many times as much.",
                        then=lambda v: v - 1,
                    ),
                ),
                idea="The claimed speed over the most that is possible.",
                follows=("most", lambda speed: claimed / speed),
            ),
            "why": Choice(
                "no wait",
                {
                    "no warm-up": wrong_way,
                    "mean": f"A mean counts the slow steps in. {wrong_way}",
                    "datasheet": "The bound stands on it, not the measurement; a real memory reaches less.",
                    "long context": f"A longer context adds bytes to read. {wrong_way}",
                },
            ),
        }
    )


@question("08-words", points=4, kind="words", minutes=12, manual=True)
def _words():
    return Words(
        {
            "machine": "names the machine and the day, so that a reader can look for a difference there",
            "method": "says how a step was timed: warm-up, waiting for the device, the median, the spread",
            "bound": "sets the measured time beside a bound from the same machine, with both numbers",
            "limits": "says one thing that does not follow from the record, on another machine or model",
        },
        least=80,
        most=160,
    )
