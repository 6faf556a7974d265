"""kvlib: the bytes of a KV cache, how they are stored, and a real model to check them on.

What needs torch is imported when it is first used, so `import kvlib` stays quick.
"""

from .layout import CacheLayout, ContextWarning, LayerKV, kv_bytes
from .units import GB, KiB, GiB, MB, MiB, TB, TiB, dtype, fmt, fmt_seconds, kB

__version__ = "0.1.0"
