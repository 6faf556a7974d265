"""A stream of requests: who arrives when, with how long a prompt, asking for how much more."""

import random
from dataclasses import dataclass

from ..units import whole_number


@dataclass(frozen=True)
class Request:
    """One request: it arrives at step `arrival` with a prompt and asks for `new_tokens` more.

    prefix         name of the system prompt its prompt begins with (None: none)
    prefix_tokens  tokens of that system prompt, at most prompt_tokens

    Raises ValueError for a count out of range, and for a prefix without a name or longer than the prompt.
    """

    id: int
    arrival: int
    prompt_tokens: int
    new_tokens: int
    prefix: str | None = None
    prefix_tokens: int = 0

    def __post_init__(self):
        whole_number("id", self.id, 0)
        whole_number("arrival", self.arrival, 0)
        whole_number("prompt_tokens", self.prompt_tokens)
        whole_number("new_tokens", self.new_tokens)
        if self.prefix is None and self.prefix_tokens:
            raise ValueError("prefix_tokens needs the prefix's name in prefix")
        if self.prefix is not None and whole_number("prefix_tokens", self.prefix_tokens) > self.prompt_tokens:
            raise ValueError(
                f"prefix_tokens must be at most prompt_tokens ({self.prompt_tokens}), "
                f"not {self.prefix_tokens}"
            )

    @property
    def tokens(self) -> int:
        """Tokens held when the request is done: its prompt and every new one."""
        return self.prompt_tokens + self.new_tokens


def requests(n, seed=0, *, gap=2, prompt=(8, 40), new=(4, 56), prefix_tokens=0) -> tuple[Request, ...]:
    """A stream of `n` requests, the same for the same seed everywhere.

    Up to 2 × `gap` steps pass between two arrivals. Lengths are drawn from the inclusive ranges
    `prompt` and `new`, each the smaller of two draws: most are short and a few are long, as in
    real traffic. With `prefix_tokens`, every prompt begins with the same system prompt of that
    length. Raises ValueError for a count out of range, or a range whose least is above its most.
    """
    n, gap = whole_number("n", n), whole_number("gap", gap, 0)
    prefix_tokens = whole_number("prefix_tokens", prefix_tokens, 0)
    for argument, (low, high) in (("prompt", prompt), ("new", new)):
        if whole_number(argument, low) > whole_number(argument, high):
            raise ValueError(f"{argument} must be (least, most), not {(low, high)!r}")
    draw = random.Random(seed).randint
    arrival, stream = 0, []
    for i in range(n):
        own, made = (min(draw(*span), draw(*span)) for span in (prompt, new))
        name = "system" if prefix_tokens else None
        stream.append(Request(i, arrival, prefix_tokens + own, made, name, prefix_tokens))
        arrival += draw(0, 2 * gap)
    return tuple(stream)
