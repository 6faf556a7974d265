"""What a smaller cache forgets: a long prompt goes on, and facts planted in it are asked for again.

SmolLM2 reads the prompt once, whole and in full precision. Each cache is then given that prompt's keys,
values and queries and keeps of them what it keeps; from that alone the model goes on, as it does after
the prefill of an engine. Measured are the perplexity of the text's next tokens, and how many facts come
back digit for digit: each is asked on its own, by its own sentence broken off before the number.
"""

import copy
import random
from pathlib import Path

import torch
import torch.nn.functional as F

from ..cache import ContiguousCache, make_cache
from . import quality

TEXT = "news-from-nowhere.txt"
NAMED = "William Morris, News from Nowhere (1890), chapters II and III; in the public domain"
PROMPT = 7552  # tokens, facts among them; whole groups of 32, so that all of the prompt lies in codes
TAIL = 512  # tokens of the text behind the prompt: SmolLM2's context ends at 8,192
CHUNK = 64  # tokens fed at once: caches that evict do so after each chunk
THINGS = (
    "green boat", "stone bridge", "old mill", "brass key", "iron gate",
    "white horse", "oak chest", "silver cup", "blue lantern", "glass bell",
)  # fmt: skip
STOPS = ".", "!", "?", '."'

# name, kind of cache, its options
CACHES = (
    ("full", "contiguous", {}),
    ("int8, keys by token", "quantized", dict(codes="int8", keys="token")),
    ("int4, keys by channel", "quantized", dict(codes="int4", keys="channel")),
    ("window 512", "sliding", dict(window=512)),
    ("window 512 and 4 sinks", "sliding", dict(window=512, sinks=4)),
    ("SnapKV 512", "snapkv", dict(budget=512)),
    ("H2O 512", "h2o", dict(budget=512)),
    ("fp8", "fp8", {}),
    ("int2, keys by channel", "quantized", dict(codes="int2", keys="channel")),
    ("int4, keys by token", "quantized", dict(codes="int4", keys="token")),
    ("window 2,048 and 4 sinks", "sliding", dict(window=2048, sinks=4)),
    ("SnapKV 2,048", "snapkv", dict(budget=2048)),
    ("int2, keys by token", "quantized", dict(codes="int2", keys="token")),
    ("window 2,048", "sliding", dict(window=2048)),
    ("H2O 2,048", "h2o", dict(budget=2048)),
)


def text() -> str:
    """The text that the prompt is made of."""
    return (Path(__file__).parent / TEXT).read_text(encoding="utf-8")


def facts(things=THINGS, seed=0) -> list[tuple[str, str]]:
    """For each thing the beginning of a sentence, and the number of five digits that ends it."""
    numbers = random.Random(seed)
    return [(f" The number of the {thing} is ", f"{numbers.randrange(10_000, 100_000)}") for thing in things]


def planted(tokens, sentences, prompt=PROMPT, tail=TAIL, stops=()):
    """The prompt and the tokens that follow it, from the text's `tokens` and those of each fact's sentence.

    The facts stand at even distances, each behind the next of the tokens `stops`, a sentence's end.
    Returns two lists. Raises ValueError for a text that is too short.
    """
    room = prompt - sum(map(len, sentences))
    if room < len(sentences) or len(tokens) < room + tail:
        raise ValueError(
            f"text must have at least {room + tail:,} tokens beside the facts, not {len(tokens):,}"
        )
    made, last = [], 0
    for i, sentence in enumerate(sentences):
        place = int((i + 0.5) * room / len(sentences))
        ends = (p + 1 for p in range(place, room) if tokens[p] in stops)
        place = next(ends, place)
        made += tokens[last:place] + sentence
        last = place
    return made + tokens[last:room], tokens[room : room + tail]


def material(tokenizer):
    """The prompt, the tokens behind it, and each fact's question and answer: lists of tokens."""

    def tokens(text):
        return tokenizer.encode(text).ids

    stops = {tokenizer.token_to_id(stop) for stop in STOPS}
    sentences = [tokens(f"{start}{number}.") for start, number in facts()]
    prompt, tail = planted(tokens(text()), sentences, stops=stops)
    return prompt, tail, [(tokens(start), tokens(number)) for start, number in facts()]


