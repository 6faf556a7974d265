"""Questions of chapter 02, the formula.

factors    the formula multiplied out, and drawn from memory
claims     numbers predicted, and others' numbers audited
forgotten  the factor that somebody left out
"""

from . import claims, factors, forgotten

__all__ = ["claims", "factors", "forgotten"]
