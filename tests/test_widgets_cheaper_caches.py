"""Cheaper caches: bytes as kvlib counts them, perplexity as the record has it, and no figure without one."""

import json
import random
from pathlib import Path

import pytest

from kvlib import fmt
from kvlib.configs import layout
from kvlib.widgets import CheaperCaches
from kvlib.widgets.cheaper_caches import ABOUT, WAYS

from .browser import chromium, page, show  # noqa: F401
from .drive import drive
from .quality_record import WHOLE, record


def test_the_page_s_bytes_are_kvlib_s(page):  # noqa: F811
    w = CheaperCaches(record())
    rng = random.Random(1)
    points = [
        {
            "context": rng.randrange(1, 2 ** rng.randrange(1, 21)),
            **{k: rng.choice(v) for k, v in w.choices.items()},
        }
        for _ in range(200)
    ]
    read = """el => [...el.querySelectorAll(".kv-savings tbody tr")]
        .map(r => [...r.children].map(c => c.textContent))"""
    perplexities = {(way, p["name"]): p["perplexity"] for way in WAYS for p in w.data["points"][way]}
    for point, rows in zip(points, drive(page, w, points, read), strict=True):
        w.set_state(point)
        for way, row in zip(WAYS, rows, strict=True):
            assert row[0] == f"{way}: {point[way]}"
            assert row[1] == fmt(w.nbytes[way])
            whole = w.context * layout("smollm2-135m").bytes_per_token()
            share = 100 * w.nbytes[way] / whole
            assert abs(float(row[2].removesuffix(" %")) - share) <= 0.05
            assert row[3] == f"{perplexities[way, point[way]]:.2f}"


def test_what_each_way_keeps():
    w = CheaperCaches(
        record(), context=1000, precision="int8", window="last 64 and the first 4", rank="96 of 192"
    )
    assert w.nbytes == {"precision": 14_400_000, "window": 68 * WHOLE, "rank": 1000 * WHOLE // 2}
    w.context = 60  # shorter than the window
    assert w.nbytes["window"] == 60 * WHOLE
    w.window = "all tokens"
    assert w.nbytes["window"] == 60 * WHOLE


def test_the_book_s_own_record_is_drawn():
    w = CheaperCaches(Path(__file__).parents[1] / "book" / "measurements" / "quality.json")
    kept = {p["name"]: p["bytes"] for p in w.data["points"]["precision"]}
    assert kept["bf16"] == WHOLE and w.data["full"]["rank"]["bytes"] == WHOLE


def test_the_record_can_be_a_file(tmp_path):
    file = tmp_path / "quality.json"
    file.write_text(json.dumps(record()), encoding="utf-8")
    assert CheaperCaches(file).data == CheaperCaches(record()).data


def test_the_page_says_where_the_figures_come_from(page, tmp_path):  # noqa: F811
    show(page, tmp_path, CheaperCaches(record()))
    lead = page.locator(".kv-lead").inner_text()
    assert "perplexity of a text of 2,000 tokens (for ranks, of its last 1,000)" in lead
    assert "measured on an imagined machine, 2000-01-01" in lead
    assert page.locator(".kv-point").count() == 6 + 7 + 6 + 3  # and the key's three
    page.get_by_label("Precision").select_option("int2")
    row = page.locator(".kv-savings tbody tr").nth(0).inner_text()
    assert row.split("\t") == ["precision: int2", "22.5 MiB", "25.0 %", "90.00", "20.00", "+350.0 %"]
    page.get_by_label("Rank").select_option("96 of 192")
    row = page.locator(".kv-savings tbody tr").nth(2).inner_text()
    assert row.split("\t") == ["rank: 96 of 192", "45 MiB", "50.0 %", "24.00", "24.00", "the same"]


def test_a_context_beyond_the_text_that_was_measured_is_said(page):  # noqa: F811
    w = CheaperCaches(record())
    said = drive(
        page, w, [{"context": 2000}, {"context": 2001}], 'el => el.querySelector(".kv-apart").textContent'
    )
    assert (
        said[0] == "" and "the perplexity was measured on 2,000, and says nothing of a longer text" in said[1]
    )


@pytest.mark.parametrize("field", [*ABOUT, *WAYS])
def test_a_record_that_lacks_a_field_is_refused_by_its_name(field):
    lacking = record()
    del lacking[field]
    with pytest.raises(ValueError, match=f"record lacks '{field}'"):
        CheaperCaches(lacking)


@pytest.mark.parametrize(("way", "field"), [(way, field) for way, fields in WAYS.items() for field in fields])
def test_a_row_that_lacks_a_field_is_refused_by_its_name(way, field):
    lacking = record()
    del lacking[way][1][field]
    with pytest.raises(ValueError, match=rf"record\['{way}'\]\[1\] lacks '{field}'"):
        CheaperCaches(lacking)


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"rank": []}, {}, r"record\['rank'\] must have at least one row"),
        ({"rank": [{"rank": 8, "perplexity": 0.5}]}, {}, "perplexity'] must be at least 1"),
        (
            {"rank": [{"rank": 8, "perplexity": 9.5}]},
            {},
            "'rank'] lacks the full cache: a row whose 'rank' is 192",
        ),
        ({"window": [{"window": 8, "sinks": 0, "perplexity": 9.5}]}, {}, "'window'] lacks the full cache"),
        ({"model": "nonesuch"}, {}, "unknown model 'nonesuch'"),
        ({}, {"precision": "int3"}, "unknown precision 'int3'"),
        ({}, {"context": 0}, "context must be"),
    ],
)
def test_bad_input_is_refused_by_name(change, arguments, words):
    with pytest.raises(ValueError, match=words):
        CheaperCaches({**record(), **change}, **arguments)
