"""Questions of chapter 07, smaller caches.

numbers   bits, methods, a record and a claim
codec     numbers as four-bit codes, and back
held      the bytes that layers with and without a window hold
ring, positions, buffer   three caches, each with a fault to show and to mend
"""

from . import buffer, codec, held, numbers, positions, ring

__all__ = ["buffer", "codec", "held", "numbers", "positions", "ring"]
