"""How maths.js rounds and turns the numbers of a cache: as kvlib does, to the last bit, in Chromium."""

import json
import random

import pytest
import torch

from kvlib.cache.codes import quantize
from kvlib.widgets.base import STATIC

from .browser import chromium, page  # noqa: F401


@pytest.fixture
def js(page):  # noqa: F811
    """js(code, argument): a function body in which the script's own functions can be called."""
    page.goto("about:blank")
    page.add_script_tag(content=(STATIC / "maths.js").read_text(encoding="utf-8"))
    return lambda code, argument: json.loads(
        page.evaluate(f"text => {{ const given = JSON.parse(text); {code} }}", json.dumps(argument))
    )


def some_group(rng):
    kind = rng.randrange(5)
    if kind == 0:  # codes that fall between two
        step = 2.0 ** rng.randrange(-6, 3)
        return [rng.randrange(-30, 31) * step / 2 for _ in range(16)]
    if kind == 1:
        return [rng.choice([0.0, 1.5, -3e-7])] * 16
    size = 10 ** rng.uniform(-6, 3)
    return [rng.gauss(0, 1) * size + (40 * size if kind == 2 and i == 3 else 0) for i in range(16)]


def test_codes_scales_and_zeros_are_kvlib_s(js):
    rng = random.Random(1)
    points = [[some_group(rng), bits] for _ in range(3000) for bits in (8, 4, 2)]
    said = js(
        """return JSON.stringify(given.map(([numbers, bits]) => {
            const { codes, scale, zero } = quantize(Float64Array.from(numbers), bits);
            return [codes, scale, zero];
        }));""",
        points,
    )
    for bits in (8, 4, 2):
        mine = [(numbers, one) for (numbers, b), one in zip(points, said, strict=True) if b == bits]
        x = torch.tensor([numbers for numbers, _ in mine], dtype=torch.float64)
        codes, scale, zero = quantize(x, bits, -1)
        assert codes.tolist() == [one[0] for _, one in mine]
        assert scale.double().flatten().tolist() == [one[1] for _, one in mine]
        assert zero.double().flatten().tolist() == [one[2] for _, one in mine]


def test_half_is_torch_s_float16(js):
    rng = random.Random(2)
    points = [rng.choice([-1, 1]) * 2 ** rng.uniform(-28, 15) for _ in range(20_000)]
    points += [n * 2.0**-25 for n in range(64)] + [1 + n * 2.0**-12 for n in range(64)] + [0.0, -0.0]
    points += [2.0**e * (1 - 2.0**-24) for e in range(-20, 15)]
    said = js("return JSON.stringify(given.map(half));", points)
    assert said == torch.tensor(points, dtype=torch.float64).half().double().tolist()


def test_a_vector_is_turned_as_the_decoder_turns_it(js):
    """In float64 both; sines of two libraries may differ in their last bit."""
    from kvlib.decoder import rotate

    rng, points = random.Random(3), []
    for _ in range(300):
        D, heads = rng.choice((16, 64)), rng.choice((1, 3))
        points.append(
            [[rng.gauss(0, 3) for _ in range(D * heads)], rng.randrange(4000), D, rng.choice((1e4, 1e5))]
        )
    said = js(
        """return JSON.stringify(given.map(([x, position, head_dim, rope_theta]) => {
            rotate(x, position, { head_dim, rope_theta });
            return x;
        }));""",
        points,
    )
    for (x, position, D, theta), turned in zip(points, said, strict=True):
        angles = position / theta ** (torch.arange(0, D, 2, dtype=torch.float64) / D)
        cos, sin = torch.cat([angles.cos()] * 2), torch.cat([-angles.sin(), angles.sin()])
        expected = rotate(torch.tensor(x, dtype=torch.float64).view(1, 1, -1, D), cos, sin)
        torch.testing.assert_close(
            torch.tensor(turned, dtype=torch.float64), expected.flatten(), rtol=0, atol=1e-9
        )
