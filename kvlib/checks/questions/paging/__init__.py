"""Questions of chapter 05, paging."""

from . import allocator, bugs, numbers, owners, slots

__all__ = ["allocator", "bugs", "numbers", "owners", "slots"]
