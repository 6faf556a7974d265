"""Questions of chapter 07, smaller caches.

numbers   bits a number, and which methods make a cache smaller
evidence  a record read, and a promise audited
codec     numbers as four-bit codes, and back
held      the bytes that layers with and without a window hold
ring, positions, buffer   three caches, each with a fault to show and to mend
"""

from . import buffer, codec, evidence, held, numbers, positions, ring

__all__ = ["buffer", "codec", "evidence", "held", "numbers", "positions", "ring"]
