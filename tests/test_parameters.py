"""Weights counted from a config, held to transformers' own count."""

import pytest

import kvlib
from kvlib.configs import UnsupportedConfig, config, parameters

from . import oracle

# One of each architecture; the smallest that is published here.
SEEN = {}
for _name, _config in oracle.published().items():
    SEEN.setdefault(_config["model_type"], (_name, _config))


def uncounted(refusal: UnsupportedConfig) -> bool:
    """Whether it is for weights that kvlib does not count, and not for a field."""
    counts = ("does not count its weights", "is not known, so neither is its size")
    return all(any(why in problem for why in counts) for problem in refusal.problems)


@pytest.mark.parametrize("model_type", SEEN)
def test_total_is_within_half_a_percent(model_type):
    name, config = SEEN[model_type]
    text = config["text_config"] if model_type in oracle.TEXT_ALONE else config
    try:
        found = parameters(text).total
    except UnsupportedConfig as refusal:
        assert uncounted(refusal)
        return
    assert found == pytest.approx(oracle.n_parameters(oracle.model(config)), rel=0.005), name


def test_most_are_counted():
    counted = 0
    for name, given in SEEN.values():
        try:
            counted += bool(parameters(given))
        except UnsupportedConfig as refusal:
            assert uncounted(refusal), name
    assert counted >= 55


@pytest.mark.parametrize(
    "name, total, active",
    [
        ("llama-3.1-8b", 8.03e9, 8.03e9),
        ("mixtral-8x7b", 46.7e9, 12.9e9),
        ("deepseek-v3", 671e9, 37.6e9),
        ("qwen-3-30b-a3b", 30.5e9, 3.35e9),
        ("gpt-oss-120b", 116.8e9, 5.7e9),
        ("llama-2-7b", 6.738e9, 6.738e9),
        ("smollm2-135m", 134.5e6, 134.5e6),
    ],
)
def test_totals_that_readers_know(name, total, active):
    found = parameters(name)
    assert found.total == pytest.approx(total, rel=0.005)
    assert found.active == pytest.approx(active, rel=0.02)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        # Untied: the input embedding is looked up, 128,256 × 4,096 numbers, 6.5 % of the model.
        ("llama-3-8b", lambda p: p.total - 128_256 * 4096),
        # Tied: the same matrix gives the logits, so all of it is read.
        ("smollm2-135m", lambda p: p.total),
        ("gpt2", lambda p: p.total - 1024 * 768),  # learned positions
        ("mixtral-8x7b", lambda p: p.active - 32_000 * 4096),
        # Per-layer embeddings: 35 layers × 262,144 × 256.
        ("gemma-3n-e4b", lambda p: p.total - 35 * 262_144 * 256),
        # The decoder's 32 layers of 1,280, without cross attention's keys and values; logits of 51,866.
        (
            "whisper-large-v3",
            lambda p: (
                32 * (6 * 1280**2 + 5 * 1280 + 8 * 1280**2 + 5 * 1280 + 6 * 1280) + 2 * 1280 + 51_866 * 1280
            ),
        ),
    ],
)
def test_what_a_decode_step_reads(name, read):
    found = parameters(name)
    assert found.read == read(found) <= found.active <= found.total


def test_a_tower_and_cached_projections_are_not_read():
    found = parameters("llama-3.2-11b-vision")
    text = {**config("llama-3.2-11b-vision")["text_config"], "model_type": "mllama_text_model"}
    # Not read: the embedding, and the projections of a picture's keys and values in 8 layers.
    text_alone = parameters(text)
    assert found.read == text_alone.read == text_alone.total - text_alone.embedding - 8 * 2 * 1024 * 4096


def test_the_package_offers_it():
    assert kvlib.parameters is parameters


def test_a_tied_embedding_counts_once():
    config = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 1000,
    }  # fmt: skip
    apart, tied = parameters(config), parameters({**config, "tie_word_embeddings": True})
    assert apart.total - tied.total == apart.embedding == 64_000


def test_a_tower_of_unknown_shape_is_refused():
    config = {
        "model_type": "mistral3",
        "text_config": {"model_type": "mistral"},
        "vision_config": {"model_type": "pixtral"},
    }
    with pytest.raises(UnsupportedConfig, match="vision_config"):
        parameters(config)
