"""A real key, quantised: what the figure shows is what kvlib's quantized cache does with the same numbers."""

import json
import math
import random

import numpy as np
import pytest
import torch

from kvlib import CacheLayout, dtype
from kvlib.cache import make_cache
from kvlib.cache.codes import Codes, quantize
from kvlib.decoder import rotary_tables, rotate
from kvlib.widgets import RealKey
from kvlib.widgets.realkey import BITS, CHANNELS, GROUPS, LEAST, MOST, TOKENS, numbers
from kvlib.widgets.recorded import recording, unpacked

from .browser import chromium, page, show  # noqa: F401
from .drive import drive

RAW = """el => {
    const f = window.asked, data = JSON.parse(f.data), [place, value] = f.moved.split(':');
    const rows = keysOf(data, f.rotated), [t, c] = place.split('.').map(Number);
    if (value !== undefined) rows[t - 1][c] = Number(value);
    return [false, true].map(byChannel => {
        const { of, errors, off, error, scores } = quantized(rows, data, f, byChannel);
        const all = (name) => of.map(row => row.map(group => group[name]));
        const codes = of.map((row, t) => row.map((group, c) =>
            group.codes[group.cells.findIndex(([a, b]) => a === t && b === c)]));
        return { rows, codes, scale: all('scale'), zero: all('zero'), errors, off, error, scores };
    });
}"""
SHOWN = """el => {
    el.querySelector('.kv-data').open = true;
    const text = (s) => [...el.querySelectorAll(s)].map(e => e.textContent);
    return { big: text('.kv-big')[0], why: text('.kv-why')[0], which: text('.kv-rk-which')[0],
        words: text('.kv-body > .kv-small'), maps: text('.kv-rk-two .kv-small'), back: el.querySelector('.kv-body .kv-buttons button').disabled,
        steps: [...el.querySelectorAll('.kv-rk-ruler')].map(s => s.querySelector('.kv-rk-band') ? 0
            : s.querySelector('.kv-rk-steps').getAttribute('d').match(/M/g).length),
        marks: [...el.querySelectorAll('.kv-rk-numbers')].map(p => p.getAttribute('d').match(/M/g).length),
        rows: [...el.querySelectorAll('.kv-data tbody tr')].map(tr => [...tr.cells].map(c => c.textContent)) };
}"""  # noqa: E501


def some_setting(rng):
    token, channel = rng.randint(1, TOKENS), rng.randrange(CHANNELS)
    value = rng.choice((LEAST, MOST, rng.randint(4 * LEAST, 4 * MOST) / 4))
    place = rng.choice((f"{token}.{channel}", f"{rng.randint(1, TOKENS)}.{rng.randrange(CHANNELS)}"))
    return {
        "rotated": rng.random() < 0.5, "bits": rng.choice(BITS), "group": rng.choice(GROUPS), "token": token,
        "channel": channel, "moved": rng.choice(("", f"{place}:{value:g}")),
    }  # fmt: skip


class Expected:
    """What kvlib makes of a setting: of "token" and "channel" codes, scales, zeros [T, D] and errors."""

    def __init__(self, setting):
        recorded = recording("key")
        self.keys = torch.from_numpy(numbers(recorded, setting["rotated"], setting["moved"]))
        query = torch.from_numpy(unpacked(recorded["query"]) / recorded["unit"])
        angles = torch.outer(
            torch.arange(TOKENS).double(),
            recorded["rope_theta"] ** -(torch.arange(0, CHANNELS, 2).double() / CHANNELS),
        )
        cos = torch.cat([angles.cos()] * 2, -1)
        sin = torch.cat([-angles.sin(), angles.sin()], -1)

        def scores(keys):
            turned = keys.double() if setting["rotated"] else rotate(keys.double()[None], cos, sin)[0]
            return turned @ query / math.sqrt(CHANNELS)

        for way in ("token", "channel"):
            size, shape = setting["group"], self.keys.shape
            kind = dict(bits=setting["bits"], group=size, by_channel=way == "channel", device="cpu")
            read = Codes(1, 1, *shape, dtype=torch.float32, **kind).rounded(self.keys[None, None])[0, 0]
            dim = 1 if way == "channel" else 2
            codes, scale, zero = quantize(self.keys.unflatten(dim - 1, (-1, size)), setting["bits"], dim)
            found = {"codes": codes, "scale": scale.float(), "zero": zero.float(), "read": read}
            for name in ("codes", "scale", "zero"):
                found[name] = found[name].expand(codes.shape).reshape(shape)
            found["off"] = scores(read) - scores(self.keys)
            found["error"] = (read - self.keys).double().square().mean().sqrt().item()
            found["scores"] = found["off"].square().mean().sqrt().item()
            setattr(self, way, found)


