"""Batching's server in JavaScript: every step and every token's time is kvlib.serving's, to the last bit."""

import dataclasses
import json
import random

import pytest

from kvlib import configs
from kvlib.budget import Arithmetic, Budget
from kvlib.serving import Arrival, Costs, serve
from kvlib.serving.batching import POLICIES
from kvlib.widgets.base import STATIC, dtypes
from kvlib.widgets.batching import facts

from .batching_words import pieces
from .browser import chromium, page  # noqa: F401

STREAMS = 3000
# One of full layers, one of windows among them; on cards that are bound at different places.
MACHINES = [("llama-3.1-8b", "H100", "bf16"), ("gemma-3-27b", "H200", "fp8"), ("qwen-2.5-7b", "L4", "q8_0")]


def machine(name, gpu, dtype):
    layout, counted = dataclasses.replace(configs.layout(name), max_context=None), configs.parameters(name)
    budget = Budget(layout, counted.total, gpu, dtype=dtype, weights_read_bytes=counted.read)
    return Costs(budget, Arithmetic(layout, counted.read, counted.embedding))


def some_case(rng, costs):
    """A stream with ties and cached prefixes; sometimes little more room than the longest takes."""
    longest, budgets = rng.choice([(30, (1, 3, 20)), (200, (20, 64)), (4000, (256, 512, 8192))])
    stream, at = [], rng.random()
    for _ in range(rng.randrange(1, 13)):
        at += rng.choice([0, 0, 0.001, 0.05, 1]) * rng.random()
        prompt = rng.randrange(1, longest)
        stream.append(Arrival(at, prompt, rng.randrange(1, 13), rng.choice([0, 0, rng.randrange(prompt)])))
    rng.shuffle(stream)
    if rng.random() < 0.3:
        need = max(costs.budget.cache_bytes(r.tokens) for r in stream)
        spare = max(0, costs.budget.room - need - rng.randrange(need))
        tight = dataclasses.replace(costs.budget, overhead_bytes=costs.budget.overhead_bytes + spare)
        costs = dataclasses.replace(costs, budget=tight)
    options = {"max_sequences": rng.choice([1, 2, 5, 256]), "token_budget": rng.choice(budgets)}
    return stream, costs, rng.choice(POLICIES), options


def in_json(line):
    """A Timeline as the script makes it."""
    served = [{"request": dataclasses.asdict(s.request), "times": s.times} for s in line.served]
    made = {"policy": line.policy, "served": served, "steps": [dataclasses.asdict(s) for s in line.steps]}
    return json.loads(json.dumps(made))


@pytest.mark.parametrize("seed", range(3))
def test_every_step_is_kvlib_s(page, seed):  # noqa: F811
    rng, costs = random.Random(seed), machine(*MACHINES[seed])
    page.goto("about:blank")
    for name in ("maths.js", "batching.model.js"):
        page.add_script_tag(content=(STATIC / name).read_text(encoding="utf-8"))
    seen = dict.fromkeys(("paused", "waits for room", "computes longer", "reads longer", "steps"), 0)
    for _ in range(0, STREAMS // 3, 50):
        cases = [some_case(rng, costs) for _ in range(50)]
        points = [
            [[dataclasses.asdict(r) for r in stream], facts(c), policy, options]
            for stream, c, policy, options in cases
        ]
        said = page.evaluate(
            """([text, dtypes]) => JSON.stringify(JSON.parse(text).map(([stream, facts, policy, options]) => {
                const costs = costsOf(facts, dtypes[facts.dtype]);
                const run = serve(stream, costs, policy, options), sum = (a, [, n]) => a + costs.bytes(n);
                const held = run.steps.map((step) => step.inside.reduce(sum, 0));
                return [run, summary(run), held, lives(run).all];
            }))""",
            [json.dumps(points), dtypes([MACHINES[seed][2]])],
        )
        for (stream, c, policy, options), (run, summary, held, lives) in zip(
            cases, json.loads(said), strict=True
        ):
            line = serve(stream, c, policy, **options)
            assert run == in_json(line), (stream, policy, options)
            assert summary == line.summary()
            per = [sum(c.budget.cache_bytes(n) for _, n in step.inside if n) for step in line.steps]
            assert held == per
            lived = [[p["kind"], r, p["from"], p["to"]] for r, life in enumerate(lives) for p in life]
            assert lived == [list(piece) for piece in pieces(line)], (stream, policy, options)
            for step in line.steps:
                busy = {r for r, _ in step.prompts} | {*step.decoding}
                seen["paused"] += any(r not in busy for r, _ in step.inside)
                seen["computes longer"] += step.computing > step.reading
                seen["reads longer"] += step.computing < step.reading
            seen["waits for room"] += c is not costs
            seen["steps"] += len(line.steps)
    assert seen.pop("steps") > 10_000 and min(seen.values()) > 100, seen
