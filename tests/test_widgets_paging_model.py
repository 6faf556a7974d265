"""Paging's simulation in JavaScript: every frame is kvlib.serving's."""

import dataclasses
import json
import random

import pytest

from kvlib.serving import requests, simulate
from kvlib.widgets.base import STATIC

from .browser import chromium, page  # noqa: F401

STREAMS = 4000


def some_case(rng):
    """A stream, a memory and a block size; at the least the memory holds the longest request and no more."""
    prefix = rng.choice([0, 0, 1, 7, 16, 24])
    stream = requests(
        rng.randrange(1, 14), rng.random(), gap=rng.randrange(4), prompt=(1, rng.randrange(1, 24)),
        new=(1, rng.randrange(1, 24)), prefix_tokens=prefix,
    )  # fmt: skip
    if rng.random() < 0.5:  # in no order of arrival, as where a reader added some
        arrivals = [r.arrival for r in stream]
        rng.shuffle(arrivals)
        stream = [dataclasses.replace(r, arrival=a) for r, a in zip(stream, arrivals, strict=True)]
    size, share = rng.choice([1, 2, 3, 4, 8, 16, 32]), rng.random() < 0.6
    longest = max(r.tokens for r in stream)
    least = size * (-(-longest // size) + -(-prefix // size))
    return stream, rng.randrange(least, 3 * least + 1), size, share, longest + rng.randrange(20)


def in_json(frame):
    """A frame as the script makes it: its one prefix without the name."""
    fields = dataclasses.asdict(frame)
    prefixes = fields.pop("prefixes")
    return json.loads(json.dumps(fields | {"prefix": prefixes[0][1] if prefixes else None}))


@pytest.mark.parametrize("seed", range(4))
def test_every_frame_is_kvlib_s(page, seed):  # noqa: F811
    rng = random.Random(seed)
    page.goto("about:blank")
    page.add_script_tag(content=(STATIC / "paging.model.js").read_text(encoding="utf-8"))
    seen = dict.fromkeys(("preempted", "copied", "shared", "external", "frames"), 0)
    for _ in range(0, STREAMS // 4, 50):
        cases = [some_case(rng) for _ in range(50)]
        points = [
            [[[r.id, r.arrival, r.prompt_tokens, r.new_tokens, r.prefix_tokens] for r in stream], *rest]
            for stream, *rest in cases
        ]
        said = page.evaluate(
            """text => JSON.stringify(JSON.parse(text).map(([rows, slots, size, share, reserve]) => {
                const stream = rows.map(([id, arrival, prompt, more, prefix]) =>
                    ({ id, arrival, prompt, more, prefix }));
                const memories = [paged(stream, slots, size, share)];
                if (slots >= reserve) memories.push(contiguous(slots, reserve));
                return memories.map((memory) => served(stream, memory));
            }))""",
            json.dumps(points),
        )
        for (stream, slots, size, share, reserve), runs in zip(cases, json.loads(said), strict=True):
            expected = [simulate(stream, slots, block_size=size, share_prefix=share)]
            if slots >= reserve:
                expected.append(simulate(stream, slots, "reserved", max_tokens=reserve))
            assert len(runs) == len(expected)
            for frames, run in zip(runs, expected, strict=True):
                assert frames == [in_json(frame) for frame in run.frames], (stream, slots, size, share)
                for frame in run.frames:
                    seen["preempted"] += len(frame.preempted)
                    seen["copied"] += len(frame.copied)
                    seen["shared"] += max(frame.refs, default=0) > 2
                    seen["external"] += frame.external > 0
                    seen["frames"] += 1
    assert seen.pop("frames") > 20_000 and min(seen.values()) > 100, seen
