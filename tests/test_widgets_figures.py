"""The formula and the worked example: what the page shows is what kvlib says."""

import random

import pytest

from kvlib import fmt
from kvlib.widgets import Formula, WorkedExample

from .browser import chromium, page, show  # noqa: F401
from .test_widgets_base import kv


def drive(page, w, settings):  # noqa: F811
    """Set each control by its label, in the page, and the same trait in Python."""
    for trait, (label, value) in settings.items():
        setattr(w, trait, value)
        if isinstance(value, str):
            page.get_by_role("combobox", name=label, exact=True).select_option(value)
        else:
            kv(page, label).fill(str(value))


# ---- the formula


def test_the_formula_says_what_python_says(page, tmp_path):  # noqa: F811
    rng = random.Random(5)
    w = Formula()
    show(page, tmp_path, w)
    for _ in range(8):
        drive(
            page,
            w,
            {
                "vectors": ("Kept of each token", rng.choice(["keys and values", "one latent vector"])),
                "n_layers": ("Layers", rng.randrange(1, 257)),
                "batch": ("Batch", rng.randrange(1, 4097)),
                "n_kv_heads": ("KV heads", rng.randrange(1, 257)),
                "context": ("Context", rng.randrange(1, 2**24)),
                "head_dim": ("head_dim", rng.randrange(1, 1025)),
                "dtype": ("Precision", rng.choice(["fp32", "bf16", "fp8", "int4", "q8_0", "q4_0"])),
            },
        )
        assert page.locator(".kv-big").inner_text() == f"{w.nbytes:,} bytes"
        units = [fmt(w.nbytes, unit) for unit in ("KiB", "MiB", "GiB", "GB")]
        assert page.locator(".kv-why").inner_text() == "= " + " = ".join(units)


@pytest.mark.parametrize("factor", ["layers", "batch", "KV heads", "context", "head_dim", "bytes per number"])
def test_doubling_any_factor_doubles_the_cache(page, tmp_path, factor):  # noqa: F811
    w = Formula()
    show(page, tmp_path, w)
    page.get_by_role("button", name=f"× 2: {factor}").press("Enter")
    assert page.locator(".kv-big").inner_text() == f"{2 * w.nbytes:,} bytes"


def test_a_product_of_whole_blocks_is_not_called_the_product(page, tmp_path):  # noqa: F811
    w = Formula(batch=3, n_kv_heads=1, head_dim=80, context=4097, dtype="q4_0")
    show(page, tmp_path, w)
    assert w.nbytes == 2 * 32 * 3 * 4097 * 54  # 80 numbers in three blocks of 18 bytes
    assert page.locator(".kv-product").inner_text().endswith("0.5625, in whole blocks:")
    assert "the 80 of a vector take the room of 96" in page.locator(".kv-body").inner_text()
    assert w.table().rows[-1][0] == "in whole blocks"
    kv(page, "head_dim").fill("96")
    assert page.locator(".kv-product").inner_text() == "2 × 32 × 3 × 1 × 4,097 × 96 × 0.5625 ="
    assert "whole blocks" not in page.locator(".kv-body").inner_text()


def test_the_formula_names_the_shapes(page, tmp_path):  # noqa: F811
    show(page, tmp_path, Formula(n_layers=16, n_kv_heads=8, head_dim=64, batch=2, context=2048))
    assert page.locator(".kv-shapes").inner_text() == (
        "K, V [2, 8, 2048, 64] = [B, H_kv, T, D] in each of 16 layers: "
        "32 tensors of 4 MiB, or 32 KiB per token."
    )


# ---- the worked example


def test_the_worked_example_reaches_its_product(page, tmp_path):  # noqa: F811
    w = WorkedExample(step=1)
    show(page, tmp_path, w)
    for shown in range(1, 8):
        assert page.locator(".kv-steps li").count() == shown
        page.get_by_role("button", name="Next: Step").press("Enter")
    assert page.locator(".kv-steps li").last.inner_text().endswith("2,147,483,648 bytes = 2 GiB = 2.147 GB")


def test_the_worked_chart_answers(page, tmp_path):  # noqa: F811
    w = WorkedExample()
    show(page, tmp_path, w)
    drive(page, w, {"context": ("Context", 6000), "batch": ("Batch", 3), "dtype": ("Precision", "int4")})
    contexts = (512, 1024, 2048, 4096, 6000, 8192)
    rows = page.locator(".kv-bars tr").all_inner_texts()
    said = [fmt(w.bytes_at(n)) + (", chosen" if n == 6000 else "") for n in contexts]
    assert [row.split() for row in rows] == [
        [f"{n:,}", "tokens", *text.split()] for n, text in zip(contexts, said, strict=True)
    ]
    widths = page.locator(".kv-bars .kv-fill").evaluate_all("all => all.map(e => parseFloat(e.style.width))")
    assert widths == pytest.approx([100 * n / 8192 for n in contexts])
