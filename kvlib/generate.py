"""Text from a decoder, with a cache or without, and how long each token took."""

import copy
import time
import weakref
from dataclasses import dataclass, field

import torch

from .cache import Cache, make_cache
from .units import whole_number


@dataclass
class Generation:
    """What was generated.

    text     the new text, without the prompt; for a list of prompts, a list
    tokens   the new tokens; for a list of prompts, a list of lists
    seconds  how long each step took; the first is the prefill
    cache    the cache, full of what it holds now (None without one)
    """

    text: str | list[str]
    tokens: list
    seconds: list[float] = field(default_factory=list)
    cache: Cache | None = None


class LanguageModel:
    """A decoder and its tokenizer (`tokenizers.Tokenizer`)."""

    def __init__(self, decoder, tokenizer, *, stop=(), chat=None):
        self.decoder, self.tokenizer, self.layout = decoder, tokenizer, decoder.layout
        self.stop, self._chat = frozenset(stop), chat
        self._spare: tuple | None = None  # the last cache that `generate` made: its shape, itself, its memory

    def chat(self, message: str) -> str:
        """`message` in the form the model was taught to answer; give the result to `generate`."""
        return self._chat(message) if self._chat else message

    def make_cache(self, kind="contiguous", *, batch=1, capacity=2048, **options) -> Cache:
        """A cache for this model, on its device and in its dtype."""
        options = dict(dtype=self.decoder.dtype, device=self.decoder.device) | options
        return make_cache(kind, self.layout, batch=batch, capacity=capacity, **options)

    def _cache_of(self, kind, room):
        """An empty cache: the last one's memory, and the steps captured over it, if no one has that cache.

        So texts of one shape that follow each other capture nothing anew. Of another shape, it is let go.
        """
        shape = kind, tuple(sorted(room.items()))
        if self._spare and self._spare[0] == shape and self._spare[1]() is None:
            cache = self._spare[2]
            cache.clear()
        else:
            self._spare = None
            cache = self.make_cache(kind, **room)
        self._spare = shape, weakref.ref(cache), copy.copy(cache)
        return cache

    def generate(
        self, prompt, max_new_tokens=64, use_cache=True, cache=None, on_token=None,
        temperature=0, seed=0, stop=True, **options,
    ) -> Generation:  # fmt: skip
        """Continue `prompt`, one token at a time.

        prompt       a text, or a list of texts that are continued together
        use_cache    False computes every past token again at every step
        cache        a kind ("contiguous", "sliding", …; `options` go to it) or an empty Cache
        on_token     called with each new piece of text as it comes (for a list of prompts, a list)
        temperature  0 takes the likeliest token; above it, tokens are drawn with `seed`
        stop         end at the model's end-of-text token; False goes on to max_new_tokens

        Raises ValueError for an empty prompt, a bad count or a negative temperature.
        """
        whole_number("max_new_tokens", max_new_tokens)
        if not temperature >= 0:
            raise ValueError(f"temperature must be at least 0, not {temperature!r}")
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        tokens, pad = self.encode(prompts)
        B, T = tokens.shape
        if not use_cache:
            if cache is not None or options:
                raise ValueError("cache belongs to use_cache=True")
        elif not isinstance(cache, Cache):
            room = dict(batch=B, capacity=T + max_new_tokens) | options
            cache = self._cache_of(cache or "contiguous", room)
        elif options or cache.batch != B or cache.length:
            raise ValueError(f"cache must be empty, made for a batch of {B}, and take no more options")
        if cache is not None:
            cache.pad = pad

        generator = torch.Generator().manual_seed(seed)
        new: list[list[int]] = [[] for _ in range(B)]
        pieces = [_Pieces(self.tokenizer) for _ in range(B)]
        done, seconds, fed = [False] * B, [], tokens
        if cache is not None:
            self.decoder.prepare(cache)
        for _ in range(max_new_tokens):
            start = time.perf_counter()
            logits = self.decoder(fed, cache, pad=pad)
            chosen = choose(logits, temperature, generator)
            ids = chosen.tolist()  # waits for the device: the clock may be read
            seconds.append(time.perf_counter() - start)
            texts = []
            for b, token in enumerate(ids):
                done[b] = done[b] or (stop and token in self.stop)
                if not done[b]:
                    new[b].append(token)
                texts.append("" if done[b] else pieces[b].add(token))
            if all(done):
                break
            if on_token:
                on_token(texts[0] if isinstance(prompt, str) else texts)
            fed = chosen[:, None]
            if not use_cache:
                fed = tokens = torch.cat([tokens, fed], dim=1)
        texts = [self.tokenizer.decode(ids) for ids in new]
        if isinstance(prompt, str):
            return Generation(texts[0], new[0], seconds, cache)
        return Generation(texts, new, seconds, cache)

    def encode(self, prompts):
        """Tokens [B, T] on the model's device, shorter prompts filled up in front, and how far: pad [B].

        pad is None when the prompts have one length.
        """
        ids = [self.tokenizer.encode(prompt).ids for prompt in prompts]
        if not ids or not all(ids):
            raise ValueError("prompt must not be empty")
        T = max(map(len, ids))
        pad = [T - len(one) for one in ids]
        tokens = torch.tensor([[0] * n + one for n, one in zip(pad, ids, strict=True)])
        device = self.decoder.device
        return tokens.to(device), (torch.tensor(pad, device=device) if any(pad) else None)


def choose(logits, temperature=0, generator=None):
    """The next token of each sequence, [B]: the likeliest, or drawn from softmax(logits / temperature)."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    chances = torch.softmax(logits.float().cpu() / temperature, dim=-1)
    return torch.multinomial(chances, 1, generator=generator).squeeze(1).to(logits.device)


class _Pieces:
    """Text as tokens come; a character of several tokens is given out when it is whole."""

    def __init__(self, tokenizer):
        self.tokenizer, self.tokens, self.given = tokenizer, [], 0

    def add(self, token) -> str:
        self.tokens.append(token)
        text = self.tokenizer.decode(self.tokens)
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        piece, self.given = text[self.given :], len(text)
        return piece
