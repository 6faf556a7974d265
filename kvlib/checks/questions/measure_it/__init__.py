"""Questions of chapter 08, measure it.

numbers  which way a mistake bends a measurement; equal shares; logits beside a cache
record   a record read, a claim audited, a measurement described
timing   steps timed: their median and spread
line     the line through steps of growing contexts
memory   the most that was in use at one time
sealed   a prediction, sealed before it is measured
"""

from . import line, memory, numbers, record, sealed, timing

__all__ = ["line", "memory", "numbers", "record", "sealed", "timing"]