def test_numbers_codes_scales_and_errors_are_kvlib_s(page):  # noqa: F811
    """Codes, scales, zeros and errors to the last bit; scores, whose sums have another order, within 1e-9."""
    figure, rng = RealKey(), random.Random(1)
    settings = [some_setting(rng) for _ in range(24)]
    drive(page, figure, [], RAW)
    for setting in settings:
        asked = setting | {"data": json.dumps(figure.data)}
        said = page.evaluate(f"asked => {{ window.asked = asked; return ({RAW})(); }}", asked)
        expected = Expected(setting)
        for way, one in zip(("token", "channel"), said, strict=True):
            want = getattr(expected, way)
            assert torch.equal(torch.tensor(one["rows"], dtype=torch.float64), expected.keys.double())
            for name in ("codes", "scale", "zero"):
                assert torch.equal(torch.tensor(one[name], dtype=torch.float64), want[name].double()), name
            errors = torch.tensor(one["errors"], dtype=torch.float64)
            assert torch.equal(errors, want["read"].double() - expected.keys.double())
            off = torch.tensor(one["off"], dtype=torch.float64)
            torch.testing.assert_close(off, want["off"], rtol=0, atol=1e-9)
            # kvlib rounds the differences to float32 before it squares them.
            assert one["error"] == pytest.approx(want["error"], rel=1e-6)
            assert one["scores"] == pytest.approx(want["scores"], abs=1e-9)


def said(x, digits=2):
    return f"{x:.{digits}f}".replace("-", "−")


def test_what_is_shown_is_what_kvlib_computes(page):  # noqa: F811
    rng = random.Random(2)
    settings = [{}, *(some_setting(rng) for _ in range(30))]
    defaults = {"rotated": True, "bits": 4, "group": 32, "token": 21, "channel": 23, "moved": ""}
    shown = drive(page, RealKey(), settings, SHOWN)
    for setting, seen in zip(settings, shown, strict=True):
        setting = defaults = defaults | setting
        want, (t, c) = Expected(setting), (setting["token"] - 1, setting["channel"])
        ways = [want.token, want.channel]
        errors = [f"{way['scores']:.3f}" for way in ways]
        assert seen["big"] == f"Score error: {errors[0]} by token, {errors[1]} by channel"
        nbytes = RealKey(bits=setting["bits"], group=setting["group"]).nbytes
        assert f": {nbytes:,} bytes either way; in fp16 4,096." in seen["why"]
        assert f"channel {c}: {said(want.keys[t, c].item())}" in seen["which"]
        assert seen["back"] == (not setting["moved"])
        for way, words, small in zip(ways, seen["words"], seen["maps"], strict=False):
            assert f"steps of {said(way['scale'][t, c].item(), 3)}, shared by" in words
            assert words.endswith(f"it lands on {said(way['read'][t, c].item())}.")
            assert small == f"A number {way['error']:.4f}, a score {way['scores']:.4f}"
        assert set(seen["steps"]) <= {0, 2 ** setting["bits"]}
        assert seen["marks"] == [2 * setting["group"]] * 2
        if seen is not shown[0]:  # the table is opened by the first reading, and there from the next on
            assert seen["rows"] == table(setting, want, t, c)


def table(setting, want, t, c):
    """The rows of the drawing's table: both groups of the number at t and c."""
    rows, size = [], setting["group"]
    first = c // size * size
    places = [("token", f"channel {first + n}", (t, first + n)) for n in range(size)]
    first = t // size * size
    places += [("channel", f"token {first + n + 1}", (first + n, c)) for n in range(size)]
    for way, name, at in places:
        found, value = getattr(want, way), want.keys[at].item()
        read = found["read"][at].item()
        code = int(found["codes"][at])
        rows.append([name, way, said(value, 4), str(code), said(read, 4), said(read - value, 4)])
    return rows


def test_without_a_script_stands_what_was_measured():
    """The table's numbers are those of kvlib's quantizer on the recorded keys."""
    for rotated in (True, False):
        for group in GROUPS:
            rows = RealKey(rotated=rotated, group=group).table().rows
            expected = []
            for bits in BITS:
                want = Expected({"rotated": rotated, "group": group, "bits": bits, "moved": ""})
                for way in ("token", "channel"):
                    found = getattr(want, way)
                    expected.append(
                        [f"{bits} bits, by {way}", f"{found['error']:.4f}", f"{found['scores']:.4f}"]
                    )
            assert [[row[0], *row[2:]] for row in rows] == expected


@pytest.mark.parametrize("way", ["token", "channel"])
def test_the_bytes_are_those_of_the_cache(way):
    layout = CacheLayout.uniform(1, 1, CHANNELS, n_heads=3)
    keys = torch.from_numpy(numbers(recording("key"), True))[None, None]
    for group in GROUPS:
        for bits in BITS:
            options = dict(codes=f"int{bits}", group=group, keys=way, capacity=TOKENS)
            cache = make_cache("quantized", layout, **options)
            cache.append(TOKENS)
            cache.write(0, keys, keys)
            assert cache.nbytes == 2 * RealKey(bits=bits, group=group).nbytes  # its values, too
            assert cache.nbytes == 2 * dtype(f"int{bits}-g{group}").nbytes(TOKENS * CHANNELS)


