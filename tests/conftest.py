"""What every test shares: which tests `make quick` leaves out."""

import pytest

# They build transformers' models, load the real one, run notebooks, or ask a package index.
SLOW = {
    "test_census", "test_exercises", "test_mutants", "test_oracle", "test_parameters", "test_quality",
    "test_smollm2",
    "test_cli_figures.py::test_fit",
    "test_configs.py::test_class_defaults_are_those_of_transformers",
    "test_measure.py::test_bench_runs_what_cuda_would_run_on_a_small_shape",
}  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if {item.path.stem, f"{item.path.name}::{item.originalname}"} & SLOW:
            item.add_marker(pytest.mark.slow)
