"""What tests share: which of them `make quick` leaves out; Triton's interpreter where there is no GPU."""

import os

import pytest
import torch

# Before anything imports Triton, which reads it then.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# They build transformers' models, load the real one, run notebooks, interpret or compile a GPU's kernels,
# start processes, or ask a package index.
SLOW = {
    "test_census", "test_chapter_8", "test_class", "test_class_actions", "test_exercises", "test_grade",
    "test_grade_attacks", "test_grade_isolation", "test_grade_nbval", "test_graph", "test_kernels_compiled",
    "test_kernels_cuda", "test_mutants", "test_oracle", "test_page_exercises", "test_parameters",
    "test_quality", "test_smollm2",
    "test_cli_figures.py::test_fit",
    "test_configs.py::test_class_defaults_are_those_of_transformers",
    "test_parallel.py::test_the_ranks_give_the_decoders_logits_with_every_cache",
    "test_parallel.py::test_run_gives_the_tokens_of_one_process",
    "test_parallel.py::test_the_real_model_over_three_ranks",
    "test_parallel.py::test_the_ranks_end_with_the_process_that_started_them",
    "test_parallel.py::test_a_rank_that_fails_ends_them_all",
    "test_parallel_context.py::test_the_ranks_give_the_decoders_logits",
    "test_parallel_context.py::test_run_gives_the_tokens_of_one_process",
    "test_parallel_context.py::test_the_real_model_over_two_ranks",
    "test_tiny.py::test_what_was_measured_is_measured_again",
    "test_tiny.py::test_no_story_that_is_shown_or_measured_was_trained_on",
    "test_recordings.py::test_the_model_does_again_what_was_recorded",
    "test_recordings.py::test_the_keys_of_the_model_are_again_those_recorded",
    "test_measure.py::test_bench_runs_what_cuda_would_run_on_a_small_shape",
    "test_class_guide.py::test_the_guides_commands_run_as_written",
    "test_class_guide.py::test_the_guide_leaves_what_it_promises",
    "test_class_parts.py::test_words_wait_for_a_person_and_late_work_loses_its_share",
    "test_class_parts.py::test_each_student_is_marked_with_numbers_of_their_own",
    "test_class_parts.py::test_steps_in_the_wrong_order_say_what_to_do",
    "test_progress.py::test_a_kernel_writes_it_and_nbval_does_not",
}  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if {item.path.stem, f"{item.path.name}::{item.originalname}"} & SLOW:
            item.add_marker(pytest.mark.slow)
