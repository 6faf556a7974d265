"""Weights counted from a config, held to transformers' own count."""

import oracle
import pytest

import kvlib
from kvlib.configs import UnsupportedConfig, parameters

# One of each architecture; the smallest that is published here.
SEEN = {}
for _name, _config in oracle.published().items():
    SEEN.setdefault(_config["model_type"], (_name, _config))


@pytest.mark.parametrize("model_type", SEEN)
def test_total_is_within_half_a_percent(model_type):
    name, config = SEEN[model_type]
    text = config["text_config"] if model_type in oracle.TEXT_ALONE else config
    real = oracle.n_parameters(oracle.model(config))
    assert parameters(text).total == pytest.approx(real, rel=0.005), name


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
