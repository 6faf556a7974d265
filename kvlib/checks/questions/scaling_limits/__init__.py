"""Questions of chapter 06, scaling limits."""

from . import fits, functions, logs, numbers

__all__ = ["fits", "functions", "logs", "numbers"]
