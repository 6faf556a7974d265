"""Questions of chapter 01, why a cache.

counts  tokens projected, keys held, scores filled
turns   tokens projected in a conversation
steps   a step of attention with a cache, in NumPy
rotary  the same with rotary positions and a window
"""

from . import counts, rotary, steps, turns

__all__ = ["counts", "rotary", "steps", "turns"]
