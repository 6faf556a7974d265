"""Speculative decoding: several tokens a step, guessed first and then checked by the model, all at once.

A step that checks four tokens reads the weights and the cache once, as a step of one token does: while
reading bounds it, it takes hardly longer. Only what the model itself would have chosen is kept, so the
text is the model's; what is not kept is given back (`Cache.crop`). Leviathan and others, arXiv 2211.17192,
here with greedy choice. The guesses come from the text so far, without a second model: what followed the
last time the same few tokens stood there (prompt lookup, as in transformers).
"""

from dataclasses import dataclass, field

import torch

from .cache import Cache
from .generate import LanguageModel
from .units import whole_number


@dataclass
class Speculation:
    """What was generated, and how many guesses it took.

    text, tokens  the new text and tokens, without the prompt
    steps         runs of the model, the prefill among them: without guesses, one for each token
    drafted       tokens that were guessed and checked
    accepted      those of them that the model would have chosen
    kept          tokens in the cache after each step, once the rest was given back
    cache         the cache, as the last step left it
    """

    text: str
    tokens: list[int]
    steps: int
    drafted: int
    accepted: int
    kept: list[int] = field(repr=False)
    cache: Cache = field(repr=False)


def lookup(tokens: list[int], n: int, ngram: int = 3) -> list[int]:
    """Up to `n` tokens that followed when the last `ngram` of `tokens` last stood there before; [] if never.

    Where so many were never seen together, one fewer is tried, down to a single token.
    """
    for size in range(min(ngram, len(tokens) - 1), 0, -1):
        end = tokens[-size:]
        for start in range(len(tokens) - size - 1, -1, -1):
            if tokens[start : start + size] == end:
                return tokens[start + size : start + size + n]
    return []


def accept(draft: list[int], chosen: list[int]) -> list[int]:
    """The new tokens of a step: the guesses up to the first wrong one, then the model's own choice.

    chosen  what the model chooses in the place of each guess, and one more behind the last
    """
    accepted = 0
    while accepted < len(draft) and draft[accepted] == chosen[accepted]:
        accepted += 1
    return chosen[: accepted + 1]


def speculate(
    model: LanguageModel,
    prompt: str,
    max_new_tokens=64,
    *,
    draft=4,
    propose=lookup,
    cache="contiguous",
    **options,
) -> Speculation:
    """The text that `model.generate` would give at temperature 0, in fewer steps if guesses are right.

    draft    most tokens guessed in a step; 0: none, one step a token
    propose  (tokens so far, n) -> up to n guesses
    cache    its kind; `options` go to it. It must be able to give tokens back: a ring that has
             overwritten some can't, and raises ValueError

    In half precision the model may choose otherwise than one token at a time would, where two are as good
    as equally likely: the sums of several tokens are added in another order.
    Raises ValueError for an empty prompt or a bad count.
    """
    whole_number("max_new_tokens", max_new_tokens), whole_number("draft", draft, least=0)
    ids = model.encode([prompt])[0][0].tolist()
    held = model.make_cache(cache, capacity=len(ids) + max_new_tokens, **options)
    decoder, device = model.decoder, model.decoder.device
    decoder.prepare(held)
    new = [int(decoder(torch.tensor([ids], device=device), held).argmax())]
    steps, drafted, accepted, kept = 1, 0, 0, [held.length]
    while len(new) < max_new_tokens and new[-1] not in model.stop:
        room = min(draft, max_new_tokens - len(new) - 1)
        guesses = propose(ids + new, room)[:room] if room else []
        fed = torch.tensor([[new[-1], *guesses]], device=device)
        before = held.length
        chosen = decoder(fed, held, logits_to_keep=0)[0].argmax(dim=-1).tolist()
        right = accept(guesses, chosen)
        held.crop(before + len(right))  # the newest token's keys and values come with the next step
        steps, drafted, accepted = steps + 1, drafted + len(guesses), accepted + len(right) - 1
        kept.append(held.length)
        for token in right:
            new.append(token)
            if token in model.stop:
                break
    if new[-1] in model.stop:
        new.pop()
    return Speculation(model.tokenizer.decode(new), new, steps, drafted, accepted, kept, held)