class Reading(ContiguousCache):
    """A contiguous cache that keeps the queries too, so that other caches can be given what it was given."""

    kind = "reading"

    def __init__(self, layout, **rest):
        self.queries = [[] for _ in layout.layers]
        super().__init__(layout, **rest)

    def observe(self, layer, q):
        self.queries[layer].append(q)

    def back(self, length) -> None:
        """Forget all behind the first `length` tokens, which were one step."""
        self.crop(length)
        self.queries = [steps[:1] for steps in self.queries]

    def replay(self, cache):
        """Give `cache`, empty, all that was read, in one step. Returns it."""
        cache.append(self.length)
        for layer, steps in enumerate(self.queries):
            cache.write(layer, *self.view(layer).gather())
            cache.observe(layer, torch.cat(steps, dim=2))
        return cache


@torch.inference_mode()
def answered(decoder, cache, question, answer):
    """Whether each token of `answer` is the likeliest after `question`, and their mean surprise in nats.

    The right answer is fed whatever the model would have said.
    """
    fed = torch.tensor([question + answer[:-1]], device=decoder.device)
    logits = decoder(fed, cache, logits_to_keep=len(answer))[0].float()
    due = torch.tensor(answer, device=decoder.device)
    return bool((logits.argmax(-1) == due).all()), F.cross_entropy(logits, due).item()


def read(decoder, prompt, room) -> Reading:
    """The prompt, read in one step, with room for so many tokens more."""
    options = dict(dtype=decoder.dtype, device=decoder.device)
    reading = Reading(decoder.layout, capacity=len(prompt) + room, **options)
    decoder(torch.tensor([prompt], device=decoder.device), reading)
    return reading


def empty(decoder, kind, capacity, **options):
    """A cache of `kind` for this decoder."""
    return make_cache(
        kind, decoder.layout, capacity=capacity, dtype=decoder.dtype, device=decoder.device, **options
    )


def rows(decoder, prompt, tail, questions, which=CACHES):
    """A record's row for each cache, at a time.

    questions  (question, answer), tokens each, of the facts in the prompt in their order
    Of SnapKV, which chooses by the prompt's last tokens, `found_asked_first` counts with the question
    as these last tokens.
    """
    room = max(len(tail), *(len(q) + len(a) for q, a in questions))
    reading = read(decoder, prompt, room)
    for name, kind, options in which:
        cache = reading.replay(empty(decoder, kind, len(prompt) + room, **options))
        row = {"name": name, "kind": kind, **options, "bytes": cache.nbytes}
        row["perplexity"] = round(quality.perplexity(decoder, tail, _as_it_was(cache, prompt), CHUNK), 3)
        asked = [answered(decoder, _as_it_was(cache, prompt), *one) for one in questions]
        row["surprise"] = round(sum(nats for _, nats in asked) / len(asked), 3)
        row["found"] = [int(right) for right, _ in asked]
        if kind == "snapkv":
            row["found_asked_first"] = [
                int(_asked_first(decoder, reading, empty(decoder, kind, len(prompt) + room, **options), *one))
                for one in questions
            ]
        yield row


def _as_it_was(cache, prompt):
    """The cache as it is behind the prompt: what came since given back, or a copy that takes what comes."""
    if cache.kind in ("sliding", "h2o", "snapkv"):  # they give nothing back
        return copy.deepcopy(cache)
    cache.crop(len(prompt))
    return cache


def _asked_first(decoder, reading, cache, question, answer):
    """Whether the answer comes when all of the question but its last token belongs to the prompt."""
    prompt = reading.length
    decoder(torch.tensor([question[:-1]], device=decoder.device), reading)
    reading.replay(cache)
    reading.back(prompt)
    return answered(decoder, cache, question[-1:], answer)[0]
