"""Loops over a cache's memory on a CPU, compiled by Numba: a new token is stored, and reads what it sees.

memory    where keys and values lie
reading   attention of one new token a sequence
storing   rotary embedding, storing, and the norm and gate around them
tiles     attention's loops over tokens
codes     packed codes to numbers and back
lanes     vectors of float32
"""

from .memory import Packed, Paged, Plain
from .reading import attend, attend_token, prepare
from .storing import place, rms_norm, silu_mul

__all__ = ["Packed", "Paged", "Plain", "attend", "attend_token", "place", "prepare", "rms_norm", "silu_mul"]
