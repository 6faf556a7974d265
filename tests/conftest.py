"""What tests share: which of them `make quick` leaves out; Triton's interpreter where there is no GPU."""

import os

import pytest
import torch

# Before anything imports Triton, which reads it then.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# They build transformers' models, load the real one, run notebooks, or ask a package index.
SLOW = {
    "test_exercises", "test_mutants", "test_oracle", "test_parameters", "test_quality", "test_smollm2",
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
