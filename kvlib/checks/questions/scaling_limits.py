"""Questions of chapter 06, scaling limits."""

from ...budget import Budget
from ...hardware import GPU
from ...layouts import CacheLayout, kv_bytes
from ...units import GB, TB, GiB, MiB
from .common import FACTOR_2, QUERY_HEADS, question
from .old import Choice, Each, Function, Number

LLAMA_8B = dict(n_layers=32, n_kv_heads=8, head_dim=128)


@question("06-sum", points=2)
def _sum():
    weights, cache = 14, 7
    return Number.of_bytes(
        weights * GB + cache * GiB,
        "GB",
        {
            "You add GB to GiB as if they were one unit.": (weights + cache) * GB,
            "You turn the GB into GiB's size; the cache is the one to convert.": weights * GiB + cache * GB,
            "You forget the weights.": cache * GiB,
            "You divide to get from GiB to GB; a GiB is the larger unit.": weights * GB
            + cache * GB * GB / GiB,
        },
        idea="Count both in bytes, add, and divide by 10**9.",
    )


@question("06-sequences", points=2)
def _sequences():
    def fit(memory=24 * GiB, weights=6 * GB, utilization=0.9, n_kv_heads=8):
        layout = CacheLayout.uniform(**LLAMA_8B | {"n_kv_heads": n_kv_heads})
        budget = Budget(layout, weights, GPU("given", memory, TB, "the problem"), utilization=utilization)
        return budget.max_sequences(8192)

    return Number(
        fit(),
        {
            "You fill the whole GPU; the engine may use 0.9 of it.": fit(utilization=1.0),
            "You take the weights' GB for GiB.": fit(weights=6 * GiB),
            "You take the GPU's GiB for GB.": fit(memory=24 * GB),
            "You round up: the last sequence fits only in part.": fit() + 1,
            "You forget the weights.": fit(weights=0),
            QUERY_HEADS: fit(n_kv_heads=32),
            FACTOR_2: 2 * fit(),
        },
        idea="Room is 0.9 of the GPU less the weights; how much does one sequence take of it?",
    )


