"""pytest --nbval here checks a reader's answers, not whether a notebook prints what was saved in it."""

from kvlib.checks.grading.plugin import pytest_collect_file

__all__ = ["pytest_collect_file"]
