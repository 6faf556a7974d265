"""Wrong answers to chapter 08's numbers: bent measurements, shares, logits, a record, an audit, a text."""

BENT = {
    "mean of ten steps, the first included": "too large",
    "clock stopped when the call returns": "too small",
    "median of ten, one interrupted": "right",
    "floor by the datasheet's bandwidth": "too small",
    "floor by a copy, of which only the reading is counted": "too large",
    "cache by the peak of a pass with all logits": "too large",
}
MEAN, RETURNED, MEDIAN, DATASHEET, COPY, PEAK = BENT


def shares(tokens=122_070, share=21.16):
    return {"tokens": tokens, "share": share}


def logits(cache=62.5, every=978.5, times=15.66):
    return {"cache": cache, "all logits": every, "times": times}


def record(floor=24.17, reached=82.36, share=15.03, added=14.82):
    return {"floor": floor, "reached": reached, "cache share": share, "added": added}


def audit(floor=5.282, most=189.3, times=6.338, why="no wait"):
    return {"floor": floor, "most": most, "times": times, "why": why}


ROWS = dict.fromkeys(("machine", "method", "bound", "limits"), True)

WRONG = [
    ("08-rules", BENT | {MEAN: "too small"}, "a mean counts it in", 2.5),
    ("08-rules", BENT | {MEAN: "right"}, "The first step pays for what later ones find ready", 2.5),
    ("08-rules", BENT | {RETURNED: "too large"}, "goes on after the call has returned", 2.5),
    ("08-rules", BENT | {RETURNED: "right"}, "A GPU takes its work", 2.5),
    ("08-rules", BENT | {MEDIAN: "too large"}, "the middle one stays where it was", 2.5),
    ("08-rules", BENT | {DATASHEET: "too large"}, "more than memory reaches", 2.5),
    ("08-rules", BENT | {DATASHEET: "right"}, "The datasheet's peak", 2.5),
    ("08-rules", BENT | {COPY: "too small"}, "A copy also writes as many bytes", 2.5),
    ("08-rules", BENT | {COPY: "right"}, "Its bandwidth comes out too small", 2.5),
    ("08-rules", BENT | {PEAK: "right"}, "tokens × vocabulary numbers", 2.5),
    ("08-rules", BENT | {PEAK: "too big"}, "Answer with one of", 2.5),
    ("08-rules", list(BENT.values()), "Give a dict with the keys"),
    ("08-share", shares(244_141), "you take the weights' dtype for the cache's", 1),
    ("08-share", shares(61_035), "You take fp32's 4 bytes for the cache", 1),
    ("08-share", shares(131_072), "You take 2³⁰ for a billion", 1),
    ("08-share", shares(15_259), "You count the bits of a token", 1),
    ("08-share", shares(113_687), None, 1),
    ("08-share", shares(share=34.9), "You take fp32's 4 bytes for the cache", 1),
    ("08-share", shares(share=2.68), None, 1),
    ("08-share", shares(3_906_250), "You count one layer", 1),
    ("08-share", shares(488_281), "You count one KV head", 1),
    ("08-share", shares(976_562), "You count bits", 1),
    ("08-share", shares(8.19e-6), "the wrong way round", 1),
    ("08-share", shares(122.07), "You answer in thousands of tokens", 1),
    ("08-share", shares(share=26.84), "You divide by the weights", 1),
    ("08-share", shares(share=78.84), "You give the weights' share", 1),
    ("08-share", shares(share=11.83), "The cache comes out half as large", 1),
    ("08-share", shares(share=0.2116), "You answer in a fraction", 1),
    ("08-share", shares(share=0.832), "You count one layer", 1),
    ("08-share", shares(share=6.29), "You count one KV head", 1),
    ("08-share", shares(share="21.2 GB"), "Give the number in %", 1),
    ("08-logits", logits(cache=31.25), "Half of it is missing", 2),
    ("08-logits", logits(cache=3.906), "You count one layer", 2),
    ("08-logits", logits(cache=7.8125), "You count one KV head", 2),
    ("08-logits", logits(cache=125), "the cache is fp16", 2),
    ("08-logits", logits(cache=500), "You count bits", 2),
    ("08-logits", logits(cache=65.536), "You answer in MB", 2),
    ("08-logits", logits(cache=0.03125), "You count one token", 2),
    ("08-logits", logits(cache=978.5), "You give the logits of all positions", 2),
    ("08-logits", logits(every=489.3, times=7.83), "You take 2 bytes per logit", 2),  # and divides on
    ("08-logits", logits(every=244.6), "You count logits, not their bytes", 2),
    ("08-logits", logits(every=0.48926), "You count the last position's", 2),
    ("08-logits", logits(every=15_656), "in each layer", 2),
    ("08-logits", logits(every=15.26), "tokens × tokens, which are scores", 2),
    ("08-logits", logits(every=1026.05), "You answer in MB", 2),
    ("08-logits", logits(every=0.9556), "You answer in GiB", 2),
    ("08-logits", logits(every=700), None, 2),
    ("08-logits", logits(times=0.0639), "the other way round", 2),
    ("08-logits", logits(times=7.83), "You take 2 bytes per logit", 2),
    ("08-logits", logits(times=16.66), "You divide logits and cache by the cache", 2),
    ("08-logits", logits(times=250.5), "You count one layer", 2),
    ("08-logits", logits(times=1566), "You answer in per cent", 2),
    ("08-logits", logits(every=7828), "You count bits", 2),
    ("08-logits", logits(times=16), "Nearly: give three digits", 2),
    ("08-record", record(floor=20.54), "You leave out the cache", 3),
    ("08-record", record(floor=3.634), "You leave out the weights", 3),
    ("08-record", record(floor=0.02417), "You answer in s;", 3),
    ("08-record", record(floor=24_170), "You answer in µs", 3),
    ("08-record", record(floor=41.37), "the wrong way round", 3),
    ("08-record", record(floor=48.35), "You count the bytes twice", 3),
    ("08-record", record(floor=193.4), "You take bits for bytes", 3),
    ("08-record", record(floor=29.35), "You give what was measured", 3),
    ("08-record", record(floor=45.67), "You take the peak", 3),
    ("08-record", record(reached=121.4), "the wrong way round", 3),
    ("08-record", record(reached=0.8236), "You answer in a fraction", 3),
    ("08-record", record(reached=17.64), "You give what is missing to 100 %", 3),
    ("08-record", record(reached=21.42), "by how much the step is longer", 3),
    ("08-record", record(reached=69.98), "You leave out the cache", 3),
    ("08-record", record(reached=89), "You read the row at 128 tokens", 3),
    ("08-record", record(floor=2.417), None, 3),
    ("08-record", record(added=88.5), "You give the bytes that are added", 3),
    ("08-record", record(share=17.69), "You divide by the weights", 3),
    ("08-record", record(share=84.97), "You give the weights' share", 3),
    ("08-record", record(share=7.956), "You divide by the peak", 3),
    ("08-record", record(share=1.235), "You read the row at 128 tokens", 3),
    ("08-record", record(added=3.244), "You divide the whole cache", 3),
    ("08-record", record(added=21.58), "all that the step reads by all its time", 3),
    ("08-record", record(added=3.014), "You divide by the whole time", 3),
    ("08-record", record(added=14_820), "You answer in MB/s", 3),
    ("08-record", record(added=13.80), "You answer in GiB/s", 3),
    ("08-record", record(added=0.0675), "the wrong way round", 3),
    ("08-record", record(added=26.2), "You give the copy's bandwidth", 3),
    ("08-audit", audit(floor=4.0), "You leave out the cache", 3),
    ("08-audit", audit(floor=1.282), "You leave out the weights", 3),
    ("08-audit", audit(floor=3.282, most=304.7, times=3.938), "You count one byte per weight", 3),  # and on
    ("08-audit", audit(floor=4.804), "You take 2⁴⁰ bytes for a TB", 3),
    ("08-audit", audit(floor=0.005282), "You answer in s;", 3),
    ("08-audit", audit(floor=42.26), "You take bits for bytes", 3),
    ("08-audit", audit(floor=0.833), "You give the time at the claimed speed", 3),
    ("08-audit", audit(floor=4.641), "the keys or the values of the cache, not both", 3),
    ("08-audit", audit(floor=9.282), "You take fp32's 4 bytes per weight", 3),
    ("08-audit", audit(times=633.8), "You answer in per cent", 3),
    ("08-audit", audit(times=1010.7), "You subtract the speeds", 3),
    ("08-audit", audit(floor=3.0), None, 3),
    ("08-audit", audit(most=250), "You leave out the cache", 3),
    ("08-audit", audit(most=0.1893), "a second has 1,000", 3),
    ("08-audit", audit(most=0.005282), "You give seconds per token", 3),
    ("08-audit", audit(most=1200), "what the post claims", 3),
    ("08-audit", audit(times=0.1578), "the claim over the bound", 3),
    ("08-audit", audit(times=5.338), "how many times as much", 3),
    ("08-audit", audit(times=4.8), "You leave out the cache", 3),
    ("08-audit", audit(why="mean"), "A mean counts the slow steps in", 3),
    ("08-audit", audit(why="no warm-up"), "makes the time of a step longer", 3),
    ("08-audit", audit(why="datasheet"), "The bound stands on it", 3),
    ("08-audit", audit(why="long context"), "adds bytes to read", 3),
    ("08-audit", audit(why="the GPU was fast"), "Answer with one of", 3),
    ("08-words", "It took 23 ms.", "Your text has 4 words; write 80 to 160"),
    ("08-words", {"text": "word " * 300} | ROWS, "write 80 to 160"),
    ("08-words", {"text": "word " * 100}, "Read your text against these"),
    ("08-words", {"text": "word " * 100} | ROWS | {"bound": "yes"}, "a bound from the same machine"),
    ("08-words", {"text": "word " * 100} | ROWS | {"limits": False}, "does not follow from the record", 3),
    ("08-words", 5, "Give a dict"),
]

RIGHT = [
    ("08-rules", {name: word.title() for name, word in BENT.items()}),
    ("08-share", shares("122,000", "21.2 %")),
    ("08-share", shares(122_070.3125, 21.162720951250357)),
    ("08-logits", logits("62.5 MiB", 979, 15.7)),
    ("08-record", record("24.2 ms", 82.4, "15%", 14.8)),
    ("08-audit", audit("5.28", 189, 6.34, "No wait")),
    ("08-words", {"text": "word " * 80} | ROWS),
]