@question("06-fit", points=3)
def _fit():
    def reference(memory, utilization, weights, per_token, context):
        layout = CacheLayout.uniform(1, per_token // 512, 128)
        gpu = GPU("given", memory, TB, "the problem")
        return Budget(layout, weights, gpu, utilization=utilization).room // layout.bytes(context)

    def cases(rng):
        yield 24 * GiB, 0.9, 6 * GB, 128 * 1024, 8192
        yield 24 * GiB, 0.9, 70 * GB, 128 * 1024, 8192
        for _ in range(20):
            memory = rng.choice([16, 24, 48, 80])
            weights = rng.randint(1, memory) * GB
            yield (
                memory * GiB,
                rng.choice([0.8, 0.9, 0.95]),
                weights,
                512 * rng.randint(60, 640),
                rng.randint(500, 9000),
            )

    def raw(m, u, w, p, c):
        return (m * u - w) / (p * c)

    return Function(
        reference,
        cases,
        {
            "It goes below 0 when the weights alone do not fit; no sequence fits then.": lambda *a: int(
                raw(*a) // 1
            ),
            "It gives a fraction of a sequence: round down.": lambda *a: max(0, raw(*a)),
            "It rounds up: a sequence that fits in part does not fit.": lambda *a: max(
                0, int(-(-raw(*a) // 1))
            ),
            "It fills the whole GPU; the engine may use only a share of it.": lambda m, u, *a: reference(
                m, 1.0, *a
            ),
            "It forgets the weights.": lambda m, u, w, *a: reference(m, u, 0, *a),
            "It takes the share of what the weights leave; it is a share of the GPU.": lambda m, u, w, p, c: (
                max(0, int(u * (m - w) // (p * c)))
            ),
            "It gives the tokens that fit; how many sequences are they?": lambda m, u, w, p, c: reference(
                m, u, w, p, 1
            ),
        },
        idea="The room first, then the bytes of one sequence.",
    )


@question("06-step", points=2)
def _step():
    speed, weights, cache, n = 3.35 * TB / 1000, 6 * GB, 512 * MiB, 16  # bytes per millisecond
    one, step = cache / speed, (weights + n * cache) / speed
    said = "You answer in {}; the question asks for ms."

    def units(ms):
        return {said.format("seconds"): ms / 1000, said.format("µs"): ms * 1000}

    return Each(
        {
            "one cache": Number(
                one,
                units(one)
                | {
                    "You take MiB for MB.": 512e6 / speed,
                    "You take 500 MB for 512 MiB, as the claim does.": 500e6 / speed,
                    "That is the claim's figure, a thousand times too large.": 1000 * 500e6 / speed,
                    "You count bits; the bandwidth is in bytes already.": 8 * one,
                    "You turn it round: divide the bytes by the bytes per second.": speed / cache,
                },
                tol=0.005,
                idea="Time is bytes divided by bytes per second.",
            ),
            "whole step": Number(
                step,
                units(step)
                | {
                    "You read the caches alone; a step reads the weights too.": n * one,
                    "You read the weights alone; a step reads every sequence's cache too.": weights / speed,
                    "You read one sequence's cache; the step serves all 16.": (weights + cache) / speed,
                    "You read the weights for each sequence; one reading serves the batch.": n
                    * (weights + cache)
                    / speed,
                    "You take MiB for MB.": (weights + n * 512e6) / speed,
                },
                tol=0.005,
                idea="Add up all that the step reads.",
            ),
        }
    )


@question("06-int4", points=2)
def _int4():
    params = 8 * 10**9
    cache = kv_bytes(**LLAMA_8B, context=32768)
    weights = params * 45 // 80  # 4.5 bits
    return Number.of_bytes(
        weights + cache,
        "GB",
        {
            "You leave out the scales: with them a weight takes 4.5 bits.": params // 2 + cache,
            "You shrink the cache too. It stays bf16 when the weights are int4.": weights + cache * 45 // 160,
            "You keep the weights in 16 bits.": params * 2 + cache,
            "You add GiB to GB as if they were one unit.": weights + cache / GiB * GB,
            "You forget the cache.": weights,
            "You forget the weights.": cache,
            QUERY_HEADS: weights + kv_bytes(**LLAMA_8B | {"n_kv_heads": 32}, context=32768),
            FACTOR_2: weights + cache // 2,
        },
        idea="Weights and cache, both in bytes, then divide by 10**9.",
    )


@question("06-gpus", points=2)
def _gpus():
    weights, gpu = 140 * GB, 80 * GB
    cache = kv_bytes(n_layers=80, n_kv_heads=64, head_dim=128, context=100_000)

    def gpus(nbytes):
        return -(-nbytes // gpu)

    return Number(
        gpus(weights + cache),
        {
            "You round down: the rest needs a GPU too.": (weights + cache) // gpu,
            "You count the cache alone; the weights must be somewhere too.": gpus(cache),
            "You count the weights alone.": gpus(weights),
            "You count the KV heads of the real model. The claim's has 64.": gpus(cache // 8 + weights),
        },
        idea="Add weights and cache, and fill GPUs until nothing is left.",
    )


@question("06-bound", points=3)
def _bound():
    return Each(
        {
            "time of a long prompt's prefill": Choice(
                "compute",
                {
                    "bandwidth": "Prefill works on thousands of tokens for each byte of weights it reads.",
                    "capacity": "Capacity says whether the prompt fits, not how long its arithmetic takes.",
                },
            ),
            "time of a decode step": Choice(
                "bandwidth",
                {
                    "compute": "A step does little arithmetic and reads the weights and the whole cache.",
                    "capacity": "What fits is settled already; the step must read all of it.",
                },
            ),
            "sequences that run at once": Choice(
                "capacity",
                {
                    "compute": "A long context is not a compute problem only: each sequence keeps its cache.",
                    "bandwidth": "Bandwidth makes a step slower; what makes a new sequence wait outside?",
                },
            ),
        }
    )
