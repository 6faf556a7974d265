"""No spoilt config gives a silently wrong number.

A mutant is refused, or its layout is what transformers keeps for that very config. Where
transformers itself cannot build or run the mutant there is nothing to compare with, and kvlib
may only answer if the mutation left the layout as it was.
"""

from collections import Counter

import pytest

from kvlib.configs import UnsupportedConfig, layout

from . import census, oracle
from .depth import FULL
from .mutants import FOREIGN, WINDOW, bases, inner, mutants, small
from .test_oracle import SOURCE, computed

# One published config of each type, and of the types that have none here the class's default.
PUBLISHED = bases()
DEFAULTS = {name: small(census.default(name)) for name in census.language_models() if name not in PUBLISHED}
BASES = {**PUBLISHED, **DEFAULTS}
# Why a class may not build or run a mutant whose cache is clear all the same: rotary embeddings in
# sections fit one head_dim only, and a product of matrices wants rows of 16 bytes.
OTHER_REASONS = ("mrope_section", "split_sizes", "RoPE dimensions", "multiple of 16 bytes", "expanded size")
# They place experts and positions, layer by layer, and no cache depends on them.
NO_CACHE = {"mlp_layer_types", "mlp_only_layers", "moe_layer_freq", "moe_layers"}
NO_CACHE |= {"layer_rope_theta", "rope_scaling_layers"}
# Mutants of these are also built with transformers (the rest with KVLIB_ORACLE=full); all are read.
BUILT = list(BASES) if FULL else ["mistral", "falcon", "gemma3_text"]
SOURCES = {"mllama": 0, "mllama_text_model": 0, **SOURCE}  # no picture
CONTEXTS = (9, WINDOW + 2)


def answer(config):
    """The layout, or None for a refusal; anything else than UnsupportedConfig fails the test."""
    try:
        return layout(config)
    except UnsupportedConfig as refusal:
        assert len(str(refusal)) > 20
        return None


@pytest.mark.parametrize("model_type", BUILT)
def test_a_number_is_that_of_transformers(model_type):
    base, seen = layout(BASES[model_type]), Counter()
    source_len = SOURCES.get(model_type, 7)
    for what, config in mutants(BASES[model_type]):
        of = answer(config)
        if of is None:
            seen["refused"] += 1
            continue
        if of.layers == base.layers and not what.startswith(("add", "flip", "drop")):
            seen["unchanged"] += 1  # the oracle's test covers this layout
            continue
        try:
            model = oracle.model(config)
            kept = {context: oracle.kept(model, context, 2) for context in CONTEXTS}
        except Exception as impossible:
            if any(word in str(impossible) for word in OTHER_REASONS):
                seen["no oracle"] += 1
                continue
            assert of.layers == base.layers, f"{what}: a number where transformers says {impossible}"
            seen["no oracle"] += 1
            continue
        for context in CONTEXTS:
            assert computed(of, context, 2, source_len) == kept[context], f"{what}, context {context}"
        seen["equal"] += 1
    assert seen["refused"] > 20 and seen["equal"] > 3, seen


@pytest.mark.parametrize("model_type", BASES)
def test_mutants_are_read_or_refused(model_type):
    """Every mutant of every architecture: never another exception; nonsense is never answered."""
    seen = Counter()
    for what, config in mutants(BASES[model_type]):
        of = answer(config)
        seen["refused" if of is None else "read"] += 1
        if what in ("model_type unknown", "no text_config") and "text_config" not in BASES[model_type]:
            assert of is None, what
        if what.endswith((" = 1.5", " = '8'", " = True", " = -1")):
            assert of is None, what
        if " with a stranger" in what and "layer" in what and what.split()[0] not in NO_CACHE:
            assert of is None, what
    assert seen["refused"] >= 15, seen


@pytest.mark.parametrize("field", sorted(FOREIGN.keys() - {"num_key_value_heads", "head_dim"}))
def test_a_foreign_field_is_not_passed_over(field):
    """Most families know nothing of it, and must say so; those that do read it."""
    refused = 0
    for config in PUBLISHED.values():
        changed = {**inner(config), field: FOREIGN[field]}
        refused += answer({**config, "text_config": changed} if "text_config" in config else changed) is None
    assert refused >= 30


def test_there_are_thousands():
    assert sum(1 for config in BASES.values() for _ in mutants(config)) >= 10_000