def test_after_rotation_the_keys_are_those_that_the_cache_keeps():
    """As kvlib.decoder turns them in float32, and rounded to float16."""
    recorded = recording("key")
    cos, sin = rotary_tables(TOKENS, CHANNELS, recorded["rope_theta"], torch.zeros(1))
    before = torch.from_numpy(numbers(recorded, False))
    turned = rotate(before[None, :, None], cos[None], sin[None])[0, :, 0]
    after = torch.from_numpy(numbers(recorded, True))
    assert (turned - after).abs().max() <= 2**-7  # half a step of float16 at 16
    assert (turned - after).abs().mean() < 3e-4
    assert np.array_equal(before, before.half().float())


def test_a_number_can_be_moved_to_quarters_alone():
    for value in ("21.23:-20", "1.0:12", "32.63:-6.5", "2.9:0", "2.9:11.75", ""):
        assert RealKey(moved=value).moved == value
    for value in ("0.5:1", "33.5:1", "3.64:1", "3.5:12.25", "3.5:-20.25", "3.5:1.1", "3.5", "3.5:1 "):
        with pytest.raises(
            ValueError, match='moved must be a token, a channel and a value like "21.23:-6.5"'
        ):
            RealKey(moved=value)
    with pytest.raises(ValueError, match="recorded lacks 'query'"):
        RealKey({name: x for name, x in recording("key").items() if name != "query"})
    with pytest.raises(ValueError, match=r"recorded\['keys_low'\] must be of shape \[32, 64\], not \[2\]"):
        RealKey(recording("key") | {"keys_low": {"shape": [2]}})


# ---- by hand


def steps(page):  # noqa: F811
    return [float(text.split("steps of ")[1].split(",")[0]) for text in words(page)]


def words(page):  # noqa: F811
    return page.locator(".kv-body > .kv-small").all_inner_texts()[:2]


def test_an_outlier_is_dragged_and_put_back(page, tmp_path):  # noqa: F811
    show(page, tmp_path, RealKey())
    first, box = steps(page), page.get_by_role("slider", name="The number").bounding_box()
    x = lambda value: box["x"] + 8 + (value - LEAST) / (MOST - LEAST) * (box["width"] - 16)  # noqa: E731
    y = box["y"] + box["height"] / 2
    page.mouse.move(x(-14), y)
    page.mouse.down()
    page.mouse.move(x(-18), y, steps=4)
    page.mouse.move(x(0), y, steps=4)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.kv-rk-which').textContent.includes('moved from −13.94')")
    token, channel = steps(page)
    assert token < first[0] / 1.2 and channel > 3 * first[1]
    page.get_by_role("button", name="Put it back").press("Enter")
    assert steps(page) == first


def test_a_number_is_chosen_in_the_map_by_mouse_and_by_touch(chromium, tmp_path):  # noqa: F811
    context = chromium.new_context(has_touch=True, viewport={"width": 360, "height": 740})
    page = show(context.new_page(), tmp_path, RealKey())  # noqa: F811
    keys = page.locator(".kv-rk-map").first
    keys.scroll_into_view_if_needed()
    box = keys.bounding_box()
    place = lambda t, c: (box["x"] + (c + 0.5) * box["width"] / 64, box["y"] + (t - 0.5) * box["height"] / 32)  # noqa: E731
    page.touchscreen.tap(*place(3, 40))
    assert "token 3, “that”, channel 40" in page.locator(".kv-rk-which").inner_text()
    page.mouse.click(*place(32, 0))
    assert "token 32, “.”, channel 0" in page.locator(".kv-rk-which").inner_text()
    context.close()


def test_by_keyboard(page, tmp_path):  # noqa: F811
    show(page, tmp_path, RealKey(channel=5))
    slider = page.get_by_role("slider", name="The number")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext").endswith("token 21, “channels”, channel 5")
    before = steps(page)
    slider.press("End")
    token, channel = steps(page)
    assert token > before[0] and channel > 2 * before[1]
    page.wait_for_function("location.hash.includes('realkey.moved=21.5%3A12')")
    page.get_by_role("slider", name="Token, slider").press("Home")
    assert "token 1, “Each”, channel 5" in page.locator(".kv-rk-which").inner_text()
    assert "moved" not in page.locator(".kv-rk-which").inner_text()


def test_a_link_holds_the_moved_number(page, tmp_path):  # noqa: F811
    link = "#realkey.moved=21.23:-2&realkey.bits=2&realkey.token=21&realkey.channel=23"
    show(page, tmp_path, RealKey(), hash=link)
    assert "channel 23: −2.00, moved from −13.94" in page.locator(".kv-rk-which").inner_text()
    page.evaluate("location.hash = '#realkey.moved=40.1:3'")
    page.wait_for_function("document.querySelector('.kv-notice').textContent.includes('moved “40.1:3” can')")
