"""Questions of chapter 10, production.

figures   latency, requests in flight, and what each rank keeps
servers   a prompt's cache over a link, and the options of `vllm serve` from a budget
logs      what real logs of vLLM say, and the numbers that prove it
programs  a scheduler's step
rollback  what speculative decoding gives back
prefixes  a cache of prefixes as a class
"""

from . import figures, logs, prefixes, programs, rollback, servers

__all__ = ["figures", "logs", "prefixes", "programs", "rollback", "servers"]
