"""A race: one model writes the same text without a cache and with one, each against its own clock."""

import time
from dataclasses import dataclass, field

import torch

from ..generate import choose
from ..units import whole_number

WARM = 3  # tokens that each lane writes before the start: compiling, capturing, first calls


@dataclass
class Lane:
    """One of the two: what it has written so far, and when.

    tokens   the new tokens
    text     the same, as text
    seconds  when each token was there, counted from the lane's own start
    """

    name: str
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    seconds: list[float] = field(default_factory=list)

    @property
    def clock(self) -> float:
        """Seconds that the lane has worked."""
        return self.seconds[-1] if self.seconds else 0.0


def race(lm, prompt, new_tokens=64, on_token=None) -> list[Lane]:
    """Continue `prompt` by `new_tokens` twice, without a cache and with one; a `Lane` each, in that order.

    on_token  called with both lanes after every token

    The lane whose clock is behind writes the next token, and only its own work moves its clock. So
    both can be watched while they write, and neither takes time from the other. Each writes the
    likeliest token, beyond an end of text too.
    Raises ValueError for an empty prompt, a count below 1 or more tokens than the model can see.
    """
    whole_number("new_tokens", new_tokens)
    prompt_tokens = lm.encode([prompt])[0]
    longest = lm.decoder.max_context - prompt_tokens.shape[1]
    if new_tokens > longest:
        raise ValueError(f"new_tokens must be at most {longest} after this prompt, not {new_tokens}")
    lanes = [Lane("without a cache"), Lane("with a cache")]
    cache = lm.make_cache(capacity=prompt_tokens.shape[1] + new_tokens)
    lm.decoder.prepare(cache)
    for kept in (None, cache):
        for _ in _steps(lm.decoder, prompt_tokens, min(WARM, new_tokens), kept):
            pass
    cache.clear()  # it keeps what was captured over its memory
    runs = [_steps(lm.decoder, prompt_tokens, new_tokens, kept) for kept in (None, cache)]
    for _ in range(2 * new_tokens):
        behind = min(
            (i for i, lane in enumerate(lanes) if len(lane.tokens) < new_tokens), key=lambda i: lanes[i].clock
        )
        lane, (token, took) = lanes[behind], next(runs[behind])
        lane.tokens.append(token)
        lane.seconds.append(lane.clock + took)
        # A character of several tokens is shown when it is whole.
        lane.text = lm.tokenizer.decode(lane.tokens).rstrip("\N{REPLACEMENT CHARACTER}")
        if on_token:
            on_token(lanes)
    return lanes


def _steps(decoder, tokens, n, cache):
    """`n` tokens after `tokens` [1, T], and the seconds each took; the first step reads the prompt."""
    fed = tokens
    for _ in range(n):
        start = time.perf_counter()
        chosen = choose(decoder(fed, cache))
        token = int(chosen)  # waits for the device: the clock may be read
        took = time.perf_counter() - start
        yield token, took
        fed = torch.cat([fed, chosen[:, None]], dim=1) if cache is None else chosen[:, None]
