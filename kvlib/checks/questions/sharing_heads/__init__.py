"""Questions of chapter 04, sharing heads."""

from . import attention, config, numbers

__all__ = ["attention", "config", "numbers"]
