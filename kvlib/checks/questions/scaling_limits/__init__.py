"""Questions of chapter 06, scaling limits."""

from . import functions, logs, numbers

__all__ = ["functions", "logs", "numbers"]
