"""Questions of chapter 03, the 7B example.

sizes    the example's numbers, changed one by one and several at once
mixed    what layers keep, some with a window and some without
longest  how long a context fits into them
"""

from . import longest, mixed, sizes

__all__ = ["longest", "mixed", "sizes"]
