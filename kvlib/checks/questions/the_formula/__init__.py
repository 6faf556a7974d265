"""Questions of chapter 02, the formula.

factors  the formula multiplied out, and drawn from memory
claims   numbers predicted, and others' numbers audited
"""

from . import claims, factors

__all__ = ["claims", "factors"]
